import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from empirical.scaling_laws.exponent_fit import fit_exponent, predicted_exponents
from theory.frequencies import Frequencies
from theory.registry import predict


@given(st.floats(-3, 3), st.floats(1e-6, 1e6), st.floats(0.1, 10))
def test_power_laws_come_back_in_any_units(alpha, scale, unit):
    m = np.array([10, 15, 25, 39, 63, 100])
    fit = fit_exponent(m * unit, scale * m**-alpha)
    assert fit.value == pytest.approx(alpha, abs=1e-9) and fit.stderr < 1e-6


def test_standard_error_by_the_normal_equations():
    rng = np.random.default_rng(1)
    m = np.array([10, 10, 15, 25, 39, 63, 100])
    loss = m**-1.2 * np.exp(0.2 * rng.standard_normal(m.size))
    X = np.column_stack([np.ones(m.size), -np.log(m)])
    inverse = np.linalg.inv(X.T @ X)
    best = inverse @ X.T @ np.log(loss)
    variance = np.sum((np.log(loss) - X @ best) ** 2) / (m.size - 2)
    fit = fit_exponent(m, loss)
    assert fit.value == pytest.approx(best[1], rel=1e-10)
    assert fit.stderr == pytest.approx(np.sqrt(variance * inverse[1, 1]), rel=1e-10)


def test_standard_error_in_repetition():
    """Its square is unbiased, and z is Student t with 4 degrees of freedom."""
    rng, repeats = np.random.default_rng(0), 2000
    m = np.array([10, 15, 25, 39, 63, 100])
    z, wrong, squares, values = [], [], [], []
    for _ in range(repeats):
        fit = fit_exponent(m, m**-1.0 * np.exp(0.1 * rng.standard_normal(6)))
        z.append((fit.value - 1.0) / fit.stderr)
        wrong.append((fit.value - 1.03) / fit.stderr)
        squares.append(fit.stderr**2)
        values.append(fit.value)
    from scipy.stats import t

    assert abs(np.median(z)) < 4 * 1.33 / np.sqrt(repeats)  # 1/(2 f(0)) = 1.33 for t with 4
    assert abs(np.mean(np.abs(z) < t.ppf(0.975, 4)) - 0.95) < 4 * np.sqrt(0.95 * 0.05 / repeats)
    assert abs(np.median(wrong)) > 4 * 1.33 / np.sqrt(repeats)
    exact = 0.1**2 / np.sum((np.log(m) - np.log(m).mean()) ** 2)
    # σ² χ²/4 has a spread of 1/√2 of its mean; an error 10 % off changes its square by a fifth.
    assert abs(np.mean(squares) / exact - 1) < 4 * np.sqrt(0.5 / repeats)
    assert abs(np.var(values) / exact - 1) < 4 * np.sqrt(2 / repeats)


def test_two_points_have_no_standard_error():
    fit = fit_exponent([10, 100], [1, 0.1])
    assert fit.value == pytest.approx(1) and fit.stderr is None and str(fit) == "1.000"


@pytest.mark.parametrize(
    ("m", "loss", "message"),
    [
        ([10], [1], "two different widths"),
        ([10, 10], [1, 2], "two different widths"),
        ([10, 20], [1, 0], "positive"),
        ([10, 20], [1], "one loss for each"),
        ([10, np.nan], [1, 1], "finite"),
    ],
)
def test_bad_input(m, loss, message):
    with pytest.raises(ValueError, match=message):
        fit_exponent(m, loss)


def test_theories_are_fitted_like_measurements():
    f = Frequencies.power_law(1000, 1.75)
    named = ("weak", "equiangular", "strong_even", "strong_skewed")
    prediction = predict(f, [10, 25, 63, 100], named)
    fits = predicted_exponents(prediction)
    direct = fit_exponent([10, 25, 63, 100], prediction.loss["weak"])
    assert fits["weak"] == direct
    assert fits["strong_even"].value == 1 and fits["strong_even"].stderr is None
    assert fits["strong_skewed"].value == 1.5
    assert fits["equiangular"].stderr is None  # it exists at two of the widths
    assert "weak" not in predicted_exponents(predict(f, 10, named))
    # A width that loses nothing (m = n) has no logarithm and is left out.
    small = Frequencies.power_law(20, 1.0)
    fits = predicted_exponents(predict(small, [5, 10, 20], "weak"))
    assert fits["weak"] == predicted_exponents(predict(small, [5, 10], "weak"))["weak"]
