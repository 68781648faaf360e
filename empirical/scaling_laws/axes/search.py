"""The global optimum of a law over several axes: a grid of exponents, then Newton's method.

``find_minima`` solves the linear parameters at every node of a grid over the exponents (variable
projection: Golub and Pereyra, SIAM J. Numer. Anal. 10, 413 (1973)), and descends from each node
that is lower than its neighbours. There are no starting values. ``descend`` is the descent alone,
some parameters held.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from empirical.scaling_laws.axes.law import Array, AxesLaw

_NODES = {1: 80, 2: 36, 3: 15, 4: 9, 5: 6}  # nodes an axis, by the number of axes
_AT_ONCE = 512  # nodes of the grid that are solved together, to bound memory
_STARTS = 24  # descents at most, from the lowest local minima of the grid
_STEPS = 200  # of a descent; ten are usual
_SAME = 1e-3  # relative distance of exponents below which two minima are one


def find_minima(law: AxesLaw) -> list[tuple[float, Array]]:
    """Return the distinct local minima (objective, parameters), the lowest first."""
    low, high = law.bounds
    count = _NODES[law.axes]
    grids = [np.geomspace(a, b, count) for a, b in zip(low, high, strict=True)]
    nodes = np.stack(np.meshgrid(*grids, indexing="ij"), axis=-1).reshape(-1, law.axes)
    linear = np.empty((len(nodes), law.parameters - law.axes))
    values = np.empty(len(nodes))
    for first in range(0, len(nodes), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        linear[part], values[part] = law.linear_fit(nodes[part])
    lowest = _local_minima(values.reshape((count,) * law.axes))
    lowest = lowest[np.argsort(values[lowest])][:_STARTS]
    starts = [np.concatenate([nodes[i], linear[i]]) for i in lowest if math.isfinite(values[i])]
    starts += _swaps(law, starts[0]) if starts else []
    return distinct([descend(law, start) for start in starts], law.axes)


def distinct(found: list[tuple[float, Array]], axes: int) -> list[tuple[float, Array]]:
    """Return minima whose exponents differ, the lowest first."""
    kept: list[tuple[float, Array]] = []
    for objective, x in sorted(found, key=lambda pair: pair[0]):
        if all(np.any(np.abs(x[:axes] / y[:axes] - 1) > _SAME) for _, y in kept):
            kept.append((objective, x))
    return kept


def _local_minima(values: Array) -> NDArray[np.intp]:
    """Return flat indices of nodes that are not above any neighbour along an axis or diagonal."""
    padded = np.pad(values, 1, constant_values=np.inf)
    inner = tuple(slice(1, -1) for _ in range(values.ndim))
    lowest = np.ones(values.shape, dtype=bool)
    for shift in itertools.product((-1, 0, 1), repeat=values.ndim):
        if any(shift):
            lowest &= values <= np.roll(padded, shift, axis=tuple(range(values.ndim)))[inner]
    return np.flatnonzero(lowest)


def _swaps(law: AxesLaw, x: Array) -> list[Array]:
    """Return starts in which two axes exchange their parts, as axes that vary together can."""
    low, high = law.bounds
    starts = []
    for j, k in itertools.combinations(range(law.axes), 2):
        slope = float(law.u[:, j] @ law.u[:, k]) / float(law.u[:, k] @ law.u[:, k])
        if abs(slope) < 1e-9:
            continue
        alpha = x[: law.axes].copy()
        alpha[j], alpha[k] = alpha[k] / slope, alpha[j] * slope
        alpha = np.clip(alpha, low, high)
        linear, value = law.linear_fit(alpha[None])
        if math.isfinite(value[0]):
            starts.append(np.concatenate([alpha, linear[0]]))
    return starts


def descend(
    law: AxesLaw, x: Array, held: tuple[int, ...] | NDArray[np.intp] = ()
) -> tuple[float, Array]:
    """Return the local minimum reached from x by damped Newton steps, with its objective.

    Exponents stay within ``law.bounds``; parameters in ``held`` stay what they are.
    """
    low = np.full(x.size, -np.inf)
    high = np.full(x.size, np.inf)
    low[: law.axes], high[: law.axes] = law.bounds
    own = np.ones(x.size, dtype=bool)
    own[list(held)] = False
    x, damping = x.copy(), 1e-6
    objective, gradient, hessian, gauss = law.curvature(x)
    for _ in range(_STEPS):
        stuck = ((x <= low) & (gradient > 0)) | ((x >= high) & (gradient < 0))
        free = np.flatnonzero(own & ~stuck)
        if free.size == 0:
            break
        scale = np.sqrt(np.maximum(np.diag(gauss)[free], 1e-300))
        slope = gradient[free] / scale
        square = hessian[np.ix_(free, free)] / np.outer(scale, scale)
        step = _newton_step(square, slope, damping)
        trial = x.copy()
        trial[free] = np.clip(x[free] + step / scale, low[free], high[free])
        value = law.objective(trial)
        if value <= objective:
            gain = objective - value
            x, damping = trial, max(damping / 10, 1e-12)
            objective, gradient, hessian, gauss = law.curvature(x)
            if gain <= 1e-15 * abs(objective):
                break
        else:
            damping = max(10 * damping, 1e-6)
            if damping > 1e12:
                break
    return objective, x


def _newton_step(square: Array, slope: Array, damping: float) -> Array:
    """Return the step against the slope, damped until the matrix is positive definite."""
    one = np.eye(slope.size)
    while True:
        try:
            root = np.linalg.cholesky(square + damping * one)
        except np.linalg.LinAlgError:
            damping = max(10 * damping, 1e-9)
            continue
        step: Array = -np.linalg.solve(root.T, np.linalg.solve(root, slope))
        return step
