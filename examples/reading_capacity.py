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
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for color, k in zip(("C0", "C1", "C2", "C3"), (1, 2, 4, 8), strict=True):
    law = [ss.reading.recall(n, int(m), k).probability for m in widths]
    axes[0].plot(widths, law, color=color, label=f"k = {k}")
    axes[0].axvline(ss.reading.asymptotic_width(n, k), color=color, ls=":", lw=1)
    for error in (0.8, 0.4, 0.1):
        m = ss.reading.required_width(n, k, error)
        axes[0].plot(m, sample(n, m, k, 300), "o", color=color)
axes[0].set(xscale="log", xlabel="width m", ylabel="P(all k are read)", title=f"n = {n}")
axes[0].legend(loc="lower right")

# %%
# The width that is needed grows faster than k, and only with the logarithm of n.
active = np.array([1, 2, 4, 8, 16, 32, 64])
for color, n in zip(("C0", "C1", "C2"), (100, 10_000, 1_000_000), strict=True):
    needed = [ss.reading.required_width(n, int(k), 0.01) for k in active]
    axes[1].plot(active, needed, "o-", color=color, label=f"n = {n:,}")
    for k, m in zip(active[::2], needed[::2], strict=True):
        print(f"n = {n}, k = {k}: m = {m} for an error of 1 %")
axes[1].set(xscale="log", yscale="log", xlabel="items on, k", ylabel="m for an error of 1 %")
axes[1].legend()
plt.show()
