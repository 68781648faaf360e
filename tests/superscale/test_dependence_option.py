"""The option --dependence: the same numbers as from Python, and errors that name the file."""

import json

import pytest

import superscale as ss
from superscale.commands import app


def call(capsys, *arguments):
    code = app.run([str(one) for one in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_run_on_exclusive_features(capsys, tmp_path):
    file, run = tmp_path / "sets.json", tmp_path / "run.safetensors"
    sets = [list(range(k, 30, 5)) for k in range(5)]
    file.write_text(json.dumps({"exclusive": sets}))
    code, _, err = call(
        capsys, "train", "--n", 30, "--m", 4, "--steps", 20, "--batch", 16,
        "--dependence", file, "--output", run,
    )  # fmt: skip
    assert code == 0, err
    code, out, err = call(capsys, "loss", run, "--json")
    assert code == 0, err
    words = ss.Frequencies.power_law(30, 1.0)
    model = ss.TrainingRun.load(run).model
    exact = ss.population_loss(model, ss.Features.exclusive(words, sets)).loss
    assert json.loads(out)["loss"] == pytest.approx(exact, rel=1e-9)
    code, out, _ = call(capsys, "loss", run, "--alpha", 1, "--n", 30, "--json")
    alone = ss.population_loss(model, words).loss
    assert code != 0 or json.loads(out)["loss"] == pytest.approx(alone, rel=1e-9)
    code, out, _ = call(capsys, "predict", "--n", 30, "--m", 4, "--dependence", file, "--json")
    assert code == 0
    # The mean field is among the theories of independent features only.
    predicted = ss.predict(ss.Features.exclusive(words, sets), 4).loss
    assert json.loads(out)["rows"][0]["predicted"] == pytest.approx(predicted)
    assert "mean_field" not in predicted


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({"exclusive": [[0, 99]]}, "whole number from 0 to 29"),
        ({"parents": [1, 0]}, "2 parents for 30 features"),
        ({"weights": [1.0]}, "it lacks 'tilt'"),
        ({"weights": [1.0], "tilt": [[1.0]]}, "a row for each"),
        ({"groups": [[0, 1]], "causes": 0.01}, "lies between"),
        ({"sets": []}, "give one of exclusive"),
        ({"exclusive": 5}, "sets = 5 is not allowed: give a list"),
        ({"parents": 3}, "parents = 3 is not allowed: give a list"),
        ({"weights": "a", "tilt": [[1.0]]}, "weights = 'a' has entries that are no real numbers"),
        ({"weights": [1.0], "tilt": "b"}, "tilt = 'b' has entries that are no real numbers"),
        ({"groups": [[0]], "causes": [0.1, 0.2]}, "causes has shape (2,)"),
        ([1], "no JSON object"),
    ],
)
def test_errors_name_the_file(capsys, tmp_path, described, message):
    file = tmp_path / "some.json"
    file.write_text(json.dumps(described))
    code, _, err = call(capsys, "predict", "--n", 30, "--m", 4, "--dependence", file)
    assert code != 0
    assert "some.json" in " ".join(err.split())
    assert message in " ".join(err.split())
