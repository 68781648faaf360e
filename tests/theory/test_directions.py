import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import kstest

from theory.directions import (
    RandomOverlap,
    capacity_expression,
    derive_overlap_law,
    frame_capacity,
    welch_expression,
    welch_mean_square,
)

MEANS = {
    "mean_square": ("mean square", lambda t: t**2),
    "fourth_moment": ("fourth moment", lambda t: t**4),
    "mean_absolute": ("mean absolute", np.abs),
}


def random_rows(n, m, rng):
    rows = rng.standard_normal((n, m))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("m", [2, 3, 4, 10, 100, 1000])
@pytest.mark.parametrize("name", MEANS)
def test_moments_by_symbols_and_by_quadrature(m, name):
    step, function = MEANS[name]
    value = getattr(RandomOverlap(m), name)
    assert value == pytest.approx(
        float(
            derive_overlap_law()[step]
            .subs("m", m)
            .subs({s: m for s in derive_overlap_law()[step].free_symbols})
        ),
        rel=1e-12,
    )
    # t = sin(angle) removes the singular ends at m = 2; the weight is cos^(m-2).
    law = RandomOverlap(m)
    total, _ = quad(
        lambda a: function(np.sin(a)) * float(law.pdf(np.sin(a))) * np.cos(a),
        -np.pi / 2,
        np.pi / 2,
        points=[-3 / m**0.5, 0, 3 / m**0.5],
        limit=400,
    )
    assert value == pytest.approx(total, rel=1e-8)


def test_variance_of_the_square():
    law = RandomOverlap(17)
    assert law.variance_of_square == pytest.approx(law.fourth_moment - law.mean_square**2)
    m = sp.Symbol("m", positive=True)
    assert (
        sp.simplify(derive_overlap_law()["variance of square"] - 2 * (m - 1) / (m**2 * (m + 2)))
        == 0
    )


@pytest.mark.parametrize("m", [2, 3, 10, 100])
def test_law_against_sampled_directions(m):
    rng = np.random.default_rng(m)
    t = random_rows(20_000, m, rng)[:, 0]
    law = RandomOverlap(m)
    assert kstest(t, lambda x: 1 - law.survival(x)).pvalue > 1e-3
    # Negative control: another dimension is told apart.
    other = RandomOverlap(m + max(2, m // 5))
    assert kstest(t, lambda x: 1 - other.survival(x)).pvalue < 1e-6


def test_tail_is_the_integral_of_the_density():
    law = RandomOverlap(30)
    for t in (-0.4, 0.0, 0.1, 0.5):
        area, _ = quad(lambda x: float(law.pdf(x)), t, 1, epsabs=1e-14)
        assert float(law.survival(t)) == pytest.approx(area, rel=1e-9)
    assert law.pdf([1.0, -1.5]).tolist() == [0, 0]
    # For m = 3 the overlap is uniform (Archimedes): the tail is exact even where it is tiny.
    assert float(RandomOverlap(3).survival(1 - 1e-12)) == pytest.approx(5e-13, rel=1e-3)


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize(("n", "m"), [(10, 3), (10, 10), (50, 5), (50, 30), (200, 100)])
def test_expected_maximum_against_sampled_directions(n, m, absolute):
    rng = np.random.default_rng(100 * n + m)
    largest = []
    for _ in range(400):
        rows = random_rows(n, m, rng)
        overlaps = (rows @ rows.T)[np.triu_indices(n, 1)]
        largest.append(np.abs(overlaps).max() if absolute else overlaps.max())
    mean, error = np.mean(largest), np.std(largest) / 20
    predicted = RandomOverlap(m).expected_maximum(n, absolute=absolute)
    # Overlaps are only pairwise independent: allow the 1 % that the docstring states.
    assert abs(predicted - mean) < 4 * error + 0.01 * mean
    # Negative control: the maximum over n² instead of n(n-1)/2 pairs is told apart where the
    # maximum is not pressed against 1.
    if m >= 30:
        wrong = RandomOverlap(m).expected_maximum(round(2**0.5 * n), absolute=absolute)
        assert abs(wrong - mean) > 4 * error + 0.01 * mean


@given(st.integers(2, 40), st.integers(1, 20), st.integers(0, 10**6))
def test_no_configuration_beats_welch(n, m, seed):
    rows = random_rows(n, m, np.random.default_rng(seed))
    squares = (rows @ rows.T)[np.triu_indices(n, 1)] ** 2
    assert squares.mean() >= float(welch_mean_square(n, m)) - 1e-12


def test_welch_is_reached_by_equiangular_frames():
    golden = (1 + 5**0.5) / 2
    icosahedron = np.array(
        [
            [0, 1, golden],
            [0, 1, -golden],
            [1, golden, 0],
            [1, -golden, 0],
            [golden, 0, 1],
            [-golden, 0, 1],
        ]
    ) / np.hypot(1, golden)
    squares = (icosahedron @ icosahedron.T)[np.triu_indices(6, 1)] ** 2
    assert squares == pytest.approx(np.full(15, float(welch_mean_square(6, 3))))
    assert float(frame_capacity(3)) == 6


def test_expressions_and_numbers_agree():
    at = {
        s: v for s, v in zip(sorted(welch_expression.free_symbols, key=str), (7, 28), strict=True)
    }
    assert float(welch_expression.subs(at)) == pytest.approx(float(welch_mean_square(28, 7)))
    assert float(welch_mean_square(28, 7)) == pytest.approx(1 / 9)
    assert capacity_expression.subs({s: 7 for s in capacity_expression.free_symbols}) == 28
    assert float(welch_mean_square(5, 7)) == 0


def test_bad_input():
    with pytest.raises(ValueError, match="m = 1"):
        RandomOverlap(1)
    with pytest.raises(ValueError, match="n = 1"):
        RandomOverlap(3).expected_maximum(1)
    with pytest.raises(ValueError, match="is not allowed"):
        welch_mean_square(1, 3)
