"""Packings that a rotation maps to themselves: descent in one vector of each orbit.

``SymmetricSearch(n, m, lines, rng).draw()`` returns a packing near a good symmetric optimum, or
None. One vector of each orbit costs a fraction of all of them, and there are far fewer local
optima: from about m = 9 on, most of the best packings known are found in this way.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from numerics.packings.deadline import NEVER, Deadline
from numerics.packings.kernels import descend_orbits
from numerics.packings.starts import symmetric_start

Array = NDArray[np.float64]

# Stages of the descent: sharpness p of the smoothed largest overlap, most iterations, and how far
# above the best estimate of all draws an estimate may lie for the next stage.
_STAGES = ((15.0, 200, 0.05), (60.0, 200, 1e-2), (300.0, 300, 3e-3), (1500.0, 300, 3e-4))
_TOLERANCE = 1e-4
# Noise that breaks the symmetry, so that later descents can leave it.
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
    deadline : Deadline
        When to end at the latest.

    Examples
    --------
    >>> search = SymmetricSearch(16, 6, True, np.random.default_rng(0))
    >>> U = search.draw()                                  # the first is the best so far
    >>> U.shape
    (16, 6)
    """

    def __init__(
        self, n: int, m: int, lines: bool, rng: np.random.Generator, deadline: Deadline = NEVER
    ) -> None:
        self.n, self.m, self.lines, self.rng, self.deadline = n, m, lines, rng, deadline
        self._best = [np.inf] * len(_STAGES)

    def draw(self) -> Array | None:
        """Return n unit vectors near an optimum among symmetric ones, or None if it is too poor."""
        orbits = symmetric_start(self.n, self.m, self.lines, self.rng)
        for k, (p, iterations, margin) in enumerate(_STAGES):
            vectors, estimate = descend_orbits(
                orbits.vectors,
                p,
                self.lines,
                iterations,
                _TOLERANCE,
                orbits.turn,
                orbits.order,
                self.deadline.flag,
            )
            if self.deadline.passed:
                return None
            self._best[k] = min(self._best[k], estimate)
            if estimate > self._best[k] + margin:
                return None
            orbits = orbits._replace(vectors=vectors)
        U = self.rng.permutation(orbits.images())[: self.n]
        U += _NOISE * self.rng.standard_normal(U.shape)
        unit: Array = U / np.linalg.norm(U, axis=1, keepdims=True)
        return unit
