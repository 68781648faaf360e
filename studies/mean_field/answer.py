"""The picture of README: losses of trained models on the curves that the mean field predicts.

Run ``python studies/mean_field/answer.py`` (seconds): it draws stored results and prints how far
predictions are off; the picture is stored in docs/predicted_and_trained.png. Left, the loss over
the width for five frequency laws (studies/mean_field/exponent_map.json: n = 1000, trained by the
fast recipe, one seed). Right, all 42 cells of studies/mean_field/against_training.json, whose
settings were chosen before any result and whose models were trained to convergence.
"""

import json
from pathlib import Path

import matplotlib as mpl
import numpy as np

from theory.figures.loss_curve import interpolate_loss
from theory.figures.style import BLACK, BLUE, GREY, curve, finish, open_row

HERE = Path(__file__).parent
PICTURE = HERE.parents[1] / "docs" / "predicted_and_trained.png"
ALPHAS = (0.0, 0.5, 1.0, 1.5, 2.0)
# Points by which a label is moved up, where two curves end close to each other.
LABELS = {0.0: 2, 0.5: -9}
SIZES = {300: "o", 1000: "s", 3000: "^"}


def read(name):
    """Return a stored result."""
    return json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))


def column(rows, *names):
    """Return columns of a list of records."""
    return [np.array([row[name] for row in rows]) for name in names]


def draw_widths(ax, record):
    """Draw losses over the width; return the ratios trained/predicted."""
    ratios = []
    for k, alpha in enumerate(ALPHAS):
        predicted, trained = (
            [row for row in record[name] if row["alpha"] == alpha] for name in ("map", "trained")
        )
        color, marker = (curve(k)[name] for name in ("color", "marker"))
        m, loss = interpolate_loss(*column(predicted, "m", "loss", "exponent"))
        ax.plot(m, loss, color=color)
        ax.plot(*column(trained, "m", "loss"), marker, ms=5, color=color)
        ax.annotate(
            f"α = {alpha:g}", (m[-1], loss[-1]), xytext=(5, LABELS.get(alpha, -3)), color=color,
            textcoords="offset points", fontsize="small",
        )  # fmt: skip
        by_width = {row["m"]: row["loss"] for row in predicted}
        ratios += [row["loss"] / by_width[row["m"]] for row in trained]
    ax.plot([], [], color=GREY, label="predicted")
    ax.plot([], [], "o", ms=5, color=GREY, label="trained")
    ax.set_xlim(9, 260)
    title = r"n = 1000 features, frequencies $\propto 1/i^\alpha$"
    finish(ax, "width m", "loss L", log="xy", title=title)
    return np.array(ratios)


def draw_cells(ax, cells):
    """Draw predicted against trained losses; return the errors of the predictions."""
    for color, (n, marker) in zip((BLUE, "#d55e00", "#009e73"), SIZES.items(), strict=True):
        here = [cell for cell in cells if cell["n"] == n]
        ax.plot(
            *column(here, "predicted", "trained"), marker, ms=6, mfc="none", color=color,
            label=f"n = {n}",
        )  # fmt: skip
    ends = np.array([3e-5, 5.0])
    ax.plot(ends, ends, color=BLACK, lw=0.8, label="equal")
    predicted, trained = column(cells, "predicted", "trained")
    errors = np.abs(predicted / trained - 1)
    title = f"{len(cells)} settings fixed beforehand: {100 * np.median(errors):.1f} % off (median)"
    finish(ax, "predicted loss", "trained loss", log="xy", title=title)
    return errors


def main():
    mpl.use("Agg")
    left, right = open_row(2, (5.0, 4.0))
    ratios = draw_widths(left, read("exponent_map"))
    errors = draw_cells(right, read("against_training")["cells"])
    # An opaque background is read in light and in dark surroundings.
    left.figure.savefig(PICTURE, dpi=130, facecolor="white")
    for name, off in (("left", np.abs(ratios - 1)), ("right", errors)):
        middle, most, worst = (100 * np.quantile(off, q) for q in (0.5, 0.9, 1.0))
        print(f"{name}: {off.size} models, {middle:.1f} % off (median), "
              f"90 % within {most:.1f} %, all within {worst:.0f} %")  # fmt: skip


if __name__ == "__main__":
    main()
