import numpy as np
import pytest
import torch

from empirical.training.optimizer import RowAdamW


def gradients(steps, shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for _ in range(steps)]


def run(optimizer_type, start, grads, **options):
    parameter = torch.nn.Parameter(start.clone())
    optimizer = optimizer_type([parameter], **options)
    for gradient in grads:
        parameter.grad = gradient.clone()
        optimizer.step()
    return parameter.detach()


@pytest.mark.parametrize("decay", [0.0, 1e-3, 0.1, 1.0])
@pytest.mark.parametrize("eps", [1e-8, 1e-2])
def test_positive_decay_is_adamw(decay, eps):
    start, grads = (
        torch.randn(5, 3, generator=torch.Generator().manual_seed(1)),
        gradients(50, (5, 3)),
    )
    options = {"lr": 1e-2, "betas": (0.9, 0.999), "eps": eps, "weight_decay": decay}
    ours, theirs = (
        run(RowAdamW, start, grads, **options),
        run(torch.optim.AdamW, start, grads, **options),
    )
    assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-7)
    other = run(torch.optim.AdamW, start, grads, **options | {"weight_decay": decay + 0.1})
    assert not torch.allclose(ours, other, rtol=1e-5, atol=1e-7)


def plain_growth(W, grads, lr, gamma, beta1=0.9, beta2=0.999, eps=1e-8):
    """The published update, row by row in float64."""
    W = W.double().numpy().copy()
    first, second = np.zeros_like(W), np.zeros_like(W)
    for t, gradient in enumerate(grads, start=1):
        g = gradient.double().numpy()
        for i in range(len(W)):
            norm = np.sqrt(np.sum(W[i] ** 2))
            if norm > 0:
                W[i] = W[i] + lr * abs(gamma) * W[i] * (1 / norm - 1)
        first = beta1 * first + (1 - beta1) * g
        second = beta2 * second + (1 - beta2) * g**2
        W -= lr * (first / (1 - beta1**t)) / (np.sqrt(second / (1 - beta2**t)) + eps)
    return W


@pytest.mark.parametrize("gamma", [-0.1, -1.0])
def test_negative_decay_is_the_published_growth(gamma):
    start, grads = (
        torch.randn(6, 3, generator=torch.Generator().manual_seed(2)),
        gradients(50, (6, 3)),
    )
    start[2] = 0
    ours = run(RowAdamW, start, grads, lr=1e-2, weight_decay=gamma).numpy()
    assert ours == pytest.approx(plain_growth(start, grads, 1e-2, gamma), rel=1e-4, abs=1e-6)
    assert ours != pytest.approx(plain_growth(start, grads, 1e-2, 1.1 * gamma), rel=1e-4, abs=1e-6)


def test_growth_alone_leads_every_row_to_unit_norm():
    start = torch.tensor([[3.0, 4.0], [0.1, 0.0], [0.0, 0.0], [0.6, 0.8]])
    norms = run(RowAdamW, start, [torch.zeros(4, 2)] * 400, lr=0.1, weight_decay=-1.0).norm(dim=1)
    assert norms.numpy() == pytest.approx([1, 1, 0, 1], abs=1e-4)


def test_groups_closures_and_state():
    W, b = torch.nn.Parameter(torch.ones(3, 2)), torch.nn.Parameter(torch.zeros(3))
    optimizer = RowAdamW(
        [{"params": [W], "weight_decay": -1.0}, {"params": [b], "lr": 0.1}], lr=0.01
    )

    def closure():
        optimizer.zero_grad()
        loss = (W.sum() - b.sum()) ** 2
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == pytest.approx(36.0)
    assert b.detach().numpy() == pytest.approx([0.1] * 3, rel=1e-4)
    # The state goes through torch's own saving.
    other = RowAdamW([{"params": [W], "weight_decay": -1.0}, {"params": [b], "lr": 0.1}], lr=0.01)
    other.load_state_dict(optimizer.state_dict())
    assert torch.equal(other.state[W]["exp_avg"], optimizer.state[W]["exp_avg"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -1}, "lr = -1"),
        ({"eps": -1}, "eps = -1"),
        ({"betas": (0.9, 1.0)}, "betas"),
        ({"weight_decay": float("nan")}, "weight_decay = nan"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        RowAdamW([torch.nn.Parameter(torch.ones(2, 2))], **options)


def test_growth_needs_rows():
    with pytest.raises(ValueError, match="acts on rows"):
        RowAdamW([torch.nn.Parameter(torch.ones(2, 2, 2))], weight_decay=-1.0)
    with pytest.raises(ValueError, match="acts on rows"):
        RowAdamW([torch.nn.Parameter(torch.ones(2))], weight_decay=-1.0)
