"""Steps that decode some rows only: right in the mean, and the dense steps where they take all."""

from itertools import combinations

import numpy as np
import pytest

from empirical.training.fused_kernels import gradients, make_workspace
from empirical.training.recipes import BETAS, EPS
from empirical.training.run import TrainingRun
from empirical.training.sampled.kernels import catch_up, find_rows, sampled_gradients
from empirical.training.sampled.steps import SampledSteps
from empirical.training.settings import TrainingSettings, plan
from empirical.training.steps import FusedSteps
from empirical.training.train import start, train
from numerics.sampling import FeatureSampler
from theory.features import Features
from theory.frequencies import Frequencies

F = Frequencies.power_law(7, 0.7, density=2.0)


def on_all_rows(W, b, drawn, importance, sampled, factor):
    """Return loss and gradients, spread over all rows, of a step that decodes these rows."""
    rows, slot = find_rows(np.array(sampled), drawn.feature, len(W))
    V, c = W[rows], b[rows]
    grad_V, grad_c = np.empty_like(V), np.empty_like(c)
    loss = sampled_gradients(
        V, c, len(sampled), factor, drawn.sample, slot, drawn.value.astype(np.float32),
        drawn.weight.astype(np.float32), importance[rows], grad_V, grad_c,
    )  # fmt: skip
    grad_W, grad_b = np.zeros_like(W), np.zeros_like(b)
    grad_W[rows], grad_b[rows] = grad_V, grad_c
    return loss, grad_W, grad_b


@pytest.mark.parametrize("bias", [0.2, -0.6])  # many outputs above 0 (matrices), and few (lists)
def test_the_mean_over_all_choices_of_rows_is_the_dense_gradient(bias):
    rng = np.random.default_rng(1)
    W = (rng.standard_normal((7, 3)) / 3**0.5).astype(np.float32)
    b = (0.2 * rng.standard_normal(7) + bias).astype(np.float32)
    importance = rng.uniform(0.5, 2.0, 7).astype(np.float32)
    drawn = FeatureSampler(F, rare_share=0.5).draw(40, rng)
    value, weight = drawn.value.astype(np.float32), drawn.weight.astype(np.float32)
    work = make_workspace(7, 3, 40, value.size)
    dense = gradients(W, b, drawn.sample.copy(), drawn.feature, value, weight, importance, work)
    grad_W, grad_b = work.grad_W, work.grad_b
    for factor in (7 / 2, 1.0, 7 / 3):
        every = [
            on_all_rows(W, b, drawn, importance, two, factor) for two in combinations(range(7), 2)
        ]
        loss, mean_W, mean_b = (np.mean([one[k] for one in every], axis=0) for k in range(3))
        close = [
            loss == pytest.approx(dense, rel=1e-5),
            np.allclose(mean_W, grad_W, atol=1e-4 * np.abs(grad_W).max()),
            np.allclose(mean_b, grad_b, atol=1e-4 * np.abs(grad_b).max()),
        ]
        # The right weight alone gives the dense gradient.
        assert close == [factor == 7 / 2] * 3


@pytest.mark.parametrize("decay", [-1.0, 0.3])
def test_with_all_rows_the_steps_are_the_dense_ones(decay):
    importance = np.linspace(1, 2, 40)
    f = Features(Frequencies.power_law(40, 1.0, density=1.5), importance=importance).ranked
    settings = TrainingSettings(steps=30, batch=16, decoder_rows=40, weight_decay=decay, seed=2)
    rates, bias_rates, _ = plan(settings)
    ends, losses = [], []
    for kind in (FusedSteps, SampledSteps):
        begin = start(40, 6, settings)
        steps = kind(begin.W, begin.b, f, begin.batches, settings)
        losses.append(steps.take(rates, bias_rates, 0, 16))
        ends.append(steps.state())
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    for name in ("W", "b", "W.exp_avg", "b.exp_avg_sq"):
        assert np.allclose(ends[1][name], ends[0][name], atol=1e-5), name
    assert np.abs(ends[0]["W"] - begin.W).max() > 0.05


def wait(W, first, second, done, rates, decay, eps):
    """Take plain AdamW steps without a gradient, row by row and step by step."""
    W, first, second = (x.astype(np.float64) for x in (W, first, second))
    for k in range(done + 1, len(rates) + 1):
        rate = rates[k - 1]
        norm = np.linalg.norm(W, axis=1, keepdims=True)
        W = W - rate * decay * W * (1 / norm - 1 if decay < 0 else 1)
        first, second = BETAS[0] * first, BETAS[1] * second
        size = first / (1 - BETAS[0] ** k)
        W = W - rate * size / (np.sqrt(second / (1 - BETAS[1] ** k)) + eps)
    return W, first, second


@pytest.mark.parametrize("decay", [0.0, -1.0, 0.5])
def test_waiting_rows_catch_up_with_plain_adamw(decay):
    rng = np.random.default_rng(3)
    W = rng.standard_normal((3, 4)).astype(np.float32)
    first = (1e-3 * rng.standard_normal((3, 4))).astype(np.float32)
    second = rng.uniform(1e-6, 1e-5, (3, 4)).astype(np.float32)
    rates, done = np.linspace(2e-3, 1e-3, 50), 12
    wanted = wait(W, first, second, done, rates, decay, EPS)
    moved = [x.copy() for x in (W, first, second)]
    last = np.array([done, done, 50])
    catch_up(*moved, np.arange(3), last, 51, rates, decay, BETAS, EPS)
    size = np.abs(wanted[0][:2] - W[:2]).max()
    # Of the order rate² is what the order of decay and moves changes.
    tolerance = 1e-6 if decay == 0 else 2e-3 * size
    assert size > 1e-3 and np.abs(moved[0] - wanted[0])[:2].max() < tolerance
    for k in (1, 2):
        assert moved[k][:2] == pytest.approx(wanted[k][:2], rel=1e-4)
    assert np.array_equal(moved[0][2], W[2]) and np.array_equal(last, [50, 50, 50])
    # The test would notice moments that were forgotten.
    still = wait(W, 0 * first, second, done, rates, decay, EPS)[0]
    assert np.abs(still - wanted[0])[:2].max() > 2 * tolerance


def test_each_row_is_as_often_decoded_and_the_seed_orders_them():
    settings = TrainingSettings(steps=60, decoder_rows=3, seed=5)
    begin = start(10, 2, settings)
    f = Features(Frequencies.power_law(10, 1.0))
    steps = SampledSteps(begin.W, begin.b, f, begin.batches, settings)
    rows = np.array([steps.rows(k) for k in range(3000)])
    assert all(np.unique(rows[3 * k : 3 * k + 3]).size == 9 for k in range(1000))
    counts = np.bincount(rows.ravel(), minlength=10)  # each 900 of 1000 epochs
    assert np.abs(counts - 900).max() < 4 * (1000 * 0.9 * 0.1) ** 0.5
    assert np.array_equal(steps.rows(7), rows[7])
    other = TrainingSettings(steps=60, decoder_rows=3, seed=6)
    steps = SampledSteps(begin.W, begin.b, f, begin.batches, other)
    assert not np.array_equal([steps.rows(k) for k in range(30)], rows[:30])


def test_a_run_goes_on_from_its_checkpoint(tmp_path, monkeypatch):
    f = Frequencies.power_law(30, 1.0, density=2.0)
    options = {"steps": 60, "batch": 8, "decoder_rows": 7, "evaluation_samples": 100}
    whole = train(f, 4, **options)
    path = tmp_path / "x.safetensors"

    def stop(step, steps):
        if step >= 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(f, 4, checkpoint=path, checkpoint_every=25, progress=stop, **options)
    again = train(f, 4, checkpoint=path, checkpoint_every=25, **options)
    assert np.array_equal(again.model.W, whole.model.W) and again.loss == whole.loss
    again.save(tmp_path / "run.safetensors")
    assert TrainingRun.load(tmp_path / "run.safetensors").settings.decoder_rows == 7


def test_what_cannot_be(tmp_path):
    f = Frequencies.power_law(30, 1.0)
    with pytest.raises(ValueError, match="decoder_rows = 31 is more than n = 30"):
        train(f, 4, decoder_rows=31)
    with pytest.raises(ValueError, match="decoder_rows = 5 is for the compiled steps"):
        train(f, 4, decoder_rows=5, backend="torch")
    with pytest.raises(ValueError, match="decoder_rows = -1"):
        train(f, 4, decoder_rows=-1)


@pytest.mark.slow
def test_trained_losses_are_those_of_dense_training():
    """Three times the steps, a third of the rows: as many outputs are computed."""
    f = Frequencies.power_law(300, 0.0, density=3.0)
    for seed in range(3):
        dense = train(f, 30, steps=4000, seed=seed).loss
        sampled = train(f, 30, steps=12000, decoder_rows=100, seed=seed).loss
        assert abs(sampled / dense - 1) < 0.03
