"""The mean field of features that depend on each other, to first order: ``first_order_loss``.

``solve_mean_field`` minimises the loss of independent features over norms, biases and overlap laws.
At a minimum nothing changes to first order when the minimum moves: so the least loss of dependent
features is, to first order in their dependence, that of independent ones plus what the dependence
changes at the same point. Both are computed exactly at that point, for overlaps that are drawn
independently from the laws of the pairs' groups, as the mean field assumes. The overlaps are not
optimised anew: features that exclude each other may in truth overlap more, and the prediction is
too high by that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.loss.exact import population_loss
from numerics.toy_model import GramModel
from theory.checks import (
    MOST_REPEATS,
    as_generator,
    check_integer,
)
from theory.computing.argument_kinds import check_kinds
from theory.features import (
    Features,
    as_features,
)
from theory.mean_field.groups import rank_features
from theory.mean_field.solution import MeanField
from theory.mean_field.solve import solve_mean_field
from theory.results import result

Array = NDArray[np.float64]

# Relative error of each loss at given overlaps.
_RTOL = 1e-5


@dataclass(frozen=True)
@result
class FirstOrderLoss:
    """The mean-field loss of dependent features, to first order in the dependence.

    Attributes
    ----------
    m : int
        Width.
    loss, stderr : float
        The loss, and the standard error of its change over draws of the overlaps.
    independent : float
        The mean-field loss of independent features of the same frequencies.
    change : float
        What the dependence changes at the minimum of the independent features.
    """

    m: int
    loss: float
    stderr: float
    independent: float
    change: float


@check_kinds
def first_order_loss(
    features: Features, m: int, *, draws: int = 4, seed: np.random.Generator | int = 0
) -> FirstOrderLoss:
    """Return the mean-field loss of dependent features, to first order in the dependence.

    Parameters
    ----------
    features : Features
        Features with a dependence.
    m : int
        Width, 2 <= m <= n.
    draws : int
        How many times overlaps are drawn, at least 2.
    seed : int or Generator
        Source of randomness.

    Returns
    -------
    FirstOrderLoss

    Raises
    ------
    ValueError
        For independent features (use ``solve_mean_field``), or a width or number out of range.
    ConvergenceError
        If the mean field of independent features is not found.

    Examples
    --------
    >>> from theory.frequencies import Frequencies
    >>> words = Frequencies.power_law(60, alpha=0.0, density=3.0)
    >>> found = first_order_loss(Features.exclusive(words, [range(15), range(15, 30)]), 8)
    >>> found.change < 0
    True
    """
    features = as_features(features)
    m = check_integer("m", m, 2, features.n)
    draws = check_integer("draws", draws, 2, MOST_REPEATS)
    if features.is_independent:
        raise ValueError("the features are independent: use solve_mean_field")
    rng = as_generator(seed)
    alone = Features(features.frequencies, features.activation, features.importance)
    solution = solve_mean_field(alone, m)
    changes = np.empty(draws)
    for k in range(draws):
        drawn = _draw_overlaps(solution, alone, rng)
        changes[k] = (
            population_loss(drawn, features, rtol=_RTOL).loss
            - population_loss(drawn, alone, rtol=_RTOL).loss
        )
    change = float(changes.mean())
    return FirstOrderLoss(
        m,
        solution.loss + change,
        float(changes.std(ddof=1) / np.sqrt(draws)),
        solution.loss,
        change,
    )


def _draw_overlaps(solution: MeanField, features: Features, rng: np.random.Generator) -> GramModel:
    """Draw a matrix of overlaps from the laws of the mean field; lost features have none."""
    n = features.n
    groups = solution.groups
    # Places in the list of the live features, group by group.
    live = _by_activity(features)[: groups.n]
    if groups.ranks is not None:
        live = live[groups.ranks[: groups.n]]
    member = np.repeat(np.arange(groups.count), groups.sizes)
    size = solution.r[member]
    node = rng.choice(solution.weights.size, (groups.n, groups.n), p=_shares(solution.weights))
    t = solution.t[member[:, None], member[None, :], node]
    gram = np.triu(size[:, None] * size[None, :] * t / np.sqrt(solution.m), 1)
    gram = gram + gram.T
    gram[np.diag_indices(groups.n)] = size**2
    whole, bias = np.zeros((n, n)), float(features.activation.moment(1)) * features.p
    whole[np.ix_(live, live)] = gram
    bias[live] = solution.b[member]
    return GramModel(whole, bias)


def _by_activity(features: Features) -> NDArray[np.int64]:
    """Return places of the features by I_i p_i, descending, as the mean field takes them."""
    order = np.asarray(features.frequencies.by_rank(np.arange(features.n)))
    if features.importance is not None:
        weighted = (features.importance * features.p)[order]
        kept = np.flatnonzero(weighted > 0)
        order = order[kept[np.argsort(-weighted[kept], kind="stable")]]
    assert order.size == rank_features(features).n
    return order


def _shares(weights: Array) -> Array:
    found: Array = weights / weights.sum()
    return found
