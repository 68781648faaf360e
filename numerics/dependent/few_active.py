"""Probabilities that few other inputs are active, and moments of their sum (kernels).

``numerics.dependent.loss`` calls these. All are joint with the own feature off (part 0) or on (part
1), and come from messages along the forest: up from the leaves, and down for what belongs to each
input. An input with overlap 0 is not felt: it may be on or off.
"""

from __future__ import annotations

import numpy as np

from theory.computing.compiled import compiled


@compiled()
def _allowed(tree, variable, state, is_on):  # type: ignore[no-untyped-def]
    """1 at the states in which the own feature is on (off), and at all of other variables."""
    start = tree.state_start
    allow = np.ones(start[-1])
    for s in range(start[variable], start[variable + 1]):
        allow[s] = 1.0 if (s - start[variable] == state) == is_on else 0.0
    return allow


@compiled()
def _count_felt(tree, g):  # type: ignore[no-untyped-def]
    """Return for each state how many felt features it turns on, and the last of them."""
    count = np.zeros(tree.state_start[-1], np.int64)
    which = np.zeros(tree.state_start[-1], np.int64)
    for state in range(count.size):
        for at in range(tree.feature_start[state], tree.feature_start[state + 1]):
            if g[tree.features[at]] != 0:
                count[state] += 1
                which[state] = tree.features[at]
    return count, which


@compiled()
def _without(product, zeros, factor):  # type: ignore[no-untyped-def]
    """Product of all but one factor; zeros are counted and left out of ``product``."""
    if factor == 0:
        return product if zeros == 1 else 0.0
    return product / factor if zeros == 0 else 0.0


@compiled()
def _few(tree, g, allow, single):  # type: ignore[no-untyped-def]
    """P(no felt input is active), and into ``single`` P(exactly that one is)."""
    count, which = _count_felt(tree, g)
    states = count.size
    product, zeros, outer = np.ones(states), np.zeros(states, np.int64), np.zeros(states)
    sent = np.zeros(tree.message[-1])
    all_product, all_zeros = 1.0, 0
    for a in tree.order:
        first = tree.state_start[a]
        for above in range(tree.rows[a]):
            total, entry = 0.0, tree.table_start[a] + above * tree.size[a]
            for s in range(tree.size[a]):
                if count[first + s] == 0 and zeros[first + s] == 0:
                    total += tree.table[entry + s] * allow[first + s] * product[first + s]
            sent[tree.message[a] + above] = total
            if tree.parent[a] < 0:
                all_zeros += total == 0
                all_product *= total if total != 0 else 1.0
            else:
                to = tree.state_start[tree.parent[a]] + above
                zeros[to] += total == 0
                product[to] *= total if total != 0 else 1.0
    for at in range(tree.order.size - 1, -1, -1):
        a = tree.order[at]
        first, parent = tree.state_start[a], tree.parent[a]
        for above in range(tree.rows[a]):
            message = sent[tree.message[a] + above]
            if parent < 0:
                weight = _without(all_product, all_zeros, message)
            else:
                to = tree.state_start[parent] + above
                weight = outer[to] * _without(product[to], zeros[to], message)
            entry = tree.table_start[a] + above * tree.size[a]
            for s in range(tree.size[a]):
                outer[first + s] += weight * tree.table[entry + s] * allow[first + s]
        for state in range(first, tree.state_start[a + 1]):
            if count[state] == 1 and zeros[state] == 0:
                single[which[state]] = outer[state] * product[state]
            if count[state] > 0:  # the children of this state come on top of its own features
                outer[state] = 0.0
    return all_product if all_zeros == 0 else 0.0


@compiled(nogil=True)
def few_rows(tree, variable, state, gram, first):  # type: ignore[no-untyped-def]
    """Return P(no other felt input is active) and P(exactly that one is) of rows of outputs.

    Shapes (rows, 2) and (rows, 2, n): own feature off and on.
    """
    rows, n = gram.shape
    none, single = np.zeros((rows, 2)), np.zeros((rows, 2, n))
    for r in range(rows):
        g = gram[r].copy()
        g[first + r] = 0.0
        for part in range(2):
            allow = _allowed(tree, variable[first + r], state[first + r], part == 1)
            none[r, part] = _few(tree, g, allow, single[r, part])
    return none, single


@compiled()
def _spread(tree, g, allow, v_mean, v_variance, below, mean, variance, message):  # type: ignore[no-untyped-def]
    """Pass mass, mean and variance of Σ g x upwards; return those of the whole.

    ``below``, ``mean``, ``variance`` (by state) get what lies at and below each, its own features
    included; ``message`` (3, rows of all tables) what each variable sends.
    """
    below[:], mean[:], variance[:] = 1.0, 0.0, 0.0
    whole, whole_mean, whole_variance = 1.0, 0.0, 0.0
    for a in tree.order:
        first = tree.state_start[a]
        for state in range(first, tree.state_start[a + 1]):
            below[state] *= allow[state]
            for at in range(tree.feature_start[state], tree.feature_start[state + 1]):
                weight = g[tree.features[at]]
                mean[state] += weight * v_mean
                variance[state] += weight * weight * v_variance
        for above in range(tree.rows[a]):
            entry = tree.table_start[a] + above * tree.size[a]
            mass, centre, spread = 0.0, 0.0, 0.0
            for s in range(tree.size[a]):
                weight = tree.table[entry + s] * below[first + s]
                mass += weight
                centre += weight * mean[first + s]
            if mass > 0:
                centre /= mass
                for s in range(tree.size[a]):
                    weight = tree.table[entry + s] * below[first + s]
                    apart = mean[first + s] - centre
                    spread += weight * (variance[first + s] + apart * apart)
                spread /= mass
            place = tree.message[a] + above
            message[0, place], message[1, place], message[2, place] = mass, centre, spread
            if tree.parent[a] < 0:
                whole *= mass
                whole_mean += centre
                whole_variance += spread
            else:
                to = tree.state_start[tree.parent[a]] + above
                below[to] *= mass
                mean[to] += centre
                variance[to] += spread
    return whole, whole_mean, whole_variance


@compiled()
def _shares(tree, on_path, whole, whole_mean, below, mean, message, joint, given):  # type: ignore[no-untyped-def]
    """Fill P(input is active) and ⟨Σ g x⟩ given that, both joint with the own feature's state.

    All messages but those on the way from the own variable to its root have mass 1.
    """
    states = below.size
    outer, outer_mean = np.zeros(states), np.zeros(states)
    for at in range(tree.order.size - 1, -1, -1):
        a = tree.order[at]
        first, parent = tree.state_start[a], tree.parent[a]
        for above in range(tree.rows[a]):
            centre = message[1, tree.message[a] + above]
            if parent < 0:
                weight, rest = 1.0 if on_path[a] else whole, whole_mean - centre
            else:
                to = tree.state_start[parent] + above
                weight = outer[to] * (1.0 if on_path[a] else below[to])
                rest = outer_mean[to] + mean[to] - centre
            entry = tree.table_start[a] + above * tree.size[a]
            for s in range(tree.size[a]):
                share = weight * tree.table[entry + s]
                outer[first + s] += share
                outer_mean[first + s] += share * rest
        for state in range(first, tree.state_start[a + 1]):
            if outer[state] > 0:
                outer_mean[state] /= outer[state]
            for place in range(tree.feature_start[state], tree.feature_start[state + 1]):
                j = tree.features[place]
                joint[j] = outer[state] * below[state]
                given[j] = outer_mean[state] + mean[state]


@compiled(nogil=True)
def spread_rows(tree, variable, state, gram, first, v_mean, v_variance, shares):  # type: ignore[no-untyped-def]
    """Return mass, mean and variance of Σ_{j≠i} G_ij x_j of rows, own feature off and on.

    Shapes (3, rows, 2). With ``shares`` also P(j active) and the mean given that, (rows, 2, n).
    """
    rows, n = gram.shape
    out = np.zeros((3, rows, 2))
    size = n if shares else 0
    joint, given = np.zeros((rows, 2, size)), np.zeros((rows, 2, size))
    states = tree.state_start[-1]
    below, mean, variance = np.empty(states), np.empty(states), np.empty(states)
    message, on_path = np.empty((3, tree.message[-1])), np.zeros(tree.order.size, np.bool_)
    for r in range(rows):
        i = first + r
        g = gram[r].copy()
        g[i] = 0.0
        on_path[:] = False
        at = variable[i]
        while at >= 0:
            on_path[at] = True
            at = tree.parent[at]
        for part in range(2):
            allow = _allowed(tree, variable[i], state[i], part == 1)
            out[0, r, part], out[1, r, part], out[2, r, part] = _spread(
                tree, g, allow, v_mean, v_variance, below, mean, variance, message
            )
            if shares:
                _shares(
                    tree, on_path, out[0, r, part], out[1, r, part], below, mean, message,
                    joint[r, part], given[r, part],
                )  # fmt: skip
    return out, joint, given


@compiled()
def _weighted(tree, g, allow, value, one):  # type: ignore[no-untyped-def]
    """P(no felt input) value + Σ_k P(only k) one_k, upwards alone."""
    count, which = _count_felt(tree, g)
    plain, sloped = np.ones(count.size), np.zeros(count.size)
    whole, whole_slope = 1.0, 0.0
    for a in tree.order:
        first = tree.state_start[a]
        for above in range(tree.rows[a]):
            entry, zero, slope = tree.table_start[a] + above * tree.size[a], 0.0, 0.0
            for s in range(tree.size[a]):
                state = first + s
                weight = tree.table[entry + s] * allow[state]
                if count[state] == 0:
                    zero += weight * plain[state]
                    slope += weight * sloped[state]
                elif count[state] == 1:
                    slope += weight * plain[state] * one[which[state]]
            if tree.parent[a] < 0:
                whole_slope = whole_slope * zero + whole * slope
                whole *= zero
            else:
                to = tree.state_start[tree.parent[a]] + above
                sloped[to] = sloped[to] * zero + plain[to] * slope
                plain[to] *= zero
    return whole * value + whole_slope


@compiled(nogil=True)
def unfelt_slopes(tree, variable, state, gram, first, none, one, slopes):  # type: ignore[no-untyped-def]
    """Add to the slopes by overlaps that are 0 what belongs to at most one felt input.

    ``none`` (rows, 2) and ``one`` (rows, 2, n) are the slopes of the loss by z, times ⟨v⟩, with no
    other felt input and with one. There is an overlap of 0 where an input may come on that nothing
    shows yet; only the states in which it is on count.
    """
    rows, n = gram.shape
    for r in range(rows):
        i = first + r
        g = gram[r].copy()
        g[i] = 0.0
        for j in range(n):
            if g[j] != 0 or j == i:
                continue
            for part in range(2):
                allow = _allowed(tree, variable[i], state[i], part == 1)
                allow *= _allowed(tree, variable[j], state[j], True)
                slopes[r, j] += _weighted(tree, g, allow, none[r, part], one[r, part])
