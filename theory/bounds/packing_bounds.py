"""Lower bounds on the largest overlap of n lines or points in R^m: the classical ones and the best.

``bounds(n, m)`` is for lines (the coherence, largest |t|), ``bounds(n, m, kind="code")`` for points
(largest t; negative overlaps are free, as under a ReLU). Closed forms are exact sympy numbers; the
linear program adds a certificate that is verified in rational arithmetic. ``frame_potential`` gives
the least sum of squares, ``equiangular_conditions`` whether all |t| can be equal.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import sympy as sp

from theory.bounds.certificates import Kind, PackingCertificate
from theory.bounds.linear_programming import MAX_DEGREE, certify_packing
from theory.checks import LARGEST, check_integer
from theory.computing.argument_kinds import check_kinds
from theory.reading.guarantees import most_active
from theory.results import result

_WELCH_ORDERS = 12


@dataclass(frozen=True)
@result
class Bound:
    """One lower bound of the largest overlap.

    Attributes
    ----------
    name : str
        How it was proved.
    exact : sympy number
        Its exact value.
    validity : str
        Where the formula holds, and whether the bound is attained.
    proved_at : int
        Number of vectors for which it was evaluated. Of more vectors as many may be left out, so it
        holds for every n from there on.
    """

    name: str
    exact: Any
    validity: str
    proved_at: int

    @property
    def value(self) -> float:
        """The bound as a float."""
        return float(self.exact)


@dataclass(frozen=True)
@result
class Bounds:
    """Lower bounds of the largest |t| (lines) or t (code) of n unit vectors in R^m.

    Attributes
    ----------
    n, m : int
        Vectors and dimension.
    kind : {"lines", "code"}
        What is bounded.
    all : tuple of Bound
        Those that hold here, the best first.
    certificate : PackingCertificate or None
        The verified proof of the linear-programming bound; None where that was left out, because a
        closed form is attained or the degree is 0, and where it proves nothing.
    """

    n: int
    m: int
    kind: Kind
    all: tuple[Bound, ...]
    certificate: PackingCertificate | None

    @property
    def best(self) -> Bound:
        """The largest of them.

        Examples
        --------
        >>> bounds(28, 7).best.exact
        1/3
        """
        return self.all[0]

    @property
    def most_active(self) -> int | None:
        """The most vectors that can be active with every support read; None: no statement."""
        return most_active(self.n, self.m)

    def __getitem__(self, name: str) -> Bound:
        for bound in self.all:
            if bound.name == name:
                return bound
        raise KeyError(
            f"no bound {name!r} holds for n = {self.n}, m = {self.m}: "
            f"{', '.join(bound.name for bound in self.all)} do"
        )

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each bound, the best first."""
        return pd.DataFrame(
            {
                "bound": [one.name for one in self.all],
                "value": [one.value for one in self.all],
                "exact": [
                    "" if one.name == "linear_program" else str(one.exact) for one in self.all
                ],
                "holds for": [one.validity for one in self.all],
                "proved at n": [one.proved_at for one in self.all],
            }
        )

    def __str__(self) -> str:
        what = "largest |t| of lines" if self.kind == "lines" else "largest t of points"
        table = self.to_dataframe().drop(columns="exact")
        rows = table.to_string(index=False, float_format=lambda x: f"{x:.12f}")
        return f"lower bounds of the {what}, n = {self.n}, m = {self.m}\n{rows}"

    def __repr__(self) -> str:
        return str(self)


def _welch(n: Any, m: Any, k: int) -> Any:
    """Return ((n c_k - 1)/(n - 1))^(1/2k), c_k = Π_{i<k} (2i+1)/(m+2i) (Welch 1974, real form)."""
    c = sp.prod([sp.Rational(2 * i + 1, m + 2 * i) for i in range(k)])
    inside = (n * c - 1) / (n - 1)
    return sp.root(inside, 2 * k) if inside > 0 else None


def _levenshtein_lines(n: Any, m: Any) -> Any:
    return sp.sqrt((3 * n - m**2 - 2 * m) / ((m + 2) * (n - m)))


def _bukh_cox(n: Any, m: Any) -> Any:
    k = n - m
    return k * (k + 1) / (2 * n + n * (k - 1) * sp.sqrt(k + 2) - k * (k + 1))


def _best_bukh_cox(n: int, m: int) -> int:
    """Return the number of lines, up to n, at which that bound is largest: it rises, then falls."""

    def value(k: int) -> float:
        lines = m + k
        return k * (k + 1) / (2 * lines + lines * (k - 1) * math.sqrt(k + 2) - k * (k + 1))

    low, high = 1, n - m
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if value(middle + 1) > value(middle) else (low, middle)
    return m + low


def _levenshtein_code(n: Any, m: Any) -> Any:
    """Return the s at which n = m (1 - s)(2 + (m + 1) s)/(1 - m s²)."""
    # m (n - m - 1) s² + m (m - 1) s + 2 m - n = 0: the root that is 0 at n = 2 m.
    a, b, c = m * (n - m - 1), m * (m - 1), 2 * m - n
    return (-b + sp.sqrt(b**2 - 4 * a * c)) / (2 * a)


@dataclass(frozen=True)
class _ClosedForm:
    """A closed form: its value at (n, m), where it holds, and the best n' <= n to take it at."""

    name: str
    validity: str
    holds: Callable[[int, int], bool]
    formula: Callable[[Any, Any], Any]
    best_n: Callable[[int, int], int] = lambda n, m: n
    attained: Callable[[int, int], bool] = lambda n, m: False

    def evaluate(self, n: int, m: int) -> Bound:
        fewer = self.best_n(n, m)
        exact = self.formula(sp.Integer(fewer), sp.Integer(m))
        return Bound(self.name, exact, self.validity, fewer)


def _always(n: int, m: int) -> bool:
    return True


_LINES = (
    _ClosedForm("orthogonal", "n <= m, attained", lambda n, m: n <= m, lambda n, m: sp.Integer(0),
                attained=_always),
    _ClosedForm("polygon", "m = 2, attained", lambda n, m: m == 2 and n > 2,
                lambda n, m: sp.cos(sp.pi / n), attained=_always),
    _ClosedForm("orthoplex", "n > m(m+1)/2", lambda n, m: 2 * n > m * (m + 1),
                lambda n, m: 1 / sp.sqrt(m), lambda n, m: m * (m + 1) // 2 + 1),
    _ClosedForm("levenshtein", "n > m(m+1)/2", lambda n, m: 2 * n > m * (m + 1),
                _levenshtein_lines),
    _ClosedForm("bukh_cox", "n > m", lambda n, m: n > m, _bukh_cox, _best_bukh_cox),
)  # fmt: skip
_CODES = (
    _ClosedForm("simplex", "n <= m + 1, attained", lambda n, m: n <= m + 1,
                lambda n, m: -1 / (n - 1), attained=_always),
    _ClosedForm("polygon", "m = 2, attained", lambda n, m: m == 2 and n > 3,
                lambda n, m: sp.cos(2 * sp.pi / n), attained=_always),
    _ClosedForm("rankin", "n >= m + 2, attained to 2m", lambda n, m: n >= m + 2,
                lambda n, m: sp.Integer(0), lambda n, m: m + 2, lambda n, m: n <= 2 * m),
    _ClosedForm("levenshtein", "2m <= n <= m(m+3)/2", lambda n, m: 2 * m <= n,
                _levenshtein_code, lambda n, m: min(n, m * (m + 3) // 2)),
)  # fmt: skip


@check_kinds
def bounds(n: int, m: int, kind: Kind = "lines", degree: int = 16) -> Bounds:
    """Return the lower bounds of the largest overlap of n unit vectors in R^m, the best first.

    Each is the largest that its formula gives for n or fewer vectors, so that none falls with n.

    Parameters
    ----------
    n, m : int
        Vectors and dimension, n >= 2, m >= 2.
    kind : {"lines", "code"}
        Bound the largest |t| (lines: the coherence) or the largest t (code).
    degree : int
        Highest degree of the linear program's polynomial, at most 60; 0 leaves the program out.

    Returns
    -------
    Bounds
        Lines: the regular polygon in the plane, Welch (1974) of orders 1 to 12, orthoplex (Rankin
        1955; Conway, Hardin and Sloane 1996), Levenshtein (1982), Bukh and Cox (2020). Code: the
        polygon, simplex and Rankin (1955), Levenshtein (1979). Both: Delsarte's linear program with
        a verified certificate, unless a closed form is attained.

    Raises
    ------
    ValueError
        For n or m below 2, a degree below 0 or above 60, or an unknown kind.

    Examples
    --------
    >>> lines = bounds(28, 7)
    >>> lines.best.name, lines.best.exact
    ('welch_1', 1/3)
    >>> bounds(8, 4, kind="code").best.name     # the orthoplex attains 0
    'rankin'
    >>> bounds(100, 2, degree=0).best.exact     # lines through the corners of a regular polygon
    cos(pi/100)
    """
    n, m = check_integer("n", n, 2, LARGEST), check_integer("m", m, 2, LARGEST)
    degree = check_integer("degree", degree, 0, MAX_DEGREE)
    if kind not in ("lines", "code"):
        raise ValueError(f"kind = {kind!r} is not allowed: give 'lines' or 'code'")
    forms = [form for form in (_LINES if kind == "lines" else _CODES) if form.holds(n, m)]
    found = [form.evaluate(n, m) for form in forms]
    if kind == "lines":
        for k in range(1, _WELCH_ORDERS + 1):
            exact = _welch(sp.Integer(n), sp.Integer(m), k)
            if exact is not None:
                found.append(Bound(f"welch_{k}", exact, "any n", n))
    certificate = None
    if degree >= 2 and not any(form.attained(n, m) for form in forms):
        certificate = certify_packing(n, m, kind, degree)
    if certificate is not None:
        exact = sp.Rational(certificate.cosine.numerator, certificate.cosine.denominator)
        validity = f"certified, degree {degree}"
        found.append(Bound("linear_program", exact, validity, certificate.proved_at))
    # Closed forms first among equals: the program's number lies below by its margin.
    found.sort(key=lambda bound: -bound.value)
    return Bounds(n, m, kind, tuple(found), certificate)


@check_kinds
def frame_potential(n: int, m: int) -> Any:
    """Return the least Σ_ij t_ij² of n unit vectors in R^m, exactly: max(n, n²/m).

    It is attained, by unit-norm tight frames (Benedetto and Fickus 2003), for every n >= m.

    Examples
    --------
    >>> frame_potential(7, 3), frame_potential(2, 3)
    (49/3, 2)
    """
    n, m = check_integer("n", n, 1, LARGEST), check_integer("m", m, 1, LARGEST)
    return sp.Integer(n) if n <= m else sp.Rational(n * n, m)


@check_kinds
def equiangular_conditions(n: int, m: int) -> dict[str, bool]:
    """Return the known necessary conditions for n equiangular lines that meet the Welch bound.

    Parameters
    ----------
    n, m : int
        Lines and dimension, n > m >= 2.

    Returns
    -------
    dict of str to bool
        "absolute", n <= m(m+1)/2 (Gerzon); "relative", the same for n - m dimensions (the
        complement is such a frame, too); "integral" (Sustik, Tropp, Dhillon and Heath 2007): for
        n != 2m and 1 < m < n - 1 the numbers √(m(n-1)/(n-m)) and √((n-m)(n-1)/m) are odd integers;
        for n = 2m, m is odd and n - 1 a sum of two squares.

    Examples
    --------
    >>> equiangular_conditions(28, 7)
    {'absolute': True, 'relative': True, 'integral': True}
    >>> equiangular_conditions(27, 7)["integral"]
    False
    """
    m = check_integer("m", m, 2)
    n = check_integer("n", n, m + 1)
    k = n - m
    if k == 1:  # the simplex
        integral = True
    elif n == 2 * m:
        # A sum of two squares: primes 3 modulo 4 have even exponents.
        squares = all(k % 2 == 0 for p, k in sp.factorint(n - 1).items() if p % 4 == 3)
        integral = m % 2 == 1 and squares
    else:
        inside = sp.Rational(m * (n - 1), k), sp.Rational(k * (n - 1), m)
        roots = [sp.sqrt(x) for x in inside]
        integral = all(root.is_Integer and root % 2 == 1 for root in roots)
    relative = k == 1 or 2 * n <= k * (k + 1)
    return {"absolute": 2 * n <= m * (m + 1), "relative": relative, "integral": bool(integral)}
