"""
How much of a dimension each feature gets
=========================================

Two hundred features share twenty dimensions. Weight decay decides whether all of them get a little
or a few get much, and frequent features get more than rare ones.

Run ``python examples/feature_dimensionality.py`` (five seconds). It stores nothing.
"""

import matplotlib.pyplot as plt
import numpy as np

import superscale as ss
from theory.figures.style import RANK, curve, finish, open_axes

n, m = 200, 20
words = ss.Frequencies.power_law(n, alpha=1.0)

# %%
# The dimensionality of feature i is ``|W_i|² / Σ_j (Ŵ_i·W_j)²`` (Elhage et al. 2022): 1 for a
# feature on its own, 1/2 for one of an antipodal pair, 0 for one that is lost. Weight decay above 0
# shrinks rows, and the rarest features are lost; below 0 it grows rows that are shorter than 1.
ax = open_axes()
for k, decay in enumerate((1.0, 0.0, -1.0)):
    run = ss.train(words, m, weight_decay=decay, steps=3000, seed=0)
    share = ss.directions.feature_dimensionalities(run.model.W)
    style = curve(k) | {"linestyle": "", "ms": 4}
    ax.plot(np.arange(1, n + 1), share, label=f"weight decay {decay:g}", **style)
    print(f"weight decay {decay:4g}: {np.sum(share > 0.05):3d} features represented, "
          f"dimensionalities sum to {share.sum():.2f} of {m}")  # fmt: skip
ax.axhline(m / n, color="black", lw=0.8, label="m/n")
finish(ax, RANK, "dimensionality", log="x", title=f"n = {n}, m = {m}, α = 1")
plt.show()
