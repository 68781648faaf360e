"""
Five features in a plane: from pairs to the pentagon
====================================================

How do five equally important features share two dimensions? It hangs on how sparse they are. The
exact ground states, and models trained at the same densities.

Run ``python examples/pairs_to_pentagon.py`` (seconds). It stores nothing; the curve below is from
studies/ground_state/sparsity.json, which ``python studies/ground_state/sparsity.py`` made.
"""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import superscale as ss
from theory.figures.style import BLUE, GREY, VERMILION, finish, open_axes

studies = Path(sys.argv[0]).resolve().parents[1] / "studies"
stored = json.loads((studies / "ground_state" / "sparsity.json").read_text(encoding="utf-8"))

# %%
# Dense features: two antipodal pairs, and one feature is lost. Sparse ones: a pentagon, in which
# each has 2/5 of a dimension. Below each ground state is the best of three trained models; where
# its loss is higher, training ended in another local minimum.
DENSITIES = (0.4, 0.2, 0.05)
shown = [
    ss.Features(ss.Frequencies.from_probabilities([p] * 5), ss.Activation(0, 1)) for p in DENSITIES
]
runs = ss.train_many(
    [one for one in shown for _ in range(3)],
    2,
    seeds=range(3 * len(shown)),
    weight_decay=0.0,
    steps=1000,
    batch=256,
)
figure = plt.figure(figsize=(9, 8.4), layout="constrained")
grid = figure.add_gridspec(3, 3)
for column, (p, features) in enumerate(zip(DENSITIES, shown, strict=True)):
    state = ss.ground_state(features, 2, starts=12)
    ax = state.plot(figure.add_subplot(grid[0, column]))
    ax.set_title(f"p = {p:g}: {', '.join(state.shapes)}\nground state {state.loss:.5f}", size=9)
    mine = runs[3 * column : 3 * column + 3]
    losses = [ss.population_loss(run.model, features).loss for run in mine]
    best = mine[int(np.argmin(losses))]
    ax = open_axes(figure.add_subplot(grid[1, column]))
    for row in best.model.W:
        ax.plot([0, row[0]], [0, row[1]], "o-", color=VERMILION, markevery=[1])
    ax.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), aspect="equal")
    ax.set(xlabel="hidden dimension 1", ylabel="hidden dimension 2")
    ax.set_title(f"trained {min(losses):.5f}", size=9)
    print(f"p = {p:g}: ground state {state.loss:.6f}, best trained model {min(losses):.6f}")

# The shares of a dimension at each density, of the ground states: 1/2 in a pair, 2/5 in a pentagon.
# When all are always on, nothing but the ReLU tells directions apart: the features share the plane
# unevenly, at a loss that is a little below that of principal components.
ax = open_axes(figure.add_subplot(grid[2, :]))
for row in stored["five"]:
    shares = row["dimensionalities"]
    ax.plot([1 / row["p"]] * 5, shares, "o", color=BLUE, alpha=0.5)
for share, text in ((1 / 2, "1/2, pair"), (2 / 5, "2/5, pentagon")):
    ax.axhline(share, color=GREY, lw=0.8)
    ax.text(65, share + 0.02, text, ha="right", size=8)
ax.set(xlim=(0.9, 68), ylim=(-0.05, 0.9))
finish(ax, "inverse density 1/p", "share of a dimension $D_i$", log="x")
plt.show()
