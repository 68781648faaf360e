"""superscale loss and superscale overlaps as a user meets them."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

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
    assert "expected loss" in out and "interference while off" in out
    assert (tmp_path / "x.png").exists()
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


def test_overlaps_of_columns(call, tmp_path):
    W = np.random.default_rng(0).standard_normal((40, 8))
    np.save(tmp_path / "W.npy", W)
    np.savez(tmp_path / "sae.npz", W_enc=W.T, b=np.zeros(3))
    right = json.loads(call("overlaps", tmp_path / "W.npy", "--json")[1])
    found = json.loads(call("overlaps", tmp_path / "sae.npz", "--transpose", "--json")[1])
    assert found["rows"] == right["rows"]
    assert found["notes"] == right["notes"] == []
    assert (found["settings"]["transpose"], found["settings"]["tensor"]) == (True, "W_enc")
    wrong = json.loads(call("overlaps", tmp_path / "sae.npz", "--json")[1])
    assert wrong["settings"]["n"] == 8
    assert "fewer rows (8) than columns (40)" in wrong["notes"][0]
    code, out, _ = call("overlaps", tmp_path / "sae.npz")
    assert code == 0
    assert f"note: {wrong['notes'][0]}" in out


def test_overlaps_reads_what_analyze_reads(call, tmp_path):
    V = np.random.default_rng(0).standard_normal((40, 8)).astype(np.float32)
    first, second = (f"model-0000{k}-of-00002.safetensors" for k in (1, 2))
    save_file({"model.embed_tokens.weight": V + 1, "model.layers.0.x.weight": V}, tmp_path / first)
    save_file({"lm_head.weight": V}, tmp_path / second)
    np.save(tmp_path / "W.npy", V)
    right = json.loads(call("overlaps", tmp_path / "W.npy", "--json")[1])["rows"]
    for source in (tmp_path, tmp_path / first):
        found = json.loads(call("overlaps", source, "--json")[1])
        assert found["rows"] == right
        assert found["settings"]["tensor"] == "lm_head.weight"
    (tmp_path / second).unlink()
    code, _, err = call("overlaps", tmp_path)
    assert code == 2
    assert f"({second} missing)" in err
