"""Gegenbauer polynomials with exact coefficients, and exact proofs of polynomial inequalities.

``gegenbauer(m, degree)`` returns those of the sphere in R^m, normalised to 1 at t = 1: the
positive-definite functions of t = u·v. ``is_nonpositive(polynomial, low, high)`` proves p(t) <= 0
on an interval in rational arithmetic. Polynomials are lists of ``Fraction``, the constant first.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from math import comb, gcd, lcm

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.checks import check_integer

Polynomial = Sequence[Fraction]


@lru_cache(maxsize=256)
def gegenbauer(m: int, degree: int) -> tuple[tuple[Fraction, ...], ...]:
    """Return P_0 … P_degree for the sphere in R^m, with P_k(1) = 1.

    (k + m - 2) P_{k+1} = (2k + m - 2) t P_k - k P_{k-1}. Schoenberg (1942): for unit vectors u_i in
    R^m every matrix P_k(u_i·u_j) is positive semidefinite.

    Parameters
    ----------
    m : int
        Dimension, >= 2.
    degree : int
        Highest degree.

    Returns
    -------
    tuple of tuple of Fraction
        Coefficients of each polynomial, the constant first.

    Examples
    --------
    >>> [[str(c) for c in p] for p in gegenbauer(3, 2)]
    [['1'], ['0', '1'], ['-1/2', '0', '3/2']]
    """
    m, degree = check_integer("m", m, 2), check_integer("degree", degree, 0)
    found = [(Fraction(1),), (Fraction(0), Fraction(1))]
    for k in range(1, degree):
        low, high = found[k - 1], found[k]
        scale = Fraction(1, k + m - 2)
        following = [Fraction(0), *(c * (2 * k + m - 2) * scale for c in high)]
        for place, c in enumerate(low):
            following[place] -= k * c * scale
        found.append(tuple(following))
    return tuple(found[: degree + 1])


def evaluate_gegenbauer(m: float, degree: int, t: ArrayLike) -> NDArray[np.float64]:
    """Return P_0(t) … P_degree(t), one row for each degree, by the recurrence.

    Examples
    --------
    >>> evaluate_gegenbauer(3, 2, [1.0, 0.0])
    array([[ 1. ,  1. ],
           [ 1. ,  0. ],
           [ 1. , -0.5]])
    """
    degree = check_integer("degree", degree, 0)
    t = np.atleast_1d(np.asarray(t, dtype=np.float64))
    out = np.ones((degree + 1, t.size))
    if degree:
        out[1] = t
    for k in range(1, degree):
        out[k + 1] = ((2 * k + m - 2) * t * out[k] - k * out[k - 1]) / (k + m - 2)
    return out


def combine(m: int, coefficients: Sequence[Fraction]) -> list[Fraction]:
    """Return Σ_k a_k P_k as a polynomial in t.

    Examples
    --------
    >>> [str(c) for c in combine(3, [Fraction(1, 3), Fraction(0), Fraction(2, 3)])]
    ['0', '0', '1']
    """
    if not coefficients:
        raise ValueError("coefficients is empty: give at least a_0")
    total = [Fraction(0)] * len(coefficients)
    for a, p in zip(coefficients, gegenbauer(m, len(coefficients) - 1), strict=True):
        for place, c in enumerate(p):
            total[place] += a * c
    return total


def is_nonpositive(polynomial: Polynomial, low: Fraction, high: Fraction, depth: int = 60) -> bool:
    """Prove p(t) <= 0 for all low <= t <= high, in rational arithmetic.

    On an interval a polynomial lies between its least and largest Bernstein coefficients, and the
    first and the last are its values at the ends. Intervals are halved until the coefficients prove
    each of them or an end refutes the claim.

    Parameters
    ----------
    polynomial : sequence of Fraction
        Coefficients, the constant first.
    low, high : Fraction
        Ends of the interval.
    depth : int
        Halvings after which to give up (a double zero inside the interval cannot be proved).

    Returns
    -------
    bool
        True if it is proved; False if it is wrong or could not be proved.

    Examples
    --------
    >>> square = [Fraction(-1, 4), Fraction(0), Fraction(1)]        # t² - 1/4
    >>> is_nonpositive(square, Fraction(-1, 2), Fraction(1, 2))
    True
    >>> is_nonpositive(square, Fraction(-1, 2), Fraction(51, 100))
    False
    """
    if len(polynomial) == 0 or high < low:
        raise ValueError(
            f"{len(polynomial)} coefficients on [{low}, {high}]: give at least one, and low <= high"
        )
    # Integer coefficients are exact and fast; only their signs count.
    exact = [Fraction(c) for c in polynomial]
    pieces = [(_bernstein(exact, Fraction(low), Fraction(high)), 0)]
    while pieces:
        piece, halvings = pieces.pop()
        if max(piece) <= 0:
            continue
        if piece[0] > 0 or piece[-1] > 0 or halvings == depth:
            return False
        left, right = _halve(piece)
        pieces += [(left, halvings + 1), (right, halvings + 1)]
    return True


def _bernstein(polynomial: Polynomial, low: Fraction, high: Fraction) -> list[int]:
    """Coefficients in the Bernstein basis of [low, high], times a positive integer."""
    degree = len(polynomial) - 1
    # Taylor coefficients about low, in units of the width: p(low + w s).
    shifted = list(polynomial)
    for k in range(degree):
        for place in range(degree - 1, k - 1, -1):
            shifted[place] += low * shifted[place + 1]
    width = high - low
    power = [c * width**k for k, c in enumerate(shifted)]
    coefficients = [
        sum((Fraction(comb(j, k), comb(degree, k)) * power[k] for k in range(j + 1)), Fraction(0))
        for j in range(degree + 1)
    ]
    common = lcm(*(c.denominator for c in coefficients))
    return [int(c * common) for c in coefficients]


def _halve(piece: list[int]) -> tuple[list[int], list[int]]:
    """Coefficients on either half, by de Casteljau's scheme, up to a positive factor."""
    degree = len(piece) - 1
    row, left, right = list(piece), [piece[0] << degree], [piece[-1] << degree]
    for k in range(1, degree + 1):
        row = [a + b for a, b in pairwise(row)]  # 2^k times the averages
        left.append(row[0] << (degree - k))
        right.append(row[-1] << (degree - k))
    right.reverse()
    return _reduce(left), _reduce(right)


def _reduce(piece: list[int]) -> list[int]:
    divisor = gcd(*piece) or 1
    return [c // divisor for c in piece]
