"""Overlaps below a hard wall, one active feature: the closed form with a logarithm in it.

Use ``derive_hard_wall`` for L = E (h²/m)(1 + h/(3√m)), the loss when no scaled overlap √m u_i·u_j
exceeds h, and ``hard_wall_parts`` for its numbers with h² = 2 ln(n/m), where the overlaps of
random-like directions end. Then the local exponent is near 1 + 1/ln(n/m): a pure 1/m law holds only
for n/m → ∞. For n <= 2m directions with no positive overlap exist (the cross-polytope), and the
loss is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from theory.checks import check_widths
from theory.derivation import Derivation, Step, density, m, n
from theory.estimate import Estimate, Request
from theory.features import Features
from theory.frequencies import Frequencies
from theory.regimes.equiangular import derive_equiangular

_h = sp.Symbol("h", positive=True)


@dataclass(frozen=True)
class HardWallForm:
    """Loss and local exponent, exact and to leading order, for n > 2m."""

    loss: Any
    exponent: Any
    leading_loss: Any
    leading_exponent: Any
    derivation: Derivation


@lru_cache(maxsize=1)
def derive_hard_wall() -> HardWallForm:
    """Derive the loss at a wall, and with the wall where random-like overlaps end.

    Examples
    --------
    >>> derive_hard_wall().leading_exponent
    1 + 1/log(n/m)
    """
    kappa = sp.Symbol("kappa", positive=True)
    frame = derive_equiangular().derivation
    least = frame["least loss"]
    at_wall = density * least.subs(kappa, _h / sp.sqrt(m))
    wall = sp.sqrt(2 * sp.log(n / m))
    loss = at_wall.subs(_h, wall)
    exponent = sp.simplify(-m * sp.diff(loss, m) / loss)
    leading_loss = density * wall**2 / m
    # Kept as a function of n/m, which the simplifier would take apart.
    slope = -m * sp.diff(leading_loss, m) / leading_loss
    leading_exponent = 1 + sp.simplify((slope - 1) * sp.log(n / m)) / sp.log(n / m)
    steps = (
        Step(
            "wall",
            "No overlap exceeds κ = h/√m, and the bias just silences an overlap of κ; which "
            "overlaps lie below does not matter. The norm that is best then is",
            sp.Eq(frame["best norm"].lhs, frame["best norm"].rhs.subs(kappa, _h / sp.sqrt(m))),
        ),
        Step(
            "least loss", "where the loss, with E active features per sample (E → 0), is", at_wall
        ),
        Step(
            "extreme",
            "Of n Gaussian overlaps of variance 1 that one row has, with m degrees of freedom to "
            "move the largest, the largest that is left is about",
            sp.Eq(_h, wall),
        ),
        Step("loss", "With it:", sp.Eq(sp.Symbol("L"), loss)),
        Step("exponent", "-d ln L / d ln m, to leading order:", leading_exponent),
    )
    derivation = Derivation("Overlaps below a hard wall, one active feature at a time", steps)
    return HardWallForm(loss, exponent, leading_loss, leading_exponent, derivation)


@lru_cache(maxsize=2)
def _compile(name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = sp.lambdify(
        (m, n, density), getattr(derive_hard_wall(), name), "numpy"
    )
    return function


def hard_wall_parts(frequencies: Frequencies, widths: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Return loss and local exponent at each width.

    For n <= 2m the loss is 0 and has no exponent (NaN); where the wall would lie at or beyond the
    largest overlap there can be, h >= √m, both are NaN.

    Examples
    --------
    >>> f = Frequencies.power_law(1000, alpha=0)
    >>> parts = hard_wall_parts(f, [5, 100, 500])
    >>> parts["loss"].round(4), parts["exponent"].round(3)
    (array([   nan, 0.0493, 0.    ]), array([  nan, 1.482,   nan]))
    """
    widths = check_widths(widths, frequencies.n)
    free = 2 * widths >= frequencies.n
    walled = ~free & (2 * np.log(frequencies.n / widths) < widths)
    values = np.where(walled, widths, 1).astype(np.float64)
    found = {}
    with np.errstate(all="ignore"):
        for name in ("loss", "exponent"):
            value = _compile(name)(values, float(frequencies.n), frequencies.density)
            found[name] = np.where(walled, value, np.nan)
    found["loss"][free] = 0.0
    return found


def estimate_hard_wall(request: Request) -> Estimate:
    """Return loss and exponent of overlaps below a hard wall, for ``predict``."""
    found = hard_wall_parts(request.features.frequencies, request.m)
    assumptions = (
        "no scaled overlap exceeds h = √(2 ln(n/m)), where those of n random-like directions "
        "end (heuristic); none is positive for n <= 2m, which loses nothing",
        "one active feature at a time (E → 0); at E near 1 several active features cost more",
        "one norm and one bias for all features, the bias just silencing all interference",
    )
    return Estimate(found["loss"], found["exponent"], {"own output": found["loss"]}, assumptions)


def hard_wall_derivation(features: Features) -> Derivation:
    """Return the derivation of the hard-wall loss with its expressions, for ``predict``."""
    form = derive_hard_wall()
    expressions = {
        ("loss", "exact"): form.loss,
        ("loss", "leading"): form.leading_loss,
        ("exponent", "exact"): form.exponent,
        ("exponent", "leading"): form.leading_exponent,
    }
    return replace(form.derivation, expressions=expressions)
