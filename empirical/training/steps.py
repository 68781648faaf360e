"""Training steps on any torch device, and the same compiled for one CPU core.

``TorchSteps`` and ``FusedSteps`` have one interface, ``Steps``: each holds a model with the moments
of its optimizer, takes steps (``take``), and exports and restores its whole state as numpy arrays
(``state``, ``restore``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from empirical.training.fused_kernels import take_steps
from empirical.training.optimizer import BETAS, EPS, RowAdamW
from empirical.training.settings import TrainingSettings
from numerics.sampling import FeatureBatch, FeatureSampler
from theory.activation import Activation
from theory.features import Features
from theory.one_thread import one_thread

_MOMENTS = ("exp_avg", "exp_avg_sq")

Array = NDArray[np.float32]
Rates = NDArray[np.float64]


class Steps(Protocol):
    """A model in training."""

    def take(self, rates: Rates, bias_rates: Rates, done: int, batch: int) -> Rates:
        """Take a step for each pair of rates, after ``done``; return the batch losses."""

    def state(self) -> dict[str, Array]:
        """Return W, b and the moments of both."""

    def restore(self, state: Mapping[str, Array], done: int) -> None:
        """Go back to a state, that of ``done`` steps."""


@dataclass(frozen=True, eq=False)
class Gradients:
    """Loss of one batch (mean over samples, summed over features) and its gradients."""

    loss: torch.Tensor
    W: torch.Tensor
    b: torch.Tensor


def loss_and_gradients(
    W: torch.Tensor, b: torch.Tensor, batch: FeatureBatch, importance: torch.Tensor | None = None
) -> Gradients:
    """Return the batch loss ⟨w Σ_i I_i (y_i - x_i)²⟩ and its gradients, with x kept sparse.

    Parameters
    ----------
    W, b : Tensor, shapes (n, m) and (n,)
        The model, on any device.
    batch : FeatureBatch
        Active entries, and the weight w of each sample.
    importance : Tensor, shape (n,), optional
        I_i; 1 each by default.

    Returns
    -------
    Gradients
        In the dtype and on the device of W.

    Examples
    --------
    >>> one = np.array([0]), np.array([1]), np.array([0.5])
    >>> batch = FeatureBatch(*one, batch=1, n=2, weight=np.ones(1))
    >>> W = torch.tensor([[0.0], [1.0]])
    >>> float(loss_and_gradients(W, torch.zeros(2), batch).loss)      # kept: reproduced exactly
    0.0
    """
    device = W.device
    sample = torch.from_numpy(batch.sample).to(device)
    feature = torch.from_numpy(batch.feature).to(device)
    value = torch.from_numpy(batch.value).to(device, W.dtype)
    weight = torch.from_numpy(batch.weight).to(device, W.dtype)
    hidden = W.new_zeros(batch.batch, W.shape[1])
    hidden.index_add_(0, sample, W[feature] * value[:, None])
    error = torch.addmm(b, hidden, W.T).relu_()
    output = error[sample, feature]
    # Σ (y - x)² = Σ y² + Σ_active (x² - 2 x y); the gradient is y - x where the ReLU is on.
    active = value * (value - 2 * output)
    if importance is None:
        squares = torch.linalg.vecdot(error, error)
    else:
        squares = error.square() @ importance
        active *= importance[feature]
    squares.index_add_(0, sample, active)
    loss = torch.dot(weight, squares)
    error[sample, feature] = torch.where(output > 0, output - value, 0.0)
    error *= weight[:, None]
    if importance is not None:
        error *= importance
    grad_hidden = error @ W
    grad_W = error.T @ hidden
    grad_W.index_add_(0, feature, grad_hidden[sample] * value[:, None])
    scale = 2 / batch.batch
    return Gradients(loss / batch.batch, grad_W.mul_(scale), error.sum(0).mul_(scale))


class TorchSteps:
    """Steps in torch, on any device: the reference, and the way to a GPU."""

    def __init__(
        self,
        W: Array,
        b: Array,
        features: Features,
        rng: np.random.Generator,
        settings: TrainingSettings,
    ) -> None:
        device = torch.device(settings.device)
        # nn.Parameter marks what the optimizer updates.
        self.W, self.b = (
            torch.nn.Parameter(torch.from_numpy(x.copy()).to(device), requires_grad=False)
            for x in (W, b)
        )
        self.optimizer = RowAdamW(
            [
                {"params": [self.W], "weight_decay": settings.weight_decay},
                {"params": [self.b], "weight_decay": 0.0},
            ],
            betas=BETAS,
            eps=EPS,
        )
        self._sampler, self._rng = make_sampler(features, settings), rng
        self._scale = settings.loss_scale / len(b)
        self._importance = None
        if features.importance is not None:
            importance = torch.from_numpy(features.importance.copy())
            self._importance = importance.to(device, self.W.dtype)

    def take(self, rates: Rates, bias_rates: Rates, done: int, batch: int) -> Rates:
        """Take a step for each pair of rates; return the batch losses."""
        losses = []
        weights, biases = self.optimizer.param_groups
        for rate, bias_rate in zip(rates, bias_rates, strict=True):
            weights["lr"], biases["lr"] = float(rate), float(bias_rate)
            drawn = self._sampler.draw(batch, self._rng)
            found = loss_and_gradients(self.W.data, self.b.data, drawn, self._importance)
            self.W.grad, self.b.grad = found.W.mul_(self._scale), found.b.mul_(self._scale)
            self.optimizer.step()
            losses.append(found.loss)
        return torch.stack(losses).double().cpu().numpy()

    def state(self) -> dict[str, Array]:
        """Return W, b and the moments of both, on the CPU."""
        arrays = {}
        for name, parameter in (("W", self.W), ("b", self.b)):
            arrays[name] = parameter.detach().cpu().numpy()
            for moment in _MOMENTS:
                known = self.optimizer.state[parameter].get(moment, torch.zeros_like(parameter))
                arrays[f"{name}.{moment}"] = known.cpu().numpy()
        return arrays

    def restore(self, state: Mapping[str, Array], done: int) -> None:
        """Go back to a state."""
        for name, parameter in (("W", self.W), ("b", self.b)):
            parameter.data.copy_(torch.from_numpy(state[name]))
            self.optimizer.state[parameter] = {"step": done}
            for moment in _MOMENTS:
                array = torch.from_numpy(state[f"{name}.{moment}"].copy())  # not the caller's
                self.optimizer.state[parameter][moment] = array.to(parameter.device)


class FusedSteps:
    """Compiled steps on one core of the CPU.

    BLAS is held to one thread: a run is then the same bit for bit whatever threads the caller has.
    """

    def __init__(
        self,
        W: Array,
        b: Array,
        features: Features,
        rng: np.random.Generator,
        settings: TrainingSettings,
    ) -> None:
        self._arrays = {"W": W.copy(), "b": b.copy()}
        for name, x in (("W", W), ("b", b)):
            for moment in _MOMENTS:
                self._arrays[f"{name}.{moment}"] = np.zeros_like(x)
        self._tables, self._rng = make_sampler(features, settings).tables, rng
        self._decay = settings.weight_decay
        self._scale = settings.loss_scale / len(b)
        self._law = law_for_kernels(features.activation)
        self._importance = None
        if features.importance is not None:
            self._importance = features.importance.astype(np.float32)

    def take(self, rates: Rates, bias_rates: Rates, done: int, batch: int) -> Rates:
        """Take a step for each pair of rates; return the batch losses."""
        W, W1, W2, b, b1, b2 = (self._arrays[name] for name in self._order)
        with one_thread():
            losses: Rates = take_steps(
                W, b, W1.reshape(-1), W2.reshape(-1), b1, b2, rates, bias_rates, done,
                batch, self._decay, self._scale, BETAS, EPS, self._tables,
                self._law, self._importance, self._rng,
            )  # fmt: skip
        return losses

    _order = ("W", *(f"W.{x}" for x in _MOMENTS), "b", *(f"b.{x}" for x in _MOMENTS))

    def state(self) -> dict[str, Array]:
        """Return W, b and the moments of both; later steps change them."""
        return dict(self._arrays)

    def restore(self, state: Mapping[str, Array], done: int) -> None:
        """Go back to a state."""
        for name, array in self._arrays.items():
            array[...] = state[name]


def make_sampler(features: Features, settings: TrainingSettings) -> FeatureSampler:
    """Return the sampler of the batches that a run sees."""
    return FeatureSampler(features, settings.rare_share)


def law_for_kernels(activation: Activation) -> tuple[float, float, NDArray[np.float64] | None]:
    """Return low, high and the cumulative shares (None for a uniform law) for the kernels."""
    if activation.is_uniform:
        return activation.low, activation.high, None
    shares = np.array(activation.shares)
    cumulative = (shares / shares.sum()).cumsum()  # as numpy's Generator.choice computes it
    return activation.low, activation.high, cumulative / cumulative[-1]
