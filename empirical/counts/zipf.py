"""Zipf's law, Zipf–Mandelbrot and a broken power law fitted to counts, compared by likelihood.

``compare_zipf(counts, ranks=(first, last))`` fits all three. Given ``TokenCounts``, its errors come
from the scatter between blocks of text, and hold for words that come in bursts.
``empirical.counts.width_exponents`` predicts the loss from the fits.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import linregress

from empirical.counts.noise import (
    FEWEST_RANKS,
    block_covariance,
    choose_last_rank,
    dispersions,
    find_excess,
    fit_noise,
)
from empirical.counts.token_counts import TokenCounts
from empirical.counts.zipf_comparison import ZipfComparison
from theory.checks import check_finite, check_numbers, read_only
from theory.computing.argument_kinds import check_kinds
from theory.rank_frequency.fits import maximise
from theory.rank_frequency.laws import PARAMETERS
from theory.rank_frequency.zipf_exponent import select_ranks

Array = NDArray[np.float64]

_SAME = 2.0  # standard errors within which two exponents agree
_FEWEST_BLOCKS = 8  # for a covariance from blocks: its errors then have a spread of a quarter


@check_kinds
def compare_zipf(
    counts: ArrayLike | TokenCounts,
    ranks: tuple[int, int | None] = (1, None),
    *,
    blocks: ArrayLike | None = None,
) -> ZipfComparison:
    """Fit the three laws to counts at ranks first..last and compare them by likelihood.

    The ranks come from the same counts, so the i-th largest count exceeds the expectation of rank i
    by about half an occurrence, which alone would favour the laws with more parameters. Where the
    excess is known (``estimate_rank_excess``), it is subtracted before the fits, and a note says by
    how much that moves the exponent.

    Parameters
    ----------
    counts : array_like of shape (n,), or TokenCounts
        Occurrences: whole numbers >= 0, in any order; zeros (of features known to exist) take the
        last ranks.
    ranks : (int, int or None)
        First and last rank. None stands for the last rank at which that correction holds: the count
        is at least 10 times its dispersion, and the list goes on beyond the noise of the rank.
    blocks : array_like, shape (k, n), optional
        The same counts in k >= 8 blocks of text, for errors that hold when words come in bursts;
        those of ``TokenCounts`` are used by default.

    Returns
    -------
    ZipfComparison
        The fits, a table, a plot.

    Raises
    ------
    ValueError
        For counts that are negative or not whole, a range outside the list or with fewer than 6
        positive counts, and blocks that do not sum to the counts.

    Examples
    --------
    >>> i = np.arange(1, 2001)
    >>> found = compare_zipf(np.random.default_rng(0).poisson(1e6 / (i + 3) ** 1.2), (1, 1000))
    >>> found.preferred
    'zipf_mandelbrot'
    >>> {name: round(value, 2) for name, value in found["zipf_mandelbrot"].values.items()}
    {'alpha': 1.2, 'q': 3.02}
    """
    if isinstance(counts, TokenCounts):
        blocks = counts.blocks if blocks is None and len(counts.blocks) else blocks
        counts = counts.counts
    array = check_finite("counts", counts)
    broken = array[array != np.floor(array)]
    if broken.size:
        raise ValueError(
            f"counts contain {broken[0]:g}: likelihoods compare whole numbers of occurrences "
            "(multiply relative frequencies by the size of the text, and round)"
        )
    order = np.argsort(-array, kind="stable")
    parts = _check_blocks(blocks, array)[:, order]
    notes = []
    if 0 < len(parts) < _FEWEST_BLOCKS:
        notes.append(f"{len(parts)} blocks are too few for errors (8 or more): not used")
        parts = parts[:0]
    falling = array[order]
    noise = fit_noise(parts, falling)
    try:
        low, high = ranks
    except (TypeError, ValueError):
        raise TypeError(f"ranks = {ranks!r} is no range: give (first, last)") from None
    if high is None:
        high = choose_last_rank(falling, noise)
        if 1 <= high < low + FEWEST_RANKS - 1 <= falling.size:
            raise ValueError(
                f"counts are large against their noise up to rank {high} only: give a lower first "
                f"rank than {low}, or the last rank"
            )
    c, first, last = select_ranks(array, (low, high))
    if np.sum(c > 0) < FEWEST_RANKS:
        raise ValueError(
            f"{np.sum(c > 0)} positive counts from rank {first} to {last} are too few to compare "
            f"laws: give ranks that hold {FEWEST_RANKS} or more"
        )
    excess = find_excess(c, first, last, array.size, noise)
    fits = {law: maximise(law, c - excess, first) for law in PARAMETERS}
    if excess.any():
        zipf = fits["zipf"]
        moved = float((zipf.covariance @ zipf.score(excess))[0])
        notes.append(
            "ranks come from the same counts: their excess of about "
            f"{excess[-1]:.2g} occurrences was subtracted (it would move Zipf's alpha by "
            f"{moved:+.2g})"
        )
    else:
        notes.append(
            "ranks come from the same counts, and the excess that this causes is not known at the "
            f"last rank (count {c[-1]:g}): it may favour laws with more parameters; end at a lower "
            "rank"
        )
    for law, fit in fits.items():
        if fit.at_bound:
            notes.append(
                f"{law}: q = {fit.values['q']:.3g} is an end of its range: no finite q fits best"
            )
    result = ZipfComparison(
        read_only(falling),
        read_only(parts),
        first,
        last,
        {str(law): fit for law, fit in fits.items()},
        {},
        "blocks" if len(parts) else "dispersion",
        max(1.0, float(dispersions(parts[:, first - 1 : last]).mean())) if len(parts) else 1.0,
        read_only(excess),
        _least_squares(c, first),
        (),
    )
    return _finish(result, notes)


def _finish(result: ZipfComparison, notes: list[str]) -> ZipfComparison:
    """Add what follows from the fits: covariances, overdispersion without blocks, notes."""
    misfit = {law: result.dispersion(law) for law in result.fits}
    least = min(misfit.values())
    spread = result.overdispersion
    covariance = {}
    for law, fit in result.fits.items():
        if result.errors_from == "blocks":
            parts = result.blocks[:, result.first - 1 : result.last]
            covariance[law] = block_covariance(fit, parts)
        else:
            covariance[law] = fit.covariance * max(1.0, misfit[law])
        if np.isnan(covariance[law]).any():
            notes.append(
                f"{law}: the counts do not determine one of its parameters (the break rank or q): "
                "no errors"
            )
    broken = result.fits.get("broken_power_law")
    if broken is not None:
        values, spread_of = broken.values, covariance["broken_power_law"]
        apart = abs(values["alpha_tail"] - values["alpha"])
        error = math.sqrt(spread_of[0, 0] + spread_of[1, 1] - 2 * spread_of[0, 1])
        if apart <= _SAME * error:  # not where the error is NaN, which has its note above
            notes.append(
                "broken_power_law: its exponents agree within their errors: no break is seen, and "
                f"its rank, {values['break_rank']:.3g}, means nothing"
            )
    if result.errors_from == "dispersion":
        spread = max(1.0, least)
        notes.append(
            "errors treat the misfit as noise; counts in blocks of text (count_tokens) give errors "
            "that hold for words that come in bursts"
        )
    if least > 2 * (result.overdispersion if result.errors_from == "blocks" else 1.0):
        notes.append(
            f"no law fits within the noise (dispersion {least:.3g} at best): the exponents "
            "describe these ranks, and depend on the range chosen by more than their errors"
        )
    return replace(
        result,
        covariance=covariance,
        overdispersion=spread,
        notes=tuple(notes),
    )


def _check_blocks(blocks: ArrayLike | None, counts: Array) -> Array:
    if blocks is None:
        return np.zeros((0, counts.size))
    parts = check_numbers("blocks", blocks)
    if parts.ndim != 2 or parts.shape[1] != counts.size:
        raise ValueError(f"blocks have shape {parts.shape}: give (blocks, {counts.size})")
    if np.any(parts < 0) or np.any(parts.sum(axis=0) != counts):
        raise ValueError("the blocks do not sum to the counts: give the counts of all the text")
    filled: Array = parts[parts.sum(axis=1) > 0]
    return filled


def _least_squares(c: Array, first: int) -> tuple[float, float]:
    ranks = np.arange(first, first + c.size)[c > 0]
    if np.ptp(c[c > 0]) == 0:
        return 0.0, 0.0
    line = linregress(np.log(ranks), np.log(c[c > 0]))
    return float(-line.slope), float(line.stderr)
