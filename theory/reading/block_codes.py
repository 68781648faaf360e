"""Sparse block codes: one unit on in each of Q modules of K units (as in Sparsey).

Two random codes share Binomial(Q, 1/K) units; the union of k codes has a unit on with probability
1 - (1 - 1/K)^k. ``overlap_law``, ``union_law`` and ``false_match`` are these laws,
``recall_block_codes`` the probability that an item outside a union is read as in it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from theory.checks import check_integer
from theory.computing.memory import check_memory

_STEP = 1e-4  # of ln(share of matching codes), in the law of that share
_FEWEST = 1e-12  # probability of shares that are left out
_ALL = 750.0  # some unit is off with a probability of at most exp(-750) = 0 from here on
_MOST_STEPS = 10**9


def overlap_law(blocks: int, units: int) -> NDArray[np.float64]:
    """Return the law of the number of units that two independent codes share.

    Parameters
    ----------
    blocks, units : int
        Modules Q, and units K in each.

    Returns
    -------
    ndarray, shape (blocks + 1,)
        Binomial(Q, 1/K).

    Examples
    --------
    >>> overlap_law(2, 4)
    array([0.5625, 0.375 , 0.0625])
    """
    blocks, units = check_integer("blocks", blocks), check_integer("units", units)
    check_memory(f"blocks = {blocks}", 40.0 * blocks, "give fewer")
    law: NDArray[np.float64] = binom.pmf(np.arange(blocks + 1), blocks, 1 / units)
    return law


def union_law(units: int, active: int) -> NDArray[np.float64]:
    """Return the law of the number of units that are on in a module of the union of k codes.

    Parameters
    ----------
    units, active : int
        Units K of a module, and codes k in the union.

    Returns
    -------
    ndarray, shape (units + 1,)
        The occupancy law of k balls in K boxes; its mean is K (1 - (1 - 1/K)^k).

    Examples
    --------
    >>> union_law(3, 2).round(4)
    array([0.    , 0.3333, 0.6667, 0.    ])
    """
    units, active = check_integer("units", units), check_integer("active", active)
    check_memory(f"units = {units}", 40.0 * units, "give fewer")
    law = np.zeros(units + 1)
    if active > units * (math.log(units) + _ALL):
        law[units] = 1.0
        return law
    if units * active > _MOST_STEPS:
        raise ValueError(
            f"units = {units} with active = {active} is too much work: give a product of at most "
            f"{_MOST_STEPS:.0e}"
        )
    law[0] = 1.0
    on = np.arange(units + 1) / units
    for _ in range(active):
        law = law * on + np.r_[0.0, (law * (1 - on))[:-1]]
    return law


def false_match(blocks: int, units: int, active: int, least: int | None = None) -> float:
    """Return the probability that a code outside a union of k codes matches it.

    Parameters
    ----------
    blocks, units, active : int
        Modules, units in each, codes in the union.
    least : int, optional
        Units that must be on for a match; by default all of them.

    Returns
    -------
    float
        The tail from ``least`` on of Binomial(Q, 1 - (1 - 1/K)^k).

    Examples
    --------
    >>> round(false_match(10, 8, 3), 8)
    1.535e-05
    """
    blocks, units = check_integer("blocks", blocks), check_integer("units", units)
    active = check_integer("active", active)
    least = blocks if least is None else check_integer("least", least, 0, blocks)
    on = -math.expm1(active * math.log1p(-1 / units)) if units > 1 else 1.0
    return float(binom.sf(least - 1, blocks, on))


def recall_block_codes(n: int, m: int, active: int, blocks: int) -> float:
    """Return P(some of the n - k codes outside the union of k matches it in all its units).

    Given the union, a code matches with probability Π_q U_q/K, U_q the units on in module q; the
    others are independent of each other. The law of that product is the convolution of those of
    ln U_q/K on a grid of steps 1e-4.

    Examples
    --------
    >>> 0 < recall_block_codes(1000, 100, 3, 10) < 1000 * false_match(10, 10, 3)
    True
    """
    units = m // blocks
    law = union_law(units, active)
    on = np.flatnonzero(law > 0)
    steps = np.rint(-np.log(on / units) / _STEP).astype(np.int64)
    # Sums of Q independent numbers of steps: the power of their characteristic function.
    length = 1 << math.ceil(math.log2(blocks * int(steps.max(initial=0)) + 1))
    check_memory(f"blocks = {blocks}", 64.0 * length, "give fewer")
    pmf = np.bincount(steps, law[on], minlength=length)
    total = np.fft.irfft(np.fft.rfft(pmf) ** blocks, length) if length > 1 else pmf
    share = np.exp(-_STEP * np.arange(total.size))
    kept = total > _FEWEST
    with np.errstate(divide="ignore"):
        some = -np.expm1((n - active) * np.log1p(-share[kept]))
    return float(np.clip(total[kept] @ some, 0.0, 1.0))
