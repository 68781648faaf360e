"""Both training paths against a plain dense loop with autograd."""

import math

import numpy as np
import pytest
import torch

from empirical.training.devices.sampler import to_device
from empirical.training.fused_kernels import gradients, make_workspace
from empirical.training.torch_steps import loss_and_gradients
from empirical.training.train import train
from numerics.sampling import FeatureSampler
from theory.activation import Activation
from theory.features import Features, as_features
from theory.frequencies import Frequencies

SMALL = Frequencies.power_law(40, 1.0, density=2.0)
QUICK = {"recipe": "paper", "batch": 32, "steps": 120, "evaluation_samples": 1000}
# A law of v in steps with a gap, and importances of which some are 0.
STEPS = Activation(0.25, 1.75, shares=(3, 0, 1))
IMPORTANCE = np.linspace(2.0, 0.0, 40)
SHOWN = Features(SMALL, STEPS, IMPORTANCE)


def dense(batch, dtype=torch.float32):
    x = torch.zeros(batch.batch, batch.n, dtype=dtype)
    x[batch.sample, batch.feature] = torch.from_numpy(batch.value).to(dtype)
    return x


@pytest.mark.parametrize("seed", range(3))
def test_gradients_against_dense_autograd(seed):
    rng = np.random.default_rng(seed)
    batch = FeatureSampler(SMALL).draw(200, rng)
    W = torch.from_numpy(rng.standard_normal((40, 6)) / 6**0.5).requires_grad_()
    b = torch.from_numpy(0.3 * rng.standard_normal(40)).requires_grad_()
    x = dense(batch, torch.float64)
    loss = torch.sum((torch.relu(x @ W @ W.T + b) - x) ** 2) / 200
    loss.backward()
    ours = loss_and_gradients(W.detach(), b.detach(), to_device([batch], W))
    assert float(ours.loss) == pytest.approx(loss.item(), rel=1e-12)
    assert torch.allclose(ours.W, W.grad, rtol=1e-10, atol=1e-13)
    assert torch.allclose(ours.b, b.grad, rtol=1e-10, atol=1e-13)
    # Negative control: with the encoder held fixed autograd gives another gradient.
    fixed, decoder = W.detach(), W.detach().clone().requires_grad_()
    loss = torch.sum((torch.relu(x @ fixed @ decoder.T + b.detach()) - x) ** 2) / 200
    loss.backward()
    assert not torch.allclose(ours.W, decoder.grad, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("bias", [0.3, -1.0])  # many outputs above 0, and few
def test_gradients_with_importances_against_dense_autograd(bias):
    """Of torch and of the compiled kernel; weighted samples, of which some are empty."""
    rng = np.random.default_rng(5)
    batch = FeatureSampler(Frequencies.power_law(40, 1.0), rare_share=0.3).draw(300, rng)
    assert np.ptp(batch.weight) > 0.2 and len(np.unique(batch.sample)) < 300
    W = torch.from_numpy(rng.standard_normal((40, 6)) / 6**0.5).requires_grad_()
    b = torch.from_numpy(0.3 * rng.standard_normal(40) + bias).requires_grad_()
    x, weight = dense(batch, torch.float64), torch.from_numpy(batch.weight)
    importance = torch.from_numpy(IMPORTANCE)
    squares = importance * (torch.relu(x @ W @ W.T + b) - x) ** 2
    loss = torch.sum(weight[:, None] * squares) / 300
    loss.backward()
    ours = loss_and_gradients(W.detach(), b.detach(), to_device([batch], W), importance)
    assert float(ours.loss) == pytest.approx(loss.item(), rel=1e-12)
    assert torch.allclose(ours.W, W.grad, rtol=1e-10, atol=1e-13)
    assert torch.allclose(ours.b, b.grad, rtol=1e-10, atol=1e-13)
    single = [x.detach().numpy().astype(np.float32) for x in (W, b, importance)]
    work = make_workspace(40, 6, 300, batch.value.size)
    total = gradients(
        single[0], single[1], batch.sample.copy(), batch.feature, batch.value.astype(np.float32),
        batch.weight.astype(np.float32), single[2], work,
    )  # fmt: skip
    grad_W, grad_b = work.grad_W, work.grad_b
    assert total / 300 == pytest.approx(loss.item(), rel=1e-5)
    size = float(W.grad.abs().max())
    assert grad_W * 2 / 300 == pytest.approx(W.grad.numpy(), abs=1e-5 * size)
    assert grad_b * 2 / 300 == pytest.approx(b.grad.numpy(), abs=1e-5 * size)
    # Negative control: one importance 5 % off.
    importance[3] *= 1.05
    wrong = loss_and_gradients(W.detach(), b.detach(), to_device([batch], W), importance)
    assert wrong.W.numpy() != pytest.approx(W.grad.numpy(), abs=1e-5 * size)


def plain_training(f, m, gamma, seed, steps, batch, lr, warmup, bias_lr=None, scale=1.0, eps=1e-8):
    """The published loop, dense and with autograd, from the same start and batches."""
    f = as_features(f)
    importance = torch.from_numpy(f.weights.astype(np.float32))
    start, batches, _ = (np.random.default_rng(c) for c in np.random.SeedSequence(seed).spawn(3))
    W = torch.from_numpy((start.standard_normal((f.n, m)) / m**0.5).astype(np.float32))
    b = torch.from_numpy(start.standard_normal(f.n).astype(np.float32))
    W.requires_grad_(), b.requires_grad_()
    sampler = FeatureSampler(f)
    bias_lr = lr if bias_lr is None else bias_lr
    adam = torch.optim.Adam([{"params": [W]}, {"params": [b]}], betas=(0.9, 0.999), eps=eps)
    for step in range(steps):
        if step < warmup:
            factor = (step + 1) / warmup
        else:
            done = (step - warmup) / (steps - warmup)
            factor = 0.05 + 0.95 * (1 + math.cos(math.pi * done)) / 2
        rate = lr * factor
        x = dense(sampler.draw(batch, batches))
        loss = scale * torch.mean(importance * (torch.relu(x @ W @ W.T + b) - x) ** 2)
        adam.zero_grad()
        loss.backward()
        with torch.no_grad():
            if gamma >= 0:
                W -= rate * gamma * W
            else:
                W += rate * -gamma * W * (1 / W.norm(dim=1, keepdim=True) - 1)
        adam.param_groups[0]["lr"], adam.param_groups[1]["lr"] = rate, bias_lr * factor
        adam.step()
    return W.detach().numpy(), b.detach().numpy()


@pytest.mark.parametrize("backend", ["fused", "torch"])
@pytest.mark.parametrize("gamma", [-1.0, 0.0, 0.5556])
def test_training_against_the_plain_loop(gamma, backend):
    run = train(SMALL, 6, weight_decay=gamma, seed=4, backend=backend, **QUICK)
    W, b = plain_training(SMALL, 6, gamma, 4, 120, 32, 1e-2, 12)
    assert pytest.approx(W, abs=1e-4) == run.model.W
    assert run.model.b == pytest.approx(b, abs=1e-4)
    other, _ = plain_training(SMALL, 6, gamma + 0.1, 4, 120, 32, 1e-2, 12)
    assert pytest.approx(other, abs=1e-4) != run.model.W


@pytest.mark.parametrize("backend", ["fused", "torch"])
def test_importances_and_a_law_of_v_in_steps_against_the_plain_loop(backend):
    run = train(SHOWN, 6, seed=4, backend=backend, **QUICK)
    W, b = plain_training(SHOWN, 6, -1.0, 4, 120, 32, 1e-2, 12)
    assert run.model.W == pytest.approx(W, abs=1e-4)
    assert run.model.b == pytest.approx(b, abs=1e-4)
    # Negative controls: six importances 5 % off; equal ones; another share of one step.
    near = IMPORTANCE.copy()
    near[:6] *= 1.05
    for other in (
        Features(SMALL, STEPS, near),
        Features(SMALL, STEPS),
        Features(SMALL, Activation(0.25, 1.75, shares=(3, 0, 1.1)), IMPORTANCE),
    ):
        wrong, _ = plain_training(other, 6, -1.0, 4, 120, 32, 1e-2, 12)
        assert run.model.W != pytest.approx(wrong, abs=1e-4)


def test_equal_importances_are_a_factor_on_the_loss():
    twice = train(Features(SMALL, importance=np.full(40, 2.0)), 6, seed=4, **QUICK)
    scaled = train(SMALL, 6, seed=4, loss_scale=2.0, **QUICK)
    assert twice.model.W == pytest.approx(scaled.model.W, abs=1e-4)
    assert twice.loss == pytest.approx(2 * scaled.loss, rel=1e-4)
    assert twice.losses == pytest.approx(2 * scaled.losses, rel=1e-4)
    assert twice.dead_loss == 2 * scaled.dead_loss


def test_the_reported_loss_is_weighted_by_importance():
    run = train(SHOWN, 6, seed=4, **QUICK)
    drawn = FeatureSampler(SHOWN).draw(20_000, np.random.default_rng(0))
    x = dense(drawn, torch.float64).numpy()
    squares = (np.maximum(x @ run.model.W @ run.model.W.T + run.model.b, 0) - x) ** 2
    each = squares @ IMPORTANCE
    error = math.hypot(run.stderr, each.std() / len(each) ** 0.5)
    assert abs(run.loss - each.mean()) < 4 * error
    assert abs(run.loss - squares.sum(axis=1).mean()) > 4 * error


@pytest.mark.parametrize("backend", ["fused", "torch"])
def test_bias_learning_rate_and_loss_scale_against_the_plain_loop(backend):
    """Adam forgets the scale of the loss but for its epsilon: make it so small that that counts."""
    settings = {"bias_learning_rate": 1e-3, "loss_scale": 1e-4}
    run = train(SMALL, 6, seed=4, backend=backend, **QUICK, **settings)
    W, b = plain_training(SMALL, 6, -1.0, 4, 120, 32, 1e-2, 12, bias_lr=1e-3, scale=1e-4)
    assert run.model.W == pytest.approx(W, abs=1e-4)
    assert run.model.b == pytest.approx(b, abs=1e-4)
    # Negative controls: the scale forgotten; a sum over features for their mean; one rate for all.
    for other in ({"scale": 1.0}, {"scale": 40e-4}, {"scale": 1e-4, "bias_lr": 1e-2}):
        wrong, _ = plain_training(
            SMALL, 6, -1.0, 4, 120, 32, 1e-2, 12, **({"bias_lr": 1e-3} | other)
        )
        assert run.model.W != pytest.approx(wrong, abs=1e-4)
