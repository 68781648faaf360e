"""Training steps in torch, on any device: the reference, and the way to a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from empirical.training.devices.sampler import DeviceBatch, DeviceSampler, to_device
from empirical.training.optimizer import RowAdamW
from empirical.training.recipes import BETAS, EPS
from empirical.training.settings import TrainingSettings
from empirical.training.steps import MOMENTS, Array, Rates, make_sampler
from theory.features import Features


@dataclass(frozen=True, eq=False)
class Gradients:
    """Loss of one batch (mean over samples, summed over features) and its gradients."""

    loss: torch.Tensor
    W: torch.Tensor
    b: torch.Tensor


def loss_and_gradients(
    W: torch.Tensor, b: torch.Tensor, batch: DeviceBatch, importance: torch.Tensor | None = None
) -> Gradients:
    """Return the batch loss ⟨w Σ_i I_i (y_i - x_i)²⟩ and its gradients, with x kept sparse.

    Parameters
    ----------
    W, b : Tensor, shapes (n, m) and (n,)
        The model, on any device.
    batch : DeviceBatch
        Active entries, and the weight w of each sample, of one model; on the same device.
    importance : Tensor, shape (n,), optional
        I_i; 1 each by default.

    Returns
    -------
    Gradients
        In the dtype and on the device of W.

    Examples
    --------
    >>> W = torch.tensor([[0.0], [1.0]])
    >>> one = torch.tensor([0]), torch.tensor([1]), torch.tensor([0.5]), torch.ones(1, 1)
    >>> float(loss_and_gradients(W, torch.zeros(2), DeviceBatch(*one)).loss)  # kept: reproduced
    0.0
    """
    sample, feature, value, weights = batch
    weight = weights[0]
    hidden = W.new_zeros(weight.numel(), W.shape[1])
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
    # Added, not set: entries of value 0 may name one cell several times.
    at = sample * W.shape[0] + feature
    error.view(-1).index_add_(0, at, torch.where(output > 0, -value, 0.0))
    error *= weight[:, None]
    if importance is not None:
        error *= importance
    grad_hidden = error @ W
    grad_W = error.T @ hidden
    grad_W.index_add_(0, feature, grad_hidden[sample] * value[:, None])
    scale = 2 / weight.numel()
    return Gradients(loss / weight.numel(), grad_W.mul_(scale), error.sum(0).mul_(scale))


class TorchSteps:
    """Steps in torch, on any device."""

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
        self._drawing: DeviceSampler | None = None
        if settings.draws == "device":
            self._drawing = DeviceSampler([features], settings.rare_share, self.W.data)
            self._generator = torch.Generator(device)
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
            drawn = self._draw(batch)
            found = loss_and_gradients(self.W.data, self.b.data, drawn, self._importance)
            self.W.grad, self.b.grad = found.W.mul_(self._scale), found.b.mul_(self._scale)
            self.optimizer.step()
            losses.append(found.loss)
        if self._drawing is not None and float(self._drawing.excess) > 0:
            raise RuntimeError("a batch drawn on the device did not fit: give another seed")
        return torch.stack(losses).double().cpu().numpy()

    def _draw(self, batch: int) -> DeviceBatch:
        if self._drawing is None:
            return to_device([self._sampler.draw(batch, self._rng)], self.W.data)
        # Seeded at every step by numpy's generator, whose state is all that a checkpoint keeps.
        self._generator.manual_seed(int(self._rng.integers(2**63)))
        return self._drawing.draw(batch, self._generator)

    def state(self) -> dict[str, Array]:
        """Return W, b and the moments of both, on the CPU."""
        arrays = {}
        for name, parameter in (("W", self.W), ("b", self.b)):
            arrays[name] = parameter.detach().cpu().numpy()
            for moment in MOMENTS:
                known = self.optimizer.state[parameter].get(moment, torch.zeros_like(parameter))
                arrays[f"{name}.{moment}"] = known.cpu().numpy()
        return arrays

    def restore(self, state: Mapping[str, Array], done: int) -> None:
        """Go back to a state."""
        for name, parameter in (("W", self.W), ("b", self.b)):
            parameter.data.copy_(torch.from_numpy(state[name]))
            self.optimizer.state[parameter] = {"step": done}
            for moment in MOMENTS:
                array = torch.from_numpy(state[f"{name}.{moment}"].copy())  # not the caller's
                self.optimizer.state[parameter][moment] = array.to(parameter.device)
