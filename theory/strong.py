"""Strong superposition: what the publication claims, and one case in closed form.

Use ``derive_even`` and ``derive_skewed`` for the two published exponents, with where each is
claimed; the publication gives no loss with them. Use ``equiangular_loss`` for the loss of an
equiangular tight frame with one active feature and interference just silenced, a loss without any
free constant that falls as 1/m. ``theory.directions`` has the overlaps these rest on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from theory.checks import check_widths
from theory.derivation import Derivation, Step, alpha, b, density, m, n
from theory.directions import capacity_expression, derive_overlap_law, welch_expression
from theory.frequencies import Frequencies
from theory.one_active import derive_one_active
from theory.tails import derive_tail


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
    claimed = (
        "claimed for even frequencies (arXiv 2505.10465, strong superposition); the fits published "
        "for n = 1000 and weight decay below -0.3 are 0.78 to 1.30 for alpha <= 1.25"
    )
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
        exponent, square, claimed, Derivation("Strong superposition, even frequencies", steps)
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
    claimed = (
        "claimed for skewed power laws, alpha > 1 (arXiv 2505.10465, strong superposition); "
        "the fits published for n = 1000 reach 2.05 to 2.27 at alpha = 2; where it takes over from "
        "1 is open"
    )
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
        exponent, beyond, claimed, Derivation("Strong superposition, skewed frequencies", steps)
    )


@dataclass(frozen=True)
class EquiangularForm:
    """Closed form of the equiangular loss: in m, n and E, with its exponent and its parts."""

    loss: Any
    exponent: Any
    parts: dict[str, Any]
    derivation: Derivation


@lru_cache(maxsize=1)
def derive_equiangular() -> EquiangularForm:
    """Derive L = E κ² (1 + κ/3), κ² = (n-m)/(m(n-1)), from the one-active-feature loss.

    The bias is put at the wall, where all interference just stops, and the norm is the best for
    that. A bias a little above the wall loses less still.

    Examples
    --------
    >>> kappa = sp.Symbol("kappa", positive=True)
    >>> sp.factor(derive_equiangular().derivation["least loss"])
    kappa**2*(kappa + 3)/3
    """
    kappa = sp.Symbol("kappa", positive=True)
    g = sp.Symbol("g", positive=True)
    names = {"h": g - 1, "e": 2 * g + b, "k": -b / g, "t": 2 + b / g}
    # The branch of the self loss whose kink lies inside (0, 2): -2 g < b < 0.
    own = derive_one_active().self.args[-1][0]
    own = own.subs({symbol: names.get(symbol.name, symbol) for symbol in own.free_symbols})
    wall = -2 * g * kappa
    at_wall = sp.expand(sp.simplify(own.subs(b, wall)))
    slope = sp.diff(at_wall, g)
    (best,) = sp.solve(slope, g)
    least = sp.factor(sp.simplify(at_wall.subs(g, best)))
    kink = sp.simplify(-wall / g)
    silent = kink**3 / 6  # ⟨v²; v < kink⟩ with density 1/2
    root = sp.sqrt(welch_expression)
    parts = {
        "silent below threshold": density * silent.subs(kappa, root),
        "shrinkage above it": density * sp.expand(least - silent).subs(kappa, root),
    }
    loss = density * least.subs(kappa, root)
    exponent = sp.simplify(-m * sp.diff(loss, m) / loss)
    steps = (
        Step(
            "frame",
            "n rows of squared norm g with all |W_i·W_j| = g κ, κ² the Welch value; possible at "
            "most up to n = m(m+1)/2.",
            sp.Eq(kappa**2, welch_expression),
        ),
        Step(
            "wall",
            "One feature active, v < 2: the bias that just silences every other output is",
            sp.Eq(b, wall),
        ),
        Step("own output", "Only the active feature's own output errs; its loss is", at_wall),
        Step("best norm", "With the bias there, it is least at the norm", sp.Eq(g, best)),
        Step("least loss", "where, per active feature, it is", least),
        Step("loss", "With E active features per sample (E → 0):", sp.Eq(sp.Symbol("L"), loss)),
        Step("exponent", "-d ln L / d ln m:", exponent),
    )
    title = "Equiangular tight frame, one active feature at a time"
    return EquiangularForm(loss, exponent, parts, Derivation(title, steps))


@lru_cache(maxsize=4)
def _compile(name: str) -> Callable[..., Any]:
    form = derive_equiangular()
    expression = {**form.parts, "loss": form.loss, "exponent": form.exponent}[name]
    return sp.lambdify((m, n, density), expression, "numpy")


def equiangular_parts(
    frequencies: Frequencies, widths: ArrayLike
) -> dict[str, NDArray[np.float64]]:
    """Return loss, exponent and the two parts of the loss at each width; NaN where none exists.

    Examples
    --------
    >>> f = Frequencies.power_law(28, alpha=0)
    >>> parts = equiangular_parts(f, [6, 7])
    >>> parts["loss"].round(4), parts["exponent"].round(4)
    (array([   nan, 0.1235]), array([nan, 1.4]))
    """
    widths = check_widths(widths, frequencies.n)
    exists = (widths < frequencies.n) & (frequencies.n <= widths * (widths + 1) // 2)
    m_values = np.where(exists, widths, 1).astype(np.float64)
    names = ("loss", "exponent", *derive_equiangular().parts)
    with np.errstate(all="ignore"):
        return {
            name: np.where(
                exists, _compile(name)(m_values, float(frequencies.n), frequencies.density), np.nan
            )
            for name in names
        }


def equiangular_loss(frequencies: Frequencies, widths: ArrayLike) -> NDArray[np.float64]:
    """Return L = E κ² (1 + κ/3): n equiangular directions, one active, interference silenced.

    The bias is where all interference just stops, the norm the best for that; a higher bias would
    lose a little less (by a factor 1.04 at n = 1000, m = 100, 1.19 at 28, 7, 1.47 at 6, 3:
    tests/theory/test_strong.py). The value depends on the frequencies through n and E only. Such a
    frame exists for few (n, m): an idealisation, neither a bound nor a fit. Several active features
    at once (E near 1) cost several times more.

    Parameters
    ----------
    frequencies : Frequencies
        n and E are used.
    widths : array_like of int
        Widths m, 1 <= m <= n.

    Returns
    -------
    ndarray
        Loss per sample; NaN where n > m(m+1)/2 (no such frame) or n = m (no overlap at all).

    Raises
    ------
    ValueError
        For a width outside 1..n.

    Examples
    --------
    >>> equiangular_loss(Frequencies.power_law(1000, alpha=0), [63, 100]).round(5)
    array([0.01549, 0.00929])
    """
    return equiangular_parts(frequencies, widths)["loss"]


def published_exponents(frequencies: Frequencies) -> dict[str, float]:
    """Return the published strong exponents to compare with at these frequencies, by name.

    "strong_even" (1), claimed for even frequencies, is always listed; "strong_skewed",
    2(alpha - 1), only where it is defined: power laws with alpha > 1.

    Examples
    --------
    >>> published_exponents(Frequencies.power_law(1000, alpha=1.75))
    {'strong_even': 1.0, 'strong_skewed': 1.5}
    """
    exponents = {"strong_even": float(derive_even().exponent)}
    if frequencies.exponent is not None and frequencies.exponent > 1:
        value = derive_skewed().exponent.subs(alpha, frequencies.exponent)
        exponents["strong_skewed"] = float(value)
    return exponents
