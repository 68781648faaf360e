"""Training steps of several models of one shape, in batched torch operations: ``ManySteps``.

All that a step needs is on the device (rates, their corrections, and with ``draws="device"`` the
batches), so that the CPU waits for nothing between two records of the history. On a CUDA device a
step whose batches are drawn there is captured once as a CUDA graph and replayed.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from empirical.training.devices.sampler import DeviceBatch, DeviceSampler, to_device
from empirical.training.recipes import BETAS, EPS
from empirical.training.settings import TrainingSettings, plan
from empirical.training.steps import Array, make_sampler
from theory.features import Features

# Steps before a graph is captured: libraries allocate their work space in the first ones.
_WARM = 3


class Rates(NamedTuple):
    """Numbers of one step, each a tensor of no dimension."""

    weights: torch.Tensor
    biases: torch.Tensor
    first: torch.Tensor
    """1 - beta_1^t."""
    second: torch.Tensor
    """√(1 - beta_2^t)."""


class Moments(NamedTuple):
    """Adam's moments of W (models x n x m) and b (models x n)."""

    first_W: torch.Tensor
    second_W: torch.Tensor
    first_b: torch.Tensor
    second_b: torch.Tensor


class ManySteps:
    """Several models in training on one device.

    Parameters
    ----------
    W, b : ndarray, shapes (models, n, m) and (models, n)
        Where they start.
    features : sequence of Features
        Of each model, by rank.
    generators : sequence of Generator
        Of the batches of each model; with ``draws="device"`` the first seeds the batches of all.
    settings : sequence of TrainingSettings
        Of each model; they differ in seed and weight decay only.
    compiled : bool
        Whether the step goes through ``torch.compile``.
    graphs : bool
        Whether steps are captured as a CUDA graph where that can be.
    """

    def __init__(
        self,
        W: Array,
        b: Array,
        features: Sequence[Features],
        generators: Sequence[np.random.Generator],
        settings: Sequence[TrainingSettings],
        compiled: bool = False,
        graphs: bool = True,
    ) -> None:
        one = settings[0]
        device = torch.device(one.device)
        self.W, self.b = (torch.from_numpy(x.copy()).to(device) for x in (W, b))
        self._moments = Moments(*(torch.zeros_like(x) for x in (self.W, self.W, self.b, self.b)))
        self._generators = generators
        self._samplers = [make_sampler(shown, one) for shown in features]
        self._drawing: DeviceSampler | None = None
        if one.draws == "device":
            self._drawing = DeviceSampler(features, one.rare_share, self.W)
        self._importance = None
        if any(shown.importance is not None for shown in features):
            weights = np.stack([shown.weights for shown in features])
            self._importance = torch.from_numpy(weights).to(device, self.W.dtype)
        decays = np.array([each.weight_decay for each in settings], dtype=np.float32)
        self._gamma = torch.from_numpy(decays).to(device)[:, None, None]
        rates, bias_rates, self.batches = plan(one)
        steps = np.arange(1, len(rates) + 1)
        table = [rates, bias_rates, 1 - BETAS[0] ** steps, np.sqrt(1 - BETAS[1] ** steps)]
        self._rates = torch.from_numpy(np.stack(table, 1)).to(device, self.W.dtype)
        self._scale = one.loss_scale / b.shape[1]
        self._step = torch.compile(take_step) if compiled else take_step
        self._done = torch.zeros(1, dtype=torch.int64, device=device)
        self._window = torch.zeros(len(W), dtype=torch.float64, device=device)
        self._generator = torch.Generator(device)
        self._graphs = graphs and device.type == "cuda" and self._drawing is not None
        self._warm: dict[int, int] = {}
        self._captured: dict[int, Any] = {}

    def take(self, first: int, last: int) -> list[float]:
        """Take the steps ``first`` (from 0) to ``last`` - 1; return the sum of each model's losses.

        Raises
        ------
        RuntimeError
            If a batch had more active features than there was room for (it is as likely as a
            Poisson count ten standard deviations above its mean).
        """
        self._window.zero_()
        self._done.fill_(first)
        for step in range(first, last):
            batch = int(self.batches[step])
            if self._drawing is None:
                pairs = zip(self._samplers, self._generators, strict=True)
                drawn = [sampler.draw(batch, generator) for sampler, generator in pairs]
                self._one(to_device(drawn, self.W))
                continue
            self._generator.manual_seed(int(self._generators[0].integers(2**63)))
            self._graph(batch)()
        if self._drawing is not None and float(self._drawing.excess) > 0:
            raise RuntimeError("a batch drawn on the device did not fit: give another seed")
        return self._window.tolist()

    def _one(self, drawn: DeviceBatch) -> None:
        rates = Rates(*self._rates.index_select(0, self._done)[0].unbind())
        self._window += self._step(
            self.W, self.b, self._moments, self._gamma, self._importance, drawn, rates, self._scale
        )
        self._done += 1

    def _draw_and_step(self, batch: int) -> None:
        assert self._drawing is not None
        self._one(self._drawing.draw(batch, self._generator))

    def _graph(self, batch: int) -> Callable[[], None]:
        """Return what takes one step of this batch size: a replayed graph, or the plain calls."""

        def plain() -> None:
            self._draw_and_step(batch)

        if not self._graphs:
            return plain
        if batch in self._captured:
            return self._captured[batch].replay  # type: ignore[no-any-return]
        self._warm[batch] = self._warm.get(batch, 0) + 1
        if self._warm[batch] <= _WARM:
            return plain
        try:
            self._captured[batch] = capture(plain, self._generator)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            warnings.warn(f"steps run without a CUDA graph: {reason}", stacklevel=3)
            self._graphs = False
            return plain
        return self._captured[batch].replay  # type: ignore[no-any-return]

    def models(self) -> tuple[Array, Array]:
        """Return W and b of all models, on the CPU."""
        return self.W.cpu().numpy(), self.b.cpu().numpy()


def capture(work: Callable[[], None], generator: torch.Generator) -> Any:
    """Record a function's work on the device as a CUDA graph; capturing does not run it."""
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(generator)
    torch.cuda.synchronize(generator.device)
    with torch.cuda.graph(graph):
        work()
    return graph


def take_step(
    W: torch.Tensor,
    b: torch.Tensor,
    moments: Moments,
    gamma: torch.Tensor,
    importance: torch.Tensor | None,
    drawn: DeviceBatch,
    rates: Rates,
    scale: float,
) -> torch.Tensor:
    """Take one step of all models (k x n x m), in place; return their batch losses."""
    sample, feature, value, weight = drawn
    count, n, m = W.shape
    batch = weight.shape[1]
    hidden = W.new_zeros(count * batch, m)
    hidden.index_add_(0, sample, W.view(-1, m)[feature] * value[:, None])
    hidden = hidden.view(count, batch, m)
    error = torch.baddbmm(b[:, None, :], hidden, W.transpose(1, 2)).relu_()
    # The active entries among the outputs: model, sample in it, feature in it. Entries of value 0
    # may name one cell several times: what they add is 0.
    at = sample * n + feature % n
    output = error.view(-1)[at]
    active = (value * (value - 2 * output)).double()
    if importance is None:
        squares = torch.linalg.vecdot(error, error).double()
    else:
        squares = torch.einsum("ksi,ki->ks", error.square(), importance).double()
        active *= importance.view(-1)[feature]
    squares.view(-1).index_add_(0, sample, active)
    loss = (weight * squares).sum(1)
    error.view(-1).index_add_(0, at, torch.where(output > 0, -value, 0.0))
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
    W.mul_(1 - rates.weights * gamma * pull)
    adam(W, grad_W.mul_(factor), moments.first_W, moments.second_W, rates.weights, rates)
    adam(b, error.sum(1).mul_(factor), moments.first_b, moments.second_b, rates.biases, rates)
    mean: torch.Tensor = loss / batch
    return mean


def adam(
    x: torch.Tensor, g: torch.Tensor, first: torch.Tensor, second: torch.Tensor,
    rate: torch.Tensor, rates: Rates,
) -> None:  # fmt: skip
    """Take one step of Adam, in place."""
    first.lerp_(g, 1 - BETAS[0])
    second.mul_(BETAS[1]).addcmul_(g, g, value=1 - BETAS[1])
    root = second.sqrt().div_(rates.second).add_(EPS)
    x.sub_((rate / rates.first) * first / root)


@contextlib.contextmanager
def matmul_precision(precision: str) -> Any:
    """Multiply float32 matrices within in "highest" (float32) or "high" precision (TF32 on a GPU).

    Examples
    --------
    >>> with matmul_precision("high"):
    ...     torch.get_float32_matmul_precision()
    'high'
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
