import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from theory.activation import UNIFORM, Activation
from theory.features import Features
from theory.frequencies import Frequencies
from theory.regimes.weak import weak_loss


def test_the_papers_law():
    assert [UNIFORM.moment(k) for k in range(4)] == [1, 1, sp.Rational(4, 3), 2]


@given(st.just(0.0) | st.floats(1e-40, 2), st.floats(0.01, 3), st.integers(1, 5))
def test_moments_against_quadrature(low, width, k):
    v = Activation(low, low + width)
    value, _ = quad(lambda x: x**k / width, low, low + width)
    assert float(v.moment(k)) == pytest.approx(value, rel=1e-9)


def test_samples_follow_the_law():
    v = Activation(0.5, 2.5)
    sample = v.sample(100_000, np.random.default_rng(0))
    assert sample.min() >= 0.5 and sample.max() <= 2.5
    for k, wrong in ((1, 1.0), (2, 4 / 3)):
        mean, error = (sample**k).mean(), (sample**k).std() / np.sqrt(sample.size)
        assert abs(mean - float(v.moment(k))) < 4 * error
        assert abs(mean - wrong) > 4 * error


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (1, 1), (2, 1), (0, np.inf)])
def test_bad_supports(low, high):
    with pytest.raises(ValueError):
        Activation(low, high)


STEPS = Activation(0.5, 3.0, (1.0, 0.0, 4.0))


def test_law_in_cells_against_quadrature_and_samples():
    assert not STEPS.is_uniform and UNIFORM.is_uniform
    sample = STEPS.sample(100_000, np.random.default_rng(0))
    first, second = 0.5 + 2.5 / 3, 3.0 - 2.5 / 3
    assert not np.any((sample > first) & (sample < second))
    for k in (1, 2, 3):
        parts = [
            quad(lambda x, k=k: x**k, low, high)[0] * share / 5 / (2.5 / 3)
            for low, high, share in ((0.5, first, 1), (second, 3.0, 4))
        ]
        assert float(STEPS.moment(k)) == pytest.approx(sum(parts))
        error = (sample**k).std() / np.sqrt(sample.size)
        assert abs((sample**k).mean() - float(STEPS.moment(k))) < 4 * error
        assert abs((sample**k).mean() - float(Activation(0.5, 3.0).moment(k))) > 4 * error
    assert float(STEPS.density(sp.Rational(3, 5))) == pytest.approx(1 / 5 / (2.5 / 3))


def test_steps_are_where_the_density_falls():
    ends, jumps = STEPS.steps
    assert ends == pytest.approx([0.5, 0.5 + 2.5 / 3, 3.0 - 2.5 / 3, 3.0])
    assert np.sum(jumps * ends) == pytest.approx(1)  # the density's integral
    assert np.sum(jumps * ends**2) / 2 == pytest.approx(float(STEPS.moment(1)))


@pytest.mark.parametrize("shares", [(), (0.0, 0.0), (1.0, -0.5), (float("nan"),)])
def test_bad_shares(shares):
    with pytest.raises(ValueError):
        Activation(0, 1, shares)


@pytest.mark.parametrize("shares", [3, "31", (1, "2"), (1, True)])
def test_shares_of_another_kind(shares):
    with pytest.raises(TypeError, match="share"):
        Activation(0, 1, shares)


def test_text_that_fits_a_line():
    assert repr(UNIFORM) == "Activation(0, 2)"
    assert repr(STEPS) == "Activation(0.5, 3, shares=(1, 0, 4))"
    assert eval(repr(STEPS)) == STEPS
    assert len(repr(Activation(0, 1, np.ones(1000)))) < 100


def test_one_cell_is_uniform_whatever_its_share():
    assert Activation(0, 2, (7,)) == UNIFORM


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        ({"high": 1e200}, r"high = 1e\+200 is not allowed: powers of v leave the range"),
        ({"high": 1e-200}, "measure v in other units, with high from 1e-50"),
        ({"low": 1e-300, "high": 1.0}, "low = 1e-300 is not allowed: next to 1 give 0"),
        ({"shares": (1e-300, 1)}, "shares contain 1e-300, less than 1e-30 of their sum"),
        ({"shares": (1e308, 1e308)}, "a finite sum"),
    ],
)
def test_numbers_that_floats_cannot_follow_are_refused(ends, message):
    with pytest.raises(ValueError, match=message):
        Activation(**ends)


@pytest.mark.parametrize(
    "v",
    [Activation(0, 1e50), Activation(1e-50, 1), Activation(0, 1e-50), Activation(0, 2, (1e-30, 1))],
)
def test_the_ends_of_what_is_allowed_work(v):
    """The loss goes as v²: compared with the same law in units of its largest value."""
    words = Frequencies.power_law(50, 1.0)
    unit = Activation(v.low / v.high, 1, v.shares)
    found, wanted = (weak_loss(Features(words, law), 5) for law in (v, unit))
    assert found / v.high**2 == pytest.approx(wanted, rel=1e-12)
