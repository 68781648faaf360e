"""The most likely tree of a sample of on-off variables: ``fit_tree`` (Chow and Liu 1968).

Among all trees, that of the largest sum of pairwise mutual information has the largest likelihood.
It is grown by Prim's algorithm, which needs the pair counts of each feature once, when it joins:
memory is that of the sample, never n².
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.computing.compiled import compiled
from theory.dependence.forest import Forest

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


class Tree(NamedTuple):
    """A tree of features, in the order in which they joined.

    Attributes
    ----------
    order, parent : ndarray, shape (n,)
        Features, and the feature that each was joined to (-1 for a root).
    both : ndarray, shape (n,)
        In how many samples a feature and its parent are on together.
    gain : ndarray, shape (n,)
        Mutual information with the parent, in nats a sample.
    """

    order: Integers
    parent: Integers
    both: Integers
    gain: Array


def fit_tree(
    samples: int, rows: tuple[Integers, Integers], columns: tuple[Integers, Integers], least: float
) -> Tree:
    """Return the most likely tree of a sample.

    Parameters
    ----------
    samples : int
        Number of samples.
    rows, columns : pair of ndarray
        The active entries by sample (where each begins, and the features) and by feature.
    least : float
        Mutual information below which no edge is drawn, at least 0.

    Examples
    --------
    >>> rows = np.array([0, 2, 4, 5, 5, 5]), np.array([0, 1, 0, 1, 2])
    >>> columns = np.array([0, 2, 4, 5]), np.array([0, 1, 0, 1, 2])
    >>> fit_tree(5, rows, columns, 0.0).parent
    array([-1,  0,  0])
    """
    found = grow_tree(samples, *rows, *columns, max(least, 0.0))
    return Tree(*found)


def forest_of(samples: int, counts: Integers, tree: Tree) -> Forest:
    """Return a tree as a ``Forest``, with the frequencies of the sample."""
    n = counts.size
    place = np.empty(n, dtype=np.int64)
    place[tree.order] = np.arange(n)
    parents = np.full(n, -1)
    tables = []
    for k, i in enumerate(tree.order.tolist()):
        above, share = int(tree.parent[i]), counts[i] / samples
        if above < 0:
            tables.append(np.array([[1 - share, share]]))
            continue
        parents[k] = place[above]
        on, off = counts[above], samples - counts[above]
        with_parent = tree.both[i] / on
        without = (counts[i] - tree.both[i]) / off if off else share
        tables.append(np.array([[1 - without, without], [1 - with_parent, with_parent]]))
    return Forest(parents, tables, place, np.ones(n, dtype=np.int64))


def entropy(share: Array) -> Array:
    """Return the entropy of on-off variables, in nats.

    Examples
    --------
    >>> entropy(np.array([0.5, 0.1])).round(4)
    array([0.6931, 0.3251])
    """
    p = np.clip(share, 1e-300, 1.0)
    q = np.clip(1 - share, 1e-300, 1.0)
    return np.asarray(-(share * np.log(p) + (1 - share) * np.log(q)))


@compiled()
def _term(joint, product):  # type: ignore[no-untyped-def]
    """Part of a mutual information, joint ln(joint/product), from counts; 0 for none."""
    return joint * math.log(joint / product) if joint > 0 else 0.0


@compiled()
def _information(both, one, other, samples):  # type: ignore[no-untyped-def]
    """Mutual information of two on-off variables from counts, in nats."""
    off, other_off = samples - one, samples - other
    total = _term(both, one * other / samples)
    total += _term(one - both, one * other_off / samples)
    total += _term(other - both, off * other / samples)
    total += _term(off - other + both, off * other_off / samples)
    return max(total / samples, 0.0)


@compiled()
def grow_tree(samples, row_start, row_features, column_start, column_samples, least):  # type: ignore[no-untyped-def]
    """Grow the tree of the largest mutual information; see ``fit_tree``."""
    n = column_start.size - 1
    count = np.diff(column_start).astype(np.float64)
    best, parent = np.full(n, -1.0), np.full(n, -1, np.int64)
    both, gain = np.zeros(n, np.int64), np.zeros(n)
    left, order = np.ones(n, np.bool_), np.empty(n, np.int64)
    together = np.zeros(n, np.int64)
    at = int(np.argmax(count))
    for joined in range(n):
        order[joined] = at
        left[at] = False
        for place in range(column_start[at], column_start[at + 1]):
            row = column_samples[place]
            for entry in range(row_start[row], row_start[row + 1]):
                together[row_features[entry]] += 1
        following = -1
        for j in range(n):
            if left[j]:
                information = _information(float(together[j]), count[at], count[j], float(samples))
                if information > max(best[j], least):
                    best[j], parent[j] = information, at
                    both[j], gain[j] = together[j], information
                if following < 0 or best[j] > best[following]:
                    following = j
            together[j] = 0
        at = following
    return order, parent, both, gain
