"""
How many items a state of m numbers holds
=========================================

k of n items with random directions are superposed in m numbers. The k highest scores are read. The
figure sets the probability that these are the right ones, from the exact joint law of the scores,
beside states that are drawn.

Run ``python examples/reading_capacity.py`` (ten seconds). It stores nothing.
"""

import matplotlib.pyplot as plt
import numpy as np

import superscale as ss
from theory.figures.style import WIDTH, curve, finish, open_row

rng = np.random.default_rng(0)
n = 1000
widths = np.unique(np.geomspace(6, 500, 60).astype(int))


# %%
# Sampling: draw all directions, add the first k, and compare scores.
def sample(n, m, k, draws):
    hits = 0
    for _ in range(draws):
        U = rng.standard_normal((n, m), dtype=np.float32)
        scores = U @ U[:k].sum(axis=0)
        hits += scores[:k].min() > scores[k:].max()
    return hits / draws


# %%
# Lines are the law, dots 300 drawn states each. Vertical marks are the widths of the leading order,
# k (√(2 ln k) + √(2 ln(n - k)))².
left, right = open_row(2)
for index, k in enumerate((1, 2, 4, 8)):
    color, marker = curve(index)["color"], curve(index)["marker"]
    law = [ss.reading.recall(n, int(m), k).probability for m in widths]
    left.plot(widths, law, color=color, label=f"k = {k}")
    left.axvline(ss.reading.asymptotic_width(n, k), color=color, ls=":", lw=1)
    for error in (0.8, 0.4, 0.1):
        m = ss.reading.required_width(n, k, error)
        left.plot(m, sample(n, m, k, 300), marker, color=color)
finish(left, WIDTH, "probability that all k are read", log="x", title=f"n = {n}")

# The width that is needed grows faster than k, and only with the logarithm of n.
active = np.array([1, 2, 4, 8, 16, 32, 64])
for index, n in enumerate((100, 10_000, 1_000_000)):
    needed = [ss.reading.required_width(n, int(k), 0.01) for k in active]
    right.plot(active, needed, label=f"n = {n}", **curve(index))
    for k, m in zip(active[::2], needed[::2], strict=True):
        print(f"n = {n}, k = {k}: m = {m} for an error of 1 %")
finish(right, "number of items k", "width m for an error of 1 %", log="xy")
plt.show()
