import shutil

import numpy as np
import pytest

from empirical.training.train import DivergenceError, train
from empirical.training.train_many import train_many
from theory.activation import Activation
from theory.features import Features
from theory.frequencies import Frequencies

LAWS = [Frequencies.power_law(60, alpha, density=1.5) for alpha in (0.5, 1.0, 1.5)]
SETTINGS = {"recipe": "fast", "steps": 100, "evaluation_samples": 500}
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.mark.parametrize("device", DEVICES)
def test_importances_of_each_model(device):
    """With a law of v in steps; the second model has equal importances."""
    v, weights = Activation(0.5, 1.5, (1, 3)), np.linspace(3, 0, 60)
    shown = [Features(LAWS[1], v, weights), Features(LAWS[1], v)]
    quick = SETTINGS | {"steps": 60, "batch": 16}
    runs = train_many(shown, 6, seeds=[1, 1], device=device, **quick)
    for run, features in zip(runs, shown, strict=True):
        alone = train(features, 6, seed=1, **quick)
        assert run.features == features
        assert run.model.W == pytest.approx(alone.model.W, abs=1e-4)
        assert run.losses == pytest.approx(alone.losses, rel=1e-4)
    assert np.abs(runs[0].model.W - runs[1].model.W).max() > 0.1


@pytest.mark.parametrize("device", DEVICES)
def test_each_model_is_what_train_makes_of_it(device):
    decays = [-1.0, 0.0, 0.5]
    many = train_many(LAWS, 6, seeds=[4, 5, 6], weight_decay=decays, device=device, **SETTINGS)
    for k, run in enumerate(many):
        alone = train(LAWS[k], 6, seed=4 + k, weight_decay=decays[k], backend="torch", **SETTINGS)
        assert np.abs(run.model.W - alone.model.W).max() < 1e-4
        assert np.abs(run.model.b - alone.model.b).max() < 1e-4
        assert run.losses == pytest.approx(alone.losses, rel=1e-4)
        assert run.loss == pytest.approx(alone.loss, rel=1e-3)
        assert np.array_equal(run.steps, alone.steps)
        assert run.features.frequencies == LAWS[k] and run.settings.seed == 4 + k
        # Negative control: another seed is another model.
        assert np.abs(run.model.W - many[k - 1].model.W).max() > 0.1


def test_one_law_for_all_and_another_law_of_v():
    shown = Features(LAWS[1], Activation(0.0, 1.0))
    runs = train_many(shown, 6, seeds=2, batch=8, steps=20, evaluation_samples=10)
    alone = train(shown, 6, seed=1, batch=8, steps=20, evaluation_samples=10)
    assert np.abs(runs[1].model.W - alone.model.W).max() < 1e-4


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
@pytest.mark.slow
def test_compiled():
    plain, compiled = (
        train_many(LAWS, 6, seeds=3, compiled=compiled, batch=16, steps=20, evaluation_samples=10)
        for compiled in (False, True)
    )
    for one, other in zip(plain, compiled, strict=True):
        assert np.abs(one.model.W - other.model.W).max() < 1e-4


def test_bad_arguments():
    with pytest.raises(ValueError, match="2 seeds and 3 features"):
        train_many(LAWS, 6, seeds=2)
    with pytest.raises(ValueError, match=r"n = \[60, 61\]"):
        train_many([LAWS[0], Frequencies.linear(61)], 6, seeds=2)
    with pytest.raises(ValueError, match="at least one seed"):
        train_many(LAWS[0], 6, seeds=[])
    with pytest.raises(ValueError, match="m = 61"):
        train_many(LAWS[0], 61, seeds=2)
    with pytest.raises(TypeError, match="neither backend nor checkpoint"):
        train_many(LAWS[0], 6, backend="fused")
    with pytest.raises(DivergenceError):
        train_many(LAWS[0], 6, seeds=2, learning_rate=1e5, steps=20, batch=8)
