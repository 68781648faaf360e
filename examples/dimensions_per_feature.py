"""
Shares of a dimension, and the polytopes that have them
=======================================================

How many dimensions does a feature get, as features become sparse? Models of 400 equally important
features in 30 dimensions, and the shares 1, 1/2, 2/5, … of known arrangements.

Run ``python examples/dimensions_per_feature.py`` (seconds). It stores nothing: it draws
studies/ground_state/plateaus.json, which ``python studies/ground_state/plateaus.py`` made.
"""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt

from theory.figures.style import BLUE, GREY, SKY, finish, open_axes

studies = Path(sys.argv[0]).resolve().parents[1] / "studies"
path = studies / "ground_state" / "plateaus.json"
stored = json.loads(path.read_text(encoding="utf-8"))
rows = stored["rows"]
POLYTOPES = {
    "dedicated": 1,
    "tetrahedron 3/4": 3 / 4,
    "triangle 2/3": 2 / 3,
    "pair 1/2": 1 / 2,
    "pentagon 2/5": 2 / 5,
    "square antiprism 3/8": 3 / 8,
}

# %%
# m/Σ|W_i|², the dimensions per feature, and the largest shares D_i, as many as features have a norm
# above 1/2. Ground states of 400 features are out of reach: these models were trained, for 3000
# steps. The ratio stays near 1 for dense features, in a subspace that all share; at 1/2 the curve
# crosses without a clear plateau.
ax = open_axes()
for name, share in POLYTOPES.items():
    ax.axhline(share, color=GREY, lw=0.8, zorder=0)
    # The last two lie close to each other.
    below = name.startswith("square")
    ax.text(36, share, name, size=7, va="top" if below else "bottom", ha="right", color="0.35")
for row in rows:
    most = sorted(row["dimensionalities"], reverse=True)[: row["represented"]]
    x = row["inverse_density"]
    ax.plot([x] * len(most), most, "_", color=SKY, ms=9, alpha=0.4)
    print(
        f"1/p = {x:4.1f}: m/|W|² = {row['dimensions_per_feature']:.3f}, {row['represented']} "
        f"features represented, shares sum to {row['sum']:.2f} of {stored['m']}"
    )
inverse = [row["inverse_density"] for row in rows]
ax.plot(inverse, [row["dimensions_per_feature"] for row in rows], "o-", color=BLUE)
ax.plot([], [], "o-", color=BLUE, label=r"$m/|W|^2$ of a trained model")
ax.plot([], [], "_", color=SKY, ms=9, label="largest $D_i$ of its features")
ax.set_ylim(0, 1.3)
finish(ax, "inverse density 1/p", "dimensions of a feature", log="x", place="upper right")
plt.show()
