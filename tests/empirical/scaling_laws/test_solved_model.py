"""Which solved models agree with losses: the true one is among them, wrong ones are not."""

import numpy as np
import pytest
from scipy.optimize import minimize

import superscale as ss
from empirical.scaling_laws.loss_points import read_points
from empirical.scaling_laws.solved_model import sum_squares

M = np.array([4, 6, 10, 16, 25, 40, 63])
TRIED = {"n": [100, 400], "alpha": [0.5, 1.0, 1.5, 2.0], "density": [0.5, 1.0]}


def losses(alpha=1.5, n=400, density=1.0, scale=3.0, floor=0.4, noise=0.0, seed=0, theory="weak"):
    words = ss.Frequencies.power_law(n, alpha, density)
    curve = np.asarray(ss.predict(words, M, theory=theory).loss[theory])
    error = np.random.default_rng(seed).standard_normal(M.size)
    return (scale * curve + floor) * np.exp(noise * error)


def test_exact_losses_give_back_the_model():
    fit = ss.scaling_laws.fit_solved_model(M, losses(), theory="weak", **TRIED)
    assert fit.best["alpha"] == 1.5 and fit.best["n"] == 400
    assert fit.best["scale"] == pytest.approx(3, rel=0.02)
    assert fit.best["floor"] == pytest.approx(0.4, rel=0.02)


@pytest.mark.parametrize("alpha", [1.0, 2.0])
def test_the_true_exponent_is_compatible_as_often_as_it_should_be(alpha):
    inside, wrong = 0, 0
    for seed in range(20):
        fit = ss.scaling_laws.fit_solved_model(
            M, losses(alpha, noise=0.002, seed=seed), n=400, alpha=[0.5, 1.0, 1.5, 2.0],
            theory="weak",
        )  # fmt: skip
        kept = set(fit.table.loc[fit.table["compatible"], "alpha"])
        inside += alpha in kept
        wrong += 0.5 in kept
    assert inside >= 16  # nominal 95 %: fewer than 16 of 20 has a chance of 3e-4
    assert wrong == 0


def test_what_the_losses_cannot_say_is_said():
    # The weak curve at n >> m is a power law for alpha > 1: n = 1000 or 4000 hardly matters.
    fit = ss.scaling_laws.fit_solved_model(
        M, losses(2.0, noise=0.01), n=[1000, 4000], alpha=[1.0, 2.0], theory="weak"
    )
    assert any("do not say n" in text for text in fit.notes)
    assert not any("do not say alpha" in text for text in fit.notes)
    assert fit.intervals["n"].open_low and fit.intervals["n"].open_high


def test_scale_does_not_matter():
    one, two = (
        ss.scaling_laws.fit_solved_model(M, k * losses(noise=0.01), theory="weak", **TRIED)
        for k in (1, 7)
    )
    np.testing.assert_allclose(one.table["rss"], two.table["rss"], rtol=1e-9)
    assert two.best["scale"] == pytest.approx(7 * one.best["scale"])


def test_groups_share_the_scale_and_have_a_floor_each():
    floors = {"web": 0.4, "books": 1.3}
    loss = np.concatenate(
        [losses(floor=x, noise=0.001, seed=k) for k, x in enumerate(floors.values())]
    )
    names = np.repeat(list(floors), M.size)
    mixed = np.random.default_rng(0).permutation(names.size)
    fit = ss.scaling_laws.fit_solved_model(
        np.tile(M, 2)[mixed], loss[mixed], groups=names[mixed], theory="weak", **TRIED
    )
    assert fit.best["alpha"] == 1.5 and fit.best["n"] == 400
    assert fit.best["scale"] == pytest.approx(3, rel=0.02)
    for name, floor in floors.items():
        assert fit.floors[name] == pytest.approx(floor, rel=0.01)
    # One floor for both does not do.
    alone = ss.scaling_laws.fit_solved_model(np.tile(M, 2), loss, theory="weak", **TRIED)
    assert alone.table["rss"].min() > 1000 * fit.table["rss"].min()


def test_the_profile_interval_covers_an_exponent_between_those_tried():
    alpha, inside, outside = np.linspace(1, 2, 5), 0, 0
    for seed in range(40):
        fit = ss.scaling_laws.fit_solved_model(
            M, losses(1.537, noise=0.01, seed=seed), n=400, alpha=alpha, theory="weak"
        )
        inside += fit.intervals["alpha"].low <= 1.537 <= fit.intervals["alpha"].high
        outside += not fit.intervals["alpha"].low <= 1.9 <= fit.intervals["alpha"].high
    # Nominal 95 %: 33 of 40 or fewer has a chance of 2e-3.
    assert 34 <= inside
    assert outside == 40


def test_impossible_combinations_are_left_out_and_said():
    fit = ss.scaling_laws.fit_solved_model(
        M, losses(), n=400, alpha=[1.5, 2.0], density=[1.0, 50.0], theory="weak"
    )
    assert len(fit.table) == 2 and "2 combinations were left out" in fit.notes[-1]
    assert fit.plot().get_xscale() == "log"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"m": [1, 2, 3]}, "m has 3 entries for 7 points"),
        ({"loss": -losses()}, "loss contains -"),
        ({"n": 1}, "n = 1"),
        ({"alpha": -1}, "alpha = -1"),
        ({"density": 0}, "density = 0"),
        ({"density": 500}, "no combination can be computed"),
        ({"level": 2}, "level = 2"),
        ({"theory": "newton"}, "newton"),
    ],
)
def test_bad_arguments_are_refused(change, message):
    options = {"m": M, "loss": losses(), "n": 400, "alpha": 1.5, "theory": "weak"} | change
    with pytest.raises(ValueError, match=message):
        ss.scaling_laws.fit_solved_model(options.pop("m"), options.pop("loss"), **options)


@pytest.mark.parametrize("floor", [True, False])
def test_sums_of_squares_of_many_curves(floor):
    """The floors eliminated by hand, and by least squares with signs."""
    rng = np.random.default_rng(0)
    points = read_points(np.tile(M, 2), rng.uniform(1, 3, 14), np.repeat(["a", "b"], 7))
    curves = rng.uniform(0, 1, (40, 14)) + (M.max() / np.tile(M, 2))[None, :] * rng.uniform(
        -1, 1, (40, 1)
    )
    fast = sum_squares(curves, points, floor)
    for curve, found in zip(curves, fast, strict=True):
        bounds = [(0, None)] * (3 if floor else 1)

        def squares(x, curve=curve):
            floors = x[1:][points.index] if floor else 0
            return np.sum(((x[0] * curve + floors) / points.loss - 1) ** 2)

        plain = minimize(squares, np.ones(len(bounds)), bounds=bounds, options={"ftol": 1e-14})
        assert found == pytest.approx(plain.fun, rel=1e-5)
