"""Samples of dependent features against the joint law of their forest."""

import numpy as np
import pytest

import superscale as ss
from numerics.sampling import FeatureSampler
from tests.numerics.dependent.test_loss import STRUCTURES
from tests.theory.dependence.test_forest import joint
from theory.dependence.forest import Forest

SAMPLES = 60_000


def of(forest):
    return ss.Features(ss.Frequencies.from_probabilities(forest.marginals), dependence=forest)


# A topic, a subtopic that it makes likely, and features of either; some likelier than 1/2.
SUBTOPICS = Forest(
    [-1, 0, 1, 1, 1, 0],
    [
        [0.3, 0.5, 0.2],
        [[0.8, 0.2], [0.1, 0.9], [0.4, 0.6]],
        [[0.9, 0.1], [0.5, 0.5]],
        [[0.3, 0.7], [0.95, 0.05]],
        [[1, 0], [0.8, 0.2]],
        [[0.7, 0.3], [1, 0], [0.2, 0.8]],
    ],
    [2, 3, 4, 5],
    [1, 1, 1, 1],
)
# Eight topics, each with a feature of its own: thinning would reject most events.
EIGHT = Forest(
    [-1, *[0] * 8],
    [np.full(8, 1 / 8), *[np.stack([1 - p, p], axis=1) for p in 0.02 + 0.4 * np.eye(8)]],
    range(1, 9),
    [1] * 8,
)
CASES = {**STRUCTURES, "subtopics": of(SUBTOPICS), "eight_topics": of(EIGHT)}


def pairs_of(drawn, n):
    """Return how often each pair is on together in a sample, and the standard errors."""
    on = np.zeros((drawn.batch, n))
    on[drawn.sample, drawn.feature] = 1
    both = on[:, :, None] * on[:, None, :] * drawn.weight[:, None, None]
    return both.mean(axis=0), both.std(axis=0) / np.sqrt(drawn.batch)


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("name", CASES)
def test_pairs_are_on_together_as_often_as_they_should(name, share):
    features = CASES[name]
    drawn = FeatureSampler(features, share).draw(SAMPLES, np.random.default_rng(1))
    both, error = pairs_of(drawn, features.n)
    exact = joint(features.dependence)
    apart = np.abs(both - exact)
    assert np.all(apart[exact == 0] == 0)
    assert np.all(apart < 4.5 * error + 1e-12)  # 36 pairs at most: one in 4000 by chance
    # Independent features of the same frequencies would be told apart.
    p = features.p
    off = ~np.eye(features.n, dtype=bool)
    assert np.any(np.abs(both - np.outer(p, p))[off] > 8 * error[off])
    sizes = drawn.value.mean(), drawn.value.std()
    assert sizes == pytest.approx((1, 3**-0.5), abs=6 / np.sqrt(drawn.value.size))


@pytest.mark.parametrize(
    ("name", "hidden"), [("subtopics", 2), ("common_cause", 2), ("mixture", 1), ("eight_topics", 0)]
)
def test_states_that_turn_nothing_on_are_drawn_where_an_event_asks_for_them(name, hidden):
    features = CASES[name]
    sampler = FeatureSampler(features)
    tables = sampler.forest._tables
    assert tables.hidden.sum() == hidden
    # Kept whatever the state of the parent, the events are seen to be too many.
    sampler.forest._tables = tables._replace(accept=np.ones_like(tables.accept))
    both, error = pairs_of(sampler.draw(SAMPLES, np.random.default_rng(4)), features.n)
    apart = np.abs(both - joint(features.dependence)) / np.maximum(error, 1e-12)
    assert (apart.max() > 20) == (hidden > 0)


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
