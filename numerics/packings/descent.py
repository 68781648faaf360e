"""Descent of an energy of unit vectors: L-BFGS on a product of spheres.

Use ``descend(U, energy, iterations)``; energies are in ``numerics.packings.energies``. It works in
the precision of U, and has no overhead beyond some passes over its memory: scipy's costs more than
a large energy itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.packings.kernels import lbfgs_direction

# Of float32 or float64.
Array = NDArray[Any]
Energy = Callable[[Array], tuple[float, Array]]

_MEMORY = 12
# Root mean square moves of the vectors: the first, and the most in one step.
_FIRST, _LONGEST = 0.02, 1.0
# A step that gains less, relative to the value and in units of the precision, may be the last:
# so many in a row end it.
_STALLED, _IN_A_ROW = 16.0, 3


def descend(U: Array, energy: Energy, iterations: int) -> Array:
    """Lower an energy of unit vectors from U until it gains nothing more.

    Parameters
    ----------
    U : ndarray, shape (n, m)
        The start: rows of any length above 0, float32 or float64.
    energy : callable
        Takes unit vectors, returns the value and its gradient (not yet projected).
    iterations : int
        Most steps.

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
        if not np.any(g):  # flat: under a ReLU an energy can reach 0
            break
        direction = lbfgs_direction(g, steps, changes, inverse, count, _FIRST * math.sqrt(len(X)))
        down = float(direction @ g)
        size = 1.0
        if down < 0:
            size = min(1.0, _LONGEST * math.sqrt(len(X)) / math.sqrt(direction @ direction))
        found = None
        for _ in range(20 if down < 0 else 0):
            trial = X + size * direction.reshape(X.shape)
            new, new_g, new_V = evaluate(trial)
            if new <= value + 1e-4 * size * down:
                found = trial
                break
            # The lowest point of a parabola through what is known.
            curve = 2 * (new - value - size * down)
            size = min(max(-down * size * size / curve, 0.1 * size), 0.5 * size)
        if found is None:
            if count == 0:
                break
            count = 0  # the memory misleads: start again along the slope
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
