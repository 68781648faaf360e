"""Sums of the frequency laws over ranks a..b, without cancellation, for any n.

``power_sum``, ``geometric_sum`` and ``arithmetic_sum`` are for numbers; ``PowerSum`` of
``theory.regimes.power_sums`` is for sympy expressions.

A tail as a difference of two zeta functions, zeta(s, a) - zeta(s, b + 1), loses every digit once
b - a << b. ``power_sum`` instead adds the first terms directly and the rest by the midpoint
Euler-Maclaurin formula. Its integral is written with ``exprel``, so that s = 1, s < 1 and
b -> infinity need no special case and nothing cancels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import exprel

Array = NDArray[np.float64]

# Coefficients of the midpoint Euler-Maclaurin formula, B_{2j}(1/2) / (2j)!, exactly.
_MIDPOINT = (
    -1 / 24,
    7 / 5760,
    -31 / 967680,
    127 / 154828800,
    -73 / 3503554560,
    1414477 / 2678117105664000,
    -8191 / 612141052723200,
)


# Terms added directly before the formula: with seven corrections this gives full precision at any
# s (for s ≫ 16 the first terms are the whole sum).
_DIRECT = 16


def _integral(s: Array, low: Array, high: Array) -> Array:
    """Integrate x^-s from low to high (high may be infinite when s > 1)."""
    with np.errstate(invalid="ignore", over="ignore"):
        log_ratio = np.log1p((high - low) / low)
        finite = low ** (1 - s) * log_ratio * exprel((1 - s) * log_ratio)
    with np.errstate(divide="ignore"):
        infinite = low ** (1 - s) / (s - 1)
    total: Array = np.where(np.isinf(high), infinite, finite)
    return total


def power_sum(s: ArrayLike, a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Sum i^-s over i = a, a + 1, ..., b (elementwise over the broadcast arguments).

    For real a it is the analytic continuation zeta(s, a) - zeta(s, b + 1).

    Parameters
    ----------
    s : array_like
        Exponent, >= 0 (> 1 where b is infinite).
    a, b : array_like
        First and last rank, a >= 1; b may be ``inf``. The sum is 0 where b < a.

    Returns
    -------
    ndarray
        The sums, float64, to about 14 digits.

    Examples
    --------
    >>> round(float(power_sum(2.0, 1, np.inf)) * 6 / np.pi**2, 14)
    1.0
    >>> power_sum(1.0, [1, 10**9], 10**9)       # H_n, and its last term alone
    array([2.13004815e+01, 1.00000000e-09])
    """
    s, a, b = np.broadcast_arrays(
        np.asarray(s, dtype=np.float64),
        np.asarray(a, dtype=np.float64),
        np.asarray(b, dtype=np.float64),
    )
    head = np.zeros(s.shape)
    for k in range(_DIRECT):
        head += np.where(a + k <= b, (a + k) ** -s, 0.0)
    rest = a + _DIRECT <= b
    low = a + _DIRECT - 0.5
    high = np.where(rest, b, a + _DIRECT) + 0.5
    tail = _integral(s, low, high) + _corrections(s, low) - _corrections(s, high)
    return head + np.where(rest, tail, 0.0)


def power_slope(s: ArrayLike, a: ArrayLike) -> NDArray[np.float64]:
    """Return s Σ_{i>=a} i^-(s+1), minus the slope of ``power_sum`` in a, for any s >= 0.

    The sum diverges as 1/s for s → 0; the product tends to 1 and keeps its digits.

    Examples
    --------
    >>> power_slope([0.0, 1e-15, 1.0], 1).round(12)
    array([1.        , 1.        , 1.64493407])
    """
    s, a = np.broadcast_arrays(np.asarray(s, dtype=np.float64), np.asarray(a, dtype=np.float64))
    head = np.zeros(s.shape)
    for k in range(_DIRECT):
        head += (a + k) ** (-s - 1)
    low = a + _DIRECT - 0.5
    # s times the integral of x^-(s+1) from low on is low^-s.
    total: Array = s * (head + _corrections(s + 1, low)) + low**-s
    return total


def _corrections(s: Array, x: Array) -> Array:
    """End-point terms of the midpoint Euler-Maclaurin formula for x^-s."""
    total, rising = np.zeros(s.shape), s.copy()  # s (s+1) ... (s+2j-2)
    with np.errstate(over="ignore", invalid="ignore"):
        for j, coefficient in enumerate(_MIDPOINT, start=1):
            power = x ** (-s - 2 * j + 1)
            total += np.where(power > 0, coefficient * rising * power, 0.0)
            rising = rising * (s + 2 * j - 1) * (s + 2 * j)
    return total


def geometric_sum(rate: ArrayLike, a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Sum exp(-rate (i - 1)) over i = a..b (the first rank has weight 1); 0 where b < a.

    Examples
    --------
    >>> float(geometric_sum(np.log(2), 1, 3))       # 1 + 1/2 + 1/4
    1.75
    """
    rate, a, b = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (rate, a, b)))
    count = np.maximum(b - a + 1, 0.0)
    total: Array = np.exp(-rate * (a - 1)) * np.expm1(-rate * count) / np.expm1(-rate)
    return total


def arithmetic_sum(power: int, n: ArrayLike, a: ArrayLike) -> NDArray[np.float64]:
    """Sum (n + 1 - i)^power over i = a..n, for power 1 or 2; 0 where n < a.

    Examples
    --------
    >>> float(arithmetic_sum(1, 4, 3)), float(arithmetic_sum(2, 4, 1))
    (3.0, 30.0)
    """
    k = np.maximum(np.asarray(n, dtype=np.float64) + 1 - np.asarray(a, dtype=np.float64), 0.0)
    total: Array = k * (k + 1) / 2 if power == 1 else k * (k + 1) * (2 * k + 1) / 6
    return total
