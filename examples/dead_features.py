"""
Which features die at the start of training
===========================================

The published recipe draws biases from N(0, 1). A feature whose bias starts too low never answers;
rare features die more often.

Run ``python examples/dead_features.py`` (two seconds). It draws
studies/mean_field/dead_features.csv and studies/dead_features/against_training.json, which ``python
studies/mean_field/dead_features.py`` and ``python studies/dead_features/against_training.py`` made,
and stores nothing.
"""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from theory.figures.style import BLACK, finish, gradient, open_row

studies = Path(sys.argv[0]).resolve().parents[1] / "studies"
stored = studies / "dead_features" / "against_training.json"
models = json.loads(stored.read_text(encoding="utf-8"))["models"]
table = pd.read_csv(studies / "mean_field" / "dead_features.csv")

# %%
# Left, n = 1000, alpha = 1: the share that dies, by the bias at the start. The narrower the model,
# the more features interfere at the start, and the higher a bias must be. Right, the share of a
# whole model beside a reduced model of its training, from the biases at the start, without a fit.
left, right = open_row(2)
same = table[(table.n == 1000) & (table.alpha == 1) & (table.density == 1) & (table.rate == 0.01)]
same = same[np.isclose(same.weight_decay, -0.5556, atol=1e-3)]
same = same.assign(bias=np.floor(same.start / 0.2) * 0.2 + 0.1)
widths = [25, 39, 63, 100]  # narrower models would lose features however they start
for m, color in zip(widths, gradient(len(widths)), strict=True):
    by = same[same.m == m].groupby("bias")[["features", "dead"]].sum()
    by = by[by.features >= 8]
    left.plot(by.index, by.dead / by.features, "o-", ms=4, color=color, label=f"m = {m}")
finish(left, "bias at the start of training", "share of features that die")

for chosen, face in ((False, "#0072b2"), (True, "none")):
    here = [model for model in models if model["chosen"] == chosen]
    right.plot([x["predicted"] for x in here], [x["dead"] for x in here], "o", color="#0072b2",
               mfc=face, label="chosen before training" if chosen else "older models")  # fmt: skip
    off = sorted(abs(model["predicted"] - model["dead"]) for model in here)
    print(f"{'chosen' if chosen else 'older'}: {len(here)} models, off by {off[len(off) // 2]:.3f} "
          f"in the middle, {off[-1]:.3f} at most")  # fmt: skip
right.plot([0, 0.9], [0, 0.9], color=BLACK, lw=0.8)
finish(right, "share of dead features, predicted", "share of dead features, trained")
plt.show()
