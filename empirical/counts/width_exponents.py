"""The exponent of the loss against width that counts, and the laws fitted to them, predict.

``predict_width_exponents(compare_zipf(counts), m=[100, 1000])`` gives the local exponents of the
weak theory for the counts themselves and for each fitted law. Token counts have alpha near 1, where
the exponent alpha - 1 of an infinite list is near 0, and no vocabulary is near infinite: the local
exponent at the width in question is the one to use.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from empirical.counts.zipf_comparison import ZipfComparison
from theory.checks import as_generator, check_integer, check_widths, read_only
from theory.computing.argument_kinds import check_kinds
from theory.computing.memory import check_memory
from theory.computing.one_thread import one_thread
from theory.figures.style import BLACK, GREY, WIDTH, curve, finish, open_axes
from theory.frequencies import Frequencies
from theory.rank_frequency.laws import RankLaw, rank_frequencies
from theory.regimes.weak import weak_exponent
from theory.registry import predict
from theory.results import result, short_table

Array = NDArray[np.float64]

COUNTS = "counts"

_SAMPLES = 200  # resamples of the bootstrap, for a standard error with a spread of 5 %
_AT_ONCE = 8  # resamples that are formed in one pass over the blocks


@dataclass(frozen=True, eq=False)
@result
class WidthExponents:
    """Local exponents -d ln L / d ln m of the weak theory, for the counts and for each fitted law.

    Attributes
    ----------
    m : ndarray of int, shape (k,)
        Widths.
    n : int
        Features: those that were counted at least once, unless another n was asked for.
    loss, exponent, stderr : mapping of str to ndarray of shape (k,)
        Keyed by "counts" and the laws. Errors of the laws follow from those of their parameters to
        first order, those of the counts from a bootstrap over the blocks of text (NaN without
        blocks).
    tail : mapping of str to (float, float)
        Exponent of each law at infinite rank, with its standard error; less 1 it is the exponent of
        the loss for an infinite list, where that is above 0.
    quantile : float
        Half width of a 95 % interval in standard errors.
    notes : tuple of str
        Laws that were left out, and ranks that were extrapolated to.
    """

    m: NDArray[np.int64]
    n: int
    loss: Mapping[str, Array]
    exponent: Mapping[str, Array]
    stderr: Mapping[str, Array]
    tail: Mapping[str, tuple[float, float]]
    quantile: float
    notes: tuple[str, ...]

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each law and width, with a 95 % interval.

        ``asymptotic`` is alpha - 1, the weak exponent of the law if it had no last feature (at 0 or
        below the loss is not a power of m); ``asymptotic_stderr`` is its standard error.
        """
        rows = []
        for law, exponent in self.exponent.items():
            alpha, error = self.tail.get(law, (math.nan, math.nan))
            for k, width in enumerate(self.m):
                value, stderr = float(exponent[k]), float(self.stderr[law][k])
                rows.append(
                    {
                        "law": law,
                        "m": int(width),
                        "loss": float(self.loss[law][k]),
                        "exponent": value,
                        "stderr": stderr,
                        "low": value - self.quantile * stderr,
                        "high": value + self.quantile * stderr,
                        "asymptotic": alpha - 1,
                        "asymptotic_stderr": error,
                    }
                )
        return pd.DataFrame(rows)

    def plot(self, ax: Any = None) -> Any:
        """Draw local exponents against m; dotted, alpha - 1 of each law; return the axes."""
        ax = open_axes(ax)
        for k, (law, exponent) in enumerate(self.exponent.items()):
            style = {"color": BLACK, "marker": "o"} if law == COUNTS else curve(k - 1)
            ax.errorbar(
                self.m,
                exponent,
                np.nan_to_num(self.quantile * self.stderr[law]),
                ms=4,
                capsize=2,
                label=law.replace("_", " "),
                **style,
            )
            if law in self.tail:
                ax.axhline(self.tail[law][0] - 1, ls=":", lw=0.8, color=style["color"])
        if self.tail:
            ax.plot([], [], ":", lw=0.8, color=GREY, label="alpha − 1, the limit m, n → ∞")
        return finish(ax, WIDTH, "local exponent of the weak loss", log="x")

    def __str__(self) -> str:
        table = self.to_dataframe().drop(columns=["low", "high"])
        text = short_table(table, float_format=lambda value: f"{value:.4g}")
        return "\n".join([text, *(f"note: {note}" for note in self.notes)])


@check_kinds
def predict_width_exponents(
    comparison: ZipfComparison,
    m: ArrayLike,
    n: int | None = None,
    *,
    seed: np.random.Generator | int = 0,
) -> WidthExponents:
    """Predict how the loss falls with width, from the counts and from each law fitted to them.

    Parameters
    ----------
    comparison : ZipfComparison
        What ``compare_zipf`` found.
    m : int or array_like of int
        Widths, 1 <= m < n.
    n : int, optional
        Features of the laws (default: as many as were counted at least once). A law is
        extrapolated beyond the ranks of its fit.
    seed : int or numpy.random.Generator
        Of the draws of blocks, for the errors of the counts' exponents.

    Returns
    -------
    WidthExponents
        Losses, local exponents and their errors, side by side.

    Raises
    ------
    ValueError
        For widths outside 1..n - 1, n included, or above the number of features counted.

    Examples
    --------
    >>> from empirical.counts.zipf import compare_zipf
    >>> counts = np.random.default_rng(0).poisson(1e6 / np.arange(1, 2001))
    >>> found = predict_width_exponents(compare_zipf(counts, (1, 1000)), m=100)
    >>> {law: float(value[0].round(2)) for law, value in found.exponent.items()}
    {'counts': 0.33, 'zipf': 0.33, 'zipf_mandelbrot': 0.33, 'broken_power_law': 0.33}
    """
    positive = int(np.sum(comparison.counts > 0))
    size = positive if n is None else check_integer("n", n, 2)
    check_memory(f"n = {size}", 100.0 * size, "give a smaller n")
    widths = check_widths(m, min(size, positive) - 1)
    law_frequencies = {COUNTS: Frequencies.from_counts(comparison.counts)}
    errors = {COUNTS: _bootstrap(comparison, widths, as_generator(seed))}
    tail, notes = {}, []
    for law, fit in comparison.fits.items():
        try:
            law_frequencies[law] = _list(fit.law, fit.theta, size, fit.first)
            errors[law] = _propagate(comparison, fit.law, widths, size)
        except ValueError as error:
            law_frequencies.pop(law, None)
            notes.append(f"{law} left out: {error}")
            continue
        name = "alpha_tail" if law == "broken_power_law" else "alpha"
        tail[law] = (fit.values[name], comparison.errors(law)[name])
    if comparison.first > 1 or comparison.last < size:
        notes.append(
            f"the laws were fitted at ranks {comparison.first} to {comparison.last} and go on from "
            f"there over 1 to {size}: compare them with the counts before they are believed"
        )
    weak = {
        law: predict(frequencies, widths, theory="weak")
        for law, frequencies in law_frequencies.items()
    }
    return WidthExponents(
        read_only(widths),
        size,
        {law: read_only(one.loss["weak"]) for law, one in weak.items()},
        {law: read_only(one.exponent["weak"]) for law, one in weak.items()},
        {law: read_only(error) for law, error in errors.items() if law in weak},
        tail,
        comparison.quantile,
        tuple(notes),
    )


def _list(law: RankLaw, theta: Array, n: int, first: int) -> Frequencies:
    """Return a law as a list of frequencies, so that its exponent is computed as that of counts."""
    return Frequencies.from_probabilities(rank_frequencies(law, theta, n, first).p)


def _exponents(frequencies: Frequencies, m: NDArray[np.int64]) -> Array:
    return np.asarray(weak_exponent(frequencies, m))


def _propagate(comparison: ZipfComparison, law: RankLaw, m: NDArray[np.int64], n: int) -> Array:
    """Return standard errors of a law's local exponents, from the covariance of its parameters."""
    fit, covariance = comparison[law], comparison.covariance[law]
    slopes = []
    for j in range(fit.theta.size):
        step = np.zeros(fit.theta.size)
        step[j] = 1e-4 * max(1.0, abs(fit.theta[j]))
        up, down = (
            _exponents(_list(law, fit.theta + sign * step, n, fit.first), m) for sign in (1, -1)
        )
        slopes.append((up - down) / (2 * step[j]))
    slope = np.array(slopes)
    stderr: Array = np.sqrt(np.sum(slope * (covariance @ slope), axis=0))
    return stderr


def _bootstrap(comparison: ZipfComparison, m: NDArray[np.int64], rng: np.random.Generator) -> Array:
    """Return standard errors of the counts' exponents, by drawing blocks of text with replacement.

    The exponent at m depends on the m-th largest count, an order statistic, for which the jackknife
    is not consistent.
    """
    k = len(comparison.blocks)
    if comparison.errors_from != "blocks":
        return np.full(m.shape, np.nan)
    values = []
    draws = rng.multinomial(k, np.full(k, 1 / k), size=_SAMPLES).astype(np.float64)
    for start in range(0, _SAMPLES, _AT_ONCE):
        with one_thread():
            samples = draws[start : start + _AT_ONCE] @ comparison.blocks
        for counts in samples:
            # Features of the blocks that were not drawn leave the list.
            sample = Frequencies.from_counts(counts)
            values.append(_exponents(sample, np.minimum(m, sample.n - 1)))
    stderr: Array = np.std(values, axis=0, ddof=1)
    return stderr
