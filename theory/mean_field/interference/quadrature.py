"""Quadrature rules of the expected loss: chosen at a point, then kept while they fit.

A ``QuadratureRule`` is a value: ``choose_rule`` makes one for a point, ``update_rule`` returns the
one to go on with at another. Between the two the loss is smooth, as an optimizer needs it.

The integrals run over s = (4 + iω)/scale. Each group has its own scale, which places the line of
integration near the saddle point of its integrand. ω runs over Gauss-Legendre nodes in [0, 1] and
in the octaves above, so that cos and sin at the nodes of one octave give those of the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.checks import read_only

if TYPE_CHECKING:
    from theory.mean_field.interference.expected_loss import InterferenceModel

Array = NDArray[np.float64]
# Real part of s in units of 1/scale: at 4 the integrand is about Gaussian in ω with width 1 to 2.
ABSCISSA = 4.0
# Gauss-Legendre nodes in each stretch, and octaves above ω = 1, of each level of refinement. The
# tail beyond the last octave falls as 1/ω²; both grow so that each level halves the error at least.
_LEVELS = ((8, 6), (16, 7), (32, 8), (40, 10), (72, 12))
# ln M(±c) tells how many digits cancel. A new scale keeps it below the first of these; between
# minimisations the scale is kept up to the second; within one, up to the third a point is evaluated
# with the scale of the rule.
_CHOSEN_OVERFLOW, _KEPT_OVERFLOW, LARGEST_OVERFLOW = 3.0, 4.0, 6.0
# Largest c|b|: ω then turns e^{-iω|b|/scale} by 2 in each unit.
_LONGEST_REACH = 8.0
# A scale that is larger than suits the bias by this factor is chosen again.
_TOO_COARSE = 2.0
# What suits the bias over the scale: between minimisations the scale is kept up to the first;
# within one, up to the second a point is evaluated with the scale of the rule.
_KEPT_BIAS, LARGEST_BIAS = 1.1, 1.25
# Values of c among which a scale is chosen: half octaves over any interference there is.
_ABSCISSAS = 2.0 ** np.arange(-4, 12, 0.5)
# Groups whose interference has c |y| v below this in ln M are treated as silent in the closed form.
# Coupled groups remain so down to the second: the closed form would change from round to round.
_UNCOUPLED, _STILL_COUPLED = 0.03, 0.015
# |y| is kept above this where it divides.
_SMALLEST = 1e-9


@dataclass(frozen=True, eq=False)
class QuadratureRule:
    """How the integrals of the expected loss are made.

    Attributes
    ----------
    level : int
        Refinement, 0 to 4.
    scale : ndarray, shape (K,)
        Size of the interference that each group sees: the unit of 1/s.
    coupled : ndarray of bool, shape (K, K)
        Whether group g sees group h. The closed form for no or one active feature counts these
        groups only: where overlaps all but vanish M is that of silent features, however often they
        are active.
    """

    level: int
    scale: Array
    coupled: NDArray[np.bool_]


class Nodes(NamedTuple):
    """Nodes of one level: in [0, 1], and all of them with their weights (over π)."""

    inner: Array
    omega: Array
    domega: Array


@cache
def nodes_of(level: int) -> Nodes:
    """Return the nodes of a level, in units of 1/scale.

    The arrays are not marked read-only: the kernels would be compiled once more for such arrays.
    """
    count, octaves = _LEVELS[level]
    x, w = np.polynomial.legendre.leggauss(count)
    starts = np.concatenate([[0.0], 2.0 ** np.arange(octaves)])
    widths = np.maximum(starts, 1.0)
    omega = (starts[:, None] + widths[:, None] * (1 + x) / 2).ravel()
    domega = (widths[:, None] * w / 2).ravel() / np.pi
    return Nodes((1 + x) / 2, omega, domega)


def choose_rule(
    model: InterferenceModel, level: int, r: Array, b: Array, t: Array
) -> QuadratureRule:
    """Return the rule of a level for the size of interference at a point.

    Parameters are those of ``expected_loss``.
    """
    if model.one_hot:  # nothing is integrated numerically
        K = len(b)
        return QuadratureRule(level, read_only(np.ones(K)), read_only(np.ones((K, K), dtype=bool)))
    y = model.scaled_interference(r, t)
    scale = safe_scale(model, b, y)
    return QuadratureRule(level, read_only(scale), read_only(_coupled(model, y, scale)))


def update_rule(
    model: InterferenceModel, rule: QuadratureRule, r: Array, b: Array, t: Array
) -> QuadratureRule:
    """Return the rule to go on with at a point.

    The scale is kept if it is neither too small there, for the interference or the bias, nor much
    too large. The loss changes by the
    error of integration, so this is done between minimisations only.
    """
    if model.one_hot:
        return rule
    y = model.scaled_interference(r, t)
    fitting = bias_scale(model, b)
    coarse = fitting < rule.scale / _TOO_COARSE
    c = ABSCISSA / rule.scale
    small = _log_transform(model, c, y) > _KEPT_OVERFLOW
    small |= fitting > _KEPT_BIAS * rule.scale
    if np.any(small | (coarse & (_log_transform(model, _TOO_COARSE * c, y) < _CHOSEN_OVERFLOW))):
        return choose_rule(model, rule.level, r, b, t)
    coupled = _coupled(model, y, rule.scale)
    coupled |= rule.coupled & _coupled(model, y, rule.scale, _STILL_COUPLED)
    return QuadratureRule(rule.level, rule.scale, read_only(coupled))


def safe_scale(model: InterferenceModel, b: Array, y: Array) -> Array:
    """Return the scale of each group (K,): what suits the bias, or more where M(±c) is too big."""
    found = np.zeros(len(b))
    within = np.ones(len(b), dtype=bool)
    for c in _ABSCISSAS:
        within &= _log_transform(model, np.full(len(b), c), y) < _CHOSEN_OVERFLOW
        found[within | (found == 0)] = c
    scale: Array = np.maximum(ABSCISSA / found, np.maximum(bias_scale(model, b), 1e-9))
    return scale


def bias_scale(model: InterferenceModel, b: Array) -> Array:
    """Return the scale that suits the bias of each group (K,): |b| over its reach.

    Errors of the integrals are magnified by e^{-c|b|} while a feature is silent and by e^{c|b|}
    while it is active, which it is with frequency p: both cost the same at c|b| = ln(1/p)/2.
    A positive bias has no such balance.
    """
    reach = np.clip(-np.log(model.p) / 2, ABSCISSA, _LONGEST_REACH)
    reach = np.where(b > 0, ABSCISSA, reach)
    scale: Array = np.abs(b) * ABSCISSA / reach
    return scale


def avoid_zero(y: Array) -> Array:
    """Return y, or 1e-9 where |y| is smaller: means over v are divided by it."""
    return np.where(np.abs(y) < _SMALLEST, _SMALLEST, y)


def _coupled(
    model: InterferenceModel, y: Array, scale: Array, limit: float = _UNCOUPLED
) -> NDArray[np.bool_]:
    largest = model.density_steps[0][-1] * np.abs(y).max(1)[model.pair_index]
    return np.asarray(largest * ABSCISSA / scale[:, None] > limit)


def _log_transform(model: InterferenceModel, c: Array, y: Array) -> Array:
    """Return the larger of ln M(c) and ln M(-c) of each group (K,)."""
    ends, jumps = model.density_steps
    largest = np.zeros(len(c))
    for sign in (1, -1):
        x = avoid_zero(sign * c[:, None, None] * y[model.pair_index])
        steps = zip(ends, jumps, strict=True)
        mean = sum(jump * np.exp(np.minimum(end * x, 300)) for end, jump in steps) / x
        factor = np.maximum(model.p * (mean @ model.weights - 1), -0.999)
        largest = np.maximum(largest, (model.others * np.log1p(factor)).sum(1))
    return largest
