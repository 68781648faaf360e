"""
A graph search in a superposed state
====================================

A thought holds the sum of the codes of all nodes reached so far and attends to their edges, so that
one state searches many paths at once. How wide must it be? Random graphs, two edges from each of 60
nodes, are searched from one node; dots are searches that agree with breadth-first search.

Run ``python examples/graph_search.py`` (ten seconds). It stores nothing.
"""

import matplotlib.pyplot as plt
import numpy as np

import superscale as ss
from theory.figures.style import BLACK, BLUE, GREY, VERMILION, WIDTH, finish, open_row

rng = np.random.default_rng(0)
n, steps = 60, 2
widths = [100, 150, 200, 300, 450, 700]


# %%
# One search, step by step.
def draw(m):
    edges = np.c_[np.repeat(np.arange(n), 2), rng.integers(n, size=2 * n)]
    return edges, rng.standard_normal((n, m)) / np.sqrt(m)


edges, codes = draw(700)
print(ss.reading.search_graph(edges, codes, root=0, steps=steps).to_dataframe())

# %%
# Many searches at each width, and what the recall law predicts for their sums of codes.
measured, predicted = [], []
for m in widths:
    graphs = [draw(m) for _ in range(100)]
    found = [ss.reading.search_graph(*graph, 0, steps).right for graph in graphs]
    strengths = [ss.reading.search_strengths(edges, n, 0, steps) for edges, _ in graphs]
    law = [ss.reading.search_success(one, n, m) for one in strengths]
    measured.append(np.mean(found))
    predicted.append(np.mean(law))
    print(f"m = {m}: {measured[-1]:.2f} of searches right, predicted {predicted[-1]:.2f}")

# %%
# Right: softmax attention to random codes. The weight on the frontier is far from that of
# orthonormal codes in narrow states, and the annealed average misses it.
left, right = open_row(2)
error = np.sqrt(np.array(predicted) * (1 - np.array(predicted)) / 100)
left.plot(widths, predicted, color=BLACK, label="recall law")
left.errorbar(widths, measured, error, fmt="o", color=BLUE, label="100 random graphs")
finish(left, WIDTH, f"probability that {steps} steps are right", place="upper left")

beta = 20.0
m = np.geomspace(24, 300, 16).astype(int)
masses = [ss.reading.frontier_mass(1000, 6, int(x), beta) for x in m]
right.plot(m, [one.mass for one in masses], color=BLACK, label="quenched")
right.plot(m, [one.annealed for one in masses], "--", color=VERMILION, label="annealed")
right.axhline(masses[0].orthonormal, color=GREY, lw=1, ls=":", label="orthonormal codes")
for width in (32, 64, 128, 256):
    shares = []
    for _ in range(60):
        U = rng.standard_normal((1000, width)) / np.sqrt(width)
        weights = np.exp(beta * U @ U[:6].sum(axis=0) / np.sqrt(6))
        shares.append(weights[:6].sum() / weights.sum())
    stderr = np.std(shares) / np.sqrt(60)
    label = "60 drawn states" if width == 32 else None
    right.errorbar(width, np.mean(shares), stderr, fmt="o", color=BLUE, label=label)
finish(right, WIDTH, "attention on 6 of 1000 nodes, β = 20")
plt.show()
