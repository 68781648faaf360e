"""Training on features that depend on each other: compiled steps, torch steps, files."""

import numpy as np
import pytest

import superscale as ss
from empirical.training.run import TrainingRun

WORDS = ss.Frequencies.power_law(60, 1.0, density=2.0)
ORDER = np.random.default_rng(0).permutation(60)
TILT = np.exp(np.random.default_rng(1).standard_normal((3, 60)))
FEATURES = {
    "sets": ss.Features.exclusive(WORDS, [range(k, 60, 6) for k in range(6)]),
    "tree in any order": ss.Features.hierarchy(
        ss.Frequencies.from_probabilities(WORDS.p[ORDER]),
        [None if i < 5 else int(np.flatnonzero(ORDER == i // 3)[0]) for i in ORDER],
        importance=np.linspace(1, 2, 60),
    ),
    "topics": ss.Features.mixture(
        np.full(3, 1 / 3), np.minimum(WORDS.p * 3 * TILT / TILT.sum(axis=0), 0.9)
    ),
}


@pytest.mark.parametrize("name", FEATURES)
def test_compiled_steps_equal_those_of_torch(name):
    runs = [
        ss.train(FEATURES[name], 8, batch=32, steps=150, rare_share=0.5, backend=backend)
        for backend in ("fused", "torch")
    ]
    scale = np.abs(runs[1].model.W).max()
    assert np.abs(runs[0].model.W - runs[1].model.W).max() < 1e-4 * scale
    assert np.abs(runs[0].losses - runs[1].losses).max() < 1e-4 * runs[1].losses.max()


@pytest.mark.parametrize("name", FEATURES)
def test_the_trained_loss_is_the_exact_one_and_not_that_of_independent_features(name):
    features = FEATURES[name]
    run = ss.train(features, 8, steps=1500, evaluation_samples=2**17)
    exact = ss.population_loss(run.model, features)
    assert abs(run.loss - exact.loss) < 4 * run.stderr
    alone = ss.Features(features.frequencies, importance=features.importance)
    assert abs(run.loss - ss.population_loss(run.model, alone).loss) > 5 * run.stderr


def test_a_run_comes_back_from_its_file(tmp_path):
    run = ss.train(FEATURES["sets"], 4, batch=16, steps=20)
    run.save(tmp_path / "run.safetensors")
    again = TrainingRun.load(tmp_path / "run.safetensors")
    assert again.features == run.features
    assert ss.population_loss(again.model, again.features).loss == pytest.approx(
        ss.population_loss(run.model, run.features).loss
    )


def test_a_checkpoint_goes_on_bit_for_bit_and_knows_its_features(tmp_path):
    how = {"batch": 16, "steps": 40, "checkpoint_every": 20}
    whole = ss.train(FEATURES["topics"], 4, batch=16, steps=40)
    path = tmp_path / "state"

    class Stop(Exception):
        pass

    def stop(step, steps):
        if step > 20:
            raise Stop

    with pytest.raises(Stop):
        ss.train(FEATURES["topics"], 4, checkpoint=path, progress=stop, **how)
    with pytest.raises(ValueError, match="other features"):
        ss.train(ss.Features(FEATURES["topics"].frequencies), 4, checkpoint=path, **how)
    resumed = ss.train(FEATURES["topics"], 4, checkpoint=path, **how)
    np.testing.assert_array_equal(resumed.model.W, whole.model.W)


def test_sweeps_tell_dependences_apart():
    grid = {"frequencies": [ss.Features(WORDS), FEATURES["sets"]], "m": 4}
    cells = ss.sweep(grid, batch=8, steps=10, workers=1).to_dataframe()
    assert cells["frequencies"].nunique() == 2
    assert cells["loss"].nunique() == 2
