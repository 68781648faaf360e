"""
What better training changes in the published figures
=====================================================

The published recipe loses features early in training. A recipe that loses none changes losses and
exponents of the published figures; which, and what does it confirm?

Run ``python examples/better_training.py`` (two seconds). It reads the measurements that come with
the package (models of the published recipe and of the fast one) and the published points of arXiv
2505.10465. It trains nothing, prints tables, draws the first, and stores nothing.
"""

import matplotlib.pyplot as plt
import numpy as np

import superscale as ss
from theory.figures.style import BLACK, LOSS, WIDTH, curve, finish, open_row


def slope(table):
    """Minus the log-log slope of loss against m."""
    return ss.scaling_laws.fit_exponent(table["m"], table["loss"]).value


def figure_7b():
    published = ss.published.load_reference("fig7_density")
    published = published[(published["panel"] == "b") & (published["E"] == 1)].set_index("m")[
        "loss"
    ]
    seeds = ss.published.load_measured("seeds")
    seeds["dead"] = seeds["dead_loss"] / seeds["loss"]
    by = seeds.groupby(["recipe", "m"])
    mean, spread = by["loss"].mean().unstack(0), by["loss"].std().unstack(0)
    table = mean.assign(
        published=published,
        paper_over_published=mean["paper"] / published,
        seeds_spread=spread["paper"] / mean["paper"],
        fast_over_paper=mean["fast"] / mean["paper"],
        dead_in_paper=by["dead"].mean().unstack(0)["paper"],
        dead_in_fast=by["dead"].mean().unstack(0)["fast"],
    )
    print("Loss against m (alpha = 1, density = 1, weight decay -0.556), means over 4 seeds:")
    print(table.round(3).to_string())
    each = {
        recipe: [slope(part) for _, part in rows.groupby("seed")]
        for recipe, rows in seeds.groupby("recipe")
    }
    for recipe, values in each.items():
        of_means = ss.scaling_laws.fit_exponent(mean.index, mean[recipe]).value
        print(
            f"exponent, {recipe} recipe: {of_means:.3f} "
            f"(by seed {np.min(values):.3f} … {np.max(values):.3f})"
        )
    points = published.reset_index()
    print(f"exponent, published points: {slope(points):.3f}")
    return table, seeds


def strong_exponents():
    table = ss.published.reproduce("fig4").to_dataframe()
    table["weight_decay"] = table["curve"].str.split("= ").str[1].astype(float)
    print("\nExponent of loss against m, fast recipe beside the published one (read from colours):")
    for side, part in (
        ("weight decay < 0", table["weight_decay"] < 0),
        ("weight decay > 0", table["weight_decay"] > 0),
    ):
        rows = table[part].groupby("x")[["ours", "published", "difference"]].median()
        print(f"medians over {side}")
        print(rows.rename_axis("alpha").round(3).to_string())


def representation():
    result = ss.published.reproduce("fig3").to_dataframe().dropna(subset=["published"])
    print("\nShare of rows with norm above 1/2, ours less the published:")
    for (panel, recipe), part in result.groupby(["panel", "recipe"]):
        far = part["difference"].abs()
        print(
            f"{panel}, {recipe}: median {part['difference'].median():+.3f}, "
            f"{(far < 0.05).mean():.0%} of {len(part)} points within 0.05, largest {far.max():.2f}"
        )
    far = result[(result["recipe"] == "fast") & (result["panel"].str.startswith("3a"))]
    far = far[far["difference"].abs() > 0.05]
    print(f"3a: those further off lie at weight decay {far['x'].min():.2f} … {far['x'].max():.2f}")
    grid = ss.published.load_measured("grid")
    steep = grid[(grid["alpha"] == 2) & np.isclose(grid["weight_decay"], -1)].set_index("m")["loss"]
    print("\nLoss at alpha = 2, weight decay -1, by m:", steep.round(4).to_dict())
    print("\nDead features (share of all, fast recipe), by m at weight decay < 0 and > 0:")
    table = grid.assign(side=np.where(grid["weight_decay"] < 0, "below 0", "above 0"))
    print(table.groupby(["side", "m"])["dead_fraction"].mean().unstack().round(3).to_string())


def row_by_the_published_recipe():
    row = ss.published.load_measured("row_paper")
    table = ss.published.reproduce("fig4").to_dataframe()
    table = table[table["x"] == 1].assign(weight_decay=sorted(row["weight_decay"].unique()))
    table["paper"] = [slope(part) for _, part in row.groupby("weight_decay")]
    table = table.rename(columns={"ours": "fast"})[["weight_decay", "published", "paper", "fast"]]
    print("\nExponent of loss against m at alpha = 1, by weight decay and recipe:")
    print(table.round(2).to_string(index=False))


def large_models():
    table = ss.published.reproduce("fig1").to_dataframe().rename(columns={"x": "m"})
    print("\nLoss at n = 10240, strong superposition, fast recipe beside the published one:")
    print(table[["curve", "m", "ours", "published", "ratio"]].round(4).to_string(index=False))
    print("exponents from m = 32:")
    for law, part in table[table["m"] >= 32].groupby("curve", sort=False):
        values = [
            ss.scaling_laws.fit_exponent(part["m"], part[name]).value
            for name in ("ours", "published")
        ]
        print(f"{law}: {values[0]:.2f}, published {values[1]:.2f}")


def draw(table, seeds):
    """Draw loss against width, and the share of it at dead features."""
    left, right = open_row(2)
    left.plot(table.index, table["published"], "x", color=BLACK, ms=8, label="published")
    for k, recipe in enumerate(("paper", "fast")):
        rows = seeds[seeds["recipe"] == recipe].groupby("m")
        label = {"paper": "published recipe", "fast": "fast recipe"}[recipe]
        for ax, column in ((left, "loss"), (right, "dead")):
            mean, spread = rows[column].mean(), rows[column].std()
            ax.errorbar(mean.index, mean, spread, capsize=3, label=label, **curve(k))
    finish(left, WIDTH, LOSS, log="xy", title="Figure 7b: n = 1000, α = 1, E = 1")
    finish(right, WIDTH, "share of the loss at dead features", log="x")
    plt.show()


def main():
    first = figure_7b()
    row_by_the_published_recipe()
    strong_exponents()
    representation()
    large_models()
    draw(*first)


if __name__ == "__main__":
    main()
