"""The joint law of the scores s_j = u_j·h of a superposed state h = Σ_i x_i u_i + noise.

For directions with independent normal entries of variance 1/m the law is exact: given the length
of h, the scores of items that are off are independent normals, and those of items that are on are
independent normals less their projection on the strengths ("The Ball and the Box", 2026, for equal
strengths; unequal strengths and noise follow in the same way). With X² = Σ x_i² + noise² m,
ρ_i = x_i/X, R ~ chi_m and σ = X R/m,

    s_j/σ = W_j (off),    s_i/σ = ρ_i R + Z_i - ρ_i Σ_l ρ_l Z_l (on).

The covariance of Z_i - ρ_i Σ ρ_l Z_l is δ_il - ρ_i ρ_l, that of Z_i + √-1 ρ_i Y with Y ~ N(0, 1).
So the expectation of a product of functions of the members' scores is a two-dimensional integral
over R and Y, with normal distribution functions of a complex argument.

For unit directions the law of items that are off stays exact (``RandomOverlap``); the members keep
their means and covariances to order 1/m, without the spread of their own lengths.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.special import (
    betainc,
    betaincinv,
    gammainccinv,
    gammaincinv,
    gammaln,
    log_ndtr,
    ndtr,
    ndtri,
)

Codes = Literal["random", "unit", "bipolar"]
Values = NDArray[np.float64]

# Gauss-Legendre nodes over the length of h: with one more variable, and where the integrand may be
# nearly a step (a threshold with little noise).
_LENGTHS, _FINE = 64, 400
_TAIL = 1e-15  # probability of lengths beyond the nodes, on either side
# The auxiliary variable Y: the integral over the length damps what lies beyond as exp(-Y²/4).
_Y = np.arange(0.0, 14.1, 0.2)
_Y_WEIGHTS = np.where(_Y == 0, 0.5, 1.0) * 0.2 * 2 * np.exp(-_Y * _Y / 2) / math.sqrt(2 * math.pi)
# Gumbel variable of the largest of many: its double exponential density makes the rule exact to
# rounding at this step.
_GUMBEL = np.arange(-3.7, 37.0, 0.4)
_GUMBEL_WEIGHTS = 0.4 * np.exp(-_GUMBEL - np.exp(-_GUMBEL))
_NORMAL = np.arange(-9.0, 9.05, 0.1)
_NORMAL_WEIGHTS = 0.1 * np.exp(-_NORMAL * _NORMAL / 2) / math.sqrt(2 * math.pi)

_EDGES = (-12.0, 6.0)  # beyond, all members are above, or not
_CHUNK = 2048


@dataclass(frozen=True)
class ScoreLaw:
    """The joint law of the scores of the items that are on and of ``others`` that are off.

    Attributes
    ----------
    m : int
        Width of the state.
    others : int
        Candidates that are off.
    strengths, counts : tuple
        The different strengths x of the items that are on, and how many have each.
    noise : float
        Standard deviation of independent normal noise on each of the m numbers of h.
    codes : {"random", "unit", "bipolar"}
        Law of the directions: independent normal entries of variance 1/m; scaled to length 1;
        entries ±1/√m.

    Examples
    --------
    >>> law = ScoreLaw(220, 1992, (1.0,), (8,), 0.0, "random")
    >>> round(law.all_above_others(), 3)
    0.738
    """

    m: int
    others: int
    strengths: tuple[float, ...]
    counts: tuple[int, ...]
    noise: float
    codes: Codes

    @property
    def active(self) -> int:
        """Number of items that are on."""
        return sum(self.counts)

    @cached_property
    def size(self) -> float:
        """X, root mean square length of h."""
        squares = sum(k * x * x for x, k in zip(self.strengths, self.counts, strict=True))
        return math.sqrt(squares + self.noise**2 * self.m)

    @cached_property
    def rho(self) -> Values:
        """x/X for each strength."""
        return np.array(self.strengths) / self.size

    @cached_property
    def _fourth(self) -> float:
        """Σ ρ⁴ over the items that are on."""
        return float(np.sum(self.counts * self.rho**4))

    @cached_property
    def spread(self) -> Values:
        """Standard deviation of the independent part of a member's score, over σ."""
        if self.codes == "random":
            return np.ones(len(self.strengths))
        # Without the spread of the member's own length.
        spread: Values = np.sqrt(np.maximum(1 - 2 * self.rho**2, 0.0))
        return spread

    @cached_property
    def coupling(self) -> float:
        """Factor of √-1 ρ_i Y: 1 for normal entries."""
        if self.codes == "random":
            return 1.0
        if np.any(self.spread < 1e-6):
            return 0.0
        own = math.sqrt(max(1 - 2 * self._fourth, 0.0))
        # More would be no covariance.
        return min(own, 1 / math.sqrt(np.sum(self.counts * (self.rho / self.spread) ** 2)))

    @cached_property
    def lengths(self) -> tuple[Values, Values]:
        """Nodes and weights of R = |h| √m/X."""
        return self.lengths_above(0.0, _LENGTHS)

    def lengths_above(self, least: float, count: int = _FINE) -> tuple[Values, Values]:
        """Return nodes and weights of R where it is above ``least``."""
        share = 1.0 if self.codes == "random" else 1 - self._fourth
        if share < 1e-12:  # one unit vector
            R = math.sqrt(self.m)
            return np.array([R]), np.array([float(least < R)])
        freedom = self.m / share
        low, high = gammaincinv(freedom / 2, _TAIL), gammainccinv(freedom / 2, _TAIL)
        low, high = math.sqrt(2 * low), math.sqrt(2 * high)
        low = min(max(low, least / math.sqrt(share)), high)
        nodes, weights = _gauss_legendre(count)
        chi = low + (high - low) * (nodes + 1) / 2
        log_density = (freedom - 1) * np.log(chi) - chi * chi / 2
        log_density -= gammaln(freedom / 2) + (freedom / 2 - 1) * math.log(2)
        return chi * math.sqrt(share), weights * (high - low) / 2 * np.exp(log_density)

    def survival(self, w: Values) -> Values:
        """Return P(W > w) of an item that is off, at score σ w."""
        if self.codes == "random":
            return np.asarray(ndtr(-w))
        t = np.clip(w / math.sqrt(self.m), -1.0, 1.0)
        two_sided = betainc((self.m - 1) / 2, 0.5, 1 - t * t)
        return np.asarray(np.where(t >= 0, two_sided / 2, 1 - two_sided / 2))

    def density(self, w: Values) -> Values:
        """Return the density of W, of an item that is off, up to its norm."""
        if self.codes == "random":
            return np.asarray(np.exp(-w * w / 2) / math.sqrt(2 * math.pi))
        with np.errstate(divide="ignore"):
            log = (self.m - 3) / 2 * np.log1p(-np.minimum(w * w / self.m, 1.0))
        return np.where(w * w < self.m, np.exp(log), 0.0)

    def none_above(self, w: Values) -> Values:
        """Return the probability that no item that is off has a score above σ w."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.exp(self.others * np.log1p(-self.survival(w))))

    def _largest_other(self) -> Values:
        """Return quantiles of the largest score of the items that are off, over σ."""
        tail = -np.expm1(-np.exp(-_GUMBEL) / self.others)
        if self.codes == "random":
            return np.asarray(-ndtri(tail))
        two_sided = 2 * np.minimum(tail, 1 - tail)
        t = np.sqrt(1 - betaincinv((self.m - 1) / 2, 0.5, two_sided))
        return np.asarray(np.where(tail < 0.5, t, -t) * math.sqrt(self.m))

    def one_above_others(self) -> float:
        """Return P(a member of the first strength scores above all items that are off)."""
        if self.others == 0:
            return 1.0
        R, weights = self.lengths
        rho, spread = self.rho[0], self.spread[0]
        deviation = math.sqrt(max(spread**2 - (self.coupling * rho) ** 2, 0.0))
        reached = self.none_above(rho * R[:, None] + deviation * _NORMAL)
        return float(weights @ reached @ _NORMAL_WEIGHTS)

    def all_above_others(self) -> float:
        """Return P(every member scores above every item that is off)."""
        if self.others == 0:
            return 1.0
        R, weights = self.lengths
        if self._one_score:
            return float(weights @ self.none_above(self.rho[0] * R))
        if self._opposed_pair:  # the lower of ρ R ± Z/√2, which has a kink at Z = 0
            z, z_weights = _gauss_legendre(_LENGTHS)
            z, z_weights = 4.5 * (z + 1), 4.5 * z_weights
            z_weights = z_weights * np.exp(-z * z / 2) * math.sqrt(2 / math.pi)
            lowest = self.rho[0] * R[:, None] - self.spread[0] * z / math.sqrt(2)
            return float(weights @ self.none_above(lowest) @ z_weights)
        above = self._members_above(self._largest_other()[:, None], R)
        return float(np.clip(_GUMBEL_WEIGHTS @ above @ weights, 0.0, 1.0))

    def separated_at(self, threshold: float) -> float:
        """Return P(every member scores above the threshold, and no other)."""
        # With several members the integrand is no step.
        count = _FINE if self.active <= 2 else _LENGTHS
        R, weights = self.lengths_above(self._least_length(threshold), count)
        w = threshold * self.m / (self.size * R)
        above = 1.0 if self._one_score else self._members_above(w, R)
        return float(np.clip(weights @ (self.none_above(w) * above), 0.0, 1.0))

    def _least_length(self, threshold: float) -> float:
        """Return the R from which on the members' common score ρ σ R is above the threshold."""
        if not self._one_score:
            return 0.0
        return math.sqrt(max(threshold, 0.0) * self.m / (self.size * self.rho[0]))

    @property
    def _one_score(self) -> bool:
        """Whether the members share one score, which R alone determines."""
        if len(self.counts) > 1:
            return False
        alone = self.counts[0] == 1 and self.coupling * self.rho[0] > 1 - 1e-12
        return alone or bool(self.spread[0] < 1e-6)

    @property
    def _opposed_pair(self) -> bool:
        """Whether there are two members, equally far above and below their mean score."""
        slope = self.coupling * self.rho[0] / max(self.spread[0], 1e-9)
        return self.counts == (2,) and abs(slope - math.sqrt(0.5)) < 1e-12

    def _members_above(self, w: Values, R: Values) -> Values:
        """Return P(every member scores above σ w | R).

        For few members it oscillates in R at large |Y|; the average over R damps that.
        """
        if len(self.counts) == 1:
            count, spread = self.counts[0], self.spread[0]
            slope = self.coupling * self.rho[0] / spread
            a = (w - self.rho[0] * R) / spread
            if count == 1:
                return np.asarray(ndtr(-a / math.sqrt(1 - slope**2)))
            if self._opposed_pair:
                return np.asarray(np.where(a < 0, 1 - 2 * ndtr(math.sqrt(2) * a), 0.0))
            above = _all_above(count, round(slope, 14))
            values = np.where(a < _EDGES[0], 1.0, above(np.clip(a, *_EDGES)))
            return np.asarray(np.where(a > _EDGES[1], 0.0, values))
        w, R = np.broadcast_arrays(w, R)
        spread = np.maximum(self.spread, 1e-6)
        values = np.empty(w.size)
        for start in range(0, w.size, _CHUNK):
            some = slice(start, start + _CHUNK)
            a = (self.rho * R.ravel()[some, None] - w.ravel()[some, None]) / spread
            argument = a[:, :, None] + 1j * (self.coupling * self.rho / spread)[:, None] * _Y
            log = np.array(self.counts, dtype=np.float64) @ log_ndtr(argument)
            values[some] = np.exp(log).real @ _Y_WEIGHTS
        return values.reshape(w.shape)

    def error_rates_at(self, threshold: float) -> tuple[float, float]:
        """Return P(an item that is off scores above) and P(a member does not), averaged."""
        R, weights = self.lengths_above(0.0)
        w = threshold * self.m / (self.size * R)
        false_alarm = float(weights @ self.survival(w))
        if self._one_score:
            return false_alarm, 1 - float(
                self.lengths_above(self._least_length(threshold))[1].sum()
            )
        miss = 0.0
        for rho, spread, count in zip(self.rho, self.spread, self.counts, strict=True):
            deviation = math.sqrt(max(spread**2 - (self.coupling * rho) ** 2, 1e-18))
            below = ndtr((w - rho * R) / deviation)
            miss += count / self.active * float(weights @ below)
        return false_alarm, miss


@lru_cache(maxsize=4)
def _gauss_legendre(count: int) -> tuple[Values, Values]:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return nodes, weights


@lru_cache(maxsize=64)
def _all_above(count: int, slope: float) -> CubicSpline:
    """Return ⟨Φ(-a + √-1 slope Y)^count⟩ as a function of a, for equal strengths."""
    a = np.arange(_EDGES[0], _EDGES[1] + 0.02, 0.03)
    argument = -a[:, None] + 1j * slope * _Y
    return CubicSpline(a, np.exp(count * log_ndtr(argument)).real @ _Y_WEIGHTS)


def independent_scores(law: ScoreLaw, readout: str) -> float:
    """Return the probability of success if all scores were independent normals.

    The large-m form: members N(x, Σ_{others} x²/m), others N(0, Σ x²/m) (for argmax Frady, Kleyko
    and Sommer 2018). It leaves out what the scores share, the length of h and the sum of the
    members' scores.
    """
    if law.others == 0:
        return 1.0
    off = law.size / math.sqrt(law.m)
    largest = -ndtri(-np.expm1(-np.exp(-_GUMBEL) / law.others))
    result = np.ones(_GUMBEL.size)
    for x, rho, count in zip(law.strengths, law.rho, law.counts, strict=True):
        deviation = math.sqrt(max(1 - rho**2, 0.0)) * off
        if deviation > 1e-9 * x:
            above = ndtr((x - off * largest) / deviation)
        else:
            above = (x > off * largest).astype(np.float64)
        if readout == "argmax":
            return float(_GUMBEL_WEIGHTS @ above)
        result *= above**count
    return float(_GUMBEL_WEIGHTS @ result)
