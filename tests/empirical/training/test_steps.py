"""The compiled steps against plain ones: same gradients, same models."""

import numpy as np
import pytest
import torch

from empirical.training.devices.sampler import to_device
from empirical.training.fused_kernels import decay_rows, gradients, make_workspace, update
from empirical.training.optimizer import RowAdamW
from empirical.training.settings import TrainingSettings
from empirical.training.steps import FusedSteps
from empirical.training.torch_steps import TorchSteps, loss_and_gradients
from empirical.training.train import train
from numerics.sampling import FeatureSampler
from theory.features import Features
from theory.frequencies import Frequencies


@pytest.mark.parametrize(("batch", "m"), [(1, 1), (50, 7), (3000, 7)])  # the last in blocks
@pytest.mark.parametrize("bias", [0.3, -1.0])  # many outputs above 0, and few
def test_gradients_against_torch(batch, m, bias):
    rng = np.random.default_rng(batch)
    f = Frequencies.power_law(200, 1.0, density=3.0)
    W = (rng.standard_normal((200, m)) / m**0.5).astype(np.float32)
    b = (0.3 * rng.standard_normal(200) + min(bias, 0.0)).astype(np.float32)
    drawn = FeatureSampler(f, rare_share=0.5).draw(batch, rng)
    assert batch == 1 or np.ptp(drawn.weight) > 0.5
    work = make_workspace(200, m, batch, drawn.value.size)
    for array in work[:-3]:
        array.fill(np.nan)  # nothing is expected of it
    value, weight = drawn.value.astype(np.float32), drawn.weight.astype(np.float32)
    loss = gradients(W, b, drawn.sample.copy(), drawn.feature, value, weight, None, work)
    grad_W, grad_b = work.grad_W, work.grad_b
    W64, b64 = torch.from_numpy(W).double(), torch.from_numpy(b).double()
    plain = loss_and_gradients(W64, b64, to_device([drawn], W64))
    assert loss / batch == pytest.approx(float(plain.loss), rel=1e-5)
    size = float(plain.W.abs().max())
    assert 2 / batch * grad_W == pytest.approx(plain.W.numpy(), abs=1e-5 * size)
    assert 2 / batch * grad_b == pytest.approx(plain.b.numpy(), abs=1e-5 * size)


@pytest.mark.parametrize("decay", [-1.0, 0.0, 0.7])
def test_update_against_the_optimizer(decay):
    rng = np.random.default_rng(0)
    W = rng.standard_normal((20, 7)).astype(np.float32)
    W[3] = 0
    parameter = torch.nn.Parameter(torch.from_numpy(W.copy()))
    optimizer = RowAdamW([parameter], lr=1e-2, weight_decay=decay)
    first, second = np.zeros(W.size, np.float32), np.zeros(W.size, np.float32)
    for step in range(1, 30):
        g = rng.standard_normal(W.shape).astype(np.float32)
        parameter.grad = torch.from_numpy(0.25 * g)
        optimizer.step()
        decay_rows(W, 1e-2, decay)
        update(W.reshape(-1), g.reshape(-1), first, second, step, 1e-2, 0.25, (0.9, 0.999), 1e-8)
    assert pytest.approx(parameter.detach().numpy(), abs=2e-6) == W


@pytest.mark.parametrize(("gamma", "share"), [(-1.0, 0.0), (0.5, 0.0), (-1.0, 0.75)])
def test_the_same_batches_make_the_same_model(gamma, share):
    f = Frequencies.power_law(200, 1.0)
    settings = {
        "recipe": "paper",
        "weight_decay": gamma,
        "batch": 64,
        "steps": 100,
        "evaluation_samples": 100,
    }
    settings["rare_share"] = share
    fused, plain, other = (
        train(f, 25, backend=backend, seed=seed, **settings)
        for backend, seed in (("fused", 5), ("torch", 5), ("fused", 6))
    )
    assert np.abs(fused.model.W - plain.model.W).max() < 1e-4
    assert np.abs(fused.model.b - plain.model.b).max() < 1e-4
    assert np.abs(fused.model.W - other.model.W).max() > 1e-2
    assert fused.losses == pytest.approx(plain.losses, rel=1e-4)


@pytest.mark.parametrize("method", [FusedSteps, TorchSteps])
def test_state_and_back(method):
    f = Frequencies.power_law(30, 1.0)
    settings = TrainingSettings(batch=8, steps=10)
    rates = np.full(5, 1e-2)

    def make(seed):
        rng = np.random.default_rng(seed)
        W = rng.standard_normal((30, 4)).astype(np.float32)
        return method(W, W[:, 0].copy(), Features(f), np.random.default_rng(9), settings)

    first, second = make(0), make(1)
    first.take(rates, rates, 0, 8), second.take(rates, rates, 0, 8)
    state = {name: array.copy() for name, array in first.state().items()}
    second.restore(state, 5)
    losses = [steps.take(rates, rates, 5, 8) for steps in (first, second)]
    assert np.array_equal(losses[0], losses[1])
    for name, array in first.state().items():
        assert np.array_equal(array, second.state()[name])
        assert not np.array_equal(array, state[name])


def test_batches_in_which_nothing_is_active():
    """Of these batches of one sample four in five are empty; both ways take them."""
    f = Frequencies.power_law(20, 0.0, density=0.2)
    runs = [
        train(f, 3, steps=40, batch=1, bias_start="zero", backend=backend, rare_share=0.0)
        for backend in ("fused", "torch")
    ]
    assert runs[0].model.W == pytest.approx(runs[1].model.W, abs=1e-4)
