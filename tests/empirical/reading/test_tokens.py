"""Superposed tokens: the law for random directions, plain sampling, and common directions."""

import math

import numpy as np
import pytest

import superscale as ss
from empirical.reading import tokens


def test_random_directions_are_read_as_the_law_says():
    W = np.random.default_rng(0).standard_normal((3000, 120)).astype(np.float32)
    found = ss.reading.read_tokens(W, samples=500, seed=1)
    for one in found.treatments:
        assert abs(one.capacity - found.random_capacity) <= 1
        for k, right, stderr in zip(one.active, one.right, one.stderr, strict=True):
            law = ss.reading.recall(3000, 120, int(k), codes="unit").probability
            assert abs(right - law) < 4 * stderr + 0.01
    k = found.treatments[0].capacity
    width = found.treatments[0].width
    assert ss.reading.recall(3000, width, k, codes="unit").error <= 0.1
    assert found.to_dataframe()["random directions"].between(0, 1).all()


def test_a_common_direction_costs_capacity():
    rng = np.random.default_rng(2)
    common = rng.standard_normal(200) * 0.6
    raw, centred, removed = ss.reading.read_tokens(
        rng.standard_normal((1500, 200)) + common, samples=300
    ).treatments
    assert raw.capacity < centred.capacity and raw.width < centred.width
    assert removed.treatment == "top 2 removed" and removed.capacity > raw.capacity
    uneven = common * (1 + 0.8 * rng.standard_normal((1500, 1)))
    raw, centred, removed = ss.reading.read_tokens(
        rng.standard_normal((1500, 200)) + uneven, samples=300
    ).treatments
    assert centred.capacity < removed.capacity


def test_shares_against_plain_sampling():
    rng = np.random.default_rng(3)
    W = rng.standard_normal((400, 30))
    U = W / np.linalg.norm(W, axis=1, keepdims=True)
    hits = []
    for _ in range(2000):
        on = rng.choice(400, 3, replace=False)
        scores = U @ U[on].sum(axis=0)
        hits.append(set(np.argsort(scores)[-3:]) == set(on))
    rows = tokens.UnitRows(tokens.as_rows(W), False, 0)
    share = tokens._share_right(rows, 3, None, 2000, rng)
    assert abs(share - np.mean(hits)) < 4 * math.sqrt(0.5 / 2000)


def test_counts_draw_frequent_tokens():
    rng = np.random.default_rng(4)
    counts = np.r_[np.full(10, 1000.0), np.ones(290)]
    drawn = tokens._draw_tokens(300, 2, counts, 4000, rng)
    assert all(len(set(pair)) == 2 for pair in drawn)
    first = (drawn[:, 0] < 10).mean()
    p = 10_000 / 10_290
    assert abs(first - p) < 4 * math.sqrt(p * (1 - p) / 4000)
    W = rng.standard_normal((300, 40))
    W[10:] += 3  # rare ones share a direction: frequent ones are read better
    plain = ss.reading.read_tokens(W, samples=300, remove=0)
    weighted = ss.reading.read_tokens(W, samples=300, remove=0, counts=counts)
    assert weighted.weighted and len(weighted.treatments) == 2
    assert weighted.treatments[0].capacity > plain.treatments[0].capacity


def test_bad_arguments():
    W = np.random.default_rng(0).standard_normal((50, 8))
    for options, message in (
        ({"error": 0}, "error"),
        ({"samples": 1}, "samples"),
        ({"remove": 8}, "remove"),
        ({"rows": slice(0, 99)}, "within 0:50"),
    ):
        with pytest.raises(ValueError, match=message):
            ss.reading.read_tokens(W, **options)
    with pytest.raises(ValueError, match="at least 3 rows"):
        ss.reading.read_tokens(W[:2])
