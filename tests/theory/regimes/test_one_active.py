"""The closed forms against exact rational integration, the published cases, and sampling."""

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given
from hypothesis import strategies as st

from theory.regimes.one_active import derive_one_active, interference_loss, self_loss


def exact_mean(function, g, b):
    """Mean over v in (0, 2): Simpson's rule, exact for the quadratics on each side of the kink."""
    kink = min(max(-b / g, Fraction(0)), Fraction(2)) if g else Fraction(0)
    total = Fraction(0)
    for low, high, inside in ((Fraction(0), kink, kink / 2), (kink, Fraction(2), (kink + 2) / 2)):
        on = g * inside + b > 0  # the ReLU does not switch within a piece
        values = [function(v, g * v + b if on else Fraction(0)) for v in (low, inside, high)]
        total += (high - low) * (values[0] + 4 * values[1] + values[2]) / 6
    return total / 2


def exact_interference(g, b):
    return exact_mean(lambda v, y: y**2, Fraction(g), Fraction(b))


def exact_self(g, b):
    return exact_mean(lambda v, y: (y - v) ** 2, Fraction(g), Fraction(b))


def random_pairs(count, seed, positive):
    """g and b over several orders of magnitude, half of them near the delicate g = 1."""
    rng = np.random.default_rng(seed)
    g = rng.standard_normal(count) * 10 ** rng.uniform(-4, 1, count)
    b = rng.standard_normal(count) * 10 ** rng.uniform(-4, 1, count)
    if positive:
        g = np.abs(g)
        g[::2] = np.abs(
            1 + rng.standard_normal(g[::2].size) * 10 ** rng.uniform(-12, 0, g[::2].size)
        )
    return g, b


@pytest.mark.parametrize(
    ("closed", "exact", "positive"),
    [(interference_loss, exact_interference, False), (self_loss, exact_self, True)],
)
@pytest.mark.parametrize("count", [2000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_random_pairs_against_exact_integration(closed, exact, positive, count):
    g, b = random_pairs(count, 3, positive)
    values = closed(g, b)
    worst = 0.0
    for k in range(g.size):
        reference = exact(g[k], b[k])
        if reference == 0:
            assert values[k] == 0
        else:
            worst = max(worst, abs(float(Fraction(values[k]) / reference - 1)))
    assert worst < 1e-12
    # Negative control: the comparison sees a bias that is off by 1e-9.
    shifted = closed(g, b + 1e-9)
    off = [abs(float(Fraction(shifted[k]) / exact(g[k], b[k]) - 1)) for k in range(50) if values[k]]
    assert max(off) > 1e-12


floats = st.floats(-50, 50, allow_subnormal=False).map(lambda x: 0.0 if abs(x) < 1e-12 else x)


@given(floats, floats)
@example(0.0, 0.0)
@example(-0.5, 1.0)
@example(0.5, -1.0)
def test_interference_everywhere(g, b):
    reference = exact_interference(g, b)
    assert float(interference_loss(g, b)) == pytest.approx(float(reference), rel=1e-12, abs=0)


@given(floats.map(abs), floats)
@example(1.0, -1.0)
@example(1.0, 0.0)
@example(0.0, -1.0)
@example(0.0, 0.0)
@example(1.0000000000847162, -5.797697928042167e-08)
def test_self_everywhere(g, b):
    reference = exact_self(g, b)
    assert float(self_loss(g, b)) == pytest.approx(float(reference), rel=1e-12, abs=0)


def published_self(g, b):
    """The cases as usually written, for g > 0 (not stable near g = 1)."""
    if b >= 0:
        return 4 / 3 * (g - 1) ** 2 + 2 * (g - 1) * b + b**2
    if b <= -2 * g:
        return 4 / 3
    v0 = -b / g
    if g == 1:
        return v0**3 / 6 + b**2 * (2 - v0) / 2
    return v0**3 / 6 + ((2 * (g - 1) + b) ** 3 + v0**3) / (6 * (g - 1))


@given(st.floats(0.05, 3), st.floats(-4, 3))
def test_self_against_the_published_cases(g, b):
    if 0 < abs(g - 1) < 1e-3:
        g = 1.0
    assert float(self_loss(g, b)) == pytest.approx(published_self(g, b), rel=1e-9, abs=1e-12)


def test_against_sampling_with_a_control():
    rng = np.random.default_rng(5)
    v = rng.uniform(0, 2, 400_000)
    for g, b in ((0.4, -0.3), (-0.6, 0.5), (1.2, 0.3), (0.9, -0.7)):
        for closed, sample in (
            (interference_loss, np.maximum(g * v + b, 0) ** 2),
            (self_loss, (np.maximum(g * v + b, 0) - v) ** 2),
        ):
            if g < 0 and closed is self_loss:
                continue
            error = sample.std() / np.sqrt(v.size)
            assert abs(float(closed(g, b)) - sample.mean()) < 4 * error
            assert abs(float(closed(g, b + 0.05)) - sample.mean()) > 4 * error


def test_symbolic_forms_integrate_what_they_say():
    """The middle branches, by sympy's own integration of the integrand."""
    forms = derive_one_active()
    v = sp.Symbol("v", real=True)
    g, b, h = sp.Rational(3, 7), sp.Rational(-2, 5), sp.Rational(-4, 7)
    symbols = {"b": b, "h": h, "e": 2 * g + b, "k": -b / g, "t": 2 + b / g}
    at = {s: symbols[s.name] for s in forms.self.free_symbols | forms.interference.free_symbols}
    y = g * v + b
    interference = sp.integrate(y**2 / 2, (v, -b / g, 2))
    assert sp.simplify(forms.interference.subs(at) - interference) == 0
    own = sp.integrate(v**2 / 2, (v, 0, -b / g)) + sp.integrate((y - v) ** 2 / 2, (v, -b / g, 2))
    assert sp.simplify(forms.self.subs(at) - own) == 0
    assert "lemma" in str(forms.derivation)


@given(st.floats(0, 3), st.floats(-3, 3))
def test_dead_and_silent(g, b):
    if b <= -2 * g:
        assert float(self_loss(g, b)) == pytest.approx(4 / 3, rel=1e-15)
        assert float(interference_loss(g, b)) == (max(b, 0) ** 2 if g == 0 else 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_input(bad):
    for closed in (interference_loss, self_loss):
        with pytest.raises(ValueError, match="must be finite"):
            closed(bad, 0.0)
        with pytest.raises(ValueError, match="must be finite"):
            closed(0.5, bad)
    for g in (-0.1, -1e-9):
        with pytest.raises(ValueError, match="at least 0"):
            self_loss(g, 0.0)


@pytest.mark.parametrize("scale", [1e-100, 1e-60, 1e60, 1e100])
def test_no_overflow_on_the_way_to_a_finite_result(scale):
    for g, b in ((scale, -scale), (2 * scale, scale), (scale, -0.1 * scale)):
        for closed, exact in ((interference_loss, exact_interference), (self_loss, exact_self)):
            assert float(closed(g, b)) == pytest.approx(float(exact(g, b)), rel=1e-12)


def test_arguments_broadcast():
    g, b = np.array([0.1, 0.5, 1.5]), np.array([[-0.3], [0.2]])
    for closed in (interference_loss, self_loss):
        table = closed(g, b)
        assert table.shape == (2, 3)
        assert table[1, 2] == closed(1.5, 0.2)
        assert np.array_equal(closed(g, -0.3), table[0])
