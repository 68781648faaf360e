import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from theory.activation import UNIFORM, Activation


def test_the_papers_law():
    assert [UNIFORM.moment(k) for k in range(4)] == [1, 1, sp.Rational(4, 3), 2]


@given(st.floats(0, 2), st.floats(0.01, 3), st.integers(1, 5))
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
