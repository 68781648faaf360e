"""Errors of a fitted exponent by fitting again: bootstrap, leave-one-out, and tests.

``PowerLawFit.bootstrap``, ``influence`` and ``test_alpha`` call this. Points of one model share
errors: resample or leave out clusters then, because resampled points give intervals that are too
short.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as t_law

from empirical.scaling_laws.loss_points import LossPoints
from empirical.scaling_laws.profile_likelihood import Interval, check_level
from empirical.scaling_laws.variable_projection import Solution, VariableProjection
from theory.checks import (
    MOST_REPEATS,
    as_generator,
    check_integer,
    check_real,
    read_only,
)
from theory.computing.argument_kinds import check_kinds
from theory.figures.style import BLACK, BLUE, finish, open_axes, shorten
from theory.results import result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

_AT_ONCE = 256  # refits in one call, to bound memory
# A robust refit searches alpha within this factor of the fit, on every third node of the grid.
_AROUND = 8.0


@dataclass(frozen=True)
@result
class ExponentTest:
    """A two-sided test of one value of alpha.

    Attributes
    ----------
    value, alpha : float
        The exponent tested, and the fitted one.
    statistic, p_value : float
        F(1, dof), chi-square or t; see ``method``.
    dof : int or None
        Degrees of freedom; None for chi-square.
    method : str
        The test.
    """

    value: float
    alpha: float
    statistic: float
    p_value: float
    dof: int | None
    method: str

    def to_dataframe(self) -> pd.DataFrame:
        """Return the test as a table of one row."""
        return pd.DataFrame([vars(self)])

    def __str__(self) -> str:
        return f"alpha = {self.value:g}: p = {self.p_value:.3g} (two-sided, {self.method})"


@dataclass(frozen=True, eq=False)
@result
class Bootstrap:
    """Exponents of laws refitted to resampled data.

    Attributes
    ----------
    by : str
        "points", "residuals" or "clusters".
    alpha : ndarray, shape (samples,)
        Exponents; 0 where a logarithm fitted best, inf where only the smallest width differed.
    failed : int
        Resamples with too few widths for an exponent; they are left out.
    laws : Solution
        The refitted laws.
    """

    by: str
    alpha: Array
    failed: int
    laws: Solution

    @property
    def stderr(self) -> float:
        """Standard deviation of the exponents; inf if some are infinite."""
        return float(np.std(self.alpha, ddof=1)) if np.isfinite(self.alpha).all() else math.inf

    @property
    def method(self) -> str:
        """Name of the method, for tables."""
        return f"bootstrap over {self.by}"

    @check_kinds
    def interval(self, level: float = 0.95) -> Interval:
        """Return the percentile interval of alpha."""
        low, high = _percentiles(self.alpha, check_level(level))
        return Interval(low, high, level, self.method, low == 0, math.isinf(high))

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each resample."""
        return pd.DataFrame({"alpha": self.alpha})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw a histogram of the exponents."""
        ax = open_axes(ax)
        finite = self.alpha[np.isfinite(self.alpha)]
        ax.hist(finite, bins="auto", color=BLUE, alpha=0.7)
        interval = self.interval()
        for end in (interval.low, interval.high):
            if math.isfinite(end):
                ax.axvline(end, color=BLACK, lw=1)
        return finish(ax, "exponent alpha of a resample", "resamples", title=str(interval))

    def __str__(self) -> str:
        lost = f"; {self.failed} resamples had too few widths" if self.failed else ""
        return f"alpha {self.interval()}, standard error {self.stderr:.3g}{lost}"


def _percentiles(values: Array, level: float) -> tuple[float, float]:
    tail = (1 - level) / 2
    # No interpolation: some values are infinite.
    low, high = np.quantile(values, [tail, 1 - tail], method="nearest")
    return float(low), float(high)


def resample(
    projection: VariableProjection,
    points: LossPoints,
    best: Solution,
    dof: int,
    by: str,
    samples: int,
    seed: np.random.Generator | int,
) -> Bootstrap:
    """Refit resampled data; see ``PowerLawFit.bootstrap``."""
    samples = check_integer("samples", samples, 2, MOST_REPEATS)
    generator = as_generator(seed)
    size = points.size
    weight: Array = points.weight[None]
    y: Array = points.loss[None]
    if by == "points":
        drawn = np.zeros((samples, size))
        for k in range(len(points.groups)):
            member = points.index == k
            count = int(member.sum())
            drawn[:, member] = generator.multinomial(count, np.full(count, 1 / count), samples)
        weight = points.weight * drawn
    elif by == "clusters":
        cluster, names = points.cluster_index()
        if len(names) < 2:
            raise ValueError("a bootstrap over clusters needs at least two clusters")
        count = len(names)
        draws = generator.multinomial(count, np.full(count, 1 / count), samples)
        weight = points.weight * draws[:, cluster]
    elif by == "residuals":
        if projection.huber is not None:
            raise ValueError("residuals of a robust fit are not alike: resample points or clusters")
        if dof <= 0:
            raise ValueError("as many parameters as points leave no residuals to resample")
        root = np.sqrt(points.weight)
        fitted = projection.fitted(best)[0]
        scaled = (points.loss - fitted) * root * math.sqrt(size / dof)
        picked = generator.integers(0, size, (samples, size))
        y = fitted + (scaled - scaled.mean())[picked] / root
    else:
        raise ValueError(f"by = {by!r} is not allowed: give points, residuals or clusters")
    good = _is_determined(projection, weight)
    weight = weight[good] if len(weight) > 1 else weight
    if not good.any():
        raise ValueError("no resample held enough widths for an exponent: give more points")
    laws = projection.minimise(weight, y, _narrow(projection, best))
    alpha = np.where(laws.theta >= projection.grid[-1], np.inf, laws.theta)
    return Bootstrap(by, read_only(alpha), int(np.sum(~good)), laws)


def _narrow(projection: VariableProjection, best: Solution) -> Array | None:
    """Return a shorter grid for robust refits, which are slow; None for the whole grid."""
    if projection.huber is None:
        return None
    grid, size = projection.grid, abs(float(best.theta[0]))
    near = (np.abs(grid) <= _AROUND * size) & (np.abs(grid) >= size / _AROUND)
    return grid[near][::3] if near.sum() > 9 else grid


def _is_determined(projection: VariableProjection, weight: Array) -> NDArray[np.bool_]:
    """Return for which rows of weights the points of positive weight determine theta."""
    member = np.equal.outer(projection.index, np.arange(projection.groups))
    cells = np.unique(np.stack([projection.index, projection.u]), axis=1, return_inverse=True)[1]
    cell = np.equal.outer(cells.ravel(), np.arange(cells.max() + 1))
    present = (weight > 0).astype(np.float64)
    distinct = np.sum(present @ cell > 0, axis=1)
    groups = np.sum(present @ member > 0, axis=1)
    determined: NDArray[np.bool_] = distinct - groups >= (2 if projection.leveled else 1)
    return determined


@dataclass(frozen=True, eq=False)
@result
class Influence:
    """The change of alpha when a point, or a cluster, is left out.

    Attributes
    ----------
    by : str
        "points" or "clusters".
    table : DataFrame
        A row for each: name, alpha_without, change (alpha_without - alpha), residual and
        studentized (externally; for a cluster the mean residual, and NaN), largest change first.
    stderr : float
        The jackknife's standard error of alpha, sqrt((k-1)/k Σ (alpha_j - mean)²).
    cutoff : float
        Changes above it are flagged: 2/sqrt(k) standard errors (Belsley, Kuh and Welsch,
        Regression Diagnostics, 1980, section 2.1).
    """

    by: str
    table: pd.DataFrame
    stderr: float
    cutoff: float

    @property
    def flagged(self) -> tuple[str, ...]:
        """Names of the points (clusters) whose change is above the cutoff, largest first."""
        return tuple(self.table.loc[self.table["change"].abs() > self.cutoff, "name"])

    @property
    def worst_residual(self) -> str:
        """Name of the point (cluster) with the largest residual."""
        return str(self.table["name"].iloc[int(self.table["residual"].abs().argmax())])

    @check_kinds
    def without(self, name: str) -> float:
        """Return alpha without one point or cluster."""
        found = self.table.loc[self.table["name"] == str(name), "alpha_without"]
        if len(found) != 1:
            raise ValueError(f"{name!r} names {len(found)} of the {self.by}: give a name in table")
        return float(found.iloc[0])

    @check_kinds
    def interval(self, alpha: float, level: float = 0.95) -> Interval:
        """Return alpha ± t × the jackknife's standard error, t with k - 1 degrees of freedom."""
        alpha = check_real("alpha", alpha)
        half = float(t_law.ppf((1 + check_level(level)) / 2, len(self.table) - 1)) * self.stderr
        return Interval(alpha - half, alpha + half, level, f"jackknife over {self.by}")

    @check_kinds
    def test(self, value: float, alpha: float) -> ExponentTest:
        """Test alpha = value by t with k - 1 degrees of freedom."""
        value, alpha = check_real("value", value), check_real("alpha", alpha)
        dof = len(self.table) - 1
        gap = alpha - value
        statistic = gap / self.stderr if self.stderr > 0 else math.copysign(math.inf, gap) * (
            gap != 0
        )  # fmt: skip
        p = 2 * float(t_law.sf(abs(statistic), dof))
        return ExponentTest(value, alpha, statistic, p, dof, f"t of the jackknife over {self.by}")

    def to_dataframe(self) -> pd.DataFrame:
        """Return the table, the largest change first."""
        return self.table.copy()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw alpha without each of the twenty that change it most."""
        ax = open_axes(ax)
        top = self.table.head(20)[::-1]
        places = np.arange(len(top))
        ax.plot(top["alpha_without"], places, "o", color=BLUE, label="without it")
        whole = float((top["alpha_without"] - top["change"]).iloc[0])
        ax.axvline(whole, color=BLACK, lw=1, label="of all")
        ax.set_yticks(places, shorten([str(name) for name in top["name"]]), fontsize="small")
        return finish(ax, "exponent alpha", "left out", title=f"leave one out, by {self.by}")

    def __str__(self) -> str:
        shown = self.table.head(6)
        lines = [
            f"{row['name']}: {row['alpha_without']:.4f} without it ({row['change']:+.4f})"
            for _, row in shown.iterrows()
        ]
        return "\n".join(
            [
                f"leave one out, by {self.by}; jackknife standard error {self.stderr:.3g}",
                *lines,
                f"furthest from the law: {self.worst_residual}",
            ]
        )

    def _repr_html_(self) -> str:
        return str(self.table.head(20).to_html(index=False))


def measure_influence(
    projection: VariableProjection, points: LossPoints, best: Solution, stderr: float, by: str
) -> Influence:
    """Refit without each point or cluster; see ``PowerLawFit.influence``."""
    fitted = projection.fitted(best)[0]
    residual = points.loss - fitted
    if by == "points":
        keep = 1.0 - np.eye(points.size)
        names: tuple[str, ...] = points.labels
        off = residual
        studentized = _studentize(projection, points, best, residual)
    elif by == "clusters":
        cluster, names = points.cluster_index()
        member = np.equal.outer(np.arange(len(names)), cluster)
        keep = 1.0 - member
        off = (member @ residual) / member.sum(axis=1)
        studentized = np.full(len(names), np.nan)
    else:
        raise ValueError(f"by = {by!r} is not allowed: give points or clusters")
    good, alpha = np.zeros(len(names), dtype=bool), np.full(len(names), np.nan)
    grid = _narrow(projection, best)
    for first in range(0, len(names), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        weight = points.weight * keep[part]
        good[part] = _is_determined(projection, weight)
        if good[part].any():
            laws = projection.minimise(weight[good[part]], points.loss, grid)
            alpha[part][good[part]] = laws.theta
    known = alpha[good]
    jackknife = math.nan
    if good.all() and known.size > 1:
        jackknife = math.sqrt((known.size - 1) * float(np.var(known)))
    columns: dict[str, Any] = {"name": names}
    if by == "points":
        columns |= {"group": [points.groups[k] for k in points.index], "m": points.m}
    columns |= {
        "alpha_without": alpha,
        "change": alpha - float(best.theta[0]),
        "residual": off,
        "studentized": studentized,
    }
    table = points.in_given_order(columns) if by == "points" else pd.DataFrame(columns)
    order = table["change"].abs().sort_values(ascending=False, kind="stable").index
    scale = stderr if math.isfinite(stderr) else jackknife
    cutoff = 2 / math.sqrt(len(names)) * scale
    return Influence(by, table.loc[order].reset_index(drop=True), jackknife, cutoff)


def _studentize(
    projection: VariableProjection, points: LossPoints, best: Solution, residual: Array
) -> Array:
    """Return residuals over their standard errors, with the variance of all other points."""
    if projection.huber is not None or not np.isfinite(best.slope).all():
        return np.full(points.size, np.nan)
    root = np.sqrt(points.weight)
    base, _ = np.linalg.qr(projection.jacobian(best) * root[:, None])
    leverage = np.sum(base**2, axis=1)
    scaled = residual * root
    dof = points.size - base.shape[1]
    if dof < 2:
        return np.full(points.size, np.nan)
    free = np.maximum(1 - leverage, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.maximum(scaled @ scaled - scaled**2 / free, 0) / (dof - 1)
        return np.where(free > 1e-10, scaled / np.sqrt(left * free), np.nan)
