import numpy as np
import pytest

from empirical.sweeps.grid import expand
from empirical.sweeps.sweep import sweep
from theory.frequencies import Frequencies

GRID = {"m": [3, 5], "alpha": [0.5, 1.5], "weight_decay": [-1.0, 0.5], "n": 40}
QUICK = {"steps": 60, "batch": 16, "evaluation_samples": 500}


def test_expand_is_the_product_wide_models_first():
    cells = expand(GRID | {"seed": [0, 1]}, **QUICK)
    assert len(cells) == 16
    assert [cell.place["m"] for cell in cells] == [5] * 8 + [3] * 8
    assert len({tuple(cell.place.items()) for cell in cells}) == 16
    cell = cells[0]
    assert cell.m == 5 and cell.settings.weight_decay == cell.place["weight_decay"]
    assert cell.settings.recipe == "fast" and cell.settings.batch == 16


def test_expand_of_laws():
    own = Frequencies.from_counts([3, 2, 1, 1])
    cells = expand({"m": 2, "frequencies": [own]})
    assert cells[0].features.frequencies is own and np.isnan(cells[0].place["alpha"])
    laws = expand({"m": 2, "n": 20, "density": 0.5, "frequencies": ["linear", "exponential:7"]})
    assert [cell.features.frequencies.law for cell in laws] == ["linear", "exponential"]
    assert laws[1].features.frequencies.parameter == 7 and laws[1].features.density == 0.5
    arrays = expand({"m": np.array([2, 3]), "alpha": np.linspace(0, 1, 3), "n": 20})
    assert len(arrays) == 6 and type(arrays[0].place["alpha"]) is float


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({}, "lacks widths"),
        ({"m": [3], "beta": 1}, "unknown axis 'beta': a grid has frequencies"),
        ({"m": []}, "m is empty"),
        ({"m": [3, 3]}, "give each value once"),
        ({"m": 3, "n": 2}, "m = 3"),
        ({"m": 3, "frequencies": "zipf"}, "frequencies = 'zipf' is not allowed"),
        ({"m": 3, "frequencies": "exponential"}, "'exponential' is not allowed"),
        ({"m": 3, "frequencies": "linear", "alpha": 1}, "alpha goes with power_law"),
        ({"m": 1, "frequencies": Frequencies.linear(5), "density": 1}, "have their own density"),
        ({"m": 3, "recipe": "slow"}, "recipe = 'slow' is not allowed"),
    ],
)
def test_bad_grids(grid, message):
    with pytest.raises(ValueError, match=message):
        sweep(grid)


def test_tables_that_look_alike_are_two_curves():
    laws = [Frequencies.from_probabilities(p) for p in ([0.5, 0.3, 0.2], [0.5, 0.25, 0.25])]
    cells = expand({"m": np.array(2), "frequencies": laws, "seed": [np.int64(3)]})
    assert len({cell.place["frequencies"] for cell in cells}) == 2
    assert {type(cell.place["seed"]) for cell in cells} == {int}
