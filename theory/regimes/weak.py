"""Weak superposition: m features are kept without interference, the others are lost.

A lost feature costs I_i (⟨v²⟩ p_i - ⟨v⟩² p_i²) at its best constant output, so the m features with
the largest of these are kept. With equal importances they are the m most frequent ones unless
p_1 + p_{m+1} > ⟨v²⟩/⟨v⟩² (4/3 for v ~ U(0, 2)): features that are almost always active are cheap to
lose. ``theory.regimes.weak_derivation`` derives all this from the model.

Source: the model of arXiv 2505.10465 (eq. 1 and 14); the p_i² term and the exact sums are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from theory.activation import Activation
from theory.checks import Numbers, check_numbers, scalar_like, shown
from theory.computing.argument_kinds import check_kinds
from theory.derivation import alpha, density, m, n, scale
from theory.estimate import Estimate, Request
from theory.features import Features, as_features
from theory.frequencies import Frequencies
from theory.regimes.tails import case_of
from theory.regimes.weak_derivation import derive_weak

_PARTS = ("lost activations", "constant outputs")
_ARGUMENTS = (m, n, density, alpha, scale)


@check_kinds
def weak_loss(features: Features | Frequencies, r: ArrayLike) -> Numbers:
    """Return the loss of the best r features kept, the others lost at their best constant output.

    L(r) is the sum of I_i (⟨v²⟩ p_i - ⟨v⟩² p_i²) over the n - r features where it is smallest.

    Parameters
    ----------
    features : Features or Frequencies
        What the model is shown.
    r : array_like of int
        Features kept, 0 <= r <= n; r = m is weak superposition at its best, r = 0 a model that
        learns nothing.

    Returns
    -------
    float or ndarray
        Loss summed over features, per sample, for each r.

    Raises
    ------
    ValueError
        For r outside 0..n.

    Examples
    --------
    >>> weak_loss(Frequencies.power_law(10**9, alpha=1.2), [10, 10**6]).round(6)
    array([0.735566, 0.057141])
    >>> words = Frequencies.power_law(4, alpha=1.0)
    >>> weak_loss(words, 1), weak_loss(Features(words, importance=[1, 1, 9, 1]), 1)
    (0.5957333333333333, 0.8176)
    """
    lost, saved = weak_parts(features, r).values()
    return lost + saved


def weak_parts(features: Features | Frequencies, r: ArrayLike) -> dict[str, Numbers]:
    """Return the named contributions whose sum is ``weak_loss``.

    "lost activations" is ⟨v²⟩ Σ I_i p_i over the lost features, the square of what they carry;
    "constant outputs" is -⟨v⟩² Σ I_i p_i², what their best constant output saves.

    Examples
    --------
    >>> parts = weak_parts(Frequencies.power_law(1000, alpha=1.0), 10)
    >>> {name: round(value, 5) for name, value in parts.items()}
    {'lost activations': 0.81162, 'constant outputs': -0.00168}
    """
    features = as_features(features)
    kept = _check_kept(features.n, r)
    if features.importance is not None:
        sums = _sorted_parts(features)
        return {name: scalar_like(sums[name][kept], r) for name in _PARTS}
    skipped = _skipped(features, kept)
    tails = _tail_parts(features, kept + skipped)
    if np.any(skipped):
        whole, start = (_tail_parts(features, some) for some in (np.zeros_like(kept), skipped))
        tails = {name: tails[name] + (whole[name] - start[name]) for name in _PARTS}
    return {name: scalar_like(tails[name], r) for name in _PARTS}


@check_kinds
def weak_exponent(features: Features | Frequencies, r: ArrayLike) -> Numbers:
    """Return the local exponent -d ln L / d ln r of ``weak_loss``, exactly for a law.

    For a table of counts, for importances, and where the kept features are not the most frequent
    ones the loss is known at whole r only: there it is the slope between r - 1 and r + 1, one-sided
    at r = 1 and r = n - 1.

    Parameters
    ----------
    features : Features or Frequencies
        What the model is shown.
    r : array_like of int
        Features kept, 0 <= r <= n.

    Returns
    -------
    float or ndarray
        One exponent for each r; infinite at r = n, where the loss is 0; NaN where the loss is too
        small for a float (below 1e-308).

    Raises
    ------
    ValueError
        For r outside 0..n.

    Examples
    --------
    >>> weak_exponent(Frequencies.power_law(1000, alpha=1.0), [10, 100]).round(3)
    array([0.207, 0.433])
    """
    features = as_features(features)
    kept = _check_kept(features.n, r)
    by_list = features.importance is not None or features.frequencies.law == "table"
    whole_only = np.full(kept.shape, True) if by_list else _skipped(features, kept) > 0
    exponent = np.zeros(kept.shape) if by_list else _evaluate("exponent", features, kept)
    if np.any(whole_only):
        exponent = np.where(whole_only, _slope(features, kept), exponent)
    return scalar_like(exponent, r)


def _slope(features: Features, r: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return -d ln L / d ln r between r - 1 and r + 1."""
    # At r = n the loss is 0: the slope into it says nothing about r = n - 1.
    low, high = np.maximum(r - 1, 1), np.minimum(r + 1, max(features.n - 1, 1))
    low = np.minimum(low, high)
    with np.errstate(divide="ignore", invalid="ignore"):
        fall = np.log(weak_loss(features, low)) - np.log(weak_loss(features, high))
        slope = fall / np.log(high / low)
    return np.where(r == features.n, np.inf, np.where(r == 0, 0.0, slope))


@check_kinds
def tail_loss(features: Features | Frequencies, r: ArrayLike) -> Numbers:
    """Return what the features of rank above r cost when lost: the r most frequent ones are kept.

    This is ``weak_loss`` where the most frequent features are the best ones to keep, and more
    elsewhere.

    Examples
    --------
    >>> dense = Frequencies.from_probabilities([0.95, 0.6, 0.5])
    >>> round(tail_loss(dense, 1), 4), round(weak_loss(dense, 1), 4)
    (0.8567, 0.7808)
    """
    features = as_features(features).ranked
    kept = _check_kept(features.n, r)
    if features.importance is None:
        return scalar_like(np.add(*_tail_parts(features, kept).values()), r)
    return scalar_like(_suffix_sums(features.lost_losses)[kept], r)


@check_kinds
def lost_loss(features: Features | Frequencies, lost: ArrayLike) -> float:
    """Return Σ I_i (⟨v²⟩ p_i - ⟨v⟩² p_i²) over a given set of lost features.

    Use it with the features that a trained model *actually* lost, which need not be the best ones
    to lose.

    Parameters
    ----------
    features : Features or Frequencies
        What the model is shown.
    lost : array_like of bool, shape (n,)
        Which features are lost.

    Returns
    -------
    float
        What they cost at W_i = 0 and their best constant output.

    Raises
    ------
    ValueError
        If ``lost`` is not a mask of shape (n,).

    Examples
    --------
    >>> f = Frequencies.power_law(100, alpha=2.0)
    >>> round(lost_loss(f, np.arange(100) >= 10) - weak_loss(f, 10), 12)
    0.0
    """
    features = as_features(features)
    mask = lost if isinstance(lost, np.ndarray) else np.array(lost, dtype=object)
    if all(isinstance(one, bool | np.bool_) for one in mask.ravel().tolist()):
        mask = mask.astype(bool)
    if mask.dtype != np.bool_ or mask.shape != (features.n,):
        raise ValueError(
            f"lost has type {mask.dtype} and shape {mask.shape}: give True or False for each of "
            f"the {features.n} features"
        )
    return float(features.lost_losses[mask].sum())


def estimate_weak(request: Request) -> Estimate:
    """Return loss and exponent with the best m features kept, for ``predict``."""
    features, m = request.features, request.m
    frequencies = features.frequencies
    assumptions = [
        "the m features that cost most when lost"
        + (", the most frequent ones," if features.has_equal_importance else "")
        + " are represented exactly, without interference",
        "every other feature has W_i = 0 and its best constant output",
    ]
    if features.has_equal_importance:
        skipped = m[_skipped(features, m) > 0]
        if skipped.size:
            ratio = float(features.activation.moment(2) / features.activation.moment(1) ** 2)
            assumptions.append(
                f"at m = {', '.join(map(str, skipped))} the most frequent features are cheap to "
                f"lose (p_1 + p_(m+1) > ⟨v²⟩/⟨v⟩² = {ratio:.3g}) and not kept; the expressions, "
                "which keep the m most frequent, do not hold there"
            )
        if frequencies.law != "table":
            regime = derive_weak(case_of(frequencies), features.activation).regime
            assumptions.append(f"the leading term holds for {regime}")
    if not features.is_independent:
        assumptions.append(
            "what the kept features say about the lost ones is not used: the loss of this model "
            "hangs on the p_i alone, and features that depend on each other may lose less"
        )
    parts = weak_parts(features, m)
    lost, saved = parts.values()
    return Estimate(lost + saved, weak_exponent(features, m), parts, tuple(assumptions))


def _tail_parts(features: Features, r: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Return both parts of the loss of the features of rank above r, equally important."""
    if features.frequencies.law == "table":
        first, second = (float(features.activation.moment(k)) for k in (1, 2))
        return {
            "lost activations": second * features.frequencies.tail_sum(r),
            "constant outputs": -(first**2) * features.frequencies.tail_sum(r, power=2),
        }
    return {name: _evaluate(name, features, r) for name in _PARTS}


def _sorted_parts(features: Features) -> dict[str, NDArray[np.float64]]:
    """Return both parts for r = 0..n, the r features that cost most when lost being kept."""
    order = np.argsort(-features.lost_losses, kind="stable")
    first, second = (float(features.activation.moment(k)) for k in (1, 2))
    p, weights = features.p[order], features.weights[order]
    return {
        "lost activations": second * _suffix_sums(weights * p),
        "constant outputs": -(first**2) * _suffix_sums(weights * p**2),
    }


def _suffix_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Σ_{i >= r} values[i] for r = 0..n."""
    sums = np.cumsum(values[::-1], dtype=np.longdouble)[::-1]
    return np.append(sums, 0.0).astype(np.float64)


def _skipped(features: Features, r: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many of the most frequent features are lost if the best r are kept.

    ⟨v²⟩ p - ⟨v⟩² p² rises with p up to a maximum and then falls. So the best features have
    successive ranks, a + 1 to a + r; a is the least for which exchanging feature a + 1 for feature
    a + r + 1 gains nothing: p_{a+1} + p_{a+r+1} <= ⟨v²⟩/⟨v⟩². Found by bisection.
    """
    first, second = (float(features.activation.moment(k)) for k in (1, 2))
    ratio = second / first**2
    frequencies, n_features = features.frequencies, features.n
    low, high = np.zeros_like(r), n_features - r
    largest, smallest = frequencies.largest, float(frequencies.frequency(n_features))
    if 2 * largest <= ratio or largest == smallest:
        return low

    def helps(a: NDArray[np.int64]) -> NDArray[np.bool_]:
        own = frequencies.frequency(np.minimum(a + 1, n_features))
        other = frequencies.frequency(np.minimum(a + r + 1, n_features))
        return (a + r < n_features) & (r > 0) & (own + other > ratio)

    while np.any(low < high):
        middle = (low + high) // 2
        better = helps(middle)
        low, high = np.where(better, middle + 1, low), np.where(better, high, middle)
    return low


@lru_cache(maxsize=64)
def _compile(case: str, activation: Activation) -> dict[str, Callable[..., Any]]:
    form = derive_weak(case, activation)
    wanted = {**form.parts, "exponent": form.exponent["exact"]}
    return {name: sp.lambdify(_ARGUMENTS, expr, "numpy") for name, expr in wanted.items()}


def _evaluate(name: str, features: Features, r: NDArray[np.int64]) -> NDArray[np.float64]:
    frequencies = features.frequencies
    function = _compile(case_of(frequencies), features.activation)[name]
    widths = r.astype(np.float64)
    # Where r = n nothing is left to lose: the loss is 0 and the exponent has a pole. Where the loss
    # underflows (below 1e-308) the exponent of a power law is 0/0 and comes out as NaN.
    with np.errstate(divide="ignore", under="ignore", invalid="ignore"):
        value = function(
            widths,
            float(frequencies.n),
            frequencies.density,
            frequencies.parameter,
            frequencies.parameter,
        )
    return np.array(np.broadcast_to(value, widths.shape), dtype=np.float64)


def _check_kept(n_features: int, r: ArrayLike) -> NDArray[np.int64]:
    kept = check_numbers("r", r)
    whole = np.all(kept == np.floor(kept))
    if not whole or np.any(kept < 0) or np.any(kept > n_features):
        raise ValueError(
            f"r = {shown(r)} is not allowed: give whole numbers from 0 to {n_features}"
        )
    return kept.astype(np.int64)
