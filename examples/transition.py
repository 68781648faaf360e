"""
Where loss falls as 1/m
=======================

Below the critical width some features are lost and the loss hardly falls; above it all are live
and the loss falls faster than 1/m.

Run ``python examples/transition.py`` (two seconds). It draws critical_width.json, over_alpha.json
and against_training.json of studies/transition, which the scripts of these names made, and stores
nothing; with the name of a file it draws there.
"""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt

from theory.figures.style import WIDTH, finish, gradient, open_row
from theory.regimes.large_deviations import critical_width

studies = Path(sys.argv[0]).resolve().parents[1] / "studies" / "transition"
critical = json.loads((studies / "critical_width.json").read_text(encoding="utf-8"))
losses = json.loads((studies / "against_training.json").read_text(encoding="utf-8"))["losses"]
solved = json.loads((studies / "over_alpha.json").read_text(encoding="utf-8"))["settings"]

# %%
# Left, even frequencies, n = 1000: dots are models trained until they converged, crosses models
# trained by the recipe "fast" only, lines the mean field, dotted verticals critical widths. Middle,
# the least width at which the mean field keeps every feature, and the law of large deviations
# (dashed), which it approaches. Right, the mean field of all n and E over the critical width: one
# curve below it, and above it where n is much larger than m.
left, middle, right = open_row(3)
densities = sorted({row["density"] for row in losses})
for density, color in zip(densities, gradient(len(densities)), strict=True):
    own = [row for row in losses if row["density"] == density]
    m = [row["m"] for row in own]
    left.plot(m, [row["predicted"] for row in own], color=color, label=f"E = {density:g}")
    for name, marker in (("trained", "o"), ("fast", "x")):
        dots = [row for row in own if row[name] and (name == "trained" or not row["trained"])]
        left.plot(
            [row["m"] for row in dots], [row[name] for row in dots], marker, ms=4, color=color
        )
    here = [row for row in critical["rows"] if row["n"] == 1000 and row["density"] == density]
    left.axvline(here[0]["critical"], color=color, lw=0.8, ls=":")
finish(left, WIDTH, "loss", log="xy")

sizes = sorted({row["n"] for row in critical["rows"]})
for n, color in zip(sizes, gradient(len(sizes)), strict=True):
    own = [row for row in critical["rows"] if row["n"] == n]
    E = [row["density"] for row in own]
    middle.plot(E, [row["critical"] for row in own], "o", ms=4, color=color, label=f"n = {n}")
    middle.plot(E, [critical_width(n, x) for x in E], "--", lw=1, color=color)
finish(middle, "active features E", "critical width", log="xy")

for n, color in zip(sizes, gradient(len(sizes)), strict=True):
    points = [
        (row["critical"], row["density"], one)
        for row in critical["rows"]
        if row["n"] == n
        for one in row["at"]
    ]
    points += [
        (row["critical"], row["density"], one)
        for row in solved
        if row["n"] == n and row["alpha"] == 0 and row["critical"] is not None
        for one in row["widths"]
    ]
    kept = [(m_c, E, one) for m_c, E, one in points if one["m"] <= min(4 * m_c, n / 30)]
    right.plot(
        [one["m"] / m_c for m_c, _, one in kept],
        [one["loss"] / (4 / 3 * E - E**2 / n) for _, E, one in kept],
        "o", ms=3, color=color, label=f"n = {n}",
    )  # fmt: skip
finish(right, "m over the critical width", "loss over that of learning nothing", log="xy")

law = critical["law"]
print(f"critical width: E^{law['density']:.2f} n^{law['n']:.2f} over all settings")
if len(sys.argv) > 1:
    left.figure.savefig(sys.argv[1], dpi=110, facecolor="white")
plt.show()
