"""The loss that a recipe with random biases ends at: the dead, and the mean field of the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from theory.computing.argument_kinds import check_kinds
from theory.dead_features.prediction import DeadFeatures, predict_dead_features
from theory.dead_features.recipe import Recipe
from theory.features import Features
from theory.frequencies import Frequencies
from theory.mean_field.solution import MeanField
from theory.mean_field.solve import solve_mean_field
from theory.results import result


@dataclass(frozen=True, eq=False)
@result
class RecipeLoss:
    """Predicted loss, on average over biases at the start or for those that were given.

    Attributes
    ----------
    dead : DeadFeatures
        Who dies.
    live : MeanField
        The other features at their best; thinned evenly in rank where biases are averaged over.
    dead_loss : float
        Loss of the dead features.
    """

    dead: DeadFeatures
    live: MeanField
    dead_loss: float

    @property
    def live_loss(self) -> float:
        """Loss of the others."""
        return self.live.loss

    @property
    def loss(self) -> float:
        """Loss of the dead and of the others."""
        return self.dead_loss + self.live_loss

    def __repr__(self) -> str:
        return (
            f"loss {self.loss:.4g}: dead features {self.dead_loss:.4g}, the others "
            f"{self.live_loss:.4g}"
        )


@check_kinds
def predict_recipe_loss(
    features: Features | Frequencies,
    m: int,
    recipe: Recipe | None = None,
    *,
    bias: ArrayLike | None = None,
) -> RecipeLoss:
    """Predict the loss that a recipe with random biases at the start ends at; nothing is fitted.

    Parameters
    ----------
    features : Features or Frequencies
        Independent, equally important features with v ~ U(0, 2).
    m : int
        Width, 2 <= m <= n.
    recipe : Recipe, optional
        By default the published one for small models with weight decay -1.
    bias : array_like, shape (n,), optional
        Biases at the start, by falling frequency. Without them the loss is the mean over N(0, 1).

    Returns
    -------
    RecipeLoss
        Both parts of the loss.

    Raises
    ------
    ValueError
        For m out of range, other features, or if fewer than two features or m are left alive.
    ConvergenceError
        If the mean field of the others is not found.

    Examples
    --------
    >>> predict_recipe_loss(Frequencies.power_law(60, alpha=0.0), 10).loss > 0.1
    True
    """
    found = predict_dead_features(features, m, recipe, bias=bias)
    if bias is None:
        alive = np.cumsum(1 - found.probability)
        kept = np.diff(np.floor(np.concatenate([[0.0], alive]) + 0.5)) > 0
    else:
        kept = ~found.dead
    if kept.sum() < max(m, 2):
        raise ValueError(f"{kept.sum()} features are left alive of {found.n}, fewer than m = {m}")
    others = Frequencies.from_probabilities(np.array(found.p[kept]))
    dead_loss = found.expected_loss if bias is None else found.loss
    return RecipeLoss(found, solve_mean_field(others, m), dead_loss)
