"""The weak-superposition loss derived from the model, by symbols: ``derive_weak``.

``theory.regimes.weak`` evaluates these expressions.

Source: the model of arXiv 2505.10465 (eq. 1 and 14); the p_i² term and the exact sums are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import sympy as sp

from theory.activation import UNIFORM, Activation
from theory.derivation import Derivation, Step, m, p, v
from theory.features import Features
from theory.regimes.tails import case_of, derive_tail

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
    """Derive ℓ(p), the least loss of a feature with W_i = 0, and which features are kept.

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
            "last factor is. Then the m most frequent are kept, which the sums below assume. "
            "In general (frequencies near 1, importances I_i) the m features with the largest "
            "I_i times the loss above are kept.",
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
            "The loss is the sum of this over the n - m lost features, those of rank above m.",
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
    law = case.replace("power_law", "power law, alpha")
    title = f"Weak superposition, {law}: the loss from the model"
    return WeakForm(loss, exponent, parts, tail.regime, Derivation(title, (*steps, *summary)))


def weak_derivation(features: Features) -> Derivation:
    """Return the derivation of the weak loss with its expressions, for ``predict``."""
    case = case_of(features.frequencies) if features.frequencies.law != "table" else None
    if case is not None and features.has_equal_importance:
        form = derive_weak(case, features.activation)
        expressions = {("loss", limit): expr for limit, expr in form.loss.items()}
        expressions |= {("exponent", limit): expr for limit, expr in form.exponent.items()}
        return replace(form.derivation, expressions=expressions)
    least, steps = derive_feature_loss(features.activation)
    index, first, last = sp.symbols("i m n", integer=True)
    term = least.subs(p, sp.IndexedBase("p")[index])
    title = "Weak superposition, any frequencies: the loss"
    if not features.has_equal_importance:
        title = "Weak superposition, any frequencies and importances: the loss"
        term *= sp.IndexedBase("I")[index]
        steps += (
            Step(
                "importances",
                "The squared error of feature i has the weight I_i; with features numbered by "
                "falling cost, the last n - m are lost, each at",
                term,
            ),
        )
    total = sp.Sum(term, (index, first + 1, last))
    return Derivation(title, steps, {("loss", "exact"): total})
