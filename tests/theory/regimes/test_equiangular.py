import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar

from theory.directions import welch_mean_square
from theory.frequencies import Frequencies
from theory.regimes.equiangular import derive_equiangular, equiangular_loss, equiangular_parts
from theory.regimes.one_active import interference_loss, self_loss


def even(n, density=1.0):
    return Frequencies.power_law(n, 0.0, density)


@pytest.mark.parametrize(("n", "m"), [(6, 3), (28, 7), (276, 23), (1000, 100)])
def test_equiangular_loss_is_the_least_at_the_wall(n, m):
    """Minimise the closed forms over the norm numerically, with the bias at the wall."""
    kappa = float(np.sqrt(welch_mean_square(n, m)))

    def loss(g):
        bias = -2 * g * kappa
        # n - 1 overlaps g kappa of either sign; at the wall they are silent.
        others = (n - 1) * max(float(interference_loss(s * g * kappa, bias)) for s in (1, -1))
        return others + float(self_loss(g, bias))

    best = minimize_scalar(loss, bounds=(0.2, 5), method="bounded", options={"xatol": 1e-10})
    assert equiangular_loss(even(n), m) == pytest.approx(best.fun, rel=1e-9)
    # Negative control: the loss of random overlaps, κ² = 1/m without the κ/3, is not it.
    assert 1 / m != pytest.approx(best.fun, rel=1e-2)


@pytest.mark.parametrize(("n", "m", "factor"), [(6, 3, 1.47), (28, 7, 1.19), (1000, 100, 1.04)])
def test_a_bias_above_the_wall_loses_less_by_the_factor_stated(n, m, factor):
    kappa = float(np.sqrt(welch_mean_square(n, m)))

    def loss(parameters):
        g, share = parameters
        bias = -2 * share * g * kappa
        others = sum(float(interference_loss(s * g * kappa, bias)) for s in (1, -1)) / 2
        return (n - 1) * others + float(self_loss(abs(g), bias))

    best = minimize(loss, [1.2, 0.9], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    assert equiangular_loss(even(n), m) / best.fun == pytest.approx(factor, abs=0.006)


def test_the_named_parts_are_what_they_say():
    """Below the threshold v < 2κ the output is silent: ⟨v²⟩ there is (2κ)³/6."""
    n, m = 28, 7
    kappa = 1 / 3
    parts = equiangular_parts(even(n), m)
    assert parts["silent below threshold"] == pytest.approx((2 * kappa) ** 3 / 6)


def test_equiangular_loss_of_a_real_frame_by_sampling():
    """The six lines of the icosahedron, sampled one active feature at a time."""
    golden = (1 + 5**0.5) / 2
    lines = np.array(
        [
            [0, 1, golden],
            [0, 1, -golden],
            [1, golden, 0],
            [1, -golden, 0],
            [golden, 0, 1],
            [-golden, 0, 1],
        ]
    ) / np.hypot(1, golden)
    kappa = 5**-0.5
    g = (2 + kappa) / (2 * (1 - kappa))
    W, bias = lines * np.sqrt(g), -2 * g * kappa
    rng = np.random.default_rng(0)
    active, v = rng.integers(6, size=300_000), rng.uniform(0, 2, 300_000)
    x = np.zeros((active.size, 6))
    x[np.arange(active.size), active] = v
    each = np.sum((np.maximum(x @ W @ W.T + bias, 0) - x) ** 2, axis=1)
    error = each.std() / np.sqrt(each.size)
    predicted = equiangular_loss(even(6, density=0.5), 3) / 0.5
    assert abs(each.mean() - predicted) < 4 * error
    assert abs(each.mean() - 1.05 * predicted) > 4 * error


@given(st.integers(3, 300), st.data())
def test_equiangular_parts_and_exponent(m, data):
    n = data.draw(st.integers(m + 1, m * (m + 1) // 2))
    parts = equiangular_parts(even(n), m)
    loss, exponent = parts.pop("loss"), parts.pop("exponent")
    assert sum(parts.values()) == pytest.approx(loss, rel=1e-12)
    form, step = derive_equiangular(), 1e-6
    function = sp.lambdify(sorted(form.loss.free_symbols, key=str), form.loss)  # E, m, n
    slope = -np.log(function(1, m * (1 + step), n) / function(1, m * (1 - step), n)) / (2 * step)
    assert exponent == pytest.approx(slope, rel=1e-5)


def test_equiangular_exists_where_a_frame_can():
    loss = equiangular_loss(even(28), [6, 7, 27, 28])
    assert np.isnan(loss).tolist() == [True, False, False, True]
    # 1/m to leading order: m L → 1 as n ≫ m ≫ 1.
    n = 10**9
    assert equiangular_loss(even(n), 10**6) * 10**6 == pytest.approx(1, rel=2e-3)


@given(st.floats(0.01, 1), st.floats(0, 2))
def test_equiangular_depends_on_n_and_density_alone(density, alpha):
    f = Frequencies.power_law(100, alpha, density)
    assert equiangular_loss(f, 20) == pytest.approx(density * equiangular_loss(even(100), 20))


def test_the_derivation_prints():
    derivation = derive_equiangular().derivation
    assert len(str(derivation)) > 200 and derivation.latex().count(r"\[") >= 3
