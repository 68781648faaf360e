"""Batches of features that depend on each other: ``ForestSampler``.

``numerics.sampling.FeatureSampler`` draws from it. The work is in proportion to the variables that
leave their default state, not to their number.

Method: the default state of a variable turns on no feature (the most likely of those). Whether a
variable would leave it if its parent were in its own default state is drawn for all variables at
once, as ``numerics.sampling`` draws independent features. A variable that left its default draws
its children anew, given its state, in the same way; what was drawn for them before is discarded.
Variables are taken parents first, so that the state of a parent is known.

Importance sampling of rare features, as in ``numerics.sampling``: a share of the samples is drawn
given that feature j is on, j with probability π_j ∝ √p_j: the states of its variable and of those
above it are drawn upwards first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from numerics.dependent.tree import tree_of
from theory.activation import Activation
from theory.computing.compiled import compiled
from theory.computing.interrupts import interrupts_held
from theory.features import Features

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

# Probability of leaving the default state from which on a variable is drawn by itself.
_COMMON = 0.5


class Children(NamedTuple):
    """Variables to draw, by source: a state of their parent, or (the last) all that are default.

    Attributes
    ----------
    common_start, common : ndarray
        Those that leave their default with probability 1/2 or more, and below that probability.
    odds : ndarray
        Their probabilities.
    rare_start, rare : ndarray
        The others.
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
        Default state of each variable, -1 where every state turns on a feature.
    leaving : ndarray
        Cumulative P(s | s', not default), in the layout of the tables of the forest.
    probability : ndarray
        P(s) of every state.
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
    leaving: Array
    probability: Array
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
        silent = np.diff(self._tree.feature_start) == 0
        default = np.full(forest.sizes.size, -1)
        leaving = np.empty_like(self._tree.table)
        for a, chances in enumerate(forest.probabilities):
            start = self._tree.state_start[a]
            quiet = silent[start : start + chances.size]
            if quiet.any():
                default[a] = int(np.argmax(np.where(quiet, chances, -1.0)))
            table = forest.conditional(a).copy()
            if quiet.any():
                table[:, default[a]] = 0.0
            total = table.sum(axis=1, keepdims=True)
            running = np.cumsum(table, axis=1) / np.where(total > 0, total, 1.0)
            leaving[forest.starts[a] : forest.starts[a] + table.size] = running.ravel()
        self._tables = ForestTables(
            default,
            leaving,
            np.concatenate(forest.probabilities),
            rare_share,
            np.cumsum(root) / root.sum(),
            1 / (root * root.sum()),
            np.array(forest.variable),
            np.array(forest.state),
        )
        self._children = self._list_children(default)

    def _list_children(self, default: Integers) -> Children:
        tree = self._tree
        sources = int(tree.state_start[-1])
        common: list[list[tuple[int, float]]] = [[] for _ in range(sources + 1)]
        rare: list[list[tuple[int, float]]] = [[] for _ in range(sources + 1)]
        for a, parent in enumerate(tree.parent.tolist()):
            size, start = int(tree.size[a]), int(tree.table_start[a])
            for above in range(int(tree.rows[a])):
                row = tree.table[start + above * size : start + (above + 1) * size]
                chance = 1.0 if default[a] < 0 else float(row.sum() - row[default[a]])
                if parent < 0 or above == default[parent]:
                    source = sources
                else:
                    source = int(tree.state_start[parent]) + above
                if chance > 0:
                    (common if chance >= _COMMON else rare)[source].append((a, chance))
        sums = [np.cumsum([-np.log1p(-chance) for _, chance in some]) for some in rare]
        return Children(
            np.cumsum([0, *map(len, common)]),
            np.array([a for some in common for a, _ in some], dtype=np.int64),
            np.array([chance for some in common for _, chance in some]),
            np.cumsum([0, *map(len, rare)]),
            np.array([a for some in rare for a, _ in some], dtype=np.int64),
            np.concatenate(sums),
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


@compiled()
def _push(heap, size, value):  # type: ignore[no-untyped-def]
    """Add to a heap of the given size, the least first; return the larger heap and its size."""
    if size == heap.size:
        larger = np.empty(2 * size, np.int64)
        larger[:size] = heap
        heap = larger
    at = size
    while at > 0 and heap[(at - 1) // 2] > value:
        heap[at] = heap[(at - 1) // 2]
        at = (at - 1) // 2
    heap[at] = value
    return heap, size + 1


@compiled()
def _pop(heap, size):  # type: ignore[no-untyped-def]
    """Return the least of a heap and take it out; its size falls by one."""
    least, last, at, size = heap[0], heap[size - 1], 0, size - 1
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= last:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = last
    return least


@compiled()
def _choose(cumulative, first, last, at):  # type: ignore[no-untyped-def]
    """Place of ``at`` among the cumulative sums first..last."""
    place = first + np.searchsorted(cumulative[first:last], at, side="right")
    return min(place, last - 1)


@compiled()
def _force(tree, tables, forced, heap, size, rng):  # type: ignore[no-untyped-def]
    """Choose a rare feature, and draw the states of its variable and of those above it."""
    j = _choose(tables.rare, 0, tables.rare.size, rng.random())
    a, s = tables.variable[j], tables.state[j]
    while True:
        forced[a] = s
        heap, size = _push(heap, size, a)
        parent = tree.parent[a]
        if parent < 0:
            return heap, size
        start, entry = tree.state_start[parent], tree.table_start[a] + s
        total = 0.0
        for above in range(tree.size[parent]):
            total += tables.probability[start + above] * tree.table[entry + above * tree.size[a]]
        left, chosen = rng.random() * total, 0
        for above in range(tree.size[parent]):
            weight = tables.probability[start + above] * tree.table[entry + above * tree.size[a]]
            if weight > 0:
                chosen = above
                left -= weight
                if left < 0:
                    break
        a, s = parent, chosen


@compiled()
def _draw_children(children, source, drawn, mark, heap, size, rng):  # type: ignore[no-untyped-def]
    """Draw which children of a state leave their default, and put them on the heap."""
    for at in range(children.common_start[source], children.common_start[source + 1]):
        if rng.random() < children.odds[at]:
            drawn[children.common[at]] = mark
            heap, size = _push(heap, size, children.common[at])
    first, last = children.rare_start[source], children.rare_start[source + 1]
    if last > first:
        total = children.cumulative[last - 1]
        for _ in range(rng.poisson(total)):
            a = children.rare[_choose(children.cumulative, first, last, rng.random() * total)]
            drawn[a] = mark
            heap, size = _push(heap, size, a)
    return heap, size


@compiled()
def _spontaneous(children, sources, count, batch, rng):  # type: ignore[no-untyped-def]
    """Draw which variables leave their default while their parents are in theirs, all samples."""
    first, last = children.rare_start[sources], children.rare_start[sources + 1]
    start, stop = children.common_start[sources], children.common_start[sources + 1]
    events, total = 0, 0.0
    if last > first:
        total = children.cumulative[last - 1]
        events = rng.poisson(batch * total)
    cells, kept = np.empty(events + batch * (stop - start), np.int64), 0
    for _ in range(events):
        a = children.rare[_choose(children.cumulative, first, last, rng.random() * total)]
        cells[kept] = rng.integers(0, batch) * count + a
        kept += 1
    for sample in range(batch):
        for at in range(start, stop):
            if rng.random() < children.odds[at]:
                cells[kept] = sample * count + children.common[at]
                kept += 1
    return np.sort(cells[:kept])


@compiled()
def _draw_value(law, rng):  # type: ignore[no-untyped-def]
    low, high, shares = law
    if shares.size == 1:
        return low + (high - low) * rng.random()
    cell = np.searchsorted(shares, rng.random(), side="right")
    return low + (high - low) / shares.size * (cell + rng.random())


@compiled()
def draw_batches(tree, tables, children, law, batch, steps, rng):  # type: ignore[no-untyped-def]
    """Draw batches one after the other; see ``ForestSampler.draw``."""
    count, sources = tree.order.size, tree.state_start[-1]
    states, forced = tables.default.copy(), np.full(count, -1)
    by_default, drawn = np.full(count, -1), np.full(count, -1)  # marks: the sample
    touched, heap = np.empty(count, np.int64), np.empty(64, np.int64)
    sample, feature = np.empty(1024, np.int64), np.empty(1024, np.int64)
    weight, starts = np.ones(steps * batch), np.zeros(steps + 1, np.int64)
    size, total = 0, 0
    for step in range(steps):
        cells = _spontaneous(children, sources, count, batch, rng)
        place = 0
        for row in range(batch):
            mark, first = step * batch + row, total
            while place < cells.size and cells[place] < (row + 1) * count:
                a = cells[place] - row * count
                by_default[a] = mark
                heap, size = _push(heap, size, a)
                place += 1
            if tables.share > 0 and rng.random() < tables.share:
                heap, size = _force(tree, tables, forced, heap, size, rng)
            left = 0
            while size > 0:
                a = _pop(heap, size)
                size -= 1
                parent, is_forced = tree.parent[a], forced[a] >= 0
                above = states[parent] if parent >= 0 else 0
                resting = parent < 0 or above == tables.default[parent]
                if left > 0 and touched[left - 1] == a:
                    continue
                if is_forced:
                    states[a] = forced[a]
                    forced[a] = -1
                elif (by_default[a] == mark) if resting else (drawn[a] == mark):
                    begin = tree.table_start[a] + above * tree.size[a]
                    end = begin + tree.size[a]
                    states[a] = _choose(tables.leaving, begin, end, rng.random()) - begin
                else:
                    continue
                touched[left] = a
                left += 1
                if states[a] == tables.default[a]:
                    continue
                state = tree.state_start[a] + states[a]
                for at in range(tree.feature_start[state], tree.feature_start[state + 1]):
                    if total == sample.size:
                        sample = np.concatenate((sample, np.empty_like(sample)))
                        feature = np.concatenate((feature, np.empty_like(feature)))
                    sample[total], feature[total] = row, tree.features[at]
                    total += 1
                heap, size = _draw_children(children, state, drawn, mark, heap, size, rng)
            for k in range(left):
                states[touched[k]] = tables.default[touched[k]]
            feature[first:total] = np.sort(feature[first:total])
            if tables.share > 0:
                seen = 0.0
                for at in range(first, total):
                    seen += tables.odds[feature[at]]
                weight[mark] = 1 / (1 - tables.share + tables.share * seen)
        starts[step + 1] = total
        # (values come after the states of a batch, so that batches are the same one by one)
        if step == 0:
            value = np.empty(total)
        elif value.size < total:
            larger = np.empty(max(2 * value.size, total))
            larger[: value.size] = value
            value = larger
        for at in range(starts[step], total):
            value[at] = _draw_value(law, rng)
    return sample[:total], feature[:total], value[:total], weight, starts
