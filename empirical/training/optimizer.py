"""AdamW with weight decay of both signs, as the publication trains its toy model.

Use ``RowAdamW`` like any torch optimizer; with a positive decay it is AdamW, with a negative one
it pulls every row of a matrix to unit norm instead of to zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

from empirical.training.recipes import BETAS, EPS
from theory.checks import check_real, shown


class RowAdamW(torch.optim.Optimizer):
    """AdamW whose decoupled weight decay gamma may be negative (arXiv 2505.10465, eq. 2).

    Each step first decays, then takes the Adam step (as ``torch.optim.AdamW`` does):

    - gamma >= 0: W ← W - lr gamma W;
    - gamma < 0: W_i ← W_i + lr |gamma| W_i (1/‖W_i‖ - 1) for every row, whose fixed point is
      ‖W_i‖ = 1 (a zero row stays zero).

    Parameters
    ----------
    params : iterable
        Parameters or parameter groups; ``lr``, ``betas``, ``eps`` and ``weight_decay`` may differ
        by group.
    lr : float
        Learning rate, >= 0.
    betas : tuple of float
        Decay rates of the two moments, each in [0, 1).
    eps : float
        Added to the root of the second moment, >= 0.
    weight_decay : float
        gamma, any sign; negative values need parameters of two dimensions.

    Raises
    ------
    ValueError
        For values outside these ranges.

    Examples
    --------
    >>> W = torch.nn.Parameter(torch.tensor([[3.0, 4.0]]))
    >>> optimizer = RowAdamW([W], lr=0.1, weight_decay=-1.0)
    >>> W.grad = torch.zeros_like(W)
    >>> _ = optimizer.step()
    >>> round(float(W.detach().norm()), 3)               # 5 - 0.1 (5 - 1)
    4.6
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        betas: tuple[float, float] = BETAS,
        eps: float = EPS,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)
        for group in self.param_groups:
            check_real("lr", group["lr"], 0.0)
            check_real("eps", group["eps"], 0.0)
            decay = check_real("weight_decay", group["weight_decay"])
            if not isinstance(group["betas"], tuple | list) or len(group["betas"]) != 2:
                raise TypeError(f"betas = {shown(group['betas'])}: give two numbers in [0, 1)")
            if any(check_real("betas", beta, 0.0) >= 1.0 for beta in group["betas"]):
                raise ValueError(f"betas = {group['betas']} is not allowed: each in [0, 1)")
            for parameter in group["params"]:
                if decay < 0 and parameter.ndim != 2:
                    raise ValueError(
                        f"weight_decay = {decay} acts on rows, but a parameter has shape "
                        f"{tuple(parameter.shape)}: put it into a group with weight_decay=0"
                    )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step with the gradients that the parameters hold."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["step"] = 0
                    state["exp_avg"] = torch.zeros_like(parameter)
                    state["exp_avg_sq"] = torch.zeros_like(parameter)
                state["step"] += 1
                decay_rows(parameter, group["lr"], group["weight_decay"])
                first, second = state["exp_avg"], state["exp_avg_sq"]
                first.lerp_(parameter.grad, 1 - beta1)
                second.mul_(beta2).addcmul_(parameter.grad, parameter.grad, value=1 - beta2)
                correction1 = 1 - beta1 ** state["step"]
                correction2 = 1 - beta2 ** state["step"]
                root = second.sqrt().div_(correction2**0.5).add_(group["eps"])
                parameter.addcdiv_(first, root, value=-group["lr"] / correction1)
        return loss


def decay_rows(parameter: torch.Tensor, lr: float, weight_decay: float) -> None:
    """Apply the decoupled decay (gamma >= 0) or growth to unit norm (gamma < 0), in place."""
    if weight_decay > 0:
        parameter.mul_(1 - lr * weight_decay)
    elif weight_decay < 0:
        norm = torch.linalg.vector_norm(parameter, dim=1, keepdim=True)
        pull = torch.where(norm > 0, 1 / norm - 1, 0.0)
        parameter.mul_(1 - lr * weight_decay * pull)
