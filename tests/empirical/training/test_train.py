import math

import numpy as np
import pytest

import empirical.training.torch_steps as torch_steps
from empirical.training.steps import FusedSteps
from empirical.training.torch_steps import TorchSteps
from empirical.training.train import DivergenceError, train
from empirical.training.train_many import train_many
from numerics.loss.monte_carlo import monte_carlo_loss
from numerics.sampling import FeatureSampler
from theory.activation import Activation
from theory.features import Features
from theory.frequencies import Frequencies
from theory.regimes.weak import weak_loss

SMALL = Frequencies.power_law(40, 1.0, density=2.0)
QUICK = {"recipe": "paper", "batch": 32, "steps": 120, "evaluation_samples": 1000}


def test_the_start_is_as_published():
    run = train(
        Frequencies.power_law(4000, 1.0),
        16,
        recipe="paper",
        batch=1,
        steps=1,
        learning_rate=1e-12,
        evaluation_samples=2,
    )
    W, b = run.model.W, run.model.b
    count = W.size
    assert abs(W.mean()) < 4 * 0.25 / count**0.5
    assert abs(W.var() - 1 / 16) < 4 * math.sqrt(2 / count) / 16
    assert abs(b.mean()) < 4 / 4000**0.5 and abs(b.var() - 1) < 4 * math.sqrt(2 / 4000)
    zero = train(
        SMALL,
        5,
        recipe="paper",
        bias_start="zero",
        batch=1,
        steps=1,
        learning_rate=1e-12,
        evaluation_samples=2,
    )
    assert np.all(np.abs(zero.model.b) < 1e-9)


def test_the_batch_grows_late(monkeypatch):
    sizes = []
    plain = FusedSteps.take

    def listening(self, rates, bias_rates, done, batch):
        sizes.extend([batch] * len(rates))
        return plain(self, rates, bias_rates, done, batch)

    monkeypatch.setattr(FusedSteps, "take", listening)
    train(SMALL, 6, batch=8, late_batch=16, late_fraction=0.3, steps=50, evaluation_samples=10)
    assert sizes == [8] * 35 + [16] * 15


def test_same_seed_same_model_and_other_seed_another():
    first, second, other = (train(SMALL, 6, seed=s, **QUICK) for s in (1, 1, 2))
    assert np.array_equal(first.model.W, second.model.W)
    assert first.loss == second.loss
    assert not np.array_equal(first.model.W, other.model.W)


def test_training_learns_what_theory_allows():
    """Weak decay keeps one feature to a direction: near the ideal, far from learning nothing."""
    f = Frequencies.power_law(50, 1.5)
    run = train(f, 10, recipe="paper", weight_decay=0.3, bias_start="zero", batch=128, steps=2000)
    ideal = float(weak_loss(f, 10))
    assert run.loss < 1.15 * ideal
    assert run.loss < 0.5 * float(weak_loss(f, 0))
    assert run.losses[-1] < run.losses[0]
    fresh = monte_carlo_loss(run.model, f, 2**16, 99)
    assert abs(fresh.loss - run.loss) < 4 * math.hypot(fresh.stderr, run.stderr)


def batch_losses(f, steps, batch, seed):
    """The loss of every batch of a run, by stopping it after each step."""
    losses = []
    plain = torch_steps.loss_and_gradients

    def listening(*arguments):
        gradients = plain(*arguments)
        losses.append(float(gradients.loss))
        return gradients

    torch_steps.loss_and_gradients = listening
    try:
        run = train(
            f,
            6,
            recipe="paper",
            batch=batch,
            steps=steps,
            seed=seed,
            evaluation_samples=10,
            backend="torch",
        )
    finally:
        torch_steps.loss_and_gradients = plain
    return run, np.array(losses)


def test_history_averages_every_step():
    run, losses = batch_losses(SMALL, 120, 8, 0)
    assert np.array_equal(run.steps, np.arange(1, 121))
    assert run.losses == pytest.approx(losses, rel=1e-6)
    run, losses = batch_losses(SMALL, 507, 8, 0)  # records of 3 steps
    assert run.steps.size == 169 and run.steps[0] == 3
    assert run.losses == pytest.approx(losses.reshape(-1, 3).mean(axis=1), rel=1e-6)
    run, losses = batch_losses(SMALL, 500, 8, 0)  # the last record is one of 2
    assert np.array_equal(run.steps[-2:], [498, 500])
    assert run.losses[-1] == pytest.approx(losses[-2:].mean(), rel=1e-6)


def test_the_reported_loss_is_of_fresh_samples():
    run = train(SMALL, 6, seed=5, **QUICK)
    _, _, evaluation = np.random.SeedSequence(5).spawn(3)
    again = monte_carlo_loss(run.model, SMALL, 1000, np.random.default_rng(evaluation))
    assert (run.loss, run.stderr, run.samples) == (again.loss, again.stderr, 1000)


def test_other_activations_reach_the_samples_and_the_record():
    v = Activation(0.25, 0.5)
    run = train(Features(SMALL, v), 6, seed=4, **QUICK)
    assert run.features.activation == v
    batches = np.random.default_rng(np.random.SeedSequence(4).spawn(3)[1])
    assert FeatureSampler(Features(SMALL, v)).draw(32, batches).value.max() <= 0.5
    # The evaluation uses it too: every sample of a dead model costs what v is.
    fresh = monte_carlo_loss(run.model, run.features, 2**14, 1)
    assert abs(fresh.loss - run.loss) < 4 * math.hypot(fresh.stderr, run.stderr)
    other = train(SMALL, 6, seed=4, **QUICK)
    assert not np.allclose(run.model.W, other.model.W, atol=1e-3)


def test_progress_is_reported():
    seen = []
    train(SMALL, 6, progress=lambda done, total: seen.append((done, total)), **QUICK)
    assert seen == [(step, 120) for step in range(1, 121)]


@pytest.mark.parametrize("density", [0.05, 2.0])
def test_one_sample_a_step_in_two_ways(density):
    """Most batches are empty at E = 0.05; compiled steps and torch's end at the same loss."""
    words = Frequencies.power_law(40, 1.0, density=density)
    quick = {"batch": 1, "steps": 60, "evaluation_samples": 1000}
    fused, plain = (train(words, 5, backend=name, **quick).loss for name in ("fused", "torch"))
    assert fused == pytest.approx(plain, rel=1e-4)


@pytest.mark.parametrize("backend", ["fused", "torch"])
def test_sizes_beyond_memory_are_refused(backend):
    with pytest.raises(ValueError, match=r"training with batch = 1\d* needs about .* GiB .* batch"):
        train(SMALL, 4, batch=10**12, backend=backend)
    with pytest.raises(ValueError, match="training with n = 1000000, m = 1000000 needs about"):
        train(Frequencies.power_law(10**6, 1.0), 10**6, backend=backend)
    with pytest.raises(ValueError, match="needs about"):
        train_many(SMALL, 4, seeds=2, batch=10**12)


def test_v_beyond_single_precision_is_refused():
    with pytest.raises(ValueError, match="overflows the single precision .* 1e.08 or less"):
        train(Features(SMALL, Activation(high=1e9)), 4, **QUICK)
    run = train(Features(SMALL, Activation(high=1e8)), 4, **QUICK)
    assert np.isfinite(run.loss) and np.isfinite(run.model.W).all()


@pytest.mark.parametrize("learning_rate", [1e3, 1e6])
def test_divergence_stops_with_a_clear_error(learning_rate):
    with pytest.raises(
        DivergenceError, match="training diverged: loss .* try a smaller learning rate"
    ):
        train(SMALL, 6, learning_rate=learning_rate, **QUICK)


def test_a_model_that_only_the_last_step_ruined_is_not_returned():
    with pytest.raises(DivergenceError, match="around step 1 of 1"):
        train(SMALL, 6, batch=8, steps=1, learning_rate=1e6, warmup_steps=0)


BACKENDS = {"fused": FusedSteps, "torch": TorchSteps}


@pytest.mark.parametrize("backend", BACKENDS)
def test_divergence_is_ten_thousand_times_what_learning_nothing_costs(monkeypatch, backend):
    """The limit itself, by a loss that is put just below and just above it."""
    limit = 1e4 * float(weak_loss(SMALL, 0))
    method = BACKENDS[backend]
    plain = method.take
    for factor, diverges in ((0.99, False), (1.01, True)):

        def costly(self, *arguments, factor=factor):
            return np.full_like(plain(self, *arguments), factor * limit)

        monkeypatch.setattr(method, "take", costly)
        if diverges:
            with pytest.raises(DivergenceError):
                train(SMALL, 6, backend=backend, **QUICK)
        else:
            train(SMALL, 6, backend=backend, **QUICK)


def test_a_second_phase_begins_where_the_first_ended(tmp_path):
    first = train(SMALL, 6, **QUICK)
    # A phase without steps worth the name changes nothing; the seed is for batches alone.
    still = train(SMALL, 6, model=first.model, **{**QUICK, "learning_rate": 1e-30, "seed": 9})
    np.testing.assert_allclose(still.model.W, first.model.W, atol=1e-6)
    np.testing.assert_allclose(still.model.b, first.model.b, atol=1e-6)
    for backend in ("fused", "torch"):
        second = train(SMALL, 6, model=first.model, backend=backend, **QUICK)
        assert second.loss < first.loss
        assert len(second.begun_at) == 64
    again = train(SMALL, 6, model=first.model, checkpoint=tmp_path / "c", **QUICK)
    resumed = train(SMALL, 6, model=first.model, checkpoint=tmp_path / "c", **QUICK)
    np.testing.assert_array_equal(resumed.model.W, again.model.W)
    for other in ({}, {"model": again.model}):
        with pytest.raises(ValueError, match="belongs to another run .begun_at"):
            train(SMALL, 6, checkpoint=tmp_path / "c", **other, **QUICK)
    with pytest.raises(ValueError, match="they must agree"):
        train(SMALL, 7, model=first.model, **QUICK)
