"""The loss that a recipe with random biases ends at: the dead, and the mean field of the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
    """Predicted loss, on average over biases at the start.

    Attributes
    ----------
    dead : DeadFeatures
        Who dies; ``dead.expected_loss`` is its part of the loss.
    live : MeanField
        The other features, thinned evenly in rank, at their best.
    """

    dead: DeadFeatures
    live: MeanField

    @property
    def loss(self) -> float:
        """Loss of the dead and of the others."""
        return self.dead.expected_loss + self.live.loss

    def __repr__(self) -> str:
        return (
            f"loss {self.loss:.4g}: dead features {self.dead.expected_loss:.4g}, the others "
            f"{self.live.loss:.4g}"
        )


@check_kinds
def predict_recipe_loss(
    features: Features | Frequencies, m: int, recipe: Recipe | None = None
) -> RecipeLoss:
    """Predict the loss that a recipe with b ~ N(0, 1) at the start ends at; nothing is fitted.

    Parameters
    ----------
    features : Features or Frequencies
        Independent, equally important features with v ~ U(0, 2).
    m : int
        Width, 2 <= m <= n.
    recipe : Recipe, optional
        By default the published one for small models with weight decay -1.

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
    >>> predict_recipe_loss(Frequencies.power_law(200, alpha=1.0), 20).loss > 0.1
    True
    """
    found = predict_dead_features(features, m, recipe)
    alive = np.cumsum(1 - found.probability)
    kept = np.diff(np.floor(np.concatenate([[0.0], alive]) + 0.5)) > 0
    if kept.sum() < max(m, 2):
        raise ValueError(f"{kept.sum()} features are left alive of {found.n}, fewer than m = {m}")
    others = Frequencies.from_probabilities(np.array(found.p[kept]))
    return RecipeLoss(found, solve_mean_field(others, m))
