"""The Zipf exponent of a list of counts, by maximum likelihood.

Use ``fit_zipf`` to describe counts by one number; predictions do not need it, since
``Frequencies.from_counts`` takes the counts as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from theory.checks import check_finite, check_integer

_STEEPEST = 60.0


@dataclass(frozen=True)
class ZipfFit:
    """Maximum-likelihood exponent of p_i ∝ i^-alpha over ranks 1..n.

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
        power law (ranks that come from the same counts hide part of their noise); far above 1 the
        law is wrong by more than chance, and ``stderr`` says little.
    """

    alpha: float
    stderr: float
    n: int
    total: float
    dispersion: float

    def to_dataframe(self) -> pd.DataFrame:
        """Return the fit as a table of one row."""
        return pd.DataFrame([vars(self)])

    def __str__(self) -> str:
        return (
            f"Zipf exponent {self.alpha:.4f} ± {self.stderr:.2g} "
            f"(maximum likelihood, {self.n} ranks, dispersion {self.dispersion:.3g})"
        )


def fit_zipf(counts: ArrayLike, top: int | None = None) -> ZipfFit:
    """Fit p_i = i^-alpha / H_n^(alpha) to counts by maximum likelihood.

    The likelihood is that of N independent draws of a rank; its score vanishes where the mean of
    ln i over the draws equals its mean under the law.

    Two biases are not in the standard error. Ranks are read off the same counts, which makes flat
    counts look steeper; and features that were never seen are missing from the list, which makes a
    long tail look flatter. Give zero counts for features that are known to exist: they count as
    ranks.

    Parameters
    ----------
    counts : array_like, shape (k,)
        Occurrences, >= 0, in any order; zeros take the last ranks.
    top : int, optional
        Use only this many of the most frequent.

    Returns
    -------
    ZipfFit
        Exponent and standard error.

    Raises
    ------
    ValueError
        For negative or non-finite counts, fewer than three positive ones, or counts too large to
        add up.

    Examples
    --------
    >>> fit = fit_zipf(np.round(1e6 / np.arange(1, 1001)))
    >>> round(fit.alpha, 3)
    1.0
    """
    array = check_finite("counts", counts)
    if np.any(array < 0):
        raise ValueError(f"counts contain {array.min():g}: counts are at least 0")
    c = np.sort(array)[::-1]
    positive = int(np.sum(c > 0))
    if positive < 3:
        raise ValueError(f"{positive} positive counts are too few for an exponent: give 3 or more")
    if top is not None:
        c = c[: check_integer("top", top, 3, c.size)]
    log_rank = np.log(np.arange(1, c.size + 1))
    with np.errstate(over="ignore"):
        total = float(c.sum())
    if not np.isfinite(total):
        raise ValueError("the counts are too large to add up: divide them by a common number")
    observed = float(c @ log_rank) / total

    def law(alpha: float) -> NDArray[np.float64]:
        weights = np.exp(-alpha * log_rank)
        return weights / weights.sum()

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
    variance = float(p @ log_rank**2) - float(p @ log_rank) ** 2
    expected = total * p
    chi_square = float(np.sum((c - expected) ** 2 / expected))
    whole = bool(np.all(c == np.floor(c)))
    stderr = 1 / float(np.sqrt(total * variance)) if whole else float("nan")
    return ZipfFit(alpha, stderr, int(c.size), total, chi_square / (c.size - 2))
