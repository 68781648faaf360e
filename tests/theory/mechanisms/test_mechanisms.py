"""Losses over data, parameters, time and depth: formulas against simulations and other forms."""

import math

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import zeta

import superscale as ss

me = ss.mechanisms


def power_law(n, alpha):
    return ss.Frequencies.power_law(n=n, alpha=alpha)


def slope(x, loss):
    return -np.polyfit(np.log(x), np.log(loss), 1)[0]


@pytest.mark.parametrize("alpha", [0.5, 1.2, 2.0])
@pytest.mark.parametrize("D", [10, 300])
def test_memory_is_what_drawn_data_leave_out(alpha, D):
    words = power_law(200, alpha)
    loss, error = me.simulate_memory(words, D, seed=1, samples=400)
    assert abs(me.memorised_loss(words, D) - loss) < 4 * error
    assert abs(me.memorised_loss(words, 1.5 * D) - loss) > 4 * error  # the negative control


def test_memory_of_two_items_by_hand():
    words = ss.Frequencies.from_probabilities([0.3, 0.1])
    for D in (0, 1, 5):
        assert me.memorised_loss(words, D) == pytest.approx(
            0.75 * 0.25**D + 0.25 * 0.75**D, rel=1e-12
        )


@pytest.mark.parametrize("alpha", [1.3, 1.5, 2.0])
def test_exponents_of_data_and_parameters_are_derived(alpha):
    words = power_law(1_000_000, alpha)
    D = np.array([300.0, 1000.0])
    memory = float(me.derive_memory()["exponent"].subs(sp.Symbol("alpha", positive=True), alpha))
    assert memory == pytest.approx((alpha - 1) / alpha)
    assert slope(D, me.memorised_loss(words, D)) == pytest.approx(memory, abs=0.03)
    N = np.array([30, 100])
    quanta = float(me.derive_quanta()["exponent"].subs(sp.Symbol("alpha", positive=True), alpha))
    assert quanta == pytest.approx(alpha - 1)
    assert slope(N, me.quanta_loss(words, N)) == pytest.approx(quanta, rel=0.06)
    for wrong in (memory + 0.1, memory - 0.1):
        assert slope(D, me.memorised_loss(words, D)) != pytest.approx(wrong, abs=0.03)


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 3), st.integers(2, 300), st.floats(0, 1e4), st.floats(0, 1e4))
def test_losses_fall_and_start_at_one(alpha, n, a, b):
    words = power_law(n, alpha)
    low, high = sorted((a, b))
    for loss in (me.memorised_loss, me.quanta_loss):
        assert loss(words, 0) == pytest.approx(1.0)
        assert loss(words, high) <= loss(words, low) + 1e-12
    assert me.quanta_loss(words, n) == 0.0


@pytest.mark.parametrize(
    ("a", "b", "exponent"), [(1.0, 0.5, 1.0), (1.5, 0.0, 1 / 3), (2.0, 0.5, 1.0)]
)
def test_slopes_of_gradient_flow(a, b, exponent):
    i = np.arange(1.0, 200_001.0)
    # The features beyond, which no time here reaches, as one of rate 0.
    rest = zeta(a + 2 * b, i.size + 1)
    rates, weights = np.append(i**-a, 0.0), np.append(i ** -(a + 2 * b), rest)
    t = np.array([1000.0, 3000.0]) if a == 1 else np.array([1e4, 1e5])
    assert me.flow_exponent(a, b) == pytest.approx(exponent)
    assert slope(t, me.flow_loss(t, rates, weights)) == pytest.approx(exponent, rel=0.01)
    found = me.derive_flow()["exponent"]
    a_, b_ = (sp.Symbol(name, positive=True) for name in "ab")
    assert sp.simplify(found - (a_ + 2 * b_ - 1) / a_) == 0


def test_gradient_flow_is_the_limit_of_small_steps():
    rng = np.random.default_rng(0)
    rates, teacher = rng.uniform(0.2, 2, 8), rng.normal(size=8)
    weights = rates * teacher**2
    for t in (0.5, 2.0):
        exact = me.flow_loss(t, rates, weights)
        errors = [me.simulate_flow(t, rates, teacher, rate) / exact - 1 for rate in (0.02, 0.01)]
        assert abs(errors[1]) < 0.05
        assert errors[0] / errors[1] == pytest.approx(2, rel=0.1)  # first order in the rate


def test_narrow_flow_is_that_of_small_steps_on_the_readout():
    n, m, t, rate = 12, 5, 3.0, 1e-3
    rates = np.arange(1.0, n + 1) ** -1.0
    teacher = np.linspace(1, 0.5, n)
    exact = me.narrow_flow_loss(t, rates, teacher, m, seed=4)
    P = np.random.default_rng(4).standard_normal((m, n))
    P /= np.linalg.norm(P, axis=0)
    B = np.zeros((n, m))
    for _ in range(round(t / rate)):
        B -= rate * ((B @ P - np.diag(teacher)) * rates) @ P.T
    error = B @ P - np.diag(teacher)
    assert exact == pytest.approx(float(np.sum(rates * error**2)), rel=2e-3)
    wide = me.narrow_flow_loss(50.0, rates, teacher, 12, seed=4)
    assert wide < me.narrow_flow_loss(50.0, rates, teacher, 5, seed=4)


@pytest.mark.parametrize(("n", "beta"), [(2, 1.0), (10, 3.0), (128, 10.0)])
def test_free_energy_against_sampled_sums(n, beta):
    z = np.random.default_rng(1).standard_normal((20000, n))
    top = z.max(axis=1, keepdims=True)
    powers = np.exp(beta * (z - top))
    value = np.log(powers.sum(axis=1)) + beta * top[:, 0]
    mean = (powers * z).sum(axis=1) / powers.sum(axis=1)
    F, slope_of_F = me.free_energy(beta, n)
    for exact, drawn in ((F, value), (slope_of_F, mean)):
        error = drawn.std() / math.sqrt(drawn.size)
        assert abs(exact - drawn.mean()) < 4 * error
        assert abs(1.1 * exact - drawn.mean()) > 4 * error


@pytest.mark.parametrize("n", [8, 128])
@pytest.mark.parametrize("beta", [1e-6, 0.01])
def test_free_energy_at_small_beta(n, beta):
    """F = ln n + (1 - 1/n) beta²/2 + O(beta⁴), the variance of n energies about their mean."""
    F, slope = me.free_energy(beta, n)
    assert slope == pytest.approx((1 - 1 / n) * beta, rel=3e-4)
    assert slope != pytest.approx(beta, rel=3e-4)
    assert math.log(n) == pytest.approx(F - (1 - 1 / n) * beta**2 / 2, abs=1e-8)


def test_free_energy_slope_is_its_derivative():
    for beta in (0.5, 4.0, 40.0):
        h = 1e-3 * beta
        rise = me.free_energy(beta + h, 50)[0] - me.free_energy(beta - h, 50)[0]
        assert me.free_energy(beta, 50)[1] == pytest.approx(rise / (2 * h), rel=1e-6)


def test_slopes_of_the_peaked_loss_are_the_published_ones():
    # arXiv 2602.03685, Figure 3: n = 128, m = 32, T = 0.01; the slope of L over the nine smallest
    # beta of its grid, k/(99 T), that of -L' over k = 2 to 59.
    T = 0.01
    few, many = np.arange(1, 10) / 99 / T, np.arange(2, 60) / 99 / T
    theory = (
        slope(few, me.peaked_loss(few, 128, T, 32)),
        slope(many, me.peaked_gradient(many, 128, T, 32)),
    )
    assert theory == pytest.approx((1.15, 2.26), abs=0.03)
    loss, _ = me.simulate_peaked(few, 128, T, 32, seed=0, samples=4096)
    _, pull = me.simulate_peaked(many, 128, T, 32, seed=1, samples=10240)
    assert (slope(few, loss), slope(many, pull)) == pytest.approx((1.15, 2.26), abs=0.03)
    assert theory != pytest.approx((1.0, 2.0), abs=0.1)  # the frozen limit is not reached


def test_the_exponent_of_peaked_targets_is_a_third():
    found = me.derive_peaked()
    assert found["exponent"] == sp.Rational(1, 3)
    t, beta, loss = me.flow_of_peaked_loss(100, 2e-4, points=40)
    frozen = (beta > 60) & (beta < 600)  # far above sqrt(2 ln n) = 3, far below 1/T = 5000
    assert slope(t[frozen], loss[frozen]) == pytest.approx(1 / 3, abs=0.03)
    pull = np.asarray(me.peaked_gradient(beta[20:23], 100, 2e-4))
    middle = (t[22] - t[20]) / (beta[22] - beta[20])
    assert middle == pytest.approx(1 / pull[1], rel=0.1)


@pytest.mark.parametrize("correlation", [0.0, 0.3])
def test_layers_that_average(correlation):
    loss, error = me.simulate_averaging(6, correlation, seed=2)
    assert abs(me.averaging_loss(6, correlation) - loss) < 4 * error
    assert abs(me.averaging_loss(5, correlation) - loss) > 4 * error
    assert me.derive_averaging()["exponent"] == 1


def test_all_mechanisms_of_one_text():
    found = me.compare_mechanisms(power_law(5000, 1.5), m=[50, 200, 800], solve=False)
    rows = found.table.set_index("mechanism")
    assert rows.loc["averaging", "exponent"] == pytest.approx(1)
    assert rows.loc["quanta", "asymptotic"] == 0.5
    assert rows.loc["memory", "asymptotic"] == pytest.approx(1 / 3)
    assert rows["told_by"].str.len().min() > 20
    assert found.plot().get_xscale() == "log"
    flat = me.compare_mechanisms(power_law(500, 0.0), m=[50, 200], solve=False).table
    assert np.isnan(flat.set_index("mechanism").loc["quanta", "asymptotic"])


def test_superposition_stands_beside_the_others():
    even = power_law(60, 0.0)  # one group of features: solved in a moment
    found = me.compare_mechanisms(even, m=[6, 12])
    assert found.table["mechanism"].iloc[0] == "superposition"
    told = ss.predict(even, [6, 12], theory="mean_field")
    np.testing.assert_allclose(found.curves["superposition"][1], told.loss["mean_field"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: me.memorised_loss([0.5], 3), "frequencies is a list"),
        (lambda: me.memorised_loss(power_law(5, 1), -1), "D = -1.0 is not allowed"),
        (lambda: me.quanta_loss(power_law(5, 1), np.nan), "N = nan is not allowed"),
        (lambda: me.flow_loss(1.0, [1.0, 2.0], [1.0]), "rates has 2 entries and weights has 1"),
        (lambda: me.flow_exponent(0.5, 0.1), "a = 0.5, b = 0.1 is not allowed"),
        (lambda: me.narrow_flow_loss(1.0, [1.0], [1.0], 0, 0), "m = 0"),
        (lambda: me.averaging_loss(0.5), "layers = 0.5 is not allowed"),
        (lambda: me.averaging_loss(3, 1.5), "correlation = 1.5"),
        (lambda: me.peaked_loss(1.0, 1, 0.1), "n = 1"),
        (lambda: me.peaked_loss(1.0, 10, 0.0), "T = 0"),
        (lambda: me.compare_mechanisms(power_law(10, 1)), "n = 10 is not allowed"),
        (lambda: me.compare_mechanisms(power_law(100, 1), m=[7]), "needs two widths"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
