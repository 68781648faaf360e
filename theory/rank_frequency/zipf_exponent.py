"""The Zipf exponent of a list of counts, by maximum likelihood, over a range of ranks.

``fit_zipf`` fits it. ``estimate_rank_excess`` says by how much sorted counts exceed the
expectations of their ranks, because both come from the same draws. Predictions need neither:
``Frequencies.from_counts`` takes the counts as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from theory.checks import check_finite, check_integer
from theory.computing.argument_kinds import check_kinds
from theory.results import result

_STEEPEST = 60.0  # largest exponent that is searched

# Counts below this are too noisy for the first order of ``estimate_rank_excess``.
SMALLEST_COUNT = 10

# Standard deviations of the noise, in ranks, by which the list must go on beyond the last rank.
# At two, 2 % of the noise at that rank would come from features beyond the end of the list.
NOISE_WIDTHS = 2.0


@dataclass(frozen=True)
@result
class ZipfFit:
    """Maximum-likelihood exponent of p_i ∝ i^-alpha over ranks first..last.

    Attributes
    ----------
    alpha : float
        The exponent (dimensionless).
    stderr : float
        Standard error if every occurrence is drawn independently from the law itself,
        1 / sqrt(N Var ln i); NaN for numbers that are not whole, which are no counts.
    n, total : int, float
        Ranks used and occurrences N counted.
    dispersion : float
        Pearson's chi-square per degree of freedom: at most about 1 when the counts do follow a
        power law (sorting removes part of the noise); far above 1 the law is wrong by more than
        chance, and ``stderr`` means little.
    first, last : int
        Ranks used, from 1.
    rank_bias : float
        Expected bias of ``alpha`` because the ranks come from the same counts (see
        ``estimate_rank_excess``): ``alpha - rank_bias`` is free of it to first order. NaN where
        that order does not hold: a count below 10, or a list that ends within two standard
        deviations of the noise at the last rank.
    """

    alpha: float
    stderr: float
    n: int
    total: float
    dispersion: float
    first: int = 1
    last: int = 0
    rank_bias: float = math.nan

    def to_dataframe(self) -> pd.DataFrame:
        """Return the fit as a table of one row."""
        return pd.DataFrame([vars(self)])

    def __str__(self) -> str:
        used = f"{self.n} ranks" if self.first == 1 else f"ranks {self.first} to {self.last}"
        return (
            f"Zipf exponent {self.alpha:.4f} ± {self.stderr:.2g} "
            f"(maximum likelihood, {used}, dispersion {self.dispersion:.3g})"
        )


@check_kinds
def fit_zipf(
    counts: ArrayLike, top: int | None = None, *, ranks: tuple[int, int] | None = None
) -> ZipfFit:
    """Fit p_i = i^-alpha / Σ i^-alpha to counts at a range of ranks, by maximum likelihood.

    The likelihood is that of N independent draws of a rank in the range; its score vanishes where
    the mean of ln i over the draws equals its mean under the law.

    Two biases are not in the standard error. The ranks come from the same counts: where the list
    goes on beyond the last rank, the exponent is too small, by ``rank_bias``; where a list is flat
    up to its end, it is too large. And features that were never seen are missing from the list,
    which makes the exponent of a long tail too small: give zero counts for features that are known
    to exist (they count as ranks), or stop at a rank with enough counts.

    Parameters
    ----------
    counts : array_like, shape (k,)
        Occurrences, >= 0, in any order; zeros take the last ranks.
    top : int, optional
        Use only this many of the most frequent: short for ``ranks=(1, top)``.
    ranks : (int, int), optional
        First and last rank to use, from 1; the order is that of all counts.

    Returns
    -------
    ZipfFit
        Exponent and standard error.

    Raises
    ------
    ValueError
        For negative or non-finite counts, fewer than three positive ones, counts too large to
        add up, or a range outside the list or shorter than 3.

    Examples
    --------
    >>> fit = fit_zipf(np.round(1e6 / np.arange(1, 1001)))
    >>> round(fit.alpha, 3)
    1.0
    >>> fit_zipf(1000 - np.arange(900), ranks=(101, 500)).last
    500
    """
    if top is not None:
        if ranks is not None:
            raise ValueError("give top or ranks, not both: top=k is ranks=(1, k)")
        ranks = (1, top)
    c, first, last = select_ranks(counts, ranks)
    log_rank = np.log(np.arange(first, last + 1))
    total = float(c.sum())
    observed = float(c @ log_rank) / total

    def law(alpha: float) -> NDArray[np.float64]:
        weights: NDArray[np.float64] = np.exp(-alpha * (log_rank - log_rank[0]))
        weights /= weights.sum()
        return weights

    def score(alpha: float) -> float:
        return float(law(alpha) @ log_rank) - observed

    # Sorted counts are never flatter than even, so the score is >= 0 at alpha = 0.
    if score(0.0) <= 0:
        alpha = 0.0
    elif score(_STEEPEST) >= 0:
        raise ValueError(f"the counts fall faster than rank^-{_STEEPEST:g}: no power law fits them")
    else:
        alpha = float(brentq(score, 0.0, _STEEPEST, xtol=1e-14, rtol=1e-14))
    p = law(alpha)
    mean = float(p @ log_rank)
    variance = float(p @ (log_rank - mean) ** 2)
    expected = total * p
    chi_square = float(np.sum(((c - expected) / np.sqrt(expected)) ** 2))
    whole = bool(np.all(c == np.floor(c)))
    stderr = 1 / float(np.sqrt(total * variance)) if whole else float("nan")
    bias = math.nan
    if whole and ranks_continue(c[-1], alpha, last, np.size(counts)):
        # The score at alpha is -Σ (c_i - N p_i)(ln i - mean): an excess of c_i moves it by this.
        excess = float(estimate_rank_excess(alpha))
        bias = -excess * float(np.sum(log_rank - mean)) / (total * variance)
    return ZipfFit(alpha, stderr, int(c.size), total, chi_square / (c.size - 2), first, last, bias)


def select_ranks(
    counts: ArrayLike, ranks: tuple[int, int] | None
) -> tuple[NDArray[np.float64], int, int]:
    """Return the counts at ranks first..last of all, in falling order, with first and last.

    Raises
    ------
    ValueError
        For what ``fit_zipf`` says.

    Examples
    --------
    >>> select_ranks([1, 8, 2, 0, 5], (2, 4))
    (array([5., 2., 1.]), 2, 4)
    """
    array = check_finite("counts", counts)
    if np.any(array < 0):
        raise ValueError(f"counts contain {array.min():g}: counts are at least 0")
    first, last = 1, array.size
    if ranks is not None:
        try:
            low, high = ranks
        except (TypeError, ValueError):
            raise TypeError(f"ranks = {ranks!r} is no range: give (first, last)") from None
        first = check_integer("the first rank", low, 1, max(array.size - 2, 1))
        last = check_integer("the last rank", high, min(first + 2, array.size), array.size)
    c = np.sort(array)[::-1][first - 1 : last]
    positive = int(np.sum(c > 0))
    if positive < 3:
        raise ValueError(f"{positive} positive counts are too few for an exponent: give 3 or more")
    with np.errstate(over="ignore"):
        total = float(c.sum())
    if not np.isfinite(total):
        raise ValueError("the counts are too large to add up: divide them by a common number")
    return c, first, last


def estimate_rank_excess(
    exponent: ArrayLike, dispersion: ArrayLike = 1.0, growth: float = 0.0
) -> NDArray[np.float64] | np.float64:
    """Return by how much the i-th largest count exceeds the expected count of rank i, on average.

    Our derivation. Let R(c) features have an expected count above c, R ∝ c^(-1/alpha) near the rank
    in question, and let a count vary about its expectation λ with variance φ λ, φ ∝ λ^κ. To first
    order the noise moves (φ c R'(c))' / 2 more features above c. At a given rank the sorted count
    is therefore too large by that over -R'(c), which is φ (1/alpha - κ) / 2: for Zipf's law and
    independent draws half an occurrence, at every rank. (The first ranks do not change places and
    have no excess; half an occurrence is negligible there.)

    Parameters
    ----------
    exponent : array_like
        Local exponent alpha > 0 of the law at the ranks in question.
    dispersion : array_like
        φ, the variance of a count over its expectation (1: independent draws).
    growth : float
        κ = d ln φ / d ln λ (0: independent draws; words in bursts have more).

    Returns
    -------
    ndarray
        Occurrences.

    Examples
    --------
    >>> estimate_rank_excess(1.0)
    np.float64(0.5)
    """
    return np.asarray(dispersion) * (1 / np.asarray(exponent, dtype=np.float64) - growth) / 2


def ranks_continue(count: float, alpha: float, last: int, n: int, dispersion: float = 1.0) -> bool:
    """Whether ``estimate_rank_excess`` holds down to a last rank with this count.

    It holds where the noise is small against the count and against the range of the law, and where
    the list of n features goes on for ``NOISE_WIDTHS`` times the width of the noise in ranks.

    Examples
    --------
    >>> ranks_continue(100.0, 1.0, 500, 600), ranks_continue(100.0, 1.0, 500, 599)
    (True, False)
    """
    if count < SMALLEST_COUNT * dispersion or count * alpha**2 < dispersion:
        return False
    return last * (1 + NOISE_WIDTHS * math.sqrt(dispersion / count) / alpha) <= n
