"""Forests of categorical variables: what they mean, and what they refuse."""

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import superscale as ss
from theory.dependence.forest import Forest

F = ss.Frequencies.from_probabilities([0.3, 0.35, 0.2, 0.15, 0.1, 0.05])


def joint(forest):
    """Return P(i and j on) for all pairs, by enumerating the states of all variables."""
    found = np.zeros((forest.n, forest.n))
    for states in itertools.product(*(range(size) for size in forest.sizes)):
        weight = 1.0
        for a, s in enumerate(states):
            above = states[forest.parents[a]] if forest.parents[a] >= 0 else 0
            weight *= forest.conditional(a)[above, s]
        on = np.array([states[v] for v in forest.variable]) == forest.state
        found += weight * np.outer(on, on)
    return found


def test_exclusive_features_are_never_on_together():
    pairs = joint(ss.Features.exclusive(F, [[0, 2, 3], [1, 4]]).dependence)
    np.testing.assert_allclose(np.diag(pairs), F.p_as_given, rtol=1e-12)
    assert pairs[0, 2] == pairs[2, 3] == pairs[1, 4] == 0
    assert pairs[0, 1] == pytest.approx(0.3 * 0.35)  # of different sets: independent


def test_children_are_on_only_with_their_parents():
    pairs = joint(ss.Features.hierarchy(F, [None, None, 0, 2, 1, 4]).dependence)
    np.testing.assert_allclose(np.diag(pairs), F.p_as_given, rtol=1e-12)
    for child, parent in ((2, 0), (3, 2), (3, 0), (4, 1), (5, 4)):
        assert pairs[child, parent] == pytest.approx(F.p_as_given[child], rel=1e-12)
    assert pairs[0, 1] == pytest.approx(0.3 * 0.35)


def test_topics_mix_independent_features():
    weights, q = np.array([0.5, 0.3, 0.2]), np.random.default_rng(0).uniform(0.01, 0.6, (3, 4))
    features = ss.Features.mixture(weights, q)
    pairs = joint(features.dependence)
    np.testing.assert_allclose(features.p, weights @ q, rtol=1e-12)
    assert pairs[0, 3] == pytest.approx(float(weights @ (q[:, 0] * q[:, 3])), rel=1e-12)


def test_a_common_cause_correlates_its_group_only():
    features = ss.Features.common_cause(F, [[0, 1], [3, 4, 5]], [0.5, 0.4], without=0.04)
    pairs = joint(features.dependence)
    np.testing.assert_allclose(np.diag(pairs), F.p_as_given, rtol=1e-12)
    assert pairs[0, 1] > 1.3 * 0.3 * 0.35
    assert pairs[0, 3] == pytest.approx(0.3 * 0.15)


@given(st.permutations(range(6)), st.integers(0, 3))
@settings(max_examples=25, deadline=None)
def test_ranks_and_orders_are_names_only(order, kind):
    """Features given in another order are the same features."""
    order = np.array(order)
    p = F.p_as_given[order]
    place = {int(old): new for new, old in enumerate(order)}
    f = ss.Frequencies.from_probabilities(p)
    if kind == 0:
        sets = [[0, 2, 3], [1, 4]]
        one = ss.Features.exclusive(F, sets)
        other = ss.Features.exclusive(f, [[place[i] for i in some] for some in sets])
    elif kind == 1:
        parents = [None, None, 0, 2, 1, 4]
        one = ss.Features.hierarchy(F, parents)
        moved = [parents[old] for old in order]
        other = ss.Features.hierarchy(f, [None if x is None else place[x] for x in moved])
    elif kind == 2:
        q = np.random.default_rng(1).uniform(0.01, 0.6, (2, 6))
        one, other = (ss.Features.mixture([0.4, 0.6], x) for x in (q, q[:, order]))
    else:
        one = ss.Features.common_cause(F, [[0, 1, 2]], 0.6, 0.01)
        other = ss.Features.common_cause(f, [[place[i] for i in (0, 1, 2)]], 0.6, 0.01)
    pairs = joint(one.dependence)[np.ix_(order, order)]
    np.testing.assert_allclose(joint(other.dependence), pairs, atol=1e-14)
    ranked = other.ranked
    assert np.all(np.diff(ranked.p) <= 0)
    by_rank = other.frequencies.by_rank(np.arange(6))
    np.testing.assert_allclose(
        joint(ranked.dependence), pairs[np.ix_(by_rank, by_rank)], atol=1e-14
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ss.Features.exclusive(F, [[0, 1], [2, 3]]), None),
        (lambda: ss.Features.exclusive(F, [range(6)]), "sum to 1.15"),
        (lambda: ss.Features.exclusive(F, [[0, 1], [1, 2]]), "feature 1 is in two places"),
        (lambda: ss.Features.exclusive(F, [[0, 0]]), "feature 0 is in two places"),
        (lambda: ss.Features.exclusive(F, [[0, 9]]), "whole number from 0 to 5"),
        (lambda: ss.Features.hierarchy(F, [1, None, 3, None, 0, 0]), "a child occurs with its"),
        (lambda: ss.Features.hierarchy(F, [None, 0, 1, 2, None, 4]), "not more frequent"),
        (lambda: ss.Features.hierarchy(F, [None, None, 3, 2, 0, 0]), "in a circle"),
        (lambda: ss.Features.hierarchy(F, [None, 0]), "2 parents for 6 features"),
        (lambda: ss.Features.mixture([0.5, 0.6], np.full((2, 3), 0.1)), "sum to 1.1"),
        (lambda: ss.Features.mixture([0.5, 0.5], np.full((2, 3), 1.1)), "outside"),
        (lambda: ss.Features.mixture([0.5, 0.5], np.full((3, 3), 0.1)), "a row of prob"),
        (lambda: ss.Features.common_cause(F, [[0, 1]], 0.2), "lies between 0 and 0.2"),
        (lambda: ss.Features.common_cause(F, [[0, 1]], 0.2, 0.5), "lies between 0.4 and 0.6"),
        (lambda: Forest([0], [[0.5, 0.5]], [0], [1]), "comes before its child"),
        (lambda: Forest([-1, 0], [[0.5, 0.5], [[1, 0]]], [0], [1]), "give 2 rows"),
        (lambda: Forest([-1], [[0.5, 0.4]], [0], [1]), "sums to 0.9"),
        (lambda: Forest([-1], [[1.5, -0.5]], [0], [1]), r"tables\[0\]\[1\] = -0.5"),
        (lambda: Forest([-1], [[0.5, 0.5]], [1], [1]), "there are 1 variables"),
        (lambda: Forest([-1], [[0.5, 0.5]], [0], [2]), "has 2 states"),
        (
            lambda: ss.Features(F, dependence=Forest([-1], [[0.5, 0.5]], [0], [1])),
            "has n = 1 features and the frequencies n = 6",
        ),
        (
            lambda: ss.Features(
                ss.Frequencies.from_probabilities([0.4]),
                dependence=Forest([-1], [[0.5, 0.5]], [0], [1]),
            ),
            "feature 0 has frequency 0.4 but is on with probability 0.5",
        ),
    ],
)
def test_what_cannot_be_is_one_clear_error(make, message):
    if message is None:
        make()
        return
    with pytest.raises(ValueError, match=message):
        make()


def test_values_are_values():
    features = ss.Features.exclusive(F, [[0, 2, 3], [1, 4]])
    assert pickle.loads(pickle.dumps(features)) == features
    assert hash(pickle.loads(pickle.dumps(features))) == hash(features)
    assert features != ss.Features(F)
    assert (
        features.describe()["dependence"]
        != ss.Features.exclusive(F, [[0, 2]]).describe()["dependence"]
    )
    again = ss.Features.from_description(
        features.describe(), features.p, None, Forest.from_arrays(features.dependence.arrays())
    )
    assert again == features


def test_theories_say_whether_they_take_a_dependence():
    topics = ss.Features.mixture([0.5, 0.5], np.full((2, 40), 0.02) * [[1], [1.5]])
    prediction = ss.predict(topics, 8)
    assert prediction.theories == ("weak",)
    assert any("say about the lost ones" in x for x in prediction["weak"].assumptions)
    for theory in ("equiangular", "strong_even", "gaussian", "hard_wall"):
        with pytest.raises(ValueError, match="independent features: leave dependence out"):
            ss.predict(topics, 8, theory=theory)
    with pytest.raises(ValueError, match="leave out dependence"):
        ss.packings.pack(40, 8, objective="relu_energy", features=topics, r=1, b=0, seconds=0.1)
    words = ss.Frequencies.power_law(40, 1.0)
    one = ss.Features.exclusive(words, [range(40)])
    named = ss.predict(one, 8, theory="gaussian").loss["gaussian"]
    assert named == ss.predict(words, 8, theory="gaussian", sampling="one_hot").loss["gaussian"]
