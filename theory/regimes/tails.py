"""Lost frequency in symbols: Σ_{i > m} p_i and Σ_{i > m} p_i² for each law, and their limits.

``derive_tail`` returns the exact sums, their limit n → ∞ and the leading term for wide models, each
derived by sympy from the law. ``theory.regimes.weak`` turns them into a loss,
``theory.regimes.strong`` evaluates them beyond the capacity of a frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sympy as sp
from sympy.codegen.cfunctions import expm1

from theory.derivation import Step, alpha, density, i, m, n, scale
from theory.frequencies import Frequencies
from theory.regimes.power_sums import PowerSum

_x, _delta, _c, _theta, _q = sp.symbols("x delta c theta q", positive=True)


@dataclass(frozen=True)
class Tail:
    """Symbolic tail sums of one law, in m, n, E and the law's parameter.

    Attributes
    ----------
    mass, squares : sympy.Expr
        Σ_{i>m} p_i and Σ_{i>m} p_i², exactly.
    infinite_mass, infinite_squares : sympy.Expr or None
        Their limits n → ∞ at fixed m; None for laws whose p_i then vanish.
    decay : sympy.Expr
        A factor of ``mass`` that may underflow and cancels in quotients.
    leading : sympy.Expr
        Leading term of ``mass`` in ``regime``, where ``squares`` is negligible beside it.
    regime : str
        Where ``leading`` holds.
    steps : tuple of Step
        Derivation of ``mass``, ``squares`` and ``leading``.
    """

    mass: Any
    squares: Any
    infinite_mass: Any
    infinite_squares: Any
    leading: Any
    regime: str
    steps: tuple[Step, ...]
    decay: Any = sp.S.One


def case_of(frequencies: Frequencies) -> str:
    """Name the symbolic case of a law: power laws split at alpha = 0 and alpha = 1.

    Examples
    --------
    >>> case_of(Frequencies.power_law(10, alpha=1.0))
    'power_law = 1'
    """
    if frequencies.law != "power_law":
        return frequencies.law
    a = frequencies.exponent
    assert a is not None
    return f"power_law {'= 0' if a == 0 else '< 1' if a < 1 else '= 1' if a == 1 else '> 1'}"


@lru_cache(maxsize=8)
def derive_tail(case: str) -> Tail:
    """Derive the tail sums of one case (see ``case_of``).

    Examples
    --------
    >>> derive_tail("linear").mass
    E*(m - n)*(m - n - 1)/(n*(n + 1))
    >>> derive_tail("power_law > 1").leading
    E*m**(1 - alpha)/((alpha - 1)*zeta(alpha))
    """
    derive = {
        "power_law > 1": _steep_power_law,
        "power_law = 1": _zipf_law,
        "power_law < 1": _flat_power_law,
        "power_law = 0": _even_law,
        "exponential": _exponential_law,
        "linear": _linear_law,
    }
    if case not in derive:
        raise ValueError(f"no symbolic tail for {case!r}: the cases are {sorted(derive)}")
    return derive[case]()


def _exact(weight: Any, total: Callable[[int, Any], Any]) -> tuple[Any, Any, tuple[Step, ...]]:
    """Mass and squares from total(k, a) = Σ_{i=a..n} weight^k."""
    mass = density * total(1, m + 1) / total(1, 1)
    squares = density**2 * total(2, m + 1) / total(1, 1) ** 2
    steps = (
        Step(
            "law",
            "The frequencies, normalised to the activation density E.",
            sp.Eq(sp.Symbol("p_i"), density * weight / total(1, 1)),
        ),
        Step(
            "tail",
            "Their sum over the ranks above m.",
            sp.Eq(sp.Symbol("Sigma_1"), mass),
        ),
        Step(
            "tail of squares",
            "The sum of their squares over the ranks above m.",
            sp.Eq(sp.Symbol("Sigma_2"), squares),
        ),
    )
    return mass, squares, steps


def _finish(
    exact: tuple[Any, Any, tuple[Step, ...]],
    infinite: tuple[Any, Any],
    limit_steps: tuple[Step, ...],
    leading: Any,
    regime: str,
    decay: Any = sp.S.One,
) -> Tail:
    mass, squares, steps = exact
    last = Step(
        "leading tail",
        f"So, for {regime}, to leading order; there p_(m+1) → 0, and since "
        "Σ_2 <= p_(m+1) Σ_1 the sum of squares drops out.",
        sp.Eq(sp.Symbol("Sigma_1"), leading),
    )
    return Tail(mass, squares, *infinite, leading, regime, (*steps, *limit_steps, last), decay)


def _power_sums(exponent: Any) -> tuple[Any, Any, tuple[Step, ...]]:
    return _exact(i**-exponent, lambda k, a: PowerSum(k * exponent, a, n))


def _steep_power_law() -> Tail:
    exact = _power_sums(alpha)
    infinite = tuple(expr.replace(_is_sum_to_n, _sum_to_infinity) for expr in exact[:2])
    # Squeeze, with alpha = 1 + delta so that convergence is known to the integrator.
    low = sp.integrate(_x ** (-1 - _delta), (_x, m + 1, sp.oo))
    high = sp.integrate(_x ** (-1 - _delta), (_x, m, sp.oo))
    ratio = sp.limit(low / high, m, sp.oo)
    high = sp.powsimp(high).subs(_delta, alpha - 1)
    steps = (
        Step(
            "n → ∞",
            "Both sums converge for alpha > 1.",
            sp.Eq(sp.Symbol("Sigma_1"), infinite[0]),
        ),
        Step(
            "squeeze",
            "i^-alpha falls with i, so Σ_{i>m} i^-alpha lies between its integrals from m + 1 and "
            "from m; the larger is shown, and the ratio of the two tends to "
            f"{ratio} as m → ∞.",
            high,
        ),
    )
    if ratio != 1:
        raise ArithmeticError(f"the squeeze does not close: ratio {ratio}")
    leading = density * high / sp.zeta(alpha)
    return _finish(exact, infinite, steps, leading, "n → ∞ and m ≫ 1")


def _is_sum_to_n(expr: Any) -> bool:
    return isinstance(expr, PowerSum) and expr.args[2] == n


def _sum_to_infinity(expr: Any) -> Any:
    return PowerSum(expr.args[0], expr.args[1], sp.oo)


def _zipf_law() -> Tail:
    exact = _power_sums(alpha)
    # At m = n^theta the bounds of the tail over those of H_n must both tend to 1 - theta.
    low = sp.integrate(1 / _x, (_x, m + 1, n + 1)) / (1 + sp.log(n))
    high = sp.integrate(1 / _x, (_x, m, n)) / sp.log(n + 1)
    limits = []
    for bound in (low, high):
        # log(n^theta + 1) - theta log n → 0: written so that the limit needs no Gruntz search.
        expanded = sp.expand_log(bound.subs(m, n**_theta), force=True)
        expanded = expanded.subs(sp.log(n**_theta + 1), _theta * sp.log(n) + sp.log(1 + n**-_theta))
        limits.append(sp.simplify(sp.limit(expanded, n, sp.oo)))
    if any(sp.simplify(limit - (1 - _theta)) != 0 for limit in limits):
        raise ArithmeticError(f"the squeeze does not close: {limits}")
    steps = (
        Step(
            "squeeze",
            "At alpha = 1: 1/i falls with i, so Σ_{m<i<=n} 1/i lies between ln((n+1)/(m+1)) and "
            "ln(n/m), and H_n between ln(n+1) and 1 + ln n. With m = n^theta, 0 < theta < 1, "
            "the quotients of both bounds tend to the same limit as n → ∞; it is ln(n/m)/ln n.",
            limits[0],
        ),
    )
    leading = density * sp.log(n / m) / sp.log(n)
    return _finish(exact, (None, None), steps, leading, "n ≫ m ≫ 1")


def _flat_power_law() -> Tail:
    exact = _power_sums(alpha)
    delta = _delta  # alpha = 1 - delta, 0 < delta <= 1
    low = sp.integrate(_x ** (delta - 1), (_x, _c * n + 1, n + 1))
    high = sp.integrate(_x ** (delta - 1), (_x, _c * n, n))
    whole_low = sp.integrate(_x ** (delta - 1), (_x, 1, n + 1))
    whole_high = 1 + sp.integrate(_x ** (delta - 1), (_x, 1, n))
    limits = [
        sp.powsimp(sp.simplify(sp.limit(sp.powdenest(bound / n**delta, force=True), n, sp.oo)))
        for bound in (low, high, whole_low, whole_high)
    ]
    if sp.simplify(limits[0] - limits[1]) != 0 or sp.simplify(limits[2] - limits[3]) != 0:
        raise ArithmeticError(f"the squeeze does not close: {limits}")
    fraction = sp.simplify(limits[1] / limits[2])
    steps = (
        Step(
            "squeeze",
            "i^-alpha falls with i, so the sum lies between its integrals from m + 1 to n + 1 and "
            "from m to n. Divided by n^(1-alpha), at fixed c = m/n, both tend to the same limit, "
            "and so do the bounds of the whole sum; the fraction that is lost:",
            fraction.subs(delta, 1 - alpha),
        ),
    )
    leading = density * fraction.subs(delta, 1 - alpha).subs(_c, m / n)
    return _finish(exact, (None, None), steps, leading, "n → ∞ at fixed m/n")


def _even_law() -> Tail:
    exact = _power_sums(sp.S.Zero)
    leading = sp.expand(exact[0])
    return _finish(exact, (None, None), (), leading, "n → ∞ at fixed m/n")


def _exponential_law() -> Tail:
    # Σ_{i=a..n} q^(i-1) = q^(a-1) (1 - q^count)/(1 - q) with q = e^(-1/s): sympy's q != 1 branch.
    count = sp.Symbol("count", positive=True)
    k = sp.Symbol("k", integer=True)
    closed = sp.Sum(_q**k, (k, 0, count - 1)).doit().args[-1][0]
    stable = closed.subs(_q, sp.exp(-1 / scale)).replace(_is_one_minus_exp, _as_expm1)

    def total(power: int, a: Any) -> Any:
        body = stable.subs(count, n - a + 1).subs(scale, scale / power)
        return sp.exp(-power * (a - 1) / scale) * body

    exact = _exact(sp.exp(-(i - 1) / scale), total)
    infinite = tuple(sp.simplify(sp.limit(expr.rewrite(sp.exp), n, sp.oo)) for expr in exact[:2])
    steps = (
        Step(
            "geometric sum",
            "With q = exp(-1/s) each sum is geometric; expm1(x) = exp(x) - 1 keeps it accurate "
            "at any s.",
            sp.Eq(sp.Sum(_q**k, (k, 0, count - 1)), closed),
        ),
        Step("n → ∞", "The second exponential vanishes.", sp.Eq(sp.Symbol("Sigma_1"), infinite[0])),
    )
    decay = sp.exp(-m / scale)
    return _finish(exact, infinite, steps, infinite[0], "n → ∞ and m ≫ s", decay)


def _is_one_minus_exp(expr: Any) -> bool:
    return (
        expr.is_Add
        and len(expr.args) == 2
        and sp.S.One in expr.args
        and isinstance(-(expr - 1), sp.exp)
    )


def _as_expm1(expr: Any) -> Any:
    return -expm1((-(expr - 1)).args[0])


def _linear_law() -> Tail:
    def total(k: int, a: Any) -> Any:
        return sp.factor(sp.Sum((n + 1 - i) ** k, (i, a, n)).doit())

    exact = _exact(n + 1 - i, total)
    mass = sp.factor(exact[0])
    limit = sp.factor(sp.limit(mass.subs(m, _c * n), n, sp.oo))
    steps = (Step("limit", "At fixed c = m/n, as n → ∞:", limit),)
    return _finish(
        (mass, sp.factor(exact[1]), exact[2]),
        (None, None),
        steps,
        limit.subs(_c, m / n),
        "n → ∞ at fixed m/n",
    )
