"""
Which features are lost decides the weak loss
=============================================

With weight decay a model keeps some features and loses the rest; its loss is that of the lost ones.
Which ones? Three answers, each beside the loss of sixteen trained models.

Run ``python examples/weak_superposition.py`` (two seconds). It stores nothing: it draws
studies/training/weak_superposition.json, which ``python studies/training/weak_superposition.py``
made (models of the published recipe, n = 200, weight decay 0.5556).
"""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from theory.figures.style import BLACK, curve, finish, open_axes

studies = Path(sys.argv[0]).resolve().parents[1] / "studies"
stored = studies / "training" / "weak_superposition.json"
runs = json.loads(stored.read_text(encoding="utf-8"))["rows"]

# %%
# - rows: the features that this model lost, those with a norm below 1/2;
# - top m: all but the m most frequent, which can be predicted without training;
# - ranks: all but the φ n most frequent, where φ is the share of rows with a norm above 1/2 (the
#   published form).
#
# The biases start at N(0, 1), and a feature whose bias starts too low dies early, however frequent
# it is. A sum over ranks does not know which; the sum over rows does.
axes = open_axes(size=(5.5, 5))
measured = np.array([run["loss"] for run in runs])
for k, form in enumerate(("rows", "top_m", "ranks")):
    predicted = np.array([run[form] for run in runs])
    off = np.abs(measured / predicted - 1)
    print(f"{form:6s} off by {np.median(off):.3f} (median), {off.max():.3f} (worst)")
    style = curve(k) | {"linestyle": ""}
    axes.plot(predicted, measured, label=form.replace("_", " "), alpha=0.8, **style)
ends = [0.9 * measured.min(), 1.1 * measured.max()]
axes.plot(ends, ends, color=BLACK, lw=0.8)
finish(axes, "predicted loss", "trained loss", log="xy", legend_title="features taken as lost")
plt.show()
