"""Profile likelihood: intervals of exponents, losses, floors and coefficients.

``PowerLawFit.interval``, ``forecast`` and ``width_for`` use it. An interval holds the values for
which the best law with that value has a weighted sum of squares of at most RSS (1 + F/dof), with F
the quantile of F(1, dof). This is exact for a linear model with normal errors of unknown variance
(Bates and Watts, Nonlinear Regression Analysis and Its Applications, 1988, section 6.1). With known
standard errors the limit is RSS + the quantile of chi-square.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import chi2
from scipy.stats import f as f_law

from empirical.scaling_laws.variable_projection import Solution, VariableProjection
from theory.checks import check_real
from theory.results import result

Array = NDArray[np.float64]

# RSS over the sum of squares about the means below which the residuals are rounding errors.
_EXACT = 1e-26


@dataclass(frozen=True)
@result
class Interval:
    """A confidence interval.

    Attributes
    ----------
    low, high : float
        Its ends; -inf, 0 or inf where the data do not determine an end.
    level : float
        Nominal coverage.
    method : str
        "profile", "bootstrap over clusters", …
    open_low, open_high : bool
        Whether that end is the limit of the search, not determined by the data.
    """

    low: float
    high: float
    level: float
    method: str
    open_low: bool = False
    open_high: bool = False

    def __str__(self) -> str:
        return f"{self.low:.4g} … {self.high:.4g} ({self.level:.0%}, {self.method})"


def check_level(level: float) -> float:
    """Return a confidence level between 0 and 1.

    Examples
    --------
    >>> check_level(95)
    Traceback (most recent call last):
        ...
    ValueError: level = 95 is not allowed: give a number between 0 and 1, as 0.95
    """
    number = check_real("level", level)
    if not 0 < number < 1:
        raise ValueError(
            f"level = {level!r} is not allowed: give a number between 0 and 1, as 0.95"
        )
    return number


class Profile:
    """The weighted sum of squares around its minimum, as a function of theta or of a quantity."""

    def __init__(
        self,
        projection: VariableProjection,
        weight: Array,
        y: Array,
        best: Solution,
        dof: int,
        known: bool,
    ):
        self.projection, self.weight, self.y = projection, weight, y
        self.theta, self.least = float(best.theta[0]), float(best.objective[0])
        self.dof, self.known = dof, known
        level = projection.solve(projection.grid[:1], weight, y).objective[0]
        self.exact = self.least <= _EXACT * max(float(level), float(weight @ y**2))

    @property
    def variance(self) -> float:
        """Variance of a point of weight 1."""
        if self.known:
            return 1.0
        return self.least / self.dof if self.dof > 0 else math.nan

    def statistic(self, theta: float) -> float:
        """Return (RSS(theta) - RSS) / variance: F(1, dof), or chi-square if errors are known."""
        self._check_available()
        rise = float(self.projection.solve(np.array([theta]), self.weight, self.y).objective[0])
        rise = max(rise - self.least, 0.0)
        if rise == 0:
            return 0.0
        return rise / self.variance if self.variance > 0 else math.inf

    def p_value(self, theta: float) -> float:
        """Return the two-sided p-value of one theta."""
        value = self.statistic(theta)
        return float(chi2.sf(value, 1) if self.known else f_law.sf(value, 1, self.dof))

    def _check_available(self) -> None:
        if self.projection.huber is not None:
            raise ValueError(
                "a robust fit has no profile likelihood: use bootstrap(), or fit without huber="
            )
        if self.dof <= 0 and not self.known:
            raise ValueError(
                "there are as many parameters as points: no error can be estimated; give more "
                "points, or stderr= if the errors are known"
            )

    def rise(self, level: float) -> float:
        """Return by how much the sum of squares may exceed its minimum."""
        self._check_available()
        level = check_level(level)
        quantile = chi2.ppf(level, 1) if self.known else f_law.ppf(level, 1, self.dof)
        return float(quantile) * self.variance

    def region(self, level: float) -> Interval:
        """Return the interval of theta; the outermost ends if there are several intervals."""
        rise = self.rise(level)
        if self.exact:
            return Interval(self.theta, self.theta, level, "profile")
        grid = np.unique(np.append(self.projection.grid, self.theta))
        values = self.projection.solve(grid, self.weight, self.y).objective
        inside = np.flatnonzero(values <= self.least + rise)
        first, last = int(inside[0]), int(inside[-1])
        ends = [grid[first], grid[last]]
        if first > 0:
            ends[0] = self._cross(grid[first - 1], grid[first], rise)
        if last < grid.size - 1:
            ends[1] = self._cross(grid[last + 1], grid[last], rise)
        low, high = float(ends[0]), float(ends[1])
        if first == 0 and not self.projection.leveled:
            low = -math.inf
        if last == grid.size - 1:
            high = math.inf
        return Interval(low, high, level, "profile", first == 0, last == grid.size - 1)

    def _cross(self, outside: float, inside: float, rise: float) -> float:
        def excess(theta: float) -> float:
            value = self.projection.solve(np.array([theta]), self.weight, self.y).objective[0]
            return float(value) - self.least - rise

        if excess(inside) >= 0:
            return inside
        return float(brentq(excess, outside, inside, xtol=1e-12, rtol=1e-10))

    def moments(self, theta: Array) -> tuple[Array, Array, Array]:
        """Return, at each theta, weight and mean shape of each group, and the sum of squares."""
        projection = self.projection
        f = projection.shape(theta[:, None], projection.u, projection.middle)
        total = projection.sum_groups(self.weight)
        if not projection.leveled:
            return (
                total,
                np.zeros((theta.size, total.size)),
                projection.sum_groups(self.weight * f * f),
            )
        mean = projection.sum_groups(self.weight * f) / total
        spread = f - mean[:, projection.index]
        return total, mean, np.sum(self.weight * spread**2, axis=-1)[:, None]

    def bounds(
        self, theta_region: Interval, level: float, quantity: LinearQuantity, scatter: float = 0.0
    ) -> tuple[float, float]:
        """Return the interval of a quantity that is linear in slope and level.

        At each theta the best law with value v has the sum of squares RSS(theta) +
        (v - value)²/(variance factor), exactly; its minimum over theta is the profile. ``scatter``
        is the variance factor of a new point.
        """
        ceiling = self.least + self.rise(level)
        grid = self.projection.grid
        low = max(theta_region.low, float(grid[0]))
        high = min(theta_region.high, float(grid[-1]))
        theta = np.unique(
            np.concatenate(
                [grid[(grid > low) & (grid < high)], np.linspace(low, high, 101), [self.theta]]
            )
        )

        def ends(theta: Array) -> tuple[Array, Array]:
            value, factor, cost = quantity.at(self, theta)
            spare = np.maximum(ceiling - cost, 0)
            endless = np.isinf(factor) & (spare > 0)
            room = np.sqrt(np.where(np.isinf(factor), 0, factor + scatter) * spare)
            room = np.where(np.isinf(value), 0, np.where(endless, np.inf, room))
            return value - room, value + room

        lows, highs = ends(theta)

        def refine(values: Array, sign: float, which: int) -> float:
            k = int(np.argmin(sign * values))
            if theta.size == 1:
                return float(values[k])
            around = (theta[max(k - 1, 0)], theta[min(k + 1, theta.size - 1)])
            found = minimize_scalar(
                lambda t: sign * float(ends(np.array([t]))[which][0]),
                bounds=around,
                method="bounded",
                options={"xatol": 1e-10 * max(around[1], 1e-6)},
            )
            return sign * min(float(found.fun), sign * float(values[k]))

        return refine(lows, 1.0, 0), refine(highs, -1.0, 1)


@dataclass(frozen=True)
class LinearQuantity:
    """A quantity that is linear in slope and level at each theta: a loss, a floor or C.

    Attributes
    ----------
    group : int
        Index of the group.
    what : {"loss", "floor", "coefficient"}
        Which quantity.
    u : float
        Coordinate (ln m or m) of a loss.
    """

    group: int
    what: str = "loss"
    u: float = 0.0

    def factors(self, projection: VariableProjection, theta: Array) -> tuple[Array, float]:
        """Return the coefficients of slope and of level."""
        if self.what == "loss":
            first = projection.starts[self.group]
            at = self.u - projection.origin
            return projection.shape(theta, np.asarray(at), projection.middle[first]), 1.0
        with np.errstate(divide="ignore", over="ignore"):
            if self.what == "floor":
                return -1 / theta, 1.0
            if projection.leveled:
                return np.exp(theta * projection.origin) / theta, 0.0
            middle = projection.origin + projection.middle[projection.starts[self.group]]
            return np.exp(theta * middle), 0.0

    def of(self, projection: VariableProjection, best: Solution) -> Array:
        """Return the quantity for each fitted law."""
        a, b = self.factors(projection, best.theta)
        slope = best.slope[:, 0 if projection.leveled else self.group]
        with np.errstate(invalid="ignore"):
            value = a * slope + b * best.level[:, self.group]
        # The floor of a law without slope is its level.
        return np.where(np.isnan(value), best.level[:, self.group], value)

    def at(self, profile: Profile, theta: Array) -> tuple[Array, Array, Array]:
        """Return its best value at each theta, the variance factor, and the sum of squares."""
        projection = profile.projection
        best = projection.solve(theta, profile.weight, profile.y)
        a, b = self.factors(projection, theta)
        total, mean, squares = profile.moments(theta)
        column = 0 if projection.leveled else self.group
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            factor = (a - b * mean[:, self.group]) ** 2 / squares[:, column]
            if projection.leveled:
                factor = factor + b / total[self.group]
            value = self.of(projection, best)
        # Where the shape does not vary, the data do not determine the quantity.
        return value, np.where(np.isnan(factor), np.inf, factor), best.objective
