"""Sparse block codes against enumeration and drawn codes."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import superscale as ss
from theory.reading.block_codes import recall_block_codes


def test_laws_by_enumeration():
    Q, K = 3, 3
    codes = list(itertools.product(range(K), repeat=Q))
    shared = np.bincount([sum(a == 0 for a in code) for code in codes], minlength=Q + 1)
    assert np.allclose(ss.reading.overlap_law(Q, K), shared / len(codes))
    for k in (1, 2, 4):
        occupied = [len(set(balls)) for balls in itertools.product(range(K), repeat=k)]
        law = np.bincount(occupied, minlength=K + 1) / K**k
        assert np.allclose(ss.reading.union_law(K, k), law)
    pairs = list(itertools.product(codes, repeat=2))
    for least in (None, 2):
        matching = [
            sum(
                sum(c in (a, b) for a, b, c in zip(*pair, code, strict=True)) >= (least or Q)
                for pair in pairs
            )
            for code in codes
        ]
        rate = sum(matching) / len(codes) / len(pairs)
        assert ss.reading.false_match(Q, K, 2, least) == pytest.approx(rate)


@pytest.mark.parametrize(("n", "Q", "K", "k"), [(200, 6, 5, 3), (1000, 10, 8, 4), (50, 2, 20, 4)])
def test_recall_of_drawn_codes(n, Q, K, k):
    rng = np.random.default_rng(5)
    draws, errors = 2000, 0
    for _ in range(draws):
        codes = rng.integers(K, size=(n, Q))
        on = np.zeros((Q, K), dtype=bool)
        for code in codes[:k]:
            on[np.arange(Q), code] = True
        errors += bool(on[np.arange(Q), codes[k:]].all(axis=1).any())
    p = ss.reading.recall(n, Q * K, k, "threshold", codes="block", blocks=Q).error
    assert abs(errors / draws - p) < 4 * math.sqrt(p * (1 - p) / draws)
    other = ss.reading.recall(n, Q * K, k + 1, "threshold", codes="block", blocks=Q).error
    assert abs(errors / draws - other) > 4 * math.sqrt(p * (1 - p) / draws)


@given(Q=st.integers(1, 12), K=st.integers(2, 20), k=st.integers(1, 8), n=st.integers(9, 5000))
def test_bounds_of_the_error(Q, K, k, n):
    one = ss.reading.false_match(Q, K, k)
    error = recall_block_codes(n, Q * K, k, Q)
    # The union bound above; the codes matched independently, below and above it.
    assert error <= min(1, (n - k) * one) * (1 + 2e-3) + 1e-9
    assert error <= -math.expm1((n - k) * math.log1p(-one)) * (1 + 2e-3) + 1e-9
    mean = ss.reading.union_law(K, k) @ np.arange(K + 1)
    assert mean == pytest.approx(K * (1 - (1 - 1 / K) ** k))
