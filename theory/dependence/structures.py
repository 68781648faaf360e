"""The usual dependences as forests: exclusive sets, hierarchies, topics, common causes.

``Features.exclusive``, ``.hierarchy``, ``.mixture`` and ``.common_cause`` are the doors to these;
each function here takes frequencies in the caller's order and returns a ``Forest``.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.checks import check_finite, check_integer, check_numbers, check_real
from theory.computing.argument_kinds import check_kinds
from theory.dependence.forest import Forest

Array = NDArray[np.float64]

# Rounding allowed in sums and ratios of frequencies.
_ROUNDING = 1e-9


def independent_forest(p: Array) -> Forest:
    """Return the forest of independent features: a variable of two states each, no parents.

    Examples
    --------
    >>> independent_forest(np.array([0.5, 0.2]))
    Forest(2 features on 2 variables of 2 states, 0 edges)
    """
    n = p.size
    tables = np.stack([1 - p, p], axis=1)
    return Forest(np.full(n, -1), list(tables), np.arange(n), np.ones(n, dtype=np.int64))


@check_kinds
def exclusive_forest(p: Array, sets: Iterable[Iterable[int]]) -> Forest:
    """Return the forest of sets of features of which at most one is on; others are independent.

    Raises
    ------
    ValueError
        If a feature is in two sets, there is none of that number, or the frequencies of a set sum
        to more than 1.

    Examples
    --------
    >>> exclusive_forest(np.array([0.5, 0.4, 0.3]), [[0, 1]])
    Forest(3 features on 2 variables of 2 to 3 states, 0 edges)
    """
    n = p.size
    variable = np.full(n, -1, dtype=np.int64)
    state, tables = np.ones(n, dtype=np.int64), []
    for k, members in enumerate(_index_lists("sets", sets, n)):
        taken = members[variable[members] >= 0]
        if taken.size or np.unique(members).size < members.size:
            twice = taken[0] if taken.size else members[np.argmax(np.bincount(members)[members])]
            raise ValueError(f"feature {twice} is in two places of sets: it may be in one set only")
        total = float(p[members].sum())
        if total > 1 + _ROUNDING:
            raise ValueError(
                f"the frequencies of exclusive set {k} sum to {total:.6g}: at most one of its "
                "features is on, so they sum to at most 1"
            )
        variable[members], state[members] = k, np.arange(1, members.size + 1)
        tables.append(_normalise(np.array([max(1 - total, 0.0), *p[members]])))
    for i in np.flatnonzero(variable < 0):
        variable[i] = len(tables)
        tables.append(np.array([1 - p[i], p[i]]))
    return Forest(np.full(len(tables), -1), tables, variable, state)


@check_kinds
def hierarchy_forest(p: Array, parents: Iterable[int | None]) -> Forest:
    """Return the forest of features that occur with their parents only, P(on | parent off) = 0.

    Raises
    ------
    ValueError
        If parents go in a circle, or a child is more frequent than its parent.

    Examples
    --------
    >>> hierarchy_forest(np.array([0.5, 0.2, 0.1]), [None, 0, 0]).conditional(1)
    array([[1. , 0. ],
           [0.6, 0.4]])
    """
    n = p.size
    above = np.array(
        [-1 if x is None else check_integer("parents", x, -1, n - 1) for x in parents],
        dtype=np.int64,
    )
    if above.size != n:
        raise ValueError(f"{above.size} parents for {n} features: give one each, None for a root")
    order = _from_the_roots(above)
    place = np.empty(n, dtype=np.int64)
    place[order] = np.arange(n)
    tables: list[Array] = []
    for i in order:
        if above[i] < 0:
            tables.append(np.array([[1 - p[i], p[i]]]))
            continue
        ratio = p[i] / p[above[i]]
        if ratio > 1 + _ROUNDING:
            raise ValueError(
                f"feature {i} has frequency {p[i]:.6g}, its parent {above[i]} only "
                f"{p[above[i]]:.6g}: a child occurs with its parent, so it is not more frequent"
            )
        ratio = min(ratio, 1.0)
        tables.append(np.array([[1.0, 0.0], [1 - ratio, ratio]]))
    roots = np.where(above[order] < 0, -1, place[np.maximum(above[order], 0)])
    return Forest(roots, tables, place, np.ones(n, dtype=np.int64))


@check_kinds
def mixture_forest(weights: ArrayLike, probabilities: ArrayLike) -> Forest:
    """Return the forest of topics: features independent given the one topic that is on.

    Raises
    ------
    ValueError
        If weights are negative or do not sum to 1, a probability is outside [0, 1], or shapes do
        not agree.

    Examples
    --------
    >>> mixture_forest([0.5, 0.5], [[0.2, 0.0], [0.0, 0.4]]).marginals
    array([0.1, 0.2])
    """
    w = check_finite("weights", weights)
    q = check_numbers("probabilities", probabilities)
    if w.min() < 0 or abs(w.sum() - 1) > _ROUNDING:
        raise ValueError(
            f"weights sum to {w.sum():.9g}, the least is {w.min():g}: they are at least 0 and sum "
            "to 1"
        )
    if q.ndim != 2 or q.shape[0] != w.size or not q.shape[1]:
        raise ValueError(
            f"weights has {w.size} topics and probabilities shape {q.shape}: give a row of "
            "probabilities for each topic and a column for each feature"
        )
    if not (np.isfinite(q).all() and q.min() >= 0 and q.max() <= 1):
        raise ValueError("probabilities holds an entry outside [0, 1]")
    if not q[w > 0].max(axis=0).min() > 0:
        never = int(np.argmin(q[w > 0].max(axis=0)))
        raise ValueError(
            f"probabilities[:, {never}] is 0 in every topic: leave out features that never occur"
        )
    n = q.shape[1]
    tables = [_normalise(w), *np.stack([1 - q.T, q.T], axis=2)]
    parents = np.zeros(n + 1, dtype=np.int64)
    parents[0] = -1
    return Forest(parents, tables, np.arange(1, n + 1), np.ones(n, dtype=np.int64))


@check_kinds
def common_cause_forest(
    p: Array, groups: Iterable[Iterable[int]], causes: ArrayLike, without: ArrayLike
) -> Forest:
    """Return the forest of groups of features, each with a hidden cause that is on or off.

    Raises
    ------
    ValueError
        If a feature is in two groups, a cause is not in (0, 1), or the frequency of a feature
        cannot be reached: it is at most q + (1 - q) times its frequency without the cause, and at
        least that without the cause times 1 - q.

    Examples
    --------
    >>> forest = common_cause_forest(np.array([0.2, 0.1]), [[0, 1]], 0.4, 0.0)
    >>> forest.conditional(1)
    array([[1. , 0. ],
           [0.5, 0.5]])
    """
    n = p.size
    members = _index_lists("groups", groups, n)
    q = _one_each("causes", causes, len(members), "groups")
    alone = _one_each("without", without, n, "features")
    parents: list[int] = []
    tables: list[Array] = []
    variable = np.full(n, -1, dtype=np.int64)
    for k, group in enumerate(members):
        share = check_real("causes", float(q[k]), 0.0, 1.0, strict=True)
        cause = len(parents)
        parents.append(-1)
        tables.append(np.array([1 - share, share]))
        for i in group:
            if variable[i] >= 0:
                raise ValueError(f"feature {i} is in two places of groups: it has one cause only")
            off = check_real(f"without[{i}]", float(alone[i]), 0.0, 1.0)
            on = (p[i] - (1 - share) * off) / share
            if not -_ROUNDING <= on <= 1 + _ROUNDING:
                raise ValueError(
                    f"feature {i} has frequency {p[i]:.6g}; with causes = {share:.6g} and "
                    f"without = {off:.6g} it lies between {(1 - share) * off:.6g} and "
                    f"{share + (1 - share) * off:.6g}"
                )
            on = min(max(on, 0.0), 1.0)
            variable[i] = len(parents)
            parents.append(cause)
            tables.append(np.array([[1 - off, off], [1 - on, on]]))
    for i in np.flatnonzero(variable < 0):
        variable[i] = len(parents)
        parents.append(-1)
        tables.append(np.array([1 - p[i], p[i]]))
    return Forest(parents, tables, variable, np.ones(n, dtype=np.int64))


def _one_each(name: str, values: ArrayLike, count: int, of: str) -> Array:
    """Return one number for all, or one for each, as an array."""
    found = check_numbers(name, values)
    if found.shape not in ((), (count,)):
        raise ValueError(
            f"{name} has shape {found.shape}: give one number, or one for each of the {count} {of}"
        )
    return np.broadcast_to(found, (count,))


def _normalise(weights: Array) -> Array:
    found: Array = weights / weights.sum()
    return found


def _index_lists(name: str, lists: Iterable[Iterable[int]], n: int) -> list[NDArray[np.int64]]:
    found = []
    for k, one in enumerate(lists):
        if isinstance(one, str) or not isinstance(one, Iterable):
            raise TypeError(f"{name}[{k}] = {one!r}: give a list of numbers of features")
        members = [check_integer(f"{name}[{k}]", i, 0, n - 1) for i in one]
        if not members:
            raise ValueError(f"{name}[{k}] is empty: leave it out")
        found.append(np.array(members, dtype=np.int64))
    return found


def _from_the_roots(parents: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return all features, each after its parent."""
    children: list[list[int]] = [[] for _ in parents]
    for i, above in enumerate(parents.tolist()):
        if above >= 0:
            children[above].append(i)
    order = np.flatnonzero(parents < 0).tolist()
    for i in order:  # grows as it goes
        order.extend(children[i])
    if len(order) < parents.size:
        stuck = sorted(set(range(parents.size)) - set(order))
        raise ValueError(f"parents go in a circle, through feature {stuck[0]}: give it no parent")
    return np.array(order, dtype=np.int64)
