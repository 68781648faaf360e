"""The loss with exactly one active feature, as closed forms in the Gram matrix and the bias.

``interference_loss(g, b)`` is the error that an active feature j causes at another output i
(g = W_i·W_j, b = b_i) and ``self_loss(g, b)`` the error at its own output (g = |W_j|², b = b_j).
The whole loss is Σ_j p_j [Σ_{i≠j} I_i interference + I_j self], arXiv 2505.10465 eq. 8.

Both are means over v of the square of a function that is linear in v on either side of the ReLU's
kink, here for v uniform in a cell; a law with a density in steps is an average over its cells. The
mean square of a linear function with end values a and c is (a² + ac + c²)/3; written as
((a + c)² + a² + c²)/6 it has no cancellation, and neither do the closed forms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from theory.activation import UNIFORM, Activation
from theory.checks import Numbers, broadcast_numbers, check_numbers
from theory.computing.argument_kinds import check_kinds
from theory.derivation import Derivation, Step, b

# Quantities with symbols of their own, since in terms of g and b they would round or overflow.
_h = sp.Symbol("h", real=True)  # g - 1
_start = sp.Symbol("a_0", real=True)  # g v_0 + b, the output at the lower end v_0
_e = sp.Symbol("e", real=True)  # g v_1 + b, the output at the upper end v_1
_k = sp.Symbol("k", real=True)  # -b/g, the kink
_l = sp.Symbol("l", real=True)  # k - v_0 = -a_0/g, the length below it
_t = sp.Symbol("t", real=True)  # v_1 - k = e/g, the length above it
_low, _high = sp.symbols("v_0 v_1", real=True)
_s = sp.Symbol("s", real=True)
_a, _end = sp.symbols("a c", real=True)


@dataclass(frozen=True)
class OneActiveForms:
    """Closed forms of the two losses for v ~ U(0, 2), ``Piecewise`` in real symbols.

    They are g and b, and, kept apart because they are exact there, h = g - 1, e = 2 g + b,
    k = -b/g and t = e/g.
    """

    interference: Any
    self: Any
    derivation: Derivation


@lru_cache(maxsize=1)
def _derive_cell() -> tuple[Any, Any, Any]:
    """Derive the lemma and both closed forms for v ~ U(v_0, v_1) by symbolic integration."""
    square = sp.integrate((_end + (_a - _end) * _s) ** 2, (_s, 0, 1))
    stable = ((_a + _end) ** 2 + _a**2 + _end**2) / 6
    if sp.expand(square - stable) != 0:
        raise ArithmeticError(f"the lemma fails: {square}")

    def mean_square(one: Any, other: Any) -> Any:
        return stable.subs({_a: one, _end: other}, simultaneous=True)

    def miss(v: Any) -> Any:
        return _h * v + b

    width = _high - _low
    # Interference: the output is a_0 and e at the ends, and 0 at the kink.
    interference = sp.Piecewise(
        (sp.S.Zero, (_start <= 0) & (_e <= 0)),
        (_t / width * mean_square(_e, 0), _start <= 0),
        (mean_square(_e, _start), _e >= 0),
        (_l / width * mean_square(0, _start), True),
    )
    # Own output: below the kink it is 0 and the miss is -v; at the kink it is -k on both sides.
    silent = _l / width * mean_square(-_k, -_low)
    shrunk = _t / width * mean_square(miss(_high), -_k)
    own = sp.Piecewise(
        (mean_square(miss(_high), miss(_low)), _start >= 0),
        (mean_square(-_high, -_low), _e <= 0),
        (silent + shrunk, True),
    )
    return square, interference, own


@lru_cache(maxsize=1)
def derive_one_active() -> OneActiveForms:
    """Derive both closed forms for v ~ U(0, 2) by symbolic integration over v.

    Examples
    --------
    >>> derive_one_active().interference.args[1][0]        # on above the kink
    e**2*t/6
    """
    paper = {_low: 0, _high: 2, _start: b, _l: _k}
    square, interference, own = _derive_cell()
    interference, own = (form.subs(paper) for form in (interference, own))
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


_ARGUMENTS = (_h, _start, _e, _k, _l, _t, b, _low, _high)


@lru_cache(maxsize=2)
def _compile(which: str) -> Callable[..., Any]:
    _, interference, own = _derive_cell()
    compiled: Callable[..., Any] = sp.lambdify(
        _ARGUMENTS, interference if which == "interference" else own, "numpy"
    )
    return compiled


def _evaluate(which: str, g: ArrayLike, bias: ArrayLike, activation: Activation) -> Numbers:
    g, bias = broadcast_numbers(g=g, b=bias)
    if not (np.all(np.isfinite(g)) and np.all(np.isfinite(bias))):
        raise ValueError("g and b must be finite: NaN or infinity is not allowed")
    total = np.zeros(g.shape)
    for ends in activation.cells:
        low, high, density = (float(value) for value in ends)
        # Every branch is evaluated everywhere; those not chosen may divide by g = 0.
        with np.errstate(all="ignore"):
            start, end = g * low + bias, g * high + bias
            value = _compile(which)(
                g - 1, start, end, -bias / g, -start / g, end / g, bias, low, high
            )
        total += density * (high - low) * np.asarray(value, dtype=np.float64)
    return total if total.ndim else float(total)


@check_kinds
def interference_loss(g: ArrayLike, b: ArrayLike, activation: Activation = UNIFORM) -> Numbers:
    """Return A(g, b) = ⟨ReLU(g v + b)²⟩ over v, elementwise.

    Parameters
    ----------
    g : array_like
        Overlap W_i·W_j with the active feature, any sign.
    b : array_like
        Bias of the output, of a shape that broadcasts with g.
    activation : Activation
        The law of v; U(0, 2) by default.

    Returns
    -------
    float or ndarray
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
    return _evaluate("interference", g, b, activation)


@check_kinds
def self_loss(g: ArrayLike, b: ArrayLike, activation: Activation = UNIFORM) -> Numbers:
    """Return B(g, b) = ⟨(ReLU(g v + b) - v)²⟩ over v, elementwise.

    Parameters
    ----------
    g : array_like
        Squared norm |W_j|² of the active feature, >= 0.
    b : array_like
        Bias of its output, of a shape that broadcasts with g.
    activation : Activation
        The law of v; U(0, 2) by default.

    Returns
    -------
    float or ndarray
        The mean squared error at the active feature; ⟨v²⟩ where it is dead.

    Raises
    ------
    ValueError
        For negative g, NaN or infinite input.

    Examples
    --------
    >>> self_loss([1.0, 0.0], [0.0, 0.0]).round(6)
    array([0.      , 1.333333])
    """
    if np.any(check_numbers("g", g) < 0):
        raise ValueError(f"g = {np.min(g)} is not allowed: a squared norm |W_j|² is at least 0")
    return _evaluate("self", g, b, activation)
