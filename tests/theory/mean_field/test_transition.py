"""Around the critical width: scaling, limits and monotony of the mean field."""

import json
from pathlib import Path

import pytest

from theory.frequencies import Frequencies
from theory.mean_field.solve import solve_mean_field

STUDY = Path(__file__).parents[3] / "studies" / "transition" / "over_alpha.json"


def even(n, E):
    return Frequencies.power_law(n, 0.0, E)


def test_live_features_do_not_depend_on_how_many_are_lost():
    """Below the critical width their number is a function of p and m: the lost ones do nothing."""
    p, m = 0.01, 12
    some, more = (solve_mean_field(even(n, p * n), m) for n in (400, 800))
    assert some.live < 0.6 * 400
    assert more.live == pytest.approx(some.live, rel=0.03)
    assert more.loss - some.loss == pytest.approx(400 * (4 / 3 * p - p**2), rel=2e-3)
    # At the same E it is another number.
    denser = solve_mean_field(even(800, 4.0), m)
    assert denser.live != pytest.approx(some.live, rel=0.1)


def test_a_direction_for_each_feature_loses_nothing():
    n, E = 3, 1.0
    found = solve_mean_field(even(n, E), n)
    # At n = m = 3 the smooth minimum is within 3e-11 of 0.
    assert found.loss < 1e-9 * E and found.live == n
    assert solve_mean_field(even(n, E), n - 1).loss > 1e-4 * E


def test_stored_losses_rise_with_n_and_density_and_fall_with_m():
    """Every stored setting, at alpha = 0 to 1.5; over m/E alone the losses do not collapse."""
    settings_ = json.loads(STUDY.read_text(encoding="utf-8"))["settings"]
    loss = {
        (s["alpha"], s["n"], s["density"], w["m"]): (w["loss"], w["uncertainty"] * w["loss"])
        for s in settings_
        for w in s["widths"]
        if "loss" in w
    }
    pairs = 0
    for (alpha, n, E, m), (value, error) in loss.items():
        more = [(alpha, 10 * n, E, m), (alpha, n, 10 * E, m)]
        more += [(alpha, n, E, m // 10), (alpha, n, E, m // 2)]
        for other in more:
            if other in loss:
                pairs += 1
                assert value < loss[other][0] + error + loss[other][1], (alpha, n, E, m, other)
    assert pairs > 60
    scaled = [loss[0.0, 1000, E, int(20 * E)][0] / E for E in (1.0, 10.0)]
    assert max(scaled) > 1.5 * min(scaled)
