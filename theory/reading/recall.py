"""How many items a superposed state of m numbers holds, and how often they are read correctly.

``recall(n, m, active)`` gives the probability that a readout is right, ``required_width`` the least
m and ``max_active`` the most items for a given error. The laws behind them are in ``score_law``
(random directions) and ``block_codes`` (sparse block codes).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import log_ndtr

from theory.checks import check_finite, check_integer, check_real
from theory.computing.argument_kinds import check_kinds
from theory.reading.block_codes import recall_block_codes
from theory.reading.score_law import Codes, ScoreLaw, independent_scores
from theory.results import result

Readout = Literal["argmax", "top_k", "threshold"]
AnyCodes = Literal["random", "unit", "bipolar", "block"]
_WIDEST = 10**9
_STRONGEST = 1e100  # squares are finite


@dataclass(frozen=True)
@result
class Recall:
    """How often a superposed state is read correctly.

    Attributes
    ----------
    n, m, active : int
        Candidates, width, and items that are superposed.
    readout, codes : str
        As given.
    probability : float
        P(the readout is right).
    error : float
        1 less that.
    asymptotic_error : float
        The same if all scores were independent normals; NaN for block codes.
    threshold : float
        Where a threshold is used, its value; else NaN.
    false_alarm, miss : float
        With a threshold, the probability that one item that is off is read as on, and that one that
        is on is not; else NaN.
    """

    n: int
    m: int
    active: int
    readout: str
    codes: str
    probability: float
    error: float
    asymptotic_error: float
    threshold: float = math.nan
    false_alarm: float = math.nan
    miss: float = math.nan

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row."""
        return pd.DataFrame([{name: getattr(self, name) for name in self.__dataclass_fields__}])

    def __str__(self) -> str:
        text = (
            f"{self.active} of {self.n} items in {self.m} numbers ({self.codes} codes), "
            f"{self.readout}: right with probability {self.probability:.6g}"
        )
        if not math.isnan(self.asymptotic_error):
            text += f"\nerror {self.error:.4g}; independent scores give {self.asymptotic_error:.4g}"
        if not math.isnan(self.threshold):
            text += f"\nthreshold {self.threshold:.4g}"
        if not math.isnan(self.miss):
            text += f": false alarms {self.false_alarm:.4g} an item, misses {self.miss:.4g}"
        return text


@check_kinds
def recall(
    n: int,
    m: int,
    active: int,
    readout: Readout = "top_k",
    *,
    codes: AnyCodes = "random",
    strengths: ArrayLike | None = None,
    noise: float = 0.0,
    threshold: float | None = None,
    blocks: int | None = None,
) -> Recall:
    """Return the probability that what is superposed in m numbers is read correctly.

    The state is h = Σ_{i on} x_i u_i + noise, an item's score u_j·h.

    Parameters
    ----------
    n : int
        Candidates. For top_k and threshold all items, those that are on among them; for argmax the
        one that is right and n - 1 that are not superposed.
    m : int
        Width of the state.
    active : int
        Items that are superposed, at most n (argmax: any number).
    readout : {"top_k", "argmax", "threshold"}
        Right is: every item that is on scores above every one that is off; the one item that is
        among the candidates scores above the others; every item that is on, and no other, scores
        above the threshold.
    codes : {"random", "unit", "bipolar", "block"}
        Directions with independent normal entries of variance 1/m (exact); those scaled to length
        1, or with entries ±1/√m (correct to order 1/m); or sparse block codes (exact): m/blocks
        units in each of ``blocks`` modules, one unit of each on; a state is the union, and an item
        is read as on if all its units are.
    strengths : array_like, shape (active,), optional
        x_i > 0, all 1 by default; argmax is about the first.
    noise : float
        Standard deviation of normal noise on each number of h.
    threshold : float, optional
        For "threshold"; by default the best one.
    blocks : int, optional
        Number of modules of block codes; it divides m.

    Returns
    -------
    Recall
        The probability, beside the form for independent scores.

    Raises
    ------
    ValueError
        For values that are out of range, or do not go together.

    Notes
    -----
    For "random" the joint law is exact ("The Ball and the Box", 2026, extended to unequal strengths
    and noise). For "unit" and "bipolar" codes errors of 0.1 and more agree with sampling to 3 %
    from m = 60 on, in tests/theory/reading/test_recall.py. The independent form of argmax is that
    of Frady, Kleyko and Sommer (Neural Computation 30, 2018).

    Examples
    --------
    >>> recall(2000, 220, 8)
    8 of 2000 items in 220 numbers (random codes), top_k: right with probability 0.737543
    error 0.2625; independent scores give 0.225
    >>> round(recall(100, 512, 40, "argmax", codes="bipolar").probability, 3)
    0.846
    """
    n, active = check_integer("n", n), check_integer("active", active)
    law = _build(n, m, active, readout, codes, strengths, noise, threshold, blocks)
    if law is None:
        m, blocks = check_integer("m", m), check_integer("blocks", blocks)
        found = recall_block_codes(n, m, active, blocks)
        return Recall(n, m, active, readout, codes, 1 - found, found, math.nan)
    if readout != "threshold":
        right = law.one_above_others() if readout == "argmax" else law.all_above_others()
        independent = independent_scores(law, readout)
        error, asymptotic = _rest(right), _rest(independent)
        return Recall(n, law.m, active, readout, codes, 1 - error, error, asymptotic)
    if threshold is None:
        threshold = _best_threshold(law.separated_at, min(law.strengths))
    error = _rest(law.separated_at(threshold))
    false_alarm, miss = law.error_rates_at(threshold)
    off = law.size / math.sqrt(law.m)
    asymptotic = _rest(_independent_at(law, threshold, off))
    return Recall(
        n, law.m, active, readout, codes, 1 - error, error, asymptotic,
        threshold, false_alarm, miss,
    )  # fmt: skip


def _rest(probability: float) -> float:
    """Return 1 - probability within [0, 1]."""
    return min(max(1 - probability, 0.0), 1.0)


def _independent_at(law: ScoreLaw, threshold: float, off: float) -> float:
    log = law.others * log_ndtr(threshold / off)
    for x, rho, count in zip(law.strengths, law.rho, law.counts, strict=True):
        deviation = math.sqrt(max(1 - rho**2, 1e-18)) * off
        log += count * log_ndtr((x - threshold) / deviation)
    return float(np.exp(log))


def _best_threshold(right: Callable[[float], float], most: float) -> float:
    """Return the threshold in (0, most] with the highest probability."""
    grid = np.linspace(0.02, 1.0, 50) * most
    values = [right(x) for x in grid]
    best = int(np.argmax(values))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
    found = minimize_scalar(
        lambda x: -right(x), bounds=(low, high), method="bounded", options={"xatol": 1e-5 * most}
    )
    return float(found.x if -found.fun >= values[best] else grid[best])


def _build(
    n: int,
    m: int,
    active: int,
    readout: str,
    codes: str,
    strengths: ArrayLike | None,
    noise: float,
    threshold: float | None,
    blocks: int | None,
) -> ScoreLaw | None:
    """Check the arguments; return the law of the scores, or None for block codes."""
    m = check_integer("m", m, 2, _WIDEST)
    if readout != "argmax" and active > n:
        raise ValueError(f"active = {active} is not allowed: of n = {n} items at most n are on")
    if threshold is not None and readout != "threshold":
        raise ValueError(f"threshold = {threshold} goes with readout='threshold', not {readout!r}")
    noise = check_real("noise", noise, 0, _STRONGEST)
    if codes == "block":
        if blocks is None or m % check_integer("blocks", blocks):
            raise ValueError(f"blocks = {blocks} is not allowed: give one that divides m = {m}")
        if strengths is not None or noise or threshold is not None or readout != "threshold":
            raise ValueError(
                "block codes are read as a union of units: give readout='threshold', and no "
                "strengths, noise or threshold"
            )
        return None
    if blocks is not None:
        raise ValueError(f"blocks = {blocks} goes with codes='block', not {codes!r}")
    if threshold is not None:
        check_real("threshold", threshold)
    counted, values = {1.0: active}, [1.0]
    if strengths is not None:
        x = check_finite("strengths", strengths, low=0, high=_STRONGEST, strict=True)
        if x.shape != (active,):
            raise ValueError(
                f"strengths has {x.size} entries: give {active}, one for each item that is on"
            )
        counted = Counter(x.tolist())
        first = x[0].item()
        values = [first, *sorted(value for value in counted if value != first)]
    others = n - 1 if readout == "argmax" else n - active
    counts = tuple(counted[value] for value in values)
    kind: Any = codes
    return ScoreLaw(m, others, tuple(values), counts, noise, kind)


@check_kinds
def required_width(
    n: int,
    active: int,
    error: float = 0.01,
    readout: Readout = "top_k",
    *,
    codes: Codes = "random",
    strengths: ArrayLike | None = None,
    noise: float = 0.0,
) -> int:
    """Return the least width at which ``recall`` is wrong with at most this probability.

    Parameters
    ----------
    n, active, readout, codes, strengths, noise
        As in ``recall``; codes other than block codes. ``noise`` is on each number of h, so that
        the noise of a score does not depend on m.
    error : float
        Allowed probability of an error, from 1e-12 to 1 - 1e-12.

    Returns
    -------
    int
        The least m >= 2.

    Raises
    ------
    ValueError
        As ``recall``; if no width up to 10⁹ reaches the error, because of the noise.

    Examples
    --------
    >>> required_width(n=50_000, active=8, error=0.01)
    428
    >>> required_width(100, 1000, 0.1, "argmax", codes="bipolar")
    15214
    """
    error = check_real("error", error, 1e-12, 1 - 1e-12)

    def reached(m: int) -> bool:
        found = recall(n, m, active, readout, codes=codes, strengths=strengths, noise=noise)
        return found.error <= error

    if codes == "block":  # type: ignore[comparison-overlap]
        raise ValueError("codes = 'block' is not allowed here: m and blocks vary together")
    low, high = 1, 2
    while not reached(high):
        low, high = high, 2 * high
        if high > _WIDEST:
            weakest = 1.0 if strengths is None else float(np.min(strengths))
            raise ValueError(
                f"no width up to {_WIDEST:.0e} has an error of {error:g}: noise = {noise:g} on a "
                f"score is too much for strengths of at least {weakest:g}; allow a larger error or "
                "give less noise"
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


@check_kinds
def max_active(
    n: int,
    m: int,
    error: float = 0.01,
    readout: Readout = "top_k",
    *,
    codes: AnyCodes = "random",
    noise: float = 0.0,
    blocks: int | None = None,
) -> int:
    """Return the most equally strong items that can be read with at most this error.

    For "argmax" it is the number of items superposed, of which one is among the n candidates.

    Parameters
    ----------
    n, m, readout, codes, noise, blocks
        As in ``recall``.
    error : float
        Allowed probability of an error, from 1e-12 to 1 - 1e-12.

    Returns
    -------
    int
        The largest number from which down every number is read so; 0 if not even one is. (That all
        n items are on is trivially read by top_k, and does not count.)

    Examples
    --------
    >>> max_active(n=50_000, m=768, error=0.01)
    13
    """
    error = check_real("error", error, 1e-12, 1 - 1e-12)
    n, m = check_integer("n", n), check_integer("m", m, 2)

    def reached(active: int) -> bool:
        options: Any = {"codes": codes, "noise": noise, "blocks": blocks}
        return recall(n, m, active, readout, **options).error <= error

    most = _WIDEST if readout == "argmax" else max(n // 2, 1)
    if not reached(1):
        return 0
    low, high = 1, 2
    while high <= most and reached(high):
        low, high = high, 2 * high
    high = min(high, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if reached(middle) else (low, middle)
    return low
