"""Directions learnt from states alone: the bars test, the updates, and what cannot be learnt."""

import math

import numpy as np
import pytest

import superscale as ss
from empirical.reading import learning

bars = ss.reading.draw_bars


@pytest.mark.parametrize("model", ["maximum", "binary"])
def test_bars_of_two_seeds(model):
    found = []
    for seed in range(2):
        states, true = bars(1000, model=model, seed=100 + seed)
        learnt = ss.reading.learn_directions(states, 10, model, iterations=30, seed=seed)
        cosines = ss.reading.match_directions(learnt.W, true)
        found.append(bool(cosines.min() > 0.95))
        if found[-1]:
            assert learnt.p == pytest.approx(0.2, abs=0.03)
            assert learnt.noise == pytest.approx(2.0, abs=0.25)
            assert np.linalg.norm(learnt.W, axis=1) == pytest.approx(10 * math.sqrt(5), rel=0.1)
    assert any(found)
    if model == "binary":  # the wrong model does not fit: the likelihood says which it is
        wrong = ss.reading.learn_directions(states, 10, "maximum", iterations=30, seed=1)
        assert wrong.log_likelihood[-1] < learnt.log_likelihood[-1]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["maximum", "binary"])
def test_bars_of_ten_seeds_with_the_whole_posterior(model):
    right = 0
    for seed in range(10):
        states, true = bars(1000, model=model, seed=100 + seed)
        learnt = ss.reading.learn_directions(states, 10, model, seed=seed)
        right += bool(ss.reading.match_directions(learnt.W, true).min() > 0.95)
    assert right >= 9


@pytest.mark.parametrize("model", ["binary", "maximum"])
def test_truncated_steps_are_exact_with_all_candidates(model):
    states, true = bars(60, size=3, noise=1.0, model=model, seed=0)
    rng = np.random.default_rng(1)
    W = true + rng.random(true.shape)
    on = np.array([[int(c) for c in f"{k:06b}"] for k in range(64)], dtype=float)
    shared = learning._Supports(on, None)
    order = np.argsort(rng.random((60, 6)), axis=1)  # each state has its items in another order
    own = learning._Supports(on, order)
    whole, likelihood = learning._expect(states, W, 0.3, 1.2, shared, model, 1.0)
    each, same = learning._expect(states, W, 0.3, 1.2, own, model, 1.0)
    assert same == pytest.approx(likelihood)
    # One state, plainly.
    means = on @ W if model == "binary" else np.array([(r[:, None] * W).max(axis=0) for r in on])
    size = on.sum(axis=1)
    log = size * math.log(0.3) + (6 - size) * math.log(0.7)
    log = log - ((states[0] - means) ** 2).sum(axis=1) / (2 * 1.2**2)
    assert np.allclose(whole[0], np.exp(log - np.logaddexp.reduce(log)))
    update = learning._update_sums if model == "binary" else learning._update_maxima
    for a, b in zip(update(states, W, whole, shared), update(states, W, each, own), strict=True):
        assert np.allclose(a, b)


def test_the_likelihood_rises():
    states, _ = bars(300, size=3, noise=1.0, model="binary", seed=3)
    learnt = ss.reading.learn_directions(states, 6, "binary", temperature=1.0, iterations=25)
    assert np.all(np.diff(learnt.log_likelihood) > -1e-7)
    several = ss.reading.learn_directions(states, 6, "binary", iterations=25, starts=3)
    assert several.log_likelihood[-1] >= learnt.log_likelihood[-1] - 0.05


def test_more_items_than_numbers_are_recovered():
    """Eight random directions in six numbers, from sums of two on average."""
    rng = np.random.default_rng(5)
    W = rng.standard_normal((8, 6))
    W /= np.linalg.norm(W, axis=1, keepdims=True)
    h = (rng.random((800, 8)) < 0.25) @ W + 0.05 * rng.standard_normal((800, 6))
    learnt = ss.reading.learn_directions(h, 8, "binary", starts=2, seed=0)
    assert ss.reading.match_directions(learnt.W, W).min() > 0.99
    chance = ss.reading.match_directions(rng.standard_normal((8, 6)), W)
    assert chance.min() < 0.9
    linear = ss.reading.learn_directions(h, 8, "dictionary", seed=0)
    assert linear.W.shape == (8, 6) and math.isnan(linear.p)
    assert ss.reading.match_directions(linear.W, W).mean() > chance.mean()


def test_matching_and_bad_arguments():
    true = np.eye(4)[:3]
    assert ss.reading.match_directions(true[[2, 0, 1]] * 5, true) == pytest.approx([1, 1, 1])
    # A direction is used once.
    assert ss.reading.match_directions(np.ones((3, 4)), true) == pytest.approx([0.5] * 3)
    states, _ = bars(50)
    for options, message in (
        ({"count": 15}, "candidates and most_on"),
        ({"count": 10, "candidates": 5}, "go together"),
        ({"count": 10, "model": "soft"}, "give 'binary'"),
        ({"count": 0}, "count = 0"),
    ):
        with pytest.raises(ValueError, match=message):
            ss.reading.learn_directions(states, **options)
    with pytest.raises(ValueError, match="a >= b"):
        ss.reading.match_directions(np.eye(2), np.eye(3))
