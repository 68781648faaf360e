"""Fits over several axes: the global optimum, their errors, and axes that vary together."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares
from scipy.stats import chi2, norm

import superscale as ss
from empirical.scaling_laws.axes.law import AxesLaw
from empirical.scaling_laws.axes.search import find_minima

AXES = ["m", "l", "D"]
LAW = {"m": (275.0, 0.95), "l": (6.7, 1.3), "D": (530.0, 0.3)}
FLOOR = 1.75


def grid_table(noise=0.0, seed=0, law=LAW, floor=FLOOR):
    """A full grid of width, depth and tokens."""
    values = [(256, 512, 1024, 2048), (4, 8, 16, 32), (1e9, 1e10, 1e11)]
    columns = dict(zip(AXES, (x.ravel() for x in np.meshgrid(*values)), strict=True))
    loss = floor + sum(c / columns[name] ** alpha for name, (c, alpha) in law.items())
    loss = loss * np.exp(noise * np.random.default_rng(seed).standard_normal(loss.size))
    return pd.DataFrame({**columns, "loss": loss})


def quiet_fit(*arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return ss.scaling_laws.fit_axes(*arguments, **options)


def make_law(table, axes, residuals, **options):
    u = np.log(table[axes].to_numpy())
    one = np.ones((len(table), 1))
    return AxesLaw(
        u - u.mean(0), table["loss"].to_numpy(), one[:, 0], one, residuals=residuals, **options
    )


@settings(max_examples=15, deadline=None)
@given(st.floats(0.2, 2.0), st.floats(0.3, 2.0), st.floats(0.15, 0.6), st.floats(0.5, 3.0))
def test_exact_losses_give_back_the_law(a, b, c, floor):
    law = {"m": (256**a, a), "l": (4**b, b), "D": (1e9**c, c)}
    fit = quiet_fit(grid_table(law=law, floor=floor), AXES)
    assert list(fit.exponents.values()) == pytest.approx([a, b, c], rel=1e-4)
    assert fit.floors["all"] == pytest.approx(floor, rel=1e-3)
    for name, (coefficient, _) in law.items():
        assert fit.coefficients[name] == pytest.approx(coefficient, rel=1e-2)


@pytest.mark.parametrize("residuals", ["squared", "log", "huber"])
@pytest.mark.parametrize("seed", [1, 2])
def test_no_descent_from_random_starts_ends_lower(residuals, seed):
    table = grid_table(0.02, seed)
    fit = quiet_fit(table, AXES, residuals=residuals, huber=0.01)
    x, y = table[AXES].to_numpy(), table["loss"].to_numpy()
    middle = np.exp(np.log(x).mean(axis=0))
    rng = np.random.default_rng(seed)

    def residual(q):
        value = np.exp(q[0]) + np.sum(np.exp(q[1:4]) * (x / middle) ** -q[4:7], axis=1)
        return value - y if residuals == "squared" else np.log(value / y)

    def total(q):
        r = residual(q)
        if residuals != "huber":
            return np.sum(r**2)
        size = np.abs(r)
        return np.sum(np.where(size <= 0.01, r**2 / 2, 0.01 * (size - 0.005)))

    lowest = np.inf
    for _ in range(8):
        start = np.concatenate([rng.normal(0, 1, 4), rng.uniform(0.1, 2, 3)])
        loss, scale = ("huber", 0.01) if residuals == "huber" else ("linear", 1.0)
        with np.errstate(all="ignore"):
            found = least_squares(residual, start, loss=loss, f_scale=scale, max_nfev=400)
        lowest = min(lowest, total(found.x))
    assert fit.objective == pytest.approx(lowest, rel=1e-4)
    assert fit.objective <= lowest * (1 + 1e-9)


@pytest.mark.parametrize("residuals", ["squared", "log", "huber"])
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_derivatives_are_those_of_the_objective(residuals, shift):
    table = grid_table(0.02)
    law = make_law(table, AXES, residuals, delta=0.015, pairs=((0, 2),), shift=shift)
    x = np.array([0.9, 1.2, 0.35, 2.5, -0.3, -0.2, -0.1, 0.02])
    if not shift:
        x[4:7] *= -1
    value, gradient, hessian, _ = law.curvature(x)
    assert value == pytest.approx(law.objective(x))
    h = 1e-5
    unit = np.eye(x.size) * h
    slopes = [(law.objective(x + e) - law.objective(x - e)) / (2 * h) for e in unit]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-7)
    turns = [(law.curvature(x + e)[1] - law.curvature(x - e)[1]) / (2 * h) for e in unit]
    if residuals != "huber":  # the Hessian of Huber's loss jumps where points cross the threshold
        np.testing.assert_allclose(hessian, turns, rtol=1e-5, atol=1e-6)


def test_linear_part_is_least_squares():
    law = make_law(grid_table(0.02), AXES, "squared")
    alpha = np.array([[0.9, 1.2, 0.35]])
    beta, objective = law.linear_fit(alpha)
    expected = np.linalg.lstsq(law.columns(alpha[0]), law.y, rcond=None)
    np.testing.assert_allclose(beta[0], expected[0], rtol=1e-6)
    assert objective[0] == pytest.approx(expected[1][0], rel=1e-9)


def test_errors_of_the_exponents_are_what_they_say():
    # Squares of 40 x 3 standardised errors: chi-square, but for the correlation within one table.
    sets, z, rejected = 40, [], 0
    for seed in range(sets):
        fit = quiet_fit(grid_table(0.004, seed), AXES)
        z.append([(fit.exponents[k] - LAW[k][1]) / fit.stderr[k] for k in AXES])
        rejected += fit.test(**{k: 1.25 * LAW[k][1] for k in AXES}).p_value < 0.01
    z = np.array(z)
    for column in z.T:
        low, high = chi2.ppf([0.0005, 0.9995], sets)
        assert low < np.sum(column**2) < high
        assert abs(column.mean()) < norm.ppf(0.9995) / np.sqrt(sets)
        # A wrong constant: errors half or twice as large would be seen.
        assert not low < np.sum((2 * column) ** 2) < high
        assert not low < np.sum((column / 2) ** 2) < high
    assert rejected == sets  # the negative control: exponents a quarter too large


def test_profile_interval_ends_where_the_test_says():
    fit = quiet_fit(grid_table(0.004, 3), AXES)
    for name in AXES:
        interval = fit.interval(name, 0.9)
        assert interval.low < fit.exponents[name] < interval.high
        for end in (interval.low, interval.high):
            assert fit.test(**{name: end}).p_value == pytest.approx(0.1, abs=1e-4)
    floor = fit.interval("floor")
    assert floor.low < fit.floors["all"] < floor.high
    # The floor's profile by brute force: subtract it, and fit without one.
    held = fit.rows.assign(loss=fit.rows["loss"])
    law = make_law(held, AXES, "log", shift=0.0)
    start = np.concatenate([list(fit.exponents.values()), [floor.high], np.zeros(3)])
    linear = law.linear_fit(start[None, :3])[0][0]
    start[3:] = [floor.high, *linear[1:]]
    from empirical.scaling_laws.axes.search import descend

    at_end = descend(law, start, (3,))[0]
    rise = (at_end - fit.objective) / (fit.objective / fit.dof)
    assert rise == pytest.approx(chi2.ppf(0.95, 1), rel=0.1)


def test_units_and_order_change_nothing():
    table = grid_table(0.01, 5)
    fit = quiet_fit(table, AXES)
    shuffled = table.sample(frac=1, random_state=np.random.RandomState(1))
    again = quiet_fit(shuffled.assign(m=shuffled["m"] / 64, loss=2 * shuffled["loss"]), AXES[::-1])
    for name in AXES:
        assert again.exponents[name] == pytest.approx(fit.exponents[name], rel=1e-6)
    assert again.floors["all"] == pytest.approx(2 * fit.floors["all"], rel=1e-6)
    factor = 2 * 64 ** -fit.exponents["m"]
    assert again.coefficients["m"] == pytest.approx(factor * fit.coefficients["m"], rel=1e-5)


def test_groups_have_floors_of_their_own():
    table = grid_table()
    both = pd.concat([table.assign(data="a"), table.assign(data="b", loss=table["loss"] + 0.5)])
    fit = quiet_fit(both, AXES, groups="data")
    assert fit.floors["a"] == pytest.approx(FLOOR, abs=1e-4)
    assert fit.floors["b"] == pytest.approx(FLOOR + 0.5, abs=1e-4)
    with pytest.raises(ValueError, match="group is missing: give one of a, b"):
        fit.predict(m=512, l=8, D=1e10)
    assert fit.predict("b", m=512, l=8, D=1e10) == pytest.approx(
        fit.predict("a", m=512, l=8, D=1e10) + 0.5, abs=1e-6
    )


def test_an_interaction_is_found():
    table = grid_table()
    table["loss"] += 9000 / table["m"] ** 0.95 / table["l"] ** 1.3
    fit = quiet_fit(table, AXES, interactions=[("m", "l")])
    assert fit.coefficients["m*l"] == pytest.approx(9000, rel=1e-3)
    assert fit.predict(m=300, l=5, D=2e9) == pytest.approx(
        FLOOR + 275 / 300**0.95 + 6.7 / 5**1.3 + 530 / 2e9**0.3 + 9000 / 300**0.95 / 5**1.3,
        rel=1e-5,
    )


def vary(together, seed, count=100):
    rng = np.random.default_rng(seed)
    m = np.exp(rng.uniform(np.log(256), np.log(4096), count))
    depth = np.exp(rng.uniform(np.log(4), np.log(64), count))
    if together:
        depth = 0.02 * m ** rng.uniform(0.6, 1.4) * np.exp(0.005 * rng.standard_normal(count))
    loss = (FLOOR + 275 / m**0.95 + 6.7 / depth**1.3) * np.exp(0.005 * rng.standard_normal(count))
    return pd.DataFrame({"m": m, "l": depth, "loss": loss})


@pytest.mark.parametrize("together", [True, False])
def test_axes_that_vary_together_are_named_and_no_others(together):
    for seed in range(10):
        fit = quiet_fit(vary(together, seed), ["m", "l"])
        assert together == any("m and l cannot be told apart" in text for text in fit.warnings)


def test_an_axis_that_does_nothing_is_named():
    rng = np.random.default_rng(3)
    table = vary(False, 1).assign(batch=np.exp(rng.uniform(0, 5, 100)))
    fit = quiet_fit(table, ["m", "l", "batch"])
    assert any("depends on batch" in text for text in fit.warnings)
    assert not any("depends on m" in text or "depends on l" in text for text in fit.warnings)


def test_equal_losses_are_dropped_together():
    table = grid_table(0.01, 2)
    highest = table["loss"].nlargest(3)
    table.loc[highest.index[2], "loss"] = highest.iloc[1]
    orders = [table, table[::-1]]
    fits = [quiet_fit(t, AXES, drop_highest=2) for t in orders]
    assert [len(fit.rows) for fit in fits] == [len(table) - 3] * 2
    assert fits[0].objective == pytest.approx(fits[1].objective, rel=1e-9)


def test_other_laws_and_larger_models():
    table = grid_table(0.004, 4)
    table["N"] = 12 * table["m"] ** 2 * table["l"]
    fit = quiet_fit(table, AXES)
    surface = quiet_fit(table, ["N", "D"])
    laws = fit.compare({"L(N, D)": surface})
    assert laws["law"].iloc[0] == "all axes"
    assert laws.set_index("law").loc["L(N, D)", "difference"] > 10
    told = fit.validate("m", 0.7)
    assert (told.table["m"] == 2048).all()
    assert told.error < 0.02  # noise of 0.004, and exponents from three widths
    wrong = quiet_fit(table.assign(loss=table["loss"] + 0.3 * (table["m"] > 1500)), AXES)
    assert wrong.validate("m", 0.7).error > 0.08


def test_resamples_scatter_as_the_errors_say():
    fit = quiet_fit(grid_table(0.004, 6), AXES)
    drawn = fit.bootstrap(samples=80, seed=1)
    for name in AXES:
        spread = drawn.table[f"alpha({name})"].std()
        assert 0.6 * fit.stderr[name] < spread < 1.6 * fit.stderr[name]
    assert drawn.table.equals(fit.bootstrap(samples=80, seed=1).table)
    left_out = fit.influence()
    assert len(left_out) == len(fit.rows)
    k = int(left_out["without"].iloc[0])
    again = quiet_fit(fit.rows.drop(index=k), AXES)
    assert again.exponents["m"] == pytest.approx(left_out["m"].iloc[0], rel=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"axes": "m"}, "axes = 'm' is not allowed: give a list"),
        ({"axes": []}, "give one to five different names"),
        ({"axes": ["m", "m"]}, "give one to five different names"),
        ({"axes": ["m", "width"]}, "no column 'width': its columns are m, l, D, loss"),
        ({"loss": "m"}, "is also an axis"),
        ({"residuals": "cubes"}, "residuals = 'cubes' is not allowed"),
        ({"drop_highest": 48}, "leaves none of 48 points"),
        ({"interactions": [("m", "x")]}, "give pairs of axes"),
        ({"huber": -1}, "huber = -1"),
        ({"floor": 1}, "floor = 1 is not allowed"),
    ],
)
def test_bad_arguments_are_refused(change, message):
    options = {"axes": AXES} | change
    with pytest.raises((ValueError, TypeError), match=message):
        ss.scaling_laws.fit_axes(grid_table(), **options)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("m", 0.0, r"column 'm'\[3\] = 0.0 is not allowed: .* above 0"),
        ("loss", np.nan, r"column 'loss'\[3\] = nan"),
        ("D", "many", "column 'D' = .* has entries that are no real numbers"),
        ("D", None, "column 'D'"),
        ("l", 1j, "column 'l' = .* has entries that are no real numbers"),
        ("m", 10**400, "column 'm' = .* has a number beyond 1e308"),
    ],
)
def test_bad_tables_are_refused(column, value, message):
    table = grid_table().astype(object)
    table.at[3, column] = value
    with pytest.raises((ValueError, TypeError), match=message):
        ss.scaling_laws.fit_axes(table, AXES)


def test_masked_rows_are_refused():
    table = {name: values.to_numpy() for name, values in grid_table().items()}
    table["m"] = np.ma.masked_array(table["m"], mask=np.arange(len(table["m"])) == 1)
    with pytest.raises(TypeError, match="column 'm' = .* no real numbers"):
        ss.scaling_laws.fit_axes(table, AXES)


def test_held_exponents_stay_in_the_range_of_floats():
    fit = quiet_fit(grid_table(0.004, 6), AXES)
    with pytest.raises(ValueError, match=r"m\[0\] = 1e\+300 is not allowed: .* at most"):
        fit.test(m=1e300)
    with pytest.raises(ValueError, match="m, l, D: the law is not finite there"):
        fit.predict(m=1e-308, l=1e-308, D=1e-308)


def test_too_little_is_refused():
    table = grid_table()
    with pytest.raises(ValueError, match="6 points cannot tell 7 parameters"):
        ss.scaling_laws.fit_axes(table[:6], AXES)
    with pytest.raises(ValueError, match="m takes 1 different value"):
        ss.scaling_laws.fit_axes(table[table["m"] == 256], AXES)


def test_grid_minima_are_not_missed_where_there_are_two():
    # Two powers of one axis: a and b may exchange their parts, and both laws are found.
    m = np.geomspace(8, 4096, 40)
    table = pd.DataFrame({"m": m, "k": m**0.7, "loss": 1 + 5 / m**0.4 + 60 / m**1.4})
    law = make_law(table, ["m", "k"], "log")
    minima = find_minima(law)
    found = [tuple(x[:2] * [1, 0.7]) for _, x in minima if _ < 1e-12]
    for wanted in itertools.permutations((0.4, 1.4)):
        assert any(np.allclose(x, wanted, rtol=1e-3) for x in found)
