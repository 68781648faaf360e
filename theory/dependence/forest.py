"""A forest of categorical variables that says which features are on together: ``Forest``.

Every dependence of the project is one: exclusive sets, hierarchies, topics and measured trees
differ in their variables only. ``Features`` has constructors for the usual ones; make a ``Forest``
yourself for any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.checks import LARGEST, check_finite, check_integer, read_only, shown
from theory.computing.argument_kinds import check_kinds
from theory.results import result

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

# Rounding allowed in sums of probabilities.
_ROUNDING = 1e-9
_NAMES = ("parents", "sizes", "table", "variable", "state")


@dataclass(frozen=True, eq=False, init=False)
@result
class Forest:
    """Categorical variables, each with at most one parent; feature i is on in one state of one.

    The joint law is Π_a P(s_a | s_parent(a)). Feature i is on iff variable ``variable[i]`` is in
    the state ``state[i]``; a state may turn on several features, or none.

    Parameters
    ----------
    parents : array_like of int, shape (A,)
        The parent of each variable, which comes before it; -1 for a root.
    tables : sequence of array_like
        P(s_a | s_parent) of each variable, shape (states of the parent, states); (1, states) or
        (states,) for a root. Rows sum to 1.
    variable, state : array_like of int, shape (n,)
        Where each feature is on.

    Attributes
    ----------
    parents, variable, state
        As given, read-only.
    sizes : ndarray of int, shape (A,)
        Number of states of each variable.
    table : ndarray
        The tables one after the other, each by rows.

    Raises
    ------
    ValueError
        If a parent does not come before its child, a table has another shape than its variable
        and parent need, a probability is negative, a row does not sum to 1, or a feature names a
        variable or a state that there is not.

    Examples
    --------
    Two features that exclude each other, and a third that occurs with the first only:

    >>> tables = [[0.5, 0.3, 0.2]], [[1, 0], [0.5, 0.5], [1, 0]]
    >>> forest = Forest([-1, 0], tables, variable=[0, 0, 1], state=[1, 2, 1])
    >>> forest
    Forest(3 features on 2 variables of 2 to 3 states, 1 edge)
    >>> forest.marginals
    array([0.3 , 0.2 , 0.15])
    """

    parents: Integers
    sizes: Integers
    table: Array
    variable: Integers
    state: Integers

    @check_kinds
    def __init__(
        self,
        parents: ArrayLike,
        tables: Iterable[ArrayLike],
        variable: ArrayLike,
        state: ArrayLike,
    ) -> None:
        rows = [
            np.atleast_2d(check_finite(f"tables[{a}]", one, None, low=0))
            for a, one in enumerate(tables)
        ]
        places = {
            name: read_only(_integers(name, values, -1))
            for name, values in (("parents", parents), ("variable", variable), ("state", state))
        }
        sizes = np.array([one.shape[1] for one in rows], dtype=np.int64)
        flat = np.concatenate([one.ravel() for one in rows]) if rows else np.empty(0)
        for name, value in (("sizes", sizes), ("table", flat), *places.items()):
            object.__setattr__(self, name, read_only(value))
        _check_parents(self.parents, len(rows))
        for a, one in enumerate(rows):
            _check_table(a, one, self.parents, sizes)
        _check_places(self.variable, self.state, sizes)

    @property
    def n(self) -> int:
        """Number of features."""
        return int(self.variable.size)

    @property
    def edges(self) -> int:
        """Number of variables that have a parent."""
        return int((self.parents >= 0).sum())

    @cached_property
    def starts(self) -> Integers:
        """Where the table of each variable begins in ``table``; shape (A,)."""
        return read_only(np.cumsum([0, *(self.rows * self.sizes)])[:-1].astype(np.int64))

    @cached_property
    def rows(self) -> Integers:
        """Number of rows of each table: the states of its parent, 1 for a root; shape (A,)."""
        known = self.sizes[np.maximum(self.parents, 0)]
        return read_only(np.where(self.parents >= 0, known, 1))

    @check_kinds
    def conditional(self, a: int) -> Array:
        """Return P(s_a | s_parent) of variable a, shape (states of the parent, states)."""
        a = check_integer("a", a, 0, self.sizes.size - 1)
        start, rows, size = self.starts[a], self.rows[a], self.sizes[a]
        return self.table[start : start + rows * size].reshape(rows, size)

    @cached_property
    def probabilities(self) -> tuple[Array, ...]:
        """P(s_a) of each variable a."""
        found: list[Array] = []
        for a, parent in enumerate(self.parents):
            above = found[parent] if parent >= 0 else np.ones(1)
            found.append(read_only(above @ self.conditional(a)))
        return tuple(found)

    @cached_property
    def marginals(self) -> Array:
        """Frequencies p_i of the features, shape (n,); read-only."""
        starts = np.cumsum([0, *self.sizes])[:-1]
        flat = np.concatenate(self.probabilities)
        return read_only(np.minimum(flat[starts[self.variable] + self.state], 1.0))

    @check_kinds
    def take(self, features: ArrayLike) -> Forest:
        """Return the same variables with these features only, in this order.

        Examples
        --------
        >>> Forest([-1], [[0.5, 0.3, 0.2]], [0, 0], [1, 2]).take(np.array([1, 0])).marginals
        array([0.2, 0.3])
        """
        kept = _integers("features", features, 0, self.n - 1)
        return Forest(self.parents, self._tables(), self.variable[kept], self.state[kept])

    def _tables(self) -> list[Array]:
        return [self.conditional(a) for a in range(self.sizes.size)]

    @property
    def is_one_exclusive_set(self) -> bool:
        """Whether one variable holds all features, each in a state of its own."""
        return self.sizes.size == 1 and np.unique(self.state).size == self.n

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return what the forest consists of as named arrays, for a file."""
        return {name: np.array(getattr(self, name)) for name in _NAMES}

    @classmethod
    @check_kinds
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Forest:
        """Rebuild a forest from what ``arrays`` returned.

        Examples
        --------
        >>> forest = Forest([-1], [[0.5, 0.3, 0.2]], [0, 0], [1, 2])
        >>> Forest.from_arrays(forest.arrays()) == forest
        True
        """
        missing = [name for name in _NAMES if name not in arrays]
        if missing:
            raise ValueError(
                f"arrays has no {' and no '.join(missing)}: give what arrays() returns"
            )
        parents, sizes, table, variable, state = (np.asarray(arrays[name]) for name in _NAMES)
        rows = np.where(parents >= 0, sizes[np.maximum(parents, 0)], 1)
        ends = np.cumsum(rows * sizes)
        if table.shape != (ends[-1] if ends.size else 0,):
            raise ValueError(
                f"table has shape {table.shape}: the variables need {ends[-1]} entries"
            )
        tables = [
            part.reshape(rows[a], sizes[a]) for a, part in enumerate(np.split(table, ends[:-1]))
        ]
        return cls(parents, tables, variable, state)

    def digest(self) -> str:
        """Return a SHA-256 of all that the forest consists of."""
        found = hashlib.sha256()
        for name in _NAMES:
            found.update(np.ascontiguousarray(getattr(self, name)).tobytes())
        return found.hexdigest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Forest):
            return NotImplemented
        return all(np.array_equal(getattr(self, x), getattr(other, x)) for x in _NAMES)

    def __hash__(self) -> int:
        return hash(self.digest())

    def __repr__(self) -> str:
        low, high = int(self.sizes.min()), int(self.sizes.max())
        states = f"{low} to {high}" if low < high else f"{low}"
        count = self.sizes.size
        return (
            f"Forest({self.n} features on {count} variable{'s' * (count > 1)} of {states} states, "
            f"{self.edges} edge{'s' * (self.edges != 1)})"
        )


def check_marginals(forest: Forest, p: Array) -> None:
    """Refuse a dependence that is none, or whose marginals are not the frequencies p.

    Raises
    ------
    TypeError, ValueError
        With the first feature that differs.
    """
    if not isinstance(forest, Forest):
        raise TypeError(
            f"dependence = {forest!r} is not a Forest: use Features.exclusive, .hierarchy, "
            ".mixture or .common_cause"
        )
    if forest.n != p.size:
        raise ValueError(
            f"the dependence has n = {forest.n} features and the frequencies n = {p.size}: they "
            "must agree"
        )
    apart = np.abs(forest.marginals - p) > _ROUNDING * p
    if apart.any():
        i = int(np.argmax(apart))
        raise ValueError(
            f"feature {i} has frequency {p[i]:.9g} but is on with probability "
            f"{forest.marginals[i]:.9g} in the dependence: take "
            "Frequencies.from_probabilities(forest.marginals)"
        )


def _integers(name: str, values: ArrayLike, low: int, high: int = LARGEST) -> Integers:
    array = check_finite(name, values, low=low, high=high)
    if np.asarray(values).dtype == bool or (array % 1).any():
        raise TypeError(f"{name} = {shown(values)} holds other than whole numbers")
    return array.astype(np.int64)


def _check_parents(parents: Integers, count: int) -> None:
    if parents.size != count or not count:
        raise ValueError(f"{parents.size} parents and {count} tables: give one of each a variable")
    late = np.flatnonzero(parents >= np.arange(count))
    if late.size:
        a = late[0]
        raise ValueError(
            f"parents[{a}] = {parents[a]} is not allowed: a parent comes before its child "
            f"(give a number below {a}, or -1 for a root)"
        )


def _check_table(a: int, table: Array, parents: Integers, sizes: Integers) -> None:
    rows = 1 if parents[a] < 0 else int(sizes[parents[a]])
    if table.ndim != 2 or table.shape[0] != rows or table.shape[1] < 1:
        raise ValueError(
            f"tables[{a}] has shape {table.shape}: give {rows} row{'s' * (rows != 1)}, one for "
            "each state of the parent"
        )
    off = np.abs(table.sum(axis=1) - 1)
    if off.max() > _ROUNDING:
        worst = int(off.argmax())
        raise ValueError(
            f"row {worst} of tables[{a}] sums to {table[worst].sum():.9g}: probabilities of all "
            "states of a variable sum to 1"
        )


def _check_places(variable: Integers, state: Integers, sizes: Integers) -> None:
    if variable.size != state.size or not variable.size:
        raise ValueError(
            f"variable names {variable.size} features and state {state.size}: give one of each a "
            "feature"
        )
    bad = np.flatnonzero((variable < 0) | (variable >= sizes.size))
    if bad.size:
        raise ValueError(
            f"variable[{bad[0]}] = {variable[bad[0]]} is not allowed: there are {sizes.size} "
            "variables, counted from 0"
        )
    bad = np.flatnonzero((state < 0) | (state >= sizes[variable]))
    if bad.size:
        i = bad[0]
        raise ValueError(
            f"state[{i}] = {state[i]} is not allowed: variable {variable[i]} has "
            f"{sizes[variable[i]]} states, counted from 0"
        )
