"""
The exponent of the loss over frequency law and crowding
========================================================

How fast does the loss fall with width? It hangs on the law of the frequencies and on how many
features share a dimension; no single exponent holds.

Run ``python examples/exponents_over_alpha.py`` (two seconds). It draws
studies/mean_field/exponent_map.json, which ``python studies/mean_field/exponent_map.py`` made, and
stores nothing.
"""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from theory.figures.style import BLACK, add_color_bar, finish, open_row

studies = Path(sys.argv[0]).resolve().parents[1] / "studies" / "mean_field"
stored = json.loads((studies / "exponent_map.json").read_text(encoding="utf-8"))


def arrange(rows, name):
    """Return alphas, widths and a matrix of values, alpha by width."""
    alpha, m = (np.unique([row[key] for row in rows]) for key in ("alpha", "m"))
    values = {(row["alpha"], row["m"]): row[name] for row in rows}
    return alpha, m, np.array([[values[a, w] for w in m.tolist()] for a in alpha.tolist()])


# %%
# Left, the local exponent -d ln L/d ln m of the mean field, n = 1000. Right, slopes between
# neighbouring widths: those of the solution and those of trained models.
alpha, m, exponent = arrange(stored["map"], "exponent")
left, right = open_row(2)
left.grid(visible=False)
shown = left.pcolormesh(alpha, 1000 / m, exponent.T, shading="gouraud", cmap="viridis")
lines = left.contour(alpha, 1000 / m, exponent.T, levels=[0.5, 1.0, 2.0], colors="white",
                     linewidths=0.8)  # fmt: skip
left.clabel(lines, fmt="%g", fontsize="small")
finish(left, "α, frequencies $p_i ∝ i^{-α}$", "features per dimension n/m", log="y")
add_color_bar(left, shown, "local exponent")

_, solved_at, solved = arrange(stored["map"], "loss")
_, trained_at, trained = arrange(stored["trained"], "loss")
slopes = [
    -np.diff(np.log(loss), axis=1) / np.diff(np.log(at))
    for loss, at in ((solved[:, : trained_at.size], trained_at), (trained, trained_at))
]
middle = np.sqrt(trained_at[1:] * trained_at[:-1])
points = right.scatter(*[s.ravel() for s in slopes], s=30, cmap="viridis_r",
                       c=np.broadcast_to(1000 / middle, slopes[0].shape).ravel())  # fmt: skip
ends = [0, 1.05 * slopes[0].max()]
right.plot(ends, ends, color=BLACK, lw=0.8, label="equal")
finish(right, "exponent, mean field", "exponent, trained models")
add_color_bar(right, points, "features per dimension n/m")
off = np.abs(slopes[1] - slopes[0])
print(f"{off.size} slopes of trained models: {np.median(off):.3f} off (median), {off.max():.2f} "
      "(worst)")  # fmt: skip
plt.show()
