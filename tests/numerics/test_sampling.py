import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from numerics.sampling import FeatureSampler
from theory.activation import UNIFORM, Activation
from theory.checks import as_generator
from theory.features import Features
from theory.frequencies import Frequencies


def draw(f, batch, seed, activation=UNIFORM, rare_share=0.0):
    return FeatureSampler(Features(f, activation), rare_share).draw(
        batch, np.random.default_rng(seed)
    )


@given(
    st.lists(st.floats(0.001, 1), min_size=1, max_size=20),
    st.integers(1, 50),
    st.integers(0, 1000),
)
def test_entries_are_sorted_unique_and_in_range(p, batch, seed):
    drawn = draw(Frequencies.from_probabilities(p), batch, seed)
    cells = drawn.sample * drawn.n + drawn.feature
    assert np.all(np.diff(cells) > 0)
    assert np.all((drawn.sample >= 0) & (drawn.sample < batch))
    assert np.all((drawn.feature >= 0) & (drawn.feature < len(p)))
    assert drawn.value.shape == cells.shape
    assert np.all((drawn.value >= 0) & (drawn.value <= 2))


def test_features_that_are_always_on():
    drawn = draw(Frequencies.from_probabilities([1.0, 1.0, 1e-9]), 100, 0)
    assert np.array_equal(np.bincount(drawn.feature, minlength=3), [100, 100, 0])


def pattern_statistic(p_drawn, p_tested, batch, seed):
    """Pearson's chi-square of all 2^n activation patterns against independence."""
    f = Frequencies.from_probabilities(p_drawn)
    drawn = draw(f, batch, seed)
    code = np.zeros(batch, dtype=np.int64)
    np.add.at(code, drawn.sample, 1 << drawn.feature)
    seen = np.bincount(code, minlength=2**f.n)
    p = np.sort(p_tested)[::-1]
    expected = np.array(
        [
            np.prod([q if on else 1 - q for q, on in zip(p, pattern[::-1], strict=True)])
            for pattern in itertools.product([0, 1], repeat=f.n)
        ]
    )
    return float(np.sum((seen - batch * expected) ** 2 / (batch * expected)))


def test_patterns_are_independent_bernoulli():
    """Both the Poisson part (p < 1/2) and the direct part, jointly, over all patterns."""
    p = [0.9, 0.55, 0.45, 0.2, 0.07]
    low, high = chi2.ppf([1e-4, 1 - 1e-4], 2**5 - 1)
    assert low < pattern_statistic(p, p, 400_000, 3) < high
    # Negative controls: one frequency 2 % off; Poisson counts taken for probabilities.
    assert pattern_statistic(p, [0.9, 0.55, 0.45, 0.204, 0.07], 400_000, 3) > high
    wrong = [0.9, 0.55, *(1 - np.exp(-np.array([0.45, 0.2, 0.07])))]
    assert pattern_statistic(p, wrong, 400_000, 3) > high


def test_frequencies_over_many_features():
    f = Frequencies.power_law(1000, 1.0, density=2.0)
    batch = 200_000
    seen = np.bincount(draw(f, batch, 11).feature, minlength=1000)
    z = (seen - batch * f.p) / np.sqrt(batch * f.p * (1 - f.p))
    # z² sums to chi-square with 1000 degrees of freedom: two-sided.
    assert abs(np.sum(z**2) - 1000) < 4 * np.sqrt(2000)
    other = Frequencies.power_law(1000, 1.02, density=2.0)
    off = (seen - batch * other.p) / np.sqrt(batch * other.p)
    assert np.sum(off**2) - 1000 > 4 * np.sqrt(2000)


@pytest.mark.parametrize("share", [0.3, 0.75])
def test_weights_undo_the_added_features(share):
    """Weighted shares of all patterns are those of independent features, within their errors."""
    p = np.array([0.7, 0.3, 0.02, 0.001])
    batch = 400_000
    drawn = draw(Frequencies.from_probabilities(p), batch, 5, rare_share=share)
    assert drawn.weight.max() <= 1 / (1 - share) + 1e-12 and drawn.weight.min() > 0
    code = np.zeros(batch, dtype=np.int64)
    np.add.at(code, drawn.sample, 1 << drawn.feature)
    # The last feature is drawn far more often than it occurs.
    assert np.sum(code & 8 > 0) > 5 * batch * p[3]

    def worst(weight, tested):
        off = 0.0
        for pattern in range(16):
            on = (pattern >> np.arange(4)) & 1 == 1
            share_of = weight * (code == pattern)
            error = share_of.std() / np.sqrt(batch)
            if error:
                expected = np.prod(np.where(on, tested, 1 - tested))
                off = max(off, abs(share_of.mean() - expected) / error)
        return off

    assert worst(drawn.weight, p) < 4.5
    # Negative controls: without weights, and with one frequency 10 % off.
    assert worst(np.ones(batch), p) > 20
    assert worst(drawn.weight, p * [1, 1, 1.1, 1]) > 4.5


def test_values_follow_the_activation():
    v = Activation(0.5, 1.0)
    drawn = draw(Frequencies.power_law(50, 0.0, density=10.0), 10_000, 0, v)
    error = drawn.value.std() / np.sqrt(drawn.value.size)
    assert abs(drawn.value.mean() - 0.75) < 4 * error
    assert drawn.value.min() >= 0.5 and drawn.value.max() <= 1.0


def test_same_seed_same_batch():
    f = Frequencies.power_law(100, 1.0)
    first, second, other = draw(f, 500, 1), draw(f, 500, 1), draw(f, 500, 2)
    assert np.array_equal(first.value, second.value)
    assert np.array_equal(first.feature, second.feature)
    assert not np.array_equal(first.feature[:50], other.feature[:50])


def test_generators_and_seeds():
    rng = np.random.default_rng(0)
    assert as_generator(rng) is rng
    for bad in (-1, 1.5):
        with pytest.raises(ValueError, match="seed"):
            as_generator(bad)
    with pytest.raises(TypeError, match="seed"):
        as_generator(None)


def draw_plainly(tables, n, v, batch, rng):
    """Draw a batch as the module's docstring says: cells in order, values, weights."""
    head, cumulative, share, rare, odds = tables
    on = set()
    if cumulative.size:
        events = rng.poisson(batch * cumulative[-1])
        at = rng.random(events) * cumulative[-1]
        feature = np.minimum(head.size + np.searchsorted(cumulative, at, side="right"), n - 1)
        on |= set(zip(rng.integers(batch, size=events), feature, strict=True))
    if head.size:
        on |= set(zip(*np.nonzero(rng.random((batch, head.size)) < head), strict=True))
    if share:
        more = np.flatnonzero(rng.random(batch) < share)
        on |= set(zip(more, np.searchsorted(rare, rng.random(more.size), "right"), strict=True))
    cells = np.array(sorted(on), dtype=int).reshape(-1, 2)
    seen = np.bincount(cells[:, 0], odds[cells[:, 1]], batch)
    weight = 1 / (1 - share + share * seen) if share else np.ones(batch)
    return cells[:, 0], cells[:, 1], v.sample(len(cells), rng), weight


@pytest.mark.parametrize(
    "f",
    [
        Frequencies.power_law(1000, 1.0),
        Frequencies.power_law(300, 1.5, density=2.0),  # a head of p >= 1/2
        Frequencies.from_probabilities([1.0, 0.9, 0.7]),  # nothing but a head
        Frequencies.from_probabilities([0.01]),  # batches without an entry
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("share", "v"), [(0.0, Activation(0.5, 1.5)), (0.6, Activation(0.5, 1.5, (3, 0, 1)))]
)
def test_many_batches_are_those_of_plain_draws(f, share, v):
    sampler = FeatureSampler(Features(f, v), share)
    plain, ours = (np.random.default_rng(3) for _ in "ab")
    for batch, steps in ((1, 4), (7, 3), (64, 2), (2048, 1)):
        *entries, weight, starts = sampler.draw_batches(batch, steps, ours)
        assert starts.size == steps + 1 and starts[-1] == entries[0].size
        for k in range(steps):
            *expected, weights = draw_plainly(sampler.tables, f.n, v, batch, plain)
            for found, wanted in zip(entries, expected, strict=True):
                np.testing.assert_array_equal(found[starts[k] : starts[k + 1]], wanted)
            assert weight[k * batch : (k + 1) * batch] == pytest.approx(weights, rel=1e-14)
    assert plain.random() == ours.random()  # the streams are still together


def test_many_batches_of_features_not_given_by_rank():
    f = Frequencies.from_probabilities([0.01, 0.4, 0.9, 0.1, 0.2])
    sampler = FeatureSampler(f, 0.5)
    rng = np.random.default_rng(5)
    one_by_one = [sampler.draw(6, rng) for _ in range(9)]
    sample, feature, value, weight, starts = sampler.draw_batches(6, 9, np.random.default_rng(5))
    for name, found in (("sample", sample), ("feature", feature), ("value", value)):
        whole = np.concatenate([getattr(one, name) for one in one_by_one])
        np.testing.assert_array_equal(found, whole)
    np.testing.assert_array_equal(weight, np.concatenate([one.weight for one in one_by_one]))
    assert starts[-1] == sample.size
