"""How often the scores of a given matrix err, on average over supports: ``error_rates``.

For each row the sum of k of its overlaps, drawn without replacement, has exact moments; an
Edgeworth series of them gives the probability of crossing a threshold. Sampling checks it, with
standard errors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr

from numerics.reading.extremes import power_sums
from numerics.reading.unit_vectors import unit_rows
from numerics.tensors.row_matrix import as_rows
from theory.checks import MOST_DRAWS, as_generator, check_integer, check_real
from theory.computing.argument_kinds import check_kinds
from theory.results import result

Values = NDArray[np.float64]
_FEWEST = 5  # rows with which fourth moments of draws without replacement are defined


@dataclass(frozen=True, eq=False)
@result
class ErrorRates:
    """False alarms and misses of each item at a threshold, averaged over supports of one size.

    Attributes
    ----------
    active : int
        Items that are on.
    threshold : float
        A score above it is read as on.
    false_alarm, miss : ndarray, shape (n,)
        P(read as on | off) and P(read as off | on) of each item.
    method : str
        "edgeworth", "gaussian" or "sampling".
    false_alarm_stderr, miss_stderr : float
        Standard errors of the means over items; 0 unless sampled.
    """

    active: int
    threshold: float
    false_alarm: Values
    miss: Values
    method: str
    false_alarm_stderr: float = 0.0
    miss_stderr: float = 0.0

    @property
    def errors(self) -> float:
        """Mean number of items that are read wrongly."""
        n, k = self.miss.size, self.active
        return float((n - k) * np.nanmean(self.false_alarm) + k * np.nanmean(self.miss))

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each item."""
        return pd.DataFrame({"false alarm": self.false_alarm, "miss": self.miss})

    def __str__(self) -> str:
        false_alarm, miss = np.nanmean(self.false_alarm), np.nanmean(self.miss)
        return (
            f"{self.active} of {self.miss.size} items on, threshold {self.threshold:.4g} "
            f"({self.method}): false alarms {false_alarm:.4g} an item, misses {miss:.4g}, "
            f"{self.errors:.4g} errors a state"
        )


@check_kinds
def error_rates(
    W: Any,
    active: int,
    threshold: float = 0.5,
    *,
    noise: float = 0.0,
    method: Literal["edgeworth", "gaussian", "sampling"] = "edgeworth",
    normalize: bool = True,
    transpose: bool = False,
    samples: int = 4096,
    seed: int | np.random.Generator = 0,
) -> ErrorRates:
    """Return how often each item is read wrongly from its score, over supports of one size.

    Parameters
    ----------
    W : array_like or RowMatrix, shape (n, m)
        The rows, at least 5; scores are W_j·(Σ_{i on} W_i + noise).
    active : int
        Items on, from 1 to n - 1; every support of that size is equally likely.
    threshold : float
        A score above it is read as on.
    noise : float
        Standard deviation of normal noise on each number of the state.
    method : {"edgeworth", "gaussian", "sampling"}
        From the first four moments of the sums of overlaps (exact: drawn without replacement), from
        two, or by drawn supports.
    normalize : bool
        Scale rows to length 1.
    transpose : bool
        Items are the columns of W.
    samples, seed
        For sampling: number of supports, and the seed.

    Returns
    -------
    ErrorRates
        Rates of each item. NaN where a sampled item was never on.

    Raises
    ------
    ValueError
        For values out of range.

    Notes
    -----
    The Edgeworth series to second order (Hall, The Bootstrap and Edgeworth Expansion, 1992) errs
    where few overlaps decide: for k = 1, or rows with a few large overlaps. Rates below
    about 1e-4 are to be sampled.

    Examples
    --------
    >>> W = np.random.default_rng(0).standard_normal((400, 100))
    >>> rates = error_rates(W, 5)
    >>> sampled = error_rates(W, 5, method="sampling")
    >>> gap = rates.false_alarm.mean() - sampled.false_alarm.mean()
    >>> bool(abs(gap) < 4 * sampled.false_alarm_stderr)
    True
    """
    source = as_rows(W, transpose)
    if source.n < _FEWEST:
        raise ValueError(f"the matrix has {source.n} rows: give at least {_FEWEST}")
    active = check_integer("active", active, 1, source.n - 1)
    threshold, noise = check_real("threshold", threshold), check_real("noise", noise, 0, 1e100)
    samples, rng = check_integer("samples", samples, 1, MOST_DRAWS), as_generator(seed)
    rows = unit_rows(source, normalize).astype(np.float64)
    if method == "sampling":
        return _sample(rows, active, threshold, noise, samples, rng)
    own = np.einsum("ij,ij->i", rows, rows)
    sums = power_sums(source, normalize)
    series = method == "edgeworth"
    off = draw_cumulants(sums, source.n - 1, active)
    on = draw_cumulants(sums, source.n - 1, active - 1)
    off[:, 1] += noise**2 * own
    on[:, 1] += noise**2 * own
    false_alarm = 1 - below(threshold, off, series)
    miss = below(threshold - own, on, series)
    return ErrorRates(active, threshold, false_alarm, miss, method)


def draw_cumulants(sums: Values, size: int, draws: int) -> Values:
    """Return the first four cumulants of the sum of ``draws`` of ``size`` numbers, not replaced.

    Parameters
    ----------
    sums : ndarray, shape (n, 4)
        Power sums of each row's numbers.
    size, draws : int
        How many numbers there are, and are drawn.

    Examples
    --------
    >>> draw_cumulants(np.array([[2.0, 2.0, 2.0, 2.0]]), 4, 1).round(4)
    array([[ 0.5  ,  0.25 ,  0.   , -0.125]])
    """
    N, k = size, draws
    a1, a2, a3, a4 = (sums / N).T
    m2 = a2 - a1**2
    m3 = a3 - 3 * a1 * a2 + 2 * a1**3
    m4 = a4 - 4 * a1 * a3 + 6 * a1**2 * a2 - 3 * a1**4
    pairs = k * (N - k)
    second = pairs / (N - 1) * m2
    third = pairs * (N - 2 * k) / ((N - 1) * (N - 2)) * m3
    fourth = (N * (N + 1) - 6 * pairs) * m4 + 3 * N * (k - 1) * (N - k - 1) * m2**2
    fourth = pairs / ((N - 1) * (N - 2) * (N - 3)) * fourth
    return np.stack([k * a1, second, third, fourth - 3 * second**2], axis=1)


def below(threshold: Any, cumulants: Values, series: bool = True) -> Values:
    """Return P(sum <= threshold) from its cumulants, by the Edgeworth series or its first term."""
    mean, variance, third, fourth = cumulants.T
    deviation = np.sqrt(np.maximum(variance, 0.0))
    certain = deviation < 1e-12
    safe = np.where(certain, 1.0, deviation)
    z = np.clip((threshold - mean) / safe, -40, 40)  # beyond, the density is 0
    value = ndtr(z)
    if series:
        skew, excess = third / safe**3, fourth / safe**4
        h2, h3 = z**2 - 1, z**3 - 3 * z
        h5 = z**5 - 10 * z**3 + 15 * z
        correction = skew / 6 * h2 + excess / 24 * h3 + skew**2 / 72 * h5
        value = value - np.exp(-z * z / 2) / math.sqrt(2 * math.pi) * correction
    sharp = (threshold - mean >= 0).astype(np.float64)
    return np.asarray(np.clip(np.where(certain, sharp, value), 0.0, 1.0))


def draw_supports(n: int, active: int, samples: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return drawn supports of one size, shape (samples, n)."""
    chosen = rng.random((samples, n)).argpartition(active - 1, axis=1)[:, :active]
    on = np.zeros((samples, n), dtype=bool)
    np.put_along_axis(on, chosen, True, axis=1)
    return on


def _sample(
    rows: Values,
    active: int,
    threshold: float,
    noise: float,
    samples: int,
    rng: np.random.Generator,
) -> ErrorRates:
    n = len(rows)
    alarms, misses, times_on = np.zeros(n), np.zeros(n), np.zeros(n)
    each: list[Values] = []
    batch = max(1, 2**22 // n)
    for start in range(0, samples, batch):
        on = draw_supports(n, active, min(batch, samples - start), rng)
        h = on @ rows
        if noise:
            h += noise * rng.standard_normal(h.shape)
        read = h @ rows.T > threshold
        alarms += (read & ~on).sum(axis=0)
        misses += (~read & on).sum(axis=0)
        times_on += on.sum(axis=0)
        each.append(
            np.stack([(read & ~on).sum(axis=1) / (n - active), (~read & on).sum(axis=1) / active])
        )
    with np.errstate(invalid="ignore"):
        false_alarm = alarms / (samples - times_on)
        miss = misses / times_on
    rates = np.concatenate(each, axis=1)
    spread = rates.std(axis=1, ddof=1) / math.sqrt(samples) if samples > 1 else (math.nan, math.nan)
    return ErrorRates(
        active, threshold, false_alarm, miss, "sampling", float(spread[0]), float(spread[1])
    )
