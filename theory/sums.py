"""Sums of the frequency laws over ranks a..b, without cancellation, for any n.

``power_sum``, ``geometric_sum`` and ``arithmetic_sum`` are for numbers. ``PowerSum`` is for sympy
expressions: it differentiates, evaluates to any precision, rewrites to Hurwitz zeta functions, and
lambdifies to ``power_sum``; ``PowerSlope`` is its derivative.

A tail as a difference of two zeta functions, zeta(s, a) - zeta(s, b + 1), loses every digit once
b - a << b. ``power_sum`` instead adds the first terms directly and the rest by the midpoint
Euler-Maclaurin formula. Its integral is written with ``exprel``, so that s = 1, s < 1 and
b -> infinity need no special case and nothing cancels.
"""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray
from scipy.special import exprel

Array = NDArray[np.float64]

# Coefficients of the midpoint Euler-Maclaurin formula, B_{2j}(1/2) / (2j)!, exactly.
_MIDPOINT = tuple(
    float(sp.bernoulli(2 * j, sp.Rational(1, 2)) / sp.factorial(2 * j)) for j in range(1, 8)
)


# Terms added directly before the formula: with seven corrections this gives full precision at any
# s (for s ≫ 16 the first terms are the whole sum).
_DIRECT = 16


def _integral(s: Array, low: Array, high: Array) -> Array:
    """Integrate x^-s from low to high (high may be infinite when s > 1)."""
    with np.errstate(invalid="ignore", over="ignore"):
        log_ratio = np.log1p((high - low) / low)
        finite = low ** (1 - s) * log_ratio * exprel((1 - s) * log_ratio)
    with np.errstate(divide="ignore"):
        infinite = low ** (1 - s) / (s - 1)
    total: Array = np.where(np.isinf(high), infinite, finite)
    return total


def power_sum(s: ArrayLike, a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Sum i^-s over i = a, a + 1, ..., b (elementwise over the broadcast arguments).

    For real a it is the analytic continuation zeta(s, a) - zeta(s, b + 1).

    Parameters
    ----------
    s : array_like
        Exponent, >= 0 (> 1 where b is infinite).
    a, b : array_like
        First and last rank, a >= 1; b may be ``inf``. The sum is 0 where b < a.

    Returns
    -------
    ndarray
        The sums, float64, to about 14 digits.

    Examples
    --------
    >>> round(float(power_sum(2.0, 1, np.inf)) * 6 / np.pi**2, 14)
    1.0
    >>> power_sum(1.0, [1, 10**9], 10**9)       # H_n, and its last term alone
    array([2.13004815e+01, 1.00000000e-09])
    """
    s, a, b = np.broadcast_arrays(
        np.asarray(s, dtype=np.float64),
        np.asarray(a, dtype=np.float64),
        np.asarray(b, dtype=np.float64),
    )
    head = np.zeros(s.shape)
    for k in range(_DIRECT):
        head += np.where(a + k <= b, (a + k) ** -s, 0.0)
    rest = a + _DIRECT <= b
    low = a + _DIRECT - 0.5
    high = np.where(rest, b, a + _DIRECT) + 0.5
    tail = _integral(s, low, high) + _corrections(s, low) - _corrections(s, high)
    return head + np.where(rest, tail, 0.0)


def power_slope(s: ArrayLike, a: ArrayLike) -> NDArray[np.float64]:
    """Return s Σ_{i>=a} i^-(s+1), minus the slope of ``power_sum`` in a, for any s >= 0.

    The sum diverges as 1/s for s → 0; the product tends to 1 and keeps its digits.

    Examples
    --------
    >>> power_slope([0.0, 1e-15, 1.0], 1).round(12)
    array([1.        , 1.        , 1.64493407])
    """
    s, a = np.broadcast_arrays(np.asarray(s, dtype=np.float64), np.asarray(a, dtype=np.float64))
    head = np.zeros(s.shape)
    for k in range(_DIRECT):
        head += (a + k) ** (-s - 1)
    low = a + _DIRECT - 0.5
    # s times the integral of x^-(s+1) from low on is low^-s.
    total: Array = s * (head + _corrections(s + 1, low)) + low**-s
    return total


def _corrections(s: Array, x: Array) -> Array:
    """End-point terms of the midpoint Euler-Maclaurin formula for x^-s."""
    total, rising = np.zeros(s.shape), s.copy()  # s (s+1) ... (s+2j-2)
    with np.errstate(over="ignore", invalid="ignore"):
        for j, coefficient in enumerate(_MIDPOINT, start=1):
            power = x ** (-s - 2 * j + 1)
            total += np.where(power > 0, coefficient * rising * power, 0.0)
            rising = rising * (s + 2 * j - 1) * (s + 2 * j)
    return total


def geometric_sum(rate: ArrayLike, a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Sum exp(-rate (i - 1)) over i = a..b (the first rank has weight 1); 0 where b < a.

    Examples
    --------
    >>> float(geometric_sum(np.log(2), 1, 3))       # 1 + 1/2 + 1/4
    1.75
    """
    rate, a, b = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (rate, a, b)))
    count = np.maximum(b - a + 1, 0.0)
    total: Array = np.exp(-rate * (a - 1)) * np.expm1(-rate * count) / np.expm1(-rate)
    return total


def arithmetic_sum(power: int, n: ArrayLike, a: ArrayLike) -> NDArray[np.float64]:
    """Sum (n + 1 - i)^power over i = a..n, for power 1 or 2; 0 where n < a.

    Examples
    --------
    >>> float(arithmetic_sum(1, 4, 3)), float(arithmetic_sum(2, 4, 1))
    (3.0, 30.0)
    """
    k = np.maximum(np.asarray(n, dtype=np.float64) + 1 - np.asarray(a, dtype=np.float64), 0.0)
    total: Array = k * (k + 1) / 2 if power == 1 else k * (k + 1) * (2 * k + 1) / 6
    return total


class PowerSum(sp.Function):
    r"""The sum of i^-s over i = a..b as a sympy function, PowerSum(s, a, b); b may be ``oo``.

    It stands for zeta(s, a) - zeta(s, b + 1) at every s >= 0, the poles of the two zeta functions
    at s = 1 included, where it is the difference of two digamma functions.

    Examples
    --------
    >>> m, n = sp.symbols("m n")
    >>> PowerSum(sp.Symbol("alpha"), m + 1, n).rewrite(sp.zeta)
    zeta(alpha, m + 1) - zeta(alpha, n + 1)
    >>> PowerSum(0, m + 1, n)
    -m + n
    >>> PowerSum(1, 3, 5).evalf(20) == (sp.Rational(1, 3) + sp.Rational(9, 20)).evalf(20)
    True
    """

    nargs = 3

    @classmethod
    def eval(cls, s: Any, a: Any, b: Any) -> Any:
        """Evaluate the cases that need no new function."""
        if s.is_zero:
            return b - a + 1
        if b is sp.oo and a == 1:
            return sp.zeta(s)
        return None

    def fdiff(self, argindex: int = 1) -> Any:
        """Differentiate the analytic continuation with respect to a or b."""
        s, a, b = self.args
        if argindex == 2:
            return -PowerSlope(s, a)
        if argindex == 3 and b is not sp.oo:
            return PowerSlope(s, b + 1)
        raise sp.core.function.ArgumentIndexError(self, argindex)

    def _eval_rewrite_as_zeta(self, s: Any, a: Any, b: Any, **hints: Any) -> Any:
        if s == 1:
            return sp.digamma(b + 1) - sp.digamma(a)
        upper = sp.S.Zero if b is sp.oo else sp.zeta(s, b + 1)
        return sp.zeta(s, a) - upper

    def _eval_rewrite_as_Sum(self, s: Any, a: Any, b: Any, **hints: Any) -> Any:
        index = sp.Dummy("i", integer=True)
        return sp.Sum(index**-s, (index, a, b))

    def _eval_evalf(self, prec: int) -> Any:
        s, a, b = self.args
        if not all(arg.is_number for arg in self.args):
            return None
        # Guard bits: mpmath's zeta has an absolute error of 2^-prec, while the sum may be as small
        # as a^-s, the difference of two zetas is (b - a)/b of each, and each grows as 1/|s - 1|
        # near the pole.
        size = abs(complex(a if b is sp.oo else b)) + 2
        spare = 64 + int((abs(complex(s)) + 2) * mpmath.log(size, 2))
        if s != 1:
            spare += max(0, -int(mpmath.log(abs((s - 1).evalf(5)), 2)))
        with mpmath.workprec(prec + spare):
            s_, a_ = s._to_mpmath(prec + spare), a._to_mpmath(prec + spare)
            if s_ == 1:
                value = mpmath.digamma(b._to_mpmath(prec + spare) + 1) - mpmath.digamma(a_)
            elif b is sp.oo:
                value = mpmath.zeta(s_, a_)
            else:
                value = mpmath.zeta(s_, a_) - mpmath.zeta(s_, b._to_mpmath(prec + spare) + 1)
            return sp.Expr._from_mpmath(value, prec)

    @staticmethod
    def _imp_(s: ArrayLike, a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
        return power_sum(s, a, b)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        s, a, b = (printer._print(arg) for arg in self.args)
        body = rf"\sum_{{i={a}}}^{{{b}}} i^{{-{s}}}"
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"

    def _pretty(self, printer: Any) -> Any:
        s, a, b = self.args
        return printer._print(sp.Sum(sp.Symbol("i") ** -s, (sp.Symbol("i"), a, b)))


class PowerSlope(sp.Function):
    """Minus the slope of PowerSum in a, for sympy: PowerSlope(s, a) = s Σ_{i>=a} i^-(s+1).

    Examples
    --------
    >>> PowerSlope(sp.Symbol("s"), sp.Symbol("a")).rewrite(sp.zeta)
    s*zeta(s + 1, a)
    >>> PowerSlope(0, sp.Symbol("a"))
    1
    """

    nargs = 2

    @classmethod
    def eval(cls, s: Any, a: Any) -> Any:
        """Evaluate the limit s → 0."""
        return sp.S.One if s.is_zero else None

    def fdiff(self, argindex: int = 1) -> Any:
        """Differentiate with respect to a."""
        s, a = self.args
        if argindex == 2:
            return -s * PowerSlope(s + 1, a)
        raise sp.core.function.ArgumentIndexError(self, argindex)

    def _eval_rewrite_as_zeta(self, s: Any, a: Any, **hints: Any) -> Any:
        return s * sp.zeta(s + 1, a)

    def _eval_evalf(self, prec: int) -> Any:
        s, a = self.args
        if not all(arg.is_number for arg in self.args):
            return None
        return (s * PowerSum(s + 1, a, sp.oo))._eval_evalf(prec)

    @staticmethod
    def _imp_(s: ArrayLike, a: ArrayLike) -> NDArray[np.float64]:
        return power_slope(s, a)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        s, a = (printer._print(arg) for arg in self.args)
        body = rf"{s} \sum_{{i={a}}}^{{\infty}} i^{{-{s} - 1}}"
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"

    def _pretty(self, printer: Any) -> Any:
        s, a = self.args
        i = sp.Symbol("i")
        return printer._print(sp.Mul(s, sp.Sum(i ** (-s - 1), (i, a, sp.oo)), evaluate=False))
