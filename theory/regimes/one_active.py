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
# Kept apart, since they are exact where the same in g and b would round or overflow:
_h = sp.Symbol("h", real=True)  # g - 1
_e = sp.Symbol("e", real=True)  # 2 g + b, the output at v = 2
_k = sp.Symbol("k", real=True)  # -b/g, the kink
_t = sp.Symbol("t", real=True)  # 2 - k = e/g, what lies above it
_s = sp.Symbol("s", real=True)
_a, _end = sp.symbols("a c", real=True)
_HIGH = sp.Integer(2)  # v ~ U(0, 2), density 1/2


@dataclass(frozen=True)
class OneActiveForms:
    """Closed forms of the two losses, ``Piecewise`` in real symbols.

    They are g and b, and, kept apart because they are exact there, h = g - 1, e = 2 g + b,
    k = -b/g and t = e/g.
    """

    interference: Any
    self: Any
    derivation: Derivation


@lru_cache(maxsize=1)
def derive_one_active() -> OneActiveForms:
    """Derive both closed forms by symbolic integration over v.

    Examples
    --------
    >>> derive_one_active().interference.args[1][0]        # on above the kink
    e**2*t/6
    """
    square = sp.integrate((_end + (_a - _end) * _s) ** 2, (_s, 0, 1))
    stable = ((_a + _end) ** 2 + _a**2 + _end**2) / 6
    if sp.expand(square - stable) != 0:
        raise ArithmeticError(f"the lemma fails: {square}")

    def miss(v: Any) -> Any:
        return _h * v + b

    # Interference: the output is b at v = 0 and e at v = 2, and 0 at the kink.
    interference = sp.Piecewise(
        (sp.S.Zero, (b <= 0) & (_e <= 0)),
        (_t / _HIGH * stable.subs({_a: _e, _end: 0}, simultaneous=True), b <= 0),
        (stable.subs({_a: _e, _end: b}, simultaneous=True), _e >= 0),
        (_k / _HIGH * stable.subs({_a: 0, _end: b}, simultaneous=True), True),
    )
    # Own output: below the kink it is 0 and the miss is -v; at the kink it is -k on both sides.
    silent = _k / _HIGH * stable.subs({_a: -_k, _end: 0}, simultaneous=True)
    shrunk = _t / _HIGH * stable.subs({_a: miss(_HIGH), _end: -_k}, simultaneous=True)
    own = sp.Piecewise(
        (stable.subs({_a: miss(_HIGH), _end: b}, simultaneous=True), b >= 0),
        (stable.subs({_a: -_HIGH, _end: 0}, simultaneous=True), _e <= 0),
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
            "⟨ReLU(g v + b)²⟩: the output is on for all v, above the kink k = -b/g, below it, or "
            "never; e = 2 g + b is the output at v = 2 and t = 2 - k.",
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
    return sp.lambdify((_h, _e, _k, _t, b), expression, "numpy")


def _evaluate(which: str, g: ArrayLike, bias: ArrayLike) -> NDArray[np.float64]:
    g, bias = np.broadcast_arrays(
        np.asarray(g, dtype=np.float64), np.asarray(bias, dtype=np.float64)
    )
    if not (np.all(np.isfinite(g)) and np.all(np.isfinite(bias))):
        raise ValueError("g and b must be finite: NaN or infinity is not allowed")
    # Every branch is evaluated everywhere; those not chosen may divide by g = 0.
    with np.errstate(all="ignore"):
        end = 2 * g + bias
        value = _compile(which)(g - 1, end, -bias / g, end / g, bias)
        return np.asarray(value, dtype=np.float64)


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
