"""Compiled averages over samples, for classes of features.

A feature has a component c along the common direction, a private part of norm q in a direction of
its own, and a bias b. A sample has h, the component of its hidden state along the common direction,
and s², the variance that its private part gives to an output of private norm 1. An output that is
not active is ReLU(b + c h + q s z) with z ~ N(0, 1), because private directions are isotropic; one
that is active has r² v more, r² = c² + q².

Their plain forms are in tests/theory/dead_features/test_kernels.py.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from theory.computing.compiled import compiled

_FAR = 7.0  # standard deviations at which a normal tail counts as 0
# The normal law at so many places in a standard deviation, interpolated to 2e-7.
_CELLS = 512
_PLACES = np.linspace(-_FAR, _FAR + 1 / _CELLS, round(2 * _FAR * _CELLS) + 2)
_DENSITY, _ABOVE = np.exp(-0.5 * _PLACES**2) / math.sqrt(2 * math.pi), ndtr(_PLACES)


@compiled()
def rectified(a, s):  # type: ignore[no-untyped-def]
    """Return the means of ReLU(a + s z), of its square, and of whether it is above 0.

    Examples
    --------
    >>> rectified(2.0, 0.0)
    (2.0, 4.0, 1.0)
    """
    if s < 1e-9 or abs(a) > _FAR * s:
        if a > 0:
            return a, a * a + s * s, 1.0
        return 0.0, 0.0, 0.0
    place = (a / s + _FAR) * _CELLS
    cell = int(place)
    part = place - cell
    density = _DENSITY[cell] + part * (_DENSITY[cell + 1] - _DENSITY[cell])
    above = _ABOVE[cell] + part * (_ABOVE[cell + 1] - _ABOVE[cell])
    return a * above + s * density, (a * a + s * s) * above + a * s * density, above


@compiled()
def jump_densities(c, q, often, m, low, width, cells):  # type: ignore[no-untyped-def]
    """Return, for cells of h, how often a jump c v falls there, and the same times v² q²/m.

    ``often`` is how many features of the class are active in a sample; v ~ U(0, 2).
    """
    jumps, squares = np.zeros(cells), np.zeros(cells)
    for k in range(c.size):
        start, end = min(2 * c[k], 0.0), max(2 * c[k], 0.0)
        first = max(math.floor((start - low) / width), 0)
        last = min(math.floor((end - low) / width), cells - 1)
        scale = often[k] * q[k] ** 2 / m
        if first >= last:
            jumps[last] += often[k]
            squares[last] += scale * 4 / 3
            continue
        for i in range(first, last + 1):
            left, right = max(start, low + i * width), min(end, low + (i + 1) * width)
            if right > left:
                jumps[i] += often[k] * (right - left) / (end - start)
                squares[i] += scale * abs((right / c[k]) ** 3 - (left / c[k]) ** 3) / 6
    return jumps, squares


@compiled()
def average_silent(  # type: ignore[no-untyped-def]
    c, q, b, weight, m, empty, h, share, s2, rest, senders, down
):
    """Average over samples outputs that are not active, and what all of them send back.

    ``empty`` is the share of samples with h = s² = 0, ``share`` that of nodes ``h``, ``s2``, of
    which ``rest`` is not from frequent features; ``senders`` weighs nodes by p² q² v² of who is
    active, and ``down`` (class, node) lowers outputs by q times itself.
    Returns rows: error, its square, error h, square |h|², on s² of the rest, on, on h², square
    s² m, and variance for senders; and for each node the sums over outputs of error c, of on q²,
    of the variance of error times row, of the variance of error times q², of square q².
    """
    means, sent = np.zeros((9, c.size)), np.zeros((5, h.size))
    for k in range(c.size):
        first, second, on = rectified(b[k], 0.0)
        means[0, k], means[1, k], means[5, k] = empty * first, empty * second, empty * on
        for j in range(h.size):
            at = b[k] + c[k] * h[j] - q[k] * down[k, j]
            first, second, on = rectified(at, q[k] * math.sqrt(s2[j]))
            if on == 0.0:
                continue
            sent[0, j] += weight[k] * c[k] * first
            sent[1, j] += weight[k] * q[k] ** 2 * on
            spread = second - first * first
            sent[2, j] += weight[k] * (q[k] ** 2 * second + c[k] ** 2 * spread)
            sent[3, j] += weight[k] * q[k] ** 2 * spread
            sent[4, j] += weight[k] * q[k] ** 2 * second
            means[0, k] += share[j] * first
            means[1, k] += share[j] * second
            means[2, k] += share[j] * first * h[j]
            means[3, k] += share[j] * second * (h[j] ** 2 + m * s2[j])
            means[4, k] += share[j] * on * rest[j]
            means[5, k] += share[j] * on
            means[6, k] += share[j] * on * h[j] ** 2
            means[7, k] += share[j] * second * m * s2[j]
            means[8, k] += senders[j] * spread
    return means, sent


@compiled()
def average_active(  # type: ignore[no-untyped-def]
    c, q, b, m, h, share, s2, rest, down, v, v_share
):
    """Average over samples outputs that are active, whose error is y - v where y > 0.

    Returns rows: error, its square, error h, square |h|², on s² of the rest, on, on h², error v,
    on v², and the square of the gradient across c; h has the feature's own part.
    """
    means = np.zeros((10, c.size))
    for k in range(c.size):
        own = c[k] ** 2 + q[k] ** 2
        for j in range(h.size):
            spread = q[k] * math.sqrt(s2[j])
            for i in range(v.size):
                at = b[k] + own * v[i] + c[k] * h[j] - q[k] * down[k, j]
                first, second, on = rectified(at, spread)
                if on == 0.0:
                    continue
                error = first - v[i] * on
                square = second - 2 * v[i] * first + v[i] ** 2 * on
                full = h[j] + v[i] * c[k]
                weight = share[j] * v_share[i]
                means[0, k] += weight * error
                means[1, k] += weight * square
                means[2, k] += weight * error * full
                means[3, k] += weight * square * (full**2 + m * s2[j] + (v[i] * q[k]) ** 2)
                means[4, k] += weight * on * rest[j]
                means[5, k] += weight * on
                means[6, k] += weight * on * full**2
                means[7, k] += weight * error * v[i]
                means[8, k] += weight * on * v[i] ** 2
                # W enters y twice where the input is its own: 2² = 4.
                means[9, k] += weight * square * (m * s2[j] + 4 * (v[i] * q[k]) ** 2)
    return means


@compiled()
def average_sent(  # type: ignore[no-untyped-def]
    c, q, m, sent, low, width, h, share, s2, v, v_share
):
    """Average over samples with an active feature what the outputs send back to its row.

    ``sent`` is on a grid of h from ``low``. Returns rows: v D, v² D', v² F, v² |D|², v |D|, and the
    part of v² |D|² across c. D is the sum over outputs of error times row, along c in the first
    two, across it in the last two; F is that of on q².
    """
    means = np.zeros((6, c.size))
    last = sent.shape[1] - 2
    for k in range(c.size):
        for j in range(h.size):
            for i in range(v.size):
                at = (h[j] + v[i] * c[k] - low) / width - 0.5
                cell = min(max(math.floor(at), 0), last)
                part = min(max(at - cell, 0.0), 1.0)
                pull = sent[0, cell] * (1 - part) + sent[0, cell + 1] * part
                slope = (sent[0, cell + 1] - sent[0, cell]) / width
                private = sent[1, cell] * (1 - part) + sent[1, cell + 1] * part
                spread = sent[2, cell] * (1 - part) + sent[2, cell + 1] * part
                hidden = m * s2[j] + (v[i] * q[k]) ** 2
                turn = sent[3, cell] * (1 - part) + sent[3, cell + 1] * part
                square = pull**2 + spread + (private / m) ** 2 * hidden
                weight = share[j] * v_share[i] * v[i]
                means[0, k] += weight * pull
                means[1, k] += weight * v[i] * slope
                means[2, k] += weight * v[i] * private
                means[3, k] += weight * v[i] * square
                means[4, k] += weight * math.sqrt(turn)
                across = sent[4, cell] * (1 - part) + sent[4, cell + 1] * part
                means[5, k] += weight * v[i] * (across + (private / m) ** 2 * hidden)
    return means


@compiled()
def average_pairs(  # type: ignore[no-untyped-def]
    c, q, b, weight, m, frequent, away, h, share, s2, down, v, v_share
):
    """Average over samples with a frequent feature active: what each class errs, what comes back.

    ``away`` (class, sender) says how far the sender's row has turned from rows of the class, and
    ``down`` (class, node) what that of other senders lowers. Returns by class and sender: error v,
    its variance v², on v²; and for each sender the rows of ``average_sent``, with all of D across
    the common direction in v |D|.
    """
    size = frequent.size
    error, spread = np.zeros((c.size, size)), np.zeros((c.size, size))
    on_square = np.zeros((c.size, size))
    back = np.zeros((6, size))
    for a in range(size):
        i = frequent[a]
        for j in range(h.size):
            for n in range(v.size):
                part = share[j] * v_share[n]
                root = math.sqrt(s2[j] + (v[n] * q[i]) ** 2 / m)
                pull, slope, private, squares, across = 0.0, 0.0, 0.0, 0.0, 0.0
                for k in range(c.size):
                    if k == i:  # a class of one
                        continue
                    lower = q[k] * (down[k, j] + v[n] * away[k, a])
                    at = b[k] + c[k] * (h[j] + v[n] * c[i]) - lower
                    first, second, on = rectified(at, q[k] * root)
                    if on == 0.0:
                        continue
                    variance = second - first * first
                    on_square[k, a] += part * v[n] ** 2 * on
                    spread[k, a] += part * v[n] ** 2 * variance
                    error[k, a] += part * v[n] * first
                    pull += weight[k] * c[k] * first
                    slope += weight[k] * c[k] ** 2 * on
                    private += weight[k] * q[k] ** 2 * on
                    squares += weight[k] * (q[k] ** 2 * second + c[k] ** 2 * variance)
                    across += weight[k] * q[k] ** 2 * second
                more = (private / m) ** 2 * (m * s2[j] + (v[n] * q[i]) ** 2)
                back[0, a] += part * v[n] * pull
                back[1, a] += part * v[n] ** 2 * slope
                back[2, a] += part * v[n] ** 2 * private
                back[3, a] += part * v[n] ** 2 * (pull**2 + squares + more)
                back[4, a] += part * v[n] * math.sqrt(across)
                back[5, a] += part * v[n] ** 2 * (across + more)
    return error, spread, on_square, back
