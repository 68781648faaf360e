"""The loss with exactly one active feature, as closed forms in the Gram matrix and the bias.

Use ``interference_loss(g, b)`` for what an active feature j adds at another output i
(g = W_i·W_j, b = b_i) and ``self_loss(g, b)`` for what is left at its own output (g = |W_j|²,
b = b_j). The whole loss is Σ_j p_j [Σ_{i≠j} interference + self], arXiv 2505.10465 eq. 8.

Both are means over v ~ U(0, 2) of the square of a function that is linear in v on either side of
the ReLU's kink. The mean square of a linear function with end values a and c is (a² + ac + c²)/3;
written as ((a + c)² + a² + c²)/6 it has no cancellation, and neither do the closed forms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from theory.derivation import Derivation, Step, b

_g = sp.Symbol("g", real=True)
_h = sp.Symbol("h", real=True)  # g - 1, kept apart: b + 2 g - 2 would round where b + 2 h does not
_s, _v = sp.symbols("s v", real=True)
_a, _end = sp.symbols("a c", real=True)
_HIGH = sp.Integer(2)  # v ~ U(0, 2), density 1/2


@dataclass(frozen=True)
class OneActiveForms:
    """Closed forms of the two losses: ``Piecewise`` in real symbols g and b (and h = g - 1)."""

    interference: Any
    self: Any
    derivation: Derivation


@lru_cache(maxsize=1)
def derive_one_active() -> OneActiveForms:
    """Derive both closed forms by symbolic integration over v.

    Examples
    --------
    >>> forms = derive_one_active()
    >>> g, b = sp.symbols("g b", real=True)
    >>> sp.factor(forms.interference.args[1][0])        # the kink inside, output on above it
    (b + 2*g)**3/(6*g)
    """
    square = sp.integrate((_end + (_a - _end) * _s) ** 2, (_s, 0, 1))
    stable = ((_a + _end) ** 2 + _a**2 + _end**2) / 6
    if sp.expand(square - stable) != 0:
        raise ArithmeticError(f"the lemma fails: {square}")

    def mean(function: Callable[[Any], Any], low: Any, high: Any) -> Any:
        """⟨function²⟩ over low < v < high, weighted by the density 1/2 of U(0, 2)."""
        ends = {_a: function(high), _end: function(low)}
        return (high - low) / _HIGH * stable.subs(ends, simultaneous=True)

    kink = -b / _g

    def output(v: Any) -> Any:
        return _g * v + b

    def miss(v: Any) -> Any:
        return _h * v + b

    # The output vanishes at the kink: simplify there, or rounding would come back.
    above = mean(output, kink, _HIGH)
    above = sp.factor(sp.simplify(above))
    below = sp.factor(sp.simplify(mean(output, sp.S.Zero, kink)))
    interference = sp.Piecewise(
        (sp.S.Zero, (b <= 0) & (output(_HIGH) <= 0)),
        (above, b <= 0),
        (mean(output, sp.S.Zero, _HIGH), output(_HIGH) >= 0),
        (below, True),
    )
    # Below the kink the output is 0 and the miss is -v; at the kink it is -kink on both sides.
    silent = sp.simplify(mean(lambda v: -v, sp.S.Zero, kink))
    shrunk = (_HIGH - kink) / _HIGH * stable.subs({_a: miss(_HIGH), _end: -kink}, simultaneous=True)
    own = sp.Piecewise(
        (mean(miss, sp.S.Zero, _HIGH), b >= 0),
        (mean(lambda v: -v, sp.S.Zero, _HIGH), output(_HIGH) <= 0),
        (silent + shrunk, True),
    )
    steps = (
        Step(
            "lemma",
            "The mean square of a linear function with end values a and c, by integration; it is "
            "the sum of squares ((a + c)² + a² + c²)/6.",
            square,
        ),
        Step(
            "interference",
            "⟨ReLU(g v + b)²⟩: the output is on for all v, above the kink v = -b/g, below it, or "
            "never.",
            interference,
        ),
        Step(
            "self",
            "⟨(ReLU(g v + b) - v)²⟩, g >= 0: below the kink the miss is -v, above it h v + b with "
            "h = g - 1.",
            own,
        ),
    )
    title = "One active feature, v ~ U(0, 2): the mean over v on either side of the kink"
    return OneActiveForms(interference, own, Derivation(title, steps))


@lru_cache(maxsize=2)
def _compile(which: str) -> Callable[..., Any]:
    forms = derive_one_active()
    expression = forms.interference if which == "interference" else forms.self
    return sp.lambdify((_g, _h, b), expression, "numpy")


def _evaluate(which: str, g: ArrayLike, bias: ArrayLike) -> NDArray[np.float64]:
    g, bias = np.broadcast_arrays(
        np.asarray(g, dtype=np.float64), np.asarray(bias, dtype=np.float64)
    )
    if not (np.all(np.isfinite(g)) and np.all(np.isfinite(bias))):
        raise ValueError("g and b must be finite: NaN or infinity is not allowed")
    # Every branch is evaluated everywhere; those not chosen may divide by g = 0.
    with np.errstate(all="ignore"):
        return np.asarray(_compile(which)(g, g - 1, bias), dtype=np.float64)


def interference_loss(g: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Return A(g, b) = ⟨ReLU(g v + b)²⟩ over v ~ U(0, 2), elementwise.

    Parameters
    ----------
    g : array_like
        Overlap W_i·W_j with the active feature, any sign.
    b : array_like
        Bias of the output, of a shape that broadcasts with g.

    Returns
    -------
    ndarray
        The mean square output, >= 0, accurate to about 1e-15 of itself.

    Raises
    ------
    ValueError
        For NaN or infinite input.

    Examples
    --------
    >>> interference_loss([0.5, 0.5], [0.0, -1.0]).round(6)
    array([0.333333, 0.      ])
    """
    return _evaluate("interference", g, b)


def self_loss(g: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Return B(g, b) = ⟨(ReLU(g v + b) - v)²⟩ over v ~ U(0, 2), elementwise.

    Parameters
    ----------
    g : array_like
        Squared norm |W_j|² of the active feature, >= 0.
    b : array_like
        Bias of its output, of a shape that broadcasts with g.

    Returns
    -------
    ndarray
        The mean squared error at the active feature; 4/3 where it is dead.

    Raises
    ------
    ValueError
        For negative g, NaN or infinite input.

    Examples
    --------
    >>> self_loss([1.0, 0.0], [0.0, 0.0]).round(6)
    array([0.      , 1.333333])
    """
    if np.any(np.asarray(g) < 0):
        raise ValueError(f"g = {np.min(g)} is not allowed: a squared norm |W_j|² is at least 0")
    return _evaluate("self", g, b)
