r"""Expected loss of a model whose interference is a sum of independent terms, and its gradient.

Use ``InterferenceLoss`` for what features of given norms and biases cost when their scaled overlaps
t are drawn independently from given laws (theory/constrained.py solves for those laws).

Feature i of group g has |W_i| = r_g, bias b_g and sees S = Σ_j y_ij x_j with y = r_g r_h t/√m. The
transform M(s) = ⟨e^{sS}⟩ is the product over the others of 1 - p_h + p_h ⟨e^{s y v}⟩. A silent
feature costs

    ⟨ReLU(b + S)²⟩ = (1/π) ∫_0^∞ Re [2 e^{sb} M(s)/s³] dω,    s = c + iω,    any c > 0.

An active one has x = r²v + b + S and costs ⟨(x - v)²⟩, a polynomial in the moments of S, less what
of x lies below 0: ⟨ReLU(-x)²⟩ + 2 ⟨v ReLU(-x)⟩, which is the integral of
2 e^{-sb} M(-s) [⟨e^{-s r² v}⟩/s³ + ⟨v e^{-s r² v}⟩/s²]. What no or one other active feature
contributes is known in closed form and taken out of M; the rest is small. Each group has its own c,
about the saddle of its integrand, and its own unit of ω: Gauss-Legendre rules from 0 to 1 and
octave by octave above, so that cos and sin of one octave give those of the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.activation import Activation
from theory.feature_groups import FeatureGroups
from theory.interference_kernels import sum_back, sum_waves

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
# c in units of 1/scale; nodes in each stretch and octaves from 1 on, by how fine a rule is.
_ABSCISSA = 3.0
_RULES = ((8, 8), (16, 10), (24, 11), (36, 12))
# ln M(±c) is at most this, so that little cancels.
_LARGEST, _TOO_LARGE, _TOO_COARSE, _BEYOND = 2.0, 5.0, 2.0, 50.0
_ALMOST_ONE = 1 - 1e-9
_NEAR_ZERO = 1e-9


@dataclass(frozen=True, eq=False)
class Cost:
    """Loss, its part without interference, and the derivatives with respect to r, b and t."""

    loss: float
    alone: float
    r: Array
    b: Array
    t: Array


class _Rule(NamedTuple):
    """Nodes of each group's integrals: s (K, S) and weights over π (K, S); units of ω (K,)."""

    s: Complex
    ds: Array
    unit: Array


class _Transform(NamedTuple):
    """Means of e^{±s y v} over v and the law of t, (K, K, S), and what led to them."""

    plus: Complex
    minus: Complex
    y: Array  # (K, K, Z)
    waves: list[tuple[Array, Array] | None]  # for each step of v's density: cos | sin, e^{c y end}


class _Product(NamedTuple):
    """M (K, S), its logarithm's derivatives by each mean (K, K, S), and the largest ln |M|."""

    M: Complex
    slope: Complex
    size: float


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
        How finely to integrate, 0 to 3: by how much the loss changes shows how precise it is.

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
        self.steps = [
            (float(end), float(jump)) for end, jump in zip(*activation.steps, strict=True) if jump
        ]
        self.raw = tuple(float(activation.moment(k)) for k in range(7))
        self.scale: Array | None = None
        nodes, octaves = _RULES[fine]
        x, w = np.polynomial.legendre.leggauss(nodes)
        self._inner = (1 + x) / 2
        starts = np.concatenate([[0.0], 2.0 ** np.arange(octaves)])
        widths = np.maximum(starts, 1.0)
        self._omega = (starts[:, None] + widths[:, None] * (1 + x) / 2).ravel()
        self._domega = (widths[:, None] * w / 2).ravel() / np.pi
        if one_hot:
            self.none = np.full(groups.count, 1 - min(1.0, float(self.sizes @ self.p)))
            self.one = self.others * self.p  # for a silent feature; an active one is alone
        else:
            self.none = np.exp((self.others * np.log1p(-self.p)).sum(1))
            self.one = self.none[:, None] * self.others * self.p / (1 - self.p)

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
            silent_none, seen = self.sizes * self.none, self.sizes[:, None] * self.one
            loss = float(active @ (square + own[0]))
            db, dgain, dy = active * own[2], active * own[1], np.zeros_like(y)
        else:
            silent_none, seen = silent * self.none, silent[:, None] * self.one
            loss, db, dgain, dy = self._several(y, gain, b, own, silent, active)
        loss += silent_none @ above**2
        db += 2 * silent_none * above
        # What one other active feature costs a silent one, on either side of a pair.
        for here, there in ((g, h), (h, g)):
            share = np.where((here == there) & (here is h), 0.0, seen[here, there])
            squares, by_b, by_y = self._single(b[here][:, None], y)
            loss += share @ (squares @ self.weights)
            db += np.bincount(here, share * (by_b @ self.weights), len(b))
            dy += share[:, None] * by_y * self.weights
        dr = 2 * r * dgain
        by_size = (dy * t).sum(1) / root
        dr += np.bincount(g, by_size * r[h], len(r)) + np.bincount(h, by_size * r[g], len(r))
        alone = silent @ above**2 + active @ (square + own[0])
        dt = (r[g] * r[h] / root)[:, None] * dy
        return Cost(float(loss), float(alone), dr, db, dt)

    def _find_scale(self, b: Array, y: Array) -> Array:
        """Return the size of interference of each group (K,): |b|, unless M would be too large."""
        found = np.zeros(len(b))
        within = np.ones(len(b), dtype=bool)
        for c in 2.0 ** np.arange(-4, 12, 0.5):
            within &= self._growth(np.full(len(b), c), y) < _LARGEST
            found[within | (found == 0)] = c
        return _ABSCISSA / np.minimum(found, _ABSCISSA / np.maximum(np.abs(b), 1e-9))

    def look_again(self, r: Array, b: Array, t: Array) -> None:
        """Let go of the scale if a much smaller one would do for this state.

        Not in the middle of a descent: the loss would jump by what integration errs.
        """
        if self.scale is None or self.one_hot:
            return
        y = (r[self.first] * r[self.second] / np.sqrt(self.m))[:, None] * t
        coarse = np.abs(b) < self.scale / _TOO_COARSE
        c = _TOO_COARSE * _ABSCISSA / self.scale
        if np.any(coarse & (self._growth(c, y) < _LARGEST)):
            self.scale = None

    def _integrate(self, b: Array, y: Array) -> tuple[_Rule, _Transform, _Product, _Product]:
        """Return the rule and the transforms at its nodes; another scale if M is too large."""
        for _ in range(2):
            if self.scale is None:
                self.scale = self._find_scale(b, y)
            unit = 1 / self.scale
            s = _ABSCISSA * unit[:, None] + 1j * unit[:, None] * self._omega
            rule = _Rule(s, unit[:, None] * self._domega, unit)
            mean = self._transform(rule, y)
            up, down = self._product(mean.plus), self._product(mean.minus)
            if max(up.size, down.size) < _TOO_LARGE:
                break
            self.scale = None
        return rule, mean, up, down

    def _growth(self, c: Array, y: Array) -> Array:
        """Return the larger of ln M(c) and ln M(-c) of each group (K,)."""
        largest = np.zeros(len(c))
        for sign in (1, -1):
            x = _away_from_zero(sign * c[:, None, None] * y[self.pair])
            mean = sum(jump * np.exp(np.minimum(end * x, 300)) for end, jump in self.steps) / x
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
        rule, mean, (up, by_up, _), (down, by_down, _) = self._integrate(b, y)
        s, ds, p = rule.s, rule.ds, self.p
        few = self.none[:, None] + np.matmul(self.one[:, None, :], mean.plus)[:, 0]
        off = 2 * np.exp(s * b[:, None]) / s**3 * ds
        first, second, third = self._moments(-s * gain[:, None])
        tilt = 2 * np.exp(-s * b[:, None]) * ds
        below = tilt * (first / s**3 + second / s**2)
        rest_off, rest_on = up - few, down - self.none[:, None]
        # ⟨(x - v)²⟩, and of what is below 0 the part with no other active.
        v1, v2 = self.raw[1:3]
        e = gain - 1
        y1, y2 = (y @ self.weights)[self.pair], (y * y @ self.weights)[self.pair]
        middle = (self.others * p * y1).sum(1) * v1
        spread = (self.others * (p * v2 * y2 - (p * v1 * y1) ** 2)).sum(1)
        line = e * e * v2 + 2 * e * v1 * b + b * b
        squares = line + 2 * (e * v1 + b) * middle + middle**2 + spread
        known = self.none * (line - v2 - own[0])
        loss = silent @ (off * rest_off).real.sum(1)
        loss += active @ (squares - known - (below * rest_on).real.sum(1))
        by_b = 2 * (e * v1 + b)
        db = silent * (s * off * rest_off).real.sum(1)
        db += active * (by_b + 2 * middle - self.none * (by_b - own[2]))
        db += active * (s * below * rest_on).real.sum(1)
        by_gain = 2 * (e * v2 + v1 * b)
        dgain = active * (by_gain + 2 * v1 * middle - self.none * (by_gain - own[1]))
        dgain += active * ((tilt * (second / s**2 + third / s)) * rest_on).real.sum(1)
        # Backwards: by the transforms, then by y, also through the moments of S.
        toward_up, toward_down = silent[:, None] * off, -active[:, None] * below
        back_up = (toward_up * up)[:, None, :] * by_up - toward_up[:, None, :] * self.one[..., None]
        back_down = (toward_down * down)[:, None, :] * by_down
        slope = self._backward(rule, mean, back_up, back_down)
        by_y1 = active[:, None] * self.others * p * v1 * (by_b + 2 * middle)[:, None]
        by_y1 -= 2 * active[:, None] * self.others * (p * v1) ** 2 * y1
        by_y2 = active[:, None] * self.others * p * v2
        slope += by_y1[..., None] + 2 * by_y2[..., None] * mean.y
        dy = np.zeros_like(y)
        np.add.at(dy, self.pair.ravel(), slope.reshape(-1, y.shape[1]))
        return float(loss), db, dgain, dy * self.weights

    def _product(self, mean: Complex) -> _Product:
        """Return M, and how it depends on each mean."""
        factor = 1 + self.p[None, :, None] * (mean - 1)
        # ln of a complex number in two real functions, which are quicker.
        square = factor.real**2 + factor.imag**2
        weights = self.others[:, None, :]
        size = np.matmul(weights, np.log(square))[:, 0] / 2
        angle = np.matmul(weights, np.arctan2(factor.imag, factor.real))[:, 0]
        slope = (self.others * self.p)[..., None] * factor.conj() / square
        M = np.exp(np.minimum(size, _BEYOND) + 1j * angle)
        return _Product(M, slope, float(size.max()))

    def _transform(self, rule: _Rule, y: Array) -> _Transform:
        """Return the means of e^{±s y v}, by group whose integral it is and group of the other."""
        y = _away_from_zero(y[self.pair])
        angle = rule.unit[:, None, None] * y
        growth = _ABSCISSA * angle
        weights = self.weights / y
        plus = np.zeros((*self.pair.shape, rule.s.shape[1]), dtype=complex)
        minus = np.zeros_like(plus)
        waves: list[tuple[Array, Array] | None] = []
        for end, jump in self.steps:
            if not end:
                plus += jump * weights.sum(2)[..., None]
                minus += jump * weights.sum(2)[..., None]
                waves.append(None)
                continue
            wave = np.empty((*y.shape, 2, rule.s.shape[1]))
            sums = np.empty((*self.pair.shape, 2, 2, rule.s.shape[1]))
            size = np.exp(np.clip(end * growth, -60, 60))
            rise, fall = weights * size, weights / size
            sum_waves(end * angle, rise, fall, self._inner, wave, sums)
            plus += jump * (sums[:, :, 0, 0] + 1j * sums[:, :, 0, 1])
            minus += jump * (sums[:, :, 1, 0] - 1j * sums[:, :, 1, 1])
            waves.append((wave, size))
        return _Transform(plus / rule.s[:, None], minus / -rule.s[:, None], y, waves)

    def _backward(
        self, rule: _Rule, mean: _Transform, back_up: Complex, back_down: Complex
    ) -> Array:
        """Return Re Σ_s (back_up d⟨e^{syv}⟩/dy + back_down d⟨e^{-syv}⟩/dy) at each t (K, K, Z)."""
        s, y = rule.s[:, None], mean.y
        # ⟨e^{syv}⟩ = Σ_e jump_e e^{s y end_e}/(s y): by y, two sums for either sign.
        divided = back_up / s, back_down / -s
        sides = ((back_up, 1), (divided[0], 1), (back_down, -1), (divided[1], -1))
        columns = np.array([np.stack([a.real, -sign * a.imag], axis=2) for a, sign in sides])
        first, second = np.zeros_like(y), np.zeros_like(y)
        for (end, jump), wave in zip(self.steps, mean.waves, strict=True):
            if wave is None:
                second += jump * (divided[0] + divided[1]).real.sum(2)[..., None]
                continue
            sums = np.empty((4, *y.shape))
            sum_back(wave[0], columns, sums)
            first += jump * end * (sums[0] * wave[1] + sums[2] / wave[1])
            second += jump * (sums[1] * wave[1] + sums[3] / wave[1])
        slope = (first - second / y) / y
        small = np.abs(y) * rule.unit[:, None, None] < 1e-5
        if small.any():  # the difference has lost its digits: the series
            one = ((back_up - back_down) * s).real.sum(2)[..., None]
            two = ((back_up + back_down) * s**2).real.sum(2)[..., None]
            slope = np.where(small, self.raw[1] * one + self.raw[2] * two * y, slope)
        return slope

    def _moments(self, x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """⟨e^{xv}⟩, ⟨v e^{xv}⟩ and ⟨v² e^{xv}⟩."""
        small = np.abs(x) < 0.03
        safe = np.where(small, 1.0, x)
        tops = [(end, jump * np.exp(end * safe)) for end, jump in self.steps]
        zero = sum(top for _, top in tops) / safe
        one = (sum(end * top for end, top in tops) - zero) / safe
        two = (sum(end**2 * top for end, top in tops) - 2 * one) / safe
        series = [
            sum(self.raw[k + j] * x**j / f for j, f in enumerate((1, 1, 2, 6, 24)))
            for k in range(3)
        ]
        found = [np.where(small, a, c) for a, c in zip(series, (zero, one, two), strict=True)]
        return found[0], found[1], found[2]

    def _single(self, b: Array, y: Array) -> tuple[Array, Array, Array]:
        """⟨ReLU(b + y v)²⟩ and its derivatives with respect to b and y."""
        outputs = [(end, jump, np.maximum(b + end * y, 0.0)) for end, jump in self.steps]
        small = np.abs(y) < 1e-7
        safe = np.where(small, 1.0, y)
        middle = np.maximum(b + self.raw[1] * y, 0.0)
        cubes = sum(jump * output**3 for _, jump, output in outputs)
        squares = sum(jump * output**2 for _, jump, output in outputs)
        square = np.where(small, middle**2, cubes / (3 * safe))
        by_b = np.where(small, 2 * middle, squares / safe)
        slope = (sum(end * jump * output**2 for end, jump, output in outputs) - square) / safe
        return square, by_b, np.where(small, 2 * self.raw[1] * middle, slope)

    def _own(self, gain: Array, b: Array) -> tuple[Array, Array, Array]:
        """⟨R² - 2vR⟩, R = ReLU(r²v + b), and its derivatives with respect to r² and b."""
        gain = np.maximum(gain, 1e-12)
        start = np.clip(-b / gain, self.steps[0][0], self.steps[-1][0])
        i0, i1, i2 = (
            sum(jump * np.maximum(end, start) ** k for end, jump in self.steps) / k
            for k in (1, 2, 3)
        )
        value = gain**2 * i2 + 2 * gain * b * i1 + b**2 * i0 - 2 * (gain * i2 + b * i1)
        return value, 2 * (gain * i2 + b * i1 - i2), 2 * (gain * i1 + b * i0 - i1)


def _away_from_zero(y: Array) -> Array:
    return np.where(np.abs(y) < _NEAR_ZERO, _NEAR_ZERO, y)
