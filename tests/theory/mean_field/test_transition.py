"""Even frequencies around the critical width: scaling, monotony and limits of the mean field."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

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


@settings(max_examples=2)
@given(
    st.integers(16, 40), st.integers(2, 4), st.floats(0.1, 2), st.sampled_from([0.0, 0.5, 1.0, 1.5])
)
@example(40, 4, 1.0, 1.5)
def test_monotony(n, m, E, alpha):
    """The loss falls with m, and rises with E."""
    E = min(E, 0.8 * float(np.sum(np.arange(1, n + 1) ** -alpha)))
    here = solve_mean_field(Frequencies.power_law(n, alpha, E), m)
    wider = solve_mean_field(Frequencies.power_law(n, alpha, E), m + 2)
    denser = solve_mean_field(Frequencies.power_law(n, alpha, 1.2 * E), m)
    room = 2 * here.uncertainty
    assert wider.loss < here.loss + room and here.loss < denser.loss + room


@given(st.integers(3, 40), st.floats(0.1, 1), st.sampled_from([0.0, 1.0]))
@settings(max_examples=3)
def test_a_direction_for_each_feature_loses_nothing(n, E, alpha):
    found = solve_mean_field(Frequencies.power_law(n, alpha, E), n)
    assert found.loss == 0 and found.live == n
    assert solve_mean_field(Frequencies.power_law(n, alpha, E), n - 1).loss > 0


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
