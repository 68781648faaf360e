"""superscale loss and superscale overlaps as a user meets them."""

import io
import json

import numpy as np
import pandas as pd
import pytest

import superscale as ss


def test_loss_of_a_run(call, saved, tmp_path):
    run = ss.TrainingRun.load(saved)
    code, out, _ = call("loss", saved, "--json")
    record = json.loads(out)
    words = run.features.frequencies
    exact = ss.population_loss(run.model, words)
    assert code == 0 and record["loss"] == exact.loss
    assert record["parts"] == dict(exact.parts) and len(record["rows"]) == 60
    assert abs(run.loss - exact.loss) < 4 * run.stderr
    # Other frequencies, another sampling, another tolerance.
    _, out, _ = call("loss", saved, "--alpha", 2.0, "--rtol", 1e-3, "--json")
    f = ss.Frequencies.power_law(60, 2.0)
    assert json.loads(out)["loss"] == ss.population_loss(run.model, f, rtol=1e-3).loss
    _, out, _ = call("loss", saved, "--sampling", "one_hot", "--json")
    assert json.loads(out)["loss"] == ss.population_loss(run.model, words, "one_hot").loss
    code, out, _ = call("loss", saved, "--output", tmp_path / "x.png")
    assert "expected loss" in out and "interference_silent" in out and (tmp_path / "x.png").exists()
    _, out, _ = call("loss", saved, "--csv")
    assert out.splitlines()[0].startswith("loss,lost,self,") and len(out.splitlines()) == 61


def test_loss_of_a_run_with_another_law_of_v(call, tmp_path):
    f, v = ss.Frequencies.power_law(9, 1.0), ss.Activation(1, 2)
    run = ss.train(ss.Features(f, v), 2, batch=16, steps=10)
    run.save(tmp_path / "other.safetensors")
    _, out, _ = call("loss", tmp_path / "other.safetensors", "--json")
    model = ss.TrainingRun.load(tmp_path / "other.safetensors").model
    expected = ss.population_loss(model, ss.Features(f, v)).loss
    assert json.loads(out)["loss"] == pytest.approx(expected, rel=1e-9)
    assert expected != pytest.approx(ss.population_loss(model, f).loss, rel=0.1)


def test_overlaps_of_a_matrix(call, saved, tmp_path):
    W = ss.TrainingRun.load(saved).model.W
    code, out, _ = call("overlaps", saved, "--tensor", "W", "--json", "--threshold", 0.1)
    rows = json.loads(out)["rows"]
    assert code == 0 and [row["treatment"] for row in rows] == ["raw", "centred", "top 1 removed"]
    exact = ss.overlaps(W.astype(np.float32), thresholds=(0.1,))  # as it is in the file
    assert {k: v["value"] for k, v in rows[0]["statistics"].items()} == dict(exact.values)
    assert rows[0]["statistics"]["mean_square"]["welch"] == exact.welch
    np.save(tmp_path / "W.npy", W)
    code, out, _ = call(
        "overlaps", tmp_path / "W.npy", "--csv", "--rows", ":20", "--against", "20:"
    )
    table = pd.read_csv(io.StringIO(out))
    between = ss.overlaps(W, rows=range(20), against=range(20, 60))
    assert table["value"][0] == pytest.approx(between.mean, rel=1e-12)
    code, out, _ = call(
        "overlaps",
        tmp_path / "W.npy",
        "--alpha",
        1,
        "--remove",
        2,
        "-o",
        tmp_path / "o.svg",
    )
    assert "top 2 removed" in out and "welch" in out and (tmp_path / "o.svg").exists()
    _, out, _ = call("overlaps", tmp_path / "W.npy", "--pairs", "sample", "--samples", 99)
    assert "sampled pairs" in out and "±" in out
