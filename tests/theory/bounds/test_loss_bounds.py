import math
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from theory.bounds.certificates import ReluPotential
from theory.bounds.linear_programming import certify_energy
from theory.bounds.loss_bounds import bound_one_active_loss
from theory.regimes.one_active import interference_loss, self_loss


def loss(U, r, b):
    """L/E of unit rows with common norm and bias, written out."""
    n = len(U)
    t = (U @ U.T)[~np.eye(n, dtype=bool)]
    return float(self_loss(r * r, b) + np.sum(interference_loss(r * r * t, b)) / n)


def random_vectors(n, m, seed):
    U = np.random.default_rng(seed).standard_normal((n, m))
    return U / np.linalg.norm(U, axis=1, keepdims=True)


SIZES = [(12, 3), (30, 5)]


@cache
def coarse_bound(n, m):
    return bound_one_active_loss(n, m, tolerance=0.05)


@settings(max_examples=200)
@given(
    st.sampled_from(SIZES),
    st.integers(0, 10**6),
    st.floats(0.05, 4.0),
    st.floats(-6.0, 0.0),
)
def test_no_model_beats_the_bound(size, seed, r, b):
    assert loss(random_vectors(*size, seed), r, b) >= coarse_bound(*size).value


def test_no_good_model_beats_it_and_it_is_not_far():
    # The twelve corners of an icosahedron, at their best norm and bias.
    icosahedron = np.array(
        [
            np.roll([0, s, t * (1 + 5**0.5) / 2], k)
            for k in range(3)
            for s in (-1, 1)
            for t in (-1, 1)
        ]
    )
    U = icosahedron / np.linalg.norm(icosahedron, axis=1, keepdims=True)
    best = min(
        minimize(lambda x: loss(U, math.exp(x[0]), -abs(x[1])), [0.3, b], method="Nelder-Mead").fun
        for b in (0.1, 1.0, 2.0)
    )
    bound = bound_one_active_loss(12, 3, tolerance=0.03).value
    assert 0.9 * best < bound <= best


def test_given_norm_and_bias():
    one = bound_one_active_loss(30, 5, r=1.1, b=-0.4)
    direct = certify_energy(30, 5, ReluPotential(1.21, -0.4))
    assert one.value == pytest.approx(self_loss(1.21, -0.4) + float(direct.value) / 30, rel=1e-6)
    assert one.value >= coarse_bound(30, 5).value
    assert one.vacuous_from == math.inf and one.certificates[0].verify()
    walled = bound_one_active_loss(30, 5, r=1.0, b=-1.9)
    assert walled.value == pytest.approx(float(self_loss(1.0, -1.9)))
    silent = bound_one_active_loss(30, 5, r=1.0, b=-2.5)
    assert silent.value == pytest.approx(4 / 3) and silent.verify()
    assert walled.vacuous_from == pytest.approx(0.95)


def self_error(g, wall):
    """⟨(ReLU(g v + b) - v)²⟩ with b = -2 g wall, by a quadrature that is exact on each piece."""
    x, w = np.polynomial.legendre.leggauss(3)
    total = 0.0
    for low, high in ((0.0, 2 * wall), (2 * wall, 2.0)):
        for node, weight in zip(x, w, strict=True):
            v = (low + high) / 2 + (high - low) / 2 * node
            error = np.maximum(g * (v - 2 * wall), 0) - v
            total = total + weight * (high - low) / 4 * error**2
    return total


@pytest.mark.parametrize(
    ("n", "m"), [*(pytest.param(*s, marks=pytest.mark.slow) for s in ((12, 3), (30, 5))), (100, 10)]
)
def test_the_minimum_is_that_of_a_fine_grid_over_norm_and_wall(n, m):
    found = bound_one_active_loss(n, m)
    near = -found.b / (2 * found.r**2)
    g = np.geomspace(0.3, 30, 4000)

    def lowest(walls):
        def value(wall):
            energy = float(certify_energy(n, m, ReluPotential(1, -2 * wall)).value) / n
            return float(np.min(self_error(g, wall) + g**2 * energy))

        return min((value(wall), wall) for wall in walls)

    coarse, wall = lowest(np.r_[np.linspace(0, 0.95, 8), near + np.linspace(-0.01, 0.01, 11)])
    # The lowest cell need not be the one with the minimum: look around the best wall again.
    grid = min(coarse, lowest(wall + np.linspace(-0.004, 0.004, 9))[0])
    assert 0.999 * grid <= found.value <= grid
    # It stands at the norm and bias that it names, to the width of a cell.
    there = bound_one_active_loss(n, m, r=found.r, b=found.b).value
    assert found.value <= there < 1.01 * found.value


def test_the_self_error_of_the_grid_is_that_of_the_theory():
    for g, wall in ((0.7, 0.0), (1.3, 0.3), (4.0, 0.9)):
        assert self_error(g, wall) == pytest.approx(float(self_loss(g, -2 * g * wall)), rel=1e-12)


def test_the_whole_proof_is_repeated_and_wrong_ones_are_refused():
    for bound in (coarse_bound(30, 5), bound_one_active_loss(30, 5, r=1.1, b=-0.4)):
        assert bound.verify()
        assert not replace(bound, value=bound.value * (1 + 1e-9)).verify()
        assert not replace(bound, n=bound.n - 1).verify()
        assert not replace(bound, certificates=()).verify()
        wrong = replace(bound.certificates[0], potential=ReluPotential(1, Fraction(-3, 2)))
        assert not replace(bound, certificates=(wrong, *bound.certificates[1:])).verify()
        assert repr(bound) == str(bound) and len(str(bound)) < 200
        assert "<table" in bound._repr_html_()


def test_every_certificate_holds_and_the_bound_grows_with_n():
    table = coarse_bound(30, 5).to_dataframe()
    assert table["verified"].all() and table["interference"].is_monotonic_decreasing
    values = [bound_one_active_loss(n, 5, tolerance=0.1, degree=8).value for n in (12, 20, 40)]
    assert values[0] < values[1] < values[2]


def test_an_orthoplex_loses_nothing():
    free = bound_one_active_loss(8, 4)
    assert free.value == 0 and free.vacuous_from == 0 and free.certificates == ()
    assert bound_one_active_loss(9, 4, tolerance=0.05).value >= 0


def test_where_it_becomes_vacuous():
    edge = coarse_bound(30, 5).vacuous_from
    below, above = (
        certify_energy(30, 5, ReluPotential(1, -2 * edge * factor)).value for factor in (0.985, 1.0)
    )
    assert below > 0 == above


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 1}, "n = 1"),
        ({"m": 1}, "m = 1"),
        ({"r": 1.0}, "give both"),
        ({"b": -1.0}, "give both"),
        ({"r": 1.0, "b": 0.1}, "b = 0.1"),
        ({"r": 0.0, "b": -0.1}, "r = 0"),
        ({"tolerance": 0.0}, "tolerance = 0"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        bound_one_active_loss(**({"n": 9, "m": 4} | arguments))
