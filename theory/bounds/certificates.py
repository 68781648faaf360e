"""Certificates: polynomials that prove a bound on packings, checked in exact arithmetic.

A ``PackingCertificate`` proves that n points in R^m must come closer than some angle, an
``EnergyCertificate`` that they have at least some energy. ``verify()`` repeats the proof in
rational numbers and takes nothing from the solver. ``theory.bounds.linear_programming`` finds them.

Both rest on Schoenberg (1942): Σ_ij P_k(u_i·u_j) >= 0 for unit vectors in R^m, where P_k is the
Gegenbauer polynomial of degree k for the sphere in R^m with P_k(1) = 1. With f = Σ a_k P_k and
a_k >= 0 for k >= 1 that makes Σ_ij f(t_ij) >= n² a_0 (Delsarte, Goethals and Seidel 1977).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike

from theory.bounds.gegenbauer import combine, is_nonpositive
from theory.checks import Numbers, check_integer, check_real, scalar_like
from theory.regimes.one_active import interference_loss
from theory.results import result

Kind = Literal["lines", "code"]
Piece = tuple[list[Fraction], Fraction, Fraction]


def _exact(coefficients: Iterable[Fraction]) -> tuple[Fraction, ...]:
    """Return the coefficients as fractions, of which there must be at least one."""
    exact = tuple(Fraction(c) for c in coefficients)
    if not exact:
        raise ValueError("coefficients is empty: give at least a_0")
    return exact


_BASIS = "in Gegenbauer polynomials P_k of the sphere in R^{m}, P_k(1) = 1"


@dataclass(frozen=True)
@result
class PackingCertificate:
    """A proof that n points in R^m cannot all have cosines up to ``cosine``.

    f <= 0 wherever a cosine may lie ([-1, cosine] for a code, [-cosine, cosine] for lines) gives
    n² a_0 <= Σ_ij f(t_ij) <= n f(1), so f(1) < n a_0 refutes such a configuration.

    Attributes
    ----------
    n, m : int
        Points (or lines) and dimension.
    kind : {"lines", "code"}
        Whether signs are free (t and -t alike) or not.
    cosine : Fraction
        The largest |t| (lines) or t (code) exceeds this.
    coefficients : tuple of Fraction
        a_0, a_1, … in Gegenbauer polynomials P_k with P_k(1) = 1; odd ones are 0 for lines.
    """

    n: int
    m: int
    kind: Kind
    cosine: Fraction
    coefficients: tuple[Fraction, ...]

    def __post_init__(self) -> None:
        for name in ("n", "m"):
            object.__setattr__(self, name, check_integer(name, getattr(self, name)))
        if self.kind not in ("lines", "code"):
            raise ValueError(f"kind = {self.kind!r} is not allowed: give 'lines' or 'code'")
        object.__setattr__(self, "cosine", Fraction(self.cosine))
        object.__setattr__(self, "coefficients", _exact(self.coefficients))

    def verify(self) -> bool:
        """Repeat the proof in rational arithmetic.

        Examples
        --------
        >>> third = Fraction(1, 3)
        >>> f = (Fraction(1, 3) - Fraction(1, 10), Fraction(0), Fraction(2, 3))  # t² - 1/10
        >>> PackingCertificate(6, 3, "lines", Fraction(3, 10), f).verify()
        True
        >>> PackingCertificate(6, 3, "lines", Fraction(4, 10), f).verify()
        False
        """
        a = self.coefficients
        if any(c < 0 for c in a[1:]) or sum(a) >= self.n * a[0]:
            return False
        if self.kind == "lines" and any(a[1::2]):
            return False
        low = Fraction(0) if self.kind == "lines" else Fraction(-1)  # an even f needs one half
        return is_nonpositive(combine(self.m, a), low, self.cosine)

    @property
    def proved_at(self) -> int:
        """The fewest points that the polynomial refutes: f(1)/a_0 rounded down, plus one."""
        if self.coefficients[0] <= 0:
            raise ValueError(f"a_0 = {self.coefficients[0]} proves nothing: it must be above 0")
        return int(sum(self.coefficients) / self.coefficients[0]) + 1

    def __str__(self) -> str:
        what = "|t|" if self.kind == "lines" else "t"
        return (
            f"n >= {self.n} {'lines' if self.kind == 'lines' else 'points'} in R^{self.m} "
            f"have a {what} above {float(self.cosine):.12g}: a polynomial of degree "
            f"{len(self.coefficients) - 1} {_BASIS.format(m=self.m)}"
        )

    def __repr__(self) -> str:
        return str(self)


class Potential(Protocol):
    """A pair energy f(t): its values, and polynomial conditions for h <= f on [-1, 1]."""

    even: bool

    def __call__(self, t: ArrayLike) -> Numbers:
        """Return f(t)."""
        ...

    def conditions(self, h: list[Fraction]) -> list[Piece]:
        """Polynomials and intervals: h <= f if each is <= 0 on its own."""
        ...

    def breaks(self) -> list[float]:
        """Points at which the formula of f changes."""
        ...


@dataclass(frozen=True)
class PowerPotential:
    """f(t) = |t|^k: squared overlaps (k = 2, the frame potential), p-frames.

    Parameters
    ----------
    k : int
        Exponent, 1 to 60.

    Examples
    --------
    >>> PowerPotential(4)([-0.5, 0.5])
    array([0.0625, 0.0625])
    """

    k: int
    even = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", check_integer("k", self.k, 1, 60))

    def __call__(self, t: ArrayLike) -> Numbers:
        """Return |t|^k."""
        return scalar_like(np.abs(np.asarray(t, dtype=np.float64)) ** self.k, t)

    def conditions(self, h: list[Fraction]) -> list[Piece]:
        """Return h - t^k on [0, 1] (h is even, as a polynomial for lines)."""
        excess = [*h, *[Fraction(0)] * (self.k + 1 - len(h))]
        excess[self.k] -= 1
        return [(excess, Fraction(0), Fraction(1))]

    def breaks(self) -> list[float]:
        """Return 0, where |t| has its kink."""
        return [0.0]


@dataclass(frozen=True)
class ReluPotential:
    """f(t) = ⟨ReLU(g v t + b)²⟩, v ~ U(0, 2): interference of an active feature with an output.

    Parameters
    ----------
    g : Fraction
        Squared norm of the rows, > 0.
    b : Fraction
        Bias.

    Examples
    --------
    >>> float(ReluPotential(Fraction(1), Fraction(-1))(1.0))   # (2 - 1)³/6
    0.16666666666666666
    """

    g: Fraction
    b: Fraction
    even = False

    def __post_init__(self) -> None:
        for name in ("g", "b"):
            value = getattr(self, name)
            if not isinstance(value, (int, Fraction)):
                value = check_real(name, value)
            object.__setattr__(self, name, Fraction(value))
        if self.g <= 0:
            raise ValueError(f"g = {self.g} is not allowed: give the squared norm of the rows, > 0")

    def __repr__(self) -> str:
        return f"ReluPotential(g={float(self.g):.6g}, b={float(self.b):.6g})"

    def __call__(self, t: ArrayLike) -> Numbers:
        """Return f(t), the closed form of ``theory.regimes.one_active``."""
        return interference_loss(float(self.g) * np.asarray(t, dtype=np.float64), float(self.b))

    @property
    def _edge(self) -> Fraction:
        """Where 2 g t + b = 0, within [-1, 1]."""
        return min(max(-self.b / (2 * self.g), Fraction(-1)), Fraction(1))

    def conditions(self, h: list[Fraction]) -> list[Piece]:
        """Return h on the side where f is 0 or of one sign, and its comparison on the other.

        For b <= 0: h <= 0 below the edge, and 6 g t h <= (2 g t + b)³ above it. For b > 0:
        h <= -b³/(6 g t) below it, times -6 g t; h <= b² + 2 b g t + 4 g² t²/3 above it.
        """
        g, b, edge = self.g, self.b, self._edge
        raised = [Fraction(0), *(6 * g * c for c in h)]  # 6 g t h
        if b <= 0:
            cube = [b**3, 6 * g * b**2, 12 * g**2 * b, 8 * g**3]
            below, above = list(h), _subtract(raised, cube)
        else:
            below = _subtract([-c for c in raised], [b**3])
            above = _subtract(h, [b * b, 2 * b * g, 4 * g * g / 3])
        pieces = [(below, Fraction(-1), edge), (above, edge, Fraction(1))]
        return [piece for piece in pieces if piece[1] < piece[2]]

    def breaks(self) -> list[float]:
        """Return the edge."""
        return [float(self._edge)]


def _subtract(p: list[Fraction], q: list[Fraction]) -> list[Fraction]:
    size = max(len(p), len(q))
    p, q = ([*x, *[Fraction(0)] * (size - len(x))] for x in (p, q))
    return [x - y for x, y in zip(p, q, strict=True)]


@dataclass(frozen=True)
@result
class EnergyCertificate:
    """A proof that Σ_{i≠j} f(t_ij) is at least ``value`` for any n unit vectors in R^m.

    h <= f on [-1, 1] gives Σ_{i≠j} f >= Σ_ij h(t_ij) - n h(1) >= n² a_0 - n h(1) (Yudin 1992).

    Attributes
    ----------
    n, m : int
        Points and dimension.
    potential : Potential
        f.
    coefficients : tuple of Fraction
        a_0, a_1, … of h in Gegenbauer polynomials P_k with P_k(1) = 1.
    """

    n: int
    m: int
    potential: Potential
    coefficients: tuple[Fraction, ...]

    def __post_init__(self) -> None:
        for name in ("n", "m"):
            object.__setattr__(self, name, check_integer(name, getattr(self, name)))
        object.__setattr__(self, "coefficients", _exact(self.coefficients))

    @property
    def value(self) -> Fraction:
        """The energy that is proved, exactly: n² a_0 - n Σ a_k."""
        return self.n**2 * self.coefficients[0] - self.n * sum(self.coefficients)

    def verify(self) -> bool:
        """Repeat the proof in rational arithmetic.

        Examples
        --------
        >>> h = (Fraction(1, 3), Fraction(0), Fraction(2, 3))  # t² itself: the frame potential
        >>> certificate = EnergyCertificate(6, 3, PowerPotential(2), h)
        >>> certificate.verify(), certificate.value
        (True, Fraction(6, 1))
        """
        a = self.coefficients
        if any(c < 0 for c in a[1:]) or (self.potential.even and any(a[1::2])):
            return False
        return all(
            is_nonpositive(p, low, high)
            for p, low, high in self.potential.conditions(combine(self.m, a))
        )

    def __str__(self) -> str:
        return (
            f"Σ_{{i≠j}} f(t_ij) >= {float(self.value):.12g} for {self.n} points in R^{self.m}, "
            f"f = {self.potential}: a polynomial of degree {len(self.coefficients) - 1} "
            f"{_BASIS.format(m=self.m)}"
        )

    def __repr__(self) -> str:
        return str(self)
