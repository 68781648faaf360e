"""The figure of a comparison: measured points on the predicted curves; ``draw_comparison``.

Where one curve is compared, colors tell theories apart. Where there are several, color and marker
tell the curves apart and the line the theory; curves named by a number, as "weight_decay = 0.5",
take their colors from a color bar if there are more than four.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from theory.estimate import Estimate, LineStyle
from theory.figures.loss_curve import POINTS, interpolate_loss
from theory.figures.style import (
    BLACK,
    COLOR_MAP,
    DENSITY,
    LOSS,
    VERMILION,
    WIDTH,
    add_color_bar,
    curve,
    finish,
    open_axes,
)
from theory.prediction import draw_slope, draw_theory
from theory.registry import line_styles

if TYPE_CHECKING:
    from empirical.comparisons.comparison import Comparison

_X = {"m": WIDTH, "density": DENSITY, "alpha": "exponent alpha of the frequencies"}
_Y = {
    "loss": LOSS,
    "exponent": "exponent alpha_m = −d ln L/d ln m",
    "mean_square_overlap": "mean squared overlap",
    "phi_one": "share of rows with norm above 1",
}
_LISTED = 4  # curves up to which a legend lists numbers; beyond, a color bar shows them


@dataclass(frozen=True)
class _Series:
    """How one curve is told apart."""

    name: str
    color: Any
    marker: str


def draw_comparison(comparison: Comparison, ax: Any = None) -> Any:
    """Draw measured points with error bars and predicted curves; return the axes.

    Losses over m are drawn between the widths by losses and local exponents, and the curve of a
    theory that was checked against trained models has a band of the error that 90 % of those checks
    did not exceed. Exponents that come without a loss are thin lines through the middle of the
    measured points.
    """
    ax = open_axes(ax)
    frame = comparison.to_dataframe()
    series, numbers = _tell_apart(comparison.curves)
    if len(series) == 1:
        _draw_single(comparison, frame, ax)
    else:
        _draw_several(comparison, frame, series, ax, listed=numbers is None)
    if numbers is not None:
        import matplotlib as mpl

        label, values = numbers
        scale = mpl.colors.Normalize(min(values), max(values))
        add_color_bar(ax, mpl.cm.ScalarMappable(scale, COLOR_MAP), label)
    log = "x" * (comparison.x == "m") + "y" * (comparison.quantity != "exponent")
    finish(ax, _X[comparison.x], _Y[comparison.quantity], log=log, title=_title(comparison))
    return ax


def _title(comparison: Comparison) -> str:
    made = comparison.settings.get("frequencies", {})
    if made:
        shown = ", ".join(f"{name} = {value}" for name, value in made.items() if name != "law")
        return f"{made['law'].replace('_', ' ')}: {shown}"
    figure = comparison.settings.get("figure")
    return f"arXiv 2505.10465, figure {figure}" if figure else ""


def _tell_apart(names: tuple[str, ...]) -> tuple[list[_Series], tuple[str, list[float]] | None]:
    """Return a color and a marker for each curve, and the numbers of a color bar, if any."""
    parts = [name.partition(" = ") for name in names]
    try:
        values = [float(part[2]) for part in parts]
    except ValueError:
        values = []
    if len(names) > _LISTED and values and len({part[0] for part in parts}) == 1:
        import matplotlib as mpl

        low, high = min(values), max(values)
        colors = [mpl.colormaps[COLOR_MAP]((x - low) / (high - low)) for x in values]
        label = parts[0][0].replace("_", " ")
        series = [_Series(name, color, "o") for name, color in zip(names, colors, strict=True)]
        return series, (label, values)
    styles = [curve(k) for k in range(len(names))]
    return [
        _Series(name, style["color"], style["marker"])
        for name, style in zip(names, styles, strict=True)
    ], None


def _measured(ax: Any, part: pd.DataFrame, x: str, **options: Any) -> None:
    error = part["stderr"].to_numpy() if part["stderr"].notna().any() else None
    ax.errorbar(part[x], part["measured"], error, ms=5, capsize=2, ls="", zorder=5, **options)


def _draw_single(comparison: Comparison, frame: pd.DataFrame, ax: Any) -> None:
    part = frame.sort_values(comparison.x)
    (name,) = comparison.curves
    prediction = comparison.predictions.get(name)
    for theory, style in line_styles(comparison.theories).items():
        if prediction is not None and theory in prediction.estimates:
            draw_theory(ax, prediction.records[theory], prediction.m, prediction[theory])
        else:
            ax.plot(part[comparison.x], part[theory], label=style.label, **style.options())
    _measured(ax, part, comparison.x, fmt="o", color=VERMILION, label=_label(comparison))
    if prediction is not None and comparison.quantity == "loss":
        for theory, estimate in prediction.estimates.items():
            if not estimate.has_loss and (part["measured"] > 0).sum() > 1:
                draw_slope(
                    ax, prediction.records[theory], estimate,
                    part["m"].to_numpy(), part["measured"].to_numpy(dtype=float),
                )  # fmt: skip


def _label(comparison: Comparison) -> str:
    seeds = {len(row.seeds) for row in comparison.rows}
    if comparison.runs:
        count = max(seeds)
        return f"trained, {count} seeds" if count > 1 else "trained"
    return "published"


def _draw_several(
    comparison: Comparison, frame: pd.DataFrame, series: list[_Series], ax: Any, listed: bool
) -> None:
    styles = line_styles(comparison.theories)
    common = {name for name in styles if _is_the_same_for_all(comparison, frame, name)}
    for name in (name for name in styles if name in common):
        whole = frame.dropna(subset=[name]).drop_duplicates(comparison.x).sort_values(comparison.x)
        ax.plot(whole[comparison.x], whole[name], label=styles[name].label,
                **styles[name].options())  # fmt: skip
    for one in series:
        part = frame[frame["curve"] == one.name].sort_values(comparison.x)
        prediction = comparison.predictions.get(one.name)
        for name, style in styles.items():
            if name in common or part[name].isna().all():
                continue
            if prediction is not None and name in prediction.estimates:
                _draw_curve(ax, prediction.m, prediction[name], style, one.color)
            else:
                ax.plot(part[comparison.x], part[name], **style.options(one.color), lw=1.2)
        label = one.name.replace("_", " ") if listed else None
        _measured(ax, part, comparison.x, fmt=one.marker, color=one.color, label=label)
    for name, style in styles.items():
        if name not in common:
            ax.plot([], [], label=style.label, **style.options(BLACK))
    if not listed:
        ax.plot([], [], "o", color=BLACK, label=_label(comparison))


def _draw_curve(ax: Any, m: Any, estimate: Estimate, style: LineStyle, color: Any) -> None:
    shown = interpolate_loss(m, estimate.loss, estimate.exponent)
    ax.plot(*shown, lw=1.2, markevery=POINTS, **style.options(color))


def _is_the_same_for_all(comparison: Comparison, frame: pd.DataFrame, name: str) -> bool:
    """Tell whether a theory says the same of each x, whatever the curve."""
    if comparison.quantity == "loss" and comparison.x == "m" and comparison.predictions:
        return False
    spread = frame.groupby(comparison.x)[name].agg(np.ptp)
    repeated = frame.groupby(comparison.x)[name].count().max() > 1
    return bool(repeated and (spread.dropna() <= 1e-9 * frame[name].abs().max()).all())
