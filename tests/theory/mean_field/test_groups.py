"""Groups of features: sums are kept, similar features are together, importances count."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.activation import Activation
from theory.features import Features
from theory.frequencies import Frequencies
from theory.mean_field.groups import (
    group_features,
    merge_groups,
    rank_features,
    split_groups,
)


def test_groups():
    f = Frequencies.power_law(1000, alpha=1.0)
    groups = group_features(f)
    assert groups.n == 1000 and groups.sizes[0] == 1 and groups.count in (8, 9)
    assert groups.sizes @ groups.p == pytest.approx(f.density)
    assert np.all(np.diff(groups.p) < 0)
    assert group_features(Frequencies.power_law(50, alpha=0.0), 6).count == 1
    kept = group_features(f, live=100)
    assert kept.n == 100 and kept.sizes @ kept.p == pytest.approx(f.p[:100].sum())
    steep = Frequencies.exponential(300, 20.0)
    ratio = max(
        steep.p[a] / steep.p[b - 1]
        for a, b in zip(
            np.cumsum([0, *group_features(steep).sizes])[:-1],
            np.cumsum(group_features(steep).sizes),
            strict=True,
        )
    )
    assert ratio < np.exp(300 / 20 / 4)
    for bad in ({"count": 0}, {"live": 0}, {"live": 1001}):
        with pytest.raises(ValueError, match="must be|allowed|at least|is not"):
            group_features(f, **bad)


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 2), st.integers(8, 300), st.integers(1, 14))
def test_merged_groups_hold_the_same_features(alpha, n, count):
    groups = group_features(Frequencies.power_law(n, alpha), count)
    merged, parent = merge_groups(groups)
    assert merged.n == n and np.all(np.diff(parent) >= 0)
    assert merged.sizes @ merged.p == pytest.approx(groups.sizes @ groups.p)
    assert merged.count == parent[-1] + 1 <= groups.count


def test_split_groups_hold_the_same_features():
    f = Frequencies.power_law(100, alpha=1.5)
    groups = group_features(f, 6, live=80)
    parts, parent = split_groups(f, groups, 4)
    assert np.bincount(parent, parts.sizes) == pytest.approx(groups.sizes)
    assert np.bincount(parent, parts.sizes * parts.p) == pytest.approx(groups.sizes * groups.p)
    assert parts.count > 3 * groups.count - 6 and np.all(parts.sizes >= 1)


def importances(n, seed):
    return np.random.default_rng(seed).lognormal(0, 1, n)


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 2), st.integers(8, 300), st.integers(1, 9), st.integers(0, 9))
def test_groups_of_any_importances_hold_the_same_features(alpha, n, count, seed):
    f = Frequencies.power_law(n, alpha)
    features = Features(f, importance=importances(n, seed))
    ranked = rank_features(features)
    groups = group_features(features, count)
    parts, parent = split_groups(features, groups, 3)
    merged, above = merge_groups(groups)
    assert sorted(groups.ranks if groups.ranks is not None else range(n)) == list(range(n))
    for each in (groups, parts, merged):
        assert each.n == n
        assert each.sizes @ each.p == pytest.approx(f.density)
        lost = each.sizes @ (each.importance * each.p)
        assert ranked.loss_unit * lost == pytest.approx(features.importance @ f.p)
    assert np.bincount(parent, parts.sizes) == pytest.approx(groups.sizes)
    assert np.bincount(above, groups.sizes) == pytest.approx(merged.sizes)


def test_importances_that_do_not_follow_the_rank_divide_the_bins():
    f = Frequencies.power_law(200, alpha=1.0)
    follows = group_features(Features(f, importance=np.arange(1, 201.0) ** -0.5))
    assert not follows.has_tiers and follows.ranks is None
    random = group_features(Features(f, importance=importances(200, 0)))
    assert random.has_tiers and random.count > random.bins[-1] + 1
    # Features of one group are nearer to each other than features of one bin are.
    ranked = rank_features(Features(f, importance=importances(200, 0)))
    ratio = np.log(ranked.p / ranked.importance)
    edges = np.cumsum([0, *random.sizes])
    inside = sum(np.var(ratio[random.ranks[a:b]]) * (b - a) for a, b in pairwise(edges))
    of_bin = np.repeat(random.bins, random.sizes)
    values = ratio[random.ranks]
    whole = sum(np.var(values[of_bin == k]) * np.sum(of_bin == k) for k in set(of_bin))
    assert inside < 0.3 * whole


def test_equal_importances_are_grouped_as_none():
    f = Frequencies.power_law(100, alpha=1.0)
    plain, scaled = group_features(f), group_features(Features(f, importance=np.full(100, 3.0)))
    for name in ("sizes", "p", "importance", "bins"):
        assert np.array_equal(getattr(plain, name), getattr(scaled, name))


def test_features_are_ranked_by_importance_times_frequency():
    f = Frequencies.from_probabilities([0.4, 0.3, 0.2, 0.1])
    ranked = rank_features(Features(f, Activation(0, 1), importance=[1, 0, 8, 5]))
    assert ranked.activity * 8 == pytest.approx([1.6, 0.5, 0.4])
    assert (ranked.v_unit, ranked.loss_unit) == (0.5, 2.0)
    # In the features' own units: I (p/3 - p²/4), here of the last two in that order.
    lost = 5 * (0.1 / 3 - 0.01 / 4) + 0.4 / 3 - 0.16 / 4
    assert ranked.loss_unit * ranked.lost_loss(1) == pytest.approx(lost)
