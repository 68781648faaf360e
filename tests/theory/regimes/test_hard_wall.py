"""The hard wall against quadrature, a minimisation, differences and its limit."""

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from theory.derivation import density, m, n
from theory.frequencies import Frequencies
from theory.regimes.hard_wall import derive_hard_wall, hard_wall_parts
from theory.registry import predict

EVEN = Frequencies.power_law(1000, alpha=0.0)


def plain(width, count):
    """E times the least loss over norms, by quadrature: the bias silences an overlap of κ."""
    kappa = np.sqrt(2 * np.log(count / width) / width)

    def at(g):
        own = quad(lambda v: (max(g * (v - 2 * kappa), 0) - v) ** 2 / 2, 0, 2, points=[2 * kappa])
        return own[0]

    return minimize_scalar(at, bounds=(0.5, 4), method="bounded", options={"xatol": 1e-10}).fun


def test_loss_by_quadrature_over_the_best_norm():
    widths = [20, 100, 300]
    loss = hard_wall_parts(EVEN, widths)["loss"]
    for value, width in zip(loss, widths, strict=True):
        assert value == pytest.approx(plain(width, 1000), rel=1e-7)
        assert value != pytest.approx(plain(width, 900), rel=1e-3)


def test_exponent_is_the_slope():
    for width in (30, 200):
        around = hard_wall_parts(EVEN, [width - 1, width + 1])["loss"]
        slope = -np.log(around[1] / around[0]) / np.log((width + 1) / (width - 1))
        found = hard_wall_parts(EVEN, width)["exponent"][0]
        assert found == pytest.approx(slope, rel=1e-3)


def test_leading_order_is_reached_slowly():
    form = derive_hard_wall()
    assert sp.simplify(form.leading_exponent - (1 + 1 / sp.log(n / m))) == 0
    errors = []
    for width in (10**2, 10**4, 10**6):
        values = {m: width, n: 10**9, density: 1}
        errors.append(float(form.loss.subs(values) / form.leading_loss.subs(values)) - 1)
    assert errors[0] > errors[1] > errors[2] > 0 and errors[2] < 3e-3


def test_where_it_says_nothing_and_where_nothing_is_lost():
    parts = hard_wall_parts(EVEN, [1, 8, 499, 500, 1000])
    assert np.isnan(parts["loss"][:2]).all() and parts["loss"][2] > 0
    assert np.all(parts["loss"][3:] == 0) and np.isnan(parts["exponent"][3:]).all()


def test_in_predict():
    prediction = predict(EVEN, [50, 100], theory="hard_wall")
    assert prediction.loss["hard_wall"] == pytest.approx(hard_wall_parts(EVEN, [50, 100])["loss"])
    assert prediction.expression(of="exponent", limit="leading").subs({"n": 100, "m": 1}) == (
        1 + 1 / sp.log(100)
    )
    assert "heuristic" in str(prediction.explain())
    # Random directions without a wall: some overlap more, and equal ones less.
    equal = predict(EVEN, [50, 100], theory="equiangular").loss["equiangular"]
    assert np.all(prediction.loss["hard_wall"] > equal)
