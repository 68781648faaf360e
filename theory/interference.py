r"""Expected loss of a model whose interference is a sum of independent terms, and its gradient.

Use ``InterferenceLoss`` for what features of given norms and biases cost when their scaled overlaps
t are drawn independently from given laws (theory/mean_field.py solves for those laws).

Feature i of group g has |W_i| = r_g, bias b_g and sees S = Σ_j y_ij x_j with y = r_g r_h t/√m. The
Laplace transform of S is the product over the others of 1 - p_h + p_h ⟨e^{s y v}⟩, and

    ⟨ReLU(b + S)²⟩ = (1/π) ∫_0^∞ Re [2 e^{sb} M(s)/s³] dω,    s = c + iω,    any c > 0;

with its own input active, ⟨(ReLU(r²v + b + S) - v)²⟩ is ⟨v²⟩ plus the same integral of
e^{sb} [2 M_v(s r²)/s³ - 2 N_v(s r²)/s²] M(s), M_v(x) = ⟨e^{xv}⟩ and N_v its derivative. What no or
one other active feature contributes is added in closed form and taken out of M; the rest is summed
by Gauss-Legendre rules over ω from 0 to 2 and octave by octave above, which resolves interference
of very different sizes: the same nodes in every octave, so that e^{iωyv} is the last one's square.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.activation import Activation
from theory.feature_groups import FeatureGroups

Array = NDArray[np.float64]
# Abscissa and end of the first stretch of ω, in units of 2/(largest v); nodes there and in each of
# the octaves. Twice the nodes and three more octaves are what the uncertainty is measured by.
_ABSCISSA, _FIRST, _NODES, _OCTAVES = 1.0, 2.0, 20, 6
_ALMOST_ONE = 1 - 1e-9
# What counts as no interference y in a mean, and below what its slope is taken from the series, so
# that nothing is lost in differences.
_NEAR_ZERO, _SMALL = 1e-8, 1e-5


@dataclass(frozen=True, eq=False)
class Cost:
    """Loss, its part without interference, and the derivatives with respect to r, b and t."""

    loss: float
    alone: float
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
    fine : bool
        Whether to integrate more finely, to see how much it changes.
    """

    def __init__(
        self,
        groups: FeatureGroups,
        m: float,
        weights: Array,
        activation: Activation,
        one_hot: bool = False,
        fine: bool = False,
    ) -> None:
        self.m, self.weights, self.one_hot = m, weights, one_hot
        self.sizes = groups.sizes.astype(np.float64)
        self.p = np.minimum(groups.p, _ALMOST_ONE)
        self.first, self.second = np.triu_indices(groups.count)
        # How many others of each group a feature sees.
        self.others = np.maximum(self.sizes[None, :] - np.eye(groups.count), 0.0)
        self.low, self.high = activation.low, activation.high
        self.square = float(activation.moment(2))
        unit = 2 / self.high
        nodes, octaves = (2 * _NODES, _OCTAVES + 3) if fine else (_NODES, _OCTAVES)
        x, w = np.polynomial.legendre.leggauss(nodes)
        ends = unit * _FIRST * 2.0 ** np.arange(octaves)
        # ω in the first stretch, in the first octave, and in all.
        self.base = unit * _FIRST * (1 + x) / 2, ends[0] * (3 + x) / 2
        omega = np.concatenate([self.base[0], np.outer(ends, (3 + x) / 2).ravel()])
        self.abscissa, self.octaves = unit * _ABSCISSA, octaves
        self.s = self.abscissa + 1j * omega
        self.ds = np.concatenate([unit * _FIRST * w / 2, np.outer(ends, w / 2).ravel()]) / np.pi
        if one_hot:
            self.none = np.full(groups.count, 1 - min(1.0, float(self.sizes @ self.p)))
            self.one = self.others * self.p  # for a silent feature; an active one is alone
        else:
            self.odds = self.p / (1 - self.p)
            self.none = np.exp((self.others * np.log1p(-self.p)).sum(1))
            self.one = self.none[:, None] * self.others * self.odds

    def __call__(self, r: Array, b: Array, t: Array) -> Cost:
        """Return the cost of norms r and biases b (K,) at scaled overlaps t (pairs of groups, Z).

        Pairs are those of ``numpy.triu_indices(K)``.
        """
        g, h, p = self.first, self.second, self.p
        root = np.sqrt(self.m)
        y = (r[g] * r[h] / root)[:, None] * t
        gain = r * r
        above = np.maximum(b, 0.0)
        own = self._own(gain, b)
        silent = self.sizes * (1 - p)
        active = self.sizes * p
        if self.one_hot:
            # An active feature is alone; a silent one sees one other, or none.
            silent_none, seen = self.sizes * self.none, self.sizes[:, None] * self.one
            loss = silent_none @ above**2 + active @ (self.square + own[0])
            db = 2 * silent_none * above + active * own[2]
            dgain, dy = active * own[1], np.zeros_like(y)
        else:
            silent_none, seen = silent * self.none, silent[:, None] * self.one
            loss, db, dgain, dy = self._several(y, gain, b, silent, active)
            loss += silent_none @ above**2 + active @ (self.none * own[0])
            db += 2 * silent_none * above + active * self.none * own[2]
            dgain += active * self.none * own[1]
        # What one other active feature costs a silent one, on either side of a pair.
        for here, there in ((g, h), (h, g)):
            share = np.where((here == there) & (here is h), 0.0, seen[here, there])
            square, by_b, by_y = self._single(b[here][:, None], y)
            loss += share @ (square @ self.weights)
            db += np.bincount(here, share * (by_b @ self.weights), len(b))
            dy += share[:, None] * by_y * self.weights
        dr = 2 * r * dgain
        by_size = (dy * t).sum(1) / root
        dr += np.bincount(g, by_size * r[h], len(r)) + np.bincount(h, by_size * r[g], len(r))
        alone = silent @ above**2 + active @ (self.square + own[0])
        dt = (r[g] * r[h] / root)[:, None] * dy
        return Cost(float(loss), float(alone), dr, db, dt)

    def _several(
        self, y: Array, gain: Array, b: Array, silent: Array, active: Array
    ) -> tuple[float, Array, Array, Array]:
        """Return the integrals, and their derivatives with respect to b, r² and y."""
        g, h, p, s, ds = self.first, self.second, self.p, self.s, self.ds
        mean, inverse, tops = self._transform(y)
        psi = np.empty((len(b), len(b), len(s)), dtype=complex)
        psi[g, h] = psi[h, g] = mean
        factor = 1 + p[None, :, None] * (psi - 1)
        # ln of a complex number in two real functions, which are quicker.
        square = factor.real**2 + factor.imag**2
        size, angle = np.log(square), np.arctan2(factor.imag, factor.real)
        weights = self.others[:, None, :]
        product = np.exp(np.matmul(weights, size)[:, 0] / 2 + 1j * np.matmul(weights, angle)[:, 0])
        few = self.none[:, None] + np.matmul(self.one[:, None, :], psi)[:, 0]
        rest_off, rest_on = product - few, product - self.none[:, None]
        tilt = np.exp(s * b[:, None])
        first, second, third = self._moments(s * gain[:, None])
        off = 2 * tilt / s**3
        on = tilt * (2 * first / s**3 - 2 * second / s**2)
        loss = float(
            silent @ ((off * rest_off).real @ ds)
            + active @ (self.square + (on * rest_on).real @ ds)
        )
        db = silent * ((s * off * rest_off).real @ ds) + active * ((s * on * rest_on).real @ ds)
        by_gain = tilt * (2 * second / s**2 - 2 * third / s)
        dgain = active * ((by_gain * rest_on).real @ ds)
        # Backwards: d loss/d product, then d/d psi from both sides of a pair, then d/d y.
        toward_off, toward_on = silent[:, None] * off * ds, active[:, None] * on * ds
        back = ((toward_off + toward_on) * product)[:, None, :] * (self.others * p)[:, :, None]
        back *= factor.conj()
        back /= square
        back -= toward_off[:, None, :] * self.one[:, :, None]
        pairs = back[g, h] + np.where(g == h, 0.0, 1.0)[:, None] * back[h, g]
        dy = self._backward(pairs, inverse, tops) * self.weights
        return loss, db, dgain, dy

    def _transform(self, y: Array) -> tuple[NDArray[Any], Array, list[NDArray[Any]]]:
        """Mean of e^{s y v} over v and the values of t (pairs, s); 1/y; e^{s y v} at both ends."""
        y = np.where(np.abs(y) < _NEAR_ZERO, _NEAR_ZERO, y)
        inverse = 1 / y
        tops = [self._exponential(end * y) for end in (self.high, self.low) if end]
        weights = (self.weights * inverse)[:, None, :]
        total = np.matmul(weights, tops[0])[:, 0]
        total -= weights.sum(2) if self.low == 0 else np.matmul(weights, tops[1])[:, 0]
        return total / ((self.high - self.low) * self.s), inverse, tops

    def _backward(self, pairs: NDArray[Any], inverse: Array, tops: list[NDArray[Any]]) -> Array:
        """Re Σ_s pairs d⟨e^{syv}⟩/dy, for each pair and value of t."""
        # ⟨e^{syv}⟩ = (e^{s y high} - e^{s y low})/(s y width): by y, two sums.
        sides = np.stack([pairs, pairs / self.s], axis=2)
        ends = [np.matmul(top, sides).real for top in tops]
        if self.low == 0:
            ends.append(sides.sum(1).real[:, None, :])
        first = self.high * ends[0][:, :, 0] - self.low * ends[1][:, :, 0]
        second = (ends[0][:, :, 1] - ends[1][:, :, 1]) * inverse
        slope = (first - second) * inverse / (self.high - self.low)
        moments = _raw_moments(self.low, self.high)
        series = [moments[k] * (pairs * self.s ** (k + 1)).sum(1).real[:, None] for k in (0, 1)]
        return np.where(np.abs(inverse) > 1 / _SMALL, series[0] + series[1] / inverse, slope)

    def _exponential(self, y: Array) -> NDArray[Any]:
        """e^{s y} (pairs, Z, s), where each octave's e^{iωy} is the last one's square."""
        out = np.empty((*y.shape, len(self.s)), dtype=complex)
        nodes = len(self.base[0])
        for k, omega in enumerate(self.base):
            angle = y[:, :, None] * omega
            part = out[:, :, k * nodes : (k + 1) * nodes]
            np.cos(angle, out=part.real)
            np.sin(angle, out=part.imag)
        for k in range(2, self.octaves + 1):
            last = out[:, :, (k - 1) * nodes : k * nodes]
            np.multiply(last, last, out=out[:, :, k * nodes : (k + 1) * nodes])
        out *= np.exp(self.abscissa * y)[:, :, None]
        return out

    def _moments(self, x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """⟨e^{xv}⟩, ⟨v e^{xv}⟩ and ⟨v² e^{xv}⟩."""
        small = np.abs(x) < 0.03
        safe = np.where(small, 1.0, x)
        top, bottom = np.exp(self.high * safe), np.exp(self.low * safe)
        width = self.high - self.low
        zero = (top - bottom) / (safe * width)
        one = ((self.high * top - self.low * bottom) / width - zero) / safe
        two = ((self.high**2 * top - self.low**2 * bottom) / width - 2 * one) / safe
        moments = (1.0, *_raw_moments(self.low, self.high))
        series = [
            sum(moments[k + j] * x**j / f for j, f in enumerate((1, 1, 2, 6, 24))) for k in range(3)
        ]
        found = [np.where(small, a, c) for a, c in zip(series, (zero, one, two), strict=True)]
        return found[0], found[1], found[2]

    def _single(self, b: Array, y: Array) -> tuple[Array, Array, Array]:
        """⟨ReLU(b + y v)²⟩ and its derivatives with respect to b and y."""
        low, high = self.low, self.high
        width = high - low
        start, end = np.maximum(b + low * y, 0.0), np.maximum(b + high * y, 0.0)
        small = np.abs(y) < 1e-5
        safe = np.where(small, 1.0, y)
        middle = np.maximum(b + (low + high) / 2 * y, 0.0)
        square = np.where(small, middle**2, (end**3 - start**3) / (3 * width * safe))
        by_b = np.where(small, 2 * middle, (end**2 - start**2) / (width * safe))
        slope = ((high * end**2 - low * start**2) / width - square) / safe
        return square, by_b, np.where(small, (low + high) * middle, slope)

    def _own(self, gain: Array, b: Array) -> tuple[Array, Array, Array]:
        """⟨R² - 2vR⟩, R = ReLU(r²v + b), and its derivatives with respect to r² and b."""
        gain = np.maximum(gain, 1e-12)
        start = np.clip(-b / gain, self.low, self.high)
        i0, i1, i2 = ((self.high**k - start**k) / (k * (self.high - self.low)) for k in (1, 2, 3))
        value = gain**2 * i2 + 2 * gain * b * i1 + b**2 * i0 - 2 * (gain * i2 + b * i1)
        return value, 2 * (gain * i2 + b * i1 - i2), 2 * (gain * i1 + b * i0 - i1)


def _raw_moments(low: float, high: float) -> tuple[float, ...]:
    """⟨v⟩ … ⟨v⁶⟩ of the uniform law."""
    return tuple((high ** (k + 1) - low ** (k + 1)) / ((k + 1) * (high - low)) for k in range(1, 7))
