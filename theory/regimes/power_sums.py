"""Σ i^-s over i = a..b in sympy expressions.

``PowerSum`` differentiates, evaluates to any precision, rewrites to Hurwitz zeta functions, and
lambdifies to ``theory.sums.power_sum``; ``PowerSlope`` is its derivative.
"""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from theory.sums import power_slope, power_sum


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
