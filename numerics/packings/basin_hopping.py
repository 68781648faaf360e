"""Basin hopping for packings of least overlap: descents from perturbed packings, then polishing.

``BasinHopping(n, m, lines, rng).step()`` makes one start or kick; ``numerics.packings.search.pack``
repeats it.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from numpy.typing import NDArray

from numerics.packings.deadline import NEVER, Deadline
from numerics.packings.descent import descend
from numerics.packings.energies import soft_maximum
from numerics.packings.interior_point import largest_overlap, polish
from numerics.packings.kernels import descend_soft_maximum
from numerics.packings.starts import kick, random_start
from numerics.packings.symmetric import SymmetricSearch

Array = NDArray[np.float64]

# Sharpness p of the smoothed largest overlap in the first descent, one of these at random.
_FIRST_SHARPNESS = (15.0, 60.0, 150.0)
# Sharpness and most iterations of the stages that follow, one after the other.
_STAGES = ((300.0, 300), (1500.0, 600), (8000.0, 1000))
# Sharpness and most iterations of the descent before a polish.
_FINAL_STAGE = (60000.0, 1000)
# A candidate is dropped after a stage if its estimate lies above that of the current packing by
# more than this. A few that would gain are lost, which costs less than the time for all others.
_REJECT_ABOVE = (1.5e-4, 3e-5, 1e-6)
# Smallest gain that counts as one.
_GAIN = 1e-7
# Largest difference of sorted overlaps between two descents to the same packing.
_SAME = 1e-3
# How far above the best value an estimate may lie for the final stage, and then for a polish.
_NEAR_BEST, _NEAR_BEST_FINAL = 1e-5, 2e-6
# Gain per iteration, times p, that ends a descent.
_TOLERANCE = 1e-4
# A walk starts from the best of this many random starts.
_RANDOM_STARTS = 8
# Every so many walks one starts from the best packing of all.
_RETURN_EVERY = 4
# Kicks without a gain after which a walk ends.
_PATIENCE = 300
# One symmetric packing is drawn per this many coordinates before each kick or random start, which
# takes about as long as the kick at (n, m) = (40, 12), and a third of it at (24, 8).
_COORDINATES_PER_DRAW = 30
# At the best packing, one kick in nm/6 is small noise that is polished at once: flat landscapes
# hold many packings whose values differ by less than the smoothing. A polish costs about as much.
_POLISH_EVERY = 6
# Most vectors for which pairs are visited one by one; beyond, products of matrices are faster.
_FEW = 200
# Most coordinates for a polish, whose Newton matrix has as many rows.
_POLISHED = 3000
# Largest n² m for symmetric draws (an iteration takes at most half as many operations), and most
# vectors for comparing all sorted overlaps.
_SYMMETRIC, _COMPARED = 2e9, 1000


def _same(U: Array, V: Array) -> bool:
    """Whether two packings have the same overlaps, so that one is a rotation of the other."""
    if len(U) > _COMPARED:  # two descents of so many vectors do not end at one packing
        return False
    t = (np.sort(np.abs(X @ X.T), axis=None) for X in (U, V))
    return float(np.max(np.abs(next(t) - next(t)))) < _SAME


class BasinHopping:
    """Kicks of the current packing that are accepted if they gain; then a new walk.

    A walk starts from the best of some random starts, every fourth from the best packing of all.

    Parameters
    ----------
    n, m : int
        Vectors and dimension.
    lines : bool
        Whether |t| counts, or t.
    rng : Generator
        Source of starts and kicks.
    deadline : Deadline
        When to end at the latest.
    """

    def __init__(
        self, n: int, m: int, lines: bool, rng: np.random.Generator, deadline: Deadline = NEVER
    ) -> None:
        self.n, self.m, self.lines, self.rng, self.deadline = n, m, lines, rng, deadline
        self.symmetric = SymmetricSearch(n, m, lines, rng, deadline)
        self.best: tuple[float, Array] | None = None  # polished, of all walks
        self.walks = 0
        self._begin()

    def _begin(self) -> None:
        """Start a new walk."""
        # Estimate and packing of the current packing after each stage.
        self.current: list[tuple[float, Array]] = []
        # The best packing of this walk that was polished.
        self.walk_best: tuple[float, Array] | None = None
        self.random_starts, self.idle = _RANDOM_STARTS, 0
        self.walks += 1
        if self.best is not None and self.walks % _RETURN_EVERY == 0:
            self.random_starts, self.walk_best = 0, self.best
            for p, iterations in _STAGES:
                U, estimate = self._descend(self.best[1], p, iterations)
                self.current.append((estimate, U))

    @property
    def best_value(self) -> float:
        """The best polished value so far."""
        return math.inf if self.best is None else self.best[0]

    def _descend(self, U: Array, p: float, iterations: int) -> tuple[Array, float]:
        """Lower the smoothed largest overlap; return also an estimate of the value at larger p."""
        if len(U) <= _FEW:
            V, estimate = descend_soft_maximum(
                U, p, self.lines, iterations, _TOLERANCE, self.deadline.flag
            )
            return V, float(estimate)
        V = descend(U, partial(soft_maximum, p=p, lines=self.lines), iterations, self.deadline)
        # Weights times overlaps: the Lagrange dual at the weights of the soft maximum.
        return V, float(np.sum(V * soft_maximum(V, p, self.lines)[1])) / 2

    def _draw_symmetric(self) -> Array | None:
        """Return a promising symmetric packing, if one of some draws is."""
        if self.n**2 * self.m > _SYMMETRIC:
            return None
        if self.n > _FEW and not self.current and self.deadline.left < math.inf:
            return None  # under a time limit the first start comes first
        for _ in range(self.n * self.m // _COORDINATES_PER_DRAW + 1):
            drawn = self.symmetric.draw()
            if drawn is not None or self.deadline.passed:
                return drawn
        return None

    def _propose(self) -> Array:
        """Return where to descend from."""
        drawn = self._draw_symmetric()
        if drawn is not None:
            return drawn
        if self.random_starts or not self.current:
            self.random_starts = max(self.random_starts - 1, 0)
            U = random_start(self.n, self.m, self.rng)
        else:
            self.idle += 1
            U = kick(self.current[-1][1], self.lines, self.rng)
        first = int(self.rng.integers(len(_FIRST_SHARPNESS) + (self.random_starts == 0)))
        if first < len(_FIRST_SHARPNESS):
            U, _ = self._descend(U, _FIRST_SHARPNESS[first], _STAGES[0][1])
        return U

    def _polish(self, U: Array) -> Array:
        U = polish(U, self.lines, deadline=self.deadline)
        value = largest_overlap(U, self.lines)
        if self.walk_best is None or value < self.walk_best[0] - _GAIN:
            self.walk_best, self.idle = (value, U), 0
        if value < self.best_value:
            self.best = (value, U)
        return U

    def _polish_noise(self) -> Array | None:
        """Polish the best packing with a little noise, if it is time for that."""
        every = max(self.n * self.m // _POLISH_EVERY, 2)
        if self.walk_best is None or self.idle % every != every - 1:
            return None
        if self.walk_best[0] >= self.best_value + _GAIN:
            return None
        self.idle += 1
        noise = 10 ** self.rng.uniform(-2.2, -1.4) * self.rng.standard_normal((self.n, self.m))
        return self._polish(self.walk_best[1] + noise)

    def step(self) -> tuple[Array, float]:
        """Descend from one start or kick until it is rejected or polished; return its value too."""
        if self.idle > _PATIENCE:
            self._begin()
        polished = self._polish_noise()
        if polished is not None:
            return polished, largest_overlap(polished, self.lines)
        U = self._propose()
        stages: list[tuple[float, Array]] = []
        for k, (p, iterations) in enumerate(_STAGES):
            U, estimate = self._descend(U, p, iterations)
            if self.deadline.passed:
                return U, largest_overlap(U, self.lines)
            stages.append((estimate, U))
            if self.current and self._reject(k, estimate, U):
                return U, largest_overlap(U, self.lines)
        if not self.current or stages[-1][0] < self.current[-1][0] - _GAIN:
            self.idle = 0
        self.current = stages
        if stages[-1][0] < self.best_value + _NEAR_BEST:
            U, estimate = self._descend(U, *_FINAL_STAGE)
            if estimate < self.best_value + _NEAR_BEST_FINAL and U.size <= _POLISHED:
                U = self._polish(U)
        return U, largest_overlap(U, self.lines)

    def _reject(self, stage: int, estimate: float, U: Array) -> bool:
        """Whether a candidate is worse than the current packing after a stage, or the same."""
        value, V = self.current[stage]
        return estimate > value + _REJECT_ABOVE[stage] or _same(U, V)
