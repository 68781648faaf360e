"""
Where weak superposition ends: weight decay against frequency law
=================================================================

A grid of trained models over the exponent of the frequencies and weight decay: how many features a
model represents, and how fast its loss falls with width.

Run ``python examples/sweep_phases.py`` (two seconds). It trains nothing and stores nothing: it
reads the grid of models that comes with the package, which ``superscale reproduce grid`` trains.
"""

import matplotlib.pyplot as plt

import superscale as ss
from theory.figures.style import add_color_bar, finish, open_row

grid = ss.published.load_measured("grid")
m = 40
at = min(grid["m"].unique(), key=lambda width: abs(width - m))

# %%
# Left, the share of features with a row longer than 1/2, at one width. With weight decay above 0 a
# model keeps about m features (weak superposition), below 0 all (strong). Right, the exponent of
# loss against width. ``SweepResult.plot_phase`` draws such maps of a sweep of your own.
left, right = open_row(2)
shares = grid[grid["m"] == at].pivot_table(index="weight_decay", columns="alpha", values="phi_half")
exponents = grid.groupby(["weight_decay", "alpha"])[["m", "loss"]].apply(
    lambda part: ss.scaling_laws.fit_exponent(part["m"], part["loss"]).value
)
for ax, table, label in (
    (left, shares, f"share of features represented at m = {at}"),
    (right, exponents.unstack(), "exponent of loss against width"),
):
    ax.grid(visible=False)
    shown = ax.pcolormesh(table.columns, table.index, table.to_numpy(), shading="nearest")
    add_color_bar(ax, shown, label)
    finish(ax, "exponent α of the frequencies", "weight decay")
for name, part in (("below 0", grid["weight_decay"] < 0), ("above 0", grid["weight_decay"] > 0)):
    share = grid[part & (grid["m"] == at)]["phi_half"]
    print(
        f"weight decay {name}: {share.min():.3f} to {share.max():.3f} of the features at m = {at}"
    )
plt.show()
