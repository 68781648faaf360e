import copy
import pickle

import numpy as np
import pytest

from empirical.training.run import TrainingRun
from empirical.training.train import train
from theory.activation import Activation
from theory.features import Features, as_features
from theory.frequencies import Frequencies

SMALL = Frequencies.power_law(40, 1.0, density=2.0)
QUICK = {"recipe": "paper", "batch": 32, "steps": 120, "evaluation_samples": 1000}


@pytest.mark.parametrize(
    "f",
    [
        SMALL,
        Frequencies.exponential(30, 5.0),
        Frequencies.linear(30),
        Frequencies.from_counts([9, 5, 0, 1, 1, 1, 1, 1]),
        Features(SMALL, Activation(0.5, 1.5, (1, 2))),
        Features(SMALL, importance=np.linspace(2, 1, 40)),
    ],
    ids=str,
)
def test_runs_come_back_as_they_were(tmp_path, f):
    run = train(f, 5, **QUICK | {"steps": 20})
    run.save(tmp_path / "run.safetensors")
    back = TrainingRun.load(tmp_path / "run.safetensors")
    assert np.array_equal(back.model.W, run.model.W) and np.array_equal(back.model.b, run.model.b)
    assert back.features == run.features == as_features(f) and back.settings == run.settings
    assert (back.loss, back.stderr, back.samples) == (run.loss, run.stderr, run.samples)
    assert back.to_dataframe().equals(run.to_dataframe())
    assert [p.name for p in tmp_path.iterdir()] == ["run.safetensors"]


def test_runs_are_copied_and_pickled():
    run = train(Features(SMALL, importance=np.linspace(2, 1, 40)), 5, **QUICK | {"steps": 20})
    for twin in (copy.deepcopy(run), pickle.loads(pickle.dumps(run))):
        assert np.array_equal(twin.model.W, run.model.W) and twin.features == run.features
        assert twin.settings == run.settings and str(twin) == str(run)


def test_runs_print_and_plot():
    from matplotlib.figure import Figure

    run = train(SMALL, 6, **QUICK)
    assert "n = 40, m = 6" in str(run) and repr(run) == str(run)
    assert "<table" in run._repr_html_()
    assert len(run.plot(Figure().add_subplot()).lines) == 2


def test_files_that_are_no_runs(tmp_path):
    for path, message in ((tmp_path, "is a directory"), (tmp_path / "no", "does not exist")):
        with pytest.raises(ValueError, match=message):
            TrainingRun.load(path)
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ValueError, match="cannot be read"):
        TrainingRun.load(tmp_path / "text")
    from safetensors.numpy import save_file

    save_file({"x": np.zeros(3)}, tmp_path / "foreign")
    with pytest.raises(ValueError, match="holds no format"):
        TrainingRun.load(tmp_path / "foreign")
    with pytest.raises(ValueError, match="is a directory"):
        train(SMALL, 6, **QUICK).save(tmp_path)
