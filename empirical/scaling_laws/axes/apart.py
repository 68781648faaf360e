"""Which axes the data cannot separate, in plain sentences.

``fit_axes`` calls this. Two axes that vary together (larger models are both wider and deeper) can
each take the other's part. That is so where

- either may be left out, though not both: a law without the one, and a law without the other, both
  fit as well as the whole (F test at 5 %);
- or a second law, with other exponents, fits as well;
- or the exponent of one has no upper or lower end, and the two correlate;
- or the two nearly coincide, and the intervals do not say which of them falls faster.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from empirical.scaling_laws.axes.law import Array, AxesLaw
from empirical.scaling_laws.axes.profile import Minima, f_rise
from empirical.scaling_laws.axes.search import find_minima
from empirical.scaling_laws.profile_likelihood import Interval

_TOGETHER = 0.9  # correlation of two logarithms above which an open interval is put down to it
_COINCIDE = 0.99  # correlation above which it must be known which of the two falls faster
_OTHER = 0.05  # relative distance of exponents above which a second minimum is another law
_LEVEL = 0.95


def without_axes(law: AxesLaw, left_out: Sequence[int]) -> AxesLaw:
    """Return the law without some axes and their interactions."""
    kept = [k for k in range(law.axes) if k not in left_out]
    pairs = tuple((kept.index(j), kept.index(k)) for j, k in law.pairs if j in kept and k in kept)
    return replace(law, u=law.u[:, kept], pairs=pairs)


def describe_inseparable(
    law: AxesLaw,
    minima: Minima,
    dof: int,
    names: Sequence[str],
    intervals: Mapping[str, Interval],
) -> list[str]:
    """Return a sentence for each axis that is not needed, and each pair that is not separable."""
    least = minima[0][0]
    rise = f_rise(least, dof, _LEVEL)
    correlation = np.atleast_2d(np.corrcoef(law.u, rowvar=False))
    spare = [k for k in range(law.axes) if law.axes > 1 and _fits_without(law, [k], least, dof)]
    found, told = [], set()
    for j, k in itertools.combinations(range(law.axes), 2):
        r = float(correlation[j, k])
        if not _confused(law, minima, (j, k), r, dof, spare, rise, intervals, names):
            continue
        told |= {j, k}
        found.append(
            f"{names[j]} and {names[k]} cannot be told apart: their logarithms correlate at "
            f"{r:.2f} in these points, and the part of one can be given to the other; give points "
            f"in which one varies while the other does not, or leave one out"
        )
    found += [
        f"these points do not show that the loss depends on {names[k]}: without it the law fits as "
        "well (F test, 5 %)"
        for k in spare
        if k not in told
    ]
    return found


def _confused(
    law: AxesLaw,
    minima: Minima,
    pair: tuple[int, int],
    correlation: float,
    dof: int,
    spare: list[int],
    rise: float,
    intervals: Mapping[str, Interval],
    names: Sequence[str],
) -> bool:
    least, best = minima[0]
    if all(axis in spare for axis in pair) and (
        law.axes == 2 or not _fits_without(law, list(pair), least, dof)
    ):
        return True
    if abs(correlation) < _TOGETHER:
        return False
    one, other = (intervals[names[axis]] for axis in pair)
    if any(interval.open_low or interval.open_high for interval in (one, other)):
        return True
    # x_j falls as x_k^slope, so that alpha_j slope and alpha_k are exponents of the same thing.
    slope = abs(float(np.ptp(law.u[:, pair[0]]) / np.ptp(law.u[:, pair[1]])))
    if abs(correlation) > _COINCIDE and (
        one.low * slope <= other.high and other.low <= one.high * slope
    ):
        return True
    return any(objective <= least + rise and _differ(best, x, pair) for objective, x in minima[1:])


def _differ(x: Array, y: Array, pair: tuple[int, int]) -> bool:
    return all(abs(x[axis] / y[axis] - 1) > _OTHER for axis in pair)


def _fits_without(law: AxesLaw, left_out: list[int], least: float, dof: int) -> bool:
    reduced = without_axes(law, left_out)
    spared = law.parameters - reduced.parameters
    return find_minima(reduced)[0][0] <= least + f_rise(least, dof, _LEVEL, spared)
