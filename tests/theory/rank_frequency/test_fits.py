"""Zipf–Mandelbrot and broken power laws: maxima that are global, errors that hold."""

import math

import numpy as np
import pytest
import threadpoolctl
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import differential_evolution

import theory.rank_frequency.fits as module
from theory.rank_frequency.fits import fit_rank_law, maximise
from theory.rank_frequency.laws import PARAMETERS, gradient, log_weights
from theory.rank_frequency.zipf_exponent import fit_zipf
from theory.regimes.weak import weak_loss


def law_by_hand(law, values, i):
    """The formulas as the table of laws says them."""
    if law == "zipf":
        weights = i ** -values["alpha"]
    elif law == "zipf_mandelbrot":
        weights = (i + values["q"]) ** -values["alpha"]
    else:
        k = values["break_rank"]
        tail = k ** -values["alpha"] * (i / k) ** -values["alpha_tail"]
        weights = np.where(i <= k, i ** -values["alpha"], tail)
    return weights / weights.sum()


TRUTHS = {
    "zipf": {"alpha": 1.1},
    "zipf_mandelbrot": {"alpha": 1.2, "q": 2.7},
    "broken_power_law": {"alpha": 0.8, "alpha_tail": 1.4, "break_rank": 30.5},
}


def draw(law, n=400, total=10**8, rng=None):
    p = law_by_hand(law, TRUTHS[law], np.arange(1.0, n + 1))
    return (rng or np.random.default_rng(0)).multinomial(total, p)


@pytest.mark.parametrize(
    ("law", "repeats"),
    [
        ("zipf", 400),
        ("zipf_mandelbrot", 80),
        pytest.param("broken_power_law", 80, marks=pytest.mark.slow),
    ],
)
def test_parameters_and_errors_hold_in_repetition(law, repeats):
    # So many draws that ranks hardly change places: the errors are the multinomial ones.
    rng = np.random.default_rng(11)
    truth = TRUTHS[law]
    z, wrong = [], []
    for _ in range(repeats):
        fit = fit_rank_law(draw(law, rng=rng), law, (1, 120))
        errors = fit.errors()
        z.append([(fit.values[name] - truth[name]) / errors[name] for name in truth])
        wrong.append((fit.values["alpha"] - 1.01 * truth["alpha"]) / errors["alpha"])
    z = np.array(z)
    assert np.all(np.abs(z.mean(axis=0)) < 4 / math.sqrt(repeats))
    assert np.all(np.abs(z.var(axis=0, ddof=1) - 1) < 4 * math.sqrt(2 / repeats))
    # Negative control: an exponent that is one per cent off.
    assert abs(np.mean(wrong)) > 4 / math.sqrt(repeats)


@pytest.mark.parametrize("law", PARAMETERS)
@pytest.mark.parametrize("first", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_standard_errors_are_the_delta_method_over_counts(law, first):
    """Var θ = Σ c_i g_i² - (Σ c_i g_i)²/N for multinomial counts, g_i = dθ/dc_i, without scores."""
    truth = TRUTHS[law] | ({"break_rank": 12.5} if law == "broken_power_law" else {})
    counts = np.round(1e9 * law_by_hand(law, truth, np.arange(1.0, 31)))[first - 1 :]
    names = PARAMETERS[law]

    def values(c):
        found = maximise(law, c, first).values
        return np.array([found[name] for name in names])

    slopes = []
    for i in range(counts.size):
        step = 0.01 * counts[i] * np.eye(counts.size)[i]
        slopes.append((values(counts + step) - values(counts - step)) / (0.02 * counts[i]))
    g = np.array(slopes)
    variance = counts @ g**2 - (counts @ g) ** 2 / counts.sum()
    fit = maximise(law, counts, first)
    assert [fit.values[name] for name in names] == pytest.approx(list(truth.values()), rel=1e-3)
    assert list(fit.errors()) == list(names)
    assert list(fit.errors().values()) == pytest.approx(np.sqrt(variance), rel=5e-3)
    # Errors of a covariance that is given: four times the variance, twice the error.
    double = list(fit.errors(4 * fit.covariance).values())
    assert double == pytest.approx(2 * np.sqrt(variance), rel=5e-3)


@pytest.mark.parametrize("law", PARAMETERS)
@pytest.mark.parametrize("first", [1, 8])
def test_likelihood_and_information_by_finite_differences(law, first):
    counts = np.sort(draw(law, total=10**5))[::-1]
    fit = fit_rank_law(counts, law, (first, 150))
    c, i = counts[first - 1 : 150], np.arange(first, 151.0)

    def likelihood(theta):
        values = dict(zip(PARAMETERS[law], theta, strict=True))
        if law == "zipf_mandelbrot":
            values["q"] = math.exp(theta[1]) - first
        elif law == "broken_power_law":
            values["break_rank"] = math.exp(theta[2])
        return float(c @ np.log(law_by_hand(law, values, i)))

    theta = fit.theta
    assert fit.log_likelihood == pytest.approx(likelihood(theta), rel=1e-13)
    k = theta.size
    # Steps small enough to stay between two ranks, where the broken law is smooth.
    step = np.diag([1e-3, 1e-3, 1e-3][:k])
    if law == "broken_power_law":
        near = np.log(np.round(np.exp(theta[2])))
        step[2] = step[2] * min(1.0, 0.2 * abs(near - theta[2]) / 1e-3)
    second = np.empty((k, k))
    for a in range(k):
        for b in range(k):
            total = sum(
                s * t * likelihood(theta + s * step[a] + t * step[b])
                for s in (1, -1)
                for t in (1, -1)
            )
            second[a, b] = total / (4 * step[a, a] * step[b, b])
    scale = np.sqrt(np.outer(np.diag(fit.information), np.diag(fit.information)))
    assert np.abs(fit.information + second).max() < 2e-3 * scale.max()
    assert np.all(np.abs((fit.information + second) / scale) < 2e-3)
    assert np.abs(fit.covariance @ fit.information - np.eye(k)).max() < 1e-6


@pytest.mark.parametrize("law", PARAMETERS)
def test_gradient_by_finite_differences(law):
    i, theta = np.arange(5, 60.0), np.array([0.9, 1.3, math.log(20.5)])[: len(PARAMETERS[law])]
    for k, step in enumerate(1e-6 * np.eye(theta.size)):
        up, down = (log_weights(law, theta + s * step, i, 5) for s in (1, -1))
        found = gradient(law, theta, i, 5)[:, k]
        assert np.allclose(found, (up - down) / 2e-6, atol=1e-8)


def two_humps(rng):
    """Counts that no law fits: the likelihood has several maxima."""
    i = np.arange(1, 81.0)
    slope = np.select([i < 6, i < 25, i < 50], [0.3, 2.0, 0.4], 2.5)
    weights = np.exp(-np.cumsum(slope / i))
    return np.sort(rng.poisson(3000 * weights / weights[0]))[::-1]


@pytest.mark.parametrize("law", ["zipf_mandelbrot", "broken_power_law"])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_maximum_is_global(law, seed):
    c = two_humps(np.random.default_rng(seed))
    fit = fit_rank_law(c, law)
    i = np.arange(1.0, c.size + 1)

    def minus(theta):
        eta = log_weights(law, theta, i, 1)
        return -float(c @ (eta - np.log(np.exp(eta).sum())))

    box = [(0, 8), (math.log(0.01), math.log(8e4))]
    if law == "broken_power_law":
        box = [(-1, 8), (-1, 8), (math.log(2), math.log(np.sum(c > 0) - 1))]
    other = differential_evolution(minus, box, seed=seed, popsize=20, maxiter=150, tol=1e-10)
    assert fit.log_likelihood >= -other.fun - 1e-6
    # Negative control: the evolution is no idle opponent, it comes as far.
    assert -other.fun > fit.log_likelihood - 0.05


@settings(max_examples=20)
@given(st.lists(st.integers(1, 2000), min_size=12, max_size=30), st.integers(1, 4))
def test_richer_laws_are_never_less_likely(counts, first):
    if max(counts) == min(counts):
        counts = [*counts, max(counts) + 1]
    likelihood = {
        law: fit_rank_law(counts, law, (first, len(counts))).log_likelihood for law in PARAMETERS
    }
    slack = 1e-9 * abs(likelihood["zipf"])
    assert likelihood["zipf_mandelbrot"] >= likelihood["zipf"] - slack
    assert likelihood["broken_power_law"] >= likelihood["zipf"] - slack


def test_zipf_is_the_fit_of_fit_zipf():
    counts = draw("zipf", total=10**5)
    fit, other = fit_rank_law(counts, "zipf", (3, 200)), fit_zipf(counts, ranks=(3, 200))
    assert fit.values["alpha"] == pytest.approx(other.alpha, rel=1e-9)
    assert fit.errors()["alpha"] == pytest.approx(other.stderr, rel=1e-6)


def test_text_and_table():
    fit = fit_rank_law(draw("zipf_mandelbrot"), "zipf_mandelbrot", (1, 300))
    table = fit.to_dataframe().set_index("parameter")
    assert table["value"].to_dict() == fit.values and table["stderr"].to_dict() == fit.errors()
    shown = f"{fit.values['alpha']:.4g} ± {fit.errors()['alpha']:.2g}"
    assert repr(fit) == str(fit) and f"ranks 1 to 300: alpha {shown}" in str(fit)
    assert "<table" in fit._repr_html_() and len(str(fit)) < 100


def test_exponential_counts_have_no_finite_q():
    counts = np.round(1e6 * np.exp(-np.arange(60) / 10))
    fit = fit_rank_law(counts, "zipf_mandelbrot")
    assert fit.at_bound and fit.values["q"] > 1000
    assert fit.p[1] / fit.p[0] == pytest.approx(math.exp(-0.1), rel=1e-2)
    assert not fit_rank_law(draw("zipf_mandelbrot"), "zipf_mandelbrot").at_bound


def test_equal_slopes_have_no_break_to_tell():
    counts = np.round(1e9 / np.arange(1, 101))
    fit = fit_rank_law(counts, "broken_power_law")
    assert fit.values["alpha"] == pytest.approx(fit.values["alpha_tail"], abs=1e-3)
    error = fit.errors()["break_rank"]
    assert math.isnan(error) or error > 10


@pytest.mark.parametrize("law", PARAMETERS)
def test_a_fit_as_frequencies(law):
    fit = fit_rank_law(draw(law), law, (1, 200))
    f = fit.frequencies(1000)
    expected = law_by_hand(law, fit.values, np.arange(1, 1001.0))
    assert np.allclose(f.p, expected, rtol=1e-9)
    assert float(weak_loss(f, 100)) == pytest.approx(
        float(np.sum(4 / 3 * expected[100:] - expected[100:] ** 2)), rel=1e-9
    )
    log_p, i = np.log(expected), np.arange(1, 1001.0)
    slope = -(log_p[51:] - log_p[49:-2]) / np.log(i[51:] / i[49:-2])
    assert np.allclose(fit.exponent(i[50:-1]), slope, atol=1e-3)


def test_bad_input():
    with pytest.raises(ValueError, match="law = 'lognormal' is not allowed"):
        fit_rank_law([5, 4, 3, 2], "lognormal")
    with pytest.raises(ValueError, match="4 ranks with a count above 0 are too few for broken"):
        fit_rank_law([5, 4, 3, 2, 0, 0, 0, 0], "broken_power_law")
    # Fitted far down, (i + q)^-alpha need not reach the first rank.
    counts = np.round(np.concatenate([np.full(49, 2e6), 1e6 / (np.arange(50, 200.0) - 49.5)]))
    fit = fit_rank_law(counts, "zipf_mandelbrot", (50, 150))
    with pytest.raises(ValueError, match="no value at rank 1"):
        fit.frequencies()


def test_fits_hold_blas_to_one_thread(monkeypatch):
    """Products are thin: on a busy machine threads made fits to 10 000 ranks six times as slow."""
    seen, plain = set(), module.normalise

    def recording(eta):
        pools = threadpoolctl.threadpool_info()
        seen.update(one["num_threads"] for one in pools if one["user_api"] == "blas")
        return plain(eta)

    monkeypatch.setattr(module, "normalise", recording)
    with threadpoolctl.threadpool_limits(2):
        fit_rank_law(np.round(1e4 / np.arange(1.0, 20)), "zipf")
        assert seen == {1}
        after = {one["num_threads"] for one in threadpoolctl.threadpool_info()}
    assert 2 in after
