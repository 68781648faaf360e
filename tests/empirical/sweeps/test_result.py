from dataclasses import replace

import numpy as np
import pytest

from empirical.sweeps.result import SweepResult


def test_exponents_and_pictures(undisturbed):
    result, _ = undisturbed
    exponents = result.exponents()
    table = result.to_dataframe()
    assert len(exponents) == 4
    first = exponents.iloc[0]
    losses = table[
        (table.alpha == first.alpha) & (table.weight_decay == first.weight_decay)
    ].loss.to_numpy()
    assert first.exponent == pytest.approx(-np.log(losses[1] / losses[0]) / np.log(5 / 3))
    # What is solved for is drawn in tests/test_results.py and tests/test_architecture.py.
    axes = result.plot(theory=("weak", "strong_even"))
    assert len(axes.lines) >= 4
    for quantity in ("exponent", "phi_half", "dead_fraction"):
        image = result.plot_phase(quantity).collections[0].get_array()
        assert image.shape == (2, 2)
    with pytest.raises(ValueError, match="no quantity 'beauty'"):
        result.plot_phase("beauty")
    with pytest.raises(ValueError, match="m = 4 is not in the sweep"):
        result.plot_phase("loss", m=4)
    other = SweepResult((*result.rows, replace(result.rows[0], density=2.0)))
    with pytest.raises(
        ValueError, match=r"a phase diagram needs one density: the sweep has \[1.0, 2.0\]"
    ):
        other.plot_phase("loss")
    with pytest.raises(ValueError, match="at least two alphas and two weight decays"):
        SweepResult(result.rows[:2]).plot_phase("loss")
    assert str(result) == repr(result) == "8 runs over alpha (2), weight_decay (2), m (2)"


def test_to_xarray(undisturbed):
    pytest.importorskip("xarray")
    result, _ = undisturbed
    cube = result.to_xarray()
    table = result.to_dataframe()
    row = table.iloc[5]
    found = cube.loss.sel(
        m=row.m, alpha=row.alpha, weight_decay=row.weight_decay, seed=0, recipe="fast"
    )
    assert float(found.squeeze()) == row.loss
    assert cube.sizes["m"] == 2 and cube.sizes["weight_decay"] == 2
