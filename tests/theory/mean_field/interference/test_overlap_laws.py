"""Limits on overlap laws: what real matrices spend, positivity, derivatives."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from theory.mean_field.interference.overlap_laws import DEGREES, OverlapLaws, random_nodes


def grouped(U, sizes):
    """Return the laws' matrices B of the rows of U, as means over pairs of groups."""
    m = U.shape[1]
    laws = OverlapLaws(np.asarray(sizes), float(m), 1)
    t = np.sqrt(m) * U @ U.T
    edges = np.concatenate([[0], np.cumsum(sizes)])
    sums = [np.zeros((len(sizes), len(sizes))) for _ in DEGREES]
    for g in range(len(sizes)):
        for h in range(g, len(sizes)):
            block = t[edges[g] : edges[g + 1], edges[h] : edges[h + 1]]
            values = block[np.triu_indices(len(block), 1)] if g == h else block.ravel()
            # Positivity is linear in the law: each draw alone, then the mean.
            for value in values:
                full = np.zeros((len(laws.first), 1))
                full[:] = value
                for k, B in enumerate(laws.positivity(full)[0]):
                    share = (B[g, h] - (g == h)) / len(values)
                    sums[k][g, h] += share
                    sums[k][h, g] = sums[k][g, h]
    return [matrix + np.eye(len(sizes)) for matrix in sums]


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 9), st.integers(3, 24), st.integers(0, 2**32 - 1), st.floats(0, 3))
@example(4, 12, 0, 0.0)
def test_no_real_matrix_breaks_positivity(m, n, seed, crowding):
    rng = np.random.default_rng(seed)
    U = rng.standard_normal((n, m)) + crowding * rng.standard_normal(m)
    U /= np.linalg.norm(U, axis=1, keepdims=True)
    for matrix in grouped(U, [1, n // 2, n - 1 - n // 2]):
        assert np.linalg.eigvalsh(matrix)[0] > -1e-9


@pytest.mark.parametrize("n, m", [(8, 4), (12, 4), (20, 6)])
def test_no_optimised_matrix_breaks_positivity(n, m):
    """Rows that minimise Σ (u·v)^4, a spread that random ones never have."""
    rng = np.random.default_rng(n)
    U = rng.standard_normal((n, m))
    for _ in range(400):
        U /= np.linalg.norm(U, axis=1, keepdims=True)
        G = U @ U.T
        np.fill_diagonal(G, 0.0)
        U -= 0.1 * (G**3) @ U
    U /= np.linalg.norm(U, axis=1, keepdims=True)
    matrices = grouped(U, [2, n - 2])
    assert min(np.linalg.eigvalsh(B)[0] for B in matrices) > -1e-9
    # The control: half of the overlaps that they have is beyond the Welch bound.
    laws = OverlapLaws(np.array([n]), float(m), 1)
    root = np.sqrt((np.sum((U @ U.T) ** 2) - n) / (n * (n - 1)))
    small = laws.positivity(np.full((1, 1), np.sqrt(m) * root / 2))[0]
    assert np.linalg.eigvalsh(small[1])[0] < -1e-2


def test_overlaps_that_no_vectors_have():
    laws = OverlapLaws(np.array([1, 30]), 5.0, 3)
    impossible = laws.positivity(np.full((3, 3), -np.sqrt(5.0)))[0]
    assert min(np.linalg.eigvalsh(B)[0] for B in impossible) < -1e-3


def test_orthogonal_rows_spend_all_but_one_of_m():
    """m rows made orthogonal, D = -z: m(m - 1)/2 pairs of the m²/2 that the budget grants."""
    for m in (3, 10, 50):
        laws = OverlapLaws(np.array([m]), float(m), 9)
        spent = laws.spent(-laws.z[None, :])
        assert spent == pytest.approx([(m - 1) / m])
        groups = OverlapLaws(np.array([1, m // 3, m - 1 - m // 3]), float(m), 9)
        several = groups.spent(-np.tile(groups.z, (6, 1)))
        assert several[-1] == pytest.approx((m - 1) / m) and np.all(np.diff(several) > 0)


def test_derivative_of_the_limits():
    rng = np.random.default_rng(0)
    laws = OverlapLaws(np.array([1, 4, 20]), 7.0, 9)
    D = 0.01 * rng.standard_normal((6, 9))  # |t| < √m: beyond, values are clipped
    way = rng.standard_normal(D.shape)
    step = 1e-6
    pushes = np.array([a @ a.T for a in rng.standard_normal((len(DEGREES), 3, 3))])
    slopes = laws.positivity(laws.z + D)[1]
    ends = [np.sum(pushes * laws.positivity(laws.z + D + s * step * way)[0]) for s in (-1, 1)]
    change = (ends[1] - ends[0]) / (2 * step)
    assert np.sum(laws.pull(pushes, slopes) * way) == pytest.approx(change, rel=1e-6)
    force = rng.uniform(size=3)
    ends = [force @ laws.spent(D + s * step * way) for s in (-1, 1)]
    change = (ends[1] - ends[0]) / (2 * step)
    assert np.sum(laws.spent_slope(D, force) * way) == pytest.approx(change, rel=1e-6)


def test_random_nodes_have_the_moments_of_random_directions():
    for m in (2, 3, 10, 100):
        z, weights = random_nodes(m, 15)
        assert weights @ z**2 == pytest.approx(1)
        assert weights @ z**4 == pytest.approx(3 * m / (m + 2))
        assert weights @ z**3 == pytest.approx(0, abs=1e-12)
        assert np.abs(z).max() <= np.sqrt(m)
