"""Bootstrap and influence: against refits, the curvature, and the published."""

import warnings

import numpy as np
import pytest

from empirical.scaling_laws.power_law import fit_power_law

M = np.array([8.0, 16, 32, 64, 128, 256, 512])


# ---- bootstrap ---------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.6827, 0.95])
def test_bootstrap_interval_and_error_are_those_of_its_exponents(noisy, level):
    found = noisy.bootstrap("residuals", 1999, seed=11)
    ordered = np.sort(found.alpha)
    spread = np.sqrt(np.sum((ordered - ordered.mean()) ** 2) / (ordered.size - 1))
    assert found.stderr == pytest.approx(spread, rel=1e-12)
    interval = found.interval(level)
    tail = (1 - level) / 2
    assert np.mean(ordered < interval.low) == pytest.approx(tail, abs=1e-3)
    assert np.mean(ordered > interval.high) == pytest.approx(tail, abs=1e-3)
    assert interval.level == level and interval.method == "bootstrap over residuals"


def test_residual_bootstrap_agrees_with_the_curvature(published):
    """Standard error of a bootstrap standard error: 1/sqrt(2·1999) = 1.6 %."""
    _, fit = published
    found = fit.bootstrap("residuals", 1999, seed=3)
    assert found.stderr == pytest.approx(fit.stderr, rel=0.06)
    # Control: residuals that are not scaled to the degrees of freedom.
    assert found.stderr * np.sqrt(90 / 108) < 0.94 * fit.stderr
    half = (found.interval().high - found.interval().low) / 2
    profile = fit.interval()
    assert half == pytest.approx((profile.high - profile.low) / 2, rel=0.1)


def test_bootstrap_is_its_seed_and_takes_a_generator(noisy):
    first, again = noisy.bootstrap(samples=50, seed=4), noisy.bootstrap(samples=50, seed=4)
    assert first.alpha.tolist() == again.alpha.tolist()
    other = noisy.bootstrap(samples=50, seed=np.random.default_rng(5))
    assert first.alpha.tolist() != other.alpha.tolist()
    assert noisy.bootstrap("residuals", 50, np.random.default_rng(4)).alpha.size == 50


def test_bootstrap_over_points_refits_the_points_drawn(noisy):
    found = noisy.bootstrap(samples=40, seed=6)
    counts = np.random.default_rng(6).multinomial(7, np.full(7, 1 / 7), 40)
    enough = np.sum(counts > 0, axis=1) >= 3
    assert found.failed == np.sum(~enough)
    for k, row in enumerate(counts[enough][:10]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            again = fit_power_law(np.repeat(M, row), np.repeat(noisy.points.loss, row))
        if again.interval().high < np.inf:
            assert found.alpha[k] == pytest.approx(again.alpha, rel=1e-6)


def test_cluster_of_one_point_each_is_a_bootstrap_over_points(noisy):
    loss = noisy.points.loss
    fit = fit_power_law(M, loss, clusters=range(7))
    by_clusters, by_points = fit.bootstrap("clusters", 60, 7), fit.bootstrap("points", 60, 7)
    assert by_clusters.alpha.tolist() == by_points.alpha.tolist()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_robust_bootstrap():
    rng = np.random.default_rng(8)
    fit = fit_power_law(M, (3 / M + 0.5) * np.exp(0.01 * rng.standard_normal(7)), huber=0.01)
    interval = fit.bootstrap(samples=49, seed=9).interval()
    assert interval.low < fit.alpha < interval.high
    for refused in (fit.interval, fit.test_alpha, lambda: fit.bootstrap("residuals")):
        with pytest.raises(ValueError, match="robust fit"):
            refused()


def test_bootstrap_table_plot_and_text(noisy):
    from matplotlib.figure import Figure

    found = noisy.bootstrap(samples=99)
    assert len(found.to_dataframe()) == found.alpha.size
    axes = Figure().add_subplot()
    assert found.plot(axes) is axes and axes.get_xlabel() == "exponent alpha of a resample"
    assert "bootstrap over points" in str(found)


# ---- influence ---------------------------------------------------------------------------


def test_published_influence(published):
    _, fit = published
    found = fit.influence()
    assert found.worst_residual == "Qwen2.5-72B/wikitext"
    assert found.without("Qwen2.5-72B/wikitext") == pytest.approx(0.944, abs=5e-4)
    assert "Qwen2.5-72B/wikitext" in found.flagged and len(found.flagged) < 12
    # It is not the one that moves alpha most: that is the narrowest model.
    assert found.flagged[0] == "pythia-70m/wikitext"
    assert found.without("pythia-70m/wikitext") == pytest.approx(0.8405, abs=5e-4)
    models = fit.influence("clusters")
    assert models.flagged[0] == "pythia-70m"
    assert models.without("pythia-70m") == pytest.approx(0.747, abs=1e-3)


def test_leave_one_out_is_a_fit_without_it(published):
    data, fit = published
    found = fit.influence().to_dataframe().set_index("name")
    for k in (0, 50, 88):
        rest = data.drop(index=k)
        again = fit_power_law(rest["m"], rest["loss_total"], rest["family"] + "/" + rest["dataset"])
        name = f"{data['model'][k]}/{data['dataset'][k]}"
        assert found.loc[name, "alpha_without"] == pytest.approx(again.alpha, rel=1e-7)
        left = data["loss_total"][k] - again.predict(
            data["m"][k], f"{data['family'][k]}/{data['dataset'][k]}"
        )
        # Residual over its standard error by the others: close to the linear formula.
        sign = np.sign(found.loc[name, "studentized"])
        assert sign == np.sign(left)
    rest = data[data["model"] != "gpt2"]
    again = fit_power_law(rest["m"], rest["loss_total"], rest["family"] + "/" + rest["dataset"])
    assert fit.influence("clusters").without("gpt2") == pytest.approx(again.alpha, rel=1e-7)


def test_studentized_residuals_of_a_linear_case():
    """Against an outlier dummy: its t statistic is the externally studentized residual."""
    rng = np.random.default_rng(10)
    m = np.repeat(M, 2)
    fit = fit_power_law(m, 3 / m + 0.5 + 0.01 * rng.standard_normal(14), labels=range(14))
    J = fit.projection.jacobian(fit.best)
    residual = fit.residuals()["residual"].to_numpy()
    table = fit.influence().to_dataframe().set_index("name")
    for k in (0, 5, 13):
        X = np.column_stack([J, np.eye(14)[k]])
        best = np.linalg.lstsq(X, residual, rcond=None)[0]
        left = residual - X @ best
        error = np.sqrt(left @ left / (14 - 4) * np.linalg.inv(X.T @ X)[-1, -1])
        assert table.loc[str(k), "studentized"] == pytest.approx(best[-1] / error, rel=1e-6)


def test_jackknife(published):
    """By its formula, with Student's quantile for 27 models; the cutoff as printed in the book."""
    _, fit = published
    found = fit.influence("clusters")
    alphas = found.to_dataframe()["alpha_without"].to_numpy()
    expected = np.sqrt(26 / 27 * np.sum((alphas - alphas.mean()) ** 2))
    assert found.stderr == pytest.approx(expected, rel=1e-10)
    interval = found.interval(fit.alpha)
    assert (interval.low + interval.high) / 2 == pytest.approx(fit.alpha)
    assert interval.high - fit.alpha == pytest.approx(2.0555 * expected, rel=1e-4)  # t with 26
    assert found.cutoff == pytest.approx(2 / np.sqrt(27) * fit.stderr, rel=1e-12)
    assert fit.influence().cutoff == pytest.approx(2 / np.sqrt(108) * fit.stderr, rel=1e-12)
    assert fit.test_alpha(interval.high, by="clusters").p_value == pytest.approx(0.05, rel=1e-6)


def test_points_without_which_nothing_can_be_fitted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = fit_power_law([8, 16, 32, 32], [2, 1.2, 0.9, 0.91])
        found = fit.influence()
        assert np.isnan(found.without("m = 8")) and np.isnan(found.stderr)


def test_influence_table_plot_and_text(published):
    from matplotlib.figure import Figure

    _, fit = published
    found = fit.influence()
    axes = Figure().add_subplot()
    assert found.plot(axes) is axes and len(axes.get_yticks()) == 20
    assert "0.9439 without it" in str(found)
    with pytest.raises(ValueError, match="names 0 of the points"):
        found.without("nobody")


# ---- refusals ----------------------------------------------------------------------------


def test_refusals(noisy):
    for call, message in [
        (lambda: noisy.bootstrap("clusters"), "no clusters were given"),
        (lambda: noisy.influence("clusters"), "no clusters were given"),
        (lambda: noisy.bootstrap("models"), "by = 'models'"),
        (lambda: noisy.influence("models"), "by = 'models'"),
        (lambda: noisy.test_alpha(1, by="models"), "by = 'models'"),
        (lambda: noisy.test_alpha(-1), "at least 0"),
        (lambda: noisy.bootstrap(samples=1), "samples = 1"),
        (lambda: noisy.interval(95), "level = 95"),
        (lambda: noisy.interval(0), "level = 0"),
        (lambda: noisy.floor_interval("b"), "no group 'b'"),
        (lambda: fit_power_law(M, 1 / M, floor=False).floor_interval(), "without floors"),
    ]:
        with pytest.raises(ValueError) as error:
            call()
        assert message in str(error.value)
    one = fit_power_law(M, noisy.points.loss, clusters=["x"] * 7)
    with pytest.raises(ValueError, match="at least two clusters"):
        one.bootstrap("clusters")
