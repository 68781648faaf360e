"""Frequencies of a law up to a constant: weights w_i at ranks i, and sums of their powers.

``Frequencies`` scales them to the sum E. ``weight`` and ``weight_sum`` are for the laws in closed
form, ``tail_sums`` for a list.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.checks import read_only
from theory.sums import arithmetic_sum, geometric_sum, power_sum

_ROUNDING = 1e-12  # of a density that was computed from p_1 = 1


def weight(
    law: str, parameter: float | None, n: int, i: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return w_i: i^-alpha, e^(-(i - 1)/scale) or n + 1 - i.

    Examples
    --------
    >>> weight("linear", None, 5, np.array([1.0, 5.0]))
    array([5., 1.])
    """
    if law == "power_law":
        return i ** -np.float64(parameter)
    if law == "exponential":
        return np.exp(-(i - 1) / np.float64(parameter))
    return n + 1.0 - i


def weight_sum(
    law: str, parameter: float | None, n: int, power: int, a: ArrayLike
) -> NDArray[np.float64]:
    """Return Σ_{i >= a} w_i^power, without cancellation.

    Examples
    --------
    >>> float(weight_sum("linear", None, 5, 1, 4))
    3.0
    """
    if law == "power_law":
        return power_sum(power * np.float64(parameter), a, n)
    if law == "exponential":
        return geometric_sum(power / np.float64(parameter), a, n)
    return arithmetic_sum(power, n, a)


def tail_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Σ_{i > r} of a list for r = 0..n, added from the smallest.

    Examples
    --------
    >>> tail_sums(np.array([2.0, 1.0]))
    array([3., 1., 0.])
    """
    rising = np.cumsum(values[::-1], dtype=np.longdouble)[::-1]
    return read_only(np.append(rising, 0.0).astype(np.float64))


def check_density(density: float, largest: float) -> None:
    """Refuse a density above ``largest``, the one that puts p_1 at 1.

    Examples
    --------
    >>> check_density(1.0, 2.0)
    """
    if density > largest * (1 + _ROUNDING):
        raise ValueError(
            f"density = {density:g} would put the top frequency p_1 at {density / largest:.6g}, "
            f"above 1: the largest density possible here is {_below(largest)}"
        )


def _below(value: float) -> str:
    """Write a positive number to six digits, rounded down, so that it may be typed back in."""
    text = f"{value:.6g}"
    if float(text) > value:
        text = f"{float(text) - 10.0 ** (np.floor(np.log10(value)) - 5):.6g}"
    return text
