"""The loss of dependent features by enumeration in mpmath: the plain reference of the tests.

All states of the forest are enumerated; given which features are on, ReLU(z) is a piecewise
polynomial of uniform variables, whose mean is a sum over corners of their cube.
"""

import itertools
import math

import mpmath as mp
import numpy as np


def active_sets(forest):
    """Return the probability of each set of active features, by enumerating all states."""
    found = {}
    sizes = forest.sizes.tolist()
    for states in itertools.product(*map(range, sizes)):
        weight = mp.mpf(1)
        for a, s in enumerate(states):
            parent = forest.parents[a]
            above = states[parent] if parent >= 0 else 0
            weight *= mp.mpf(float(forest.conditional(a)[above, s]))
        if weight:
            on = tuple(i for i in range(forest.n) if states[forest.variable[i]] == forest.state[i])
            found[on] = found.get(on, mp.mpf(0)) + weight
    return found


def _corners(b, slopes, high):
    """Signs and places of the corners of the cube of several v ~ U(0, high)."""
    for some in itertools.product((0, 1), repeat=len(slopes)):
        sign = (-1) ** (len(slopes) - sum(some))
        yield sign, b + high * sum((g for g, on in zip(slopes, some, strict=True) if on), mp.mpf(0))


def _power(y, k):
    return y**k / math.factorial(k) if y > 0 else mp.mpf(0)


def silent(b, slopes, high):
    """⟨ReLU(b + Σ g v)²⟩ over v ~ U(0, high) each."""
    slopes = [g for g in slopes if g != 0]
    k = len(slopes)
    total = sum(sign * _power(y, k + 2) for sign, y in _corners(b, slopes, high))
    return 2 * total / mp.fprod([high * g for g in slopes])


def active(b, own, slopes, high):
    """⟨(ReLU(b + own v + Σ g v') - v)²⟩."""
    slopes = [g for g in slopes if g != 0]
    k = len(slopes)
    cross = mp.mpf(0)
    for sign, y in _corners(b, slopes, high):
        if own == 0:
            cross += sign * _power(y, k + 1) * high / 2
            continue
        top = y + own * high
        part = high * _power(top, k + 2) / own
        cross += sign * (part - (_power(top, k + 3) - _power(y, k + 3)) / own**2) / high
    cross /= mp.fprod([high * g for g in slopes])
    return high**2 / mp.mpf(3) + silent(b, [own, *slopes], high) - 2 * cross


def enumerate_loss(W, b, forest, weights=None, high=2):
    """Return Σ_i I_i ⟨(y_i - x_i)²⟩ for v ~ U(0, high); W and b are lists of mpf or arrays."""
    n = forest.n
    rows = [[mp.mpf(x) for x in row] for row in W]
    gram = [[mp.fdot(x, y) for y in rows] for x in rows]
    weights = np.ones(n) if weights is None else weights
    high = mp.mpf(high)
    total = mp.mpf(0)
    for on, share in active_sets(forest).items():
        for i in range(n):
            if weights[i] == 0:
                continue
            others = [gram[i][j] for j in on if j != i]
            own = gram[i][i]
            bias = mp.mpf(b[i])
            one = active(bias, own, others, high) if i in on else silent(bias, others, high)
            total += share * mp.mpf(float(weights[i])) * one
    return total
