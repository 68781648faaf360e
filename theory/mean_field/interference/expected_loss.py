r"""Expected loss of a model whose interference is a sum of independent terms, and its gradient.

Use ``InterferenceLoss`` for what features of given norms and biases cost when their scaled overlaps
t are drawn independently from given laws (theory/mean_field/augmented_lagrangian.py solves for
those laws).

Feature i of group g has |W_i| = r_g, bias b_g and sees S = Σ_j y_ij x_j with y = r_g r_h t/√m. The
transform M(s) = ⟨e^{sS}⟩ is the product over the others of 1 - p_h + p_h ⟨e^{s y v}⟩. A silent
feature costs

    ⟨ReLU(b + S)²⟩ = (1/π) ∫_0^∞ Re [2 e^{sb} M(s)/s³] dω,    s = c + iω,    any c > 0.

An active one has x = r²v + b + S and costs ⟨(x - v)²⟩, a polynomial in the moments of S, less what
of x lies below 0: ⟨ReLU(-x)²⟩ + 2 ⟨v ReLU(-x)⟩, which is the integral of
2 e^{-sb} M(-s) [⟨e^{-s r² v}⟩/s³ + ⟨v e^{-s r² v}⟩/s²]. What no or one other active feature
contributes is known in closed form and taken out of M, as if others that are all but orthogonal
were silent; the rest is small. Each group has its own c, about the saddle of its integrand, and its
own unit of ω: Gauss-Legendre rules from 0 to 1 and octave by octave above, so that cos and sin of
one octave give those of the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from theory.activation import Activation
from theory.mean_field.groups import FeatureGroups
from theory.mean_field.interference.kernels import integrate, see_one

Array = NDArray[np.float64]
# c in units of 1/scale; nodes in each stretch and octaves from 1 on, by how fine a rule is.
_ABSCISSA = 4.0
_RULES = ((8, 6), (16, 7), (32, 8), (48, 9), (72, 10))
# ln M(±c) is at most the first, so that little cancels; between descents up to the second will do,
# within one up to the third.
_LARGEST, _ENOUGH, _TOO_LARGE, _TOO_COARSE = 3.0, 4.0, 6.0, 2.0
# ln of the largest e^{c y v} of others that are not seen.
_UNSEEN = 0.03
_ALMOST_ONE = 1 - 1e-9
# The share of the largest input that a dead feature does not answer.
_HARDLY = 0.2
_NEAR_ZERO = 1e-9


@dataclass(frozen=True, eq=False)
class Cost:
    """Loss, its part without interference, and the derivatives with respect to r, b and t."""

    loss: float
    self_error: float
    r: Array
    b: Array
    t: Array


class InterferenceLoss:
    """Expected loss Σ_i ⟨(y_i - x_i)²⟩ of grouped features under independent overlaps.

    Parameters
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
    fine : int
        How finely to integrate, 0 to 4: by how much the loss changes shows how precise it is.

    Notes
    -----
    Integrals are made for the size of interference that it first sees, and kept so while that fits:
    along a search the loss is smooth.
    """

    def __init__(
        self,
        groups: FeatureGroups,
        m: float,
        weights: Array,
        activation: Activation,
        one_hot: bool = False,
        fine: int = 0,
    ) -> None:
        self.m, self.weights, self.one_hot = m, weights, one_hot
        self.sizes = groups.sizes.astype(np.float64)
        self.p = np.minimum(groups.p, _ALMOST_ONE)
        self.first, self.second = np.triu_indices(groups.count)
        # The pair that each ordered pair of groups is.
        self.pair = np.empty((groups.count, groups.count), dtype=np.int64)
        self.pair[self.first, self.second] = np.arange(len(self.first))
        self.pair[self.second, self.first] = np.arange(len(self.first))
        # How many others of each group a feature sees.
        self.others = np.maximum(self.sizes[None, :] - np.eye(groups.count), 0.0)
        # v has the density Σ_e jump_e [v < end_e]: integrals over v are sums over ends.
        ends, jumps = (np.asarray(a, dtype=np.float64) for a in activation.steps)
        self.ends, self.jumps = ends[jumps != 0], jumps[jumps != 0]
        self.raw = np.array([float(activation.moment(k)) for k in range(7)])
        self.scale: Array | None = None
        self._far: Array | None = None
        self.seen: NDArray[np.bool_] | None = None
        nodes, octaves = _RULES[fine]
        x, w = np.polynomial.legendre.leggauss(nodes)
        self._inner = (1 + x) / 2
        starts = np.concatenate([[0.0], 2.0 ** np.arange(octaves)])
        widths = np.maximum(starts, 1.0)
        self._omega = (starts[:, None] + widths[:, None] * (1 + x) / 2).ravel()
        self._domega = (widths[:, None] * w / 2).ravel() / np.pi
        K, Z, S = groups.count, len(weights), len(self._omega)
        self._room = np.empty((len(self.ends), K, Z, 2, S))
        if one_hot:
            self.none = np.full(groups.count, 1 - min(1.0, float(self.sizes @ self.p)))
            self.one = self.others * self.p  # for a silent feature; an active one is alone
        else:
            self._see(self.others)

    def __call__(self, r: Array, b: Array, t: Array) -> Cost:
        """Return the cost of norms r and biases b (K,) at scaled overlaps t (pairs of groups, Z).

        Pairs are those of ``numpy.triu_indices(K)``.
        """
        g, h, p = self.first, self.second, self.p
        root, square = np.sqrt(self.m), self.raw[2]
        y = (r[g] * r[h] / root)[:, None] * t
        gain = r * r
        above = np.maximum(b, 0.0)
        own = self._own(gain, b)
        silent = self.sizes * (1 - p)
        active = self.sizes * p
        if self.one_hot:
            # An active feature is alone; a silent one sees one other, or none.
            silent = self.sizes
            loss = float(active @ (square + own[0]))
            db, dgain, dy = active * own[2], active * own[1], np.zeros_like(y)
        else:
            loss, db, dgain, dy = self._several(y, gain, b, own, silent, active)
        silent_none, seen = silent * self.none, silent[:, None] * self.one
        loss += silent_none @ above**2
        db += 2 * silent_none * above
        # What one other active feature costs a silent one, on either side of a pair.
        loss += see_one(y, self.weights, g, h, b, seen, self.ends, self.jumps, self.raw, db, dy)
        dr = 2 * r * dgain
        by_size = (dy * t).sum(1) / root
        dr += np.bincount(g, by_size * r[h], len(r)) + np.bincount(h, by_size * r[g], len(r))
        alone = self.sizes * (1 - p) @ above**2 + active @ (square + own[0])
        dt = (r[g] * r[h] / root)[:, None] * dy
        return Cost(float(loss), float(alone), dr, db, dt)

    def dead_groups(self, r: Array, b: Array) -> NDArray[np.bool_]:
        """Return which groups would hardly answer to their own features (K,)."""
        return self.ends[-1] * r * r + b < _HARDLY * self.ends[-1]

    def _see(self, others: Array) -> None:
        """Set the probabilities that none or one of these others of each group is active."""
        self.none = np.exp((others * np.log1p(-self.p)).sum(1))
        self.one = self.none[:, None] * others * self.p / (1 - self.p)

    def share_rule(self, other: InterferenceLoss) -> None:
        """Make another loss integrate as this one does."""
        other.scale, other.seen = self.scale, self.seen
        if other.seen is not None:
            other._see(other.others * other.seen)

    def _choose_rule(self, b: Array, y: Array) -> Array:
        """Return the size of interference of each group (K,), and set whose is to be seen.

        Where others are all but orthogonal M is as if they were silent, however often they are
        active: what is taken out of M leaves them out, and the rest is small again.
        """
        scale = self._find_scale(b, y)
        self._look(y, scale)
        return scale

    def _look(self, y: Array, scale: Array) -> None:
        most = self.ends[-1] * np.abs(y).max(1)[self.pair]
        self.seen = most * _ABSCISSA / scale[:, None] > _UNSEEN
        self._see(self.others * self.seen)

    def _find_scale(self, b: Array, y: Array) -> Array:
        """Return the size of interference of each group (K,): |b|, unless M would be too large."""
        found = np.zeros(len(b))
        within = np.ones(len(b), dtype=bool)
        for c in 2.0 ** np.arange(-4, 12, 0.5):
            within &= self._growth(np.full(len(b), c), y) < _LARGEST
            found[within | (found == 0)] = c
        return _ABSCISSA / np.minimum(found, _ABSCISSA / np.maximum(np.abs(b), 1e-9))

    def look_again(self, r: Array, b: Array, t: Array) -> None:
        """Let go of a scale that is too small for this state, or much too large; see who is seen.

        Not in the middle of a descent: the loss would jump by what integration errs.
        """
        self._far = None
        if self.scale is None or self.one_hot:
            return
        y = (r[self.first] * r[self.second] / np.sqrt(self.m))[:, None] * t
        coarse = np.abs(b) < self.scale / _TOO_COARSE
        c = _ABSCISSA / self.scale
        small = self._growth(c, y) > _ENOUGH
        if np.any(small | (coarse & (self._growth(_TOO_COARSE * c, y) < _LARGEST))):
            self.scale = None
        else:
            self._look(y, self.scale)

    def _integrate(
        self, y: Array, gain: Array, b: Array, silent: Array, active: Array
    ) -> tuple[Array, Array]:
        """Return the integrals and their derivatives; by another scale if M is too large.

        As ``theory.mean_field.interference.kernels.integrate`` gives them. The other scale
        is for such states alone: a step too far, from which a search returns, must not
        change what it returns to.
        """
        parts, slope = np.empty((len(b), 5)), np.empty((*self.pair.shape, y.shape[1]))
        each = _away_from_zero(y[self.pair])
        if self.scale is None:
            self.scale = self._choose_rule(b, y)
        scale = self.scale
        for attempt in range(3):
            integrate(
                each, self.weights, self.ends, self.jumps, self.raw,
                self.others, self.p, self.none, self.one,
                b, gain, silent, active,
                1 / scale, _ABSCISSA, self._inner, self._omega, self._domega,
                self._room, parts, slope,
            )  # fmt: skip
            if parts[:, 3:].max() < _TOO_LARGE:
                break
            if attempt or self._far is None:
                self._far = self._find_scale(b, y)
            scale = self._far
        return parts, slope

    def _growth(self, c: Array, y: Array) -> Array:
        """Return the larger of ln M(c) and ln M(-c) of each group (K,)."""
        largest = np.zeros(len(c))
        for sign in (1, -1):
            x = _away_from_zero(sign * c[:, None, None] * y[self.pair])
            tops = zip(self.ends, self.jumps, strict=True)
            mean = sum(jump * np.exp(np.minimum(end * x, 300)) for end, jump in tops) / x
            factor = np.maximum(self.p * (mean @ self.weights - 1), -0.999)
            largest = np.maximum(largest, (self.others * np.log1p(factor)).sum(1))
        return largest

    def _several(
        self,
        y: Array,
        gain: Array,
        b: Array,
        own: tuple[Array, Array, Array],
        silent: Array,
        active: Array,
    ) -> tuple[float, Array, Array, Array]:
        """Return what silent and active features cost, and its derivatives by b, r² and y.

        Without what silent ones cost while no or one other feature is active.
        """
        p = self.p
        parts, slope = self._integrate(y, gain, b, silent, active)
        # ⟨(x - v)²⟩, and of what is below 0 the part with no other active.
        v1, v2 = self.raw[1:3]
        e = gain - 1
        y1, y2 = (y @ self.weights)[self.pair], (y * y @ self.weights)[self.pair]
        middle = (self.others * p * y1).sum(1) * v1
        spread = (self.others * (p * v2 * y2 - (p * v1 * y1) ** 2)).sum(1)
        line = e * e * v2 + 2 * e * v1 * b + b * b
        squares = line + 2 * (e * v1 + b) * middle + middle**2 + spread
        known = self.none * (line - v2 - own[0])
        loss = parts[:, 0].sum() + active @ (squares - known)
        by_b = 2 * (e * v1 + b)
        db = parts[:, 1] + active * (by_b + 2 * middle - self.none * (by_b - own[2]))
        by_gain = 2 * (e * v2 + v1 * b)
        dgain = parts[:, 2] + active * (by_gain + 2 * v1 * middle - self.none * (by_gain - own[1]))
        # By y, also through the moments of S.
        by_y1 = active[:, None] * self.others * p * v1 * (by_b + 2 * middle)[:, None]
        by_y1 -= 2 * active[:, None] * self.others * (p * v1) ** 2 * y1
        by_y2 = active[:, None] * self.others * p * v2
        slope += by_y1[..., None] + 2 * by_y2[..., None] * y[self.pair]
        dy = np.zeros_like(y)
        np.add.at(dy, self.pair.ravel(), slope.reshape(-1, y.shape[1]))
        return float(loss), db, dgain, dy * self.weights

    def _own(self, gain: Array, b: Array) -> tuple[Array, Array, Array]:
        """⟨R² - 2vR⟩, R = ReLU(r²v + b), and its derivatives with respect to r² and b."""
        gain = np.maximum(gain, 1e-12)
        start = np.clip(-b / gain, self.ends[0], self.ends[-1])
        above = np.maximum(self.ends, start[:, None])
        i0, i1, i2 = (above**k @ self.jumps / k for k in (1, 2, 3))
        value = gain**2 * i2 + 2 * gain * b * i1 + b**2 * i0 - 2 * (gain * i2 + b * i1)
        return value, 2 * (gain * i2 + b * i1 - i2), 2 * (gain * i1 + b * i0 - i1)


def _away_from_zero(y: Array) -> Array:
    return np.where(np.abs(y) < _NEAR_ZERO, _NEAR_ZERO, y)
