"""The exact loss of dependent features against enumeration, samples and independent features."""

import mpmath as mp
import numpy as np
import pytest

import superscale as ss
from tests.numerics.dependent.enumeration import enumerate_loss
from theory.dependence.forest import Forest
from theory.dependence.structures import independent_forest

F = ss.Frequencies.from_probabilities([0.3, 0.35, 0.2, 0.15, 0.1, 0.05])
TOPICS = np.random.default_rng(0).uniform(0, 0.5, (3, 6))
# Two features in one state, one that is on in every state of a root but one, a chain.
CHAIN = Forest(
    [-1, 0, 1],
    [[0.2, 0.5, 0.3], [[0.9, 0.1], [0.2, 0.8], [1, 0]], [[0.7, 0.2, 0.1], [0.1, 0.4, 0.5]]],
    [0, 0, 0, 1, 2, 2],
    [1, 1, 2, 1, 1, 2],
)
STRUCTURES = {
    "exclusive": ss.Features.exclusive(F, [[0, 2, 3], [1, 4]]),
    "hierarchy": ss.Features.hierarchy(F, [None, None, 0, 2, 1, 4]),
    "mixture": ss.Features.mixture([0.5, 0.3, 0.2], TOPICS),
    "common_cause": ss.Features.common_cause(F, [[0, 1], [3, 4, 5]], [0.5, 0.4], 0.04),
    "chain": ss.Features(ss.Frequencies.from_probabilities(CHAIN.marginals), dependence=CHAIN),
    "one_set": ss.Features.exclusive(
        ss.Frequencies.from_probabilities([0.1, 0.3, 0.2, 0.15, 0.1, 0.05]), [range(6)]
    ),
}


@pytest.fixture(autouse=True)
def digits():
    with mp.workdps(150):  # differences of corners divide by tiny overlaps
        yield


def model(seed, kind):
    rng = np.random.default_rng(seed)
    W = 0.65 * rng.standard_normal((6, 3))
    b = rng.normal(-0.2, 0.3, 6)
    if kind == "sparse":  # overlaps that are exactly 0
        W[1], W[2], W[3] = [0, 0, 1.2], [1, 0, 0], [0, 0.9, 0]
    return W, b


def slope_of(W, b, dW, db, features):
    """Slope of the enumerated loss along a direction, by a difference in many digits."""
    h = mp.mpf(10) ** -18
    ends = []
    for sign in (1, -1):
        moved = [
            [mp.mpf(x) + sign * h * mp.mpf(d) for x, d in zip(row, change, strict=True)]
            for row, change in zip(W, dW, strict=True)
        ]
        bias = [mp.mpf(x) + sign * h * mp.mpf(d) for x, d in zip(b, db, strict=True)]
        ends.append(enumerate_loss(moved, bias, features.dependence, features.weights))
    return float((ends[0] - ends[1]) / (2 * h))


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("name", STRUCTURES)
def test_loss_and_gradient_equal_enumeration(name, kind):
    plain = STRUCTURES[name]
    weights = np.array([1, 0.5, 2, 1, 0, 1.5]) if kind == "sparse" else None
    features = ss.Features(plain.frequencies, importance=weights, dependence=plain.dependence)
    W, b = model(1, kind)
    report = ss.population_loss(ss.ToyModel(W, b), features, rtol=1e-11, gradient=True)
    exact = float(enumerate_loss(W, b, features.dependence, features.weights))
    assert report.loss == pytest.approx(exact, rel=1e-10)
    assert abs(report.loss - exact) <= report.error_bound
    assert sum(report.parts.values()) == pytest.approx(report.loss, rel=1e-12)
    rng = np.random.default_rng(2)
    dW, db = rng.standard_normal(W.shape), rng.standard_normal(6)
    mine = float((report.gradient_W * dW).sum() + (report.gradient_b * db).sum())
    assert mine == pytest.approx(slope_of(W, b, dW, db, features), rel=1e-6, abs=1e-8)
    # Independent features of the same frequencies lose something else.
    other = ss.population_loss(ss.ToyModel(W, b), features.frequencies, rtol=1e-10)
    assert abs(other.loss - report.loss) > 1e-4 * report.loss


def test_eight_features():
    rng = np.random.default_rng(3)
    p = ss.Frequencies.from_probabilities(rng.uniform(0.05, 0.3, 8))
    features = ss.Features.exclusive(p, [[0, 1, 2], [3, 4]])
    W, b = 0.7 * rng.standard_normal((8, 3)), rng.normal(-0.2, 0.2, 8)
    exact = float(enumerate_loss(W, b, features.dependence))
    loss = ss.population_loss(ss.ToyModel(W, b), features, rtol=1e-11).loss
    assert loss == pytest.approx(exact, rel=1e-10)


def test_independent_features_as_a_forest():
    rng = np.random.default_rng(4)
    p = ss.Frequencies.power_law(12, 1.0, density=1.5)
    v = ss.Activation(0.25, 1.5, shares=(1, 3, 2))
    weights = rng.uniform(0, 2, 12)
    both = ss.ToyModel(0.5 * rng.standard_normal((12, 4)), rng.normal(0, 0.3, 12))
    forest = ss.Features(p, v, weights, independent_forest(p.p))
    one = ss.population_loss(both, forest, rtol=1e-10, gradient=True)
    other = ss.population_loss(both, ss.Features(p, v, weights), rtol=1e-10, gradient=True)
    assert one.loss == pytest.approx(other.loss, rel=2e-10)
    np.testing.assert_allclose(one.per_feature, other.per_feature, rtol=1e-8)
    np.testing.assert_allclose(one.gradient_W, other.gradient_W, atol=1e-8)
    np.testing.assert_allclose(one.gradient_b, other.gradient_b, atol=1e-8)
    for name, part in one.parts.items():
        assert part == pytest.approx(other.parts[name], abs=1e-9)


def test_one_hot_is_the_exclusive_set_of_all():
    rng = np.random.default_rng(5)
    p = ss.Frequencies.power_law(12, 1.0)
    toy = ss.ToyModel(0.5 * rng.standard_normal((12, 4)), rng.normal(0, 0.3, 12))
    one = ss.population_loss(toy, p, sampling="one_hot", gradient=True)
    same = ss.population_loss(toy, ss.Features.exclusive(p, [range(12)]), gradient=True)
    assert same.loss == pytest.approx(one.loss, rel=1e-14)
    np.testing.assert_allclose(same.gradient_W, one.gradient_W, atol=1e-15)
    # A variable that holds all but one feature goes through the messages.
    split = ss.population_loss(toy, ss.Features.exclusive(p, [range(11)]))
    assert abs(split.loss - one.loss) > 1e-3
    with pytest.raises(ValueError, match="one exclusive set of all"):
        ss.population_loss(toy, ss.Features.exclusive(p, [range(11)]), sampling="one_hot")
    # Below E = 1 the set has empty samples, in which positive biases err.
    rare = ss.Frequencies.power_law(12, 1.0, density=0.6)
    one = ss.population_loss(toy, rare, sampling="one_hot")
    same = ss.population_loss(toy, ss.Features.exclusive(rare, [range(12)]))
    empty = 0.4 * float((np.maximum(toy.b, 0) ** 2).sum())
    assert same.loss == pytest.approx(one.loss + empty, rel=1e-13)


@pytest.mark.parametrize("name", ["sets", "tree", "topics"])
def test_three_hundred_features_equal_samples(name):
    n = 300
    words = ss.Frequencies.power_law(n, 1.0, density=3.0)
    rng = np.random.default_rng(6)
    if name == "sets":
        features = ss.Features.exclusive(words, [range(k, n, 8) for k in range(8)])
    elif name == "tree":
        features = ss.Features.hierarchy(words, [None if i < 10 else i // 3 for i in range(n)])
    else:
        tilt = words.p * np.exp(rng.normal([[2], [-1], [-1]], 1, (3, n)))
        features = ss.Features.mixture([0.5, 0.3, 0.2], np.minimum(tilt, 0.9))
    W = rng.standard_normal((n, 12))
    W /= np.linalg.norm(W, axis=1)[:, None]
    toy = ss.ToyModel(W, np.full(n, -0.6))
    exact = ss.population_loss(toy, features)
    sampled = ss.monte_carlo_loss(toy, features, samples=2**17, seed=7)
    assert abs(sampled.loss - exact.loss) < 4 * sampled.stderr
    independent = ss.population_loss(toy, features.frequencies)
    assert abs(sampled.loss - independent.loss) > 8 * sampled.stderr


def test_the_first_tolerance_follows_an_estimate_of_the_loss():
    n = 250
    words = ss.Frequencies.power_law(n, 1.0)
    features = ss.Features.hierarchy(words, [None if i < 10 else i // 3 for i in range(n)])
    W = np.random.default_rng(8).standard_normal((n, 10))
    toy = ss.ToyModel(W / np.linalg.norm(W, axis=1)[:, None], np.full(n, -0.4))
    found = ss.population_loss(toy, features, rtol=1e-5)
    fine = ss.population_loss(toy, features, rtol=1e-9)
    assert abs(found.loss - fine.loss) <= found.error_bound <= 1e-5 * found.loss
    # From the loss with at most one other active feature it would be 20 times finer.
    assert found.error_bound > 2e-6 * found.loss


def test_errors_name_what_is_wrong():
    toy = ss.ToyModel(np.eye(5, 2), np.zeros(5))
    with pytest.raises(ValueError, match="they must agree"):
        ss.population_loss(toy, STRUCTURES["exclusive"])
