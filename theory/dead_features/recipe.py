"""How a model is trained: what the reduced model needs to know of a recipe."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.checks import check_finite, check_integer, check_real, shown

# Decay rates of Adam's moments and its epsilon.
BETAS, EPS = (0.9, 0.999), 1e-8


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """AdamW on fresh batches, from W ~ N(0, 1/m) and b ~ N(0, 1).

    The defaults are those of the published small models (arXiv 2505.10465, appendix B).

    Parameters
    ----------
    weight_decay : float
        gamma, on W alone: positive pulls W to zero, negative pulls rows to unit norm.
    batch, steps : int
        Batch size and number of steps.
    learning_rate, bias_learning_rate : float
        Peak rates of W and of b; that of b is that of W unless given.
    warmup_steps : int
        Steps of linear warm-up; a tenth of ``steps`` unless given. A cosine follows.
    final_learning_rate : float
        Where the cosine ends, as a fraction of the peak.
    loss_scale : float
        Factor on the loss; it matters through Adam's epsilon only.

    Raises
    ------
    TypeError, ValueError
        For a value of another kind, or out of range.

    Examples
    --------
    >>> Recipe(steps=4000).warmup_steps, Recipe(learning_rate=0.02).bias_learning_rate
    (400, 0.02)
    """

    weight_decay: float = -1.0
    batch: int = 2048
    steps: int = 20_000
    learning_rate: float = 1e-2
    bias_learning_rate: float | None = None
    warmup_steps: int | None = None
    final_learning_rate: float = 0.05
    loss_scale: float = 1.0

    def __post_init__(self) -> None:
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        if given["bias_learning_rate"] is None:
            given["bias_learning_rate"] = self.learning_rate
        for name in ("batch", "steps"):
            given[name] = check_integer(name, given[name], 1)
        if given["warmup_steps"] is None:
            given["warmup_steps"] = given["steps"] // 10
        given["warmup_steps"] = check_integer("warmup_steps", given["warmup_steps"], 0)
        for name, low, high in (
            ("weight_decay", -100.0, 100.0),
            ("learning_rate", 1e-8, 1.0),
            ("bias_learning_rate", 1e-8, 1.0),
            ("final_learning_rate", 0.0, 1.0),
            ("loss_scale", 1e-20, 1e20),
        ):
            given[name] = check_real(name, given[name], low, high)
        for name, value in given.items():
            object.__setattr__(self, name, value)

    def schedule(self) -> NDArray[np.float64]:
        """Return the factor of both learning rates at each step, shape (steps,).

        Examples
        --------
        >>> Recipe().schedule()[[0, 1999, 11_000, -1]].round(3)
        array([0.   , 1.   , 0.525, 0.05 ])
        """
        warm = self.warmup_steps or 0
        at = np.arange(self.steps, dtype=float)
        done = (at - warm) / max(self.steps - warm, 1)
        falling = 0.5 * (1 + np.cos(math.pi * done))
        cosine = self.final_learning_rate + (1 - self.final_learning_rate) * falling
        return np.where(at < warm, (at + 1) / max(warm, 1), cosine)


def check_recipe(recipe: Any, weight_decay: float | None) -> Recipe | None:
    """Return the recipe that a name stands for, if its losses can be predicted.

    Raises
    ------
    ValueError
        For another name, weight decay above 0, or weight decay without the name.

    Examples
    --------
    >>> check_recipe("paper", -0.5).weight_decay
    -0.5
    """
    if recipe is None or isinstance(recipe, Recipe):
        if weight_decay is not None:
            raise ValueError(
                f"weight_decay = {weight_decay!r} is not allowed without a recipe: give "
                'recipe="paper" too, or a Recipe that has it'
            )
        found = recipe
    elif isinstance(recipe, str) and recipe == "paper":
        found = Recipe() if weight_decay is None else Recipe(weight_decay=weight_decay)
    else:
        raise ValueError(
            f'recipe = {shown(recipe)} is not allowed: losses of "paper" or of a Recipe can be '
            "predicted; the best loss there is needs no recipe"
        )
    if found is not None and found.weight_decay > 0:
        raise ValueError(
            f"weight_decay = {found.weight_decay:g} is not allowed: rows that decay lose "
            "more than the mean field of the features that live (docs/science/dead_features.md); "
            "give 0 or less"
        )
    return found


def check_bias(bias: ArrayLike, n: int) -> NDArray[np.float64]:
    """Return biases at the start, one for each of n features."""
    start = check_finite("bias", bias)
    if start.shape != (n,):
        raise ValueError(f"bias has shape {start.shape}: give one for each of {n}")
    return start
