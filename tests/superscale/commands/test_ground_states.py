"""superscale ground-state as a user meets it."""

import json

import numpy as np
import pytest

import superscale as ss


def test_pentagon(call, tmp_path):
    options = ["--n", 5, "--m", 2, "--p", 0.05, "--activation", "0:1", "--starts", 4]
    code, out, _ = call("ground-state", *options, "--output", tmp_path / "x.png", "--json")
    record = json.loads(out)
    features = ss.Features(ss.Frequencies.from_probabilities([0.05] * 5), ss.Activation(0, 1))
    state = ss.ground_state(features, 2, starts=4)
    assert code == 0 and record["loss"] == state.loss and record["shapes"] == ["pentagon"]
    assert np.array_equal(record["W"], state.W)
    assert record["dimensionality"] == pytest.approx(2) and (tmp_path / "x.png").exists()
    _, out, _ = call("ground-state", *options)
    assert "pentagon" in out and "D_i" in out
    _, out, _ = call("ground-state", *options, "--csv")
    assert out.startswith("p,importance,norm,bias,") and len(out.splitlines()) == 6


def test_importance_and_a_law(call):
    options = ["--n", 4, "--m", 1, "--alpha", 0.5, "--density", 0.4, "--importance", "0.5^i"]
    code, out, _ = call("ground-state", *options, "--starts", 2, "--json")
    rows = json.loads(out)["rows"]
    assert code == 0 and [row["importance"] for row in rows] == [0.5, 0.25, 0.125, 0.0625]
    assert sum(row["p"] for row in rows) == pytest.approx(0.4)


def test_finish_a_run(call, tmp_path):
    run = ss.train(ss.Frequencies.power_law(8, 1.0), 2, batch=64, steps=300)
    run.save(tmp_path / "run.safetensors")
    code, out, _ = call("ground-state", "--start", tmp_path / "run.safetensors", "--json")
    record = json.loads(out)
    assert code == 0 and record["starts"] == 1 and record["trained"] == run.loss
    assert record["loss"] <= ss.population_loss(run.model, run.features).loss
    code, _, err = call("ground-state", "--start", tmp_path / "run.safetensors", "--n", 8)
    assert code == 2 and "leave --n out" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--m is missing"),
        (["--m", 2, "--p", 0.1, "--alpha", 1], "not both"),
        (["--m", 2, "--p", 1.5], "p = 1.5"),
        (["--m", 9], "m = 9"),
    ],
)
def test_bad_input(call, options, message):
    code, _, err = call("ground-state", *options)
    assert code == 2 and message in err


def test_required_width(call):
    code, out, _ = call("required-width", "--loss", 0.1, "--alpha", 1.5, "--theory", "weak")
    words = ss.Frequencies.power_law(1000, 1.5)
    m = ss.required_width(words, loss=0.1, theory="weak")
    assert code == 0 and f"m = {m}" in out
    _, out, _ = call("required-width", "--kept", 40, "--theory", "weak", "--json")
    assert json.loads(out)["m"] == 40
    code, _, err = call("required-width", "--alpha", 1.5)
    assert code == 2 and "one of --loss and --kept" in err
