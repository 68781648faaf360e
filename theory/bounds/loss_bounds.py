"""A proven lower bound of the loss itself: one active feature, equal frequencies, any directions.

Use ``bound_one_active_loss(n, m)`` for what no n directions in m dimensions can go below, whatever
common norm and bias they are given; ``r=`` and ``b=`` for given ones.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from theory.bounds.certificates import EnergyCertificate, ReluPotential
from theory.bounds.linear_programming import certify_energy
from theory.checks import check_integer, check_real
from theory.regimes.one_active import self_loss

# First cells of the wall, and points of a cell at which the self term is looked at.
_FIRST_CELLS, _POINTS = 8, 9
_EDGE = 0.01  # relative width to which the wall is found from which on nothing is proved
# Squared norms: near wall 1, where almost nothing fires, the best ones grow without bound.
_NORMS = np.concatenate([np.linspace(0.01, 2.5, 250), np.geomspace(2.52, 100.0, 100)])


@dataclass(frozen=True)
class LossBound:
    """A lower bound of the one-active-feature loss, in units of the activation density E.

    Attributes
    ----------
    n, m : int
        Features and dimension.
    value : float
        The bound of L/E.
    r, b : float
        Norm and bias for which it was asked, or at which the bound is lowest.
    certificates : tuple of EnergyCertificate
        Verified bounds of the interference at unit norm; that of a wall h = -b/(2 r²) is
        ``ReluPotential(1, -2 h)``, whose energy scales with r⁴.
    vacuous_from : float
        Wall from which on nothing is proved of the interference, to 1 %; for given r and b, theirs
        if nothing is, else infinite.
    """

    n: int
    m: int
    value: float
    r: float
    b: float
    certificates: tuple[EnergyCertificate, ...]
    vacuous_from: float

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each certificate: wall h, interference at r = 1 (of L/E)."""
        rows = [(_wall(c), float(c.value) / self.n, c.verify()) for c in self.certificates]
        table = pd.DataFrame(rows, columns=["wall", "interference", "verified"])
        return table.sort_values("wall", ignore_index=True)


def _wall(certificate: EnergyCertificate) -> float:
    potential = certificate.potential
    assert isinstance(potential, ReluPotential)
    return float(-potential.b / (2 * potential.g))


def _lowest(low: float, high: float, interference: float) -> tuple[float, float, float]:
    """Minimise B(g, -2 g h) + g² ε over g and walls low <= h <= high; return it with g and h."""
    walls = np.linspace(low, high, _POINTS if high - low < 0.2 else 200)

    def value(g: float | np.ndarray, h: float | np.ndarray) -> np.ndarray:
        return self_loss(g, -2 * np.asarray(g) * h) + np.asarray(g) ** 2 * interference

    table = value(_NORMS[:, None], walls)
    i, j = divmod(int(np.argmin(table)), walls.size)
    h = float(walls[j])
    fine = minimize_scalar(
        lambda g: float(value(g, h)),
        bounds=(_NORMS[max(i - 1, 0)], _NORMS[min(i + 1, _NORMS.size - 1)]),
        method="bounded",
        options={"xatol": 1e-9},
    )
    if fine.fun < table[i, j]:
        return float(fine.fun), float(fine.x), h
    return float(table[i, j]), float(_NORMS[i]), h


def bound_one_active_loss(
    n: int,
    m: int,
    r: float | None = None,
    b: float | None = None,
    *,
    degree: int = 16,
    tolerance: float = 0.01,
) -> LossBound:
    """Bound L/E from below for n equally frequent features, one active at a time.

    L/E = B(r², b) + (1/n) Σ_{i≠j} A(r² t_ij, b) (arXiv 2505.10465, eq. 8) for rows r u_i with a
    common bias b <= 0. The sum is bounded for any directions by linear programming, with
    certificates in rational arithmetic (``certify_energy``). It scales as A(g t, b) =
    g² A(t, b/g) and falls with the wall h = -b/(2 r²), so that a bound at one wall holds for all
    lower ones: without r and b, cells of walls are halved until the minimum over all is known. The
    minimum of the self term B within a cell is numerical.

    Parameters
    ----------
    n, m : int
        Features and dimension, n >= m >= 2.
    r, b : float, optional
        Norm (> 0) and bias (<= 0): both, or neither for the lowest over both.
    degree : int
        Highest degree of the polynomials.
    tolerance : float
        Relative width to which the minimum is found; the bound holds at any.

    Returns
    -------
    LossBound
        With its certificates.

    Raises
    ------
    ValueError
        If only one of r and b is given, or one is out of range.

    Examples
    --------
    >>> bound = bound_one_active_loss(100, 10)
    >>> 0.05 < bound.value < 0.15
    True
    >>> bound_one_active_loss(100, 10, r=1.0, b=0.0).value > bound.value
    True
    """
    n, m = check_integer("n", n, 2), check_integer("m", m, 2)
    tolerance = check_real("tolerance", tolerance, 0.0, strict=True)
    if (r is None) != (b is None):
        raise ValueError(f"r = {r}, b = {b}: give both, or neither for the lowest over both")
    if r is not None and b is not None:
        r, b = check_real("r", r, 0.0, strict=True), check_real("b", b)
        if b > 0:
            raise ValueError(f"b = {b} is not allowed: the bound is for a common bias <= 0")
        certificate = certify_energy(n, m, ReluPotential(Fraction(1), Fraction(b / r**2)), degree)
        value = float(self_loss(r * r, b)) + r**4 * float(certificate.value) / n
        vacuous = math.inf if certificate.value > 0 else -b / (2 * r**2)
        return LossBound(n, m, value, r, b, (certificate,), vacuous)

    found: dict[float, EnergyCertificate] = {}

    def interference(wall: float) -> float:
        if wall >= min((h for h, c in found.items() if c.value == 0), default=1.0):
            return 0.0
        if wall not in found:
            found[wall] = certify_energy(
                n, m, ReluPotential(Fraction(1), Fraction(-2 * wall)), degree
            )
        return float(found[wall].value) / n

    edges = [0.0, *np.geomspace(0.1, 3.0, _FIRST_CELLS) / math.sqrt(m), 1.0]
    edges = sorted({min(float(edge), 1.0) for edge in edges})
    best = _lowest(0.0, 0.0, interference(0.0))[0]  # 0 for n <= 2 m: an orthoplex
    cells: list[tuple[float, float, float, float, float]] = []  # bound, its g and wall, ends
    for low, high in pairwise(edges):
        heapq.heappush(cells, (*_lowest(low, high, interference(high)), low, high))
        best = min(best, _lowest(high, high, interference(high))[0])
    while True:
        value, g, h, low, high = cells[0]
        if best - value <= tolerance * best:
            break
        heapq.heappop(cells)
        middle = (low + high) / 2
        best = min(best, _lowest(middle, middle, interference(middle))[0])
        for a, z in ((low, middle), (middle, high)):
            heapq.heappush(cells, (*_lowest(a, z, interference(z)), a, z))
    proved = max((h for h, c in found.items() if c.value > 0), default=0.0)
    vacuous = min((h for h, c in found.items() if c.value == 0), default=1.0)
    while proved > 0 and vacuous - proved > _EDGE * vacuous:
        middle = (proved + vacuous) / 2
        proved, vacuous = (middle, vacuous) if interference(middle) > 0 else (proved, middle)
    proofs = tuple(c for c in found.values() if c.value > 0)
    return LossBound(n, m, value, math.sqrt(g), -2 * g * h, proofs, vacuous)
