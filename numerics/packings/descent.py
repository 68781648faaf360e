"""Descent of an energy of unit vectors: L-BFGS on a product of spheres.

``descend(U, energy, iterations)`` works in the precision of U; energies are in
``numerics.packings.energies``. Its overhead is a few passes over the stored steps, while that of
scipy's L-BFGS-B exceeds the evaluation of a large energy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.packings.deadline import NEVER, Deadline
from numerics.packings.kernels import lbfgs_direction

# Of float32 or float64.
Array = NDArray[Any]
Energy = Callable[[Array], tuple[float, Array]]

_MEMORY = 12
# Root mean square displacement of the vectors: in the first step, and the largest in any.
_FIRST, _LONGEST = 0.02, 1.0
# Relative gain, in units of the precision, below which a step counts as stalled, and how many such
# steps in a row end the descent.
_STALLED, _IN_A_ROW = 16.0, 3


def descend(U: Array, energy: Energy, iterations: int, deadline: Deadline = NEVER) -> Array:
    """Lower an energy of unit vectors from U until steps stall.

    Parameters
    ----------
    U : ndarray, shape (n, m)
        The start: rows of any length above 0, float32 or float64.
    energy : callable
        Takes unit vectors, returns the value and its gradient (not yet projected).
    iterations : int
        Most steps.
    deadline : Deadline
        When to end at the latest, to one evaluation of the energy.

    Returns
    -------
    ndarray, shape (n, m)
        Unit vectors of no larger energy, in the precision of U.

    Examples
    --------
    >>> from numerics.packings.energies import p_frame
    >>> start = np.random.default_rng(0).standard_normal((3, 2))
    >>> U = descend(start, lambda U: p_frame(U, 2.0), 100)
    >>> round(p_frame(U, 2.0)[0], 9)       # n²/m - n
    1.5
    """
    small = _STALLED * np.finfo(U.dtype).eps

    def evaluate(X: Array) -> tuple[float, Array, Array]:
        size = np.sqrt(np.einsum("nm,nm->n", X, X))[:, None]
        V = X / size
        value, slope = energy(V)
        slope = (slope - V * np.einsum("nm,nm->n", slope, V)[:, None]) / size
        return value, slope.ravel(), V

    X = U / np.linalg.norm(U, axis=1, keepdims=True)
    value, g, V = evaluate(X)
    steps = np.empty((_MEMORY, X.size), X.dtype)
    changes, inverse = np.empty_like(steps), np.empty(_MEMORY, X.dtype)
    count = stalled = 0
    for _ in range(iterations):
        if deadline.passed or not np.any(g):  # flat: under a ReLU an energy can reach 0
            break
        direction = lbfgs_direction(g, steps, changes, inverse, count, _FIRST * math.sqrt(len(X)))
        down = float(direction @ g)
        size = 1.0
        if down < 0:
            size = min(1.0, _LONGEST * math.sqrt(len(X)) / math.sqrt(direction @ direction))
        found = None
        for _ in range(20 if down < 0 else 0):
            if deadline.passed:
                return V
            trial = X + size * direction.reshape(X.shape)
            new, new_g, new_V = evaluate(trial)
            if new <= value + 1e-4 * size * down:
                found = trial
                break
            # The minimum of the parabola through both values and the slope.
            curve = 2 * (new - value - size * down)
            size = min(max(-down * size * size / curve, 0.1 * size), 0.5 * size)
        if found is None:
            if count == 0:
                break
            count = 0  # the memory gives no descent direction: restart along the gradient
            continue
        change = new_g - g
        bend = size * float(direction @ change)
        if bend > 0:
            i = count % _MEMORY
            np.multiply(direction, size, out=steps[i])
            changes[i], inverse[i] = change, 1 / bend
            count += 1
        stalled = stalled + 1 if value - new <= small * abs(value) else 0
        X, value, g, V = found, new, new_g, new_V
        if stalled >= _IN_A_ROW:
            break
    return V
