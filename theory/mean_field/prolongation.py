"""Prolong a solution on coarse groups to finer groups.

``prolong`` gives a start on more groups, or, with ``groups.split_groups``, the loss of features
that do not all share the norm and bias of their group: norms, biases and overlaps are interpolated
linearly in ln(I p). The Lagrangian is stationary at the minimum, so that an error of interpolation
changes it to second order only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from theory.mean_field.groups import FeatureGroups
from theory.mean_field.solver.augmented_lagrangian import clip_point
from theory.mean_field.solver.problem import Problem
from theory.mean_field.solver.state import Minimum, Multipliers, Point

Array = NDArray[np.float64]


def prolong(
    coarse: Problem, found: Minimum, problem: Problem, parent: NDArray[np.int64]
) -> tuple[Point, Multipliers]:
    """Return the point and multipliers of a finer problem that a coarse minimum stands for.

    Parameters
    ----------
    coarse, found
        A problem on few groups and its minimum.
    problem : Problem
        The problem on finer groups, each a part of a coarse one.
    parent : ndarray of int
        The coarse group of each. The multipliers of a group go to its parts.
    """
    few, many = coarse.groups, problem.groups
    point, multipliers = found.point, found.multipliers
    weights = interpolation_weights(many, few)
    laws = coarse.laws
    D = np.empty((few.count, few.count, len(problem.z)))
    D[laws.first, laws.second] = [np.interp(problem.z, coarse.z, row) for row in point.D]
    D[laws.second, laws.first] = D[laws.first, laws.second]
    for g in np.flatnonzero(np.asarray(few.sizes) == 1):
        if few.count > 1:  # a single feature has no overlap with itself: use the next group's
            D[g, g] = D[g, g + 1 if g + 1 < few.count else g - 1]
    D = np.einsum("ig,ghz,jh->ijz", weights, D, weights)
    D = D[problem.laws.first, problem.laws.second]
    # A group's share of a positivity matrix goes to its parts by their sizes.
    part = np.sqrt(many.sizes / np.asarray(few.sizes)[parent])
    positivity = multipliers.positivity[:, parent[:, None], parent] * np.outer(part, part)
    # The budget of the first groups up to g is that of the parts up to the last one of g.
    budget = np.zeros(many.count)
    budget[np.searchsorted(parent, np.arange(few.count), side="right") - 1] = multipliers.budget
    start = clip_point(problem, Point(weights @ point.r, weights @ point.b, D))
    return start, Multipliers(budget, positivity)


def interpolation_weights(fine: FeatureGroups, coarse: FeatureGroups) -> Array:
    """Return the weights of coarse values in fine ones, (fine groups, coarse groups).

    Linear in ln(I p) between the bins of the coarse groups; beyond the ends lines go on, but no
    further than to the next bin but one. Of the tiers of a bin the one nearest in ln(p/I) counts.
    """
    count = int(coarse.bins[-1]) + 1
    key = coarse.importance * coarse.p
    if coarse.has_tiers:
        total = np.bincount(coarse.bins, coarse.sizes)
        key = np.bincount(coarse.bins, coarse.sizes * key) / total
    by_bin = _linear_weights(-np.log(fine.importance * fine.p), -np.log(key))
    if not coarse.has_tiers:
        return by_bin
    ratio = [np.log(each.p / each.importance) for each in (fine, coarse)]
    far = np.abs(ratio[0][:, None] - ratio[1])
    weights = np.zeros(far.shape)
    rows = np.arange(fine.count)
    for k in range(count):
        tiers = np.flatnonzero(coarse.bins == k)
        weights[rows, tiers[np.argmin(far[:, tiers], axis=1)]] = by_bin[:, k]
    return weights


def _linear_weights(x: Array, nodes: Array) -> Array:
    """Return the weights of values at ascending nodes in that at x, (x, nodes)."""
    weights = np.zeros((len(x), len(nodes)))
    if len(nodes) == 1:
        return weights + 1
    left = np.clip(np.searchsorted(nodes, x) - 1, 0, len(nodes) - 2)
    width = np.maximum(nodes[left + 1] - nodes[left], 1e-9)
    share = np.clip((x - nodes[left]) / width, -1.0, 2.0)
    weights[np.arange(len(x)), left] = 1 - share
    weights[np.arange(len(x)), left + 1] = share
    return weights
