"""Compiled sums of the expected loss and of the overlap laws.

``integrate``, ``see_one`` and ``gegenbauer_means`` take plain arrays and fill in those given last.
Complex numbers are held as real and imaginary parts, which compilers vectorise.

The nodes of a quadrature rule are x in [0, 1], then 1 + x, then twice, four times … those: cos and
sin at 1 + x follow from those at x and 1, and those of each octave from the octave before.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from theory.computing.compiled import compiled as compile_with

Array = NDArray[np.float64]
Function = TypeVar("Function", bound=Callable[..., Any])
_TURN = 2 * math.pi
# |ε| below which ln(1 + ε) is a series in ε/(2 + ε), and what its first omitted term may be.
_SERIES, _OMITTED = 0.3, 1e-14
# |x| below which the moments of e^{xv} are series, |y| in units of the rule, and |y| of one other.
_SMALL, _SMALL_ANGLE, _SMALL_INPUT = 0.03, 1e-5, 1e-7
_LARGEST_EXPONENT, _LARGEST_LOG = 60.0, 50.0


def compiled(function: Function, **more: Any) -> Function:
    """Return the function compiled by numba; sums may be reordered."""
    fast = {"reassoc", "contract", "nsz", "arcp"}
    dispatcher: Function = compile_with(fastmath=fast, **more)(function)
    return dispatcher


def compiled_inline(function: Function) -> Function:
    """Return a part that is called at one place: numba copies it there and compiles it once."""
    return compiled(function, inline="always")


@compiled
def turn(angle: Array, cos: Array, sin: Array) -> None:
    """Fill in cos and sin, which compilers do not vectorise: series of a quarter of the angle.

    ``cos`` and ``sin`` may be longer than ``angle``.
    """
    for k in range(len(angle)):
        a = (angle[k] - _TURN * math.floor(angle[k] / _TURN + 0.5)) / 4
        q = a * a
        c = 1 - q / 56 * (1 - q / 90 * (1 - q / 132 * (1 - q / 182 * (1 - q / 240))))
        c = 1 - q / 2 * (1 - q / 12 * (1 - q / 30 * c))
        s = 1 - q / 72 * (1 - q / 110 * (1 - q / 156 * (1 - q / 210 * (1 - q / 272))))
        s = a * (1 - q / 6 * (1 - q / 20 * (1 - q / 42 * s)))
        c2, s2 = 1 - 2 * s * s, 2 * s * c
        cos[k], sin[k] = 1 - 2 * s2 * s2, 2 * s2 * c2


@compiled
def _wave(angle: float, inner: Array, work: Array, cos: Array, sin: Array) -> None:
    """Fill in cos and sin of an angle times every node; work (N + 1,)."""
    N, S = len(inner), len(cos)
    for i in range(N):
        work[i] = angle * inner[i]
    work[N] = angle
    turn(work, cos, sin)
    at_one, sin_one = cos[N], sin[N]
    for i in range(N):
        cos[N + i] = at_one * cos[i] - sin_one * sin[i]
        sin[N + i] = sin_one * cos[i] + at_one * sin[i]
    for start in range(2 * N, S, N):
        for i in range(start, start + N):
            c, s = cos[i - N], sin[i - N]
            cos[i] = c * c - s * s
            sin[i] = 2 * c * s


@compiled_inline
def _add_log(power: float, p: float, mean: Array, log: Array, slope: Array) -> None:
    """Add power ln(1 + p (mean - 1)) to ``log``; fill in its derivative by the mean.

    Real and imaginary parts are rows: mean, log and slope have shape (2, S).
    """
    S = mean.shape[1]
    largest = 0.0
    for k in range(S):
        x, y = p * (mean[0, k] - 1), p * mean[1, k]
        largest = max(largest, x * x + y * y)
    largest = math.sqrt(largest)
    for k in range(S):
        x, y = 1 + p * (mean[0, k] - 1), p * mean[1, k]
        square = power * p / (x * x + y * y)
        slope[0, k], slope[1, k] = x * square, -y * square
    if largest > _SERIES:
        for k in range(S):
            x, y = 1 + p * (mean[0, k] - 1), p * mean[1, k]
            log[0, k] += power * math.log(x * x + y * y) / 2
            log[1, k] += power * math.atan2(y, x)
        return
    terms, ratio = 1, (largest / (2 - largest)) ** 2
    term = ratio
    while term > _OMITTED:
        term *= ratio
        terms += 1
    for k in range(S):
        x, y = p * (mean[0, k] - 1), p * mean[1, k]
        scale = 1 / ((2 + x) ** 2 + y * y)
        a, b = (x * (2 + x) + y * y) * scale, 2 * y * scale
        c, d = a * a - b * b, 2 * a * b
        re, im = 1.0 / (2 * terms + 1), 0.0
        for j in range(terms - 1, -1, -1):
            re, im = re * c - im * d + 1.0 / (2 * j + 1), re * d + im * c
        log[0, k] += 2 * power * (a * re - b * im)
        log[1, k] += 2 * power * (a * im + b * re)


@compiled_inline
def _moments(x: complex, ends: Array, jumps: Array, raw: Array) -> tuple[complex, complex, complex]:
    """Return ⟨e^{xv}⟩, ⟨v e^{xv}⟩ and ⟨v² e^{xv}⟩."""
    zero, one, two = 0j, 0j, 0j
    if x.real * x.real + x.imag * x.imag < _SMALL**2:
        power = 1 + 0j
        for j in range(5):
            zero += raw[j] * power
            one += raw[j + 1] * power
            two += raw[j + 2] * power
            power *= x / (j + 1)
        return zero, one, two
    for e in range(len(ends)):
        size = jumps[e] * math.exp(min(ends[e] * x.real, _LARGEST_EXPONENT))
        top = complex(size * math.cos(ends[e] * x.imag), size * math.sin(ends[e] * x.imag))
        zero += top
        one += ends[e] * top
        two += ends[e] * ends[e] * top
    zero /= x
    one = (one - zero) / x
    return zero, one, (two - 2 * one) / x


@compiled
def integrate(
    y: Array, weights: Array, ends: Array, jumps: Array, raw: Array,
    others: Array, p: Array, none: Array, one: Array,
    b: Array, gain: Array, silent: Array, active: Array,
    unit: Array, abscissa: float, inner: Array, omega: Array, domega: Array,
    waves: Array, parts: Array, slope: Array,
) -> None:  # fmt: skip
    """Add up the integrals of each group, and their derivatives.

    Parameters
    ----------
    y : ndarray, shape (K, K, Z)
        Interference of each group by each.
    weights : ndarray, shape (Z,)
        Their probabilities.
    ends, jumps : ndarray, shape (E,)
        Where the density of v falls, and by how much.
    raw : ndarray, shape (7,)
        Moments of v.
    others, one : ndarray, shape (K, K)
        Other features of each group that each sees; probability that one of them only is active.
    p, none, b, gain, silent, active : ndarray, shape (K,)
        Frequency, probability that no other is active, bias, r², weights of the costs of silent
        and active features.
    unit, abscissa, inner, omega, domega : ndarray, shapes (K,), (), (N,), (S,), (S,)
        The rule of each group: s = unit (abscissa + i ω); ω in [0, 1] first.
    waves : ndarray, shape (E, K, Z, 2, S)
        Workspace.
    parts : ndarray, shape (K, 5)
        Filled in: the cost, its derivatives by b and gain, the largest ln |M(s)| and ln |M(-s)|.
    slope : ndarray, shape (K, K, Z)
        Filled in: the derivative of the cost by y, over the weights.
    """
    K, _, Z = y.shape
    N, S, E = len(inner), len(omega), len(ends)
    work = np.empty(N + 1)
    size = np.empty((E, K, Z))
    # Of e^{sS} and e^{-sS}: means (re, im), derivatives of the logarithm, logarithms, products.
    mean, log_slope = np.empty((2, K, 2, S)), np.empty((2, K, 2, S))
    log, M = np.empty((2, 2, S)), np.empty((2, 2, S))
    turned, back = np.empty((2, 2, S)), np.empty((2, 2, S))
    columns = np.empty((4, 2, S))
    for g in range(K):
        u = unit[g]
        c = abscissa * u
        for side in range(2):
            for k in range(S):
                log[side, 0, k] = log[side, 1, k] = 0.0
        for h in range(K):
            _fill_means(h, y[g, h], weights, ends, jumps, u, c, inner, omega, waves, size, mean,
                        work)  # fmt: skip
            for side in range(2):
                if others[g, h] > 0:
                    _add_log(others[g, h], p[h], mean[side, h], log[side], log_slope[side, h])
                else:
                    for k in range(S):
                        log_slope[side, h, 0, k] = log_slope[side, h, 1, k] = 0.0
        loss = by_b = by_gain = 0.0
        for side in range(2):
            turn(log[side, 1], turned[side, 0], turned[side, 1])
            largest = log[side, 0, 0]
            for k in range(S):
                largest = max(largest, log[side, 0, k])
                M_size = math.exp(min(log[side, 0, k], _LARGEST_LOG))
                M[side, 0, k] = M_size * turned[side, 0, k]
                M[side, 1, k] = M_size * turned[side, 1, k]
            parts[g, 3 + side] = largest
        for k in range(S):
            s = complex(c, u * omega[k])
            ds = 2 * u * domega[k]
            up, down = complex(M[0, 0, k], M[0, 1, k]), complex(M[1, 0, k], M[1, 1, k])
            few = complex(none[g], 0.0)
            for h in range(K):
                few += one[g, h] * complex(mean[0, h, 0, k], mean[0, h, 1, k])
            phase = complex(math.cos(s.imag * b[g]), math.sin(s.imag * b[g]))
            rest = up - few
            off = ds * math.exp(c * b[g]) * phase / (s * s * s)
            loss += silent[g] * (off * rest).real
            by_b += silent[g] * (s * off * rest).real
            first, second, third = _moments(-s * gain[g], ends, jumps, raw)
            tilt = ds * math.exp(-c * b[g]) * phase.conjugate() / s
            below = tilt * (first / s + second) / s
            rest = down - none[g]
            loss -= active[g] * (below * rest).real
            by_b += active[g] * (s * below * rest).real
            by_gain += active[g] * (tilt * (second / s + third) * rest).real
            push, pull = silent[g] * off, -active[g] * below
            turned[0, 0, k], turned[0, 1, k] = push.real, push.imag
            push, pull = push * up, pull * down
            back[0, 0, k], back[0, 1, k] = push.real, push.imag
            back[1, 0, k], back[1, 1, k] = pull.real, pull.imag
        parts[g, 0], parts[g, 1], parts[g, 2] = loss, by_b, by_gain
        for h in range(K):
            for side in range(2):
                sign = 1 - 2 * side
                lone = one[g, h] * (1 - side)
                for k in range(S):
                    # By the mean, a sum of e^{±s y end}/(± s y): as it is, and over ±s.
                    x, i = log_slope[side, h, 0, k], log_slope[side, h, 1, k]
                    re = back[side, 0, k] * x - back[side, 1, k] * i - lone * turned[0, 0, k]
                    im = back[side, 0, k] * i + back[side, 1, k] * x - lone * turned[0, 1, k]
                    w = u * omega[k]
                    scale = sign / (c * c + w * w)
                    columns[2 * side, 0, k], columns[2 * side, 1, k] = re, -sign * im
                    columns[2 * side + 1, 0, k] = (re * c + im * w) * scale
                    columns[2 * side + 1, 1, k] = -sign * (im * c - re * w) * scale
            _sum_back(y[g, h], u, c, ends, jumps, raw, omega, waves[:, h], size[:, h], columns,
                      slope[g, h])  # fmt: skip


@compiled_inline
def _fill_means(
    h: int, y: Array, weights: Array, ends: Array, jumps: Array, u: float, c: float, inner: Array,
    omega: Array, waves: Array, size: Array, mean: Array, work: Array,
) -> None:  # fmt: skip
    """Fill in ⟨e^{±s y v}⟩ of group h at every node; keep cos, sin and e^{c y end}."""
    S = len(omega)
    flat = 0.0
    for e in range(len(ends)):
        if ends[e] == 0:
            for z in range(len(y)):
                flat += jumps[e] * weights[z] / y[z]
    for side in range(2):
        for k in range(S):
            mean[side, h, 0, k], mean[side, h, 1, k] = flat, 0.0
    for e in range(len(ends)):
        if ends[e] == 0:
            continue
        for z in range(len(y)):
            cos, sin = waves[e, h, z, 0], waves[e, h, z, 1]
            _wave(ends[e] * u * y[z], inner, work, cos, sin)
            power = max(min(ends[e] * c * y[z], _LARGEST_EXPONENT), -_LARGEST_EXPONENT)
            size[e, h, z] = math.exp(power)
            share = jumps[e] * weights[z] / y[z]
            rise, fall = share * size[e, h, z], share / size[e, h, z]
            for k in range(S):
                mean[0, h, 0, k] += rise * cos[k]
                mean[0, h, 1, k] += rise * sin[k]
                mean[1, h, 0, k] += fall * cos[k]
                mean[1, h, 1, k] -= fall * sin[k]
    for side in range(2):
        sign = 1 - 2 * side
        for k in range(S):  # divided by ±s
            w = u * omega[k]
            scale = sign / (c * c + w * w)
            re, im = mean[side, h, 0, k], mean[side, h, 1, k]
            mean[side, h, 0, k] = (re * c + im * w) * scale
            mean[side, h, 1, k] = (im * c - re * w) * scale


@compiled_inline
def _sum_back(
    y: Array, u: float, c: float, ends: Array, jumps: Array, raw: Array, omega: Array,
    waves: Array, size: Array, columns: Array, slope: Array,
) -> None:  # fmt: skip
    """Add up over the nodes the derivative of the cost by each y, from that by the means."""
    S = len(omega)
    flat = 0.0
    for k in range(S):
        flat += columns[1, 0, k] + columns[3, 0, k]
    for z in range(len(y)):
        if abs(y[z]) * u < _SMALL_ANGLE:  # digits cancel in the difference: use the series
            linear = square = 0.0
            for k in range(S):
                w = u * omega[k]
                re, im = columns[0, 0, k] - columns[2, 0, k], -columns[0, 1, k] - columns[2, 1, k]
                linear += re * c - im * w
                re, im = columns[0, 0, k] + columns[2, 0, k], -columns[0, 1, k] + columns[2, 1, k]
                square += re * (c * c - w * w) - 2 * im * c * w
            slope[z] = raw[1] * linear + raw[2] * square * y[z]
            continue
        first = second = 0.0
        for e in range(len(ends)):
            if ends[e] == 0:
                second += jumps[e] * flat
                continue
            cos, sin = waves[e, z, 0], waves[e, z, 1]
            up = down = up_over = down_over = 0.0
            for k in range(S):
                up += columns[0, 0, k] * cos[k] + columns[0, 1, k] * sin[k]
                up_over += columns[1, 0, k] * cos[k] + columns[1, 1, k] * sin[k]
                down += columns[2, 0, k] * cos[k] + columns[2, 1, k] * sin[k]
                down_over += columns[3, 0, k] * cos[k] + columns[3, 1, k] * sin[k]
            first += jumps[e] * ends[e] * (up * size[e, z] + down / size[e, z])
            second += jumps[e] * (up_over * size[e, z] + down_over / size[e, z])
        slope[z] = (first - second / y[z]) / y[z]


@compiled
def see_one(
    y: Array, weights: Array, first: NDArray[Any], second: NDArray[Any], b: Array, seen: Array,
    ends: Array, jumps: Array, raw: Array, by_b: Array, by_y: Array,
) -> float:  # fmt: skip
    """Add up Σ seen_gh ⟨ReLU(b_g + y v)²⟩, the cost of one other active feature to a silent one.

    Parameters
    ----------
    y : ndarray, shape (P, Z)
        Interference of each pair of groups.
    weights, first, second, b, seen, ends, jumps, raw : ndarray
        Shapes (Z,), (P,), (P,), (K,), (K, K), (E,), (E,), (7,).
    by_b, by_y : ndarray, shapes (K,), (P, Z)
        Derivatives: added to.
    """
    total = 0.0
    for i in range(len(y)):
        g, h = first[i], second[i]
        for side in range(1 if g == h else 2):
            here, there = (h, g) if side else (g, h)
            for z in range(y.shape[1]):
                t, share = y[i, z], seen[here, there] * weights[z]
                if abs(t) < _SMALL_INPUT:
                    middle = max(b[here] + raw[1] * t, 0.0)
                    total += share * middle**2
                    by_b[here] += 2 * share * middle
                    by_y[i, z] += 2 * share * raw[1] * middle
                    continue
                cubes = squares = inside = 0.0
                for e in range(len(ends)):
                    output = max(b[here] + ends[e] * t, 0.0)
                    cubes += jumps[e] * output**3
                    squares += jumps[e] * output**2
                    inside += ends[e] * jumps[e] * output**2
                square = cubes / (3 * t)
                total += share * square
                by_b[here] += share * squares / t
                by_y[i, z] += share * (inside - square) / t
    return total


@compiled
def gegenbauer_means(m: float, x: Array, weights: Array, means: Array, slopes: Array) -> None:
    """Fill in ⟨P_k(x)⟩ and its derivative by each x, for P_k of the sphere in R^m, P_k(1) = 1.

    Parameters
    ----------
    x, weights : ndarray, shapes (P, Z), (Z,)
        Overlaps of each pair in [-1, 1], and their probabilities.
    means, slopes : ndarray, shapes (D, P), (D, P, Z)
        Degrees 1 to D.
    """
    D, P, Z = slopes.shape
    for i in range(P):
        for k in range(D):
            means[k, i] = 0.0
        for z in range(Z):
            t = x[i, z]
            # P_k' = k (k + m - 2)/(m - 1) times P_{k-1} of the sphere in R^(m+2).
            before, value, upper, above = 1.0, t, 0.0, 1.0
            for k in range(1, D + 1):
                means[k - 1, i] += weights[z] * value
                slopes[k - 1, i, z] = k * (k + m - 2) / (m - 1) * weights[z] * above
                before, value = value, ((2 * k + m - 2) * t * value - k * before) / (k + m - 2)
                j = k - 1
                upper, above = above, ((2 * j + m) * t * above - j * upper) / (j + m)
