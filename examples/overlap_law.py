"""
The law of overlaps in a trained model
======================================

The mean field predicts more than the loss: the whole distribution of overlaps between features,
which differs from that of random directions.

Run ``python examples/overlap_law.py`` (ten seconds). It stores nothing.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.interpolate import PchipInterpolator

import superscale as ss
from theory.figures.style import BLACK, BLUE, ORANGE, finish, open_axes

n, m = 300, 20
words = ss.Frequencies.power_law(n, alpha=0.0)
solution = ss.solve_mean_field(words, m)
run = ss.train(words, m, steps=6000)
W = run.model.W[run.model.norms > 0.5]
U = W / np.linalg.norm(W, axis=1, keepdims=True)
t = np.sqrt(m) * (U @ U.T)[np.triu_indices(len(U), 1)]
loss = ss.population_loss(run.model, words, rtol=1e-3).loss
print(f"loss {loss:.4g}, mean field {solution.loss:.4g}; <t²> {np.mean(t**2):.3f}, mean field "
      f"{m * solution.mean_square_overlap:.3f}, skewness {np.mean(t**3) / np.mean(t**2)**1.5:.3f}, "
      f"mean field {solution.skewness:.3f}")  # fmt: skip

# %%
# Overlaps t = √m u·v of equally frequent features. Large positive overlaps cost most; training and
# the mean field move them below a wall, and ReLU makes negative overlaps free.
edges = np.linspace(-4, 4, 65)
ax = open_axes()
ax.hist(t, edges, density=True, color=ORANGE, alpha=0.6, label="trained model")

# The solution is a map from overlaps of random directions, at some nodes, to the optimal ones. Take
# many random overlaps through it.
assert solution.t.shape[:2] == (1, 1)  # one group: all features are equal
random = np.linspace(solution.z[0], solution.z[-1], 200_001)
law = ss.directions.RandomOverlap(m).pdf(random / np.sqrt(m)) / np.sqrt(m)
moved = PchipInterpolator(solution.z, solution.t[0, 0])(random)
density = np.histogram(moved, edges, weights=law / law.sum())[0] / np.diff(edges)
ax.stairs(density, edges, color=BLUE, lw=1.6, label="mean field")
ax.plot(random, law, color=BLACK, ls="--", lw=1.2, label="random directions")
ax.set_xlim(-4, 4)
finish(ax, "scaled overlap t = √m u·v", "density", title=f"n = {n}, m = {m}, equal frequencies")
plt.show()
