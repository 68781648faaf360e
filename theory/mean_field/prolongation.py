"""A minimum of few groups of features carried over to more: what lies between the groups.

Use ``prolong`` for a start among more groups, or, with ``split_groups``, for the loss of
features that do not all share the norm and bias of their group: those, and overlaps, are
interpolated linearly in ln p. The Lagrangian is level at the minimum, so that its error is of
second order in what interpolation errs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from theory.frequencies import Frequencies
from theory.mean_field.augmented_lagrangian import Problem
from theory.mean_field.groups import FeatureGroups
from theory.mean_field.state import Minimum, Multipliers, State

Array = NDArray[np.float64]


def split_groups(
    frequencies: Frequencies, groups: FeatureGroups, parts: int
) -> tuple[FeatureGroups, NDArray[np.int64]]:
    """Split each group of the most frequent features into parts, about evenly in ln of the rank.

    Returns
    -------
    FeatureGroups, ndarray of int, shape (K,)
        More groups, where there are so many features; of which group each is a part.

    Examples
    --------
    >>> from theory.mean_field.groups import group_features
    >>> f = Frequencies.power_law(100, alpha=1.0)
    >>> groups = group_features(f, count=3)
    >>> finer, parent = split_groups(f, groups, 2)
    >>> groups.sizes, finer.sizes, parent
    (array([ 1,  3, 17, 79]), array([ 1,  1,  2,  5, 12, 25, 54]), array([0, 1, 1, 2, 2, 3, 3]))
    """
    ends = np.cumsum(groups.sizes).astype(np.int64)
    between: list[NDArray[np.int64]] = [np.zeros(1, dtype=np.int64), ends]
    for start, end in zip(np.concatenate([[0], ends[:-1]]), ends, strict=True):
        inside = np.geomspace(start + 1, end + 1, parts + 1)[1:-1]
        between.append(np.rint(inside).astype(np.int64) - 1)
    edges = np.unique(np.concatenate(between))
    sizes = np.diff(edges)
    totals = np.add.reduceat(frequencies.p[: edges[-1]], edges[:-1])
    return FeatureGroups(sizes, totals / sizes), np.searchsorted(ends, edges[:-1], side="right")


def prolong(
    coarse: Problem, found: Minimum, problem: Problem, parent: NDArray[np.int64]
) -> Minimum:
    """Return a minimum of few groups for a problem of more, each a part of one (its ``parent``).

    Multipliers of a group fall to its parts.
    """
    few, many = coarse.groups, problem.groups
    state, prices = found.state, found.multipliers
    among = _interpolate(-np.log(many.p), -np.log(few.p))
    laws = coarse.laws
    D = np.empty((few.count, few.count, len(problem.z)))
    D[laws.first, laws.second] = [np.interp(problem.z, coarse.z, row) for row in state.D]
    D[laws.second, laws.first] = D[laws.first, laws.second]
    for g in np.flatnonzero(np.asarray(few.sizes) == 1):
        if few.count > 1:  # a feature has no law with itself: take that with the next group
            D[g, g] = D[g, g + 1 if g + 1 < few.count else g - 1]
    D = np.einsum("ig,ghz,jh->ijz", among, D, among)
    D = D[problem.laws.first, problem.laws.second]
    # A group's share of a positivity matrix falls to its parts by their sizes.
    part = np.sqrt(many.sizes / np.asarray(few.sizes)[parent])
    positivity = prices.positivity[:, parent[:, None], parent] * np.outer(part, part)
    budget = np.zeros(many.count)
    budget[np.searchsorted(parent, np.arange(few.count), side="right") - 1] = prices.budget
    start = problem.split(problem.join(State(among @ state.r, among @ state.b, D)))
    return Minimum(start, Multipliers(budget, positivity), found.violation, found.residual, 0)


def _interpolate(x: Array, nodes: Array) -> Array:
    """Return the weights of values at increasing nodes in that at x, (x, nodes).

    Beyond the ends lines go on, but no further than to the next node but one.
    """
    weights = np.zeros((len(x), len(nodes)))
    if len(nodes) == 1:
        return weights + 1
    left = np.clip(np.searchsorted(nodes, x) - 1, 0, len(nodes) - 2)
    width = np.maximum(nodes[left + 1] - nodes[left], 1e-9)
    share = np.clip((x - nodes[left]) / width, -1.0, 2.0)
    weights[np.arange(len(x)), left] = 1 - share
    weights[np.arange(len(x)), left + 1] = share
    return weights
