"""
Loss against width for five frequency laws
==========================================

The steeper the frequencies, the lower the loss of a width; trained models lie on the curves that
the mean field predicts.

Run ``python examples/loss_over_width.py`` (two seconds). It draws
studies/mean_field/exponent_map.json, which ``python studies/mean_field/exponent_map.py`` made, and
stores nothing.
"""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from theory.figures.loss_curve import interpolate_loss
from theory.figures.style import GREY, LOSS, WIDTH, curve, finish, open_axes

studies = Path(sys.argv[0]).resolve().parents[1] / "studies" / "mean_field"
stored = json.loads((studies / "exponent_map.json").read_text(encoding="utf-8"))


def column(rows, *names):
    """Return columns of a list of records."""
    return [np.array([row[name] for row in rows]) for name in names]


# %%
# n = 1000 features of frequency p_i ∝ 1/i^alpha, one active at a time on average. A curve goes
# through the predicted losses with the predicted local exponents as its slopes. The models were
# trained by the fast recipe, one seed each.
ax = open_axes()
for k, alpha in enumerate((0.0, 0.5, 1.0, 1.5, 2.0)):
    predicted, trained = (
        [row for row in stored[name] if row["alpha"] == alpha] for name in ("map", "trained")
    )
    style = curve(k)
    m, loss = interpolate_loss(*column(predicted, "m", "loss", "exponent"))
    ax.plot(m, loss, color=style["color"])
    ax.plot(*column(trained, "m", "loss"), style["marker"], color=style["color"],
            label=f"α = {alpha:g}")  # fmt: skip
    solved = {row["m"]: row["loss"] for row in predicted}
    ratio = [row["loss"] / solved[row["m"]] for row in trained]
    print(f"alpha = {alpha:g}: trained/predicted {min(ratio):.3f} to {max(ratio):.3f}")
ax.plot([], [], color=GREY, label="predicted")
finish(ax, WIDTH, LOSS, log="xy", place="lower left")
plt.show()
