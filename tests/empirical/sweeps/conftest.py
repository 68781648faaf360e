from pathlib import Path

import pytest

from empirical.sweeps.sweep import sweep
from empirical.training.run import TrainingRun


@pytest.fixture(scope="session")
def contents():
    """Return a function: what training wrote to a folder, file by file, without the seconds."""

    def read(folder):
        runs = {path.name: TrainingRun.load(path) for path in Path(folder).glob("*.safetensors")}
        return {
            name: (run.model.W.tobytes(), run.model.b.tobytes(), run.loss, run.losses.tobytes())
            for name, run in runs.items()
        }

    return read


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory, contents):
    """The result of a sweep that nothing disturbs, and its files."""
    grid = {"m": [3, 5], "alpha": [0.5, 1.5], "weight_decay": [-1.0, 0.5], "n": 40}
    quick = {"steps": 60, "batch": 16, "evaluation_samples": 500}
    folder = tmp_path_factory.mktemp("undisturbed")
    return sweep(grid, store=folder, workers=1, **quick), contents(folder)
