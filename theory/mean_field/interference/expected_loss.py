r"""Expected loss of a model whose interference is a sum of independent terms, and its gradient.

``expected_loss(model, rule, r, b, t)`` is a pure function of the ``InterferenceModel`` (what is
given), the ``QuadratureRule`` (theory/mean_field/interference/quadrature.py) and the point: norms
r, biases b and scaled overlaps t, drawn independently for each pair of features from the law of the
pair's groups.

Feature i of group g has |W_i| = r_g and bias b_g; its output sees S = Σ_j y_ij x_j with
y = r_g r_h t/√m. The transform M(s) = ⟨e^{sS}⟩ is the product over the other features of
1 - p_h + p_h ⟨e^{s y v}⟩. While feature i is silent its output costs

    ⟨ReLU(b + S)²⟩ = (1/π) ∫_0^∞ Re [2 e^{sb} M(s)/s³] dω,    s = c + iω,    any c > 0.

While it is active the output is the positive part of x = r²v + b + S, and costs ⟨(x - v)²⟩, a
polynomial in the moments of S, less what the ReLU removes: ⟨ReLU(-x)²⟩ + 2 ⟨v ReLU(-x)⟩, which is
the integral of 2 e^{-sb} M(-s) [⟨e^{-s r² v}⟩/s³ + ⟨v e^{-s r² v}⟩/s²]. The terms of M with no or
one other active feature have integrals in closed form; only the rest of M is integrated
numerically. Both costs are multiplied by the importance of the group.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from theory.activation import Activation
from theory.mean_field.groups import FeatureGroups
from theory.mean_field.interference.kernels import integrate, see_one
from theory.mean_field.interference.quadrature import (
    ABSCISSA,
    LARGEST_BIAS,
    LARGEST_OVERFLOW,
    QuadratureRule,
    avoid_zero,
    bias_scale,
    nodes_of,
)

Array = NDArray[np.float64]
# p is kept below 1 by so much: ln(1 - p) is used.
_LARGEST_P = 1 - 1e-9
# Doublings of the scale at one point: more only where ln M would be above 6 × 2^9.
_LARGEST_DOUBLINGS = 10
# A group is dead if its output for the largest input v is below this share of v.
_DEAD = 0.2


@dataclass(frozen=True, eq=False)
class Cost:
    """A loss, its part without interference, and its derivatives with respect to r, b and t.

    Attributes
    ----------
    loss, self_error : float
        Summed over features; ``self_error`` is the loss if no feature interfered with another.
    r, b : ndarray, shape (K,)
        Derivatives by norms and biases.
    t : ndarray, shape (pairs, Z)
        Derivatives by scaled overlaps.
    """

    loss: float
    self_error: float
    r: Array
    b: Array
    t: Array


@dataclass(frozen=True, eq=False)
class InterferenceModel:
    """What the expected loss of grouped features depends on beside the point.

    Attributes
    ----------
    groups : FeatureGroups
        K groups.
    m : float
        Width; overlaps are t/√m. It need not be whole (for derivatives).
    weights : ndarray, shape (Z,)
        Probabilities of the Z values of t that each pair of groups takes.
    activation : Activation
        The law of v.
    one_hot : bool
        Whether exactly one feature is active at a time (Σ p <= 1), instead of each independently.
    """

    groups: FeatureGroups
    m: float
    weights: Array
    activation: Activation
    one_hot: bool = False

    def __post_init__(self) -> None:
        # Kernels are compiled for writable arrays: a read-only one would compile them once more.
        object.__setattr__(self, "weights", np.array(self.weights))

    @cached_property
    def sizes(self) -> Array:
        """Features in each group, as floats (K,)."""
        return self.groups.sizes.astype(np.float64)

    @cached_property
    def p(self) -> Array:
        """Frequencies below 1 (K,)."""
        return np.minimum(self.groups.p, _LARGEST_P)

    @cached_property
    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The groups g <= h of each pair of groups."""
        first, second = np.triu_indices(self.groups.count)
        return first, second

    @cached_property
    def pair_index(self) -> NDArray[np.int64]:
        """The pair that groups g, h are, in either order (K, K)."""
        first, second = self.pairs
        index = np.empty((self.groups.count, self.groups.count), dtype=np.int64)
        index[first, second] = index[second, first] = np.arange(len(first))
        return index

    @cached_property
    def others(self) -> Array:
        """Number of features of group h that a feature of group g sees beside itself (K, K)."""
        return np.maximum(self.sizes[None, :] - np.eye(self.groups.count), 0.0)

    @cached_property
    def density_steps(self) -> tuple[Array, Array]:
        """The density of v is Σ_e jump_e [v < end_e]: integrals over v are sums over ends."""
        ends, jumps = (np.asarray(a, dtype=np.float64) for a in self.activation.steps)
        return ends[jumps != 0], jumps[jumps != 0]

    @cached_property
    def moments(self) -> Array:
        """⟨v^k⟩ for k = 0 to 6."""
        return np.array([float(self.activation.moment(k)) for k in range(7)])

    def few_active(self, coupled: NDArray[np.bool_]) -> tuple[Array, Array]:
        """Return the probabilities that no other feature is active (K,), or one of h only (K, K).

        Other features are those of coupled groups; with one active feature at a time, all.
        """
        if self.one_hot:  # an active feature is the only one
            nothing = 1 - min(1.0, float(self.sizes @ self.p))
            return np.full(self.groups.count, nothing), self.others * self.p
        others = self.others * coupled
        none = np.exp((others * np.log1p(-self.p)).sum(1))
        return none, none[:, None] * others * self.p / (1 - self.p)

    def scaled_interference(self, r: Array, t: Array) -> Array:
        """Return y = r_g r_h t/√m of each pair of groups (pairs, Z)."""
        first, second = self.pairs
        y: Array = (r[first] * r[second] / np.sqrt(self.m))[:, None] * t
        return y

    def dead_groups(self, r: Array, b: Array) -> NDArray[np.bool_]:
        """Return which groups hardly respond to their own features (K,)."""
        largest = self.density_steps[0][-1]
        return np.asarray(largest * r * r + b < _DEAD * largest)


def expected_loss(
    model: InterferenceModel, rule: QuadratureRule, r: Array, b: Array, t: Array
) -> Cost:
    """Return Σ_i I_i ⟨(y_i - x_i)²⟩ and its gradient: a pure function of its arguments.

    Parameters
    ----------
    model : InterferenceModel
        Groups, width and the law of v.
    rule : QuadratureRule
        How integrals over ω are made.
    r, b : ndarray, shape (K,)
        Norms and biases.
    t : ndarray, shape (pairs, Z)
        Scaled overlaps of each pair of groups, in the order of ``numpy.triu_indices(K)``.

    Returns
    -------
    Cost
        Loss and derivatives.
    """
    r, b = np.array(r), np.array(b)  # writable, as the kernels are compiled for
    g, h = model.pairs
    p, square, root = model.p, model.moments[2], np.sqrt(model.m)
    y = model.scaled_interference(r, t)
    gain = r * r
    positive = np.maximum(b, 0.0)
    own = _own_output(model, gain, b)
    weights = model.sizes * model.groups.importance
    silent, active = weights * (1 - p), weights * p
    p_none, p_one = model.few_active(rule.coupled)
    if model.one_hot:
        # An active feature sees no other; a silent one sees one other, or none.
        silent = weights
        loss = float(active @ (square + own[0]))
        db, dgain, dy = active * own[2], active * own[1], np.zeros_like(y)
    else:
        loss, db, dgain, dy = _several_active(
            model, rule, (p_none, p_one), y, gain, b, own, silent, active
        )
    silent_none, seen = silent * p_none, silent[:, None] * p_one
    loss += silent_none @ positive**2
    db += 2 * silent_none * positive
    # What one other active feature costs a silent one, on either side of a pair.
    ends, jumps = model.density_steps
    loss += see_one(y, model.weights, g, h, b, seen, ends, jumps, model.moments, db, dy)
    dr = 2 * r * dgain
    by_size = (dy * t).sum(1) / root
    dr += np.bincount(g, by_size * r[h], len(r)) + np.bincount(h, by_size * r[g], len(r))
    self_error = weights * (1 - p) @ positive**2 + active @ (square + own[0])
    dt = (r[g] * r[h] / root)[:, None] * dy
    return Cost(float(loss), float(self_error), dr, db, dt)


def _several_active(
    model: InterferenceModel,
    rule: QuadratureRule,
    few: tuple[Array, Array],
    y: Array,
    gain: Array,
    b: Array,
    own: tuple[Array, Array, Array],
    silent: Array,
    active: Array,
) -> tuple[float, Array, Array, Array]:
    """Return the cost of silent and active features, and its derivatives by b, r² and y.

    It leaves out what silent features cost while no or one other feature is active.
    """
    p, p_none, pair = model.p, few[0], model.pair_index
    parts, slope = _integrals(model, rule, few, y, gain, b, silent, active)
    # ⟨(x - v)²⟩, and of what the ReLU removes the part with no other active feature.
    v1, v2 = model.moments[1:3]
    e = gain - 1
    y1, y2 = (y @ model.weights)[pair], (y * y @ model.weights)[pair]
    mean = (model.others * p * y1).sum(1) * v1
    variance = (model.others * (p * v2 * y2 - (p * v1 * y1) ** 2)).sum(1)
    linear = e * e * v2 + 2 * e * v1 * b + b * b
    squares = linear + 2 * (e * v1 + b) * mean + mean**2 + variance
    known = p_none * (linear - v2 - own[0])
    loss = parts[:, 0].sum() + active @ (squares - known)
    by_b = 2 * (e * v1 + b)
    db = parts[:, 1] + active * (by_b + 2 * mean - p_none * (by_b - own[2]))
    by_gain = 2 * (e * v2 + v1 * b)
    dgain = parts[:, 2] + active * (by_gain + 2 * v1 * mean - p_none * (by_gain - own[1]))
    # By y, also through the moments of S.
    by_y1 = active[:, None] * model.others * p * v1 * (by_b + 2 * mean)[:, None]
    by_y1 -= 2 * active[:, None] * model.others * (p * v1) ** 2 * y1
    by_y2 = active[:, None] * model.others * p * v2
    slope += by_y1[..., None] + 2 * by_y2[..., None] * y[pair]
    dy = np.zeros_like(y)
    np.add.at(dy, pair.ravel(), slope.reshape(-1, y.shape[1]))
    return float(loss), db, dgain, dy * model.weights


def _integrals(
    model: InterferenceModel,
    rule: QuadratureRule,
    few: tuple[Array, Array],
    y: Array,
    gain: Array,
    b: Array,
    silent: Array,
    active: Array,
) -> tuple[Array, Array]:
    """Return the integrals and their derivatives, as ``kernels.integrate`` gives them.

    Where M(±c) of a group is so large at this point that digits would cancel, its scale is doubled,
    which at least halves ln M: only a line search that steps too far meets such points. So it is
    for biases far above the scale: e^{±cb} would magnify the error of the sum.
    """
    pair, (ends, jumps), nodes = model.pair_index, model.density_steps, nodes_of(rule.level)
    K, Z = len(b), y.shape[1]
    parts, slope = np.empty((K, 5)), np.empty((K, K, Z))
    workspace = np.empty((len(ends), K, Z, 2, len(nodes.omega)))
    each, scale = avoid_zero(y[pair]), np.maximum(rule.scale, bias_scale(model, b) / LARGEST_BIAS)
    for _ in range(_LARGEST_DOUBLINGS):
        integrate(
            each, model.weights, ends, jumps, model.moments,
            model.others, model.p, *few,
            b, gain, silent, active,
            1 / scale, ABSCISSA, nodes.inner, nodes.omega, nodes.domega,
            workspace, parts, slope,
        )  # fmt: skip
        too_large = parts[:, 3:].max(1) >= LARGEST_OVERFLOW
        if not too_large.any():
            break
        scale = np.where(too_large, 2 * scale, scale)
    return parts, slope


def _own_output(model: InterferenceModel, gain: Array, b: Array) -> tuple[Array, Array, Array]:
    """Return ⟨R² - 2vR⟩, R = ReLU(r²v + b), and its derivatives by r² and b, each (K,)."""
    ends, jumps = model.density_steps
    gain = np.maximum(gain, 1e-12)
    start = np.clip(-b / gain, ends[0], ends[-1])
    above = np.maximum(ends, start[:, None])
    i0, i1, i2 = (above**k @ jumps / k for k in (1, 2, 3))
    value = gain**2 * i2 + 2 * gain * b * i1 + b**2 * i0 - 2 * (gain * i2 + b * i1)
    return value, 2 * (gain * i2 + b * i1 - i2), 2 * (gain * i1 + b * i0 - i1)
