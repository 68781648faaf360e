"""``superscale analyze`` as a user meets it."""

import io
import json

import numpy as np
import pandas as pd
import pytest

import superscale as ss
from superscale.commands.output import to_json

# In no order, so that they do not look like ranks.
COUNTS = np.arange(90) * 37 % 90


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    for m in (6, 12):
        np.save(tmp_path / f"width{m}.npy", rng.standard_normal((90, m)) + 0.3)
    (tmp_path / "counts.csv").write_text(
        "token,count\n" + "".join(f"t{k},{count}\n" for k, count in enumerate(COUNTS))
    )
    (tmp_path / "two.csv").write_text("a,b\n" + "".join(f"{k},{k * k}\n" for k in range(90)))
    (tmp_path / "bad.npy").write_text("x")
    broken = np.ones((4, 3))
    broken[2, 1] = np.nan
    np.save(tmp_path / "nan.npy", broken)
    np.save(tmp_path / "flat.npy", np.ones(5))
    np.save(tmp_path / "few.npy", np.eye(5))
    return tmp_path


def test_one_model(call, files):
    path = files / "width12.npy"
    report = ss.unembeddings.analyze(path, seed=3)
    code, out, err = call("analyze", path, "--seed", 3)
    assert code == 0 and err == "" and "width12: 90 tokens in 12 dimensions" in out
    assert f"{report['centred'].mean_square:.5g}" in out and "top 1 removed" in out
    assert "weak superposition has m/n = 0.133" in out and "note: raw: the published form" in out
    code, out, _ = call("analyze", path, "--json", "--seed", 3)
    record = json.loads(out)
    assert record["rows"] == [json.loads(to_json(report.to_dict()))] and record["failures"] == []
    assert record["settings"]["seed"] == 3 and record["exponents"] == {}
    code, out, _ = call("analyze", path, "--csv", "--remove", 4)
    table = pd.read_csv(io.StringIO(out))
    assert {"mean_square", "participation", "size_part", "norm_mean"} <= set(table["quantity"])
    assert "top 4 removed" in set(table["treatment"])


def test_counts(call, files):
    path = files / "width6.npy"
    report = ss.unembeddings.analyze(path, counts=COUNTS)
    code, out, _ = call("analyze", path, "--counts", files / "counts.csv")
    weighted = report.weighted_overlaps.results[0].mean_square
    assert code == 0 and f"{weighted:.5g}" in out and "mean square, weighted" in out
    options = ["--counts", files / "two.csv", "--column", "b", "--json"]
    record = json.loads(call("analyze", path, *options)[1])
    squared = ss.unembeddings.analyze(path, counts=np.arange(90) ** 2).weighted_cross_entropies[1]
    assert record["rows"][0]["weighted_cross_entropy"][1]["size_part"] == squared.size_part


def test_several_models(call, files):
    paths = [files / "width6.npy", files / "width12.npy"]
    outputs = [x for name in ("f.png", "f.svg", "f.csv", "f.json") for x in ("-o", files / name)]
    code, out, err = call("analyze", *paths, *outputs)
    family = ss.unembeddings.analyze_many(paths)
    assert code == 0 and err.count("wrote ") == 4
    assert f"centred {family.exponents['centred']}" in out and "published models" in out
    assert (files / "f.png").read_bytes().startswith(b"\x89PNG")
    table = pd.read_csv(files / "f.csv")
    assert table["model"].tolist() == ["width6", "width12"]
    assert table["mean_square_raw"].tolist() == pytest.approx(
        [one["raw"].mean_square for one in family.reports]
    )
    record = json.loads((files / "f.json").read_text())
    assert record["exponents"]["raw"]["value"] == family.exponents["raw"].value
    assert [row["m"] for row in record["rows"]] == [6, 12]


def test_a_bad_source_among_several(call, files):
    paths = [files / "width6.npy", files / "bad.npy", files / "width12.npy", files / "nan.npy"]
    code, out, err = call("analyze", *paths, "-o", files / "f.png")
    assert code == 2 and "width6" in out and "width12" in out and (files / "f.png").exists()
    lines = [line for line in err.splitlines() if not line.startswith("wrote")]
    assert len(lines) == 2 and all(x.startswith("superscale: did not finish: ") for x in lines)
    assert "bad.npy" in lines[0] and "nan.npy: row 2 " in lines[1]
    code, out, _ = call("analyze", *paths, "--json")
    assert code == 2 and len(json.loads(out)["failures"]) == 2


BAD = {
    "no file": (["no.npy"], "no.npy does not exist"),
    "no matrix": (["bad.npy"], "bad.npy"),
    "NaN": (["nan.npy"], "nan.npy: row 2 of the matrix has NaN"),
    "one dimension": (
        ["flat.npy"],
        "flat.npy has no tensor that is known as an unembedding",
    ),
    "none good": (["bad.npy", "no.npy"], "no.npy does not exist"),
    "tensor of an array": (["width6.npy", "--tensor", "W"], "has no tensor 'W': it has the array"),
    "too many removed": (["width6.npy", "--remove", 6], "remove = 6"),
    "negative seed": (["width6.npy", "--seed", -1], "seed = -1"),
    "too many counts": (["few.npy", "--counts", "counts.csv"], "few.npy: counts has 90 entries"),
    "rows beyond": (["width6.npy", "--rows", "0:91"], "rows 0:91 are not all there"),
    "no rows": (["width6.npy", "--rows", "5"], "--rows '5' is not allowed: give START:STOP"),
    "other counts": (["nan.npy", "--counts", "counts.csv"], "counts has 90 entries"),
    "no counts": (["width6.npy", "--counts", "no.csv"], "no.csv does not exist"),
    "which counts": (["width6.npy", "--counts", "two.csv"], "name the one that holds the counts"),
    "column alone": (["width6.npy", "--column", "b"], "--column goes with --counts"),
    "unknown ending": (["width6.npy", "-o", "x.docx"], "ends in .png"),
    "nothing": ([], "SOURCE"),
}


@pytest.mark.parametrize("case", BAD)
def test_wrong_input_is_one_line_and_code_2(call, files, monkeypatch, case):
    monkeypatch.chdir(files)
    arguments, message = BAD[case]
    code, out, err = call("analyze", *arguments)
    assert code == 2 and out == "" and message in err
    assert len(err.splitlines()) == 1 and err.startswith("superscale: ")


def test_help_shows_an_example(call):
    code, out, _ = call("analyze", "--help")
    assert code == 0 and "Example: superscale analyze " in " ".join(out.split())


def test_padded_vocabularies_and_chosen_rows(call, files):
    W = np.load(files / "width6.npy")
    np.save(files / "padded.npy", np.r_[W, np.full((5, 6), 9.0)])
    counted = ["--counts", files / "counts.csv"]
    right = json.loads(call("analyze", files / "width6.npy", *counted, "--json")[1])
    found = json.loads(call("analyze", files / "padded.npy", *counted, "--json")[1])
    note = "the rows beyond the 90 counts (90:95) are left out: padding of the vocabulary"
    assert found["notes"] == [f"padded: {note}"]
    assert found["rows"][0]["rows_left_out"] == 5
    for name in ("n", "norms", "overlaps", "weighted_overlaps", "weighted_cross_entropy"):
        assert found["rows"][0][name] == right["rows"][0][name]
    code, out, _ = call("analyze", files / "padded.npy", *counted)
    assert code == 0
    assert f"note: {note}" in out
    _, out, _ = call("analyze", files / "padded.npy", files / "width12.npy", *counted)
    assert f"note: padded: {note}" in out
    found = json.loads(call("analyze", files / "padded.npy", "--rows", "0:90", "--json")[1])
    right = json.loads(call("analyze", files / "width6.npy", "--json")[1])
    assert found["rows"][0]["overlaps"] == right["rows"][0]["overlaps"]
    assert found["settings"]["rows"] == "0:90"
    # Equal rows are those of padding here; without counts they stay, and are reported.
    _, out, _ = call("analyze", files / "padded.npy")
    assert "note: 5 rows equal another" in out
    assert ": 90:95; rows= (--rows) chooses others" in out
    np.save(files / "columns.npy", W.T)
    found = json.loads(call("analyze", files / "columns.npy", "--transpose", "--json")[1])
    assert found["rows"][0]["overlaps"] == right["rows"][0]["overlaps"]
