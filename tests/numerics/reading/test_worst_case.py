"""The criterion against every support, frames, and what coherence and bounds say."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import superscale as ss
from numerics.reading.extremes import find_extremes, power_sums
from numerics.tensors.row_matrix import RowMatrix


def by_supports(W):
    """Return the lowest score on and the highest off over all supports, for each size."""
    G, n = W @ W.T, len(W)
    on, off = [], []
    for k in range(1, n):
        low, high = math.inf, -math.inf
        for support in itertools.combinations(range(n), k):
            scores = G[list(support)].sum(axis=0)
            inside = np.isin(np.arange(n), support)
            low, high = min(low, scores[inside].min()), max(high, scores[~inside].max())
        on.append(low)
        off.append(high)
    return np.array(on), np.array(off)


@pytest.mark.parametrize(
    ("n", "m"), [(2, 2), (4, 3), (6, 4), (8, 30), (9, 5), (11, 60), (12, 100), (14, 400)]
)
@pytest.mark.parametrize("normalize", [True, False])
def test_equals_brute_force(n, m, normalize):
    W = np.random.default_rng(n).standard_normal((n, m)) / math.sqrt(m)
    if normalize:
        W /= np.linalg.norm(W, axis=1, keepdims=True)
    on, off = by_supports(W)
    found = ss.reading.worst_case_active(W, normalize=normalize)
    assert np.allclose(found.on, on[: found.on.size])
    assert np.allclose(found.off, off[: found.off.size])
    failed = np.flatnonzero(on <= off)
    assert found.active == (failed[0] if failed.size else n - 1)
    assert np.all(found.thresholds < on[: found.active])
    assert np.all(found.thresholds > off[: found.active])


@pytest.mark.parametrize(("n", "m"), [(10, 5), (6, 3), (28, 7), (16, 6), (36, 15), (276, 23)])
def test_equiangular_frames(n, m):
    """k < (1 + 1/κ)/2: the row of each vector has overlaps enough of both signs."""
    frame = ss.packings.pack(n, m, seconds=0.2)
    welch = math.sqrt(ss.directions.welch_mean_square(n, m))
    if frame.coherence > welch + 1e-9:
        pytest.skip("no frame was found")
    expected = math.ceil((1 + 1 / welch) / 2 - 1e-9) - 1
    assert frame.worst_case.active == ss.reading.guaranteed_active(frame.coherence) == expected
    assert f"any {expected} active" in str(frame)


@given(n=st.integers(3, 30), m=st.integers(1, 40), seed=st.integers(0, 99))
def test_between_guarantee_and_bound(n, m, seed):
    W = np.random.default_rng(seed).standard_normal((n, m)) + 0.5 * (seed % 3)
    W /= np.linalg.norm(W, axis=1, keepdims=True)
    coherence = np.abs(np.triu(W @ W.T, 1)).max()
    active = ss.reading.worst_case_active(W).active
    guaranteed = ss.reading.guaranteed_active(min(coherence, 1.0))
    assert active >= min(n - 1 if guaranteed is None else guaranteed, n - 1)
    bound = ss.reading.most_active(n, m)
    assert bound is None or active <= bound


def test_no_packing_exceeds_the_bound_and_the_proof_is_of_any_matrix():
    for n, m in ((40, 3), (60, 8), (150, 12), (400, 100)):
        bound = ss.packings.bounds(n, m, degree=0).most_active
        for objective in ("coherence", "cosine"):
            packed = ss.packings.pack(n, m, objective, starts=1, seconds=0.3, seed=1)
            assert 1 <= packed.worst_case.active <= bound
    # A common part does not help: t -> s + (1 - s) t leaves the number as it is.
    W = np.random.default_rng(0).standard_normal((12, 80))
    W /= np.linalg.norm(W, axis=1, keepdims=True)
    shifted = np.c_[math.sqrt(0.4) * np.ones(12), math.sqrt(0.6) * W]
    plain, moved = ss.reading.worst_case_active(W), ss.reading.worst_case_active(shifted)
    assert plain.active == moved.active >= 2
    k = np.arange(1, plain.on.size + 1)
    assert np.allclose(moved.on, 0.4 * k + 0.6 * plain.on)


def test_blocks_dtypes_and_options(monkeypatch):
    W = np.random.default_rng(2).standard_normal((50, 40)).astype(np.float32)
    whole = ss.reading.worst_case_active(W)
    monkeypatch.setattr("numerics.reading.extremes._BLOCK", 7)
    blocks = ss.reading.worst_case_active(W)
    assert np.allclose(whole.on, blocks.on, atol=1e-6) and whole.active == blocks.active
    assert ss.reading.worst_case_active(W.T, transpose=True).active == whole.active
    G = W.astype(float) @ W.T.astype(float)
    np.fill_diagonal(G, 0)
    sums = power_sums(RowMatrix(W), False)
    assert np.allclose(sums, np.stack([(G**p).sum(axis=1) for p in range(1, 5)], axis=1), rtol=1e-4)
    kept = find_extremes(RowMatrix(W), 49, False)
    np.fill_diagonal(G, np.nan)
    assert np.allclose(kept.largest, np.sort(G, axis=1)[:, :-1][:, ::-1], atol=1e-4)
    assert np.allclose(kept.smallest, np.sort(G, axis=1)[:, :-1], atol=1e-4)
    assert ss.reading.worst_case_active(W, limit=1).active == 1
    assert len(whole.to_dataframe()) == whole.on.size


def test_bad_matrices():
    for W, message in (
        ([[1.0, 2.0]], "one row"),
        ([[1.0, 2.0], [0.0, 0.0]], "row 1 of the matrix is zero"),
        ([[1.0, np.nan], [0.0, 1.0]], "NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            ss.reading.worst_case_active(W)
    with pytest.raises(ValueError, match="limit = 5"):
        ss.reading.worst_case_active(np.eye(3), limit=5)
    with pytest.raises(ValueError, match="coherence"):
        ss.reading.guaranteed_active(1.5)
