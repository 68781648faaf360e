"""Which solved models agree with given losses: frequencies, density and size, with scale and floor.

``fit_solved_model(m, loss, n=…, alpha=…, density=…)`` computes the predicted curve of every
combination, fits a scale and a floor to each, and says which combinations the losses admit. With
``groups=`` several curves share the scale and have a floor each. For a power law in m alone take
``fit_power_law``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import RegularGridInterpolator
from scipy.optimize import nnls
from scipy.stats import f as f_law

from empirical.scaling_laws.loss_points import LossPoints, read_points
from empirical.scaling_laws.profile_likelihood import Interval, check_level
from theory.checks import check_choice, check_finite, check_integer, check_numbers, check_real
from theory.computing.argument_kinds import check_kinds
from theory.frequencies import Frequencies
from theory.registry import THEORIES, predict
from theory.results import result, short_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

_NAMES = ("n", "alpha", "density")
# Smallest loss and density: squares of ratios of losses stay in the range of floats.
_LEAST = 1e-100
# Residuals below this share of the losses are rounding, and every other candidate is excluded.
_EXACT = 1e-12
# Parts of a step between two tried values, and the most combinations of interpolated curves.
_PARTS, _MOST = 24, 200_000


@dataclass(frozen=True, eq=False)
@result
class SolvedModelFit:
    """Combinations of n, alpha and E beside given losses.

    Attributes
    ----------
    theory : str
        Theory that the curves come from.
    best : mapping
        n, alpha, density, scale and floor of the combination with the smallest residuals; with
        several groups ``floor`` is the mean over them.
    floors : mapping
        The floor of each group in that combination.
    table : DataFrame
        A row for each combination: n, alpha, density, scale, floor, rss (sum of squared relative
        residuals), compatible.
    intervals : mapping
        Profile interval of each parameter of which several values were tried: where the smallest
        sum of squares over the others crosses the limit. Between tried values the logarithm of
        the curve is interpolated over alpha and the logarithms of n and density. An end is open
        where it is the end of what was tried.
    notes : tuple of str
        What the losses cannot say, and what was left out.
    m, loss : ndarray
        The data, sorted by group.
    groups : tuple of str
        The group of each point.
    """

    theory: str
    best: Mapping[str, float]
    floors: Mapping[str, float]
    table: pd.DataFrame
    intervals: Mapping[str, Interval]
    notes: tuple[str, ...]
    m: Array
    loss: Array
    groups: tuple[str, ...]
    curves: Array = field(repr=False)

    def to_dataframe(self) -> pd.DataFrame:
        """Return the table, the smallest residuals first."""
        return self.table.sort_values("rss", kind="stable").reset_index(drop=True)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the losses above their floors, and the curves of all compatible combinations."""
        from theory.figures.style import BLACK, BLUE, GREY, WIDTH, finish, open_axes

        ax = open_axes(ax)
        order = np.argsort(self.m)
        fits = self.table["scale"].to_numpy()[:, None] * self.curves
        for k in np.flatnonzero(self.table["compatible"]):
            ax.plot(self.m[order], fits[k, order], color=GREY, lw=0.8)
        lowest = int(self.table["rss"].argmin())
        label = ", ".join(f"{name} = {self.best[name]:g}" for name in _NAMES)
        ax.plot(self.m[order], fits[lowest, order], color=BLUE, label=label)
        above = self.loss - np.array([self.floors[name] for name in self.groups])
        ax.plot(self.m[above > 0], above[above > 0], "o", color=BLACK, ms=4, label="losses")
        finish(ax, WIDTH, "loss above the floor", log="xy")
        return ax

    def __str__(self) -> str:
        shown = self.to_dataframe().drop(columns="compatible")
        lines = [f"{name} {self.intervals[name]}" for name in self.intervals]
        lines += [f"note: {text}" for text in self.notes]
        return "\n".join([short_table(shown, rows=6, float_format=lambda x: f"{x:.4g}"), *lines])


@check_kinds
def fit_solved_model(
    m: ArrayLike,
    loss: ArrayLike,
    *,
    n: ArrayLike,
    alpha: ArrayLike,
    density: ArrayLike = 1.0,
    groups: Iterable[Any] | None = None,
    theory: str = "mean_field",
    floor: bool = True,
    level: float = 0.95,
    progress: Callable[[int, int], None] | None = None,
) -> SolvedModelFit:
    """Say which n, alpha and E of a solved model agree with losses, up to a scale and a floor.

    For each combination of power-law frequencies the theory gives a curve L(m), and
    scale L(m) + floor is fitted by least squares of the relative residuals; the scale is positive
    and the floor not negative. A combination is compatible if its sum of squares is at most
    (1 + q F/dof) times the smallest, F the quantile of F(q, dof) and q the number of parameters
    of which several values are tried.

    Parameters
    ----------
    m, loss : array_like, shape (k,)
        Widths and losses, k at least 4.
    n, alpha, density : array_like
        Values to try: number of features, exponent, E.
    groups : iterable, optional
        A name for each point: the points of one group share a floor (a data set, a family of
        models). All groups share the scale, as C in ``fit_power_law``.
    theory : str
        Theory of ``predict``; the mean field takes some seconds a combination and width.
    floor : bool
        Whether there is a floor.
    level : float
        Nominal coverage.
    progress : callable, optional
        Called with the number of combinations done, and of all.

    Returns
    -------
    SolvedModelFit
        The combinations, and what the losses say.

    Raises
    ------
    ValueError
        For too few widths, losses that are not positive, or if no combination can be computed.

    Examples
    --------
    >>> from theory.registry import predict
    >>> m = np.array([4, 8, 16, 32, 64])
    >>> truth = predict(Frequencies.power_law(200, 1.5), m, theory="weak").loss["weak"]
    >>> fit = fit_solved_model(m, 3 * truth + 0.5, n=[100, 200], alpha=[1, 1.5, 2], theory="weak")
    >>> [fit.best[name] for name in ("n", "alpha")], round(fit.best["scale"], 6)
    ([200.0, 1.5], 3.0)
    """
    level = check_level(level)
    points = read_points(m, loss, groups)
    if points.loss.min() < _LEAST:
        raise ValueError(f"loss contains {points.loss.min():g}: give losses above {_LEAST:g}")
    check_choice("theory", theory, [one.name for one in THEORIES])
    if np.unique(points.m).size < 4:
        raise ValueError(f"m takes {np.unique(points.m).size} values: give four widths or more")
    values = {
        "n": [float(check_integer("n", x, 2)) for x in _listed("n", n)],
        "alpha": [check_real("alpha", x, 0) for x in _listed("alpha", alpha)],
        "density": [check_real("density", x, _LEAST) for x in _listed("density", density)],
    }
    rows, curves, refused = [], [], []
    combinations = list(itertools.product(*values.values()))
    distinct = np.unique(points.m)
    for done, (size, exponent, active) in enumerate(combinations, 1):
        try:
            words = Frequencies.power_law(int(size), exponent, active)
            told = predict(words, distinct, theory=theory)
        except ValueError as error:
            refused.append(f"n = {size:g}, alpha = {exponent:g}, E = {active:g}: {error}")
            continue
        curve = np.asarray(told.loss[theory], dtype=np.float64)[np.searchsorted(distinct, points.m)]
        if not (np.isfinite(curve).all() and curve.max() > 0):
            refused.append(f"n = {size:g}, alpha = {exponent:g}, E = {active:g}: no loss")
            continue
        rows.append(
            {"n": size, "alpha": exponent, "density": active, **_fit_scale(curve, points, floor)}
        )
        curves.append(curve)
        if progress is not None:
            progress(done, len(combinations))
    if not rows:
        raise ValueError(f"no combination can be computed; the first: {refused[0]}")
    table = pd.DataFrame(rows)
    floors = table.pop("floors")
    varied = [name for name in _NAMES if table[name].nunique() > 1]
    dof = points.size - 1 - (len(points.groups) if floor else 0) - len(varied)
    if dof < 1:
        raise ValueError(
            f"{points.size} losses cannot tell {len(varied)} parameters, a scale and "
            f"{len(points.groups) if floor else 0} floors: give more widths, or try one value of "
            "some"
        )
    between = _interpolate(table, np.array(curves), points, floor)
    least = max(float(between["rss"].min()), _EXACT * points.size)
    q = max(len(varied), 1)
    limit = least * (1 + q * float(f_law.ppf(level, q, dof)) / dof)
    table["compatible"] = table["rss"] <= limit
    lowest = int(np.argmin(table["rss"]))
    best = table.iloc[lowest]
    return SolvedModelFit(
        theory,
        {str(name): float(best[name]) for name in [*_NAMES, "scale", "floor"]},
        dict(zip(points.groups, floors.iloc[lowest], strict=True)),
        table,
        {name: _profile(between, name, limit, level) for name in varied},
        tuple(_describe(table, varied, refused, dof)),
        points.m,
        points.loss,
        tuple(points.groups[k] for k in points.index),
        np.array(curves),
    )


def _listed(name: str, values: ArrayLike) -> list[float]:
    """Return the values of a parameter to try."""
    numbers: list[float] = check_finite(name, np.atleast_1d(check_numbers(name, values))).tolist()
    return numbers


def _fit_scale(curve: Array, points: LossPoints, floor: bool) -> dict[str, Any]:
    """Return scale, floors and sum of squares of the relative residuals, none below 0."""
    columns = [curve / points.loss]
    if floor:
        columns += [(points.index == k) / points.loss for k in range(len(points.groups))]
    found, residual = nnls(np.stack(columns, axis=1), np.ones(points.size))
    floors = [float(x) for x in found[1:]] if floor else [0.0] * len(points.groups)
    return {
        "scale": float(found[0]),
        "floor": float(np.mean(floors)),
        "rss": float(residual**2),
        "floors": floors,
    }


def sum_squares(curves: Array, points: LossPoints, floor: bool) -> Array:
    """Return the sum of squares of each curve, shape (c, k): the floors are eliminated first.

    Examples
    --------
    >>> points = read_points([1, 2, 3, 4], [4.0, 3.0, 2.5, 2.0])
    >>> sum_squares(np.array([[1, 0.5, 1 / 3, 0.25]]), points, floor=False).round(4)
    array([0.3161])
    """
    x, one = curves / points.loss, np.ones(points.size)
    x /= np.abs(x).max(axis=1, keepdims=True)  # the scale is free
    freed, target = x.copy(), one.copy()
    if floor:
        for k in range(len(points.groups)):
            column = (points.index == k) / points.loss
            column /= np.linalg.norm(column)
            freed -= np.outer(freed @ column, column)
            target -= (target @ column) * column
    scale = (freed @ target) / np.sum(freed**2, axis=1)
    rss: Array = np.sum((scale[:, None] * freed - target) ** 2, axis=1)
    wrong = ~(scale > 0)
    if floor:
        for k in range(len(points.groups)):
            inside = points.index == k
            # The best floor given the scale has the sign of this sum.
            left = (1 - scale[:, None] * x[:, inside]) @ (1 / points.loss[inside])
            wrong |= left < 0
    for c in np.flatnonzero(wrong):
        rss[c] = _fit_scale(curves[c], points, floor)["rss"]
    return rss


def _interpolate(
    table: pd.DataFrame, curves: Array, points: LossPoints, floor: bool
) -> pd.DataFrame:
    """Return parameters and sum of squares of curves between those that were tried."""
    tried = {name: np.sort(table[name].unique()) for name in _NAMES}
    shape = tuple(len(x) for x in tried.values())
    known = np.full((*shape, points.size), np.nan)
    places = tuple(np.searchsorted(tried[name], table[name]) for name in _NAMES)
    with np.errstate(divide="ignore"):
        known[places] = np.log(curves)
    varied = [k for k, size in enumerate(shape) if size > 1]
    if not varied:
        return table[[*_NAMES, "rss"]]
    axes = [np.asarray(x) if name == "alpha" else np.log(x) for name, x in tried.items()]
    parts = _PARTS
    while parts > 1 and math.prod((shape[k] - 1) * parts + 1 for k in varied) > _MOST:
        parts -= 1
    fine = [
        np.interp(np.arange((x.size - 1) * parts + 1) / parts, np.arange(x.size), x) for x in axes
    ]
    # A hole (a refused combination) spoils a spline everywhere, a straight line only beside it.
    smooth = min(shape[k] for k in varied) > 3 and bool(np.isfinite(known).all())
    inner = known.reshape(*(shape[k] for k in varied), points.size)
    read = RegularGridInterpolator(
        [axes[k] for k in varied], inner, method="cubic" if smooth else "linear"
    )
    mesh = np.meshgrid(*fine, indexing="ij")
    flat = np.stack([x.ravel() for x in mesh], axis=1)
    logs = read(flat[:, varied])
    whole = np.isfinite(logs).all(axis=1)
    found = pd.DataFrame(flat[whole], columns=list(_NAMES))
    for name in ("n", "density"):
        found[name] = np.exp(found[name])
    found["rss"] = sum_squares(np.exp(logs[whole]), points, floor)
    # What was tried itself is known exactly.
    return pd.concat([found, table[[*_NAMES, "rss"]]], ignore_index=True)


def _profile(between: pd.DataFrame, name: str, limit: float, level: float) -> Interval:
    """Return the range of a parameter over the combinations within the limit."""
    inside = between.loc[between["rss"] <= limit, name]
    low, high = float(inside.min()), float(inside.max())
    ends = float(between[name].min()), float(between[name].max())
    return Interval(
        low, high, level, "profile", bool(np.isclose(low, ends[0])), bool(np.isclose(high, ends[1]))
    )


def _describe(table: pd.DataFrame, varied: list[str], refused: list[str], dof: int) -> list[str]:
    found = []
    kept = table[table["compatible"]]
    for name in varied:
        if not kept.empty and kept[name].nunique() == table[name].nunique():
            found.append(f"the losses do not say {name}: every value that was tried agrees")
    if kept.empty:
        found.append("the losses tell these parameters apart more finely: try values between")
    best = table.iloc[int(np.argmin(table["rss"]))]
    if best["scale"] == 0:
        found.append("no curve falls as the losses do: the scale is 0")
    spread = math.sqrt(float(best["rss"]) / dof)
    if spread > 0.1:
        found.append("no combination is near the losses: try others, or another theory")
    if refused:
        found.append(f"{len(refused)} combinations were left out; the first: {refused[0]}")
    return found
