"""
Packings of lines against the best known ones
=============================================

How small can the largest overlap of n lines in R^m be? For many n and m nobody knows; tables hold
the best that was found. Here the search of this package, without any construction, beside them.

Run ``python examples/best_known_packings.py`` (two seconds). It stores nothing: it draws
studies/packings/best_known.json and studies/packings/best_known_sample.json, which ``python
studies/packings/best_known.py`` made, with and without the word sample.
"""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt

from theory.figures.style import GREY, curve, finish, open_axes

folder = Path(sys.argv[0]).resolve().parents[1] / "studies" / "packings"

# %%
# A cell is a pair n, m. Its excess is the largest overlap found less the best known one; below 1e-7
# the packing is the same, or a better one.
axes = open_axes()
for k, (name, label) in enumerate(
    (
        ("best_known", "all with m <= 8, n <= 30"),
        ("best_known_sample", "60 drawn from m <= 16, n <= 50"),
    )
):
    stored = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    cells = stored["results"]
    reached = sum(cell["excess"] < 1e-7 for cell in cells)
    print(
        f"{label}: {stored['seconds_per_cell']:g} s a cell, {reached} of {len(cells)} reached "
        f"({reached / len(cells):.0%}), worst {stored['worst_excess']:.1e}"
    )
    missed = [cell for cell in cells if cell["excess"] >= 1e-7]
    style = curve(k) | {"linestyle": ""}
    axes.plot([cell["n"] for cell in missed], [cell["excess"] for cell in missed],
              label=f"{label}:\n{reached} of {len(cells)} reached, others", **style)  # fmt: skip
axes.axhline(1e-7, color=GREY, lw=0.8)
axes.set_ylim(5e-8, 0.3)
finish(axes, "number of lines n", "largest overlap above the best known", log="y",
       place="upper left")  # fmt: skip
plt.show()
