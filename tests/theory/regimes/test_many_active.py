"""The limit of many active features against sampling, a solver, its own expansion and limits."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mpmath import mpf
from scipy.optimize import brentq, minimize_scalar

from theory.frequencies import Frequencies
from theory.mean_field.solve import solve_mean_field
from theory.regimes.large_deviations import derive_large_deviations
from theory.regimes.many_active import (
    coefficient,
    critical_ratio,
    derive_many_active,
    many_active_loss,
    minimise_live,
)

Z, WZ = np.polynomial.hermite_e.hermegauss(180)
WZ = WZ / np.sqrt(2 * np.pi)
NODES, WEIGHTS = np.polynomial.legendre.leggauss(200)
V, W = 1 + NODES, WEIGHTS / 2


def by_quadrature(variance, p, gain, b):
    """The loss at one norm and bias, by a plain double quadrature over v and z."""
    noise = gain * np.sqrt(variance) * Z
    silent = WZ @ np.maximum(b + noise, 0) ** 2
    active = (np.maximum(b + gain * V[:, None] + noise, 0) - V[:, None]) ** 2 @ WZ
    return (1 - p) / p * silent + W @ active


def test_the_minimum_by_quadrature():
    for variance, p in ((0.05, 0.01), (0.01, 0.05)):
        found = minimise_live(variance, p)
        here = by_quadrature(variance, p, found.gain, found.bias)
        assert found.loss == pytest.approx(here, rel=3e-3)
        for gain, bias in ((1.03, 1), (0.97, 1), (1, 1.05), (1, 0.95)):
            there = by_quadrature(variance, p, gain * found.gain, bias * found.bias)
            assert there > here * (1 + 1e-4)


def test_isotropic_frames_come_nearer_as_1_over_E():
    """The solver that counts active features one by one; without the -1 of q - 1 it stays off."""
    p, ratio = 0.02, 12
    limit = many_active_loss(p, ratio)
    wrong = minimise_live(4 / 3 * p * ratio, p).loss
    off, astray = [], []
    for E in (6, 60, 600):
        words = Frequencies.power_law(round(E / p), 0.0, E)
        loss = solve_mean_field(words, round(E / p / ratio), optimised=False).loss / E
        off.append(loss / limit.loss - 1)
        astray.append(loss / wrong - 1)
    assert off[1] / off[2] == pytest.approx(10, rel=0.2) and abs(off[2]) < 5e-3
    assert astray[1] / astray[2] == pytest.approx(1, rel=0.3)


def test_leading_term_in_the_order_of_the_root():
    """l(s)/s² comes near C as s, from the own outputs that the threshold silences."""
    off = [minimise_live(s**2, 1e-3).loss / s**2 / coefficient(1e-3) - 1 for s in (4e-2, 1e-2)]
    assert off[0] / off[1] == pytest.approx(4, rel=0.1)
    assert minimise_live(1e-8, 1e-3).loss / 1e-8 == pytest.approx(coefficient(1e-3), rel=1e-3)
    assert minimise_live(1e-8, 1e-3).loss / 1e-8 != pytest.approx(coefficient(2e-3), rel=0.05)


def test_symbols_and_numbers_agree():
    derivation = derive_many_active()
    N, beta = sp.symbols("N beta", positive=True)
    cost = sp.lambdify(beta, derivation["coefficient"].subs(N, 999), "scipy")
    least = minimize_scalar(cost, bounds=(0.1, 6), method="bounded", options={"xatol": 1e-9}).fun
    assert coefficient(1e-3) == pytest.approx(least, rel=1e-7)
    stationary = derivation["rare features"].lhs
    for digits, tolerance in ((12, 0.06), (100, 0.006)):
        found = sp.lambdify(beta, stationary.subs(N, sp.Integer(10) ** digits), "mpmath")
        root = brentq(lambda x, found=found: float(found(mpf(x))), 0.8 * (4.6 * digits) ** 0.5, 40)
        told = float(derivation["rare features, coefficient"].rhs.subs(beta, root))
        assert coefficient(10.0**-digits) == pytest.approx(told, rel=tolerance)
        assert coefficient(10.0**-digits) != pytest.approx(told + 1, rel=tolerance)


def test_rare_features_follow_the_law_of_large_deviations():
    """m_c/(E ln(n/E)) of two derivations: they meet for ln(n/E) → ∞ only."""
    law = derive_large_deviations().derivation["many active, critical width"].rhs
    told = float(law.subs({s: {"E": 1, "n": sp.E}[s.name] for s in law.free_symbols}))
    seen = [1 / (critical_ratio(p) * p * -np.log(p)) / told - 1 for p in (1e-20, 1e-60, 1e-200)]
    assert seen[0] > seen[1] > seen[2] > 0 and seen[2] < 4e-3
    assert seen[0] / seen[2] > 8  # with another constant they would not fall to 0


def test_exponent_is_the_slope():
    for p, ratio in ((1e-3, 30.0), (1e-3, 300.0), (0.05, 3.0)):
        found = many_active_loss(p, ratio)
        above, below = (many_active_loss(p, ratio * (1 + h)).loss for h in (1e-3, -1e-3))
        assert found.exponent == pytest.approx(np.log(above / below) / 2e-3, rel=2e-3)
    assert many_active_loss(1e-3, 300.0).live == pytest.approx(critical_ratio(1e-3) / 300)
    with pytest.raises(ValueError, match="ratio"):
        many_active_loss(1e-3, 1.0)
    with pytest.raises(ValueError, match="p = "):
        many_active_loss(0.6, 2.0)


@settings(max_examples=20)
@given(st.floats(-6, -1.5), st.floats(0.05, 3))
@example(-6.0, 3.0)
@example(-1.5, 0.05)
def test_monotony_and_linearity(log_p, log_ratio):
    p, ratio = 10**log_p, 10**log_ratio
    here = many_active_loss(p, ratio)
    assert 0 < here.loss < 4 / 3 - p and 0 < here.live <= 1
    assert here.loss < many_active_loss(p, 1.05 * ratio).loss
    assert here.loss < many_active_loss(1.05 * p, ratio).loss + 0.05 * p
    if here.live < 1:  # L is linear in m: 4/3 - p less by as much for each dimension
        half = many_active_loss(p, 2 * ratio)
        assert 4 / 3 - p - here.loss == pytest.approx(2 * (4 / 3 - p - half.loss), rel=1e-9)
