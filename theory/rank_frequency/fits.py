"""A law of frequency against rank, fitted by maximum likelihood with its observed information.

``fit_rank_law(counts, law, ranks)`` fits one law; ``empirical.counts.zipf.compare_zipf`` fits all
of them and compares their likelihoods.

The likelihood is that of N independent draws of a rank, given that it falls among first..last. For
a given q, or a given break, it is concave in the exponents, so these need no starting values; q and
the break are scanned over their whole range, and every local maximum of the scan is refined.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from theory.checks import Numbers, check_integer, check_numbers, read_only, scalar_like
from theory.computing.argument_kinds import check_kinds
from theory.computing.one_thread import one_thread
from theory.frequencies import Frequencies
from theory.rank_frequency.laws import (
    PARAMETERS,
    Array,
    RankLaw,
    curvature,
    gradient,
    log_sum,
    log_weights,
    normalise,
    rank_frequencies,
)
from theory.rank_frequency.zipf_exponent import select_ranks
from theory.results import result

# Step of ln(first + q) in the scan; the profile likelihood changes over steps of order 1.
_STEP = 0.2
# Ratio of neighbouring break ranks in the scan, beyond the first 30, which are all tried.
_RATIO = 1.05
# Largest q over the last rank; there the law is an exponential.
_FARTHEST = 1e3


@dataclass(frozen=True, eq=False)
@result
class RankLawFit:
    """One law at its maximum of the likelihood.

    Attributes
    ----------
    law : str
        A key of ``PARAMETERS``.
    theta : ndarray, shape (k,)
        Parameters of the fit: alpha; alpha and ln(first + q); alpha, alpha_tail and ln break.
    first, last : int
        Ranks used.
    total : float
        Occurrences N counted there.
    log_likelihood : float
        Σ c_i ln p_i, natural logarithm.
    information : ndarray, shape (k, k)
        Observed information of theta: minus the second derivatives of the log likelihood.
    at_bound : bool
        Whether q ran to an end of its scan (to the far one if counts fall exponentially).
    """

    law: RankLaw
    theta: Array
    first: int
    last: int
    total: float
    log_likelihood: float
    information: Array
    at_bound: bool = False

    @property
    def ranks(self) -> Array:
        """The ranks first..last, as floats."""
        return np.arange(self.first, self.last + 1, dtype=np.float64)

    @property
    def p(self) -> Array:
        """Probabilities of the ranks first..last; they sum to 1."""
        return normalise(log_weights(self.law, self.theta, self.ranks, self.first))

    @property
    def values(self) -> dict[str, float]:
        """The parameters by name, with q and the break rank in place of their logarithms."""
        reported = self.theta.copy()
        if self.law == "zipf_mandelbrot":
            reported[1] = np.exp(reported[1]) - self.first
        elif self.law == "broken_power_law":
            reported[2] = np.exp(reported[2])
        return dict(zip(PARAMETERS[self.law], map(float, reported), strict=True))

    @property
    def covariance(self) -> Array:
        """Inverse of the observed information; NaN where that is not positive definite.

        That is so where the data do not determine a parameter, as a break between equal slopes.
        """
        scale = np.sqrt(np.abs(np.diag(self.information)))
        if np.all(scale > 0):
            shape = self.information / np.outer(scale, scale)
            if np.linalg.eigvalsh(shape)[0] > 1e-10:
                inverse: Array = np.linalg.inv(shape) / np.outer(scale, scale)
                return inverse
        return np.full_like(self.information, np.nan)

    @check_kinds
    def errors(self, covariance: Array | None = None) -> dict[str, float]:
        """Return standard errors of ``values`` from a covariance of theta (its own by default)."""
        if covariance is not None:
            covariance = check_numbers("covariance", covariance)
            if covariance.shape != self.covariance.shape:
                raise ValueError(
                    f"covariance has shape {covariance.shape}: give {self.covariance.shape}"
                )
        variance = np.diag(self.covariance if covariance is None else covariance)
        error = np.sqrt(variance)
        # q and the break were fitted as logarithms.
        if self.law == "zipf_mandelbrot":
            error = error * [1, np.exp(self.theta[1])]
        elif self.law == "broken_power_law":
            error = error * [1, 1, np.exp(self.theta[2])]
        return dict(zip(PARAMETERS[self.law], map(float, error), strict=True))

    @check_kinds
    def exponent(self, ranks: ArrayLike) -> Numbers:
        """Return the local exponent -d ln p / d ln i at these ranks.

        Examples
        --------
        >>> fit = fit_rank_law(np.round(1e6 / np.arange(1, 101)), "zipf")
        >>> fit.exponent([1, 50]).round(3)
        array([1., 1.])
        """
        i = check_numbers("ranks", ranks)
        alpha = self.theta[0]
        local = np.where(np.isnan(i), np.nan, alpha)
        if self.law == "zipf_mandelbrot":
            local = alpha * i / (i - self.first + np.exp(self.theta[1]))
        elif self.law == "broken_power_law":
            local = np.where(np.log(i) > self.theta[2], self.theta[1], alpha)
        return scalar_like(local, ranks)

    @check_kinds
    def frequencies(self, n: int | None = None) -> Frequencies:
        """Return this law over ranks 1..n (default: 1..last), with Σ p_i = 1.

        Raises
        ------
        ValueError
            If the law has no value at rank 1 (q <= -1).

        Examples
        --------
        >>> fit = fit_rank_law(np.round(1e6 / np.arange(1, 101)), "zipf")
        >>> print(fit.frequencies(10**6))  # doctest: +ELLIPSIS
        power law, alpha = 0.99999...: n = 1000000, E = 1, p_1 = 0.06948
        """
        n = self.last if n is None else check_integer("n", n, 1)
        return rank_frequencies(self.law, self.theta, n, self.first)

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each parameter, with its standard error."""
        errors = self.errors()
        rows = [
            {"law": self.law, "parameter": name, "value": value, "stderr": errors[name]}
            for name, value in self.values.items()
        ]
        return pd.DataFrame(rows)

    def __str__(self) -> str:
        errors = self.errors()
        shown = ", ".join(
            f"{name} {value:.4g} ± {errors[name]:.2g}" for name, value in self.values.items()
        )
        return f"{self.law}, ranks {self.first} to {self.last}: {shown}"

    @check_kinds
    def score(self, counts: Array) -> Array:
        """Return the gradient of the log likelihood of other counts at the same ranks.

        Parameters
        ----------
        counts : ndarray, shape (..., last - first + 1)
            Counts, such as those of blocks of the text.

        Returns
        -------
        ndarray, shape (..., k)
            Derivatives by theta. Their sum over blocks is 0 at a smooth maximum.
        """
        counts = check_numbers("counts", counts)
        if not np.all(np.isfinite(counts)):
            raise ValueError("counts must be finite: NaN or infinity is not allowed")
        if counts.ndim == 0 or counts.shape[-1] != self.p.size:
            raise ValueError(
                f"counts have shape {counts.shape}: give {self.p.size} on the last axis"
            )
        slope = gradient(self.law, self.theta, self.ranks, self.first)
        total = counts.sum(axis=-1, keepdims=True)
        score: Array = (counts - total * self.p) @ slope
        return score


@check_kinds
def fit_rank_law(
    counts: ArrayLike, law: RankLaw = "zipf", ranks: tuple[int, int] | None = None
) -> RankLawFit:
    """Fit one law to the counts at ranks first..last, by maximum likelihood.

    Parameters
    ----------
    counts : array_like, shape (n,)
        Occurrences, >= 0, in any order; zeros take the last ranks.
    law : {"zipf", "zipf_mandelbrot", "broken_power_law"}
        The law to fit.
    ranks : (int, int), optional
        First and last rank used, from 1; all by default.

    Returns
    -------
    RankLawFit
        Parameters, likelihood and observed information.

    Raises
    ------
    ValueError
        For an unknown law, negative or non-finite counts, or fewer ranks with a count above 0 than
        twice the number of parameters (at least 3).

    Examples
    --------
    >>> i = np.arange(1, 1001)
    >>> fit = fit_rank_law(np.round(1e6 * (i + 2.7) ** -1.1), "zipf_mandelbrot")
    >>> {name: round(value, 2) for name, value in fit.values.items()}
    {'alpha': 1.1, 'q': 2.7}
    """
    if law not in PARAMETERS:
        raise ValueError(f"law {law!r} is not known: give {', '.join(PARAMETERS)}")
    c, first, _ = select_ranks(counts, ranks)
    positive = int(np.sum(c > 0))
    needed = max(3, 2 * len(PARAMETERS[law]))
    if positive < needed:
        raise ValueError(
            f"{positive} ranks with a count above 0 are too few for {law}: give {needed} or more"
        )
    return maximise(law, c, first)


@one_thread()  # thousands of products of one or two columns, for which threads only wait
def maximise(law: RankLaw, c: Array, first: int) -> RankLawFit:
    """Fit a law to checked counts in order of rank, the first of them at rank ``first``."""
    last = first + c.size - 1
    ranks = np.arange(first, last + 1, dtype=np.float64)
    at_bound = False
    if law == "zipf":
        theta, _ = _fit_exponents(-np.log(ranks)[:, None], c, np.zeros(1))
    elif law == "zipf_mandelbrot":

        def mandelbrot(u: float, start: Array) -> tuple[Array, float]:
            return _fit_exponents(-np.log1p((ranks - first) * np.exp(-u))[:, None], c, start)

        # q = 0 is in the scan: the likelihood is never below that of Zipf's law.
        low, high = np.log(0.01 * first), np.log(_FARTHEST * last)
        below = np.arange(np.log(first), low, -_STEP)[::-1]
        grid = np.concatenate([below, np.arange(np.log(first), high, _STEP)[1:]])
        exponents, u = _scan(mandelbrot, grid, np.zeros(1))
        theta, at_bound = np.append(exponents, u), bool(u > grid[-2] or u < grid[1])
    else:
        x = np.log(ranks)

        def broken(v: float, start: Array) -> tuple[Array, float]:
            features = np.stack([-np.minimum(x, v), -np.maximum(x - v, 0)], axis=1)
            return _fit_exponents(features, c, start)

        # At least two ranks before the break, and one occurrence after it.
        high = float(first + np.max(np.flatnonzero(c > 0)) - 1)
        near = np.arange(first + 1, min(first + 30, high) + 1)
        far = np.geomspace(near[-1], high, 2 + int(np.log(high / near[-1]) / np.log(_RATIO)))
        exponents, v = _scan(broken, np.log(np.unique(np.append(near, far))), np.zeros(2))
        theta = np.append(exponents, v)
    log_p = log_weights(law, theta, ranks, first)
    p = normalise(log_p)
    total = float(c.sum())
    slope = gradient(law, theta, ranks, first)
    centred = slope - p @ slope
    information = total * (centred.T * p) @ centred
    information -= curvature(law, theta, ranks, first, c - total * p)
    likelihood = float(c @ (log_p - log_sum(log_p)))
    return RankLawFit(
        law, read_only(theta), first, last, total, likelihood, read_only(information), at_bound
    )


def _scan(
    profile: Callable[[float, Array], tuple[Array, float]], grid: Array, start: Array
) -> tuple[Array, float]:
    """Return the exponents and the abscissa of the largest maximum of a profile likelihood."""
    found: list[tuple[float, float, Array]] = []
    exponents = start
    for place in grid:
        exponents, value = profile(float(place), exponents)
        found.append((value, float(place), exponents))
    heights = np.array([value for value, *_ in found])
    padded = np.concatenate([[-np.inf], heights, [-np.inf]])
    peaks = np.flatnonzero((heights >= padded[:-2]) & (heights >= padded[2:]))
    best = found[int(np.argmax(heights))]
    for k in map(int, peaks):
        left, right = grid[max(k - 1, 0)], grid[min(k + 1, grid.size - 1)]
        near = found[k][2]
        search = minimize_scalar(
            lambda place, near=near: -profile(float(place), near)[1],
            bounds=(left, right),
            method="bounded",
            options={"xatol": 1e-9},
        )
        exponents, value = profile(float(search.x), near)
        if value > best[0]:
            best = (value, float(search.x), exponents)
    return best[2], best[1]


def _fit_exponents(features: Array, c: Array, start: Array) -> tuple[Array, float]:
    """Maximise Σ c_i ln p_i with ln p_i = features_i · theta - ln Σ; concave, by Newton's steps."""
    total = float(c.sum())
    observed = c @ features / total

    def value(theta: Array) -> tuple[float, Array]:
        eta = features @ theta
        return float(observed @ theta - log_sum(eta)), eta

    theta = start
    height, eta = value(theta)
    for _ in range(200):
        p = normalise(eta)
        mean = p @ features
        centred = features - mean
        spread = (centred.T * p) @ centred
        slope = observed - mean
        if slope.size == 1:
            step = slope / spread[0] if spread[0, 0] > 0 else 0 * slope
        else:
            step = np.linalg.lstsq(spread, slope, rcond=1e-14)[0]
        gain = float(slope @ step)
        # The Newton decrement: half of it, times N, is the distance to the maximum.
        if gain * total < 1e-9:
            theta = theta + step
            height, _ = value(theta)
            break
        size = 1.0
        while size > 1e-12:
            higher, eta_new = value(theta + size * step)
            if higher >= height + 1e-4 * size * gain:
                break
            size /= 2
        else:
            break
        theta, height, eta = theta + size * step, higher, eta_new
    return theta, total * height
