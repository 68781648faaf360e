"""Where a search for packings starts: anywhere, at a symmetric arrangement, or near a good one.

Use ``random_start`` for independent directions, ``symmetric_start`` for orbits of a random rotation
(descent keeps their symmetry), ``kick`` to change a packing a little.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def _unit(X: Array) -> Array:
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def random_start(n: int, m: int, rng: np.random.Generator) -> Array:
    """Return n independent uniform unit vectors in R^m.

    Examples
    --------
    >>> random_start(4, 2, np.random.default_rng(0)).shape
    (4, 2)
    """
    return _unit(rng.standard_normal((n, m)))


def symmetric_start(n: int, m: int, rng: np.random.Generator) -> Array:
    """Return orbits of a random rotation of random order k <= n, and n mod k vectors besides.

    The rotation turns random planes by multiples of 2π/k and keeps or flips the axes left.

    Examples
    --------
    >>> U = symmetric_start(5, 3, np.random.default_rng(0))
    >>> U.shape
    (5, 3)
    """
    k = int(rng.integers(2, n, endpoint=True))
    turn, axis = np.zeros((m, m)), 0
    while axis < m:
        if axis + 1 < m and k > 2 and rng.random() < 0.85:
            angle = 2 * np.pi * rng.integers(1, (k + 1) // 2) / k
            c, s = np.cos(angle), np.sin(angle)
            turn[axis : axis + 2, axis : axis + 2] = [[c, -s], [s, c]]
            axis += 2
        else:
            turn[axis, axis] = -1.0 if k % 2 == 0 and rng.random() < 0.5 else 1.0
            axis += 1
    vectors = []
    for _ in range(n // k):
        u = rng.standard_normal(m)
        for _ in range(k):
            vectors.append(u)
            u = turn @ u
    fixed = turn.diagonal() == 1.0
    for _ in range(n % k):
        u = rng.standard_normal(m)
        vectors.append(np.where(fixed, u, 0.0) if fixed.any() and rng.random() < 0.7 else u)
    # A little noise lets a descent leave the symmetry where another arrangement is better.
    return _unit(np.array(vectors) + 1e-6 * rng.standard_normal((n, m)))


def kick(U: Array, lines: bool, rng: np.random.Generator) -> Array:
    """Return unit vectors with a few moved elsewhere, some of them into holes, or all shaken.

    Examples
    --------
    >>> kick(np.eye(4), True, np.random.default_rng(0)).shape
    (4, 4)
    """
    n, m = U.shape
    if rng.random() < 0.4:
        size = 10 ** rng.uniform(-1.7, -0.3)
        return _unit(U + size * rng.standard_normal((n, m)) / np.sqrt(m))
    most = 3 if rng.random() < 0.7 else max(1, n // 3)
    moved = rng.permutation(n)[: rng.integers(1, min(most, n - 1), endpoint=True)]
    V, stay = U.copy(), np.ones(n, dtype=bool)
    stay[moved] = False
    into_holes = rng.random() < 0.5
    for a in moved:
        places = random_start(60 if into_holes else 1, m, rng)
        t = places @ V[stay].T
        V[a] = places[np.argmin((np.abs(t) if lines else t).max(axis=1))]
        stay[a] = True
    return V
