"""Train many toy models of one shape at once, in batched torch operations: the way to fill a GPU.

Use ``train_many(frequencies, m, seeds=range(16), device="cuda")``. Each model has its own seed,
weight decay and frequencies, and sees the batches that ``train`` would give it. On a CPU ``train``
(compiled, one core each) is quicker. It has not been run on a GPU.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from empirical.progress import Report, report
from empirical.training.checkpoint import Progress
from empirical.training.optimizer import BETAS, EPS
from empirical.training.run import TrainingRun
from empirical.training.settings import check_settings, plan
from empirical.training.train import finish, record, record_every, start
from numerics.sampling import FeatureBatch, FeatureSampler
from theory.activation import UNIFORM
from theory.checks import check_integer
from theory.features import Features
from theory.frequencies import Frequencies


def train_many(
    frequencies: Frequencies | Sequence[Frequencies],
    m: int,
    *,
    seeds: int | Iterable[int] = 8,
    weight_decay: ArrayLike = -1.0,
    device: str = "cpu",
    compiled: bool = False,
    progress: bool | Report = False,
    **training: Any,
) -> tuple[TrainingRun, ...]:
    """Train several models of one shape together.

    Parameters
    ----------
    frequencies : Frequencies or sequence of them
        Of all models, or of each; all with the same n.
    m : int
        Hidden width of all.
    seeds : int or iterable of int
        How many models (seeds 0, 1, …), or the seed of each.
    weight_decay : float or array_like
        gamma of all models, or of each.
    device : str
        Torch device.
    compiled : bool
        Whether to pass the step through ``torch.compile`` (needs a C++ compiler).
    progress : bool or callable
        As in ``train``.
    **training
        Other arguments of ``train``, the same for all models.

    Returns
    -------
    tuple of TrainingRun
        One for each, as ``train(..., backend="torch")`` would return it up to rounding; ``seconds``
        is an equal share of the time.

    Raises
    ------
    ValueError
        For lists of different lengths, different n, or a setting out of range.
    DivergenceError
        If any of the models diverges.

    Examples
    --------
    >>> words = Frequencies.power_law(40, alpha=1.0)
    >>> runs = train_many(words, 6, seeds=2, weight_decay=[-1, 0.5], steps=50, batch=16)
    >>> [run.settings["weight_decay"] for run in runs]
    [-1.0, 0.5]
    """
    if {"backend", "checkpoint", "checkpoint_every"} & set(training):
        raise TypeError("train_many has neither backend nor checkpoint: leave them out")
    if isinstance(seeds, Iterable):
        seed_list = list(seeds)
    else:
        seed_list = list(range(check_integer("seeds", seeds)))
    count = len(seed_list)
    laws = [frequencies] * count if isinstance(frequencies, Frequencies) else list(frequencies)
    decays = np.broadcast_to(np.asarray(weight_decay, dtype=np.float64), count)
    if not count or len(laws) != count or len({law.n for law in laws}) != 1:
        raise ValueError(
            f"{count} seeds and {len(laws)} frequencies of n = {sorted({law.n for law in laws})}: "
            "give at least one seed, as many frequencies, and the same n for all"
        )
    settings = [
        check_settings(
            law, m=m, seed=seed, weight_decay=float(decay), device=device, backend="torch",
            **training,
        )
        for law, seed, decay in zip(laws, seed_list, decays, strict=True)
    ]  # fmt: skip
    starts = [start(law.n, s) for law, s in zip(laws, settings, strict=True)]
    W, b = (
        torch.from_numpy(np.stack(arrays)).to(device)
        for arrays in ([one.W for one in starts], [one.b for one in starts])
    )
    law_of_v = training.get("activation", UNIFORM)
    samplers = [FeatureSampler(Features(law, law_of_v), settings[0]["rare_share"]) for law in laws]
    state = [torch.zeros_like(x) for x in (W, W, b, b)]
    take = torch.compile(_step) if compiled else _step
    rates, bias_rates, batches = plan(settings[0])
    gamma = torch.from_numpy(np.array(decays, dtype=np.float32)).to(device)[:, None, None]
    scale = settings[0]["loss_scale"] / laws[0].n
    steps = len(rates)
    every = record_every(steps)
    history = [Progress() for _ in laws]
    window = torch.zeros(count, dtype=torch.float64, device=device)
    began = time.perf_counter()
    with report(progress, "training") as advance:
        for step in range(steps):
            drawn = [
                sampler.draw(int(batches[step]), one.batches)
                for sampler, one in zip(samplers, starts, strict=True)
            ]
            window += take(
                W, b, state, gamma, *_joined(drawn, W), float(rates[step]), float(bias_rates[step]),
                step + 1, scale,
            )  # fmt: skip
            if (step + 1) % every == 0 or step + 1 == steps:
                for k, total in enumerate(window.tolist()):
                    history[k].step = step + 1
                    record(history[k], total, laws[k], settings[k])
                window.zero_()
                advance(step + 1, steps)
    share = (time.perf_counter() - began) / count
    runs = []
    for k, (law, one) in enumerate(zip(laws, settings, strict=True)):
        history[k].seconds = share
        runs.append(finish(law, one, starts[k], W[k].cpu().numpy(), b[k].cpu().numpy(), history[k]))
    return tuple(runs)


def _joined(
    drawn: Sequence[FeatureBatch], W: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return sample, feature (numbered through all models), value of each entry; the weights."""
    sample = np.concatenate([k * one.batch + one.sample for k, one in enumerate(drawn)])
    feature = np.concatenate([k * one.n + one.feature for k, one in enumerate(drawn)])
    value = np.concatenate([one.value for one in drawn])
    return (
        torch.from_numpy(sample).to(W.device),
        torch.from_numpy(feature).to(W.device),
        torch.from_numpy(value).to(W.device, W.dtype),
        torch.from_numpy(np.stack([one.weight for one in drawn])).to(W.device, W.dtype),
    )


def _step(
    W: torch.Tensor,
    b: torch.Tensor,
    state: list[torch.Tensor],
    gamma: torch.Tensor,
    sample: torch.Tensor,
    feature: torch.Tensor,
    value: torch.Tensor,
    weight: torch.Tensor,
    rate: float,
    bias_rate: float,
    step: int,
    scale: float,
) -> torch.Tensor:
    """Take one step of all models (k x n x m), in place; return their batch losses."""
    count, n, m = W.shape
    batch = weight.shape[1]
    hidden = W.new_zeros(count * batch, m)
    hidden.index_add_(0, sample, W.view(-1, m)[feature] * value[:, None])
    hidden = hidden.view(count, batch, m)
    error = torch.baddbmm(b[:, None, :], hidden, W.transpose(1, 2)).relu_()
    squares = error.double().square().sum(2)
    # The active entries among the outputs: model, sample in it, feature in it.
    at = sample * n + feature % n
    output = error.view(-1)[at]
    squares.view(-1).index_add_(0, sample, (value * (value - 2 * output)).double())
    loss = (weight * squares).sum(1)
    error.view(-1)[at] = torch.where(output > 0, output - value, 0.0)
    error *= weight[:, :, None]
    grad_hidden = torch.bmm(error, W)
    grad_W = torch.bmm(error.transpose(1, 2), hidden)
    rows = grad_hidden.view(-1, m)[sample] * value[:, None]
    grad_W.view(-1, m).index_add_(0, feature, rows)
    factor = scale * 2 / batch
    norm = torch.linalg.vector_norm(W, dim=2, keepdim=True)
    pull = torch.where(gamma < 0, torch.where(norm > 0, 1 / norm - 1, 0.0), 1.0)
    W.mul_(1 - rate * gamma * pull)
    _adam(W, grad_W.mul_(factor), state[0], state[1], rate, step)
    _adam(b, error.sum(1).mul_(factor), state[2], state[3], bias_rate, step)
    return loss / batch


def _adam(
    x: torch.Tensor, g: torch.Tensor, first: torch.Tensor, second: torch.Tensor,
    rate: float, step: int,
) -> None:  # fmt: skip
    first.lerp_(g, 1 - BETAS[0])
    second.mul_(BETAS[1]).addcmul_(g, g, value=1 - BETAS[1])
    root = second.sqrt().div_((1 - BETAS[1] ** step) ** 0.5).add_(EPS)
    x.addcdiv_(first, root, value=-rate / (1 - BETAS[0] ** step))
