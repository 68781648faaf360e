"""A proven lower bound of the loss: one active feature, equal frequencies, any directions.

``bound_one_active_loss(n, m)`` bounds the loss of any n directions in m dimensions with the best
common norm and bias; ``r=`` and ``b=`` give a norm and a bias.

With rows r u_i, a common bias b <= 0, g = r² and the wall h = -b/(2 g), the overlap from which on a
feature activates another output, the loss (arXiv 2505.10465, eq. 8) is for h <= 1

    L/E = 4/3 - 2 g D(h) + g² [4 (1 - h)³/3 + ε(h)],    D(h) = 2 (1 - h)² (2 + h)/3,

where ε(h) = (1/n) Σ_{i≠j} (4/3) ReLU(t_ij - h)³/t_ij is the interference at unit norm. Linear
programming bounds ε from below at any wall (``certify_energy``). Two steps make that a bound for
all norms and walls:

1. The minimum over g is at g = D/(4 (1 - h)³/3 + ε). With q = ε/(1 - h)³ it is
   F(h, q) = 4/3 - (1 - h)(2 + h)²/(3 + 9 q/4), which rises with h and with q.
2. For h <= h' each term of ε(h)/(1 - h)³ is at least that of ε(h')/(1 - h')³, because
   (t - h)/(1 - h) falls with h for t <= 1. So ε(h')/(1 - h')³ stands for q at all walls below h'.

Hence L/E >= F(h_k, q_{k+1}) for h_k <= h <= h_{k+1}, and the least of these over consecutive walls
is a bound for all norms and biases. Beyond h = 1 no output is active and L/E = 4/3. All of this is
computed in rational numbers.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pandas as pd

from theory.bounds.certificates import EnergyCertificate, ReluPotential
from theory.bounds.linear_programming import MAX_DEGREE, certify_energy
from theory.checks import LARGEST, check_integer, check_real
from theory.computing.argument_kinds import check_kinds
from theory.results import result

# Intervals of the wall to begin with.
_FIRST_CELLS = 8
# Relative width to which the wall is found from which on nothing is proved.
_VACUOUS_WIDTH = 0.01


@dataclass(frozen=True)
@result
class LossBound:
    """A lower bound of the one-active-feature loss, in units of the activation density E.

    Attributes
    ----------
    n, m : int
        Features and dimension.
    value : float
        The bound of L/E, rounded down.
    r, b : float
        Norm and bias for which it was asked, or at which the bound is lowest.
    certificates : tuple of EnergyCertificate
        Verified bounds of the interference at unit norm; that of a wall h = -b/(2 r²) is
        ``ReluPotential(1, -2 h)``, whose energy scales with r⁴.
    vacuous_from : float
        Wall from which on nothing is proved of the interference, to 1 %; for given r and b, theirs
        if nothing is, else infinite.
    given : bool
        Whether the norm and bias were given; else the bound holds for all.
    """

    n: int
    m: int
    value: float
    r: float
    b: float
    certificates: tuple[EnergyCertificate, ...]
    vacuous_from: float
    given: bool = False

    def __post_init__(self) -> None:
        for name in ("n", "m"):
            object.__setattr__(self, name, check_integer(name, getattr(self, name)))

    def verify(self) -> bool:
        """Repeat the whole proof in rational arithmetic, from the certificates alone.

        Examples
        --------
        >>> bound_one_active_loss(12, 3, tolerance=0.1).verify()
        True
        """
        known = [c for c in self.certificates if (c.n, c.m) == (self.n, self.m) and c.verify()]
        if len(known) < len(self.certificates):
            return False
        if self.given:
            return Fraction(self.value) <= _loss_at(self.r, self.b, self.n, known)
        return Fraction(self.value) <= _least(self.n, known)[0]

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each certificate: wall h, interference at r = 1 (of L/E)."""
        rows = [(float(_wall(c)), float(c.value) / self.n, c.verify()) for c in self.certificates]
        table = pd.DataFrame(rows, columns=["wall", "interference", "verified"])
        return table.sort_values("wall", ignore_index=True)

    def __str__(self) -> str:
        where = "at" if self.given else "for any norm and bias <= 0, lowest at"
        return (
            f"L/E >= {self.value:.6g} {where} r = {self.r:.4g}, b = {self.b:.4g}: one active "
            f"feature of n = {self.n}, m = {self.m}, {len(self.certificates)} certificates"
        )

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<p>{self}</p>{self.to_dataframe().to_html(index=False)}"


def _wall(certificate: EnergyCertificate) -> Fraction:
    potential = certificate.potential
    if not isinstance(potential, ReluPotential):
        raise TypeError(f"{potential} is no interference: a loss bound needs a ReluPotential")
    return -potential.b / (2 * potential.g)


def _ratio(certificate: EnergyCertificate, n: int) -> Fraction:
    """Return q = ε/(1 - h)³ at the certificate's wall h < 1 and unit norm."""
    potential = certificate.potential
    assert isinstance(potential, ReluPotential)
    return certificate.value / (n * potential.g**2 * (1 - _wall(certificate)) ** 3)


def _best_loss(h: Fraction, q: Fraction) -> Fraction:
    """Return F(h, q), the least loss over the norm at a wall h <= 1."""
    return Fraction(4, 3) - (1 - h) * (2 + h) ** 2 / (3 + 9 * q / 4)


def _least(
    n: int, certificates: Iterable[EnergyCertificate]
) -> tuple[Fraction, Fraction, Fraction]:
    """Return the least F(h_k, q_{k+1}) over consecutive walls, and these two."""
    known = [(_wall(c), _ratio(c, n)) for c in certificates if c.value > 0]
    known = sorted([*known, (Fraction(1), Fraction(0))])
    starts = [Fraction(0), *(wall for wall, _ in known[:-1])]
    return min(
        (_best_loss(h, q), h, q) for h, (wall, q) in zip(starts, known, strict=True) if h <= wall
    )


def _loss_at(r: float, b: float, n: int, certificates: Iterable[EnergyCertificate]) -> Fraction:
    """Return the bound for a norm and a bias from certificates at their wall or beyond."""
    g = Fraction(r) ** 2
    h = -Fraction(b) / (2 * g)
    if h >= 1:
        return Fraction(4, 3)
    proofs = [c.value / c.potential.g**2 for c in certificates if _wall(c) >= h]  # type: ignore[attr-defined]
    interference = max(proofs, default=Fraction(0)) / n
    linear = 2 * (1 - h) ** 2 * (2 + h) / 3
    return Fraction(4, 3) - 2 * g * linear + g**2 * (4 * (1 - h) ** 3 / 3 + interference)


def _round_down(value: Fraction) -> float:
    nearest = float(value)
    return nearest if Fraction(nearest) <= value else math.nextafter(nearest, -math.inf)


class _Walls:
    """Certificates of the interference at walls, each found once."""

    def __init__(self, n: int, m: int, degree: int) -> None:
        self.n, self.m, self.degree = n, m, degree
        self.found: dict[float, EnergyCertificate] = {}

    def ratio(self, wall: float) -> float:
        """Return q at a wall, 0 where nothing is proved."""
        if wall >= self.first_vacuous:
            return 0.0
        if wall not in self.found:
            potential = ReluPotential(Fraction(1), Fraction(-2 * wall))
            self.found[wall] = certify_energy(self.n, self.m, potential, self.degree)
        return float(_ratio(self.found[wall], self.n))

    @property
    def first_vacuous(self) -> float:
        """The lowest wall at which nothing was proved; 1 is one."""
        return min((h for h, c in self.found.items() if c.value == 0), default=1.0)

    def search(self, tolerance: float) -> None:
        """Halve the interval with the lowest bound until that is close to the loss at a wall."""

        def cell(low: float, high: float) -> tuple[float, float, float]:
            return loss(low, self.ratio(high)), low, high

        def loss(wall: float, q: float) -> float:
            return float(_best_loss(Fraction(wall), Fraction(q)))

        edges = [0.0, *np.geomspace(0.1, 3.0, _FIRST_CELLS) / math.sqrt(self.m), 1.0]
        edges = sorted({min(float(edge), 1.0) for edge in edges})
        reached = min(loss(wall, self.ratio(wall)) for wall in edges)
        cells = [cell(low, high) for low, high in pairwise(edges)]
        heapq.heapify(cells)
        while reached - cells[0][0] > tolerance * reached:
            _, low, high = heapq.heappop(cells)
            middle = (low + high) / 2
            reached = min(reached, loss(middle, self.ratio(middle)))
            heapq.heappush(cells, cell(low, middle))
            heapq.heappush(cells, cell(middle, high))

    def locate_vacuous(self) -> float:
        """Return the wall from which on nothing is proved, to 1 %."""
        proved = max((h for h, c in self.found.items() if c.value > 0), default=0.0)
        vacuous = self.first_vacuous
        while proved > 0 and vacuous - proved > _VACUOUS_WIDTH * vacuous:
            middle = (proved + vacuous) / 2
            proved, vacuous = (middle, vacuous) if self.ratio(middle) > 0 else (proved, middle)
        return vacuous


@check_kinds
def bound_one_active_loss(
    n: int,
    m: int,
    r: float | None = None,
    b: float | None = None,
    *,
    degree: int = 16,
    tolerance: float = 8e-4,
) -> LossBound:
    """Bound L/E from below for n equally frequent features, one active at a time.

    L/E = B(r², b) + (1/n) Σ_{i≠j} A(r² t_ij, b) (arXiv 2505.10465, eq. 8) for rows r u_i with a
    common bias b <= 0. The sum is bounded for any directions by linear programming
    (``certify_energy``), and the minimum over norm and bias as the module's text proves. Every step
    is in rational arithmetic; ``LossBound.verify`` repeats it.

    Parameters
    ----------
    n, m : int
        Features and dimension, at least 2 each.
    r, b : float, optional
        Norm (1e-50 to 1e50) and bias (-1e100 to 0): both, or neither for the lowest over both.
    degree : int
        Highest degree of the polynomials, 2 to 60.
    tolerance : float
        Relative distance to the minimum over the walls that were tried at which the search ends;
        the bound holds at any.

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
    >>> bound = bound_one_active_loss(100, 10, tolerance=0.01)
    >>> 0.05 < bound.value < 0.15
    True
    >>> bound_one_active_loss(100, 10, r=1.0, b=0.0).value > bound.value
    True
    """
    n, m = check_integer("n", n, 2, LARGEST), check_integer("m", m, 2, LARGEST)
    degree = check_integer("degree", degree, 2, MAX_DEGREE)
    tolerance = check_real("tolerance", tolerance, 1e-5, 1.0)
    if (r is None) != (b is None):
        raise ValueError(f"r = {r}, b = {b}: give both, or neither for the lowest over both")
    if r is not None and b is not None:
        return _bound_at(n, m, r, b, degree)
    walls = _Walls(n, m, degree)
    walls.search(tolerance)
    vacuous = walls.locate_vacuous()
    proofs = tuple(c for c in walls.found.values() if c.value > 0)
    value, h, q = _least(n, proofs)
    g = float((2 + h) / (2 * (1 - h) * (1 + 3 * q / 4))) if h < 1 else 1.0
    return LossBound(n, m, _round_down(value), math.sqrt(g), -2 * g * float(h), proofs, vacuous)


def _bound_at(n: int, m: int, r: float, b: float, degree: int) -> LossBound:
    r, b = check_real("r", r, 1e-50, 1e50), check_real("b", b, -1e100)
    if b > 0:
        raise ValueError(f"b = {b} is not allowed: the bound is for a common bias <= 0")
    # The interference falls with the wall: a wall rounded up makes the bound no larger.
    wall = -_round_down(Fraction(b) / (2 * Fraction(r) ** 2))
    if wall >= 1:  # no output is ever active
        return LossBound(n, m, _round_down(Fraction(4, 3)), r, b, (), wall, given=True)
    certificate = certify_energy(n, m, ReluPotential(Fraction(1), Fraction(-2 * wall)), degree)
    value = _round_down(_loss_at(r, b, n, (certificate,)))
    vacuous = math.inf if certificate.value > 0 else wall
    return LossBound(n, m, value, r, b, (certificate,), vacuous, given=True)
