"""Reading combinations of items: the AND of two, and at least t of r, from sums of scores.

``recall_combinations`` gives the probability that one threshold separates every set of r items with
at least t on from every set with fewer, by drawing the order statistics of the exact joint law: its
cost depends neither on n nor on m. ``asymptotic_width`` has the leading order of the width for
these and for single items.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from theory.checks import MOST_DRAWS, as_generator, check_integer
from theory.computing.argument_kinds import check_kinds
from theory.computing.memory import check_memory
from theory.results import result

Place = Literal["best", "midpoint"]
Values = NDArray[np.float64]


@dataclass(frozen=True)
@result
class CombinationRecall:
    """How often every combination of r items is read correctly.

    Attributes
    ----------
    n, m, active : int
        Items, width, and items that are superposed.
    t, r : int
        At least t of r items are to be recognised.
    probability, stderr : float
        P(all sets are read correctly), with its standard error from the draws.
    asymptotic_width : float
        The width of the leading order.
    """

    n: int
    m: int
    active: int
    t: int
    r: int
    probability: float
    stderr: float
    asymptotic_width: float


@check_kinds
def recall_combinations(
    n: int,
    m: int,
    active: int,
    t: int = 2,
    r: int = 2,
    *,
    threshold: Place = "best",
    samples: int = 2**14,
    seed: int | np.random.Generator = 0,
) -> CombinationRecall:
    """Return the probability that every "at least t of r" is read correctly from sums of scores.

    A set of r items is read by the sum of its scores against one threshold; t = r = 2 is the AND of
    two items. Directions have independent normal entries of variance 1/m, all strengths are 1.

    Parameters
    ----------
    n, m, active : int
        Items, width, and items that are superposed; r <= active and r <= n - active.
    t, r : int
        At least t of r, 1 <= t <= r.
    threshold : {"best", "midpoint"}
        Whether some threshold must separate the sets of each state, or t - 1/2 must.
    samples : int
        Draws from the joint law of the scores.
    seed : int or Generator
        Seed of the draws.

    Returns
    -------
    CombinationRecall
        The probability with its standard error.

    Examples
    --------
    >>> found = recall_combinations(200, 250, 4)
    >>> abs(found.probability - 0.985) < 0.01
    True
    """
    r = check_integer("r", r)
    t = check_integer("t", t, 1, r)
    n, m = check_integer("n", n, 2), check_integer("m", m, 2)
    active = check_integer("active", active, r, n - r)
    samples = check_integer("samples", samples, 2, MOST_DRAWS)
    check_memory(f"active = {active}", 40.0 * min(_CHUNK, samples) * active, "give fewer")
    rng = as_generator(seed)
    hits = 0
    for start in range(0, samples, _CHUNK):
        count = min(_CHUNK, samples - start)
        on, lowest, highest, size = _draw_orders(rng, count, n, m, active, r)
        least = np.min([_head(on, j) + _head(lowest, r - j) for j in range(t, r + 1)], axis=0)
        falling = on[:, ::-1]
        most = np.max([_head(falling, j) + _head(highest, r - j) for j in range(t)], axis=0)
        if threshold == "best":
            hits += int(np.sum(least > most))
        else:
            hits += int(np.sum((least > (t - 0.5) / size) & (most < (t - 0.5) / size)))
    p = hits / samples
    # Of no hits, or hits only, one more would be as likely.
    inside = min(max(p, 1 / samples), 1 - 1 / samples)
    stderr = math.sqrt(inside * (1 - inside) / samples)
    width = asymptotic_width(n, active, t, r, threshold=threshold)
    return CombinationRecall(n, m, active, t, r, p, stderr, width)


_CHUNK = 4096


def _head(values: Values, count: int) -> Values:
    """Return the sum of the first ``count`` columns."""
    total: Values = values[:, :count].sum(axis=1)
    return total


def _draw_orders(
    rng: np.random.Generator, count: int, n: int, m: int, active: int, r: int
) -> tuple[Values, Values, Values, Values]:
    """Draw sorted scores of the items on, the r lowest and r highest of those off, all over σ; σ.

    The extremes of N uniform numbers come from N - 1, N - 2, …: each is the largest of those left.
    """
    R = np.sqrt(rng.chisquare(m, count))
    Z = rng.standard_normal((count, active))
    on = np.sort(R[:, None] / math.sqrt(active) + Z - Z.mean(axis=1, keepdims=True), axis=1)
    others = n - active
    below = np.zeros(count)
    highest = np.empty((count, r))
    for j in range(r):  # ln of the largest uniform number left
        below += np.log(rng.random(count)) / (others - j)
        highest[:, j] = -ndtri(-np.expm1(below))
    share = np.exp(below)  # the others are uniform below it
    above = np.zeros(count)
    lowest = np.empty((count, r))
    for j in range(r):
        left = others - r - j
        if left > 0:
            above += np.log(rng.random(count)) / left
            lowest[:, j] = ndtri(share * -np.expm1(above))
        else:  # fewer than 2 r items are off: some are among the highest
            lowest[:, j] = highest[:, others - 1 - j]
    size = math.sqrt(active) * R / m
    return on, np.sort(lowest, axis=1), highest, size


@check_kinds
def asymptotic_width(
    n: int, active: int, t: int = 1, r: int = 1, *, threshold: Place = "best"
) -> float:
    """Return the width from which on sets with at least t of r items on are told apart, at large n.

    Scores have the standard deviation σ = √(k/m); the lowest of the k that are on lies λ_1 σ below
    1, the highest of the others λ_0 σ above 0, λ_1 = √(2 ln k) and λ_0 = √(2 ln(n - k)). The lowest
    sum with t on exceeds the highest with t - 1 for m above k ((2t - 1) λ_1 + (2r - 2t + 1) λ_0)²;
    the midpoint lies between them above
    4 k max(t λ_1 + (r - t) λ_0, (t - 1) λ_1 + (r - t + 1) λ_0)².

    Parameters
    ----------
    n, active : int
        Items, and items that are on, 1 <= active < n.
    t, r : int
        At least t of r; 1 of 1 is a single item.
    threshold : {"best", "midpoint"}
        As in ``recall_combinations``.

    Returns
    -------
    float
        The width; corrections are relative and of the order of ln ln n/ln n.

    Examples
    --------
    >>> round(asymptotic_width(2000, 8), 1), round(asymptotic_width(2000, 8, 2, 2), 1)
    (282.0, 802.5)
    """
    n, r = check_integer("n", n, 2), check_integer("r", r)
    t = check_integer("t", t, 1, r)
    active = check_integer("active", active, 1, n - 1)
    on, off = math.sqrt(2 * math.log(active)), math.sqrt(2 * math.log(n - active))
    low = t * on + (r - t) * off  # how far the lowest sum with t on lies below t, over σ
    high = (t - 1) * on + (r - t + 1) * off
    if threshold == "best":
        return active * (low + high) ** 2
    return 4 * active * max(low, high) ** 2
