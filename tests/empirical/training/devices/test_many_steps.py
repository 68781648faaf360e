"""Steps of several models on a device; every path but the capture of a graph runs on the CPU."""

import numpy as np
import pytest
import torch

from empirical.training.devices import many_steps as module
from empirical.training.devices.many_steps import ManySteps, Moments, Rates, take_step
from empirical.training.devices.sampler import DeviceBatch, DeviceSampler
from empirical.training.settings import TrainingSettings
from empirical.training.torch_steps import loss_and_gradients
from empirical.training.train import start, train
from empirical.training.train_many import train_many
from theory.features import Features
from theory.frequencies import Frequencies

F = Features(Frequencies.power_law(60, 1.0, density=1.5))
QUICK = {"steps": 60, "batch": 16, "late_batch": 32, "late_fraction": 0.5}
ON_DEVICE = QUICK | {"backend": "torch", "draws": "device", "evaluation_samples": 500}


def models(seeds=(0, 1), compiled=False, graphs=False):
    settings = [TrainingSettings(seed=seed, **ON_DEVICE) for seed in seeds]
    starts = [start(60, 6, one) for one in settings]
    return ManySteps(
        np.stack([one.W for one in starts]), np.stack([one.b for one in starts]),
        [F] * len(seeds), [one.batches for one in starts], settings, compiled, graphs,
    )  # fmt: skip


def test_entries_of_value_zero_change_nothing():
    """The batch of fixed shape against its active entries alone: loss, gradients, model."""
    generator = torch.Generator().manual_seed(1)
    W = torch.randn(60, 6, generator=generator, dtype=torch.float64) / 6**0.5
    b = 0.2 * torch.randn(60, generator=generator, dtype=torch.float64)
    padded = DeviceSampler([F], 0.5, W).draw(32, generator)
    on = padded.value > 0
    assert 0 < int(on.sum()) < len(on) - 20
    plain = DeviceBatch(padded.sample[on], padded.feature[on], padded.value[on], padded.weight)
    one, other = (loss_and_gradients(W, b, batch) for batch in (padded, plain))
    for name in ("loss", "W", "b"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=1e-12, atol=0)
    # One step of Adam from zero moments: each entry moves by its rate against its gradient.
    changed, moved = W.clone()[None], b.clone()[None]
    zeros = Moments(*(torch.zeros_like(x) for x in (changed, changed, moved, moved)))
    rates = Rates(*torch.tensor([1e-3, 2e-3, 0.1, 0.001**0.5], dtype=torch.float64))
    gamma = torch.zeros(1, 1, 1, dtype=torch.float64)
    loss = take_step(changed, moved, zeros, gamma, None, padded, rates, 1.0)
    assert float(loss) == pytest.approx(float(other.loss), rel=1e-12)
    clear = other.W.abs() > 1e-4
    expected = -1e-3 * torch.sign(other.W)
    torch.testing.assert_close((changed[0] - W)[clear], expected[clear], rtol=1e-3, atol=0)


def test_one_model_is_what_train_makes_of_the_same_batches():
    (many,) = train_many(F, 6, seeds=[3], **{k: v for k, v in ON_DEVICE.items() if k != "backend"})
    alone, other = (train(F, 6, seed=3, **{**ON_DEVICE, "draws": d}) for d in ("device", "numpy"))
    assert np.abs(many.model.W - alone.model.W).max() < 1e-4
    assert many.losses == pytest.approx(alone.losses, rel=1e-4)
    assert many.settings.draws == "device"
    assert np.abs(other.model.W - alone.model.W).max() > 1e-2  # other batches


def test_a_stopped_run_goes_on_with_the_same_batches(tmp_path):
    plain = train(F, 6, **ON_DEVICE)

    class Stop(Exception):
        pass

    def stop(step, steps):
        if step >= 40:
            raise Stop

    path = tmp_path / "c"
    with pytest.raises(Stop):
        train(F, 6, checkpoint=path, checkpoint_every=10, progress=stop, **ON_DEVICE)
    resumed = train(F, 6, checkpoint=path, **ON_DEVICE)
    assert np.array_equal(resumed.model.W, plain.model.W)


class Recorded:
    """Stands for a CUDA graph: it repeats the calls themselves."""

    made = 0

    def __init__(self, work, generator):
        self.replay = work
        Recorded.made += 1


def test_a_graph_of_each_batch_size_is_replayed(monkeypatch):
    plain, graphed = models(), models()
    graphed._graphs = True
    monkeypatch.setattr(module, "capture", Recorded)
    monkeypatch.setattr(Recorded, "made", 0)
    losses = [one.take(0, 40) + one.take(40, 60) for one in (plain, graphed)]
    assert losses[0] == losses[1] and Recorded.made == 2
    for one, other in zip(plain.models(), graphed.models(), strict=True):
        assert np.array_equal(one, other)


def test_without_a_graph_the_steps_are_taken_one_by_one(monkeypatch):
    def fail(work, generator):
        raise RuntimeError("operation not permitted when stream is capturing")

    plain, refused = models(), models()
    refused._graphs = True
    monkeypatch.setattr(module, "capture", fail)
    with pytest.warns(UserWarning, match="without a CUDA graph: operation not permitted"):
        losses = refused.take(0, 20)
    assert losses == plain.take(0, 20)


def test_a_batch_that_does_not_fit_stops_the_run(monkeypatch):
    plain = DeviceSampler.room
    monkeypatch.setattr(DeviceSampler, "room", lambda self, batch: plain(self, batch) - 90)
    with pytest.raises(RuntimeError, match="did not fit: give another seed"):
        train(F, 6, rare_share=0.0, **ON_DEVICE)


def test_bad_settings():
    with pytest.raises(ValueError, match="draws = 'device' draws in torch: give backend='torch'"):
        TrainingSettings(draws="device")
    with pytest.raises(ValueError, match="draws = 'gpu' is not allowed: give 'numpy' or 'device'"):
        TrainingSettings(draws="gpu")
