import math

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given
from hypothesis import strategies as st

from theory.regimes.power_sums import PowerSlope, PowerSum
from theory.sums import _MIDPOINT, arithmetic_sum, geometric_sum, power_slope, power_sum

exponents = st.one_of(
    st.floats(0, 6),
    st.sampled_from([0.0, 0.5, 1.0, 1 + 1e-12, 1 - 1e-12, 2.0, 40.0, 100.0]),
)


def exact_power_sum(s, a, b):
    """The same sum from two Hurwitz zeta functions (or digamma) with digits to spare."""
    # mpmath's zeta is exact to a number of decimals, not of digits: a^-s takes s log10(a) more.
    with mpmath.workdps(60 + int(s * math.log10(a + 1))):
        s = mpmath.mpf(s)
        if b == math.inf:
            return mpmath.zeta(s, a)
        if b - a < 50:
            return mpmath.fsum(mpmath.mpf(i) ** -s for i in range(a, b + 1))
        if s == 1:
            return mpmath.digamma(b + 1) - mpmath.digamma(a)
        return mpmath.zeta(s, a) - mpmath.zeta(s, b + 1)


@given(exponents, st.integers(1, 10**9), st.integers(0, 10**9))
@example(1.0, 1, 10**9 - 1)
@example(0.5, 10**9 - 3, 3)
@example(100.0, 1, 10**9)
def test_power_sum_against_zeta_functions(s, a, more):
    exact = exact_power_sum(s, a, a + more)
    value = float(power_sum(s, a, a + more))
    if exact > 1e-300:
        # A few roundings of the terms; a^-s itself is good to about s ln(a) units.
        assert abs(value / exact - 1) < 2e-15 * (4 + s * math.log(a + 1) / 8)


@given(st.floats(1.01, 60), st.integers(1, 10**6))
def test_power_sum_to_infinity(s, a):
    exact = exact_power_sum(s, a, math.inf)
    if exact > 1e-300:
        tolerance = 2e-15 * (4 + s * math.log(a + 1) / 8)
        assert abs(float(power_sum(s, a, math.inf)) / exact - 1) < tolerance


@pytest.mark.parametrize("s", [0.0, 0.3, 1.0, 1.7, 3.0])
def test_power_sum_against_direct_sum(s):
    for a, b in [(1, 1), (1, 5), (1, 20_000), (17, 40), (300, 20_000)]:
        direct = math.fsum(i**-s for i in range(a, b + 1))
        assert float(power_sum(s, a, b)) == pytest.approx(direct, rel=1e-14)


def test_power_sum_is_empty_beyond_the_end():
    assert power_sum(1.2, [6, 100], 5).tolist() == [0.0, 0.0]


def test_the_plain_difference_of_zetas_would_not_do():
    from scipy.special import zeta

    n = 10**9
    exact = float(exact_power_sum(1.2, n - 2, n))
    plain = zeta(1.2, n - 2) - zeta(1.2, n + 1)
    assert abs(plain / exact - 1) > 1e-9
    assert float(power_sum(1.2, n - 2, n)) == pytest.approx(exact, rel=1e-14)


@given(st.floats(1e-9, 3), st.integers(1, 200), st.integers(1, 200))
def test_geometric_sum_against_direct_sum(rate, a, count):
    direct = math.fsum(math.exp(-rate * (i - 1)) for i in range(a, a + count))
    assert float(geometric_sum(rate, a, a + count - 1)) == pytest.approx(direct, rel=1e-13)


@given(st.integers(1, 300), st.integers(1, 301), st.sampled_from([1, 2]))
def test_arithmetic_sum_against_integers(n, a, power):
    direct = sum((n + 1 - i) ** power for i in range(a, n + 1))
    assert float(arithmetic_sum(power, n, a)) == direct


@pytest.mark.parametrize("s", [0.5, 1, sp.Rational(3, 2), 2])
def test_symbolic_sum_evaluates_rewrites_and_compiles(s):
    m, n = sp.symbols("m n")
    expr = PowerSum(s, m + 1, n)
    at = {m: 10, n: 1000}
    exact = float(exact_power_sum(float(s), 11, 1000))
    assert float(expr.subs(at).evalf()) == pytest.approx(exact, rel=1e-14)
    assert float(expr.rewrite(sp.zeta).subs(at).evalf()) == pytest.approx(exact, rel=1e-12)
    assert float(sp.lambdify((m, n), expr, "numpy")(10, 1000)) == pytest.approx(exact, rel=1e-14)


def test_symbolic_sum_keeps_its_digits_in_the_tail():
    value = PowerSum(sp.Rational(6, 5), 10**9 - 2, 10**9).evalf(30)
    with mpmath.workdps(40):
        exact = mpmath.fsum(
            mpmath.mpf(i) ** (-mpmath.mpf(6) / 5) for i in range(10**9 - 2, 10**9 + 1)
        )
        assert abs(mpmath.mpf(str(value)) / exact - 1) < mpmath.mpf(10) ** -28


@pytest.mark.parametrize("s", [0.5, 1.0, 1.5, 2.0])
def test_derivative_against_difference_of_the_continuation(s):
    m, n = sp.symbols("m n")
    expr = PowerSum(sp.Float(s), m + 1, n)
    for symbol in (m, n):
        slope = float(expr.diff(symbol).subs({m: 20, n: 500}).evalf())
        with mpmath.workdps(40):

            def continued(x, symbol=symbol):
                low, high = (x, 500) if symbol is m else (20, x)
                if s == 1:
                    return mpmath.digamma(high + 1) - mpmath.digamma(low + 1)
                return mpmath.zeta(s, low + 1) - mpmath.zeta(s, high + 1)

            exact = mpmath.diff(continued, 20 if symbol is m else 500)
        assert slope == pytest.approx(float(exact), rel=1e-12)


def test_symbolic_special_cases():
    m, n = sp.symbols("m n")
    assert PowerSum(0, m + 1, n) == n - m
    assert PowerSum(3, 1, sp.oo) == sp.zeta(3)
    assert PowerSum(2, 1, 3).rewrite(sp.Sum).doit() == sp.Rational(49, 36)
    assert np.isclose(float(PowerSum(2, 5, sp.oo).evalf()), float(power_sum(2, 5, np.inf)))


@pytest.mark.parametrize("s", [1e-18, 1e-12, 1e-6, 0.1, 1.0, 3.5, 80.0])
@pytest.mark.parametrize("a", [1, 11, 10**6])
def test_power_slope_at_every_exponent(s, a):
    with mpmath.workdps(60 + int((s + 1) * math.log10(a + 1))):
        exact = mpmath.mpf(s) * mpmath.zeta(1 + mpmath.mpf(s), a)
        if exact > 1e-300:
            assert abs(float(power_slope(s, a)) / exact - 1) < 1e-13
    m = sp.Symbol("m")
    assert float(sp.lambdify(m, PowerSlope(sp.Float(s), m), "numpy")(a)) == power_slope(s, a)


def test_power_slope_and_sum_at_their_limits():
    assert float(power_slope(0.0, 7)) == 1
    assert PowerSlope(0, sp.Symbol("a")) == 1
    # Steep sums are their first term; no exponent makes them slow or NaN.
    assert float(power_sum(1e9, 1, 10**9)) == 1 and float(power_sum(1e9, 2, 10**9)) == 0
    assert geometric_sum(0.5, 6, 5) == 0 and arithmetic_sum(1, 5, 8) == 0


def test_digits_near_the_pole():
    s = 1 + sp.Rational(1, 10**40)
    assert abs(PowerSum(s, 11, 1000).evalf(15) - PowerSum(1, 11, 1000).evalf(15)) < 1e-13


def test_printing():
    m, n = sp.symbols("m n")
    expr = PowerSum(sp.Rational(3, 2), m + 1, n)
    assert sp.latex(expr) == r"\sum_{i=m + 1}^{n} i^{-\frac{3}{2}}"
    assert sp.latex(expr**2) == r"\left(\sum_{i=m + 1}^{n} i^{-\frac{3}{2}}\right)^{2}"
    shown = sp.pretty(PowerSum(sp.Symbol("alpha"), m + 1, n))
    assert "-α" in shown and "i = m + 1" in shown
    assert r"\infty" in sp.latex(PowerSlope(2, m)) and "∞" in sp.pretty(PowerSlope(2, m))


def test_coefficients_of_the_midpoint_formula():
    exact = [sp.bernoulli(2 * j, sp.Rational(1, 2)) / sp.factorial(2 * j) for j in range(1, 8)]
    assert [float(x) for x in exact] == list(_MIDPOINT)
