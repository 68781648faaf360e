"""One strong case in closed form: an equiangular tight frame with one active feature at a time.

``equiangular_loss`` gives a loss without any free constant that falls as 1/m: all overlaps equal
the Welch value and the bias just silences interference. ``derive_equiangular`` derives it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from theory.checks import Numbers, check_widths, scalar_like
from theory.computing.argument_kinds import check_kinds
from theory.derivation import Derivation, Step, b, density, m, n, v
from theory.estimate import Estimate, Request
from theory.features import Features
from theory.frequencies import Frequencies
from theory.regimes.one_active import derive_one_active
from theory.regimes.overlap_law import welch_expression


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
    # On either side of the kink, by integration over v with density 1/2.
    kink = sp.simplify(-wall / g)
    silent = sp.integrate(v**2 / 2, (v, 0, kink))
    miss = (g - 1) * v + wall
    shrunk = sp.integrate(miss**2 / 2, (v, kink, 2)).subs(g, best)
    root = sp.sqrt(welch_expression)
    parts = {
        "silent below threshold": density * silent.subs(kappa, root),
        "shrinkage above it": density * sp.expand(sp.simplify(shrunk)).subs(kappa, root),
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
    function: Callable[..., Any] = sp.lambdify((m, n, density), expression, "numpy")
    return function


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


@check_kinds
def equiangular_loss(frequencies: Frequencies, m: ArrayLike) -> Numbers:
    """Return L = E κ² (1 + κ/3): n equiangular directions, one active, interference silenced.

    The bias is where all interference just stops, the norm the best for that; a higher bias would
    lose a little less (by a factor 1.04 at n = 1000, m = 100, 1.19 at 28, 7, 1.47 at 6, 3:
    tests/theory/regimes/test_equiangular.py). The value depends on the frequencies through n and E
    only. Such a frame exists for few (n, m): an idealisation, neither a bound nor a fit. Several
    active features at once (E near 1) cost several times more.

    Parameters
    ----------
    frequencies : Frequencies
        n and E are used.
    m : int or array_like of int
        Widths, 1 <= m <= n.

    Returns
    -------
    float or ndarray
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
    return scalar_like(equiangular_parts(frequencies, m)["loss"], m)


def estimate_equiangular(request: Request) -> Estimate:
    """Return loss and exponent of the equiangular frame, for ``predict``."""
    parts = equiangular_parts(request.features.frequencies, request.m)
    assumptions = (
        "all n directions have the same |overlap| κ, the Welch value; such a frame can exist only "
        "for n <= m(m+1)/2 (NaN elsewhere) and does exist for few (n, m)",
        "one active feature at a time (E → 0); at E near 1 several active features cost more",
        "one norm and one bias for all features, the bias just silencing all interference (a "
        "slightly higher one would lose slightly less)",
    )
    return Estimate(parts.pop("loss"), parts.pop("exponent"), parts, assumptions)


def equiangular_derivation(features: Features) -> Derivation:
    """Return the derivation of the equiangular loss with its expressions, for ``predict``."""
    form = derive_equiangular()
    expressions = {("loss", "exact"): form.loss, ("exponent", "exact"): form.exponent}
    return replace(form.derivation, expressions=expressions)
