"""Samples of dependent features against the joint law of their forest."""

import numpy as np
import pytest

import superscale as ss
from numerics.sampling import FeatureSampler
from tests.numerics.dependent.test_loss import STRUCTURES
from tests.theory.dependence.test_forest import joint

SAMPLES = 60_000


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("name", STRUCTURES)
def test_pairs_are_on_together_as_often_as_they_should(name, share):
    features = STRUCTURES[name]
    drawn = FeatureSampler(features, share).draw(SAMPLES, np.random.default_rng(1))
    on = np.zeros((SAMPLES, features.n))
    on[drawn.sample, drawn.feature] = 1
    both = on[:, :, None] * on[:, None, :] * drawn.weight[:, None, None]
    error = both.std(axis=0) / np.sqrt(SAMPLES)
    exact = joint(features.dependence)
    apart = np.abs(both.mean(axis=0) - exact)
    assert np.all(apart[exact == 0] == 0)
    assert np.all(apart < 4.5 * error + 1e-12)  # 21 pairs: one in 5000 by chance
    # Independent features of the same frequencies would be told apart.
    p = features.p
    off = ~np.eye(features.n, dtype=bool)
    assert np.any(np.abs(both.mean(axis=0) - np.outer(p, p))[off] > 8 * error[off])
    sizes = drawn.value.mean(), drawn.value.std()
    assert sizes == pytest.approx((1, 3**-0.5), abs=6 / np.sqrt(drawn.value.size))


def test_several_batches_are_the_same_one_by_one():
    sampler = FeatureSampler(STRUCTURES["chain"], 0.25)
    rng = np.random.default_rng(2)
    one_by_one = [sampler.draw(32, rng) for _ in range(5)]
    sample, feature, value, weight, starts = sampler.forest.draw(32, 5, np.random.default_rng(2))
    for k, batch in enumerate(one_by_one):
        some = slice(starts[k], starts[k + 1])
        np.testing.assert_array_equal(sample[some], batch.sample)
        np.testing.assert_array_equal(feature[some], batch.feature)
        np.testing.assert_array_equal(value[some], batch.value)
        np.testing.assert_array_equal(weight[32 * k : 32 * (k + 1)], batch.weight)


def test_rare_features_are_shown_more_often_at_their_weight():
    n = 200
    features = ss.Features.exclusive(
        ss.Frequencies.power_law(n, 1.5), [range(k, n, 20) for k in range(20)]
    )
    drawn = FeatureSampler(features, 0.75).draw(SAMPLES, np.random.default_rng(3))
    plain = FeatureSampler(features).draw(SAMPLES, np.random.default_rng(3))
    rare = features.p < 1e-3
    assert (
        np.isin(drawn.feature, np.flatnonzero(rare)).sum()
        > 5 * np.isin(plain.feature, np.flatnonzero(rare)).sum()
    )
    weights = drawn.weight[drawn.sample]
    seen = np.bincount(drawn.feature, weights, n) / SAMPLES
    spread = np.sqrt(np.bincount(drawn.feature, weights**2, n)) / SAMPLES
    assert np.all(np.abs(seen - features.p) < 5 * spread)
