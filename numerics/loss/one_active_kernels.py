"""The loss with one active feature, and the closed parts of the Bernoulli loss (kernels).

``numerics.loss.exact`` calls these. ``theory.regimes.one_active`` derives the closed forms by
sympy; these are the same, compiled, and the tests hold one against the other.

``law`` is the table of the law of v (``numerics.loss.law_table``), and ``general`` the same, or
None where v is uniform: numba then compiles less. Below, above and inside the cell in which the
ReLU's argument changes sign the integrand is a square of a linear function, whose mean follows from
the mean and variance of v there.
"""

from __future__ import annotations

import math

import numpy as np

from theory.computing.compiled import compiled

_TILE = 64  # rows and columns of a tile that fits the cache
# Two Gauss nodes on (0, 1): exact for the cubics that the pieces below are.
_NODES = (0.5 - 3**-0.5 / 2, 0.5 + 3**-0.5 / 2)
# Columns of the table of the law of v: cell ends, P(cell), and where (mass, mean, variance) of v
# below and above a cell end begin.
_END, _SHARE, _BELOW, _ABOVE = 0, 1, 3, 6


@compiled()
def _cell(v, law):  # type: ignore[no-untyped-def]
    """Return the number of the cell in which v lies, the nearest one outside the support."""
    cells = law.shape[0] - 1
    if cells == 1:
        return 0
    place = int((v - law[0, _END]) / (law[1, _END] - law[0, _END]))
    return min(max(place, 0), cells - 1)


@compiled()
def _square_part(mass, mean, variance, h, b):  # type: ignore[no-untyped-def]
    """∫ (h v + b)² over a part of the law of given mass, mean and variance; slopes by h and b."""
    centre = h * mean + b
    value = mass * (centre * centre + h * h * variance)
    return value, 2 * mass * (mean * centre + h * variance), 2 * mass * centre


@compiled()
def _kinked(g, b, law):  # type: ignore[no-untyped-def]
    """``interference`` where g v + b changes sign inside the support, for several cells."""
    width = law[1, _END] - law[0, _END]
    cell = _cell(-b / g, law)
    near, column = (cell + 1, _ABOVE) if g > 0 else (cell, _BELOW)
    # Part of the cell, in which the argument goes from 0 to ``end`` over a length of v.
    end = max(g * law[near, _END] + b, 0.0)
    length = end / g  # negative below the kink
    mass = law[cell, _SHARE] * abs(length) / width
    # The whole cells beyond it.
    value, by_g, by_b = _square_part(
        law[near, column], law[near, column + 1], law[near, column + 2], g, b
    )
    value, by_b = value + mass * end * end / 3, by_b + mass * end
    return value, by_g + mass * end * (3 * law[near, _END] - length) / 3, by_b


@compiled(inline="always")
def _interference(g, b, low, high, mean, variance, law, general):  # type: ignore[no-untyped-def]
    """``interference``, with the support, mean and variance of v in registers."""
    at_low, at_high = g * low + b, g * high + b
    if at_low <= 0 and at_high <= 0:
        return 0.0, 0.0, 0.0
    if at_low >= 0 and at_high >= 0:
        return _square_part(1.0, mean, variance, g, b)
    if general is not None:
        return _kinked(g, b, law)
    near, end = (high, at_high) if g > 0 else (low, at_low)
    length = end / g  # of v between the kink and the end where the output is positive
    mass = abs(length) / (high - low)
    return mass * end * end / 3, mass * end * (3 * near - length) / 3, mass * end


@compiled()
def _support(law):  # type: ignore[no-untyped-def]
    """Return the ends of the support of v, its mean and its variance."""
    return law[0, _END], law[law.shape[0] - 1, _END], law[0, _ABOVE + 1], law[0, _ABOVE + 2]


@compiled()
def interference(g, b, law, general):  # type: ignore[no-untyped-def]
    """⟨ReLU(g v + b)²⟩ over v, and its derivatives by g and b."""
    low, high, mean, variance = _support(law)
    return _interference(g, b, low, high, mean, variance, law, general)


@compiled()
def self_term(g, b, law, general):  # type: ignore[no-untyped-def]
    """⟨(ReLU(g v + b) - v)²⟩ over v, g >= 0, and its derivatives by g and b."""
    cells, h = law.shape[0] - 1, g - 1
    mean, variance = law[0, _ABOVE + 1], law[0, _ABOVE + 2]
    if g * law[0, _END] + b >= 0:
        return _square_part(1.0, mean, variance, h, b)
    if g * law[cells, _END] + b <= 0:
        return mean * mean + variance, 0.0, 0.0
    kink, cell = -b / g, 0
    if general is not None:
        cell = _cell(kink, law)
    low, high = law[cell, _END], law[cell + 1, _END]
    kink = min(max(kink, low), high)
    density = law[cell, _SHARE] / (high - low)
    length = high - kink
    value, by_g, by_b = _square_part(
        density * length, kink + length / 2, length * length / 12, h, b
    )
    value += density * (kink - low) * (kink * kink + kink * low + low * low) / 3
    if general is not None:
        more, more_g, more_b = _square_part(
            law[cell + 1, _ABOVE], law[cell + 1, _ABOVE + 1], law[cell + 1, _ABOVE + 2], h, b
        )
        below = law[cell, _BELOW] * (
            law[cell, _BELOW + 1] * law[cell, _BELOW + 1] + law[cell, _BELOW + 2]
        )
        value, by_g, by_b = value + more + below, by_g + more_g, by_b + more_b
    return value, by_g, by_b


@compiled()
def mean_self_term(own, g, b, law, general):  # type: ignore[no-untyped-def]
    """⟨self_term(own, b + g v)⟩ over v, and its derivatives by own, g and b.

    Inside a cell it is a cubic in v between the points where the bias b + g v passes -own c, for
    each cell end c.
    """
    cells = law.shape[0] - 1
    width = law[1, _END] - law[0, _END]
    value, by_own, by_g, by_b = 0.0, 0.0, 0.0, 0.0
    # The cell ends in the order in which v meets their points, and how many are left.
    end, step = (cells, -1) if g > 0 else (0, 1)
    left = cells + 1 if g != 0 else 0
    for cell in range(cells):
        low, stop = law[cell, _END], law[cell + 1, _END]
        density = law[cell, _SHARE] / width
        while low < stop:
            high = stop
            while left > 0:
                point = (-own * law[end, _END] - b) / g
                if point > low:
                    high = min(point, stop)
                    break
                end += step
                left -= 1
            length = high - low
            weight = length * density / 2
            for node in _NODES:
                v = low + node * length
                one, slope_own, slope_b = self_term(own, b + g * v, law, general)
                value += weight * one
                by_own += weight * slope_own
                by_g += weight * slope_b * v
                by_b += weight * slope_b
            low = high
    return value, by_own, by_g, by_b


@compiled(nogil=True)
def one_hot_rows(gram, first, p, b, law, general, slopes):  # type: ignore[no-untyped-def]
    """Loss of the outputs first, first + 1, … with exactly one active feature.

    Returns Σ_{j≠i} p_j A(G_ij, b_i) and B(G_ii, b_i) for each row, the slope by b_i, and, if
    ``slopes`` has the shape of ``gram``, puts the slopes by G_ij there.
    """
    rows, n = gram.shape
    silent, own, by_b = np.empty(rows), np.empty(rows), np.empty(rows)
    low, high, mean, variance = _support(law)
    for r in range(rows):
        i = first + r
        bias, total, slope = b[i], 0.0, 0.0
        for j in range(n):
            if j == i:
                continue
            value, slope_g, slope_b = _interference(
                gram[r, j], bias, low, high, mean, variance, law, general
            )
            total += p[j] * value
            slope += p[j] * slope_b
            if slopes is not None:
                slopes[r, j] = p[j] * slope_g
        own[r], slope_g, slope_b = self_term(gram[r, i], bias, law, general)
        silent[r], by_b[r] = total, slope + p[i] * slope_b
        if slopes is not None:
            slopes[r, i] = p[i] * slope_g
    return silent, own, by_b


@compiled(nogil=True)
def pair_rows(gram, first, b, law, general):  # type: ignore[no-untyped-def]
    """Return closed forms with one other active input, of the outputs first, first + 1, ….

    Shape (rows, n, 7):

    0, 1, 2: ⟨ReLU(g v + b)²⟩ and its slopes by g and b;
    3, 4, 5, 6: ⟨self_term(own, b + g v)⟩ and its slopes by own, g and b;
    in the place of the own input the same without any other.
    """
    rows, n = gram.shape
    out = np.empty((rows, n, 7))
    for r in range(rows):
        bias, own = b[r], gram[r, first + r]
        for j in range(n):
            g = gram[r, j] if j != first + r else 0.0
            out[r, j, :3] = interference(g, bias, law, general)
            if g == 0:
                value, by_own, by_b = self_term(own, bias, law, general)
                out[r, j, 3:] = value, by_own, 0.0, by_b
            else:
                out[r, j, 3:] = mean_self_term(own, g, bias, law, general)
    return out


@compiled()
def _uniform_interference(g, b):  # type: ignore[no-untyped-def]
    """⟨ReLU(g v + b)²⟩ over v ~ U(0, 2), and its derivative by g."""
    end = 2 * g + b
    if b <= 0:
        if end <= 0:
            return 0.0, 0.0
        return end**3 / (6 * g), end * end * (4 * g - b) / (6 * g * g)
    if end >= 0:
        return (b * b + end * end + (b + end) ** 2) / 6, 8 * g / 3 + 2 * b
    return -b * b * b / (6 * g), b * b * b / (6 * g * g)


@compiled(fastmath=True)
def relu_pairs(gram, b, p):  # type: ignore[no-untyped-def]
    """Return Σ_{i<j} p_j A(G_ij, b_i) + p_i A(G_ij, b_j); put its slopes in place of G_ij = G_ji.

    A(g, b) = ⟨ReLU(g v + b)²⟩ over v ~ U(0, 2).

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
                        value_i, slope_i = _uniform_interference(
                            np.float64(gram[i, j]), np.float64(b_i)
                        )
                        value_j, slope_j = _uniform_interference(
                            np.float64(gram[i, j]), np.float64(b[j])
                        )
                        part += 6 * (p[j] * value_i + p_i * value_j)
                        gram[i, j] = p[j] * slope_i + p_i * slope_j
                total += part
                for j in range(start, right):
                    gram[j, i] = gram[i, j]
    for i in range(n):
        gram[i, i] = 0
    return total / 6


@compiled()
def _square(h, mean, variance, b, law):  # type: ignore[no-untyped-def]
    """⟨(b + h v + S)²⟩ for S of given mean and variance, and its slopes by h and by b (or S)."""
    v_mean, v_variance = law[0, _ABOVE + 1], law[0, _ABOVE + 2]
    centre = b + h * v_mean + mean
    value = centre * centre + h * h * v_variance + variance
    return value, 2 * (centre * v_mean + h * v_variance), 2 * centre


@compiled()
def _moments(g, p, i, law):  # type: ignore[no-untyped-def]
    """Of the other inputs: P(none is active), mean and variance of Σ g x, Σ p/(1 - p)."""
    log_atom, mean, variance, odds = 0.0, 0.0, 0.0, 0.0
    v_mean = law[0, _ABOVE + 1]
    v_square = v_mean * v_mean + law[0, _ABOVE + 2]
    for j in range(g.size):
        if j != i and g[j] != 0:  # without overlap the input is not felt
            log_atom += math.log1p(-p[j]) if p[j] < 1 else -math.inf
            odds += p[j] / (1 - p[j]) if p[j] < 1 else 0.0
            mean += p[j] * g[j] * v_mean
            spread = v_square * p[j] - (v_mean * p[j]) * (v_mean * p[j])
            variance += spread * (g[j] * g[j])
    return math.exp(log_atom), mean, variance, odds


@compiled(nogil=True)
def few_active_rows(gram, first, p, b, law, general, slopes):  # type: ignore[no-untyped-def]
    """Compute the closed parts of the Bernoulli loss of the outputs first, first + 1, ….

    One row for each output:
    0, 1: the loss of the output with at most one other input active, its own silent and active;
    2, 3: what is known beyond that: 0 and ⟨v²⟩, each times the probability, or the whole square
    ⟨z²⟩, ⟨(z - v)²⟩ of which the reflected part is still to be taken off;
    4, 5: whether that is so (where z is positive more often than not);
    6: the slope of all these, weighted by the probabilities of the own input, by b_i.
    If ``slopes`` has the shape of ``gram``, the slopes by G_ij go there, weighted the same way.
    """
    rows, n = gram.shape
    out = np.empty((rows, 7))
    v_low, v_high, v_mean, v_variance = _support(law)
    v_square = v_mean * v_mean + v_variance
    for r in range(rows):
        i = first + r
        bias, own = b[i], gram[r, i]
        atom, mean, variance, odds = _moments(gram[r], p, i, law)
        turn_off, turn_on = bias + mean > 0, bias + own * v_mean + mean > 0
        off, on = 1 - p[i], p[i]
        # Weights of the squares, where they enter.
        full_off, full_on = off * turn_off, on * turn_on
        value, by_own, by_b = self_term(own, bias, law, general)
        positive = max(bias, 0.0)
        few_off, few_on = atom * (positive * positive), atom * value
        by_own *= on * atom
        by_b = off * atom * 2 * positive + on * atom * by_b
        whole_off, _, slope_off = _square(0.0, mean, variance, bias, law)
        whole_on, slope_own, slope_on = _square(own - 1, mean, variance, bias, law)
        by_own += full_on * slope_own
        by_b += full_off * slope_off + full_on * slope_on
        one_off, _, one_off_b = _square(0.0, 0.0, 0.0, bias, law)
        one_on, one_own, one_on_b = _square(own - 1, 0.0, 0.0, bias, law)
        known_off, known_on = atom * one_off, atom * one_on
        by_own -= full_on * atom * one_own
        by_b -= atom * (full_off * one_off_b + full_on * one_on_b)
        for j in range(n):
            g = gram[r, j]
            if j == i or g == 0:
                if slopes is not None:
                    slopes[r, j] = 0.0
                continue
            weight = atom * p[j] / (1 - p[j]) if p[j] < 1 else 0.0
            single, single_g, single_b = _interference(
                g, bias, v_low, v_high, v_mean, v_variance, law, general
            )
            mixed, mixed_own, mixed_g, mixed_b = mean_self_term(own, g, bias, law, general)
            few_off += weight * single
            few_on += weight * mixed
            g_mean, g_variance = g * v_mean, g * g * v_variance
            one_off, _, one_off_b = _square(0.0, g_mean, g_variance, bias, law)
            one_on, one_own, one_on_b = _square(own - 1, g_mean, g_variance, bias, law)
            known_off += weight * one_off
            known_on += weight * one_on
            by_own += weight * (on * mixed_own - full_on * one_own)
            by_b += weight * (off * single_b - full_off * one_off_b)
            by_b += weight * (on * mixed_b - full_on * one_on_b)
            if slopes is not None:
                spread, within = (
                    2 * p[j] * (v_square - v_mean * v_mean * p[j]) * g,
                    2 * g * v_variance,
                )
                slope = weight * (off * single_g - full_off * (one_off_b * v_mean + within))
                slope += weight * (on * mixed_g - full_on * (one_on_b * v_mean + within))
                slope += full_off * (slope_off * v_mean * p[j] + spread)
                slopes[r, j] = slope + full_on * (slope_on * v_mean * p[j] + spread)
        if slopes is not None:
            slopes[r, i] = by_own
        several = max(1 - atom * (1 + odds), 0.0)  # probability of two or more
        out[r, 0], out[r, 1] = few_off, few_on
        out[r, 2] = whole_off - known_off if turn_off else 0.0
        out[r, 3] = whole_on - known_on if turn_on else v_square * several
        out[r, 4], out[r, 5], out[r, 6] = turn_off, turn_on, by_b
    return out
