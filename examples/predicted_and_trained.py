"""
Predicted and trained losses over five decades
==============================================

How far is the mean field from trained models? Forty-two settings were chosen before any result;
nothing is fitted.

Run ``python examples/predicted_and_trained.py`` (two seconds). It draws
studies/mean_field/against_training.json, which ``python studies/mean_field/against_training.py``
made, and stores nothing.
"""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from theory.figures.style import BLACK, add_color_bar, finish, open_row

studies = Path(sys.argv[0]).resolve().parents[1] / "studies" / "mean_field"
stored = json.loads((studies / "against_training.json").read_text(encoding="utf-8"))
cells = stored["cells"]
predicted, trained, m = (
    np.array([cell[name] for cell in cells]) for name in ("predicted", "trained", "m")
)
error = 100 * (predicted / trained - 1)
print(f"{error.size} models: {np.median(abs(error)):.1f} % off (median), {abs(error).max():.0f} % "
      "(worst)")  # fmt: skip

# %%
# Each point is a trained model: n = 300 to 3000 features, seven laws of frequency, several
# densities and widths. Left the losses themselves, right what is left of the difference.
left, right = open_row(2)
ends = np.array([0.7 * trained.min(), 1.4 * trained.max()])
left.plot(ends, ends, color=BLACK, lw=0.8, label="equal")
for n, marker in ((300, "o"), (1000, "s"), (3000, "^")):
    here = np.array([cell["n"] == n for cell in cells])
    for ax, y in ((left, trained), (right, error)):
        shown = ax.scatter(
            predicted[here], y[here], c=np.log10(m[here]), marker=marker, s=34, label=f"n = {n}",
            vmin=np.log10(m.min()), vmax=np.log10(m.max()), edgecolors="white", linewidths=0.4,
        )  # fmt: skip
right.axhline(0, color=BLACK, lw=0.8)
finish(left, "predicted loss", "trained loss", log="xy")
finish(right, "predicted loss", "error of the prediction in %", log="x", legend=False)
bar = add_color_bar(right, shown, "width m")
ticks = [5, 10, 20, 50, 100, 200]
ticks = [t for t in ticks if m.min() <= t <= m.max()]
bar.set_ticks(np.log10(ticks), labels=[str(t) for t in ticks])
plt.show()
