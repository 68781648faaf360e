import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from numerics.loss.one_active_kernels import (
    few_active_rows,
    interference,
    mean_self_term,
    one_hot_rows,
    self_term,
)
from theory.regimes.one_active import interference_loss, self_loss

numbers = st.floats(-3, 3).filter(lambda x: x == 0 or abs(x) > 1e-6)
NONE = np.empty((0, 0))


def slope(f, x, h=1e-6):
    return (f(x + h) - f(x - h)) / (2 * h)


@given(numbers, numbers)
def test_kernels_are_the_derived_closed_forms(g, b):
    assert interference(g, b)[0] == pytest.approx(float(interference_loss(g, b)), abs=1e-13)
    own = abs(g)
    assert self_term(own, b)[0] == pytest.approx(float(self_loss(own, b)), abs=1e-13)


# Where the output has a kink at b = 0 or 2 g + b = 0, the slopes have one, too.
@pytest.mark.parametrize("g", [0.05, 0.4, 1.3, -0.3, -1.1])
@pytest.mark.parametrize("b", [-1.0, -0.07, 0.03, 0.9])
def test_slopes(g, b):
    _, by_g, by_b = interference(g, b)
    assert by_g == pytest.approx(slope(lambda x: interference(x, b)[0], g), abs=1e-8)
    assert by_b == pytest.approx(slope(lambda x: interference(g, x)[0], b), abs=1e-8)
    own = abs(g)
    _, by_g, by_b = self_term(own, b)
    assert by_g == pytest.approx(slope(lambda x: self_term(x, b)[0], own), abs=1e-8)
    assert by_b == pytest.approx(slope(lambda x: self_term(own, x)[0], b), abs=1e-8)
    for other in (0.6, -0.8):
        _, by_own, by_g, by_b = mean_self_term(own, other, b)
        assert by_own == pytest.approx(slope(lambda x, o=other: mean_self_term(x, o, b)[0], own))
        assert by_g == pytest.approx(slope(lambda x: mean_self_term(own, x, b)[0], other), abs=1e-8)
        assert by_b == pytest.approx(
            slope(lambda x, o=other: mean_self_term(own, o, x)[0], b), abs=1e-8
        )


@pytest.mark.parametrize("own", [0.0, 0.3, 1.2])
@pytest.mark.parametrize("g", [0.0, 0.5, -0.9, 3.0])
@pytest.mark.parametrize("b", [-2.0, -0.4, 0.0, 0.7])
def test_mean_self_term_by_quadrature(own, g, b):
    def integrand(v):
        return float(self_loss(own, b + g * v)) / 2

    kinks = [(-2 * own - b) / g, -b / g] if g else []
    points = [v for v in kinks if 0 < v < 2] or None
    expected, _ = quad(integrand, 0, 2, points=points, epsabs=1e-13, epsrel=1e-13)
    assert mean_self_term(own, g, b)[0] == pytest.approx(expected, abs=1e-12)


def test_one_hot_rows_are_the_double_sum():
    rng = np.random.default_rng(0)
    W, b, p = rng.standard_normal((9, 4)), rng.standard_normal(9), rng.random(9)
    G = W @ W.T
    silent, own, _ = one_hot_rows(G[3:7], 3, p, b, NONE)
    for r, i in enumerate(range(3, 7)):
        terms = [p[j] * float(interference_loss(G[i, j], b[i])) for j in range(9) if j != i]
        assert silent[r] == pytest.approx(sum(terms), rel=1e-13)
        assert own[r] == pytest.approx(float(self_loss(G[i, i], b[i])), rel=1e-12)


def test_squares_are_of_the_side_on_which_the_output_lies():
    """For features that cannot cross zero the closed parts are the whole loss."""
    rng = np.random.default_rng(1)
    W, p = rng.standard_normal((6, 3)), rng.uniform(0.1, 0.9, 6)
    G = W @ W.T
    off = rng.random((200_000, 6)) < p
    x = off * rng.uniform(0, 2, off.shape)
    for b in (-50.0, 50.0):
        rows = few_active_rows(G, 0, p, np.full(6, b), NONE)
        assert np.all(rows[:, 4:6] == (b > 0))
        terms = rows[:, :2] + rows[:, 2:4]
        squared = (np.maximum(x @ G + b, 0) - x) ** 2
        for i in range(6):
            for part, which in enumerate((~off[:, i], off[:, i])):
                some = squared[which, i]
                error = some.std() / np.sqrt(some.size) + 1e-12
                assert abs(terms[i, part] - some.mean()) < 4 * error
