"""
A search for packings against what is proved
============================================

How small can the largest overlap of n lines in R^4 be? A search finds arrangements, bounds say what
none can beat; where they meet the answer is known.

Run ``python examples/packing_bounds.py`` (five seconds). It stores nothing.
"""

import matplotlib.pyplot as plt
import numpy as np

import superscale as ss
from theory.figures.style import BLACK, BLUE, GREY, ORANGE, finish, open_axes

m, sizes = 4, (5, 6, 8, 10, 12, 16, 20, 24)
found, best, welch, random = [], [], [], []
for n in sizes:
    packing = ss.packings.pack(n, m, seconds=0.5, seed=0)
    bounds = ss.packings.bounds(n, m)
    found.append(packing.coherence)
    best.append(bounds.best.value)
    welch.append(np.sqrt((n - m) / (m * (n - 1))))
    random.append(ss.overlaps(np.random.default_rng(n).standard_normal((n, m))).coherence)
    print(f"n = {n:2d}: found {found[-1]:.6f}, bound {best[-1]:.6f} ({bounds.best.name})")

# %%
# The Welch bound is reached only where all overlaps can be equal. For many lines the linear program
# proves more.
ax = open_axes()
ax.fill_between(sizes, 0, best, color="0.92", label="proved impossible")
ax.plot(sizes, random, ":", color=GREY, marker="x", label="random lines")
ax.plot(sizes, found, "o-", color=BLUE, label="found by search")
ax.plot(sizes, best, "-", color=BLACK, lw=1.2, label="best bound")
ax.plot(sizes, welch, "--", color=ORANGE, label="Welch bound")
ax.set(ylim=(0, 1), xticks=sizes)
finish(ax, f"number of lines n in $R^{m}$", "largest overlap |t|", place="lower right")
plt.show()
