"""Features from samples: marginals, laws of v and the most likely tree."""

import itertools

import numpy as np
import pytest
from scipy.sparse import csc_matrix, csr_array
from scipy.sparse.csgraph import minimum_spanning_tree

import superscale as ss
from numerics.sampling import FeatureSampler
from theory.dependence.chow_liu import entropy


def sample_of(features, samples, seed):
    drawn = FeatureSampler(features).draw(samples, np.random.default_rng(seed))
    return csr_array((drawn.value, (drawn.sample, drawn.feature)), shape=(samples, features.n))


def mutual_information(on):
    """Of all pairs of columns, from their four joint frequencies."""
    n = on.shape[1]
    found = np.zeros((n, n))
    for i, j in itertools.combinations(range(n), 2):
        for a, b in itertools.product((0, 1), repeat=2):
            joint = np.mean((on[:, i] == a) & (on[:, j] == b))
            alone = np.mean(on[:, i] == a) * np.mean(on[:, j] == b)
            if joint > 0:
                found[i, j] += joint * np.log(joint / alone)
    return found + found.T


def test_the_tree_is_that_of_the_largest_mutual_information():
    rng = np.random.default_rng(0)
    topics = ss.Features.mixture([0.4, 0.6], rng.uniform(0.05, 0.6, (2, 9)))
    X = sample_of(topics, 3000, 1)
    fit = ss.dependence.fit_samples(X)
    information = mutual_information((X.toarray() > 0).astype(int))
    # Another algorithm: the least tree of a graph whose weights fall with the information.
    other = minimum_spanning_tree(2.0 - information)
    best = float((2.0 - other.data).sum())
    assert len(fit.edges) == 8
    assert fit.gains.sum() == pytest.approx(best, rel=1e-9)
    pairs = information[fit.edges[:, 0], fit.edges[:, 1]]
    np.testing.assert_allclose(fit.gains, pairs, rtol=1e-9)


def test_the_likelihood_is_that_of_the_forest():
    features = ss.Features.hierarchy(
        ss.Frequencies.from_probabilities([0.4, 0.2, 0.1, 0.3]), [None, 0, 1, None]
    )
    X = sample_of(features, 2000, 2)
    fit = ss.dependence.fit_samples(X)
    on = (X.toarray() > 0).astype(int)
    forest, total = fit.dependence, 0.0
    states = np.empty_like(on)
    states[:, forest.variable] = on  # one variable a feature, on in state 1
    for a, parent in enumerate(forest.parents):
        above = states[:, parent] if parent >= 0 else np.zeros(len(on), dtype=int)
        total += np.log(forest.conditional(a)[above, states[:, a]]).sum()
    assert fit.log_likelihood == pytest.approx(total / len(on), rel=1e-9)
    p = on.mean(axis=0)
    assert fit.log_likelihood_independent == pytest.approx(-entropy(p).sum(), rel=1e-12)
    assert fit.log_likelihood > fit.log_likelihood_independent + 0.1
    np.testing.assert_allclose(forest.marginals, p, rtol=1e-12)


def test_a_planted_tree_comes_back():
    n = 300
    p = ss.Frequencies.from_probabilities(np.repeat([0.1, 0.05, 0.025], [20, 80, 200]))
    parents = [None] * 20 + [i % 20 for i in range(80)] + [20 + i % 80 for i in range(200)]
    fit = ss.dependence.fit_samples(
        sample_of(ss.Features.hierarchy(p, parents), 20_000, 3), least_gain=12
    )
    planted = {(min(i, k), max(i, k)) for i, k in enumerate(parents) if k is not None}
    found = {(min(e), max(e)) for e in fit.edges.tolist()}
    assert len(planted & found) >= 0.98 * len(planted)
    assert len(found - planted) <= 0.05 * len(planted)
    # Independent features of the same frequencies show next to none of them.
    other = ss.dependence.fit_samples(sample_of(ss.Features(p), 20_000, 3), least_gain=12)
    assert len(planted & {(min(e), max(e)) for e in other.edges.tolist()}) <= 0.02 * n


def test_what_is_read_of_a_sample():
    rng = np.random.default_rng(4)
    X = np.where(rng.random((4000, 5)) < [0.5, 0.2, 0.0, 0.1, 0.3], rng.random((4000, 5)), 0.0)
    X[:, 4] *= 3
    fit = ss.dependence.fit_samples(X, cells=10)
    np.testing.assert_array_equal(fit.columns, [0, 1, 3, 4])
    on = X[:, fit.columns] > 0
    np.testing.assert_allclose(fit.frequencies.p_as_given, on.mean(axis=0))
    for k, column in enumerate(fit.columns):
        values = X[:, column][X[:, column] > 0]
        assert fit.mean[k] == pytest.approx(values.mean(), rel=1e-12)
        assert fit.mean_square[k] == pytest.approx((values**2).mean(), rel=1e-12)
    pooled = X[X > 0]
    assert float(fit.activation.moment(1)) == pytest.approx(pooled.mean(), rel=0.01)
    assert float(fit.activation.moment(2)) == pytest.approx((pooled**2).mean(), rel=0.02)
    apart = ss.dependence.fit_samples(X, scale="feature")
    np.testing.assert_allclose(apart.mean, 1, rtol=1e-12)
    assert apart.unit[3] == pytest.approx(1.5, rel=0.05)
    features = ss.Features.from_samples(csc_matrix(X), tree=False)
    assert features.is_independent
    np.testing.assert_array_equal(features.p, fit.frequencies.p_as_given)
    assert ss.Features.from_samples(X) == ss.Features.from_samples(csc_matrix(X))
    assert len(fit.to_dataframe()) == 3


@pytest.mark.parametrize("scale", ["pooled", "feature"])
def test_the_law_of_each_feature_is_its_histogram(scale):
    rng = np.random.default_rng(5)
    X = np.where(rng.random((400, 4)) < 0.4, rng.gamma([1.0, 2, 3, 4], [4, 3, 2, 1], (400, 4)), 0)
    X[:, 3] = X[:, 3] > 0  # one size
    X = np.insert(X, 2, 0, axis=1)  # a column that is never on is left out
    fit = ss.dependence.fit_samples(X, cells=5, scale=scale)
    for i, column in enumerate(fit.columns[:3]):
        values = X[X[:, column] > 0, column]
        values = values / values.mean() if scale == "feature" else values
        counts, ends = np.histogram(values, 5)
        law = fit.law_of(i)
        assert (law.low, law.high) == pytest.approx((ends[0], ends[-1]), rel=1e-14)
        assert law.shares == tuple(counts.astype(float))
    one = fit.law_of(3)
    assert one.high - one.low < 0.002 and one.low < 1 < one.high
    with pytest.raises(ValueError, match="feature = 4"):
        fit.law_of(4)


def test_measured_features_go_on_to_the_loss():
    planted = ss.Features.hierarchy(
        ss.Frequencies.from_probabilities([0.3, 0.2, 0.2, 0.1, 0.1, 0.05]), [None, 0, 0, 1, 1, 2]
    )
    fitted = ss.Features.from_samples(sample_of(planted, 200_000, 5), least_gain=6)
    rng = np.random.default_rng(6)
    toy = ss.ToyModel(0.7 * rng.standard_normal((6, 3)), np.full(6, -0.1))
    true = ss.population_loss(toy, planted).loss
    assert ss.population_loss(toy, fitted).loss == pytest.approx(true, rel=0.02)
    assert abs(ss.population_loss(toy, ss.Features(planted.frequencies)).loss - true) > 0.05 * true


def test_binary_samples_have_v_of_one_size():
    X = np.random.default_rng(7).random((100, 3)) < 0.5
    v = ss.Features.from_samples(X).activation
    assert (v.low, v.high) == pytest.approx((0.9995, 1.0005))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[1.0, -0.5], [0, 0]], "at least 0"),
        ([[1.0, np.nan], [0, 0]], "NaN"),
        (np.zeros((3, 2)), "nothing to fit"),
        (np.zeros(3), "samples by features"),
        (np.zeros((0, 3)), "samples by features"),
    ],
)
def test_bad_samples_are_refused(X, message):
    with pytest.raises(ValueError, match=message):
        ss.Features.from_samples(X)
    with pytest.raises(TypeError, match="no real numbers"):
        ss.Features.from_samples([["a", "b"]])
