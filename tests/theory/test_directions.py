import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import kstest

from theory.directions import (
    RandomOverlap,
    frame_capacity,
    welch_mean_square,
)
from theory.regimes.overlap_law import (
    capacity_expression,
    derive_overlap_law,
    welch_expression,
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


@pytest.mark.parametrize("n", [2, 3, 10, 1000])
def test_expected_maximum_of_uniform_overlaps_exactly(n):
    """In R³ t is uniform on (-1, 1): the largest of N has mean (N-1)/(N+1), of N |t|, N/(N+1)."""
    pairs = n * (n - 1) / 2
    law = RandomOverlap(3)
    assert law.expected_maximum(n) == pytest.approx(pairs / (pairs + 1), rel=1e-9)
    signed = law.expected_maximum(n, absolute=False)
    assert signed == pytest.approx((pairs - 1) / (pairs + 1), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize(("n", "m"), [(10, 3), (10, 10), (50, 5), (50, 30), (200, 100), (300, 100)])
def test_expected_maximum_against_sampled_directions(n, m, absolute):
    rng = np.random.default_rng(100 * n + m)
    repeats = 1500 if n < 100 else 400
    largest = []
    for _ in range(repeats):
        rows = random_rows(n, m, rng)
        overlaps = (rows @ rows.T)[np.triu_indices(n, 1)]
        largest.append(np.abs(overlaps).max() if absolute else overlaps.max())
    mean, error = np.mean(largest), np.std(largest) / np.sqrt(repeats)
    predicted = RandomOverlap(m).expected_maximum(n, absolute=absolute)
    # Overlaps are only pairwise independent: allow the 0.4 % that the docstring states.
    assert abs(predicted - mean) < 3 * error + 0.004 * mean
    # Negative control where the maximum is not pressed against 1: the law of one dimension more.
    if m >= 10:
        wrong = RandomOverlap(m + 1 + m // 20).expected_maximum(n, absolute=absolute)
        assert abs(wrong - mean) > 3 * error + 0.004 * mean


def test_expected_maximum_of_few_directions_deviates_as_stated():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((20_000, 5, 3))
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    t = np.einsum("rik,rjk->rij", rows, rows)[:, *np.triu_indices(5, 1)]
    law = RandomOverlap(3)
    coherence = np.abs(t).max(axis=1).mean() / law.expected_maximum(5)
    largest = t.max(axis=1).mean() / law.expected_maximum(5, absolute=False)
    assert coherence == pytest.approx(1.01, abs=0.005)
    assert largest == pytest.approx(1.02, abs=0.005)


@pytest.mark.parametrize("m", [2, 3, 8, 50, 1000])
@pytest.mark.parametrize("h", [-0.5, -0.01, 0.0, 0.05, 0.3, 0.9])
def test_one_sided_moment_against_high_precision_quadrature(m, h):
    with mpmath.workdps(30):
        a = mpmath.mpf(m - 3) / 2
        norm = mpmath.beta(mpmath.mpf(m - 1) / 2, mpmath.mpf(1) / 2)

        def integrand(angle):  # t = sin(angle)
            t = mpmath.sin(angle)
            return (t - h) ** 2 * mpmath.cos(angle) ** (2 * a + 1)

        low = mpmath.asin(mpmath.mpf(h))
        nodes = [low + (mpmath.pi / 2 - low) * x for x in (0, 0.02, 0.05, 0.1, 0.2, 0.5, 1)]
        exact = mpmath.quad(integrand, nodes) / norm
    value = RandomOverlap(m).one_sided_moment(h)
    assert value == pytest.approx(float(exact), rel=1e-10)
    assert RandomOverlap(m).one_sided_moment(1.0) == 0


def test_tails_far_out_and_in_many_dimensions():
    """P(t > h) for m = 1000 at h = 0.6 is below 1e-90; in R³ it is (1 - h)/2."""
    with mpmath.workdps(40):
        h = mpmath.mpf("0.6")
        exact = mpmath.betainc(mpmath.mpf(999) / 2, 0.5, 0, 1 - h**2, regularized=True) / 2
    assert float(RandomOverlap(1000).survival(0.6)) == pytest.approx(float(exact), rel=1e-9)
    assert 0 < exact < 1e-90
    # ⟨|t|⟩ → sqrt(2/(π m)) (1 + 1/(4 m)) with digits at any m.
    m = 10**9
    leading = np.sqrt(2 / (np.pi * m)) * (1 + 1 / (4 * m))
    assert RandomOverlap(m).mean_absolute == pytest.approx(leading, rel=1e-13)


def test_derived_steps_are_about_the_same_law():
    law = derive_overlap_law()
    t, m = sp.Symbol("t", positive=True), sp.Symbol("m", positive=True)
    assert law["density"] == (1 - t**2) ** ((m - 3) / 2)
    for dimension in (3, 5, 7):
        density = law["density"].subs(m, dimension)
        norm = sp.integrate(density, (t, 0, 1))
        for step, power in (("mean square", 2), ("fourth moment", 4), ("mean absolute", 1)):
            moment = sp.integrate(t**power * density, (t, 0, 1)) / norm
            assert sp.simplify(law[step].subs(m, dimension) - moment) == 0


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
