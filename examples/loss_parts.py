"""
What the loss is made of while a model trains
=============================================

The exact loss of a model splits into lost features, the error of kept ones, and interference while
a feature is silent or active. Which part does training remove?

Run ``python examples/loss_parts.py`` (five seconds). It stores nothing.
"""

import matplotlib.pyplot as plt
import numpy as np

import superscale as ss
from theory.figures.style import BLACK, LOSS, curve, finish, open_axes

words = ss.Frequencies.power_law(n=100, alpha=1.0)
steps = (100, 200, 400, 800, 1600, 3200, 6400)
names = {
    "lost": "lost features",
    "self": "own error of kept ones",
    "interference_silent": "interference, silent",
    "interference_active": "interference, active",
}

# %%
# Models of the published recipe, stopped after more and more steps: each has a full schedule of its
# own. ``population_loss`` integrates over all inputs, without a sample. Early on interference
# lowers the loss, as outputs are far too small: its parts are below 0 and not drawn.
parts = []
for count in steps:
    run = ss.train(words, m=10, steps=count, recipe="paper", batch=256, weight_decay=-0.5)
    report = ss.population_loss(run.model, words, rtol=1e-2)
    parts.append([report.loss, *(report.parts[name] for name in names)])
    print(f"{count:5d} steps: loss {report.loss:.4f}, lost features {report.lost.sum()}")

ax = open_axes()
for k, (label, part) in enumerate(
    zip(["loss", *names.values()], zip(*parts, strict=True), strict=True)
):
    style = {"color": BLACK, "lw": 2} if k == 0 else curve(k - 1)
    ax.plot(steps, [value if value > 0 else np.nan for value in part], label=label, **style)
finish(ax, "steps of training", LOSS, log="xy", title="n = 100, m = 10, α = 1")
plt.show()
