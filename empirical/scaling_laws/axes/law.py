"""The law L = L_0 + sum_k c_k/x_k^alpha_k over several axes, and the misfit of it to losses.

Use ``AxesLaw`` through ``fit_axes``. For given exponents the law is linear in all else. With
u_k = ln x_k about its mean, it is computed as

    L = level + sum_k s_k f(alpha_k, u_k),   f(alpha, u) = (exp(-alpha u) - shift)/alpha,

which for shift = 1 stays well conditioned as alpha_k goes to 0 (a logarithm), and for shift = 0 has
level = L_0. c_k = s_k exp(alpha_k mean(ln x_k))/alpha_k. An interaction of axes j and k is the term
c_jk x_j^-alpha_j x_k^-alpha_k.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from theory.results import result

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Residuals = Literal["squared", "log", "huber"]

# Smallest exponent times the range of ln x: the power is then a logarithm to 1 %.
_SMALLEST = 0.02
# exp(-alpha (u - least u)) at the median of u for the largest exponent: beyond it only the smallest
# values of the axis differ from the rest.
_FLAT = 1e-3


@dataclass(frozen=True, eq=False)
@result
class AxesLaw:
    """The points, the terms of the law, and what is minimised.

    Attributes
    ----------
    u : ndarray, shape (k, axes)
        Logarithms of the axes, about their means.
    y : ndarray, shape (k,)
        Losses.
    weight : ndarray, shape (k,)
        Weight of each point's residual.
    member : ndarray, shape (k, groups)
        1 where a point belongs to a group; each group has its own level.
    pairs : tuple of (int, int)
        Axes that interact.
    residuals : {"squared", "log", "huber"}
        Squares of L - y, squares of ln L - ln y, or Huber's loss of ln L - ln y.
    delta : float
        Threshold of Huber's loss.
    shift : float
        1, or 0 where the levels are to be the floors.
    floor : bool
        Whether there are floors: without them the levels of shift = 0 are 0.
    """

    u: Array
    y: Array
    weight: Array
    member: Array
    pairs: tuple[tuple[int, int], ...] = ()
    residuals: Residuals = "squared"
    delta: float = 1e-3
    shift: float = 1.0
    floor: bool = True

    @property
    def axes(self) -> int:
        """Number of axes, and of exponents."""
        return int(self.u.shape[1])

    @property
    def levels(self) -> int:
        """Number of levels: one a group, none without floors."""
        return int(self.member.shape[1]) if self.floor else 0

    @property
    def parameters(self) -> int:
        """Number of parameters: exponents, levels, slopes, interactions."""
        return 2 * self.axes + self.levels + len(self.pairs)

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Smallest and largest exponent of each axis that the search allows."""
        span = np.ptp(self.u, axis=0)
        low = _SMALLEST / span
        reach = np.median(self.u, axis=0) - self.u.min(axis=0)
        high = -np.log(_FLAT) / np.where(reach > 0, reach, span)
        return low, np.maximum(high, 8 * low)

    def reweight(self, weight: Array) -> AxesLaw:
        """Return the law with other weights, as for a resample."""
        return replace(self, weight=weight)

    # ---- the law and its derivatives ----

    def columns(self, alpha: Array) -> Array:
        """Return the columns that the law is linear in, shape (…, k, linear parameters)."""
        alpha = np.asarray(alpha)[..., None, :]
        powers = np.exp(-alpha * self.u)
        slopes = (np.expm1(-alpha * self.u) if self.shift else powers) / alpha
        parts = [slopes]
        if self.levels:
            parts.insert(0, np.broadcast_to(self.member, (*powers.shape[:-1], self.levels)))
        parts += [(powers[..., j] * powers[..., k])[..., None] for j, k in self.pairs]
        return np.concatenate(parts, axis=-1)

    def value(self, x: Array) -> Array:
        """Return the law at the points for parameters (exponents, levels, slopes, interactions)."""
        found: Array = self.columns(x[: self.axes]) @ x[self.axes :]
        return found

    def derivatives(self, x: Array) -> tuple[Array, Array, Array]:
        """Return L, its Jacobian (k, p) and its second derivatives (k, p, p)."""
        K, first = self.axes, self.axes + self.levels
        alpha, slope = x[:K], x[first : first + K]
        cross = x[first + K :]
        columns = self.columns(alpha)
        value = columns @ x[K:]
        z = alpha * self.u
        powers = np.exp(-z)
        f = columns[:, self.levels : self.levels + K]
        f1 = (-self.u * powers - f) / alpha
        f2 = (self.u**2 * powers - 2 * f1) / alpha
        jacobian = np.concatenate([f1 * slope, columns], axis=1)
        second = np.zeros((*jacobian.shape, jacobian.shape[1]))
        for k in range(K):
            second[:, k, k] = f2[:, k] * slope[k]
            second[:, k, first + k] = second[:, first + k, k] = f1[:, k]
        for number, (i, j) in enumerate(self.pairs):
            product, at = powers[:, i] * powers[:, j], first + K + number
            c = cross[number]
            jacobian[:, i] -= c * self.u[:, i] * product
            jacobian[:, j] -= c * self.u[:, j] * product
            second[:, i, i] += c * self.u[:, i] ** 2 * product
            second[:, j, j] += c * self.u[:, j] ** 2 * product
            both = c * self.u[:, i] * self.u[:, j] * product
            second[:, i, j] += both
            second[:, j, i] += both
            for axis in (i, j):
                second[:, axis, at] -= self.u[:, axis] * product
                second[:, at, axis] = second[:, axis, at]
        return value, jacobian, second

    # ---- what is minimised ----

    def objective(self, x: Array) -> float:
        """Return the weighted sum over the points; inf where a logarithm does not exist."""
        return float(self.misfit(self.value(x)))

    def misfit(self, value: Array) -> Array:
        """Return the objective of losses given at the points, over the last axis."""
        if self.residuals == "squared":
            return np.asarray(np.sum(self.weight * (value - self.y) ** 2, axis=-1))
        fine = np.all(value > 0, axis=-1)
        residual = np.log(np.where(value > 0, value, 1.0) / self.y)
        if self.residuals == "log":
            each = residual**2
        else:
            size = np.abs(residual)
            each = np.where(
                size <= self.delta, residual**2 / 2, self.delta * (size - self.delta / 2)
            )
        return np.where(fine, np.sum(self.weight * each, axis=-1), np.inf)

    def curvature(self, x: Array) -> tuple[float, Array, Array, Array]:
        """Return the objective, its gradient, its Hessian and that of Gauss and Newton."""
        value, jacobian, second = self.derivatives(x)
        if self.residuals == "squared":
            pull, soft = 2 * (value - self.y), np.full_like(value, 2.0)
            stiff = soft
            objective = float(self.misfit(value))
        else:
            # d/dL of rho(ln L - ln y): rho'/L; second: (rho'' - rho')/L^2
            safe = np.where(value > 0, value, 1.0)
            residual = np.log(safe / self.y)
            if self.residuals == "log":
                first, ease = 2 * residual, np.full_like(value, 2.0)
                bend = ease
            else:
                first = np.clip(residual, -self.delta, self.delta)
                bend = (np.abs(residual) <= self.delta).astype(np.float64)
                ease = self.delta / np.maximum(np.abs(residual), self.delta)
            pull, stiff, soft = first / safe, (bend - first) / safe**2, ease / safe**2
            objective = float(self.misfit(value))
        gradient = jacobian.T @ (self.weight * pull)
        gauss = jacobian.T @ ((self.weight * soft)[:, None] * jacobian)
        hessian = jacobian.T @ ((self.weight * stiff)[:, None] * jacobian)
        hessian += np.tensordot(self.weight * pull, second, axes=1)
        return objective, gradient, hessian, gauss

    def linear_fit(self, alpha: Array, steps: int = 3) -> tuple[Array, Array]:
        """Return the best linear parameters at each row of exponents, and the objective.

        Exact for squared residuals. For logarithms: a fit of relative residuals and a few steps of
        Gauss and Newton from it, which is enough to compare nodes of a grid.
        """
        columns = self.columns(alpha)
        if self.residuals == "squared":
            beta = _solve(columns, np.broadcast_to(self.weight, columns.shape[:-1]), self.y)
            return beta, self.misfit(np.einsum("bkp,bp->bk", columns, beta))
        beta = _solve(columns, np.broadcast_to(self.weight / self.y**2, columns.shape[:-1]), self.y)
        value = np.einsum("bkp,bp->bk", columns, beta)
        best = self.misfit(value)
        for _ in range(steps):
            safe = np.where(value > 0, value, self.y)
            residual = np.log(safe / self.y)
            ease = np.ones_like(residual)
            if self.residuals == "huber":
                ease = self.delta / np.maximum(np.abs(residual), self.delta)
            trial = _solve(columns, self.weight * ease / safe**2, safe * (1 - residual))
            trial_value = np.einsum("bkp,bp->bk", columns, trial)
            found = self.misfit(trial_value)
            better = found < best
            beta = np.where(better[:, None], trial, beta)
            value = np.where(better[:, None], trial_value, value)
            best = np.where(better, found, best)
        return beta, best


def _solve(columns: Array, weight: Array, target: Array) -> Array:
    """Return weighted least squares for each set of columns (b, k, p)."""
    weighted = columns * weight[..., None]
    normal = np.einsum("bkp,bkq->bpq", weighted, columns)
    right = np.einsum("bkp,bk->bp", weighted, np.broadcast_to(target, columns.shape[:-1]))
    size = np.sqrt(np.einsum("bpp->bp", normal))
    size = np.where(size > 0, size, 1.0)
    normal = normal / size[:, :, None] / size[:, None, :]
    # Rounding alone: nearly equal columns leave the fitted losses determined.
    normal = normal + 1e-13 * np.eye(normal.shape[-1])
    found: Array = np.linalg.solve(normal, (right / size)[..., None])[..., 0] / size
    return found
