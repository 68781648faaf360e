"""The noise of counts at their ranks: dispersion between blocks of text, and the bias of sorting.

``fit_noise(blocks, counts)`` compares the variance of counts with that of independent draws,
``choose_last_rank`` finds the ranks that can be used, and ``find_excess`` by how much sorted counts
exceed the expectations of their ranks. ``empirical.counts.zipf.compare_zipf`` uses all three.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import linregress

from theory.rank_frequency.fits import RankLawFit, maximise
from theory.rank_frequency.laws import RankLaw
from theory.rank_frequency.zipf_exponent import (
    NOISE_WIDTHS,
    SMALLEST_COUNT,
    estimate_rank_excess,
    ranks_continue,
)

Array = NDArray[np.float64]

FEWEST_RANKS = 6  # twice the parameters of the broken power law

# Factor on the width of the noise when the last rank is chosen. ``ranks_continue`` is applied
# later, with the fitted exponent; with this room it holds in every draw of the counts.
_ROOM = 1.25


def dispersions(parts: Array) -> Array:
    """Return the variance of each count between blocks over that of independent draws.

    It is 1 for a count of 0.
    """
    counts, share = parts.sum(axis=0), parts.sum(axis=1) / parts.sum()
    square = np.sum((parts - np.outer(share, counts)) ** 2, axis=0)
    expected = counts * (1 - share @ share)
    ratio: Array = np.divide(square, expected, out=np.ones_like(counts), where=counts > 0)
    return ratio


def block_covariance(fit: RankLawFit, parts: Array) -> Array:
    """Return the covariance of a fit's theta from the scatter of the scores of blocks.

    The sandwich estimate (White, Econometrica 50, 1, 1982) with blocks of text as the sample: it
    holds though words come in bursts, and though the law is not quite right.

    Parameters
    ----------
    fit : RankLawFit
        A fit to the sum of the blocks.
    parts : ndarray, shape (k, last - first + 1)
        Counts of each block at the ranks fitted, k >= 2.
    """
    scores = fit.score(parts)
    totals = parts.sum(axis=1, keepdims=True)
    scores = scores - totals * scores.sum(axis=0) / totals.sum()
    spread = scores.T @ scores * len(parts) / (len(parts) - 1)
    covariance: Array = fit.covariance @ spread @ fit.covariance
    return covariance


def fit_noise(parts: Array, falling: Array) -> tuple[float, float]:
    """Return (φ at a count of 1, κ) of the dispersion φ ∝ count^κ between blocks; (1, 0) without.

    A straight line through logarithms of means over octaves of ranks, down to the smallest count
    that can be used.
    """
    usable = int(np.sum(falling >= SMALLEST_COUNT))
    edges = [0, *(2**k for k in range(2, 60) if 2**k < usable), usable]
    if not len(parts) or len(edges) < 3:
        return 1.0, 0.0
    values = dispersions(parts)
    means = [
        (np.log(falling[low:high].mean()), np.log(values[low:high].mean()))
        for low, high in itertools.pairwise(edges)
    ]
    line = linregress(*np.transpose(means))
    growth = float(np.clip(line.slope, 0, 1))
    x, y = np.mean(means, axis=0)
    return math.exp(y - growth * x), growth


def noise_at(c: ArrayLike, noise: tuple[float, float]) -> Array:
    """Return φ at these counts."""
    spread: Array = np.maximum(1.0, noise[0] * np.maximum(c, 1) ** noise[1])
    return spread


def choose_last_rank(falling: Array, noise: tuple[float, float]) -> int:
    """Return the last rank where a count is large against its noise and the list goes on.

    If the dispersion between blocks leaves too few ranks, that of independent draws is used; if
    that does, too, all positive counts are used.
    """
    n = falling.size
    counts, rank = np.maximum(falling, 1), np.arange(1, n + 1)
    # The exponent between half the rank and the rank; no law has been fitted yet.
    half = (rank + 1) // 2
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = np.log(counts[half - 1] / counts) / np.log(rank / half)
    exponent[:1] = exponent[1:2]
    for spread in (noise_at(falling, noise), np.ones(n)):
        with np.errstate(divide="ignore"):
            width = np.sqrt(spread / counts) / exponent
        goes_on = rank * (1 + _ROOM * NOISE_WIDTHS * width) <= n
        good = np.flatnonzero((falling >= SMALLEST_COUNT * spread) & goes_on)
        if good.size and good[-1] + 1 >= FEWEST_RANKS:
            return int(good[-1]) + 1
    positive = int(np.sum(falling > 0))
    return positive if positive >= FEWEST_RANKS else n


def find_excess(c: Array, first: int, last: int, n: int, noise: tuple[float, float]) -> Array:
    """Return by how much counts exceed the expectations of their ranks; 0 where not known."""
    laws: tuple[RankLaw, ...] = ("zipf_mandelbrot", "broken_power_law")
    best = max((maximise(law, c, first) for law in laws), key=lambda fit: fit.log_likelihood)
    slope, spread = np.asarray(best.exponent(best.ranks)), noise_at(c, noise)
    known = ranks_continue(float(c[-1]), float(slope[-1]), last, n, float(spread[-1]))
    if not known or np.any(c * slope**2 < spread):
        return np.zeros(c.size)
    growth = noise[1] if spread[-1] > 1 else 0.0
    return np.minimum(estimate_rank_excess(slope, spread, growth), c)
