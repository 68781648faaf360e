"""A GPU against the CPU: the same batches make the same W and b.

Sums on a GPU run in no fixed order: float32 results agree to rounding, and those of TF32 (19 bits)
to its rounding. Both bounds are far below what another seed changes.
"""

import numpy as np
import pytest
import torch

from empirical.training.devices.many_steps import ManySteps, matmul_precision
from empirical.training.devices.sampler import DeviceSampler
from empirical.training.settings import TrainingSettings
from empirical.training.train import start, train
from empirical.training.train_many import train_many
from theory.features import Features
from theory.frequencies import Frequencies

pytestmark = pytest.mark.gpu

F = Features(Frequencies.power_law(300, 1.0, density=1.5))
QUICK = {"steps": 200, "batch": 64, "evaluation_samples": 2000}


def difference(one, other):
    return max(np.abs(one.model.W - other.model.W).max(), np.abs(one.model.b - other.model.b).max())


@pytest.mark.parametrize(("precision", "bound"), [("highest", 1e-3), ("high", 3e-2)])
@pytest.mark.parametrize("gamma", [-1.0, 0.5])
def test_the_same_batches_make_the_same_model(precision, bound, gamma):
    cpu, other = (train(F, 12, weight_decay=gamma, seed=seed, **QUICK) for seed in (0, 1))
    with matmul_precision(precision):
        gpu = train(F, 12, weight_decay=gamma, device="cuda", **QUICK)
        (many,) = train_many(F, 12, seeds=1, weight_decay=gamma, device="cuda", **QUICK)
    assert difference(cpu, gpu) < bound
    assert difference(cpu, many) < bound
    assert difference(cpu, other) > 0.3


@pytest.mark.parametrize("compiled", [False, True])
def test_a_captured_step_is_the_plain_step(compiled):
    settings = TrainingSettings(backend="torch", device="cuda", draws="device", **QUICK)
    found = []
    for graphs in (False, True):
        begin = start(300, 12, settings)
        models = ManySteps(
            begin.W[None], begin.b[None], [F], [begin.batches], [settings], compiled, graphs
        )
        losses = models.take(0, 200)
        assert bool(models._captured) == graphs
        found.append((losses, *models.models()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-3)
    assert found[0][1] == pytest.approx(found[1][1], abs=1e-3)


def test_batches_of_the_device_have_the_right_frequencies():
    like = torch.zeros(1, device="cuda")
    sampler = DeviceSampler([F], 0.0, like)
    batch = sampler.draw(100_000, torch.Generator("cuda").manual_seed(0))
    on = batch.value > 0
    found = torch.bincount(batch.feature[on], minlength=300).cpu().numpy()
    z = (found - 100_000 * F.p) / np.sqrt(100_000 * F.p * (1 - F.p))
    assert np.abs(z).max() < 5 and 0.8 < np.mean(z**2) < 1.25
    assert float(sampler.excess) <= 0


def test_losses_of_both_kinds_of_batches_agree():
    cpu = [train(F, 12, seed=seed, **QUICK | {"steps": 2000}).loss for seed in range(6)]
    quick = QUICK | {"steps": 2000, "draws": "device"}
    gpu = [run.loss for run in train_many(F, 12, seeds=range(6), device="cuda", **quick)]
    error = np.hypot(np.std(cpu, ddof=1), np.std(gpu, ddof=1)) / 6**0.5
    assert abs(np.mean(cpu) - np.mean(gpu)) < 4 * error + 0.01 * np.mean(cpu)
