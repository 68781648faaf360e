"""
Twenty features of falling importance in five dimensions
========================================================

I_i = 0.7^(i - 1): which features does a model of width 5 keep, and which share a dimension, as they
become sparse? W Wᵀ of the exact ground states, beside trained models.

Run ``python examples/twenty_features.py`` (seconds). It stores nothing: it draws
studies/ground_state/sparsity.json, which ``python studies/ground_state/sparsity.py`` made, beside
models that it trains.
"""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import superscale as ss

studies = Path(sys.argv[0]).resolve().parents[1] / "studies"
path = studies / "ground_state" / "sparsity.json"
rows = json.loads(path.read_text(encoding="utf-8"))["twenty"]

# %%
# Two models are trained at each density, for 1200 steps; the better one is shown.
shown = [
    ss.Features(
        ss.Frequencies.from_probabilities([row["p"]] * 20),
        ss.Activation(0, 1),
        0.7 ** np.arange(20),
    )
    for row in rows
]
runs = ss.train_many(
    [*shown, *shown], 5, seeds=range(2 * len(rows)), weight_decay=0.0, steps=1200, batch=256
)

# %%
# Dense features: the five most important, each in its own dimension, as principal components would
# have it. Sparser ones: pairs, then larger arrangements of most of the features.
figure, axes = plt.subplots(
    2, len(rows), figsize=(2.6 * len(rows), 5.6), layout="constrained", squeeze=False
)
for k, (row, features) in enumerate(zip(rows, shown, strict=True)):
    models = [ss.ToyModel(row["W"], row["b"]), runs[k].model, runs[k + len(rows)].model]
    losses = [ss.population_loss(model, features, rtol=1e-4).loss for model in models]
    best = 1 + int(np.argmin(losses[1:]))
    for ax, at, name in ((axes[0, k], 0, "ground state"), (axes[1, k], best, "trained")):
        W = models[at].W
        image = ax.imshow(W @ W.T, cmap="RdBu_r", vmin=-1.2, vmax=1.2)
        ax.set_title(f"p = {row['p']:g}, {name} {losses[at]:.5f}", size=8)
        ax.set(xticks=[], yticks=[])
    shapes = {name: row["shapes"].count(name) for name in dict.fromkeys(row["shapes"])}
    text = ", ".join(f"{count} × {name}" for name, count in shapes.items())
    print(f"p = {row['p']:g}: ground state {losses[0]:.6f}, trained {losses[best]:.6f}; {text}")
figure.colorbar(image, ax=axes, label=r"$W_i \cdot W_j$", shrink=0.7)
plt.show()
