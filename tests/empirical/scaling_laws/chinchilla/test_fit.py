"""L(N, D): exact losses, other solvers, invariances, errors; and the width exponent."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, curve_fit, minimize, minimize_scalar
from scipy.stats import f as f_law

from empirical.scaling_laws.chinchilla.fit import fit_chinchilla
from empirical.scaling_laws.chinchilla.width_exponent import width_exponent

# Parameters (million) and width of the models of Hoffmann et al., arXiv 2203.15556, table A9.
MILLIONS = [
    44, 57, 74, 90, 106, 117, 140, 163, 175, 196, 217, 251, 278, 306, 425, 489, 509, 552, 587, 632,
    664, 724, 816, 893, 1018, 1143, 1266, 1424, 1429, 1593, 1609, 1731, 1794, 2007, 2283, 2298,
    2639, 2980, 3530, 3802, 4084, 4516, 6796, 9293, 11452, 12295, 12569, 13735, 14940, 16183,
]  # fmt: skip
WIDTHS = [
    512, 576, 640, 640, 640, 768, 768, 768, 896, 896, 896, 1024, 1024, 1024, 1280, 1280, 1408, 1280,
    1408, 1536, 1408, 1536, 1536, 1792, 1792, 1792, 2048, 2176, 2048, 2048, 2176, 2304, 2176, 2304,
    2304, 2560, 2560, 2560, 2688, 2816, 2944, 3072, 3584, 4096, 4352, 4608, 4608, 4864, 4992, 5120,
]  # fmt: skip


def law(x, E, log_a, log_b, a, b):
    """Hoffmann et al., eq. 10, with the logarithms of A and B."""
    return E + np.exp(log_a) * x[0] ** -a + np.exp(log_b) * x[1] ** -b


PUBLISHED = (1.69, math.log(406.4), math.log(410.7), 0.34, 0.28)  # Hoffmann et al.


def simulate(noise, size=150, seed=0):
    rng = np.random.default_rng(seed)
    N, D = 10 ** rng.uniform(7.7, 10.2, size), 10 ** rng.uniform(9, 11.5, size)
    return N, D, law((N, D), *PUBLISHED) * np.exp(noise * rng.standard_normal(size))


@pytest.fixture(scope="module")
def data():
    return simulate(0.005)


@pytest.fixture(scope="module")
def fit(data):
    return fit_chinchilla(*data)


def test_against_curve_fit_from_many_starts(data, fit):
    N, D, loss = data
    reached = 0
    for a in (0.1, 0.3, 0.6):
        for b in (0.15, 0.4):
            start = [1.5, a * math.log(3e8), b * math.log(1e10), a, b]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    found, covariance = curve_fit(law, (N, D), loss, start, maxfev=20_000)
                except RuntimeError:
                    continue
            rss = np.sum((loss - law((N, D), *found)) ** 2)
            assert rss >= fit.objective * (1 - 1e-9)
            if rss < fit.objective * (1 + 1e-7):
                reached += 1
                errors = np.sqrt(np.diag(covariance))
                assert found[3:] == pytest.approx([fit.alpha_N, fit.alpha_D], rel=1e-4)
                shown = [fit.stderr[x] for x in ("E", "alpha_N", "alpha_D")]
                assert shown == pytest.approx(errors[[0, 3, 4]], rel=1e-3)
                assert fit.stderr["A"] == pytest.approx(errors[1] * np.exp(found[1]), rel=1e-3)
                assert fit.stderr["B"] == pytest.approx(errors[2] * np.exp(found[2]), rel=1e-3)
    assert reached >= 2


def test_truth_is_within_the_errors_and_another_exponent_is_not(fit):
    for name, truth in (("alpha_N", 0.34), ("alpha_D", 0.28), ("E", 1.69), ("B", 410.7)):
        assert abs(getattr(fit, name) - truth) < 3 * fit.stderr[name]
    assert abs(fit.alpha_N - 0.28) > 4 * fit.stderr["alpha_N"]


@given(E=st.floats(0.5, 3), a=st.floats(0.15, 0.8), b=st.floats(0.15, 0.8), share=st.floats(0.2, 5))
@settings(max_examples=8, deadline=None)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_exact_losses_are_recovered(E, a, b, share):
    N, D, _ = simulate(0, 40, seed=1)
    A, B = 5e7**a, share * 1e9**b
    fit = fit_chinchilla(N, D, E + A / N**a + B / D**b)
    assert [fit.alpha_N, fit.alpha_D] == pytest.approx([a, b], rel=1e-5)
    assert [fit.E, fit.A, fit.B] == pytest.approx([E, A, B], rel=1e-3)


def test_units_and_order_do_not_matter(data, fit):
    N, D, loss = data
    order = np.random.default_rng(2).permutation(loss.size)
    other = fit_chinchilla(N[order] / 1e6, D[order], 3 * loss[order])
    assert other.alpha_N == pytest.approx(fit.alpha_N, rel=1e-6)
    assert pytest.approx(3 * fit.E, rel=1e-6) == other.E
    assert pytest.approx(3 * fit.A * 1e6**-fit.alpha_N, rel=1e-5) == other.A


@pytest.mark.parametrize(("name", "level"), [("alpha_N", 0.95), ("alpha_D", 0.6827)])
def test_interval_against_a_fit_with_the_exponent_held(data, fit, name, level):
    N, D, loss = data
    rise = f_law.ppf(level, 1, fit.dof) * fit.objective / fit.dof
    held, other = (N / 5e7, D / 1e9) if name == "alpha_N" else (D / 1e9, N / 5e7)
    here, there = getattr(fit, name), fit.alpha_D if name == "alpha_N" else fit.alpha_N

    def excess(a):
        def rss(b):
            X = np.column_stack([np.ones_like(loss), held**-a, other**-b])
            residual = loss - X @ np.linalg.lstsq(X, loss, rcond=None)[0]
            return residual @ residual

        around = (0.7 * there, 1.4 * there)
        least = minimize_scalar(rss, bounds=around, method="bounded", options={"xatol": 1e-7})
        return least.fun - fit.objective - rise

    interval = fit.interval(name, level)
    ends = [brentq(excess, here, end, xtol=1e-7) for end in (0.7 * here, 1.4 * here)]
    assert [interval.low, interval.high] == pytest.approx(ends, abs=1e-6)
    # 10 % more or less of its half width is seen.
    assert (interval.high - interval.low) / 2 > 1e-3


def test_robust_fit(data):
    """As Hoffmann et al.: Huber's loss of the logarithms, and an outlier that changes nothing."""
    N, D, loss = data
    delta = 1e-3
    fit = fit_chinchilla(N, D, loss, huber=delta)

    def objective(x):
        size = np.abs(np.log(np.maximum(law((N, D), *x), 1e-9) / loss))
        return np.sum(np.where(size < delta, size**2 / 2, delta * (size - delta / 2)))

    start = np.array([fit.E, math.log(fit.A), math.log(fit.B), fit.alpha_N, fit.alpha_D])
    assert objective(start) == pytest.approx(fit.objective, rel=1e-9)
    for first in (start, np.array(PUBLISHED)):
        found = minimize(objective, first, method="Nelder-Mead", options={"maxiter": 4000})
        assert found.fun >= fit.objective * (1 - 1e-5)
    spoiled = loss.copy()
    spoiled[3] *= 2
    assert fit_chinchilla(N, D, spoiled, huber=delta).alpha_N == pytest.approx(
        fit.alpha_N, abs=2e-3
    )
    assert abs(fit_chinchilla(N, D, spoiled).alpha_N - fit.alpha_N) > 0.02
    with pytest.raises(ValueError, match="no profile likelihood"):
        fit.interval()


def test_bootstrap_refits_the_points_drawn(data, fit):
    N, D, loss = data
    again = fit.bootstrap(40, seed=3)
    rng = np.random.default_rng(3)
    for k in range(3):
        picked = rng.integers(0, loss.size, loss.size)
        refit = fit_chinchilla(N[picked], D[picked], loss[picked])
        assert again.iloc[k].to_dict() == pytest.approx(
            {name: getattr(refit, name) for name in ("E", "A", "B", "alpha_N", "alpha_D")}
        )
    # Standard error of a standard error of 40: 11 %.
    assert again["alpha_N"].std() == pytest.approx(fit.stderr["alpha_N"], rel=0.45)
    assert fit.bootstrap(3, seed=3).equals(again.head(3))


def test_table_prediction_plot_and_text(data, fit):
    from matplotlib.figure import Figure

    N, D, loss = data
    assert np.sum((fit.predict(N, D) - loss) ** 2) == pytest.approx(fit.objective)
    assert fit.to_dataframe()["parameter"].tolist() == ["E", "A", "B", "alpha_N", "alpha_D"]
    axes = Figure().add_subplot()
    assert fit.plot(axes) is axes and axes.get_xlabel() == "fitted loss"
    assert "150 points" in str(fit)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda N, D, y: (N[:5], D[:5], y[:5]), "5 points are too few"),
        (lambda N, D, y: (N, D[:-1], y), "D has 149 entries"),
        (lambda N, D, y: (-N, D, y), "N contains"),
        (lambda N, D, y: (N, 20 * N, y), "vary together"),
        (lambda N, D, y: (np.where(N > 1e9, 1e9, 1e8), D, y), "fewer than three values"),
        (lambda N, D, y: (N, D, np.where(y > 0, np.nan, y)), "loss[0] = nan"),
    ],
)
def test_refusals(data, change, message):
    with pytest.raises(ValueError) as error:
        fit_chinchilla(*change(*data))
    assert message in str(error.value)


def test_other_refusals(data, fit):
    with pytest.raises(ValueError, match="positive losses"):
        fit_chinchilla(data[0], data[1], -data[2], huber=0.1)
    with pytest.raises(ValueError, match="alpha_N or alpha_D"):
        fit.interval("alpha")
    with pytest.raises(ValueError, match="above 0"):
        fit.predict(0, 1e9)


def test_warns_where_a_logarithm_would_do(data):
    N, D, _ = data
    with pytest.warns(UserWarning, match="alpha_N cannot be told from 0|below 0"):
        fit_chinchilla(N, D, 9 - 0.2 * np.log(N) + 410.7 / D**0.28)


# ---- width -------------------------------------------------------------------------------


def test_published_width_exponent():
    """k = 2.52 ± 0.03 and 0.88 are the paper's; its ± 0.06 adds the two errors up."""
    found = width_exponent(0.35, np.array(MILLIONS) * 1e6, WIDTHS, stderr=0.02)
    assert round(found.k, 2) == 2.52 and round(found.k_stderr, 2) == 0.03
    assert round(found.alpha_m, 2) == 0.88
    assert round(found.stderr, 2) == 0.05 and round(found.greatest_stderr, 2) == 0.06
    assert "k = 2.523 ± 0.026" in str(found)


def test_error_of_a_width_exponent_in_closed_form():
    x, y = np.log(WIDTHS), np.log(np.array(MILLIONS) * 1e6)
    X = np.column_stack([np.ones(x.size), x])
    inverse = np.linalg.inv(X.T @ X)
    best = inverse @ X.T @ y
    k_error = math.sqrt(np.sum((y - X @ best) ** 2) / (x.size - 2) * inverse[1, 1])
    found = width_exponent(0.35, np.exp(y), WIDTHS, stderr=0.02)
    assert found.k == pytest.approx(best[1], rel=1e-9)
    assert found.k_stderr == pytest.approx(k_error, rel=1e-6)
    assert found.alpha_N_stderr == 0.02
    # The variance of k alpha_N by a step along each: independent errors add as squares.
    parts = [(best[1] + k_error) * 0.35 - found.alpha_m, best[1] * (0.35 + 0.02) - found.alpha_m]
    assert found.stderr == pytest.approx(math.sqrt(parts[0] ** 2 + parts[1] ** 2), rel=1e-6)
    assert found.greatest_stderr == pytest.approx(parts[0] + parts[1], rel=1e-6)


def test_error_of_a_product_by_simulation():
    rng = np.random.default_rng(4)
    found = width_exponent(0.35, np.array(MILLIONS) * 1e6, WIDTHS, stderr=0.02)
    product = rng.normal(found.k, found.k_stderr, 40_000) * rng.normal(0.35, 0.02, 40_000)
    # 0.4 % is the standard error of this standard deviation.
    assert np.std(product) == pytest.approx(found.stderr, rel=0.015)
    # Where both err together, the product moves by the greatest error.
    together = rng.standard_normal(40_000)
    product = (found.k + found.k_stderr * together) * (0.35 + 0.02 * together)
    assert np.std(product) == pytest.approx(found.greatest_stderr, rel=0.015)


def test_width_exponent_of_a_fit(fit):
    found = width_exponent(fit, [1e8, 8e8, 6.4e9], [512, 1024, 2048])
    assert found.k == pytest.approx(3) and found.alpha_m == pytest.approx(3 * fit.alpha_N)
    assert found.stderr == pytest.approx(3 * fit.stderr["alpha_N"])
    assert len(found.to_dataframe()) == 1
    for arguments, message in [
        ((0.3, [1e8, 1e9], [512, 1024]), "three models"),
        ((0.3, [1e8, 1e9, 1e9], [512, 512, 512]), "two widths"),
        ((0.3, [1e8, 1e9, -1], [512, 600, 700]), "above 0"),
        ((0.3, [1e8, 1e9], [512, 600, 700]), "N has 2 entries"),
        ((fit, [1e8, 1e9, 1e9], [512, 600, 700], 0.1), "has its own"),
    ]:
        with pytest.raises(ValueError, match=message):
            width_exponent(*arguments)
