import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ortho_group

from numerics.loss.monte_carlo import monte_carlo_loss
from numerics.sampling import FeatureSampler
from numerics.toy_model import ToyModel
from theory.activation import Activation
from theory.features import Features
from theory.frequencies import Frequencies
from theory.regimes.weak import weak_loss


def weak_model(f, r):
    kept = np.arange(f.n) < r
    return ToyModel(np.eye(f.n, r), np.where(kept, 0.0, f.p))


def random_model(n, m, seed):
    rng = np.random.default_rng(seed)
    return ToyModel(rng.standard_normal((n, m)) / m**0.5, 0.3 * rng.standard_normal(n))


def plain_loss(model, f, samples, seed):
    """The same estimate, written out densely."""
    batch = FeatureSampler(f).draw(samples, np.random.default_rng(seed))
    x = np.zeros((samples, f.n))
    x[batch.sample, batch.feature] = batch.value
    y = np.maximum(x @ model.W @ model.W.T + model.b, 0)
    each = np.sum((y - x) ** 2, axis=1)
    return (
        each.mean(),
        each.std(ddof=1) / np.sqrt(samples),
        ((y - x) ** 2).mean(axis=0),
        (y > 0).any(axis=0),
    )


def test_against_a_dense_evaluation_of_the_same_samples():
    f = Frequencies.power_law(60, 0.7, density=3.0)
    model = random_model(60, 7, 0)
    estimate = monte_carlo_loss(model, f, 3000, 5)
    loss, error, per_feature, fired = plain_loss(model, f, 3000, 5)
    assert estimate.loss == pytest.approx(loss, rel=1e-12)
    assert estimate.stderr == pytest.approx(error, rel=1e-10)
    assert estimate.per_feature == pytest.approx(per_feature, rel=1e-12)
    assert np.array_equal(estimate.fired, fired)
    assert estimate.per_feature.sum() == pytest.approx(estimate.loss, rel=1e-12)


def test_blocks_add_up_exactly(monkeypatch):
    """Three blocks, the last one short, against one dense evaluation of the same draws."""
    import numerics.loss.monte_carlo as module

    f = Frequencies.power_law(30, 1.0)
    model = random_model(30, 4, 1)
    monkeypatch.setattr(module, "_BLOCK", 30 * 200)
    estimate = monte_carlo_loss(model, f, 500, np.random.default_rng(2))
    rng, each, squares, fired = np.random.default_rng(2), [], 0.0, np.zeros(30, dtype=bool)
    for size in (200, 200, 100):
        batch = FeatureSampler(f).draw(size, rng)
        x = np.zeros((size, 30))
        x[batch.sample, batch.feature] = batch.value
        y = np.maximum(x @ model.W @ model.W.T + model.b, 0)
        each.append(np.sum((y - x) ** 2, axis=1))
        squares = squares + np.sum((y - x) ** 2, axis=0)
        fired |= (y > 0).any(axis=0)
    each = np.concatenate(each)
    assert estimate.samples == 500
    assert estimate.loss == pytest.approx(each.mean(), rel=1e-12)
    assert estimate.stderr == pytest.approx(each.std(ddof=1) / np.sqrt(500), rel=1e-10)
    assert estimate.per_feature == pytest.approx(squares / 500, rel=1e-12)
    assert np.array_equal(estimate.fired, fired)


def test_a_feature_that_fires_in_the_first_block_only_has_fired(monkeypatch):
    import numerics.loss.monte_carlo as module

    monkeypatch.setattr(module, "_BLOCK", 2 * 10)
    f = Frequencies.from_probabilities([0.5, 0.01])
    estimates = [monte_carlo_loss(ToyModel(np.eye(2), [0, 0]), f, 40, seed) for seed in range(40)]
    seen = np.mean([e.fired[1] for e in estimates])
    assert abs(seen - (1 - 0.99**40)) < 4 * np.sqrt(0.33 * 0.67 / 40)


def test_the_standard_error_of_a_large_nearly_constant_loss():
    """A bias of 10^6 adds 10^12 to every sample: a plain sum of squares would cancel."""
    f = Frequencies.from_probabilities([0.5, 0.5])
    model = ToyModel(np.zeros((2, 1)), [1e6, 0.0])
    estimate = monte_carlo_loss(model, f, 20_000, 0)
    # (10^6 - x)² = 10^12 - 2·10^6 x + x²: its spread is that of x, times 2·10^6.
    spread = 2e6 * np.sqrt(4 / 3 * 0.5 - 0.25)
    assert estimate.stderr == pytest.approx(spread / np.sqrt(20_000), rel=0.03)


def test_other_activations():
    f = Frequencies.power_law(20, 1.0)
    v = Activation(0.5, 1.0)
    features = Features(f, v)
    estimate = monte_carlo_loss(ToyModel(np.zeros((20, 1)), f.p), features, 200_000, 0)
    first, second = float(v.moment(1)), float(v.moment(2))
    exact = np.sum(second * f.p - 2 * first * f.p * f.p + f.p**2)  # constant outputs p_i
    assert abs(estimate.loss - exact) < 4 * estimate.stderr
    assert abs(estimate.loss - float(weak_loss(f, 0))) > 4 * estimate.stderr


def test_importances_weigh_every_sample():
    """Loss and standard error against the exact moments of Σ I_i (x_i - p_i)², features alone."""
    f = Frequencies.power_law(30, 0.7, density=3.0)
    importance, v = np.linspace(2, 0.1, 30), Activation(0.5, 1.0)
    features = Features(f, v, importance)
    model = ToyModel(np.zeros((30, 1)), f.p)
    samples = 200_000
    estimate = monte_carlo_loss(model, features, samples, 3)
    moment = [float(v.moment(k)) for k in range(5)]
    mean, square = (
        (1 - f.p) * f.p**power
        + f.p
        * sum(math.comb(power, k) * moment[k] * (-f.p) ** (power - k) for k in range(power + 1))
        for power in (2, 4)
    )
    exact = float(importance @ mean)
    spread = math.sqrt(importance**2 @ (square - mean**2))
    assert abs(estimate.loss - exact) < 4 * spread / math.sqrt(samples)
    # The sampled spread is known to about 0.5 %; one 10 % off, or without weights, is refused.
    assert estimate.stderr == pytest.approx(spread / math.sqrt(samples), rel=0.02)
    assert 1.1 * estimate.stderr != pytest.approx(spread / math.sqrt(samples), rel=0.02)
    plain = math.sqrt(np.sum(square - mean**2))
    assert estimate.stderr != pytest.approx(plain / math.sqrt(samples), rel=0.02)
    assert estimate.per_feature.sum() == pytest.approx(estimate.loss, rel=1e-12)
    # The same draws: each feature's error times its importance; reversed ones are noticed.
    alike = monte_carlo_loss(model, Features(f, v), samples, 3)
    assert estimate.per_feature == pytest.approx(importance * alike.per_feature, rel=1e-12)
    wrong = float(importance[::-1] @ mean)
    assert abs(estimate.loss - wrong) > 20 * estimate.stderr


def test_against_the_exact_weak_loss_in_repetition():
    """Errors in units of the standard error are standard normal; a loss 2 % off is refused."""
    f, r = Frequencies.power_law(50, 1.0, density=2.0), 8
    model, exact = weak_model(f, r), float(weak_loss(f, r))
    estimates = [monte_carlo_loss(model, f, 4000, seed) for seed in range(200)]
    z = np.array([(e.loss - exact) / e.stderr for e in estimates])
    assert abs(z.mean()) < 4 / np.sqrt(200)
    assert abs(z.var(ddof=1) - 1) < 4 * np.sqrt(2 / 200)
    wrong = np.array([(e.loss - 1.02 * exact) / e.stderr for e in estimates])
    assert abs(wrong.mean()) > 4 / np.sqrt(200)


@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(2, 6))
def test_rotating_W_changes_nothing(seed, n, m):
    f = Frequencies.power_law(n, 0.5)
    model = random_model(n, m, seed)
    turned = ToyModel(model.W @ ortho_group.rvs(m, random_state=seed), model.b)
    first, second = (monte_carlo_loss(one, f, 200, 0).loss for one in (model, turned))
    assert first == pytest.approx(second, rel=1e-10)


def test_permuting_equally_frequent_features_changes_nothing_but_their_order():
    f = Frequencies.power_law(20, 0.0)
    model = random_model(20, 5, 3)
    order = np.random.default_rng(0).permutation(20)
    first = monte_carlo_loss(model, f, 100_000, 1)
    second = monte_carlo_loss(ToyModel(model.W[order], model.b[order]), f, 100_000, 2)
    assert abs(first.loss - second.loss) < 4 * np.hypot(first.stderr, second.stderr)
    assert second.per_feature == pytest.approx(first.per_feature[order], rel=0.2)


def test_a_dead_feature_never_fires_and_costs_its_share():
    f = Frequencies.power_law(10, 1.0)
    estimate = monte_carlo_loss(ToyModel(np.zeros((10, 2)), np.full(10, -1.0)), f, 200_000)
    assert not estimate.fired.any()
    assert abs(estimate.loss - 4 / 3) < 4 * estimate.stderr
    assert abs(estimate.loss - 1.02 * 4 / 3) > 4 * estimate.stderr


def test_bad_input():
    f = Frequencies.power_law(10, 1.0)
    with pytest.raises(ValueError, match="n = 9 features and the frequencies n = 10"):
        monte_carlo_loss(random_model(9, 2, 0), f)
    with pytest.raises(ValueError, match="samples = 1"):
        monte_carlo_loss(random_model(10, 2, 0), f, samples=1)
    frame = monte_carlo_loss(random_model(10, 2, 0), f, 100).to_dataframe()
    assert list(frame) == ["loss", "fired"] and len(frame) == 10
