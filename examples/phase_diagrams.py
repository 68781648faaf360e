"""
Phase diagrams of two and three features
========================================

When is a feature dropped, given a dimension of its own, or put opposite another one? The phases of
n = 2, m = 1 and n = 3, m = 2 over relative importance and density, without training.

Run ``python examples/phase_diagrams.py`` (seconds). It stores nothing: it draws
studies/ground_state/phases.json, which ``python studies/ground_state/phases.py`` made, beside
models that it trains.
"""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

import superscale as ss
from theory.figures.style import finish, open_row

studies = Path(sys.argv[0]).resolve().parents[1] / "studies"
stored = json.loads((studies / "ground_state" / "phases.json").read_text(encoding="utf-8"))

PHASES = ("not represented", "shares a dimension", "own dimension")
colors = ListedColormap(["#ffffff", "#e69f00", "#56b4e9"])


def phase(norm, share):
    """Return the phase of a feature: 0 dropped, 1 in superposition, 2 on its own."""
    return 0 if norm < 0.3 else 1 if share < 0.9 else 2


# %%
# Each cell is the lowest of the minima that several descents of the exact loss end at. Its color is
# the phase of the last feature, the one whose importance changes; the others have importance 1.
axes = open_row(2)
for ax, (name, cells) in zip(axes, stored["diagrams"].items(), strict=True):
    importance = np.unique([cell["importance"] for cell in cells])
    density = np.unique([cell["p"] for cell in cells])
    phases = [phase(cell["norms"][-1], cell["dimensionalities"][-1]) for cell in cells]
    grid = np.reshape(phases, (density.size, importance.size))
    ax.pcolormesh(importance, density, grid, cmap=colors, vmin=-0.5, vmax=2.5)
    ax.grid(visible=False)
    finish(ax, "relative importance of the last feature", "density p", log="xy", title=name)
    for k, text in enumerate(PHASES):
        print(f"{name}: {text} in {np.mean(grid == k):.0%} of the cells")

# The circles are models that Adam trained, the better of two each.
importance, density = (x.ravel() for x in np.meshgrid([0.15, 0.5, 2.0, 6.0], [0.02, 0.1, 0.7]))
shown = [
    ss.Features(ss.Frequencies.from_probabilities([p, p]), ss.Activation(0, 1), [1.0, i])
    for i, p in zip(importance, density, strict=True)
]
runs = ss.train_many(
    [*shown, *shown], 1, seeds=range(2 * len(shown)), weight_decay=0.0, steps=800, batch=256
)
losses = [ss.population_loss(run.model, run.features).loss for run in runs]
for k, (i, p) in enumerate(zip(importance, density, strict=True)):
    model = min((losses[k], k), (losses[k + len(shown)], k + len(shown)))[1]
    norms = runs[model].model.norms
    share = ss.directions.feature_dimensionalities(runs[model].model.W)[1]
    fill = colors(phase(norms[1], share))
    axes[0].plot(i, p, "o", ms=9, mfc=fill, mec="black")
for k, text in enumerate(PHASES):
    axes[1].plot([], [], "s", ms=9, mfc=colors(k), mec="0.5", label=text)
axes[1].plot([], [], "o", ms=9, mfc="none", mec="black", label="trained model")
axes[1].legend(fontsize="small", loc="lower right", framealpha=0.9)
plt.show()
