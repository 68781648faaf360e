"""Reproductions of the published figures: our trained models beside the published points.

``reproduce("fig3")`` returns a ``Reproduction``, a table of differences and the figure; figures are
fig1, fig3, fig4, fig5, fig6 and fig7 (numbers of version 1 of arXiv 2505.10465). They are drawn
from the shipped measurements; with ``store=`` from models that are trained, or found, there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from empirical.comparisons.published import SOURCE, load_reference
from empirical.comparisons.shipped import is_shipped, load_measured, measure_grid
from empirical.progress import Report
from empirical.scaling_laws.exponent_fit import try_fit
from empirical.sweeps.result import SweepRow
from empirical.sweeps.workers import MOST_WORKERS
from theory.checks import check_integer
from theory.computing.argument_kinds import check_kinds
from theory.figures.style import BLACK, curve, finish, gradient, open_axes, open_row
from theory.results import result

_LISTED = 6  # curves up to which each is in the legend
_COLUMNS = ["panel", "recipe", "curve", "x", "ours", "published"]
Tables = dict[str, pd.DataFrame]


@dataclass(frozen=True, eq=False)
@result
class Panel:
    """One panel of a figure: its name, the quantity on y, the label of x, and its axes."""

    name: str
    quantity: str
    x: str
    logarithmic: str = ""  # which axes: "", "x", "y", "xy"


@dataclass(frozen=True, eq=False)
@result
class Reproduction:
    """Our measurements beside the published ones.

    Attributes
    ----------
    figure : str
        "fig1" … "fig7".
    panels : tuple of Panel
        Its panels, in order.
    table : DataFrame
        A row for each point: panel, recipe, curve, x, ours, published (NaN where there is none),
        difference (ours - published) and ratio (ours / published).
    missing : tuple of str
        Measurements that belong to it and are not shipped: their panels or points are left out.
    source : str
        Where the published points come from.
    """

    figure: str
    panels: tuple[Panel, ...]
    table: pd.DataFrame
    missing: tuple[str, ...] = ()
    source: str = SOURCE

    def to_dataframe(self) -> pd.DataFrame:
        """Return the table of differences."""
        return self.table.copy()

    def summary(self) -> pd.DataFrame:
        """Return, for each panel and recipe, the number of points and the differences."""
        rows = []
        for (panel, recipe), part in self.table.groupby(["panel", "recipe"], sort=False):
            both = part.dropna(subset=["ours", "published"])
            rows.append(
                {
                    "panel": panel,
                    "recipe": recipe,
                    "points": len(part),
                    "published": len(both),
                    "median_difference": both["difference"].median(),
                    "largest_difference": both["difference"].abs().max(),
                    "median_ratio": both["ratio"].median(),
                }
            )
        return pd.DataFrame(rows)

    def plot(self, ax: Any = None) -> Any:
        """Draw the panels: published points open, ours filled; return the axes.

        ``ax`` is one Axes for each panel; on a single one only the first panel is drawn.
        """
        axes = open_row(len(self.panels)) if ax is None else ax
        for panel, place in zip(self.panels, np.atleast_1d(axes), strict=False):
            _draw(panel, self.table, open_axes(place))
        return axes

    def __repr__(self) -> str:
        without = f"; without {', '.join(self.missing)} (not shipped)" if self.missing else ""
        return f"{self.figure}: {len(self.table)} points, {self.source}{without}"

    def _repr_html_(self) -> str:
        return str(self.summary().to_html(index=False))


def _draw(panel: Panel, table: pd.DataFrame, ax: Any) -> None:
    part = table[table["panel"] == panel.name]
    curves = list(dict.fromkeys(part["curve"]))
    several = len(curves) > _LISTED
    colours = gradient(len(curves)) if several else [curve(k)["color"] for k in range(len(curves))]
    styles = {"fast": ("o", "-"), "paper": ("s", ":")}
    for colour, name in zip(colours, curves, strict=True):
        points = part[part["curve"] == name]
        for recipe, ours in points.groupby("recipe", sort=False):
            marker, line = styles.get(str(recipe), ("^", "--"))
            ax.plot(ours["x"], ours["ours"], marker + line, ms=3, lw=0.8, color=colour)
        published = points.drop_duplicates("x")
        ax.plot(published["x"], published["published"], "o", mfc="none", ms=6, color=colour)
    for recipe, (marker, line) in styles.items():
        if (part["recipe"] == recipe).any():
            ax.plot([], [], marker + line, ms=3, color=BLACK, label=f"ours, {recipe} recipe")
    if part["published"].notna().any():
        ax.plot([], [], "o", mfc="none", ms=6, color=BLACK, label="published")
    shown = list(zip(colours, curves, strict=True))
    if several:  # those at the ends and in the middle: the others lie between
        shown = [shown[0], shown[len(shown) // 2], shown[-1]]
    for colour, name in shown:
        ax.plot([], [], "-", color=colour, label=name.replace("_", " "))
    finish(ax, panel.x, panel.quantity, log=panel.logarithmic, title=panel.name)


@check_kinds
def reproduce(
    figure: str,
    store: str | Path | None = None,
    *,
    workers: int | None = None,
    progress: bool | Report = False,
) -> Reproduction:
    """Set our measurements beside a published figure.

    Parameters
    ----------
    figure : str
        fig1 (loss against m, three frequency laws, n = 10240), fig3 (share of rows with norm above
        1/2), fig4 (exponents over alpha and weight decay), fig5 (weak superposition: trained loss
        against the frequencies that were lost), fig6 (strong superposition: rows with norm above 1,
        overlaps, exponents), fig7 (activation density).
    store : path, optional
        Folder of finished runs: models that it lacks are trained (hours for a whole figure).
        Without one, the shipped measurements are used.
    workers, progress
        As in ``sweep``, where a store is given.

    Returns
    -------
    Reproduction
        Table of differences, and the figure.

    Raises
    ------
    ValueError
        For an unknown figure, or one of which no measurement is shipped.

    Examples
    --------
    >>> table = reproduce("fig7").to_dataframe()
    >>> sorted(table["recipe"].unique())
    ['fast', 'paper']
    """
    if figure not in _FIGURES:
        raise ValueError(f"no figure {figure!r}: there are {', '.join(_FIGURES)}")
    if workers is not None:
        workers = check_integer("workers", workers, 1, MOST_WORKERS)
    names, panels, build = _FIGURES[figure]
    missing = () if store is not None else tuple(x for x in names if not is_shipped(x))
    if len(missing) == len(names):
        raise ValueError(f"{', '.join(names)} of {figure} are not shipped: make them, with a store")
    tables: Tables = {}
    for name in names:
        if name in missing:
            tables[name] = pd.DataFrame(columns=list(SweepRow.__annotations__))
        elif store is None:
            tables[name] = load_measured(name)
        else:
            tables[name] = measure_grid(name, store, workers, progress).to_dataframe()
    table = pd.DataFrame(build(tables), columns=_COLUMNS)
    table["difference"] = table["ours"] - table["published"]
    table["ratio"] = table["ours"] / table["published"]
    drawn = tuple(panel for panel in panels if (table["panel"] == panel.name).any())
    return Reproduction(figure, drawn, table, missing)


Rows = list[tuple[str, str, str, float, float, float]]


def _rows(table: pd.DataFrame) -> list[Any]:
    return list(table.itertuples())


def _near(table: pd.DataFrame, column: str, **place: float) -> float:
    """Return the published value at a place of the grid, NaN if there is none."""
    found = np.ones(len(table), dtype=bool)
    for name, value in place.items():
        found &= np.isclose(table[name].astype(float), value, rtol=1e-4, atol=1e-6)
    return float(table[column][found].iloc[0]) if found.any() else float("nan")


def _figure_1(tables: Tables) -> Rows:
    published = load_reference("fig1_toy_loss")
    laws = {"power_law": "power", "exponential:400": "exponential", "linear": "linear"}
    rows: Rows = []
    for row in _rows(pd.concat(tables.values())):
        law = laws[row.frequencies]
        theirs = published[published["distribution"] == law]
        kind = "strong" if row.weight_decay < 0 else "weak"
        value = _near(theirs, "loss", weight_decay=row.weight_decay, m=row.m)
        panel = f"1{'d' if kind == 'strong' else 'b'}: {kind}"
        rows.append((panel, row.recipe, law, row.m, row.loss, value))
    return rows


def _figure_3(tables: Tables) -> Rows:
    published = load_reference("fig3_phi")
    panel_a, panel_b = (published[published["panel"] == name] for name in "ab")
    grid = tables["grid"]
    rows: Rows = []
    for row in _rows(pd.concat([grid[grid["alpha"] == 1], tables["row_paper"]])):
        value = _near(panel_a, "phi_half", gamma=row.weight_decay, m=row.m)
        rows.append(
            ("3a: alpha = 1", row.recipe, f"m = {row.m}", row.weight_decay, row.phi_half, value)
        )
    for row in _rows(grid[grid["m"] == 39]):
        value = _near(panel_b, "phi_half", gamma=row.weight_decay, alpha=row.alpha)
        curve = f"weight_decay = {row.weight_decay:.2g}"
        rows.append(("3b: m = 39", row.recipe, curve, row.alpha, row.phi_half, value))
    return rows


def _cells(grid: pd.DataFrame) -> list[Any]:
    return list(grid.groupby(["weight_decay", "alpha"]))


def _exponent(losses: pd.DataFrame) -> float:
    fit = try_fit(losses["m"], losses["loss"])
    return float("nan") if fit is None else fit.value


def _figure_4(tables: Tables) -> Rows:
    published = load_reference("fig4_exponents")
    published = published[published["quantity"] == "alpha_m"]
    rows: Rows = []
    for (gamma, alpha), part in _cells(tables["grid"]):
        value = _near(published, "value", gamma=gamma, alpha=alpha)
        curve = f"weight_decay = {gamma:.2g}"
        rows.append(("4b: exponent alpha_m", "fast", curve, alpha, _exponent(part), value))
    return rows


def _figure_5(tables: Tables) -> Rows:
    """Weak superposition has no published points: trained loss beside what was lost."""
    rows: Rows = []
    grid = tables["grid"]
    for row in _rows(grid[grid["weight_decay"] > 0.5]):
        curve = f"weight_decay = {row.weight_decay:.2g}"
        nothing = float("nan")
        rows.append(
            ("5a: against lost rows", row.recipe, curve, row.lost_rows_loss, row.loss, nothing)
        )
        rows.append(
            ("5b: against lost ranks", row.recipe, curve, row.lost_ranks_loss, row.loss, nothing)
        )
    return rows


def _figure_6(tables: Tables) -> Rows:
    published = load_reference("fig6_strong")
    grid = tables["grid"]
    strong = grid[np.isclose(grid["weight_decay"], -1)]
    rows: Rows = []
    phi = published[published["quantity"] == "phi_1"]
    for row in _rows(strong):
        value = _near(phi, "value", alpha=row.alpha, m=row.m)
        curve = f"alpha = {row.alpha:g}"
        rows.append(("6c: rows with norm above 1", row.recipe, curve, row.m, row.phi_one, value))
    for bound in ("min", "max"):
        theirs = published[published["quantity"] == f"mean_square_overlap_{bound}_over_alpha"]
        for m, part in list[Any](strong.groupby("m")):
            ours = float(getattr(part["overlap_one"], bound)())
            value = _near(theirs, "value", m=m)
            curve = f"{bound} over alpha"
            rows.append(("6d: mean squared overlap", "fast", curve, m, ours, value))
    theirs = published[published["quantity"] == "alpha_m"]
    for (gamma, alpha), part in _cells(grid):
        value = _near(theirs, "value", gamma=gamma, alpha=alpha)
        if np.isfinite(value) and gamma < 0:
            curve = f"weight_decay = {gamma:.2g}"
            rows.append(("6e: exponent alpha_m", "fast", curve, alpha, _exponent(part), value))
    return rows


def _figure_7(tables: Tables) -> Rows:
    published = load_reference("fig7_density")
    panel_a, panel_b = (published[published["panel"] == name] for name in "ab")
    rows: Rows = []
    for row in _rows(tables["density"]):
        value = _near(panel_a, "loss", gamma=row.weight_decay, E=row.density)
        rows.append(
            (
                "7a: m = 63",
                row.recipe,
                f"weight_decay = {row.weight_decay:.2g}",
                row.density,
                row.loss,
                value,
            )
        )
    names = ("density_widths", "density_widths_paper", "seeds")
    widths = pd.concat([tables[name] for name in names]).drop_duplicates(
        ["recipe", "density", "m", "seed"]
    )
    means = widths.groupby(["recipe", "density", "m"])["loss"].mean().reset_index()  # over seeds
    for row in _rows(means):
        value = _near(panel_b, "loss", E=row.density, m=row.m)
        rows.append(
            (
                "7b: weight_decay = -0.56",
                row.recipe,
                f"density = {row.density:.3g}",
                row.m,
                row.loss,
                value,
            )
        )
    return rows


_FIGURES: dict[str, tuple[tuple[str, ...], tuple[Panel, ...], Callable[[Tables], Rows]]] = {
    "fig1": (
        ("large_power", "large_others", "large_power_weak", "large_others_weak"),
        (Panel("1b: weak", "loss", "width m", "xy"), Panel("1d: strong", "loss", "width m", "xy")),
        _figure_1,
    ),
    "fig3": (
        ("grid", "row_paper"),
        (
            Panel("3a: alpha = 1", "share of rows with norm > 1/2", "weight decay gamma"),
            Panel("3b: m = 39", "share of rows with norm > 1/2", "exponent alpha"),
        ),
        _figure_3,
    ),
    "fig4": (
        ("grid",),
        (Panel("4b: exponent alpha_m", "exponent alpha_m", "exponent alpha"),),
        _figure_4,
    ),
    "fig5": (
        ("grid",),
        (
            Panel("5a: against lost rows", "trained loss", "loss of the rows lost", "xy"),
            Panel("5b: against lost ranks", "trained loss", "loss of the ranks lost", "xy"),
        ),
        _figure_5,
    ),
    "fig6": (
        ("grid",),
        (
            Panel("6c: rows with norm above 1", "share of rows with norm > 1", "width m", "x"),
            Panel("6d: mean squared overlap", "mean squared overlap", "width m", "xy"),
            Panel("6e: exponent alpha_m", "exponent alpha_m", "exponent alpha"),
        ),
        _figure_6,
    ),
    "fig7": (
        ("density", "density_widths", "density_widths_paper", "seeds"),
        (
            Panel("7a: m = 63", "loss", "activation density E", "y"),
            Panel("7b: weight_decay = -0.56", "loss", "width m", "xy"),
        ),
        _figure_7,
    ),
}
