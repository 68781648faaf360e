"""Forecasts: against fits with the answer held, against added points, and their coverage."""

import warnings

import numpy as np
import pytest
from scipy.stats import f as f_law

from empirical.scaling_laws.power_law import fit_power_law

M = np.array([8.0, 16, 32, 64, 128, 256, 512])


@pytest.fixture(scope="module")
def fit():
    rng = np.random.default_rng(0)
    m, group = np.tile(M, 2), np.repeat(["a", "b"], M.size)
    loss = 3 / m + np.where(group == "a", 0.5, 0.8) + 0.01 * rng.standard_normal(m.size)
    return fit_power_law(m, loss, group, clusters=np.tile(np.arange(7), 2))


def ceiling(fit, level=0.95):
    return fit.rss * (1 + f_law.ppf(level, 1, fit.dof) / fit.dof)


def rss_with_value_held(fit, width, value):
    """Least sum of squares of laws with this loss at this width in group a: a grid over alpha."""
    points = fit.points
    a = points.index == 0
    least = np.inf
    for alpha in np.linspace(0.7, 1.3, 3001):
        x = points.m**-alpha
        # Group a: loss - value = C (m^-alpha - width^-alpha); group b has its own floor.
        first = np.where(a, x - width**-alpha, x)
        X = np.column_stack([first, ~a])
        y = np.where(a, points.loss - value, points.loss)
        residual = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
        least = min(least, residual @ residual)
    return least


def test_law_interval_is_where_a_held_value_is_refused(fit):
    row = fit.forecast([4096], "a").to_dataframe().iloc[0]
    assert row["loss"] == pytest.approx(fit.predict([4096], "a")[0])
    assert row["low"] < row["loss"] < row["high"] and row["extrapolation"] == 8
    for end in (row["low"], row["high"]):
        assert rss_with_value_held(fit, 4096.0, end) == pytest.approx(ceiling(fit), rel=1e-5)


def test_new_point_interval_is_where_an_added_point_is_refused(fit):
    points = fit.points
    row = fit.forecast([4096], "b", level=0.8).to_dataframe().iloc[0]
    assert row["new_low"] < row["low"] and row["high"] < row["new_high"]
    for end in (row["new_low"], row["new_high"]):
        groups = [points.groups[k] for k in points.index]
        again = fit_power_law(
            np.append(points.m, 4096), np.append(points.loss, end), [*groups, "b"]
        )
        assert again.rss == pytest.approx(ceiling(fit, 0.8), rel=1e-7)


def test_new_point_with_known_errors():
    """The law's variance and the mean variance of the points, in the limit of small errors."""
    rng = np.random.default_rng(4)
    error = 1e-4 * rng.uniform(0.5, 2, M.size)
    fit = fit_power_law(M, 3 / M + 0.5 + error * rng.standard_normal(M.size), stderr=error)
    row = fit.forecast([4096], level=0.6827).to_dataframe().iloc[0]
    law, point = (row["high"] - row["low"]) / 2, (row["new_high"] - row["new_low"]) / 2
    assert point == pytest.approx(np.sqrt(law**2 + np.mean(error**2)), rel=0.01)


def test_no_floor_forecast():
    rng = np.random.default_rng(1)
    fit = fit_power_law(M, 3 / M + 0.003 * rng.standard_normal(7), floor=False)
    row = fit.forecast([4096], level=0.9).to_dataframe().iloc[0]
    for end in (row["new_low"], row["new_high"]):
        again = fit_power_law(np.append(M, 4096), np.append(fit.points.loss, end), floor=False)
        assert again.rss == pytest.approx(ceiling(fit, 0.9), rel=1e-6)
    width = fit.width_for(0.01)
    assert fit.predict([width.m])[0] == pytest.approx(0.01, rel=1e-9)
    assert fit.width_for(-0.01).m == np.inf


@pytest.mark.slow
def test_coverage_of_forecasts(fit):
    """1000 data sets; the law's interval alone does not hold a new point."""
    rng = np.random.default_rng(2)
    truth = fit.predict([2048], "a")[0]
    fitted = fit.projection.fitted(fit.best)[0]
    hits = np.zeros(3)
    for _ in range(1000):
        loss = fitted + 0.01 * rng.standard_normal(fitted.size)
        group = [fit.points.groups[k] for k in fit.points.index]
        row = fit_power_law(fit.points.m, loss, group).forecast([2048], "a").table.iloc[0]
        new = truth + 0.01 * rng.standard_normal()
        hits += [
            row["low"] <= truth <= row["high"],
            row["new_low"] <= new <= row["new_high"],
            row["low"] <= new <= row["high"],
        ]
    law, point, control = hits / 1000
    assert 0.93 <= law <= 0.97 and 0.93 <= point <= 0.97 and control < 0.85


def test_width_is_the_forecast_inverted(fit):
    found = fit.width_for(0.52, "a")
    assert fit.predict([found.m], "a")[0] == pytest.approx(0.52, rel=1e-10)
    table = fit.forecast([found.low, found.high], "a").to_dataframe()
    assert table["low"][0] == pytest.approx(0.52, rel=1e-6)
    assert table["high"][1] == pytest.approx(0.52, rel=1e-6)
    assert found.low < found.m < found.high and found.reason == ""


def test_width_for_a_loss_near_and_below_the_floor(fit):
    floor, interval = fit.floors["a"], fit.floor_interval("a")
    near = fit.width_for((floor + interval.high) / 2, "a")
    assert near.m < np.inf and near.high == np.inf and "no upper end" in near.reason
    below = fit.width_for((floor + interval.low) / 2, "a")
    assert below.m == np.inf and below.low < np.inf and "not above the floor" in below.reason
    never = fit.width_for(interval.low - 0.01, "a")
    assert never.low == np.inf
    assert "no width reaches it" in " ".join(str(never).split())


def test_bootstrap_forecasts(fit):
    laws = fit.bootstrap("clusters", 199, seed=3)
    row = fit.forecast([4096], "a", 0.9, laws).to_dataframe().iloc[0]
    each = np.array(
        [
            fit.projection.predict(laws.laws.take(np.array([k])), np.log(4096), 0)[0]
            for k in range(laws.alpha.size)
        ]
    )
    assert np.mean(each < row["low"]) == pytest.approx(0.05, abs=0.011)
    assert np.mean(each > row["high"]) == pytest.approx(0.05, abs=0.011)
    # A new point: every law with every residual, scaled to the degrees of freedom (14 less 4).
    residual = fit.residuals()["residual"].to_numpy()
    points = (each[:, None] + residual * np.sqrt(14 / 10)).ravel()
    assert np.mean(points < row["new_low"]) == pytest.approx(0.05, abs=1e-3)
    assert np.mean(points > row["new_high"]) == pytest.approx(0.05, abs=1e-3)
    assert np.mean((residual * np.sqrt(14 / 10)) ** 2) == pytest.approx(fit.residual_std**2)
    width = fit.width_for(0.52, "a", 0.9, laws)
    law = laws.laws.take(np.array([7]))
    from empirical.scaling_laws.forecast import _invert

    reached = _invert(fit.projection, law, 0.52, 0)[0]
    assert fit.projection.predict(law, np.log(reached), 0)[0] == pytest.approx(0.52, rel=1e-9)
    assert width.low < width.m < width.high and width.method == "bootstrap over clusters"
    reached = _invert(fit.projection, laws.laws, 0.52, 0)
    assert np.mean(reached < width.low) == pytest.approx(0.05, abs=0.006)
    assert np.mean(reached > width.high) == pytest.approx(0.05, abs=0.006)


def test_where_the_law_must_break(fit):
    told = fit.forecast([500, 1000, 2000], n=1000)
    assert told.to_dataframe()["allowed"].tolist() == [True, False, False] * 2
    # The Welch bound over 1/m: (n - m)/(n - 1) at m = 500.
    assert "at m = 500 the least mean squared overlap is 0.501 of the 1/m" in told.notes[0]
    low = fit.predict([1500], "a")[0]
    assert "cannot hold at m >= n = 1000" in fit.width_for(low, "a", n=1000).reason
    assert fit.width_for(0.6, "a", n=1000).reason == ""


def test_a_logarithm_can_be_forecast():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = fit_power_law(M, 4 - 0.3 * np.log(M) - 0.02 * np.log(M) ** 2)
    told = fit.forecast([1024]).to_dataframe().iloc[0]
    assert told["low"] <= told["loss"] <= told["high"]
    width = fit.width_for(1.0)
    assert fit.predict([width.m])[0] == pytest.approx(1.0)


def test_refusals(fit):
    for call, message in [
        (lambda: fit.forecast([0]), "m = 0"),
        (lambda: fit.forecast([10], "c"), "no group 'c'"),
        (lambda: fit.forecast([10], level=2), "level = 2"),
        (lambda: fit.forecast([10], n=0), "n = 0"),
        (lambda: fit.predict([10]), "there are 2 groups"),
        (lambda: fit.predict([-1], "a"), "m = -1"),
        (lambda: fit.width_for(0.6), "there are 2 groups"),
        (lambda: fit.width_for(float("nan"), "a"), "loss = nan"),
    ]:
        with pytest.raises(ValueError) as error:
            call()
        assert message in str(error.value)
    with pytest.warns(UserWarning):
        rising = fit_power_law(M, 1 - 0.3 / M)
    with pytest.raises(ValueError, match="does not fall with m"):
        rising.width_for(0.9)


def test_tables_plots_and_texts(fit):
    from matplotlib.figure import Figure

    told = fit.forecast([1024, 2048], n=10**4)
    axes = Figure().add_subplot()
    assert told.plot(axes) is axes and len(axes.get_legend().texts) == 2
    table = told.to_dataframe()
    for k, names in enumerate((["new_low", "new_high"], ["low", "high"])):  # of group a
        drawn = [line[:, 1].tolist() for line in axes.collections[k].get_segments()]
        assert drawn == table.loc[table["group"] == "a", names].to_numpy().tolist()
    assert "95% intervals, profile" in str(told) and "cannot hold at m >= n = 10000" in str(told)
    assert len(fit.width_for(0.6, "a").to_dataframe()) == 1
