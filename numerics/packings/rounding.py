"""Rigorous coherence of given vectors: every number taken as the exact rational that it is.

``coherence_enclosure(vectors)`` returns an interval that contains the largest |t| of the lines that
the rows span, whatever their lengths: overlaps and lengths are exact sums of integers, and only the
last square root and division are rounded, outwards.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath as mp
import numpy as np
from numpy.typing import ArrayLike

from theory.checks import check_integer, check_numbers
from theory.computing.argument_kinds import check_kinds


@check_kinds
def coherence_enclosure(
    vectors: ArrayLike, imaginary: ArrayLike | None = None, digits: int = 30
) -> tuple[Any, Any]:
    """Return proven bounds, below and above, of the largest |t| of the lines given by rows.

    Parameters
    ----------
    vectors : array_like, shape (n, m)
        Rows of any length above 0.
    imaginary : array_like, shape (n, m), optional
        Their imaginary parts, for lines in C^m; ``vectors`` are then the real parts.
    digits : int
        Decimal digits of the interval arithmetic.

    Returns
    -------
    tuple of mpf
        Two numbers with the coherence between them; they differ in the last digits only.

    Raises
    ------
    ValueError
        If the matrix has fewer than two rows, a zero row, numbers that are not finite, or imaginary
        parts of another shape.

    Examples
    --------
    >>> low, high = coherence_enclosure(np.array([[1.0, 0.0], [1.0, 1.0]]))    # 1/√2
    >>> mp.nstr(low, 12), mp.nstr(high, 12)
    ('0.707106781187', '0.707106781187')
    """
    digits = check_integer("digits", digits, 1, 10_000)
    parts = [check_numbers("vectors", vectors)]
    if imaginary is not None:
        parts.append(check_numbers("imaginary", imaginary))
    U = parts[0]
    if U.ndim != 2 or len(U) < 2 or parts[-1].shape != U.shape:
        raise ValueError(
            f"vectors of shape {U.shape} (imaginary parts {parts[-1].shape}) have no coherence: "
            "give a matrix of two rows or more, and imaginary parts of the same shape"
        )
    for name, part in zip(("vectors", "imaginary"), parts, strict=False):
        if not np.isfinite(part).all():
            raise ValueError(f"{name} has NaN or infinity: give finite numbers")
    if not np.any(parts, axis=(0, 2)).all():
        raise ValueError("vectors have a row of zeros, which is no line: leave it out")
    exact = [[[Fraction(float(x)) for x in row] for row in part] for part in parts]
    scale = max(x.denominator for part in exact for row in part for x in row)
    whole = [[[int(x * scale) for x in row] for row in part] for part in exact]
    real, imaginary = whole[0], whole[-1] if len(whole) == 2 else None
    largest = Fraction(0)
    squares = []
    for i in range(len(U)):
        square = _dot(real[i], real[i])
        if imaginary is not None:
            square += _dot(imaginary[i], imaginary[i])
        squares.append(square)
        for j in range(i):
            overlap = _dot(real[i], real[j])
            across = 0
            if imaginary is not None:
                overlap += _dot(imaginary[i], imaginary[j])
                across = _dot(imaginary[i], real[j]) - _dot(real[i], imaginary[j])
            largest = max(largest, Fraction(overlap**2 + across**2, square * squares[j]))
    context = mp.iv
    before, context.dps = context.dps, digits
    try:
        inside = context.mpf(largest.numerator) / context.mpf(largest.denominator)
        found = context.sqrt(inside)
        with mp.workdps(digits + 5):  # no rounding of the ends
            return mp.mpf(found.a), mp.mpf(found.b)
    finally:
        context.dps = before


def _dot(u: list[int], v: list[int]) -> int:
    return sum(x * y for x, y in zip(u, v, strict=True))
