"""Batches of features that depend on each other: ``ForestSampler``.

``numerics.sampling.FeatureSampler`` draws from it. The work is in proportion to the variables that
leave their default state, not to their number.

Method: the default state of a variable turns on no feature (the most likely of those).

- Which variables leave their default while their parents are in theirs is drawn as a Poisson
  process on the line of all samples, each variable of a sample a stretch of length -ln(1 - p): one
  exponential gap for each event. Variables with p >= 1/2 are drawn one by one.
- A variable that left its default draws its children given its state, in the same way, and those
  draw theirs; what the process has for them in this sample is ignored. Parents come first.
- A *hidden* variable turns on nothing in any state: a topic, a cause. Its children enter the
  process with the largest of their probabilities p_max over its states. Only when one of them has
  an event is the state s drawn, and the event is kept with probability p(s)/p_max: it is there with
  probability p(s), exactly, since each variable has at most one event in a sample. A variable is
  taken as hidden where this rejects fewer events than one a sample.

Importance sampling of rare features, as in ``numerics.sampling``: a share of the samples is drawn
given that feature j is on, j with probability π_j ∝ √p_j: the states of its variable and of those
above it are drawn upwards first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from numerics.dependent.sample_kernels import draw_batches
from numerics.dependent.tree import Tree, tree_of
from theory.activation import Activation
from theory.computing.interrupts import interrupts_held
from theory.dependence.forest import Forest
from theory.features import Features

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

# Probability of leaving the default state from which on a variable is drawn by itself.
_COMMON = 0.5


class Children(NamedTuple):
    """Variables to draw, by source: a state of their parent, or (the last) the common process.

    Attributes
    ----------
    common_start, common : ndarray
        Those that leave their default with probability 1/2 or more, in order.
    odds : ndarray
        Their probabilities.
    rare_start, rare : ndarray
        The others, in order.
    cumulative : ndarray
        Cumulative sum of -ln(1 - probability) over the rare ones of each source.
    """

    common_start: Integers
    common: Integers
    odds: Array
    rare_start: Integers
    rare: Integers
    cumulative: Array


class ForestTables(NamedTuple):
    """Tables from which batches of dependent features are drawn.

    Attributes
    ----------
    default : ndarray of int, shape (A,)
        Default state of each variable, -1 where every state turns on a feature or it is hidden.
    hidden : ndarray of bool, shape (A,)
        Whether its state is drawn only when a child asks for it.
    leaving : ndarray
        Cumulative P(s | s', not default), in the layout of the tables of the forest.
    accept : ndarray
        Probability of keeping an event of a variable for each state of its hidden parent; a row of
        its table each, as ``Tree.message`` counts them.
    upward_start, upward : ndarray
        Cumulative P(s' | s) of the parent's state, for each state s of each variable.
    share : float
        Share of the samples that are drawn given a rare feature.
    rare : ndarray, shape (n,)
        Cumulative sum of √p_j, divided by its total.
    odds : ndarray, shape (n,)
        π_j/p_j.
    variable, state : ndarray, shape (n,)
        Where each feature is on.
    """

    default: Integers
    hidden: NDArray[np.bool_]
    leaving: Array
    accept: Array
    upward_start: Integers
    upward: Array
    share: float
    rare: Array
    odds: Array
    variable: Integers
    state: Integers


class ForestSampler:
    """Draws batches of dependent features.

    Parameters
    ----------
    features : Features
        Features with a dependence.
    rare_share : float
        Share of the samples that are drawn given a rare feature.
    """

    def __init__(self, features: Features, rare_share: float) -> None:
        forest = features.dependence
        assert forest is not None
        self._tree, self._law = tree_of(forest), _law_of(features.activation)
        self.n, root = features.n, np.sqrt(features.p)
        default = _defaults(forest, self._tree)
        hidden = _hidden(forest, self._tree, default)
        default[hidden] = -1
        self._children, accept = _list_children(forest, self._tree, default, hidden)
        upward_start, upward = _upward(forest)
        self._tables = ForestTables(
            default,
            hidden,
            _leaving(forest, default),
            accept,
            upward_start,
            upward,
            rare_share,
            np.cumsum(root) / np.cumsum(root)[-1],
            1 / (root * root.sum()),
            np.array(forest.variable),
            np.array(forest.state),
        )

    def draw(
        self, batch: int, steps: int, rng: np.random.Generator
    ) -> tuple[Integers, Integers, Array, Array, Integers]:
        """Draw ``steps`` batches from ``rng``, the same as one after the other.

        Returns
        -------
        tuple of ndarray
            Sample (within its batch), feature and value of each active entry, sorted by sample,
            then feature; the weight of each sample, shape (steps batch,); where the entries of each
            batch begin, shape (steps + 1,).
        """
        with interrupts_held():
            found: tuple[Integers, Integers, Array, Array, Integers] = draw_batches(
                self._tree, self._tables, self._children, self._law, batch, steps, rng
            )
        return found


def _law_of(activation: Activation) -> tuple[float, float, Array]:
    """Return low, high and the cumulative shares of the cells."""
    shares = np.array(activation.shares).cumsum()
    return activation.low, activation.high, shares / shares[-1]


def _defaults(forest: Forest, tree: Tree) -> Integers:
    """Return the most likely state of each variable that turns nothing on, -1 where none does."""
    silent = np.diff(tree.feature_start) == 0
    found = np.full(forest.sizes.size, -1)
    for a, chances in enumerate(forest.probabilities):
        quiet = silent[tree.state_start[a] : tree.state_start[a + 1]]
        if quiet.any():
            found[a] = int(np.argmax(np.where(quiet, chances, -1.0)))
    return found


def _departures(forest: Forest, default: Integers, a: int) -> Array:
    """Return P(variable a leaves its default | state of its parent)."""
    table = forest.conditional(a)
    if default[a] < 0:
        return np.ones(len(table))
    found: Array = np.maximum(table.sum(axis=1) - table[:, default[a]], 0.0)
    return found


def _hidden(forest: Forest, tree: Tree, default: Integers) -> NDArray[np.bool_]:
    """Return which variables are drawn only when asked for; see the module's docstring."""
    silent = np.diff(tree.feature_start) == 0
    excess = np.zeros(forest.sizes.size)  # events that thinning rejects, in a sample
    for a, parent in enumerate(forest.parents.tolist()):
        if parent >= 0:
            leaves = _departures(forest, default, a)
            excess[parent] += leaves.max() - forest.probabilities[parent] @ leaves
    found = np.zeros(forest.sizes.size, dtype=bool)
    for a, parent in enumerate(forest.parents.tolist()):
        quiet = silent[tree.state_start[a] : tree.state_start[a + 1]].all()
        found[a] = quiet and excess[a] <= 1 and (parent < 0 or found[parent])
    return found


def _leaving(forest: Forest, default: Integers) -> Array:
    """Return the cumulative P(s | s', not default), in the layout of the tables."""
    found = []
    for a in range(forest.sizes.size):
        table = forest.conditional(a).copy()
        if default[a] >= 0:
            table[:, default[a]] = 0.0
        found.append(_shares(table))
    return np.concatenate(found)


def _upward(forest: Forest) -> tuple[Integers, Array]:
    """Return the cumulative P(state of the parent | state), and where each variable's begin."""
    found = [
        _shares((forest.probabilities[parent][:, None] * forest.conditional(a)).T)
        if parent >= 0
        else np.empty(0)
        for a, parent in enumerate(forest.parents.tolist())
    ]
    return np.cumsum([0, *map(len, found)]), np.concatenate(found)


def _shares(rows: Array) -> Array:
    """Return the cumulative sums of rows, each divided by its total, one after the other."""
    running = np.cumsum(rows, axis=1)
    total = running[:, -1:]
    shares: Array = running / np.where(total > 0, total, 1.0)
    return shares.ravel()


def _list_children(
    forest: Forest, tree: Tree, default: Integers, hidden: NDArray[np.bool_]
) -> tuple[Children, Array]:
    """Return the variables to draw by source, and ``ForestTables.accept``."""
    sources = int(tree.state_start[-1])
    common: list[list[tuple[int, float]]] = [[] for _ in range(sources + 1)]
    rare: list[list[tuple[int, float]]] = [[] for _ in range(sources + 1)]
    accept = np.ones(tree.message[-1])

    def add(source: int, a: int, chance: float) -> None:
        if chance > 0:
            (common if chance >= _COMMON else rare)[source].append((a, chance))

    for a, parent in enumerate(forest.parents.tolist()):
        leaves = _departures(forest, default, a)
        if hidden[a]:
            continue
        if parent < 0:
            add(sources, a, float(leaves[0]))
        elif hidden[parent]:
            most = float(leaves.max())
            add(sources, a, most)
            if most > 0:
                accept[tree.message[a] : tree.message[a + 1]] = leaves / most
        else:
            for above, chance in enumerate(leaves.tolist()):
                resting = above == default[parent]
                add(sources if resting else int(tree.state_start[parent]) + above, a, chance)
    sums = [np.cumsum([-np.log1p(-chance) for _, chance in some]) for some in rare]
    children = Children(
        np.cumsum([0, *map(len, common)]),
        np.array([a for some in common for a, _ in some], dtype=np.int64),
        np.array([chance for some in common for _, chance in some]),
        np.cumsum([0, *map(len, rare)]),
        np.array([a for some in rare for a, _ in some], dtype=np.int64),
        np.concatenate(sums),
    )
    return children, accept
