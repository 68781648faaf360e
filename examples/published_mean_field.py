"""
The mean field beside published losses
======================================

The published models of strong superposition lost features early in training. How much of their loss
is that, and how close does the theory come with these features counted as lost?

Run ``python examples/published_mean_field.py`` (two seconds). It draws
studies/mean_field/published_losses.json, which ``python studies/mean_field/published_losses.py``
made, and stores nothing. The points are digitised from Figures 1d and 7b of arXiv 2505.10465.
"""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt

from theory.figures.style import LOSS, WIDTH, curve, finish, open_row

studies = Path(sys.argv[0]).resolve().parents[1] / "studies" / "mean_field"
stored = json.loads((studies / "published_losses.json").read_text(encoding="utf-8"))
print(f"within 20 %: {stored['within_20_percent']:.0%} of {len(stored['rows'])} losses")

# %%
# Dots are published losses. The full curve is the mean field plus the loss of features that die,
# the dashed one the mean field alone: what models without dead features would reach.
titles = {"1d": "Figure 1d, n = 10 240", "7b": "Figure 7b, n = 1000"}
for ax, (figure, title) in zip(open_row(2), titles.items(), strict=True):
    rows = [row for row in stored["rows"] if row["figure"] == figure]
    for k, name in enumerate(dict.fromkeys(row["frequencies"] for row in rows)):
        m, published, solved, predicted = (
            [row[key] for row in rows if row["frequencies"] == name]
            for key in ("m", "published", "mean_field", "predicted")
        )
        color, marker = curve(k)["color"], curve(k)["marker"]
        ax.plot(m, published, marker, color=color, label=name)
        ax.plot(m, predicted, color=color)
        ax.plot(m, solved, color=color, ls="--", lw=1)
    finish(ax, WIDTH, LOSS, log="xy", title=title, place="lower left")
plt.show()
