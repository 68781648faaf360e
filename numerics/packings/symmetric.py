"""Packings with a symmetry: descents of orbits, of which only one vector each is moved.

Use ``SymmetricSearch(n, m, lines, rng).draw()`` for a promising packing, or None. Descending an
orbit's one vector costs a fraction of descending them all, and there are far fewer optima: from
about m = 9 on, most of the best packings known are found so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from numerics.packings.kernels import descend_orbits
from numerics.packings.starts import symmetric_start

Array = NDArray[np.float64]

# Sharpness of the smoothed largest overlap, most iterations, and how far above the best estimate of
# all draws one may lie to go on.
_STAGES = ((15.0, 200, 0.05), (60.0, 200, 1e-2), (300.0, 300, 3e-3), (1500.0, 300, 3e-4))
_TOLERANCE = 1e-4
# Symmetries that are not a packing's own are left by noise of this size.
_NOISE = 1e-6


class SymmetricSearch:
    """Random orbits of random rotations, descended within their symmetry.

    Parameters
    ----------
    n, m : int
        Vectors and dimension.
    lines : bool
        Whether |t| counts, or t.
    rng : Generator
        Source of the draws.

    Examples
    --------
    >>> search = SymmetricSearch(16, 6, True, np.random.default_rng(0))
    >>> U = search.draw()                                  # the first is the best so far
    >>> U.shape
    (16, 6)
    """

    def __init__(self, n: int, m: int, lines: bool, rng: np.random.Generator) -> None:
        self.n, self.m, self.lines, self.rng = n, m, lines, rng
        self._marks = [np.inf] * len(_STAGES)

    def draw(self) -> Array | None:
        """Return n unit vectors near an optimum among symmetric ones, or None if it is too poor."""
        orbits = symmetric_start(self.n, self.m, self.lines, self.rng)
        for k, (p, iterations, margin) in enumerate(_STAGES):
            vectors, estimate = descend_orbits(
                orbits.vectors, p, self.lines, iterations, _TOLERANCE, orbits.turn, orbits.order
            )
            self._marks[k] = min(self._marks[k], estimate)
            if estimate > self._marks[k] + margin:
                return None
            orbits = orbits._replace(vectors=vectors)
        U = self.rng.permutation(orbits.images())[: self.n]
        U += _NOISE * self.rng.standard_normal(U.shape)
        unit: Array = U / np.linalg.norm(U, axis=1, keepdims=True)
        return unit
