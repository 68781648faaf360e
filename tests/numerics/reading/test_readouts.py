"""Readouts of superposed states: the posterior by enumeration, and that none is better."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

import superscale as ss
from numerics.reading import readouts
from numerics.reading.error_rates import draw_supports

W8 = np.random.default_rng(0).standard_normal((8, 4)) / 2


def test_posterior_equals_enumeration():
    h = np.array([0.3, -0.2, 0.5, 0.1])
    for k, p in ((2, None), (None, 0.2)):
        posterior = ss.reading.SupportPosterior(W8, k, 0.4, p=p or 0.5)
        weights = {}
        for on in itertools.product((0, 1), repeat=8):
            if k is not None and sum(on) != k:
                continue
            prior = 1.0 if p is None else p ** sum(on) * (1 - p) ** (8 - sum(on))
            density = multivariate_normal(np.array(on) @ W8, 0.4**2 * np.eye(4)).pdf(h)
            weights[on] = prior * density
        total = sum(weights.values())
        expected = [weights[tuple(map(int, on))] / total for on in posterior.supports]
        assert np.allclose(posterior.probabilities(h)[0], expected)
        marginal = sum(np.array(on) * w for on, w in weights.items()) / total
        assert np.allclose(posterior.marginals(h)[0], marginal)
        best = max(weights, key=weights.get)
        assert posterior.most_likely(h)[0].astype(int).tolist() == list(best)


@given(
    n=st.integers(3, 9), m=st.integers(1, 8), k=st.integers(1, 3), noise=st.floats(0.05, 1.0),
    seed=st.integers(0, 10**6),
)  # fmt: skip
def test_no_readout_beats_the_posterior(n, m, k, noise, seed):
    """Given h, what any readout reads is right with at most the probability of the best support."""
    rng = np.random.default_rng(seed)
    k = min(k, n - 1)
    W = rng.standard_normal((n, m))
    on = draw_supports(n, k, 20, rng)
    h = on @ W + noise * rng.standard_normal((20, m))
    posterior = ss.reading.SupportPosterior(W, k, noise)
    best = posterior.probabilities(h).max(axis=1)
    for readout in readouts.READOUTS:
        read = ss.reading.decode(W, h, k, readout, noise=noise)
        chance = posterior.probability_of(h, read)
        assert np.all(chance <= best * (1 + 1e-12))
        if readout == "posterior":
            assert np.allclose(chance, best)


def test_comparison_of_readouts():
    W = np.random.default_rng(3).standard_normal((16, 9)) / 3
    found = ss.reading.compare_readouts(W, 2, noise=0.15, samples=1500, seed=4)
    right = dict(zip(found.readouts, found.right, strict=True))
    stderr = dict(zip(found.readouts, found.stderr, strict=True))
    assert tuple(right) == readouts.READOUTS
    # The posterior's own promise is kept.
    rng = np.random.default_rng(4)
    on = draw_supports(16, 2, 1500, rng)
    h = on @ W + 0.15 * rng.standard_normal((1500, 9))
    promised = ss.reading.SupportPosterior(W, 2, 0.15).probabilities(h).max(axis=1).mean()
    assert abs(right["posterior"] - promised) < 4 * stderr["posterior"]
    for name, value in right.items():
        assert value <= right["posterior"] + 4 * stderr["posterior"]
        if name in ("threshold", "top_k"):
            assert value < right["posterior"] - 4 * stderr["posterior"]
    assert right["matching_pursuit"] > right["top_k"]
    assert found.to_dataframe()["gap"].min() == 0


def test_clear_states_are_read_by_all():
    W = np.eye(7) * 2
    on = draw_supports(7, 3, 30, np.random.default_rng(0))
    for readout in readouts.READOUTS:
        assert np.array_equal(ss.reading.decode(W, on @ W, 3, readout), on)


def test_top_k_is_the_recall_law_on_average():
    """Over drawn matrices, what the comparison counts is what the law says."""
    rng = np.random.default_rng(5)
    shares = [
        ss.reading.compare_readouts(
            rng.standard_normal((40, 30)) / math.sqrt(30), 3, samples=60, readouts=["top_k"],
            seed=rng,
        ).right[0]
        for _ in range(60)
    ]  # fmt: skip
    law = ss.reading.recall(40, 30, 3).probability
    assert abs(np.mean(shares) - law) < 4 * np.std(shares) / math.sqrt(60)


def test_detector():
    words = ss.Frequencies.power_law(20, 1.0)
    rng = np.random.default_rng(0)
    model = ss.ToyModel(rng.standard_normal((20, 8)) / 3, -0.1 * rng.random(20))
    found = ss.reading.detection_rates(model, words, 0.2, samples=20_000, seed=1)
    # Plainly, without the sampler.
    x = (rng.random((20_000, 20)) < words.p) * rng.uniform(0, 2, (20_000, 20))
    read = np.maximum(x @ model.W @ model.W.T + model.b, 0) > 0.2
    for i in (0, 5, 19):
        off, on = x[:, i] == 0, x[:, i] > 0
        assert abs(read[off, i].mean() - found.false_alarm[i]) < 6 * found.false_alarm_stderr[i]
        assert abs((~read[on, i]).mean() - found.miss[i]) < 6 * found.miss_stderr[i]
    right = (read == (x > 0)).all(axis=1).mean()
    assert abs(right - found.right) < 6 * found.right_stderr
    assert len(found.to_dataframe()) == 20
    strict = ss.reading.detection_rates(model, words, 0.6, samples=20_000, seed=1)
    assert np.nanmean(strict.miss) > np.nanmean(found.miss)
    assert np.nanmean(strict.false_alarm) < np.nanmean(found.false_alarm)


def test_bad_arguments():
    with pytest.raises(ValueError, match="give 'top_k', 'threshold'"):
        ss.reading.decode(W8, np.zeros(4), 2, "best")
    with pytest.raises(ValueError, match="give states of 4 numbers"):
        ss.reading.decode(W8, np.zeros(5), 2)
    with pytest.raises(ValueError, match="up to 20"):
        ss.reading.SupportPosterior(np.eye(21), 1, 0.1)
    with pytest.raises(ValueError, match="noise"):
        ss.reading.SupportPosterior(W8, 1, 0.0)
    with pytest.raises(ValueError, match="n = 8"):
        ss.reading.detection_rates(ss.ToyModel(W8, np.zeros(8)), ss.Frequencies.linear(9))
