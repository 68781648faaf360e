"""Least squares that is linear in all parameters but two exponents.

``fit_chinchilla`` is based on it. The law is level + s h_a(ln N) + t h_b(ln D) with h_a(u) =
(exp(-a u) - 1)/a: for given exponents it is linear, and h has a limit where an exponent is 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares, minimize_scalar

Array = NDArray[np.float64]

_NODES = 48  # nodes of the grid of each exponent, 12 % apart
_REFINED = 8  # largest number of local minima of the grid that are refined, the lowest first
_ROUNDS = 40  # largest number of reweighted fits at a node, for a robust fit


class Surface:
    """The objective as a function of the two exponents, with the linear parameters solved for."""

    def __init__(self, N: Array, D: Array, y: Array, huber: float | None):
        self.u = np.log(N) - np.log(N).min()
        self.v = np.log(D) - np.log(D).min()
        self.y, self.huber = y, huber
        # From a logarithm (exponent times range is small) to where the law falls by e^12 over the
        # range.
        shape = np.geomspace(0.05, 12, _NODES)
        self.grids = (shape / float(np.ptp(self.u)), shape / float(np.ptp(self.v)))

    def columns(self, a: Array, b: Array) -> Array:
        """Return 1, h_a(u), h_b(v) as (..., points, 3); h has a limit where an exponent is 0."""
        a, b = np.asarray(a)[..., None], np.asarray(b)[..., None]
        first, second = np.expm1(-a * self.u) / a, np.expm1(-b * self.v) / b
        return np.stack([np.ones_like(first), first, second], axis=-1)

    def linear(self, X: Array, weight: Array, target: Array) -> Array:
        """Return the weighted least-squares coefficients for each matrix in X."""
        total = np.sum(weight, axis=-1, keepdims=True)
        means = [np.sum(weight * v, axis=-1, keepdims=True) / total for v in (X[..., 1], X[..., 2])]
        first, second = X[..., 1] - means[0], X[..., 2] - means[1]
        middle = np.sum(weight * target, axis=-1, keepdims=True) / total
        rest = weight * (target - middle)
        a, b = np.sum(weight * first**2, -1), np.sum(weight * second**2, -1)
        c = np.sum(weight * first * second, -1)
        ra, rb = np.sum(rest * first, -1), np.sum(rest * second, -1)
        # Where both columns are proportional, the second is not used.
        spread = a * b - c * c
        apart = spread > 1e-13 * a * b
        spread = np.where(apart, spread, 1.0)
        s = np.where(apart, (b * ra - c * rb) / spread, ra / a)
        t = np.where(apart, (a * rb - c * ra) / spread, 0.0)
        level = middle[..., 0] - s * means[0][..., 0] - t * means[1][..., 0]
        return np.stack([level, s, t], axis=-1)

    def cost(self, fitted: Array) -> Array:
        """Return the objective; infinite where a robust fit is not positive."""
        if self.huber is None:
            squares: Array = np.sum((fitted - self.y) ** 2, axis=-1)
            return squares
        positive = np.all(fitted > 0, axis=-1)
        size = np.abs(np.log(np.where(fitted > 0, fitted, 1.0) / self.y))
        each = np.where(size <= self.huber, size**2 / 2, self.huber * (size - self.huber / 2))
        return np.where(positive, each.sum(axis=-1), np.inf)

    def solve(self, a: Array, b: Array) -> tuple[Array, Array]:
        """Return the objective at pairs of exponents, and the coefficients."""
        X = self.columns(a, b)
        if self.huber is None:
            best = self.linear(X, np.ones(X.shape[:-1]), np.broadcast_to(self.y, X.shape[:-1]))
            return self.cost(np.einsum("...ij,...j->...i", X, best)), best
        weight = np.broadcast_to(self.y**-2.0, X.shape[:-1])
        best = self.linear(X, weight, np.broadcast_to(self.y, X.shape[:-1]))
        least = self.cost(np.einsum("...ij,...j->...i", X, best))
        for _ in range(_ROUNDS):
            fitted = np.maximum(np.einsum("...ij,...j->...i", X, best), 1e-9 * self.y)
            residual = np.log(fitted / self.y)
            weight = self.huber / np.maximum(np.abs(residual), self.huber) / fitted**2
            trial = self.linear(X, weight, fitted * (1 - residual))
            cost = self.cost(np.einsum("...ij,...j->...i", X, trial))
            better = cost < least
            if not better.any():
                break
            best = np.where(better[..., None], trial, best)
            least = np.where(better, cost, least)
        return least, best

    def local_minima(self) -> Array:
        """Return the local minima of the grid as rows (a, b), the lowest first."""
        a, b = np.meshgrid(*self.grids, indexing="ij")
        # In slices, to bound memory.
        cost = np.array([self.solve(x, y)[0] for x, y in zip(a, b, strict=True)])
        padded = np.pad(cost, 1, constant_values=np.inf)
        lowest = np.ones_like(cost, dtype=bool)
        for i in range(3):
            for j in range(3):
                lowest &= cost <= padded[i : i + len(a), j : j + len(b)]
        at = np.argwhere(lowest)
        at = at[np.argsort(cost[tuple(at.T)])][:_REFINED]
        return np.stack([self.grids[0][at[:, 0]], self.grids[1][at[:, 1]]], axis=-1)

    def refine(self, start: Array) -> tuple[float, Array]:
        """Return objective and (level, slopes, exponents) of the minimum next to a grid node."""
        least, coefficients = self.solve(start[0], start[1])
        x0 = np.append(coefficients, start)
        if self.huber is None:
            # A trial step may leave the range of floats; it is not taken.
            with np.errstate(over="ignore", invalid="ignore"):
                found = least_squares(lambda x: self.fitted(x) - self.y, x0, self.jacobian,
                                      method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15)  # fmt: skip
            if not 2 * found.cost <= least:
                return float(least), x0
            return float(2 * found.cost), found.x

        def residual(x: Array) -> Array:
            return np.log(np.maximum(self.fitted(x), 1e-12 * self.y) / self.y)

        found = least_squares(residual, x0, loss="huber", f_scale=self.huber, x_scale="jac",
                              xtol=1e-13, ftol=1e-13, gtol=1e-13, max_nfev=2000)  # fmt: skip
        return float(self.cost(self.fitted(found.x))), found.x

    def fitted(self, x: Array) -> Array:
        """Return the losses of (level, slopes, exponents)."""
        fitted: Array = self.columns(x[3], x[4]) @ x[:3]
        return fitted

    def jacobian(self, x: Array) -> Array:
        """Return their derivatives, (points, 5)."""
        X = self.columns(x[3], x[4])
        bends = []
        for w, e, h in ((self.u, x[3], X[:, 1]), (self.v, x[4], X[:, 2])):
            bends.append(-(w * np.exp(-e * w) + h) / e)
        return np.column_stack([X, x[1] * bends[0], x[2] * bends[1]])

    def profile(self, value: float, which: int) -> float:
        """Return the least objective with one exponent (0: of N, 1: of D) held."""
        other = self.grids[1 - which]

        def cost(x: ArrayLike) -> Array:
            x = np.asarray(x, dtype=np.float64)
            held = np.full_like(x, value)
            return self.solve(*((held, x) if which == 0 else (x, held)))[0]

        scanned = cost(other)
        k = int(np.argmin(scanned))
        around = (other[max(k - 1, 0)], other[min(k + 1, other.size - 1)])
        found = minimize_scalar(
            lambda x: float(cost(x)), bounds=around, method="bounded", options={"xatol": 1e-9}
        )
        return min(float(found.fun), float(scanned[k]))
