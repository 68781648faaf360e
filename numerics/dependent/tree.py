"""A forest as arrays for kernels, in the order in which messages pass: ``tree_of``."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.dependence.forest import Forest

Integers = NDArray[np.int64]


class Tree(NamedTuple):
    """A forest for compiled kernels; states of all variables are counted through.

    Attributes
    ----------
    order : ndarray, shape (A,)
        Variables, children before their parent; of siblings the largest subtree first, so that few
        products of messages are held at once.
    parent, size, rows : ndarray, shape (A,)
        Parent or -1, number of states, rows of the table (1 for a root).
    table_start : ndarray, shape (A,)
    table : ndarray
        P(s | s') of variable a at ``table_start[a] + s' size[a] + s``.
    state_start : ndarray, shape (A + 1,)
        Number of the first state of each variable.
    feature_start, features : ndarray, shapes (states + 1,) and (n,)
        Features that each state turns on.
    inner : ndarray of bool, shape (A,)
        Whether the variable has children.
    leaf, lit : ndarray, shape (A,)
        The feature of a variable without children, of two states of which one turns on that feature
        alone and the other none, and the state that does; -1 for other variables.
    message : ndarray, shape (A + 1,)
        Place of its message among all, a row for each row of its table.
    product : ndarray, shape (A + 1,)
        Place of the product of its children's messages where all are kept, a row for each state.
    slot : ndarray, shape (A + 1,)
        The same where places are used again; the last entry is the number of rows needed.
    """

    order: Integers
    parent: Integers
    size: Integers
    rows: Integers
    table_start: Integers
    table: NDArray[np.float64]
    state_start: Integers
    feature_start: Integers
    features: Integers
    inner: NDArray[np.bool_]
    leaf: Integers
    lit: Integers
    message: Integers
    product: Integers
    slot: Integers


@lru_cache(maxsize=8)
def tree_of(forest: Forest) -> Tree:
    """Return the arrays of a forest.

    Examples
    --------
    >>> child = [[1, 0], [0.5, 0.5]]
    >>> tree = tree_of(Forest([-1, 0, 0], [[0.5, 0.5], child, child], [0, 1, 2], [1, 1, 1]))
    >>> tree.order, tree.inner
    (array([1, 2, 0]), array([ True, False, False]))
    """
    parent, size, rows = forest.parents, forest.sizes, forest.rows
    count = parent.size
    children: list[list[int]] = [[] for _ in range(count)]
    below = np.ones(count, dtype=np.int64)
    for a in range(count - 1, -1, -1):
        if parent[a] >= 0:
            children[parent[a]].append(a)
            below[parent[a]] += below[a]
    order = _children_first(parent, children, below)
    inner = np.array([bool(some) for some in children])
    state_start = np.cumsum([0, *size])
    state = state_start[forest.variable] + forest.state
    features = np.argsort(state, kind="stable")
    feature_start = np.searchsorted(state[features], np.arange(state_start[-1] + 1))
    leaf, lit = _plain_leaves(inner, size, state_start, feature_start, features)
    return Tree(
        order,
        np.array(parent),
        np.array(size),
        np.array(rows),
        np.array(forest.starts),
        np.array(forest.table),
        state_start,
        feature_start,
        features,
        inner,
        leaf,
        lit,
        np.cumsum([0, *rows]),
        np.cumsum([0, *np.where(inner, size, 0)]),
        _share_places(order, parent, size, inner),
    )


def _plain_leaves(
    inner: NDArray[np.bool_],
    size: Integers,
    state_start: Integers,
    feature_start: Integers,
    features: Integers,
) -> tuple[Integers, Integers]:
    """Return ``Tree.leaf`` and ``Tree.lit``."""
    leaf, lit = np.full(inner.size, -1), np.full(inner.size, -1)
    counts = np.diff(feature_start)
    for a in np.flatnonzero(~inner & (size == 2)).tolist():
        first = int(state_start[a])
        if counts[first] + counts[first + 1] == 1:
            lit[a] = 0 if counts[first] else 1
            leaf[a] = features[feature_start[first]]
    return leaf, lit


def _children_first(parent: Integers, children: list[list[int]], below: Integers) -> Integers:
    """Return the variables, children before parents, the largest subtree of siblings first."""
    order = []
    stack = [(a, False) for a in np.flatnonzero(parent < 0)[::-1].tolist()]
    while stack:
        a, is_done = stack.pop()
        if is_done or not children[a]:
            order.append(a)
            continue
        stack.append((a, True))
        stack += [(c, False) for c in sorted(children[a], key=lambda c: below[c])]
    return np.array(order, dtype=np.int64)


def _share_places(
    order: Integers, parent: Integers, size: Integers, inner: NDArray[np.bool_]
) -> Integers:
    """Give each product a place from its first child's message until its own is sent."""
    place = np.full(order.size + 1, -1, dtype=np.int64)
    free: dict[int, list[int]] = {}
    rows = 0
    for a in order.tolist():
        if inner[a]:
            free.setdefault(int(size[a]), []).append(int(place[a]))
        above = int(parent[a])
        if above >= 0 and place[above] < 0:
            known = free.get(int(size[above]))
            if known:
                place[above] = known.pop()
            else:
                place[above] = rows
                rows += int(size[above])
    place[-1] = rows
    return place
