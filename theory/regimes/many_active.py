"""Even frequencies, many active features: n → ∞ at fixed p and fixed n/m.

Then E = n p → ∞, interference is a sum of many small terms and Gaussian, whatever the law of the
overlaps. Its variance is that of an isotropic frame, the least there is. What is left is a minimum
over one norm, one bias and the number of live features for each dimension. L/n is a function of p
and n/m alone. ``derive_many_active`` derives it, ``many_active_loss`` computes it.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import sympy as sp
from scipy.optimize import brentq, minimize_scalar
from scipy.special import ndtr

from theory.checks import check_real
from theory.computing.argument_kinds import check_kinds
from theory.derivation import Derivation, Step, density, m, n, p, v

# v ~ U(0, 2): its second moment, and Gauss-Legendre nodes for the mean over it.
_SECOND = 4 / 3
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
_V, _W = 1 + _NODES, _WEIGHTS / 2
# How far above √(2 ln N) thresholds β are searched: beyond it silent outputs cost nothing.
_MARGIN, _GRID = 3.0, 41
# Largest frequency: silent outputs are what the bias is for.
_LARGEST_P = 0.5
# Fewest live features for each dimension that are tried, in ln; and thresholds β.
_LN_LIVE, _BETA = 1e-3, (1e-6, 60.0)


@lru_cache(maxsize=1)
def derive_many_active() -> Derivation:
    """Derive what is minimised, and the loss for m ≫ E.

    Examples
    --------
    >>> derive_many_active()["loss"]
    Eq(L, 4*C*E**2*(-m + n)/(3*m*n))
    """
    beta, s, delta, N, q, C, L = sp.symbols("beta s delta N q C L", positive=True)
    second = sp.integrate(v**2 / 2, (v, 0, 2))
    variance = second * p * (q - 1)
    z = sp.Symbol("z", real=True)
    normal = sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi)
    tail = sp.integrate((z - beta) ** 2 * normal, (z, beta, sp.oo))
    silent = N * sp.simplify(tail)
    missed = sp.integrate(sp.expand((delta * v - beta * s) ** 2) / 2, (v, 0, 2))
    (best,) = sp.solve(sp.diff(missed, delta), delta)
    active = sp.simplify(missed.subs(delta, best) / s**2) + 1
    cost = active + silent
    # Mills' ratio to third order: the tail is 2 φ(β)/β³ for large β.
    large = 2 * N * sp.exp(-(beta**2) / 2) / sp.sqrt(2 * sp.pi) / beta**3
    steps = (
        Step(
            "variance",
            "Interference at an output is Gaussian. With q = (live features)/m, each active with "
            "probability p, its variance over r⁴ is, by the Welch bound,",
            sp.Eq(s**2, variance),
        ),
        Step(
            "minimum",
            "Each time that it is active a live feature costs l(q), the least over r and b of "
            "N ⟨ReLU(b + r² s z)²⟩ + ⟨(ReLU(b + r² (v + s z)) - v)²⟩, z ~ N(0, 1), with",
            sp.Eq(N, (1 - p) / p),
        ),
        Step(
            "norm",
            "r² is a regression coefficient: with b = -β r² s the output is r² times u, which does "
            "not depend on r, and l is the least over β alone of 4/3 - ⟨v u⟩²/(N ⟨u²⟩ + ⟨u²⟩).",
        ),
        Step(
            "critical ratio",
            "A lost one costs 4/3 - p. Of n features q m are live, each q that minimises",
            q * (sp.Function("l")(q) - (second - p)),
        ),
        Step(
            "below it",
            "The minimum q_c depends on p alone: for n > q_c m the live features are q_c m, and L "
            "is linear in m; else all are live.",
        ),
        Step(
            "silent outputs",
            "For m ≫ E, s → 0 and r → 1. With b = -β s silent outputs cost, over s²,",
            silent,
        ),
        Step(
            "active outputs",
            "active ones, at the best norm r² = 1 + 3 β s/4, cost over s²",
            active,
        ),
        Step(
            "coefficient",
            "so that the coefficient of s² is the least over β, a function C(N) of n/E alone, of",
            cost,
        ),
        Step(
            "loss",
            "To leading order in E/m, with the variance put in,",
            sp.Eq(L, sp.simplify(density**2 * second / m * (1 - m / n) * C)),
        ),
        Step(
            "rare features",
            "For N → ∞ the minimum of the coefficient solves",
            sp.Eq(sp.simplify(sp.diff(active + large, beta)), 0),
        ),
        Step(
            "rare features, coefficient",
            "where silent outputs cost 1/2 to leading order, and β² → 2 ln N:",
            sp.Eq(C, beta**2 / 4 + sp.Rational(3, 2)),
        ),
    )
    return Derivation("Even frequencies, many active features: n → ∞ at fixed p and n/m", steps)


class LiveMinimum(NamedTuple):
    """Loss of a live feature for each time that it is active, with r², b and d loss/d ln s²."""

    loss: float
    gain: float
    bias: float
    slope: float


def minimise_live(variance: float, p: float) -> LiveMinimum:
    """Return the best squared norm and bias at an interference of this variance over r⁴.

    Examples
    --------
    >>> found = minimise_live(1e-6, 1e-3)
    >>> round(found.loss / 1e-6, 2), found.gain > 1, found.bias < 0
    (3.39, True, True)
    """
    s, N = math.sqrt(variance), (1 - p) / p

    def cost(beta: float) -> float:
        return _at_the_best_norm(beta, s, N)[0]

    # Low thresholds lose everything, all alike: the valley is found on a grid.
    most = math.sqrt(2 * math.log1p(N)) + _MARGIN
    grid = np.linspace(0.0, most, _GRID)
    k = int(np.argmin([cost(beta) for beta in grid]))
    bounds = grid[max(k - 1, 0)], grid[min(k + 1, _GRID - 1)]
    found = minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": 1e-10})
    beta = float(found.x)
    loss, gain = _at_the_best_norm(beta, s, N)
    # At the minimum the loss changes with s as it does at a fixed norm and bias.
    sigma, z = gain * s, np.append(_V / s, 0.0) - beta
    height = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    by_sigma = np.append(_W, N) @ (2 * sigma * ndtr(z) - 2 * np.append(_V, 0.0) * height)
    return LiveMinimum(loss, gain, -beta * sigma, float(by_sigma) * sigma / 2)


def _at_the_best_norm(beta: float, s: float, N: float) -> tuple[float, float]:
    """Return the loss at a threshold b = -β r² s, and the best r².

    The output is r² u with u = ReLU(v + s (z - β)): r² is a regression coefficient, of v on u.
    """
    v, weights = np.append(_V, 0.0), np.append(_W, N)
    mean, miss = v - beta * s, -beta * s
    z = mean / s
    above, height = ndtr(z), np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    # ⟨u²⟩, ⟨(u - v)²⟩ and ⟨(u - v) u⟩ for each v, with no difference of large terms.
    square = (mean**2 + s**2) * above + mean * s * height
    error = (miss**2 + s**2) * above + s * (miss - v) * height + v**2 * ndtr(-z)
    product = (mean * miss + s**2) * above + s * miss * height
    total, excess = float(weights @ square), float(weights @ product)
    if excess < total / 2:
        return float(weights @ error) - excess**2 / total, 1 - excess / total
    # Silent outputs cost more than all others: there the differences are those of small terms.
    gain = float(weights @ (v * (mean * above + s * height))) / total
    return _SECOND - gain**2 * total, gain


def coefficient(p: float) -> float:
    """Return C, with which m L/E² → (4/3) (1 - m/n) C for m ≫ E.

    The step "coefficient" of ``derive_many_active``.

    Examples
    --------
    >>> round(coefficient(1e-3), 3), round(coefficient(1e-6), 2)
    (3.382, 6.29)
    """
    N = (1 - check_real("p", p, 0.0, _LARGEST_P, strict=True)) / p

    def slope(beta: float) -> float:
        tail = math.exp(-(beta**2) / 2) / math.sqrt(2 * math.pi) - beta * ndtr(-beta)
        return float(beta / 2 - 2 * N * tail)

    beta = brentq(slope, *_BETA, xtol=1e-13)
    height = math.exp(-(beta**2) / 2) / math.sqrt(2 * math.pi)
    return float(1 + beta**2 / 4 + N * ((1 + beta**2) * ndtr(-beta) - beta * height))


@lru_cache(maxsize=256)
def critical_ratio(p: float) -> float:
    """Return the largest n/m at which all features are live, many of them active.

    Parameters
    ----------
    p : float
        Frequency of each feature.

    Returns
    -------
    float
        q_c = n/m_c; for n > q_c m the number of live features is q_c m.

    Raises
    ------
    ValueError
        For p outside (0, 1/2].

    Notes
    -----
    The step "critical ratio" of ``derive_many_active``.

    Examples
    --------
    >>> round(critical_ratio(1e-3), 1)
    108.5
    """
    p = check_real("p", p, 0.0, _LARGEST_P, strict=True)

    def gained(ln_q: float) -> float:
        q = math.exp(ln_q)
        return q * (minimise_live(_SECOND * p * (q - 1), p).loss - (_SECOND - p))

    # Where the variance is 1 a live feature is worth little.
    bounds = _LN_LIVE, math.log1p(1 / (_SECOND * p))
    found = minimize_scalar(gained, bounds=bounds, method="bounded", options={"xatol": 1e-7})
    return math.exp(found.x)


class ManyActive(NamedTuple):
    """Loss for each active feature, L/E, its slope -d ln L/d ln m, and the share of live ones."""

    loss: float
    exponent: float
    live: float


@check_kinds
def many_active_loss(p: float, ratio: float) -> ManyActive:
    """Return L/E for n → ∞ at fixed p and n/m.

    Parameters
    ----------
    p : float
        Frequency of each feature, E/n.
    ratio : float
        n/m, above 1.

    Returns
    -------
    ManyActive
        Loss over E, local exponent at fixed n and E, share of live features.

    Raises
    ------
    ValueError
        For p outside (0, 1/2], or a ratio of 1 or less.

    Examples
    --------
    >>> found = many_active_loss(1e-3, 62.5)
    >>> round(found.loss, 4), found.live
    (0.3792, 1.0)
    """
    p = check_real("p", p, 0.0, _LARGEST_P, strict=True)
    ratio = check_real("ratio", ratio, 1.0, strict=True)
    lost = _SECOND - p
    live = min(critical_ratio(p) / ratio, 1.0)
    q = live * ratio
    own = minimise_live(_SECOND * p * (q - 1), p)
    loss = live * own.loss + (1 - live) * lost
    # At the best share of live features only the variance changes with m, as q - 1 does.
    return ManyActive(loss, live * own.slope * q / (q - 1) / loss, live)
