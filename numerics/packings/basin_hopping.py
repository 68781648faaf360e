"""Basin hopping for packings of least overlap: descents, kicks that are kept if they gain, polish.

Use through ``numerics.packings.search.pack``; ``Walk(n, m, lines, rng).step()`` makes one start or
kick.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from numpy.typing import NDArray

from numerics.packings.descent import descend
from numerics.packings.energies import soft_maximum
from numerics.packings.interior_point import largest_overlap, polish
from numerics.packings.kernels import descend_soft_maximum
from numerics.packings.starts import kick, random_start
from numerics.packings.symmetric import SymmetricSearch

Array = NDArray[np.float64]

# Sharpness of the smoothed largest overlap and most iterations: one of the first, to begin with,
# then the others in turn, as long as the start promises anything.
_BEGIN = (15.0, 60.0, 150.0)
_STAGES = ((300.0, 300), (1500.0, 600), (8000.0, 1000))
_SHARPEST = 60000.0
# How far above that of the walk's current packing an estimate may lie after each of the stages. A
# few kicks that would gain are lost so; the time that the others would take is worth more.
_HOPELESS = (1.5e-4, 3e-5, 1e-6)
_GAIN = 1e-7
# Differences of overlaps that two descents to one packing leave.
_ALIKE = 1e-3
# What is sharpened, then polished: estimates at most so far above the best that was.
_CLOSE, _CLOSER = 1e-5, 2e-6
_TOLERANCE = 1e-4
# A walk begins at the best of some random starts, every fourth at the best packing of all, and ends
# after that many kicks that gained nothing.
_FRESH, _RETURN, _PATIENCE = 8, 4, 300
# Before each kick or random start, one symmetric packing is drawn for so many coordinates: that
# takes about as long at (40, 12), and a third of it at (24, 8). A promising one takes its place.
_COORDINATES = 30
# At the best so far, one kick in nm/6 is a little noise, polished at once: flat landscapes hold
# many packings that differ by less than any smoothing can tell. A polish costs about as much.
_SHAKE = 6
# Up to here pairs are visited one by one (more: products of matrices), and Newton's matrix fits.
_FEW, _POLISHED = 200, 3000


def _lower(U: Array, p: float, lines: bool, iterations: int) -> tuple[Array, float]:
    """Lower the smoothed largest overlap; return also an estimate of where sharper p would end."""
    if len(U) <= _FEW:
        V, estimate = descend_soft_maximum(U, p, lines, iterations, _TOLERANCE)
        return V, float(estimate)
    V = descend(U, partial(soft_maximum, p=p, lines=lines), iterations)
    # Weights times overlaps: the value of the Lagrange dual with the weights of the soft maximum.
    return V, float(np.sum(V * soft_maximum(V, p, lines)[1])) / 2


class Walk:
    """Basin hopping: kicks of the current packing that are kept if they gain; then a new walk.

    Walks begin at the best of some fresh starts, every few at the best packing of all.
    """

    def __init__(self, n: int, m: int, lines: bool, rng: np.random.Generator) -> None:
        self.n, self.m, self.lines, self.rng = n, m, lines, rng
        self.symmetric = SymmetricSearch(n, m, lines, rng)
        self.best: tuple[float, Array] | None = None  # polished, of all walks
        self.walks = 0
        self._begin()

    def _begin(self) -> None:
        self.way: list[tuple[float, Array]] = []  # estimate and packing, stage by stage
        self.top: tuple[float, Array] | None = None  # the best of this walk that was polished
        self.fresh, self.idle = _FRESH, 0
        self.walks += 1
        if self.best is not None and self.walks % _RETURN == 0:
            self.fresh, self.top = 0, self.best
            for p, iterations in _STAGES:
                U, estimate = _lower(self.best[1], p, self.lines, iterations)
                self.way.append((estimate, U))

    @property
    def reached(self) -> float:
        """The best polished value so far."""
        return math.inf if self.best is None else self.best[0]

    def _propose(self) -> Array:
        """Return where to descend from."""
        for _ in range(self.n * self.m // _COORDINATES + 1):
            drawn = self.symmetric.draw()
            if drawn is not None:
                return drawn
        if self.fresh:
            self.fresh -= 1
            U = random_start(self.n, self.m, self.rng)
        else:
            self.idle += 1
            U = kick(self.way[-1][1], self.lines, self.rng)
        begin = int(self.rng.integers(len(_BEGIN) + (self.fresh == 0)))
        if begin < len(_BEGIN):
            U, _ = _lower(U, _BEGIN[begin], self.lines, _STAGES[0][1])
        return U

    def _polish(self, U: Array) -> Array:
        U = polish(U, self.lines)
        value = largest_overlap(U, self.lines)
        if self.top is None or value < self.top[0] - _GAIN:
            self.top, self.idle = (value, U), 0
        if value < self.reached:
            self.best = (value, U)
        return U

    def step(self) -> tuple[Array, float]:
        """Bring one start, or kick, as far as it promises anything; return it and its value."""
        if self.idle > _PATIENCE:
            self._begin()
        every = max(self.n * self.m // _SHAKE, 2)
        if self.idle % every == every - 1 and self.top and self.top[0] < self.reached + _GAIN:
            self.idle += 1
            noise = 10 ** self.rng.uniform(-2.2, -1.4) * self.rng.standard_normal((self.n, self.m))
            U = self._polish(self.top[1] + noise)
            return U, largest_overlap(U, self.lines)
        U = self._propose()
        way: list[tuple[float, Array]] = []
        for k, (p, iterations) in enumerate(_STAGES):
            U, estimate = _lower(U, p, self.lines, iterations)
            way.append((estimate, U))
            if self.way and (estimate > self.way[k][0] + _HOPELESS[k] or _alike(U, self.way[k][1])):
                return U, largest_overlap(U, self.lines)
        if not self.way or way[-1][0] < self.way[-1][0] - _GAIN:
            self.idle = 0
        self.way = way
        if way[-1][0] < self.reached + _CLOSE:
            U, estimate = _lower(U, _SHARPEST, self.lines, 1000)
            if estimate < self.reached + _CLOSER and U.size <= _POLISHED:
                U = self._polish(U)
        return U, largest_overlap(U, self.lines)


def _alike(U: Array, V: Array) -> bool:
    """Whether two packings have the same overlaps, so that one is the other turned."""
    t = (np.sort(np.abs(X @ X.T), axis=None) for X in (U, V))
    return float(np.max(np.abs(next(t) - next(t)))) < _ALIKE
