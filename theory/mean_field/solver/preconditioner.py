"""Diagonal preconditioner of the mean-field Lagrangian.

The second derivative of the loss by overlaps varies by orders of magnitude between pairs of groups
where frequencies are steep: rare features with large thresholds are insensitive to small
interference. ``initial_preconditioner`` estimates it from frequencies alone, ``probe`` from
differences of gradients, ``probe_biases`` that by biases; ``scaling`` gives the factors of the
optimizer's variables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from theory.mean_field.groups import FeatureGroups
from theory.mean_field.interference.overlap_laws import OverlapLaws

Array = NDArray[np.float64]
# First estimates, found on alpha = 0 … 2: second derivative of the loss by r_g and b_g over
# I_g n_g p_g; of the loss by t over (I_g p_h + I_h p_g)/m; of the budgets over the loss.
_BY_NORM, _BY_OVERLAP, _BY_BUDGET = 4.0, 0.3, 0.1
# Probes of a round: the mean of 4 random signs is within a factor of 2. Least step of D, largest
# step over that, and largest correction by one probe.
_PROBES, _STEP, _LARGEST_STEP, _LARGEST_CORRECTION = 4, 1e-3, 20.0, 30.0
# Step of biases, over the scale of interference, and the least part of the first estimate.
_BIAS_STEP, _LEAST_BY_BIAS = 1e-3, 0.5
# Factor on the second derivatives by overlaps: the penalties add to them.
_PENALTY_MARGIN = 4.0


@dataclass(frozen=True, eq=False)
class Preconditioner:
    """Estimated second derivatives of the loss.

    Attributes
    ----------
    by_norm, by_bias : ndarray, shape (K,)
        By each norm and each bias.
    by_overlap, initial : ndarray, shape (pairs,)
        By the overlaps of each pair of groups, now and before any probe.
    """

    by_norm: Array
    by_bias: Array
    by_overlap: Array
    initial: Array


def initial_preconditioner(groups: FeatureGroups, laws: OverlapLaws, m: float) -> Preconditioner:
    """Return the estimate from sizes, frequencies and importances."""
    p, importance, g, h = groups.p, groups.importance, laws.first, laws.second
    initial = _BY_OVERLAP * laws.pairs * (importance[h] * p[g] + importance[g] * p[h]) / m
    by_norm = _BY_NORM * importance * groups.sizes * p
    return Preconditioner(by_norm, by_norm, initial, initial)


def probe(
    preconditioner: Preconditioner, gradient: Callable[[Array], Array], D: Array
) -> Preconditioner:
    """Return the estimate corrected by gradients of the loss by overlaps (pairs, Z) at and near D.

    The nodes of all pairs move by ±δ at once, with random signs (Hutchinson's estimator of the
    diagonal): a pair's own derivative adds up in Σ ±gradient/δ, those by other pairs cancel on
    average. A pair moves the further the smaller its estimate.
    """
    found = preconditioner.by_overlap
    if not np.any(found > 0):
        return preconditioner  # a single feature: no pair
    signs = np.random.default_rng(0).choice((-1.0, 1.0), (_PROBES, *D.shape))
    here = gradient(D)
    for sign in signs:
        far = np.sqrt(found.max() / np.maximum(found, 1e-99))
        step = _STEP * np.minimum(far, _LARGEST_STEP)
        change = gradient(D + step[:, None] * sign) - here
        seen = np.abs((sign * change).sum(1)) / step
        seen = np.clip(seen, found / _LARGEST_CORRECTION, found * _LARGEST_CORRECTION)
        found = np.sqrt(found * seen)
    return replace(preconditioner, by_overlap=found)


def probe_biases(
    preconditioner: Preconditioner, gradient: Callable[[Array], Array], b: Array, size: Array
) -> Preconditioner:
    """Return the estimate with derivatives by biases: a bias changes its own group's output only.

    ``gradient`` gives the derivatives of the loss by biases (K,); ``size`` is that of the
    interference of each group (K,). Silent features outnumber active ones: where b is near 0, the
    derivative is larger by 1/p than the first estimate.
    """
    step = _BIAS_STEP * size
    seen = (gradient(b + step) - gradient(b - step)) / (2 * step)
    return replace(
        preconditioner, by_bias=np.maximum(seen, _LEAST_BY_BIAS * preconditioner.by_norm)
    )


def scaling(preconditioner: Preconditioner, laws: OverlapLaws, budget: Array, loss: float) -> Array:
    """Return the square roots of the second derivatives by r, b and D, one flat array.

    ``budget`` are the multipliers of the budgets (K,), ``loss`` the present loss.
    """
    least = _BY_BUDGET * loss * np.maximum(laws.charge[-1], 1e-9)
    by_budget = 2 * np.maximum(budget @ laws.charge, least)
    by_D = (by_budget + _PENALTY_MARGIN * preconditioner.by_overlap)[:, None] * laws.weights
    by_norm, by_bias = preconditioner.by_norm, preconditioner.by_bias
    roots: Array = np.sqrt(np.concatenate([by_norm, by_bias, by_D.ravel()]))
    return roots
