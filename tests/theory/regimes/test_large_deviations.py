"""The law of many features against inversion, minimisation, differences and limits."""

import json
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import ndtr

from theory.activation import Activation
from theory.features import Features
from theory.frequencies import Frequencies
from theory.regimes.large_deviations import (
    _means,
    critical_width,
    derive_large_deviations,
    find_threshold,
    large_deviation_parts,
)
from theory.registry import predict

NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)
V, W = 1 + NODES, WEIGHTS / 2
STUDY = Path(__file__).parents[3] / "studies" / "transition" / "critical_width.json"


THETA = np.geomspace(1e-3, 4, 4000)
MEANS = np.exp(np.outer(THETA**2 / 2, V**2)) @ W - 1


def legendre(E, ln_ratio):
    """τ at which sup over θ of θ τ - E (⟨e^{θ²v²/2}⟩ - 1) is ln(n/E): the least over θ."""
    return float(np.min((ln_ratio + E * MEANS) / THETA))


def plain(n, E, m):
    """Loss and live share by minimising over the share, with no derivative of τ."""
    ln_ratio = np.log(n / E)

    def loss(share):
        eta = legendre(share * E, ln_ratio) / np.sqrt(m)
        return E * (share * (eta**2 / 4 + eta**3 / 24) + (1 - share) * 4 / 3)

    found = minimize_scalar(loss, bounds=(1e-3, 1), method="bounded", options={"xatol": 1e-6})
    return (loss(1.0), 1.0) if loss(1.0) < found.fun else (found.fun, found.x)


def test_against_a_minimisation():
    cases = {(1e4, 10.0, 40), (1e4, 10.0, 300), (1e3, 0.5, 9)}
    shares = []
    for n, E, m in cases:
        parts = large_deviation_parts(int(n), E, [m])
        loss, share = plain(n, E, m)
        assert parts["loss"][0] == pytest.approx(loss, rel=1e-6)
        assert parts["live"][0] == pytest.approx(share, rel=1e-2)
        assert parts["lost"][0] + parts["own output"][0] == pytest.approx(parts["loss"][0])
        assert loss != pytest.approx(plain(2 * n, E, m)[0], rel=1e-3)
        shares.append(share)
    assert min(shares) < 0.5 < max(shares) == 1


def test_the_threshold_against_the_tail_of_interference():
    """-ln P(T > τ) grows as ln(n/E), of which it was made; P by convolving laws of Σ v²."""
    E, step = 2.0, 0.005
    edges = step * np.arange(80_001)
    one = np.diff(np.minimum(np.sqrt(edges), 2) / 2)  # of v², on cells
    square = np.fft.irfft(np.exp(E * (np.fft.rfft(one) - 1)), one.size)
    # Cells of k terms are k half cells too low; k is hardly above E + ln(n/E).
    at = step * (np.arange(one.size) + 1)

    def tail(E_told, ln_ratio):
        tau = find_threshold(E_told, ln_ratio).tau
        return -np.log(square @ ndtr(-tau / np.sqrt(at)))

    logs = (6.0, 12.0, 18.0)
    seen = np.array([tail(E, x) for x in logs])
    assert np.all(seen > logs) and np.all(np.diff(seen / logs) < 0)
    assert (seen[2] - seen[1]) / 6 == pytest.approx(1, abs=0.04)
    wrong = [tail(1.5 * E, x) for x in logs[1:]]
    assert (wrong[1] - wrong[0]) / 6 > 1.1


def test_symbols_and_numbers_agree():
    form, theta = derive_large_deviations(), sp.Symbol("theta", positive=True)
    for value in (0.01, 0.0223, 0.0224, 0.5, 2.0):
        one, reach, rate = _means(value)
        at = {theta: sp.Float(value, 40)}
        assert rate == pytest.approx(float(form.rate.subs(at)), rel=1e-8)
        assert reach / value == pytest.approx(float(form.reach.subs(at)), rel=1e-8)
        assert one / reach == pytest.approx(float(form.share.subs(at)), rel=1e-8)


def test_exponent_is_the_slope_and_continuous():
    m_c = critical_width(10_000, 10.0)
    widths = [30, 80, int(m_c), int(m_c) + 1, 500, 5000]
    parts = large_deviation_parts(10_000, 10.0, widths)
    for m, exponent in zip(widths, parts["exponent"], strict=True):
        around = large_deviation_parts(10_000, 10.0, [m - 1, m, m + 1])["loss"]
        slope = -np.log(around[2] / around[0]) / np.log((m + 1) / (m - 1))
        assert exponent == pytest.approx(slope, rel=2e-2 if abs(m - m_c) < 1 else 1e-3)
    assert parts["exponent"][2] == pytest.approx(parts["exponent"][3], abs=0.02)
    assert np.all(parts["exponent"][3:] < 9 / 8) and np.all(parts["exponent"][3:] > 1)


def test_many_active_is_reached_in_the_first_order():
    """Errors of both leading terms fall as ln(n/E)/E, not with another constant."""
    off, far = [], []
    step = derive_large_deviations().derivation["many active, critical width"].rhs
    for E in (1e3, 1e4, 1e5):
        n = int(1e4 * E)
        values = {"E": E, "n": n}
        told = float(step.subs({s: values[s.name] for s in step.free_symbols}))
        off.append(critical_width(n, E) / told - 1)
        far.append(critical_width(n, E) / (told * 1.02) - 1)
    assert off[1] / off[0] == pytest.approx(0.1, rel=0.1)
    assert abs(off[2]) < 1e-4
    assert far[2] / far[1] == pytest.approx(1, rel=0.1)  # the wrong constant stays wrong


def test_few_active_is_reached_slowly():
    ratios = []
    for ln_ratio in (1e3, 1e12, 1e100):
        found = find_threshold(1.0, ln_ratio)
        ratios.append(found.tau**2 * np.log(ln_ratio) / (2 * ln_ratio**2))
        assert found.share < 1 / np.log(ln_ratio)
    assert ratios[0] > ratios[1] > ratios[2] > 1 and ratios[2] < 1.005
    assert ratios[2] != pytest.approx(1.02, abs=0.01)


@given(st.floats(0.01, 300), st.floats(4, 40))
@example(0.01, 4.0)
def test_critical_width_is_a_function_of_one_variable(E, ln_ratio):
    """m_c/E² depends on ln(n/E)/E alone; m_c/E does not."""
    parts = [find_threshold(k * E, k * ln_ratio) for k in (1, 3)]
    assert parts[1].tau == pytest.approx(3 * parts[0].tau, rel=1e-9)
    assert parts[1].share == pytest.approx(parts[0].share, rel=1e-7)
    assert 0 < parts[0].share < 0.5
    assert parts[1].tau != pytest.approx(np.sqrt(3) * parts[0].tau, rel=0.1)


@given(st.integers(100, 10**6), st.floats(1e-6, 0.05), st.integers(2, 2000))
@example(100, 1e-6, 2)
@example(2540, 0.05, 1999)
def test_monotony_and_scale(n, p, m):
    m = min(m, n // 2)
    E = p * n
    here, wide = large_deviation_parts(n, E, [m, m + 1])["loss"]
    live = large_deviation_parts(n, E, [m])["live"][0]
    assert 0 < wide < here <= 4 / 3 * E and 0 < live <= 1
    dense = large_deviation_parts(n, 1.1 * E, [m])["loss"][0]
    more = large_deviation_parts(2 * n, E, [m])["loss"][0]
    assert here < dense and here < more * (1 + 1e-9)
    if live < 1:  # the live features do not know how many are lost
        double = large_deviation_parts(2 * n, 2 * E, [m])
        assert 2 * double["live"][0] * n == pytest.approx(live * n, rel=1e-6)
        assert double["loss"][0] - here == pytest.approx(4 / 3 * E, rel=1e-6)
        assert more - here != pytest.approx(4 / 3 * E, rel=0.1)


def test_the_mean_field_comes_nearer_with_n():
    """Stored critical widths over those of the law, which is linear in E only for E ≫ ln n."""
    rows = json.loads(STUDY.read_text(encoding="utf-8"))["rows"]
    ratio = {
        (r["n"], r["density"]): r["critical"] / critical_width(r["n"], r["density"]) for r in rows
    }
    for E in {row["density"] for row in rows}:
        assert 0.55 < ratio[300, E] < ratio[10_000, E] < 1
    assert ratio[10_000, 30.0] == pytest.approx(0.955, abs=0.01)
    law = derive_large_deviations().derivation["many active, critical width"].rhs
    symbols = {s.name: s for s in law.free_symbols}
    linear = {E: float(law.subs({symbols["n"]: 10_000, symbols["E"]: E})) for E in (0.1, 30.0)}
    assert 17 / linear[0.1] > 5 and 235 / linear[30.0] == pytest.approx(1, abs=0.1)


def test_in_predict():
    words = Frequencies.power_law(1000, 0.0, 3.0)
    prediction = predict(words, [10, 100], "large_deviations")
    parts = large_deviation_parts(1000, 3.0, [10, 100])
    assert prediction.loss["large_deviations"] == pytest.approx(parts["loss"])
    found = prediction.expression(of="loss", limit="leading")
    assert float(found.subs({"E": 3, "m": 100, "n": 3000})) == pytest.approx(0.06 * np.log(1000))
    assert "isotropic" in str(prediction.explain())
    for features, reason in (
        (Frequencies.power_law(1000, 1.0), "equally frequent"),
        (Frequencies.power_law(100, 0.0, 20.0), "rare"),
        (Features(words, Activation(0.0, 1.0)), r"U\(0, 2\)"),
    ):
        with pytest.raises(ValueError, match=f"does not apply here: .*{reason}"):
            predict(features, 10, "large_deviations")
    for E in (0.0, -1.0, 101.0, float("nan")):
        with pytest.raises(ValueError, match="density"):
            critical_width(1000, E)
