"""Even frequencies in the limit of many features: loss, critical width and live features.

Overlaps are isotropic. Of the interference at a silent output only the tail counts: the n silent
outputs cost more than the E active ones unless the bias is beyond the value that interference
exceeds with probability E/n. That value is one of large deviations, and it acts as the wall of
theory/regimes/hard_wall.py does. ``derive_large_deviations`` derives the law,
``large_deviation_parts`` computes it; ln(n/E) is taken as large, E/ln(n/E) as anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import erfi

from theory.checks import check_real, check_widths
from theory.computing.argument_kinds import check_kinds
from theory.derivation import Derivation, Step, density, m, n, v
from theory.estimate import Estimate, Request, need_uniform
from theory.features import Features
from theory.regimes.equiangular import derive_equiangular

_theta = sp.Symbol("theta", positive=True)
_eta = sp.Symbol("eta", positive=True)
# Largest frequency for which features count as rare: ln(n/E) is to be large.
_LARGEST_P = 0.1
# Loss of a lost feature, for each time that it is active.
_LOST = 4 / 3
# Below this θ² the closed form loses digits, and three terms of its series have more.
_SMALL = 1e-3
# Range of ln θ, and of ln(live share), that is searched.
_LN_THETA, _LN_SHARE = (-40.0, math.log(18.0)), -200.0


@dataclass(frozen=True)
class LargeDeviationForm:
    """The law in symbols; ``theta`` and ``eta`` are the parameters that it is solved for.

    Attributes
    ----------
    rate : Expr
        What equals ln(n/E)/E at the right θ.
    reach : Expr
        τ/E, where √m η = τ.
    share : Expr
        d ln τ/d ln E at fixed n/E.
    own_loss : Expr
        Loss of a live feature for each time that it is active, in η.
    critical : Expr
        What is 0 at the critical width, in η and the symbol ``epsilon`` for ``share``.
    derivation : Derivation
    """

    rate: Any
    reach: Any
    share: Any
    own_loss: Any
    critical: Any
    derivation: Derivation


@lru_cache(maxsize=1)
def derive_large_deviations() -> LargeDeviationForm:
    """Derive L and the critical width for n → ∞, even frequencies and isotropic overlaps.

    Examples
    --------
    >>> form = derive_large_deviations()
    >>> form.own_loss
    eta**3/24 + eta**2/4
    >>> form.derivation["many active, critical width"]
    Eq(m_c, 1.2985*E*log(n/E))
    """
    kappa = sp.Symbol("kappa", positive=True)
    epsilon, tau, x, L, m_c = sp.symbols("epsilon tau x L m_c", positive=True)
    A = sp.Symbol("A", positive=True)
    mean = sp.integrate(sp.exp(_theta**2 * v**2 / 2) / 2, (v, 0, 2))
    cumulants = density * (mean - 1)
    slope = sp.diff(cumulants, _theta)
    rate = sp.simplify((_theta * slope - cumulants) / density)
    reach = sp.simplify(slope / density)
    share = sp.simplify(cumulants / (_theta * slope))
    # 2 κ, the wall of the frame, is where an active feature of v = 2 ends: here η.
    frame = derive_equiangular().derivation["least loss"]
    own = sp.expand(frame.subs(kappa, _eta / 2))
    critical = own + epsilon * _eta * sp.diff(own, _eta) - sp.Rational(4, 3)
    # Small θ: many active features.
    dense_rate = sp.series(rate, _theta, 0, 3).removeO()
    (theta_dense,) = (r for r in sp.solve(dense_rate - x, _theta) if r.is_positive)
    dense_reach = sp.series(reach, _theta, 0, 2).removeO().subs(_theta, theta_dense)
    dense_tau2 = sp.simplify((density * dense_reach) ** 2).subs(x, sp.log(n / density) / density)
    half = sp.limit(share, _theta, 0)
    eta_dense = _positive_root(critical.subs(epsilon, half))
    factor = float(sp.simplify(dense_tau2 / (density * sp.log(n / density)))) / eta_dense**2
    exponent = sp.simplify(_eta * sp.diff(own, _eta) / (2 * own))
    eta_sparse = _positive_root(critical.subs(epsilon, 0))
    steps = (
        Step(
            "interference",
            "T = Σ t v over the active features, their number Poisson with mean E, t Gaussian: the "
            "interference is T/√m times the squared norm, and ln⟨e^{θT}⟩ = E (A - 1) with A =",
            sp.Eq(A, mean),
        ),
        Step(
            "threshold",
            "Of n silent outputs about E may fire: T exceeds τ with probability E/n, and by "
            "Cramér's theorem, to leading order in ln(n/E), θ solves",
            sp.Eq(rate, sp.log(n / density) / density),
        ),
        Step("reach", "with", sp.Eq(tau, density * reach)),
        Step(
            "own loss",
            "The bias just silences η = τ/√m. At the best norm an active feature loses, as at "
            "a hard wall,",
            own,
        ),
        Step(
            "loss",
            "so that, all features live,",
            sp.Eq(L, density * own.subs(_eta, tau / sp.sqrt(m))),
        ),
        Step("exponent", "-d ln L/d ln m is then between 1 and 9/8:", exponent),
        Step(
            "share",
            "With a share f of the features live, f E are active, n/E stays: d ln τ/d ln f is, as "
            "the best θ stays the best (envelope theorem),",
            sp.Eq(epsilon, share),
        ),
        Step(
            "critical width",
            "f times the own loss + (1 - f) 4/3 is least at f = 1 down to the width m_c = τ²/η² at "
            "which",
            sp.Eq(critical, 0),
        ),
        Step(
            "below it",
            "fewer are live, as many as make m their critical width at the same n/E; the loss is "
            "theirs, and 4/3 for each active one that is lost.",
        ),
        Step(
            "many active, loss",
            "E ≫ ln(n/E): θ → 0, and for m ≫ E ln(n/E)",
            sp.Eq(L, density * dense_tau2 / (4 * m)),
        ),
        Step(
            "many active, critical width",
            f"there ε = {half}, η = {eta_dense:.4f} at the critical width, and",
            sp.Eq(m_c, sp.Float(round(factor, 4), 5) * density * sp.log(n / density)),
        ),
        Step(
            "few active",
            "E ≪ ln(n/E): 2 θ² → ln(ln(n/E)/E), ε → 0, "
            f"η → {eta_sparse:g} at the critical width, which hardly depends on E:",
            sp.Eq(m_c, sp.log(n / density) ** 2 / (2 * sp.log(sp.log(n / density) / density))),
        ),
    )
    title = "Even frequencies, n → ∞: interference ends at a large deviation"
    return LargeDeviationForm(rate, reach, share, own, critical, Derivation(title, steps))


def _positive_root(polynomial: Any) -> float:
    roots = [complex(root) for root in sp.Poly(polynomial, _eta).nroots()]
    (found,) = (root.real for root in roots if abs(root.imag) < 1e-9 and root.real > 0)
    return float(found)


class Threshold(NamedTuple):
    """τ, where interference times √m ends, and d ln τ/d ln E at fixed n/E."""

    tau: float
    share: float


def _means(theta: float) -> tuple[float, float, float]:
    """Return A - 1, e^{2θ²} - A and e^{2θ²} - 2 A + 1, where A = ⟨e^{θ²v²/2}⟩."""
    q = 2 * theta * theta
    if q < _SMALL:
        return (
            q / 3 + q**2 / 10 + q**3 / 42,
            2 * q / 3 + 2 * q**2 / 5 + q**3 / 7,
            q / 3 + 3 * q**2 / 10 + 5 * q**3 / 42,
        )
    A, top = math.sqrt(math.pi / 2) * float(erfi(math.sqrt(q))) / (2 * theta), math.exp(q)
    return A - 1, top - A, top - 2 * A + 1


@check_kinds
def find_threshold(active: float, ln_ratio: float) -> Threshold:
    """Return where interference ends that all but one in n/E silent outputs stay below.

    Parameters
    ----------
    active : float
        Mean number of active features E.
    ln_ratio : float
        ln(n/E).

    Returns
    -------
    Threshold
        τ, in units of 1/√m, and its logarithmic slope in E, between 0 and 1/2.

    Raises
    ------
    ValueError
        For numbers that are not above 0.

    Notes
    -----
    The steps "threshold", "reach" and "share" of ``derive_large_deviations``.

    Examples
    --------
    >>> found = find_threshold(1e6, 10.0)  # many active: τ² = (8/3) E ln(n/E)
    >>> round(found.tau**2 / (8 / 3 * 1e7), 3), round(found.share, 3)
    (1.0, 0.5)
    """
    active = check_real("active", active, 0.0, strict=True)
    x = check_real("ln_ratio", ln_ratio, 0.0, strict=True) / active
    theta = math.exp(brentq(lambda u: math.log(_means(math.exp(u))[2] / x), *_LN_THETA, xtol=1e-12))
    less, more, _ = _means(theta)
    return Threshold(active * more / theta, less / more)


def _own_loss(eta: float) -> float:
    return eta**2 / 4 + eta**3 / 24


def critical_eta(share: float) -> float:
    """Return the η at which the last feature is as well lost as live, for a d ln τ/d ln E.

    Examples
    --------
    >>> round(critical_eta(0.0), 6), round(critical_eta(0.5), 3)  # few, and many active
    (2.0, 1.433)
    """
    return float(np.roots([(1 + 3 * share) / 24, (1 + 2 * share) / 4, 0.0, -_LOST]).real.max())


@check_kinds
def critical_width(n: int, density: float) -> float:
    """Return the width below which features are lost, to leading order in ln(n/E).

    Parameters
    ----------
    n : int
        Number of features.
    density : float
        E, at most n/10.

    Returns
    -------
    float
        m_c; E² times a function of ln(n/E)/E.

    Raises
    ------
    ValueError
        For E outside (0, n/10].

    Notes
    -----
    The step "critical width" of ``derive_large_deviations``. The mean field's is smaller by 4 to
    39 % at n = 300 to 10 000, the less the larger n and E (docs/science/transition.md).

    Examples
    --------
    >>> round(critical_width(10_000, 10.0), 1)
    114.1
    """
    density = check_real("density", density, 0.0, _LARGEST_P * n, strict=True)
    return _critical(density, math.log(n / density))


def _critical(active: float, ln_ratio: float) -> float:
    found = find_threshold(active, ln_ratio)
    return (found.tau / critical_eta(found.share)) ** 2


def large_deviation_parts(
    n: int, density: float, widths: ArrayLike
) -> dict[str, NDArray[np.float64]]:
    """Return loss, exponent, live share and parts of the loss at each width.

    Parameters
    ----------
    n : int
        Number of features.
    density : float
        E, at most n/10.
    widths : array_like of int
        Widths, 1 <= m <= n.

    Returns
    -------
    dict of ndarray, shape (k,)
        "loss", "exponent", "live" (share of the features), "lost" and "own output" (parts of the
        loss).

    Examples
    --------
    >>> parts = large_deviation_parts(10_000, 10.0, [57, 115, 460])
    >>> parts["live"].round(3), parts["loss"].round(3), parts["exponent"].round(3)
    (array([0.405, 1.   , 1.   ]), array([11.1  ,  7.224,  1.624]), array([0.315, 1.101, 1.056]))
    """
    density = check_real("density", density, 0.0, _LARGEST_P * n, strict=True)
    ln_ratio = math.log(n / density)
    rows = [_at(density, ln_ratio, float(width)) for width in check_widths(widths, n)]
    names = ("loss", "exponent", "live", "lost", "own output")
    return dict(zip(names, np.array(rows, dtype=np.float64).T, strict=True))


def _at(E: float, ln_ratio: float, m: float) -> tuple[float, float, float, float, float]:
    """Return loss, exponent, live share and the two parts at one width."""
    share = 1.0
    if _critical(E, ln_ratio) > m:
        found = brentq(
            lambda u: math.log(_critical(E * math.exp(u), ln_ratio) / m), _LN_SHARE, 0.0, xtol=1e-10
        )
        share = math.exp(found)
    live = share * E
    eta = find_threshold(live, ln_ratio).tau / math.sqrt(m)
    own, lost = live * _own_loss(eta), _LOST * (E - live)
    # The share of live features is the best one: at a fixed share η goes as m^(-1/2).
    slope = live * (eta**2 / 4 + eta**3 / 16)
    return own + lost, slope / (own + lost), share, lost, own


def refuse_uneven(features: Features) -> str | None:
    """Refuse unequal or frequent features, importances, and any law of v but U(0, 2)."""
    # No list is built: n may be more than a list can hold.
    first, last = features.frequencies.frequency([1, features.n])
    if first - last > 1e-9 * first:
        return "its features are all equally frequent: only alpha = 0 will do"
    if first > _LARGEST_P:
        return f"its features are rare: E is to be at most n/10, not {features.density:g}"
    if not features.is_independent:
        return "its features are independent: how many are active is a Poisson number"
    return need_uniform(features)


def estimate_large_deviations(request: Request) -> Estimate:
    """Return loss and exponent in the limit of many features, for ``predict``."""
    features = request.features
    found = large_deviation_parts(features.n, features.density, request.m)
    assumptions = (
        "overlaps are isotropic and Gaussian: they are not optimised, and n is much larger than m",
        "leading order in ln(n/E): the bias just silences what one in n/E silent outputs exceeds",
        "one norm and one bias for all live features",
        "features are lost, E at fixed n/E, until the last one is as well lost as live",
    )
    parts = {name: found[name] for name in ("lost", "own output")}
    return Estimate(found["loss"], found["exponent"], parts, assumptions)


def large_deviations_derivation(features: Features) -> Derivation:
    """Return the derivation of the law with its expressions, for ``predict``."""
    form = derive_large_deviations()
    many = form.derivation["many active, loss"].rhs
    expressions = {("loss", "leading"): many, ("exponent", "leading"): sp.Integer(1)}
    return replace(form.derivation, expressions=expressions)
