"""Train several toy models of one shape at once, in batched torch operations, to fill a GPU.

``train_many(features, m, seeds=range(16), device="cuda")``: each model has its own seed, weight
decay and features, and sees the batches that ``train`` would give it. On a CPU ``train`` (compiled,
one core each) is faster. It has not been run on a GPU.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Unpack

import numpy as np
import torch
from numpy.typing import ArrayLike

from empirical.progress import Report, report
from empirical.training.checkpoint import Progress
from empirical.training.recipes import BETAS, EPS
from empirical.training.run import TrainingRun
from empirical.training.settings import Recipe, TrainingChanges, make_settings, plan
from empirical.training.steps import make_sampler
from empirical.training.train import (
    check_feasible,
    check_width,
    finish,
    record,
    record_every,
    start,
)
from numerics.sampling import FeatureBatch
from theory.checks import check_integer, check_numbers
from theory.computing.argument_kinds import check_kinds
from theory.features import Features, as_features
from theory.frequencies import Frequencies


@check_kinds
def train_many(
    features: Features | Frequencies | Sequence[Features | Frequencies],
    m: int,
    *,
    seeds: int | Iterable[int] = 8,
    recipe: Recipe = "fast",
    weight_decay: ArrayLike = -1.0,
    compiled: bool = False,
    progress: bool | Report = False,
    **changes: Unpack[TrainingChanges],
) -> tuple[TrainingRun, ...]:
    """Train several models of one shape together.

    Parameters
    ----------
    features : Features, Frequencies, or sequence of them
        Of all models, or of each; all with the same n.
    m : int
        Hidden width of all.
    seeds : int or iterable of int
        How many models (seeds 0, 1, …), or the seed of each.
    recipe : {"fast", "paper"}
        As in ``train``.
    weight_decay : float or array_like
        gamma of all models, or of each.
    compiled : bool
        Whether to pass the step through ``torch.compile`` (needs a C++ compiler).
    progress : bool or callable
        As in ``train``.
    **changes
        Other fields of ``TrainingSettings``, the same for all models; not ``backend``.

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
    if {"backend", "checkpoint", "checkpoint_every"} & set(changes):
        raise TypeError("train_many has neither backend nor checkpoint: leave them out")
    if isinstance(seeds, Iterable):
        seed_list = list(seeds)
    else:
        seed_list = list(range(check_integer("seeds", seeds)))
    count = len(seed_list)
    if isinstance(features, Features | Frequencies):
        shown = [as_features(features)] * count
    else:
        shown = [as_features(one) for one in features]
    decays = np.broadcast_to(check_numbers("weight_decay", weight_decay), count)
    sizes = sorted({one.n for one in shown})
    if not count or len(shown) != count or len(sizes) != 1:
        raise ValueError(
            f"{count} seeds and {len(shown)} features of n = {sizes}: "
            "give at least one seed, as many features, and the same n for all"
        )
    n, m = sizes[0], check_width(m, sizes[0])
    settings = [
        make_settings(
            recipe=recipe, weight_decay=decay, seed=seed, **{**changes, "backend": "torch"}
        )
        for seed, decay in zip(seed_list, decays.tolist(), strict=True)
    ]
    for kind in shown:
        check_feasible(kind, m, settings[0], count)
    device = settings[0].device
    starts = [start(n, m, one) for one in settings]
    W, b = (
        torch.from_numpy(np.stack(arrays)).to(device)
        for arrays in ([one.W for one in starts], [one.b for one in starts])
    )
    samplers = [make_sampler(one.ranked, settings[0]) for one in shown]
    importance = None
    if any(one.importance is not None for one in shown):
        weights = np.stack([one.ranked.weights for one in shown])
        importance = torch.from_numpy(weights).to(device, W.dtype)
    state = [torch.zeros_like(x) for x in (W, W, b, b)]
    take = torch.compile(_step) if compiled else _step
    rates, bias_rates, batches = plan(settings[0])
    gamma = torch.from_numpy(np.array(decays, dtype=np.float32)).to(device)[:, None, None]
    scale = settings[0].loss_scale / n
    steps = len(rates)
    every = record_every(steps)
    history = [Progress() for _ in shown]
    window = torch.zeros(count, dtype=torch.float64, device=device)
    began = time.perf_counter()
    with report(progress, "training") as advance:
        for step in range(steps):
            drawn = [
                sampler.draw(int(batches[step]), one.batches)
                for sampler, one in zip(samplers, starts, strict=True)
            ]
            window += take(
                W, b, state, gamma, importance, *_joined(drawn, W), float(rates[step]),
                float(bias_rates[step]), step + 1, scale,
            )  # fmt: skip
            if (step + 1) % every == 0 or step + 1 == steps:
                for k, total in enumerate(window.tolist()):
                    history[k].step = step + 1
                    record(history[k], total, shown[k], settings[k])
                window.zero_()
                advance(step + 1, steps)
    share = (time.perf_counter() - began) / count
    runs = []
    for k, one in enumerate(settings):
        history[k].seconds = share
        trained = W[k].cpu().numpy(), b[k].cpu().numpy()
        runs.append(finish(shown[k], one, starts[k], *trained, history[k]))
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
    importance: torch.Tensor | None,
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
    # The active entries among the outputs: model, sample in it, feature in it.
    at = sample * n + feature % n
    output = error.view(-1)[at]
    active = (value * (value - 2 * output)).double()
    if importance is None:
        squares = error.double().square().sum(2)
    else:
        squares = torch.einsum("ksi,ki->ks", error.double().square(), importance.double())
        active *= importance.view(-1)[feature]
    squares.view(-1).index_add_(0, sample, active)
    loss = (weight * squares).sum(1)
    error.view(-1)[at] = torch.where(output > 0, output - value, 0.0)
    error *= weight[:, :, None]
    if importance is not None:
        error *= importance[:, None, :]
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
