"""
Where loss falls as 1/m
=======================

Below the critical width some features are lost and the loss hardly falls; above it all are live
and the loss falls faster than 1/m.

Run ``python examples/transition.py`` (two seconds). It draws studies/transition/critical_width.json
and studies/transition/against_training.json, which ``python studies/transition/critical_width.py``
and ``python studies/transition/against_training.py`` made, and stores nothing.
"""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt

from theory.figures.style import WIDTH, finish, gradient, open_row

studies = Path(sys.argv[0]).resolve().parents[1] / "studies" / "transition"
critical = json.loads((studies / "critical_width.json").read_text(encoding="utf-8"))
losses = json.loads((studies / "against_training.json").read_text(encoding="utf-8"))["losses"]

# %%
# Left, even frequencies, n = 1000: dots are trained models, lines the mean field. Right, the least
# width at which the mean field keeps every feature: it grows with E more slowly than E itself.
left, right = open_row(2)
densities = sorted({row["density"] for row in losses})
for density, color in zip(densities, gradient(len(densities)), strict=True):
    own = [row for row in losses if row["density"] == density]
    m = [row["m"] for row in own]
    left.plot(m, [row["predicted"] for row in own], color=color, label=f"E = {density:g}")
    left.plot(m, [row["trained"] for row in own], "o", ms=4, color=color)
    here = [row for row in critical["rows"] if row["n"] == 1000 and row["density"] == density]
    left.axvline(here[0]["critical"], color=color, lw=0.8, ls=":")
finish(left, WIDTH, "loss", log="xy")

sizes = sorted({row["n"] for row in critical["rows"]})
for n, color in zip(sizes, gradient(len(sizes)), strict=True):
    own = [row for row in critical["rows"] if row["n"] == n]
    E = [row["density"] for row in own]
    right.plot(E, [row["critical"] for row in own], "o-", ms=4, color=color, label=f"n = {n}")
finish(right, "active features E", "critical width", log="xy")
law = critical["law"]
print(f"critical width: E^{law['density']:.2f} n^{law['n']:.2f} over all settings")
plt.show()
