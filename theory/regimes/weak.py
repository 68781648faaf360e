"""Weak superposition: the m most frequent features are kept, the rest are lost.

Use ``weak_loss`` for the exact loss with any number r of features kept, ``weak_exponent`` for its
exact local exponent, ``lost_loss`` for what a set of lost features costs, and ``derive_weak`` for
the expressions behind them, from the model to the limits, step by step.

Source: the model of arXiv 2505.10465 (eq. 1 and 14); the p_i² term and the exact sums are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from theory.activation import UNIFORM, Activation
from theory.derivation import Derivation, Step, alpha, density, m, n, p, scale, v
from theory.frequencies import Frequencies
from theory.tails import case_of, derive_tail

_c = sp.Symbol("c", nonnegative=True)


@dataclass(frozen=True)
class WeakForm:
    """Symbolic weak-superposition loss of one law, in m, n, E and the law's parameter.

    Attributes
    ----------
    loss, exponent : dict of sympy.Expr
        Keyed by limit: "exact", "infinite_n" where it exists, and "leading".
    parts : dict of sympy.Expr
        The exact loss as a sum of named contributions.
    regime : str
        Where the leading term holds.
    derivation : Derivation
        All steps.
    """

    loss: dict[str, Any]
    exponent: dict[str, Any]
    parts: dict[str, Any]
    regime: str
    derivation: Derivation


@lru_cache(maxsize=32)
def derive_feature_loss(activation: Activation = UNIFORM) -> tuple[Any, tuple[Step, ...]]:
    """Derive ℓ(p), the least loss of a feature with W_i = 0, and why the frequent ones are kept.

    Returns
    -------
    tuple
        The expression in p, and the steps.

    Examples
    --------
    >>> derive_feature_loss()[0]
    -p**2 + 4*p/3
    """
    low, high = activation.support
    first, second = (p * activation.moment(k) for k in (1, 2))
    silent = (1 - p) * _c**2
    active = p * sp.integrate((v - _c) ** 2 * activation.density(v), (v, low, high))
    lost = sp.expand(silent + active)
    best = sp.solve(sp.diff(lost, _c), _c)[0]
    least = sp.expand(lost.subs(_c, best))
    other = sp.Symbol("p_k", positive=True)
    gain = sp.factor(least - least.subs(p, other))
    steps = (
        Step(
            "moments",
            "x = u v with u ~ Bernoulli(p): ⟨x⟩ and ⟨x²⟩ by integration over v.",
            sp.Tuple(sp.Eq(sp.Symbol("⟨x⟩"), first), sp.Eq(sp.Symbol("⟨x²⟩"), second)),
        ),
        Step(
            "lost feature",
            "W_i = 0 leaves the constant output c = ReLU(b_i) >= 0; the feature then costs "
            "⟨(x - c)²⟩.",
            lost,
        ),
        Step(
            "best bias",
            "It is convex in c (second derivative "
            f"{sp.diff(lost, _c, 2)}), and least where its derivative vanishes, at a c that the "
            "ReLU allows.",
            sp.Eq(_c, best),
        ),
        Step("lost feature at its best", "There it costs", least),
        Step(
            "kept feature",
            "W_i a unit vector orthogonal to all other kept rows, b_i = 0: the output is "
            "ReLU(x_i) = x_i, since x_i >= 0, and the feature costs",
            sp.S.Zero,
        ),
        Step(
            "which features to keep",
            "At most m rows can be orthogonal. Keeping the feature of frequency p instead of "
            "another of frequency p_k saves the product below: positive for p > p_k as long as its "
            "last factor is, so the m most frequent are kept.",
            gain,
        ),
    )
    return least, steps


@lru_cache(maxsize=32)
def derive_weak(case: str, activation: Activation = UNIFORM) -> WeakForm:
    """Derive the loss and its local exponent for one law (``tails.case_of``).

    Examples
    --------
    >>> form = derive_weak("power_law > 1")
    >>> form.loss["leading"]
    4*E*m**(1 - alpha)/(3*(alpha - 1)*zeta(alpha))
    >>> form.exponent["leading"]
    alpha - 1
    """
    least, steps = derive_feature_loss(activation)
    tail = derive_tail(case)
    linear, square = least.coeff(p, 1), least.coeff(p, 2)
    parts = {"lost activations": linear * tail.mass, "constant outputs": square * tail.squares}
    loss = {"exact": sp.Add(*parts.values())}
    if tail.infinite_mass is not None:
        loss["infinite_n"] = linear * tail.infinite_mass + square * tail.infinite_squares
    loss["leading"] = linear * tail.leading
    # d ln L = d ln decay + d ln (L / decay): neither part underflows where L does.
    exponent = {
        name: -m * sp.diff(sp.log(tail.decay), m) - m * sp.diff(rest, m) / rest
        for name, rest in ((name, sp.expand(expr / tail.decay)) for name, expr in loss.items())
    }
    exponent["leading"] = sp.factor(sp.simplify(exponent["leading"]))
    summary = (
        Step(
            "sum",
            "The loss is the sum of this over the n - m lost features.",
            sp.Eq(sp.Symbol("L"), linear * sp.Symbol("Sigma_1") + square * sp.Symbol("Sigma_2")),
        ),
        *tail.steps,
        Step("loss", "Inserted: the exact loss.", sp.Eq(sp.Symbol("L"), loss["exact"])),
        Step("leading loss", f"For {tail.regime}:", sp.Eq(sp.Symbol("L"), loss["leading"])),
        Step(
            "exponent",
            "-d ln L / d ln m, exactly (for power laws d/dm of Σ_{i>m} i^-s is -s Σ_{i>m} i^-(s+1) "
            "summed to ∞, as for the Hurwitz zeta function).",
            exponent["exact"],
        ),
        Step("leading exponent", f"For {tail.regime}:", exponent["leading"]),
    )
    title = f"Weak superposition, {case.replace('_', ' ')}: the loss from the model"
    return WeakForm(loss, exponent, parts, tail.regime, Derivation(title, (*steps, *summary)))


_ARGUMENTS = (m, n, density, alpha, scale)


@lru_cache(maxsize=64)
def _compile(case: str, activation: Activation) -> dict[str, Callable[..., Any]]:
    form = derive_weak(case, activation)
    wanted = {**form.parts, "exponent": form.exponent["exact"]}
    return {name: sp.lambdify(_ARGUMENTS, expr, "numpy") for name, expr in wanted.items()}


def _evaluate(
    name: str, frequencies: Frequencies, r: ArrayLike, activation: Activation
) -> NDArray[np.float64]:
    function = _compile(case_of(frequencies), activation)[name]
    widths = np.asarray(r, dtype=np.float64)
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


def weak_parts(
    frequencies: Frequencies,
    r: ArrayLike,
    activation: Activation = UNIFORM,
) -> dict[str, NDArray[np.float64]]:
    """Return the named contributions whose sum is ``weak_loss``.

    "lost activations" is ⟨v²⟩ Σ_{i>r} p_i, what the lost features carry; "constant outputs" is
    -⟨v⟩² Σ_{i>r} p_i², what their best constant output saves.

    Examples
    --------
    >>> parts = weak_parts(Frequencies.power_law(1000, alpha=1.0), 10)
    >>> {name: round(float(value), 5) for name, value in parts.items()}
    {'lost activations': 0.81162, 'constant outputs': -0.00168}
    """
    r = _check_kept(frequencies, r)
    if frequencies.law == "table":
        least, _ = derive_feature_loss(activation)
        return {
            "lost activations": float(least.coeff(p, 1)) * frequencies.tail_sum(r),
            "constant outputs": float(least.coeff(p, 2)) * frequencies.tail_sum(r, power=2),
        }
    names = ("lost activations", "constant outputs")
    return {name: _evaluate(name, frequencies, r, activation) for name in names}


def weak_loss(
    frequencies: Frequencies,
    r: ArrayLike,
    activation: Activation = UNIFORM,
) -> NDArray[np.float64]:
    """Return L(r) = Σ_{i>r} (⟨v²⟩ p_i - ⟨v⟩² p_i²): the r most frequent features kept, exactly.

    Parameters
    ----------
    frequencies : Frequencies
        How often features occur.
    r : array_like of int
        Features kept, 0 <= r <= n; r = m is weak superposition at its best, r = 0 a model that
        learns nothing.
    activation : Activation
        The law of v.

    Returns
    -------
    ndarray
        Loss summed over features, per sample.

    Raises
    ------
    ValueError
        For r outside 0..n.

    Examples
    --------
    >>> weak_loss(Frequencies.power_law(10**9, alpha=1.2), [10, 10**6]).round(6)
    array([0.735566, 0.057141])
    """
    return np.add(*weak_parts(frequencies, r, activation).values())


def weak_exponent(
    frequencies: Frequencies,
    r: ArrayLike,
    activation: Activation = UNIFORM,
) -> NDArray[np.float64]:
    """Return the local exponent -d ln L / d ln r of ``weak_loss``, exactly for a law.

    For a table of counts the loss is known at whole r only: there it is the slope between r - 1
    and r + 1, one-sided at r = 1 and r = n - 1.

    Parameters
    ----------
    frequencies : Frequencies
        How often features occur.
    r : array_like of int
        Features kept, 0 <= r <= n.
    activation : Activation
        The law of v.

    Returns
    -------
    ndarray
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
    r = _check_kept(frequencies, r)
    if frequencies.law != "table":
        return _evaluate("exponent", frequencies, r, activation)
    # At r = n the loss is 0: the slope into it says nothing about r = n - 1.
    low, high = np.maximum(r - 1, 1), np.minimum(r + 1, max(frequencies.n - 1, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        fall = np.log(weak_loss(frequencies, np.minimum(low, high), activation))
        fall = fall - np.log(weak_loss(frequencies, high, activation))
        slope = fall / np.log(high / np.minimum(low, high))
    return np.where(r == frequencies.n, np.inf, np.where(r == 0, 0.0, slope))


def lost_loss(lost: ArrayLike, activation: Activation = UNIFORM) -> float:
    """Return Σ (⟨v²⟩ p - ⟨v⟩² p²) over the frequencies of a given set of lost features.

    Use it with the features that a trained model *actually* lost, which need not be the rarest.

    Parameters
    ----------
    lost : array_like
        Their frequencies, each from 0 to 1; may be empty.
    activation : Activation
        The law of v.

    Returns
    -------
    float
        What they cost at W_i = 0 and their best constant output.

    Raises
    ------
    ValueError
        For a frequency that is NaN or outside 0..1.

    Examples
    --------
    >>> f = Frequencies.power_law(100, alpha=2.0)
    >>> round(lost_loss(f.p[10:]) - float(weak_loss(f, 10)), 12)
    0.0
    """
    least, _ = derive_feature_loss(activation)
    values = np.asarray(lost, dtype=np.float64)
    if not np.all((values >= 0) & (values <= 1)):
        raise ValueError(f"lost = {values} is not allowed: frequencies are from 0 to 1")
    terms = float(least.coeff(p, 1)) * values + float(least.coeff(p, 2)) * values**2
    return float(terms.sum())


def _check_kept(frequencies: Frequencies, r: ArrayLike) -> NDArray[np.int64]:
    kept = np.asarray(r)
    whole = np.issubdtype(kept.dtype, np.number) and np.all(kept == np.floor(kept))
    if not whole or np.any(kept < 0) or np.any(kept > frequencies.n):
        raise ValueError(f"r = {kept} is not allowed: give whole numbers from 0 to {frequencies.n}")
    return kept.astype(np.int64)
