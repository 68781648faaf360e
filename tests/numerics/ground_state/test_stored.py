"""What studies/ground_state stored: no trained model is below a ground state."""

import json
from pathlib import Path

import numpy as np
import pytest

from numerics.ground_state.search import ground_state
from theory.activation import Activation
from theory.features import Features
from theory.frequencies import Frequencies
from theory.regimes.weak import weak_loss

STUDIES = Path(__file__).parents[3] / "studies" / "ground_state"


def rows(name, *keys):
    found = json.loads((STUDIES / name).read_text(encoding="utf-8"))
    for key in keys:
        found = found[key]
    return found


def alike(n, p, importance):
    return Features(Frequencies.from_probabilities([p] * n), Activation(0, 1), importance)


def test_never_above_the_best_of_fifty_trained_models():
    stored = rows("against_training.json", "rows")
    assert len({(row["n"], row["m"], row["p"], row["ratio"]) for row in stored}) >= 10
    for row in stored:
        # Exact losses: no tolerance but that of the polish.
        assert row["ground"] <= row["best_trained"]
        assert row["ground"] <= row["best_finished"] * (1 + 1e-8)
        assert row["best_finished"] <= row["best_trained"]
        # The comparison means something: training came close.
        assert row["best_trained"] < 1.1 * row["ground"]


def test_stored_ground_states_are_found_again():
    row = rows("against_training.json", "rows")[0]
    features = alike(row["n"], row["p"], row["ratio"] ** np.arange(row["n"]))
    assert ground_state(features, row["m"], starts=6).loss == pytest.approx(row["ground"], rel=1e-7)
    cells = rows("phases.json", "diagrams", "n = 2, m = 1")
    for cell in cells[5::40]:
        found = ground_state(alike(2, cell["p"], [1, cell["importance"]]), 1, starts=6)
        assert found.loss <= cell["loss"] * (1 + 1e-7)
        assert cell["loss"] <= weak_loss(found.features, 1) * (1 + 1e-7)


@pytest.mark.parametrize(("name", "m"), [("five", 2), ("twenty", 5)])
def test_shares_of_a_dimension_do_not_exceed_the_width(name, m):
    for row in rows("sparsity.json", name):
        assert sum(row["dimensionalities"]) <= m + 1e-6
        assert row["loss"] <= row["weak"] * (1 + 1e-9)
