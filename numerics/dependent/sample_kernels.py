"""Batches of dependent features, drawn from tables (kernels): ``draw_batches``.

``numerics.dependent.samples`` makes the tables and has the method.
"""

from __future__ import annotations

import numpy as np

from theory.computing.compiled import compiled

# Active features of a sample that are sorted in place, by insertion.
_FEW = 32


@compiled()
def _choose(cumulative, first, last, at):  # type: ignore[no-untyped-def]
    """First place among first..last whose cumulative sum is above ``at``, or the last place."""
    last -= 1
    while first < last:
        middle = (first + last) // 2
        if cumulative[middle] > at:
            last = middle
        else:
            first = middle + 1
    return first


@compiled(inline="always")
def _leave(tree, tables, a, above, rng):  # type: ignore[no-untyped-def]
    """Draw the state of a variable that leaves its default, given the state of its parent."""
    if tree.size[a] == 2 and tables.default[a] >= 0:
        return 1 - tables.default[a]
    begin = tree.table_start[a] + above * tree.size[a]
    return _choose(tables.leaving, begin, begin + tree.size[a], rng.random()) - begin


@compiled(inline="always")
def _look(tree, tables, a, states, marks, mark, rng):  # type: ignore[no-untyped-def]
    """Return the state of a hidden variable, drawn when it is first asked for."""
    while marks[a] != mark:
        top = a
        while tree.parent[top] >= 0 and marks[tree.parent[top]] != mark:
            top = tree.parent[top]
        above = states[tree.parent[top]] if tree.parent[top] >= 0 else 0
        states[top] = _leave(tree, tables, top, above, rng)
        marks[top] = mark
    return states[a]


@compiled(inline="always")
def _force(tree, tables, states, marks, mark, chain, rng):  # type: ignore[no-untyped-def]
    """Choose a rare feature, and draw the states of its variable and of those above it.

    The variables go to ``chain``, that of the feature first; returns their number.
    """
    j = _choose(tables.rare, 0, tables.rare.size, rng.random())
    a, s, length = tables.variable[j], tables.state[j], 0
    while True:
        states[a], marks[a], chain[length] = s, mark, a
        length += 1
        parent = tree.parent[a]
        if parent < 0:
            return length
        begin = tables.upward_start[a] + s * tree.size[parent]
        s = _choose(tables.upward, begin, begin + tree.size[parent], rng.random()) - begin
        a = parent


@compiled(inline="always")
def _expand(tree, tables, children, a, states, marks, mark, stack, feature, total, rng):  # type: ignore[no-untyped-def]
    """List the features that a variable turns on, draw its children, theirs, and so on.

    Returns the number of features listed so far.
    """
    stack[0], size = a, 1
    while size > 0:
        size -= 1
        a = stack[size]
        if states[a] == tables.default[a]:
            continue
        state = tree.state_start[a] + states[a]
        for at in range(tree.feature_start[state], tree.feature_start[state + 1]):
            feature[total] = tree.features[at]
            total += 1
        for at in range(children.common_start[state], children.common_start[state + 1]):
            c = children.common[at]
            if rng.random() < children.odds[at] and marks[c] != mark:
                states[c], marks[c], stack[size] = _leave(tree, tables, c, states[a], rng), mark, c
                size += 1
        first, last = children.rare_start[state], children.rare_start[state + 1]
        if last > first:
            place = rng.standard_exponential()
            while place < children.cumulative[last - 1]:
                first = _choose(children.cumulative, first, last, place)
                c = children.rare[first]
                if marks[c] != mark:
                    states[c], marks[c] = _leave(tree, tables, c, states[a], rng), mark
                    stack[size] = c
                    size += 1
                place = children.cumulative[first] + rng.standard_exponential()
    return total


@compiled(inline="always")
def _consider(tree, tables, children, a, states, marks, mark, stack, feature, total, rng):  # type: ignore[no-untyped-def]
    """Let a variable of the common list leave its default, unless it was drawn otherwise."""
    if marks[a] == mark:
        return total
    parent, above = tree.parent[a], 0
    if parent >= 0:
        if tables.hidden[parent]:
            above = _look(tree, tables, parent, states, marks, mark, rng)
            if rng.random() >= tables.accept[tree.message[a] + above]:
                return total
        elif marks[parent] == mark and states[parent] != tables.default[parent]:
            return total
        else:
            above = tables.default[parent]
    states[a], marks[a] = _leave(tree, tables, a, above, rng), mark
    return _expand(tree, tables, children, a, states, marks, mark, stack, feature, total, rng)


@compiled()
def _sort(x):  # type: ignore[no-untyped-def]
    """Sort in place."""
    if x.size > _FEW:
        x[:] = np.sort(x)
        return
    for at in range(1, x.size):
        one, to = x[at], at
        while to > 0 and x[to - 1] > one:
            x[to] = x[to - 1]
            to -= 1
        x[to] = one


@compiled()
def _draw_values(law, values, rng):  # type: ignore[no-untyped-def]
    low, high, shares = law
    for at in range(values.size):
        if shares.size == 1:
            values[at] = low + (high - low) * rng.random()
        else:
            cell = np.searchsorted(shares, rng.random(), side="right")
            values[at] = low + (high - low) / shares.size * (cell + rng.random())


@compiled()
def draw_batches(tree, tables, children, law, batch, steps, rng):  # type: ignore[no-untyped-def]
    """Draw batches one after the other; see ``ForestSampler.draw``."""
    count, source, n = tree.order.size, tree.state_start[-1], tables.variable.size
    states, marks = np.zeros(count, np.int64), np.full(count, -1)  # marks: the sample
    stack, chain = np.empty(count + 1, np.int64), np.empty(count, np.int64)
    sample, feature = np.empty(1024 + n, np.int64), np.empty(1024 + n, np.int64)
    value, weight = np.empty(1024 + n), np.ones(steps * batch)
    starts, total = np.zeros(steps + 1, np.int64), 0
    begin, end = children.rare_start[source], children.rare_start[source + 1]
    top = children.cumulative[end - 1] if end > begin else 0.0
    for step in range(steps):
        gap = rng.standard_exponential()
        for row in range(batch):
            mark, first = step * batch + row, total
            if total + n > sample.size:
                sample = np.concatenate((sample, np.empty_like(sample)))
                feature = np.concatenate((feature, np.empty_like(feature)))
                value = np.concatenate((value, np.empty_like(value)))
            if tables.share > 0 and rng.random() < tables.share:
                length = _force(tree, tables, states, marks, mark, chain, rng)
                for at in range(length - 1, -1, -1):
                    total = _expand(
                        tree, tables, children, chain[at], states, marks, mark, stack, feature,
                        total, rng,
                    )  # fmt: skip
            place = children.common_start[source]
            while True:  # variables of both lists in their order
                until, at = count, end
                if gap < top:
                    at = _choose(children.cumulative, begin, end, gap)
                    until = children.rare[at]
                while place < children.common_start[source + 1] and children.common[place] < until:
                    if rng.random() < children.odds[place]:
                        total = _consider(
                            tree, tables, children, children.common[place], states, marks, mark,
                            stack, feature, total, rng,
                        )  # fmt: skip
                    place += 1
                if until == count:
                    break
                total = _consider(
                    tree, tables, children, until, states, marks, mark, stack, feature, total, rng
                )
                gap = children.cumulative[at] + rng.standard_exponential()
            gap -= top
            _sort(feature[first:total])
            sample[first:total] = row
            if tables.share > 0:
                seen = 0.0
                for at in range(first, total):
                    seen += tables.odds[feature[at]]
                weight[mark] = 1 / (1 - tables.share + tables.share * seen)
        starts[step + 1] = total
        # (values come after the states of a batch, so that batches are the same one by one)
        _draw_values(law, value[starts[step] : total], rng)
    return sample[:total], feature[:total], value[:total], weight, starts
