"""The one-active losses and their derivatives as scalar kernels, and the sums over Gram rows.

Use through ``numerics.loss.exact``. ``theory.regimes.one_active`` derives the closed forms by
sympy; these are the same, compiled, and the tests hold one against the other.
"""

from __future__ import annotations

import numba as nb
import numpy as np

_TILE = 64  # rows and columns that a cache holds
# Two Gauss nodes on (0, 1): exact for the cubics that the pieces below are.
_NODES = (0.5 - 3**-0.5 / 2, 0.5 + 3**-0.5 / 2)


@nb.njit(cache=True)
def interference(g, b):  # type: ignore[no-untyped-def]
    """⟨ReLU(g v + b)²⟩ over v ~ U(0, 2), and its derivatives by g and b."""
    end = 2 * g + b
    if b <= 0:
        if end <= 0:
            return 0.0, 0.0, 0.0
        return end**3 / (6 * g), end * end * (4 * g - b) / (6 * g * g), end * end / (2 * g)
    if end >= 0:
        return (b * b + end * end + (b + end) ** 2) / 6, 8 * g / 3 + 2 * b, 2 * g + 2 * b
    return -b * b * b / (6 * g), b * b * b / (6 * g * g), -b * b / (2 * g)


@nb.njit(cache=True)
def self_term(g, b):  # type: ignore[no-untyped-def]
    """⟨(ReLU(g v + b) - v)²⟩ over v ~ U(0, 2), g >= 0, and its derivatives by g and b."""
    h = g - 1
    end = 2 * h + b
    if b >= 0:
        return (b * b + end * end + (b + end) ** 2) / 6, 8 * h / 3 + 2 * b, 2 * h + 2 * b
    if 2 * g + b <= 0:
        return 4.0 / 3.0, 0.0, 0.0
    kink = -b / g
    value = kink**3 / 6 + (2 - kink) * (kink * kink + end * end + (end - kink) ** 2) / 12
    by_g = h * (8 - kink**3) / 3 + b * (4 - kink * kink) / 2
    by_b = h * (4 - kink * kink) / 2 + b * (2 - kink)
    return value, by_g, by_b


@nb.njit(cache=True)
def mean_self_term(own, g, b):  # type: ignore[no-untyped-def]
    """⟨self_term(own, b + g v)⟩ over v ~ U(0, 2), and its derivatives by own, g and b.

    In v it is a cubic between the points where the bias passes -2 own and 0.
    """
    first, second = 0.0, 2.0
    if g != 0:
        first, second = (-2 * own - b) / g, -b / g
        if first > second:
            first, second = second, first
        first, second = min(max(first, 0.0), 2.0), min(max(second, 0.0), 2.0)
    value, by_own, by_g, by_b = 0.0, 0.0, 0.0, 0.0
    for low, high in ((0.0, first), (first, second), (second, 2.0)):
        width = high - low
        if width > 0:
            for node in _NODES:
                v = low + node * width
                one, slope_g, slope_b = self_term(own, b + g * v)
                weight = width / 4  # half the piece, by the density 1/2
                value += weight * one
                by_own += weight * slope_g
                by_g += weight * slope_b * v
                by_b += weight * slope_b
    return value, by_own, by_g, by_b


@nb.njit(cache=True, parallel=True)
def one_hot_rows(gram, first, p, b, slopes):  # type: ignore[no-untyped-def]
    """Loss of the outputs first, first + 1, … with exactly one active feature.

    Returns Σ_{j≠i} p_j A(G_ij, b_i) and B(G_ii, b_i) for each row, the slope by b_i, and, if
    ``slopes`` has the shape of ``gram``, puts the slopes by G_ij there.
    """
    rows, n = gram.shape
    silent, own, by_b = np.zeros(rows), np.zeros(rows), np.zeros(rows)
    keep = slopes.shape[0] == rows
    for r in nb.prange(rows):
        i = first + r
        for j in range(n):
            if j == i:
                continue
            value, slope_g, slope_b = interference(gram[r, j], b[i])
            silent[r] += p[j] * value
            by_b[r] += p[j] * slope_b
            if keep:
                slopes[r, j] = p[j] * slope_g
        own[r], slope_g, slope_b = self_term(gram[r, i], b[i])
        by_b[r] += p[i] * slope_b
        if keep:
            slopes[r, i] = p[i] * slope_g
    return silent, own, by_b


@nb.njit(cache=True, fastmath=True)
def relu_pairs(gram, b, p):  # type: ignore[no-untyped-def]
    """Return Σ_{i<j} p_j A(G_ij, b_i) + p_i A(G_ij, b_j); put its slopes in place of G_ij = G_ji.

    The diagonal becomes 0. Works in the precision of ``gram``, tile by tile, on one thread: BLAS,
    which is called before and after, has threads of its own that are waiting.
    """
    n = gram.shape[0]
    zero, tiny = gram.dtype.type(0), gram.dtype.type(1e-18)
    sixth = gram.dtype.type(1 / 6)
    below = True
    for i in range(n):
        below = below and b[i] <= 0
    total = 0.0
    for first in range(0, n, _TILE):
        for left in range(first, n, _TILE):
            right = min(left + _TILE, n)
            for i in range(first, min(first + _TILE, n)):
                b_i, p_i, part = b[i], p[i], zero
                start = max(left, i + 1)
                if below:  # the common case without a branch: the compiler makes vectors of it
                    for j in range(start, right):
                        g = gram[i, j]
                        by_i, by_j = max(2 * g + b_i, zero), max(2 * g + b[j], zero)
                        part_i, part_j = by_i / max(g, tiny), by_j / max(g, tiny)
                        part += p[j] * part_i * by_i * by_i + p_i * part_j * by_j * by_j
                        slope = p[j] * part_i * part_i * (4 * g - b_i)
                        gram[i, j] = (slope + p_i * part_j * part_j * (4 * g - b[j])) * sixth
                else:
                    for j in range(start, right):
                        value_i, slope_i, _ = interference(np.float64(gram[i, j]), np.float64(b_i))
                        value_j, slope_j, _ = interference(np.float64(gram[i, j]), np.float64(b[j]))
                        part += 6 * (p[j] * value_i + p_i * value_j)
                        gram[i, j] = p[j] * slope_i + p_i * slope_j
                total += part
                for j in range(start, right):
                    gram[j, i] = gram[i, j]
    for i in range(n):
        gram[i, i] = 0
    return total / 6


@nb.njit(cache=True)
def _square(h, mean, variance, b):  # type: ignore[no-untyped-def]
    """⟨(b + h v + S)²⟩ for S of given mean and variance, and its slopes by h and by b (or S)."""
    centre = b + h + mean
    return centre**2 + h * h / 3 + variance, 2 * centre + 2 * h / 3, 2 * centre


@nb.njit(cache=True)
def _moments(g, p, i):  # type: ignore[no-untyped-def]
    """Of the other inputs: P(none is active), mean and variance of Σ g x, Σ p/(1 - p)."""
    log_atom, mean, variance, odds = 0.0, 0.0, 0.0, 0.0
    for j in range(g.size):
        if j != i and g[j] != 0:  # without overlap the input is not felt
            log_atom += np.log1p(-p[j]) if p[j] < 1 else -np.inf
            odds += p[j] / (1 - p[j]) if p[j] < 1 else 0.0
            mean += p[j] * g[j]
            variance += (4 * p[j] / 3 - p[j] * p[j]) * g[j] ** 2
    return np.exp(log_atom), mean, variance, odds


@nb.njit(cache=True, parallel=True)
def few_active_rows(gram, first, p, b, slopes):  # type: ignore[no-untyped-def]
    """Compute the closed parts of the Bernoulli loss of the outputs first, first + 1, ….

    One row for each output:
    0, 1: the loss of the output with at most one other input active, its own silent and active;
    2, 3: what is known beyond that: 0 and 4/3, each times the probability, or the whole square
    ⟨z²⟩, ⟨(z - v)²⟩ of which the reflected part is still to be taken off;
    4, 5: whether that is so (where z is positive more often than not);
    6: the slope of all these, weighted as in the loss, by b_i.
    If ``slopes`` has the shape of ``gram``, the slopes by G_ij go there.
    """
    rows, n = gram.shape
    out = np.zeros((rows, 7))
    keep = slopes.shape[0] == rows
    for r in nb.prange(rows):
        i = first + r
        bias, own = b[i], gram[r, i]
        atom, mean, variance, odds = _moments(gram[r], p, i)
        turn_off, turn_on = bias + mean > 0, bias + own + mean > 0
        off, on = 1 - p[i], p[i]
        # Weights of the squares, where they enter.
        full_off, full_on = off * turn_off, on * turn_on
        value, by_own, by_b = self_term(own, bias)
        few_off, few_on = atom * max(bias, 0.0) ** 2, atom * value
        by_own *= on * atom
        by_b = off * atom * 2 * max(bias, 0.0) + on * atom * by_b
        whole_off, _, slope_off = _square(0.0, mean, variance, bias)
        whole_on, slope_own, slope_on = _square(own - 1, mean, variance, bias)
        by_own += full_on * slope_own
        by_b += full_off * slope_off + full_on * slope_on
        one_off, _, one_off_b = _square(0.0, 0.0, 0.0, bias)
        one_on, one_own, one_on_b = _square(own - 1, 0.0, 0.0, bias)
        known_off, known_on = atom * one_off, atom * one_on
        by_own -= full_on * atom * one_own
        by_b -= atom * (full_off * one_off_b + full_on * one_on_b)
        for j in range(n):
            g = gram[r, j]
            if j == i or g == 0:
                if keep:
                    slopes[r, j] = 0.0
                continue
            weight = atom * p[j] / (1 - p[j]) if p[j] < 1 else 0.0
            single, single_g, single_b = interference(g, bias)
            mixed, mixed_own, mixed_g, mixed_b = mean_self_term(own, g, bias)
            few_off += weight * single
            few_on += weight * mixed
            one_off, _, one_off_b = _square(0.0, g, g * g / 3, bias)
            one_on, one_own, one_on_b = _square(own - 1, g, g * g / 3, bias)
            known_off += weight * one_off
            known_on += weight * one_on
            by_own += weight * (on * mixed_own - full_on * one_own)
            by_b += weight * (off * single_b - full_off * one_off_b)
            by_b += weight * (on * mixed_b - full_on * one_on_b)
            if keep:
                spread = 2 * (4 * p[j] / 3 - p[j] * p[j]) * g
                slope = weight * (off * single_g - full_off * (one_off_b + 2 * g / 3))
                slope += weight * (on * mixed_g - full_on * (one_on_b + 2 * g / 3))
                slope += full_off * (slope_off * p[j] + spread)
                slopes[r, j] = slope + full_on * (slope_on * p[j] + spread)
        if keep:
            slopes[r, i] = by_own
        several = max(1 - atom * (1 + odds), 0.0)  # probability of two or more
        out[r, 0], out[r, 1] = few_off, few_on
        out[r, 2] = whole_off - known_off if turn_off else 0.0
        out[r, 3] = whole_on - known_on if turn_on else 4 / 3 * several
        out[r, 4], out[r, 5], out[r, 6] = turn_off, turn_on, by_b
    return out
