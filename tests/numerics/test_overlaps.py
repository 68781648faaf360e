import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ortho_group

from numerics.overlaps import mean_square_overlap
from theory.directions import RandomOverlap, welch_mean_square


def plain_mean_square(W):
    U = W / np.linalg.norm(W, axis=1, keepdims=True)
    return np.mean((U @ U.T)[np.triu_indices(len(W), 1)] ** 2)


matrices = st.tuples(st.integers(2, 30), st.integers(1, 10), st.integers(0, 10**6)).map(
    lambda s: np.random.default_rng(s[2]).standard_normal(s[:2])
)


@given(matrices)
def test_against_all_pairs(W):
    assert mean_square_overlap(W) == pytest.approx(plain_mean_square(W), rel=1e-10, abs=1e-14)


@given(matrices, st.integers(0, 1000))
def test_invariances_and_the_welch_bound(W, seed):
    value, (n, m) = mean_square_overlap(W), W.shape
    rng = np.random.default_rng(seed)
    signs, sizes = rng.choice([-1, 1], n), rng.uniform(0.1, 10, n)
    assert mean_square_overlap(W[rng.permutation(n)]) == pytest.approx(value, abs=1e-13)
    assert mean_square_overlap(W * (signs * sizes)[:, None]) == pytest.approx(value, abs=1e-13)
    if m > 1:
        turned = W @ ortho_group.rvs(m, random_state=seed)
        assert mean_square_overlap(turned) == pytest.approx(value, abs=1e-13)
    assert value >= float(welch_mean_square(n, m)) - 1e-12


def test_random_rows():
    n, m = 2000, 50
    value = mean_square_overlap(np.random.default_rng(0).standard_normal((n, m)))
    # Pairs are pairwise independent: the error of the mean is that of n(n-1)/2 draws.
    error = np.sqrt(RandomOverlap(m).variance_of_square / (n * (n - 1) / 2))
    assert abs(value - 1 / m) < 4 * error
    assert abs(value - 1 / (m + 1)) > 4 * error


def test_rows_of_zeros_and_bad_input():
    assert mean_square_overlap([[1, 0], [0, 0], [1, 1]]) == pytest.approx(0.5)
    assert np.isnan(mean_square_overlap([[1, 0], [0, 0]]))
    for bad in (np.zeros(3), [[np.nan, 1]]):
        with pytest.raises(ValueError, match="finite matrix"):
            mean_square_overlap(bad)
