"""The exponents that the publication claims for strong superposition, without a loss.

``derive_even`` and ``derive_skewed`` give each exponent with where it is claimed: 1 for even
frequencies, 2(alpha - 1) for power laws with alpha > 1. ``theory.directions`` has the overlaps
these rest on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from theory.derivation import Derivation, Step, alpha, m, n
from theory.estimate import Estimate, Request, need_equal_importance
from theory.features import Features
from theory.regimes.overlap_law import capacity_expression, derive_overlap_law, welch_expression
from theory.regimes.tails import derive_tail


@dataclass(frozen=True)
class PublishedExponent:
    """An exponent that the publication claims, without a loss.

    Attributes
    ----------
    exponent : sympy.Expr
        The claimed exponent of loss against m.
    scaling : sympy.Expr
        What the loss is claimed to be proportional to.
    claimed : str
        Where the claim is made, and what was observed.
    derivation : Derivation
        The argument behind it.
    """

    exponent: Any
    scaling: Any
    claimed: str
    derivation: Derivation


_EVEN = (
    "claimed for even frequencies (arXiv 2505.10465, strong superposition); the fits published "
    "for n = 1000 and weight decay below -0.3 are 0.78 to 1.30 for alpha <= 1.25"
)
_SKEWED = (
    "claimed for skewed power laws, alpha > 1 (arXiv 2505.10465, strong superposition); "
    "the fits published for n = 1000 reach 2.05 to 2.27 at alpha = 2; where it takes over from "
    "1 is open"
)


@lru_cache(maxsize=1)
def derive_even() -> PublishedExponent:
    """Derive the exponent 1 of isotropic overlaps.

    Examples
    --------
    >>> derive_even().exponent
    1
    """
    square = derive_overlap_law()["mean square"]
    welch_limit = sp.limit(m * welch_expression, n, sp.oo) / m
    exponent = sp.simplify(-m * sp.diff(square, m) / square)
    steps = (
        Step("random overlap", "Rows without preferred directions have ⟨t²⟩ =", square),
        Step(
            "least overlap",
            "No arrangement goes below the Welch value (n - m)/(m (n - 1)), which for n → ∞ is the "
            "same:",
            welch_limit,
        ),
        Step(
            "scaling",
            "If the loss is carried by squared overlaps and nothing else depends on m, then "
            "L ∝ 1/m. [claim]",
            square,
        ),
        Step("exponent", "-d ln L / d ln m:", exponent),
    )
    return PublishedExponent(
        exponent, square, _EVEN, Derivation("Strong superposition, even frequencies", steps)
    )


@lru_cache(maxsize=1)
def derive_skewed() -> PublishedExponent:
    """Derive the exponent 2(alpha - 1) of the frequency beyond the capacity of a frame.

    Examples
    --------
    >>> derive_skewed().exponent
    2*alpha - 2
    """
    leading = derive_tail("power_law > 1").leading
    capacity = sp.LT(capacity_expression.expand(), m)  # m²/2, leading for m ≫ 1
    beyond = sp.powsimp(sp.powdenest(leading.subs(m, capacity), force=True))
    exponent = sp.expand(sp.simplify(-m * sp.diff(beyond, m) / beyond))
    steps = (
        Step(
            "capacity",
            "At most m(m+1)/2 directions can have equal |overlaps| (Gerzon); about m²/2 of the "
            "most frequent features have them. [claim]",
            capacity_expression,
        ),
        Step(
            "beyond",
            "The others dominate the loss; their frequency, Σ_{i>m²/2} p_i, for n → ∞ and m ≫ 1:",
            beyond,
        ),
        Step("exponent", "-d ln L / d ln m, if L is proportional to it [claim]:", exponent),
    )
    return PublishedExponent(
        exponent, beyond, _SKEWED, Derivation("Strong superposition, skewed frequencies", steps)
    )


def estimate_even(request: Request) -> Estimate:
    """Return the exponent 1 at each width, for ``predict``.

    It is that of ``derive_even``, whose integrals take more than a second.
    """
    return _estimate(request, 1.0, _EVEN)


def estimate_skewed(request: Request) -> Estimate:
    """Return the exponent 2(alpha - 1) at each width, for ``predict``.

    Examples
    --------
    >>> from theory.frequencies import Frequencies
    >>> steep = Features(Frequencies.power_law(1000, alpha=1.75))
    >>> estimate_skewed(Request(steep, np.array([10, 25]))).exponent
    array([1.5, 1.5])
    """
    value = derive_skewed().exponent.subs(alpha, request.features.frequencies.exponent)
    return _estimate(request, float(value), _SKEWED)


def _estimate(request: Request, exponent: float, claimed: str) -> Estimate:
    shape = request.m.shape
    assumptions = (claimed, "an exponent only: no loss is published with it")
    return Estimate(np.full(shape, np.nan), np.full(shape, exponent), {}, assumptions)


def even_derivation(features: Features) -> Derivation:
    """Return the argument for the exponent 1 with its expression, for ``predict``."""
    return _with_exponent(derive_even())


def skewed_derivation(features: Features) -> Derivation:
    """Return the argument for the exponent 2(alpha - 1) with its expression, for ``predict``."""
    return _with_exponent(derive_skewed())


def _with_exponent(published: PublishedExponent) -> Derivation:
    return replace(published.derivation, expressions={("exponent", "exact"): published.exponent})


def refuse_unskewed(features: Features) -> str | None:
    """Refuse, for "strong_skewed", frequencies that are not a power law with alpha > 1."""
    exponent = features.frequencies.exponent
    if exponent is None or exponent <= 1:
        return "its exponent is claimed for power laws with alpha > 1"
    return need_equal_importance(features)
