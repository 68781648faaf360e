"""Training steps in torch, on any device: the reference, and the way to a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from empirical.training.optimizer import RowAdamW
from empirical.training.recipes import BETAS, EPS
from empirical.training.settings import TrainingSettings
from empirical.training.steps import MOMENTS, Array, Rates, make_sampler
from numerics.sampling import FeatureBatch
from theory.features import Features


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
