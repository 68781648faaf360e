"""The loss function of descents against population_loss, Monte Carlo and finite differences."""

import numba
import numpy as np
import pytest

from numerics.ground_state.objective import LossFunction
from numerics.loss.exact import population_loss
from numerics.loss.monte_carlo import monte_carlo_loss
from theory.activation import Activation
from theory.features import Features
from theory.frequencies import Frequencies

UNIT = Activation(0, 1)


def features(p, n=6, importance=None, activation=UNIT):
    return Features(Frequencies.from_probabilities(np.full(n, p)), activation, importance)


def somewhere(f, seed=0, size=0.8):
    rng = np.random.default_rng(seed)
    return f.pack(size * rng.normal(size=(f.n, f.m)), 0.2 * rng.normal(size=f.n))


CASES = {
    "sparse": features(0.05),
    "dense": features(1.0),
    "half": features(0.5, importance=0.7 ** np.arange(6)),
    "steps": features(0.3, activation=Activation(0.2, 1, (3, 1, 2))),
    "power law": Features(Frequencies.power_law(6, alpha=1.0)),
}


@pytest.mark.parametrize("name", CASES)
def test_loss_is_that_of_population_loss(name):
    f = LossFunction(CASES[name], 3)
    for seed in range(3):
        x = somewhere(f, seed)
        report = population_loss(f.model(x), f.features, rtol=1e-9, gradient=True)
        value, slope = f(x, 1e-8)
        assert value * f.scale == pytest.approx(report.loss, abs=1.1e-8 * f.scale)
        by_W, by_b = f.unpack(slope * f.scale)
        assert np.abs(by_W - report.gradient_W).max() < 1e-6 * f.scale
        assert np.abs(by_b - report.gradient_b).max() < 1e-6 * f.scale


@pytest.mark.parametrize("name", CASES)
def test_gradient_against_finite_differences(name):
    f = LossFunction(CASES[name], 2)
    x, rng = somewhere(f, 3), np.random.default_rng(1)
    plan, slope = f.plan(x, 1e-9), f(x, 1e-9)[1]
    for _ in range(5):
        move = rng.normal(size=f.size)
        change = f(x + 1e-5 * move, 1e-9, plan)[0] - f(x - 1e-5 * move, 1e-9, plan)[0]
        assert change / 2e-5 == pytest.approx(slope @ move, rel=1e-6, abs=1e-8)


def test_the_plan_is_kept_and_renewed_where_it_does_not_fit():
    f = LossFunction(CASES["half"], 2)
    x = somewhere(f, 4)
    plan = f.plan(x, 1e-8)
    assert f(x, 1e-3, plan)[0] == f(x, 1e-8)[0]
    far = f.pack(f.unpack(x)[0], f.unpack(x)[1] + 2.0)  # outputs are positive more often now
    assert f(far, 1e-8, plan)[0] == f(far, 1e-8)[0]


@pytest.mark.parametrize("name", ["sparse", "dense"])
def test_loss_against_samples(name):
    f = LossFunction(CASES[name], 3)
    x = somewhere(f, 5)
    drawn = monte_carlo_loss(f.model(x), f.features, 2**17, 3)
    exact = f(x, 1e-8)[0] * f.scale
    assert abs(drawn.loss - exact) < 4 * drawn.stderr
    # Another model is told apart.
    assert abs(drawn.loss - f(1.05 * x, 1e-8)[0] * f.scale) > 4 * drawn.stderr


def test_tiny_overlaps_act_as_a_shift_of_the_bias():
    f = LossFunction(CASES["sparse"], 2)
    W, b = np.zeros((6, 2)), np.full(6, 0.05)
    W[0, 0], W[1, 1], W[2] = 1, 1, [1e-8, 0]
    value, slope = f(f.pack(W, b), 1e-9)
    report = population_loss(f.model(f.pack(W, b)), f.features, rtol=1e-9, gradient=True)
    assert value * f.scale == pytest.approx(report.loss, rel=1e-8)
    assert np.abs(f.unpack(slope * f.scale)[0] - report.gradient_W).max() < 1e-6


def test_threads_give_the_same_numbers(monkeypatch):
    f = LossFunction(Features(Frequencies.power_law(41, alpha=1.0)), 3)
    x = somewhere(f, size=0.4)
    report = population_loss(f.model(x), f.features, rtol=1e-7)
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 1)
    alone, slope = f(x, 1e-5)
    assert alone * f.scale == pytest.approx(report.loss, abs=1.1e-5 * f.scale)
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 2)
    together, other = f(x, 1e-5)
    assert together == alone and np.array_equal(slope, other)


def test_one_hot():
    f = LossFunction(features(0.1), 2, "one_hot")
    x = somewhere(f)
    report = population_loss(f.model(x), f.features, "one_hot")
    assert f(x, 1e-8)[0] * f.scale == pytest.approx(report.loss, rel=1e-12)


def test_far_away_the_value_rises_and_stays_finite():
    f = LossFunction(CASES["sparse"], 2)
    values = [f(size * np.ones(f.size), 1e-6)[0] for size in (1e3, 1e4, 1e5)]
    assert values == sorted(values) and np.isfinite(values).all()
