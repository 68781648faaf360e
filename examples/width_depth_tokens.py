"""
Loss over width, depth and tokens, and the best shape
=====================================================

A sum of power laws, one for each axis, fitted to losses of models of many shapes; and the shape of
least loss for a budget of compute.

Run ``python examples/width_depth_tokens.py`` (two seconds). It stores nothing. The table is the one
that ``superscale example shapes.csv`` writes: made from a known law with noise of 0.5 %.
"""

import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import superscale as ss
from empirical.example_files import EXAMPLES
from theory.figures.style import curve, finish, open_row

table = pd.read_csv(io.BytesIO(EXAMPLES["shapes.csv"].make()))
fit = ss.scaling_laws.fit_axes(table, ["d_model", "n_layers", "num_tokens"])
print(fit)

# %%
# Left, what each axis adds to the loss. Right, how the best width and depth grow with compute, and
# their 95 % intervals by resampling.
left, right = open_row(2)
fit.plot(left)
budgets = np.geomspace(1e19, 1e23, 5)
plans = [ss.scaling_laws.plan_shape(fit, compute=C, samples=40) for C in budgets]
for k, (name, label) in enumerate((("width", "width m"), ("depth", "layers"))):
    right.fill_between(
        budgets,
        [plan.intervals[name].low for plan in plans],
        [plan.intervals[name].high for plan in plans],
        color=curve(k)["color"],
        alpha=0.2,
    )
    right.plot(budgets, [getattr(plan, name) for plan in plans], label=label, **curve(k))
print(plans[2])
finish(right, "compute C in FLOP", "best width and depth", log="xy")
plt.show()
