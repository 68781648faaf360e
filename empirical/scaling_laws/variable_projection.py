"""Least squares that is linear in all parameters but one, for many data sets at once.

``fit_power_law`` is based on it. The law of group g is

    L(u) = level_g + slope h(theta, u),   h = (exp(-theta u) - 1)/theta     (levels)
    L(u) = slope_g exp(-theta u)                                            (no levels)

with u = ln m for a power law (theta = alpha) or u = m for an exponential. For a given theta the
linear parameters are solved exactly (variable projection: Golub and Pereyra, SIAM J. Numer. Anal.
10, 413 (1973)), which leaves a function of theta alone. h has a limit at theta = 0, where a power
law with a floor becomes a logarithm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import exprel

from theory.results import result

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

# Ratio of neighbouring theta on the grid. The direction of h, as a vector over the points, then
# turns by less than 0.05 rad from node to node, so that no local minimum lies between two nodes.
_RATIO = 1.05
# Smallest theta times the range of u; below it h is a logarithm to 1 %.
_SMALLEST = 0.02
# exp(-theta gap) at the largest theta; there only the smallest width differs from the rest.
_FLAT = 1e-6
# Largest theta times the range of u without levels; exp overflows above 709.
_STEEPEST = 300.0
_STEPS = 60  # largest number of steps to a root of the gradient; seldom more than ten are taken
_HUBER_STEPS = 200  # largest number of Gauss-Newton steps of a robust fit
_SHORTER = 20  # trial lengths of such a step, each a quarter of the last
_AT_ONCE = 2**14  # points of robust fits that are solved together, so that they stay in cache


@dataclass(frozen=True, eq=False)
@result
class Solution:
    """The best linear part at each theta; one entry (row) for each data set."""

    theta: Array
    objective: Array
    gradient: Array  # of the objective in theta
    slope: Array  # (sets, 1) with levels, (sets, groups) without
    level: Array  # (sets, groups)

    def take(self, rows: NDArray[Any]) -> Solution:
        """Return some of the data sets."""
        return Solution(*(np.asarray(x)[rows] for x in vars(self).values()))


class VariableProjection:
    """The linear parameters of a law, solved for any theta, weights and losses.

    Parameters
    ----------
    u : ndarray, shape (k,)
        Coordinate (ln m or m), points sorted by group.
    index : ndarray of int, shape (k,)
        Group of each point, from 0 on, ascending.
    leveled : bool
        A level for each group and a common slope, or a slope for each group alone.
    huber : float, optional
        Threshold of Huber's loss of ln(fitted) - ln(loss), summed; least squares of the losses
        without it.
    """

    def __init__(self, u: Array, index: Integers, leveled: bool, huber: float | None = None):
        self.index, self.leveled, self.huber = index, leveled, huber
        self.starts = np.flatnonzero(np.diff(index, prepend=-1))
        self.groups = self.starts.size
        self.origin = float(u.min())
        # Groups with one width do not depend on theta: the origin is the least of the others.
        low, high = np.minimum.reduceat(u, self.starts), np.maximum.reduceat(u, self.starts)
        if leveled and np.any(high > low):
            self.origin = float(low[high > low].min())
        self.u = u - self.origin
        self.middle = (low + high)[index] / 2 - self.origin  # of the group, without levels
        inside = (high > low)[index]
        self._span = float(np.ptp(self.u[inside])) if inside.any() else 0.0
        gaps = np.abs(self.u[inside][self.u[inside] != 0]) if inside.any() else self.u[:0]
        self._gap = float(gaps.min()) if gaps.size else 0.0
        self.grid = self._build_grid()

    def _build_grid(self) -> Array:
        if not self._span:
            return np.zeros(1)
        low = _SMALLEST / self._span
        high = max(-np.log(_FLAT) / self._gap, 2 * low)
        if not self.leveled:
            high = min(high, _STEEPEST / self._span)
        count = 1 + int(np.ceil(np.log(high / low) / np.log(_RATIO)))
        up = np.geomspace(low, high, count)
        return np.concatenate([[0.0], up] if self.leveled else [-up[::-1], [0.0], up])

    # ---- the shape of the law ----

    def shape(self, theta: Array, u: Array, middle: Array | float = 0.0) -> Array:
        """Return h (or exp(-theta (u - middle)) without levels); theta and u broadcast."""
        with np.errstate(over="ignore", invalid="ignore"):
            f: Array = -u * exprel(-theta * u) if self.leveled else np.exp(-theta * (u - middle))
        return f

    def _shape_slope(self, theta: Array, f: Array) -> Array:
        """Return d shape / d theta at the points."""
        if not self.leveled:
            change: Array = -(self.u - self.middle) * f
            return change
        z = theta * self.u
        near = np.abs(z) < 0.02
        zs = np.where(near, z, 0.0)
        series = 1 / 2 + zs * (-1 / 3 + zs * (1 / 8 + zs * (-1 / 30 + zs * (1 / 144 - zs / 840))))
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            far = (-np.expm1(-z) - z * np.exp(-z)) / np.where(near, 1.0, z) ** 2
        change = self.u**2 * np.where(near, series, far)
        return change

    def sum_groups(self, values: Array) -> Array:
        """Return sums over the points of each group, along the last axis."""
        sums: Array = np.add.reduceat(values, self.starts, axis=-1)
        return sums

    # ---- the linear part ----

    def _linear(self, f: Array, weight: Array, y: Array) -> tuple[Array, Array]:
        """Return slope and level by weighted least squares, for each row of f."""
        if not self.leveled:
            squares, cross = self.sum_groups(weight * f * f), self.sum_groups(weight * f * y)
            slope = np.divide(cross, squares, out=np.zeros_like(cross), where=squares > 0)
            return slope, np.zeros_like(slope)
        total = self.sum_groups(weight * np.ones_like(f))
        safe = np.where(total > 0, total, 1.0)
        mean_f, mean_y = self.sum_groups(weight * f) / safe, self.sum_groups(weight * y) / safe
        df, dy = f - mean_f[:, self.index], y - mean_y[:, self.index]
        squares = np.sum(weight * df * df, axis=-1)
        cross = np.sum(weight * df * dy, axis=-1)
        # If the deviation of f from its means is rounding error, theta is not determined.
        known = squares > 1e-24 * np.sum(weight * f * f, axis=-1)
        slope = np.divide(cross, squares, out=np.zeros_like(cross), where=known)[:, None]
        return slope, mean_y - slope * mean_f

    def solve(self, theta: Array, weight: Array, y: Array) -> Solution:
        """Return the best linear part at each theta (rows; weight and y may be one row)."""
        theta = np.atleast_1d(np.asarray(theta, dtype=np.float64))
        weight, y = np.atleast_2d(weight), np.atleast_2d(y)
        f = self.shape(theta[:, None], self.u, self.middle)
        if self.huber is not None:
            return self._solve_huber(theta, f, weight, y)
        slope, level = self._linear(f, weight, y)
        residual = y - self._fitted(f, slope, level)
        change = self._spread(slope) * self._shape_slope(theta[:, None], f)
        objective = np.sum(weight * residual**2, axis=-1)
        gradient = -2 * np.sum(weight * residual * change, axis=-1)
        return Solution(theta, objective, gradient, slope, level)

    def _spread(self, slope: Array) -> Array:
        spread: Array = slope if self.leveled else slope[:, self.index]
        return spread

    def _fitted(self, f: Array, slope: Array, level: Array) -> Array:
        fitted: Array = self._spread(slope) * f + level[:, self.index]
        return fitted

    def _solve_huber(self, theta: Array, f: Array, weight: Array, y: Array) -> Solution:
        """Reweighted Gauss-Newton steps on the log residuals, each a linear fit that descends."""
        shape = np.broadcast_shapes(f.shape, weight.shape, y.shape)
        f, weight, y = (np.broadcast_to(x, shape) for x in (f, weight, y))
        rows = max(1, _AT_ONCE // shape[-1])
        parts = [
            self._fit_huber(*(x[k : k + rows] for x in (f, weight, y)))
            for k in range(0, shape[0], rows)
        ]
        slope, level = (np.concatenate(x) for x in zip(*parts, strict=True))
        fitted = self._fitted(f, slope, level)
        objective = self._sum_huber(fitted, weight, y)
        pull = np.clip(np.log(fitted / y), -self._delta, self._delta) / fitted
        change = self._spread(slope) * self._shape_slope(theta[:, None], f)
        return Solution(theta, objective, np.sum(weight * pull * change, -1), slope, level)

    @property
    def _delta(self) -> float:
        return float(self.huber or 1.0)

    def _sum_huber(self, fitted: Array, weight: Array, y: Array) -> Array:
        """Return the sum of Huber's losses of each row; infinite where a fitted loss is not > 0."""
        fine = np.all(fitted > 0, axis=-1)
        residual = np.log(np.where(fine[:, None], fitted, y) / y)
        size = np.abs(residual)
        each = np.where(size <= self._delta, size**2 / 2, self._delta * (size - self._delta / 2))
        total: Array = np.where(fine, np.sum(weight * each, axis=-1), np.inf)
        return total

    def _fit_huber(self, f: Array, weight: Array, y: Array) -> tuple[Array, Array]:
        """Return slope and level of each row: see ``_solve_huber``."""
        # Constant laws are positive; the linear fit is better but may not be.
        slope, level = self._linear(f, weight / y**2, y)
        bad = np.any(self._fitted(f, slope, level) <= 0, axis=-1)
        if self.leveled:
            middle = np.exp(self.sum_groups(np.log(y)) / self.sum_groups(np.ones(y.shape[-1])))
            slope[bad], level[bad] = 0.0, middle[bad]
        objective = self._sum_huber(self._fitted(f, slope, level), weight, y)
        active = np.arange(len(f))
        for _ in range(_HUBER_STEPS):
            fitted = self._fitted(f[active], slope[active], level[active])
            residual = np.log(fitted / y[active])
            wanted = weight[active] / np.maximum(np.abs(residual) / self._delta, 1.0) / fitted**2
            new_slope, new_level = self._linear(f[active], wanted, fitted * (1 - residual))
            move, shift = new_slope - slope[active], new_level - level[active]
            gain = np.zeros(active.size)
            uphill = np.arange(active.size)  # in active: the step is too long
            for step in 0.25 ** np.arange(_SHORTER):
                at = active[uphill]
                s, v = slope[at] + step * move[uphill], level[at] + step * shift[uphill]
                less = objective[at] - self._sum_huber(self._fitted(f[at], s, v), weight[at], y[at])
                down = less > 0
                slope[at[down]], level[at[down]] = s[down], v[down]
                gain[uphill[down]] = less[down]
                uphill = uphill[~(less >= 0)]
                if not uphill.size:
                    break
            large = gain > 1e-14 * objective[active]
            objective[active] -= gain
            active = active[large]
            if not active.size:
                break
        return slope, level

    # ---- the best theta ----

    def minimise(self, weight: Array, y: Array, grid: Array | None = None) -> Solution:
        """Return the global optimum for each row of weight and y.

        Every local minimum on the grid is bracketed by its neighbours and refined to rounding,
        where the gradient changes sign; the least of all is returned. An optimum may be an end of
        the grid.
        """
        grid = self.grid if grid is None else grid
        weight, y = np.atleast_2d(weight), np.atleast_2d(y)
        sets = max(len(weight), len(y))
        weight = np.broadcast_to(weight, (sets, self.u.size))
        y = np.broadcast_to(y, (sets, self.u.size))
        values = self._scan(grid, weight, y)
        padded = np.pad(values, ((1, 1), (0, 0)), constant_values=np.inf)
        at, row = np.nonzero((values <= padded[:-2]) & (values <= padded[2:]))
        # The side on which the objective falls.
        w, target = weight[row], y[row]
        nodes = self.solve(grid[at], w, target)
        left = nodes.gradient > 0
        low = grid[np.maximum(at - left, 0)]
        high = grid[np.minimum(at + ~left, grid.size - 1)]
        found = self.solve(self._root(low, high, w, target), w, target)
        better = nodes.objective < found.objective
        theta = np.where(better, nodes.theta, found.theta)
        objective = np.where(better, nodes.objective, found.objective)
        order = np.lexsort((objective, row))
        best = order[np.flatnonzero(np.diff(row[order], prepend=-1))]
        return self.solve(theta[best], weight, y)

    def _root(self, low: Array, high: Array, weight: Array, y: Array) -> Array:
        """Return where the gradient changes from negative to positive: Illinois and bisection."""
        at_low = self.solve(low, weight, y).gradient
        at_high = self.solve(high, weight, y).gradient
        x, last = low, high
        for step in range(_STEPS):
            middle, rise = (low + high) / 2, at_high - at_low
            with np.errstate(divide="ignore", invalid="ignore"):
                secant = (low * at_high - high * at_low) / rise
            usable = (at_low < 0) & (at_high > 0) & (secant >= low) & (secant <= high)
            x = np.where(usable & (step % 3 < 2), secant, middle)
            if np.all(np.abs(x - last) <= 4e-16 * np.abs(x)):
                break
            gradient = self.solve(x, weight, y).gradient
            uphill = gradient > 0
            # Illinois: the value at an end that stays is halved, so that both ends converge.
            at_low = np.where(uphill, at_low / 2, gradient)
            at_high = np.where(uphill, gradient, at_high / 2)
            low, high, last = np.where(uphill, low, x), np.where(uphill, x, high), x
        return x

    def _scan(self, grid: Array, weight: Array, y: Array) -> Array:
        """Return the objective over the grid (rows) of each data set."""
        if len(weight) == 1:
            return self.solve(grid, weight, y).objective[:, None]
        if self.huber is not None:
            sets = len(weight)
            return np.array([self.solve(np.full(sets, t), weight, y).objective for t in grid])
        # From sums in place of residuals: less accurate than solve, and ten times faster.
        total, wy = self.sum_groups(weight), weight * y
        inverse = np.divide(1, total, out=np.zeros_like(total), where=total > 0)
        sums = self.sum_groups(wy)
        power = np.sum(wy * y, axis=-1) - (np.sum(sums**2 * inverse, -1) if self.leveled else 0)
        rows = []
        for f in self.shape(grid[:, None], self.u, self.middle):
            if self.leveled:
                means = self.sum_groups(weight * f)
                squares = weight @ f**2 - np.sum(means**2 * inverse, axis=-1)
                cross = wy @ f - np.sum(means * sums * inverse, axis=-1)
                known = squares > 1e-13 * (weight @ f**2)
                gain = np.divide(cross**2, squares, out=np.zeros_like(cross), where=known)
            else:
                squares, cross = self.sum_groups(weight * f**2), self.sum_groups(wy * f)
                ratio = np.divide(cross**2, squares, out=np.zeros_like(cross), where=squares > 0)
                gain = np.sum(ratio, axis=-1)
            rows.append(power - gain)
        return np.array(rows)

    def predict(self, best: Solution, u: float, group: int) -> Array:
        """Return the loss of each data set's law at coordinate u (ln m or m) in a group."""
        first = self.starts[group]
        f = self.shape(best.theta, np.asarray(u - self.origin), self.middle[first])
        slope = best.slope[:, 0 if self.leveled else group]
        return slope * f + best.level[:, group]

    def fitted(self, best: Solution) -> Array:
        """Return the fitted losses at the points, a row for each data set."""
        f = self.shape(best.theta[:, None], self.u, self.middle)
        return self._fitted(f, best.slope, best.level)

    def jacobian(self, best: Solution) -> Array:
        """Return the derivatives of the fitted losses in theta, slope and levels, (k, p)."""
        f = self.shape(best.theta[:1, None], self.u, self.middle)
        member = np.equal.outer(self.index, np.arange(self.groups)).astype(np.float64)
        first = (self._spread(best.slope[:1]) * self._shape_slope(best.theta[:1, None], f))[0]
        rest = [f[0], *member.T] if self.leveled else list(f[0] * member.T)
        return np.stack([first, *rest], axis=-1)
