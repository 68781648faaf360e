"""Starting points of a search for packings: random, symmetric, or a perturbed packing.

``random_start`` draws independent directions, ``symmetric_start`` orbits of a random rotation;
``kick`` perturbs a packing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


# Vectors that one kick moves at most: each costs n m operations.
_MOST_MOVED = 300


def _unit(X: Array) -> Array:
    unit: Array = X / np.linalg.norm(X, axis=1, keepdims=True)
    return unit


def random_start(n: int, m: int, rng: np.random.Generator) -> Array:
    """Return n independent uniform unit vectors in R^m.

    Examples
    --------
    >>> random_start(4, 2, np.random.default_rng(0)).shape
    (4, 2)
    """
    return _unit(rng.standard_normal((n, m)))


class Orbits(NamedTuple):
    """One vector of each orbit under the powers of a rotation of finite order.

    ``vectors`` (s x m); ``turn`` (m x 2): the rotation mixes the coordinates 0 and 1, 2 and 3, …:
    row k holds the factors of the k-th and of its neighbour; ``order`` (s): images of each.
    """

    vectors: Array
    turn: Array
    order: NDArray[np.int64]

    def images(self) -> Array:
        """Return all vectors, orbit by orbit."""
        m = len(self.turn)
        neighbour = np.arange(m) ^ 1
        inside = neighbour < m
        rows = []
        for u, k in zip(self.vectors, self.order, strict=True):
            for _ in range(k):
                rows.append(u)
                other = np.where(inside, u[np.where(inside, neighbour, 0)], 0.0)
                u = self.turn[:, 0] * u + self.turn[:, 1] * other
        return np.array(rows)


def symmetric_start(n: int, m: int, lines: bool, rng: np.random.Generator) -> Orbits:
    """Return random orbits of a random rotation of random order, with n vectors or a few more.

    The rotation turns random planes by multiples of 2π/k and keeps or flips the other axes; for
    lines, in half of the draws, its k-th power is -1 instead of 1. Where k does not divide n, fixed
    vectors of the rotation make up the rest, or one more orbit gives too many.

    Examples
    --------
    >>> orbits = symmetric_start(10, 4, True, np.random.default_rng(0))
    >>> orbits.images().shape, orbits.order
    ((10, 4), array([10]))
    """
    while True:
        k = int(rng.integers(2, n + n // 8, endpoint=True))
        whole, left = divmod(n, k)
        half = lines and rng.random() < 0.5 and (m % 2 == 0 or k % 2 == 1)
        turn = np.zeros((m, 2))
        for axis in range(0, m, 2):
            if axis + 1 < m and k > 2 and (half or rng.random() < 0.9):
                steps = rng.integers(k // 2) + 0.5 if half else rng.integers(1, (k + 1) // 2)
                c, s = np.cos(2 * np.pi * steps / k), np.sin(2 * np.pi * steps / k)
                turn[axis : axis + 2] = [[c, -s], [c, s]]
            else:
                flips = half or (k % 2 == 0 and rng.random(2) < 0.5)
                turn[axis : axis + 2, 0] = np.where(np.broadcast_to(flips, 2), -1.0, 1.0)[
                    : m - axis
                ]
        fixed = (turn == [1.0, 0.0]).all(axis=1)
        if left == 0 or k - left <= n // 8 or left <= 2 * fixed.sum():
            break
    kept = left if left <= 2 * fixed.sum() else 0
    whole += left > kept
    V = rng.standard_normal((whole + kept, m))
    V[whole:] *= fixed
    order = np.array([k] * whole + [1] * kept, dtype=np.int64)
    return Orbits(_unit(V), turn, order)


def kick(U: Array, lines: bool, rng: np.random.Generator) -> Array:
    """Return unit vectors of which a few were moved at random or into holes, or all perturbed.

    Examples
    --------
    >>> kick(np.eye(4), True, np.random.default_rng(0)).shape
    (4, 4)
    """
    n, m = U.shape
    if rng.random() < 0.4:
        size = 10 ** rng.uniform(-1.7, -0.3)
        return _unit(U + size * rng.standard_normal((n, m)) / np.sqrt(m))
    most = 3 if rng.random() < 0.7 else min(max(1, n // 3), _MOST_MOVED)
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
