"""The command line as a user meets it: what it prints, what it refuses, what it leaves behind."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import superscale as ss
from superscale.commands.app import run
from theory.registry import THEORIES

QUICK = ["--n", "60", "--batch", "16", "--steps", "40"]


def call(capsys, *arguments):
    code = run([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return code, out, err


# ---- help --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        "predict",
        "train",
        "compare",
        "sweep",
        "reproduce",
        "fit",
        "loss",
        "overlaps",
        "bounds",
        "pack",
    ],
)
def test_help_shows_an_example(capsys, command):
    code, out, _ = call(capsys, command, "--help")
    assert code == 0 and f"Example: superscale {command} " in " ".join(out.split())


def test_help_lists_the_references(capsys):
    from empirical.comparisons.published import REFERENCES

    _, out, _ = call(capsys, "compare", "--help")
    shown = "".join(out.split())
    assert all(name in shown for name in REFERENCES)


def test_help_and_version(capsys):
    code, out, _ = call(capsys, "--help")
    assert code == 0 and "predict" in out and "compare" in out
    code, out, _ = call(capsys, "--version")
    assert code == 0 and out.strip() == "superscale 0.1.0"


# ---- predict -----------------------------------------------------------------------------


def test_predict_for_people(capsys):
    code, out, err = call(capsys, "predict", "--alpha", 1.75, "--m", "10,63")
    assert code == 0 and err == ""
    assert "alpha = 1.75" in out and "strong_skewed" in out and "1.5" in out


def test_predict_for_machines(capsys):
    import superscale as ss

    words = ss.Frequencies.power_law(1000, 1.0)
    expected = ss.regimes.weak_loss(words, [10, 25])
    _, out, _ = call(capsys, "predict", "--m", "10", "--m", "25", "--json")
    record = json.loads(out)
    assert [row["m"] for row in record["rows"]] == [10, 25]
    assert [row["predicted"]["weak"] for row in record["rows"]] == pytest.approx(expected)
    assert record["rows"][0]["predicted"]["equiangular"] is None
    _, out, _ = call(capsys, "predict", "--m", "10,25", "--csv", "--theory", "weak")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [float(row["loss"]) for row in rows] == pytest.approx(expected)


@pytest.mark.parametrize(
    "options",
    [["--law", "linear"], ["--law", "exponential", "--scale", 40], ["--n", 10**9, "--alpha", 1.2]],
)
def test_predict_other_laws(capsys, options):
    code, out, _ = call(capsys, "predict", *options)
    assert code == 0 and "weak" in out


def test_predict_explains(capsys):
    _, out, _ = call(capsys, "predict", "--theories", "--alpha", 0.5)
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    for theory in THEORIES:
        assert theory.summary in rows[theory.name]
    assert "yes" in rows["weak"] and "alpha > 1" in rows["strong_skewed"].split("instant")[1]
    _, out, _ = call(capsys, "predict", "--explain", "weak")
    assert "best bias" in out and "Assumed:" in out
    _, out, _ = call(capsys, "predict", "--latex", "weak")
    assert out.startswith("\\frac")
    _, out, _ = call(capsys, "predict", "--alpha", 2, "--latex", "strong_skewed")
    assert out.strip() == r"2 \alpha - 2"


def test_predict_writes_what_it_is_asked_for(capsys, tmp_path):
    names = ["a.png", "a.svg", "a.pdf", "a.csv", "a.json"]
    outputs = [x for name in names for x in ("--output", tmp_path / name)]
    code, _, err = call(capsys, "predict", *outputs)
    assert code == 0 and sorted(p.name for p in tmp_path.iterdir()) == sorted(names)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert json.loads((tmp_path / "a.json").read_text())["rows"]
    assert err.count("wrote") == 5


# ---- train -------------------------------------------------------------------------------


def test_train_saves_a_run(capsys, tmp_path):
    from empirical.training.run import TrainingRun

    path = tmp_path / "run.safetensors"
    code, out, _ = call(
        capsys, "train", "--m", 6, *QUICK, "--bias-start", "zero", "--seed", 3, "--output", path
    )
    assert code == 0 and "n = 60, m = 6" in out and "dead" in out
    saved = TrainingRun.load(path)
    assert saved.settings.seed == 3 and saved.settings.batch == 16
    code, out, _ = call(
        capsys, "train", "--m", 6, *QUICK, "--bias-start", "zero", "--seed", 3, "--json"
    )
    assert json.loads(out)["loss"] == saved.loss


def test_train_resumes(capsys, tmp_path):
    path = tmp_path / "state.safetensors"
    options = ["train", "--m", 6, *QUICK, "--checkpoint", path, "--json"]
    first, second = (json.loads(call(capsys, *options)[1]) for _ in range(2))
    assert first["loss"] == second["loss"]
    code, _, err = call(capsys, *options, "--seed", 1)
    assert code == 2 and "belongs to another run" in err


# ---- compare -----------------------------------------------------------------------------


def test_compare_for_machines(capsys):
    code, out, _ = call(
        capsys, "compare", *QUICK, "--m", "6,12", "--seeds", 2, "--workers", 1, "--json"
    )
    record = json.loads(out)
    assert code == 0
    assert [row["m"] for row in record["rows"]] == [6, 12]
    for row in record["rows"]:
        assert row["predicted"]["weak"] > 0 and row["measured"] > 0
        assert row["stderr"] > 0 and row["seeds"] == [0, 1]
    assert set(record["exponents"]["measured"]) == {"value", "stderr"}
    assert record["exponents"]["strong_even"]["value"] == 1
    assert record["settings"]["frequencies"]["n"] == 60
    assert record["settings"]["steps"] == 40 and record["settings"]["weight_decay"] == -1


def test_compare_for_people_draws_a_figure(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(capsys, "compare", *QUICK, "--m", "6,12", "--seeds", 1, "--workers", 1)
    assert code == 0 and "measured/weak" in out and "exponents" in out
    assert "wrote superscale-compare.png" in err
    assert (tmp_path / "superscale-compare.png").read_bytes().startswith(b"\x89PNG")


def test_compare_takes_counts(capsys, tmp_path):
    table = tmp_path / "counts.csv"
    table.write_text("word,count\n" + "".join(f"w{i},{1000 // i}\n" for i in range(1, 201)))
    code, out, err = call(
        capsys, "compare", "--counts", table, "--top", 50, "--m", 5, "--seeds", 1,
        "--batch", 16, "--steps", 40, "--workers", 1, "--json",
    )  # fmt: skip
    assert code == 0 and "Zipf exponent" in err
    settings = json.loads(out)["settings"]["frequencies"]
    assert settings["counts"] == str(table) and settings["top"] == 50 and settings["n"] == 50


@pytest.mark.parametrize("name", ["fig1-weak", "fig1-strong", "fig7-density", "fig6-exponents"])
def test_compare_with_the_published_figures(capsys, name):
    code, out, _ = call(capsys, "compare", "--reference", name)
    assert code == 0 and "measured" in out
    _, out, _ = call(capsys, "compare", "--reference", name, "--json")
    assert json.loads(out)["settings"]["reference"] == name


def test_reference_exponents_by_curve(capsys):
    _, out, _ = call(capsys, "compare", "--reference", "fig1-weak", "--json")
    record = json.loads(out)
    assert record["exponents"] == record["exponents_by_curve"]["power"]
    assert set(record["exponents_by_curve"]) == {"power", "exponential", "linear"}


# ---- what is refused ---------------------------------------------------------------------


# ---- what is there -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run.safetensors"
    f = ss.Frequencies.power_law(60, 1.0)
    ss.train(f, 8, recipe="paper", batch=64, steps=200, seed=1).save(path)
    return path


def test_loss_of_a_run(capsys, saved, tmp_path):
    run = ss.TrainingRun.load(saved)
    code, out, _ = call(capsys, "loss", saved, "--json")
    record = json.loads(out)
    words = run.features.frequencies
    exact = ss.population_loss(run.model, words)
    assert code == 0 and record["loss"] == exact.loss
    assert record["parts"] == dict(exact.parts) and len(record["rows"]) == 60
    assert abs(run.loss - exact.loss) < 4 * run.stderr
    # Other frequencies, another sampling, another tolerance.
    _, out, _ = call(capsys, "loss", saved, "--alpha", 2.0, "--rtol", 1e-3, "--json")
    f = ss.Frequencies.power_law(60, 2.0)
    assert json.loads(out)["loss"] == ss.population_loss(run.model, f, rtol=1e-3).loss
    _, out, _ = call(capsys, "loss", saved, "--sampling", "one_hot", "--json")
    assert json.loads(out)["loss"] == ss.population_loss(run.model, words, "one_hot").loss
    code, out, _ = call(capsys, "loss", saved, "--output", tmp_path / "x.png")
    assert "expected loss" in out and "interference_silent" in out and (tmp_path / "x.png").exists()
    _, out, _ = call(capsys, "loss", saved, "--csv")
    assert out.splitlines()[0].startswith("loss,lost,self,") and len(out.splitlines()) == 61


def test_loss_of_a_run_with_another_law_of_v(capsys, tmp_path):
    f, v = ss.Frequencies.power_law(9, 1.0), ss.Activation(1, 2)
    run = ss.train(ss.Features(f, v), 2, batch=16, steps=10)
    run.save(tmp_path / "other.safetensors")
    _, out, _ = call(capsys, "loss", tmp_path / "other.safetensors", "--json")
    model = ss.TrainingRun.load(tmp_path / "other.safetensors").model
    expected = ss.population_loss(model, ss.Features(f, v)).loss
    assert json.loads(out)["loss"] == pytest.approx(expected, rel=1e-9)
    assert expected != pytest.approx(ss.population_loss(model, f).loss, rel=0.1)


def test_overlaps_of_a_matrix(capsys, saved, tmp_path):
    W = ss.TrainingRun.load(saved).model.W
    code, out, _ = call(capsys, "overlaps", saved, "--tensor", "W", "--json", "--threshold", 0.1)
    rows = json.loads(out)["rows"]
    assert code == 0 and [row["treatment"] for row in rows] == ["raw", "centred", "top 1 removed"]
    exact = ss.overlaps(W.astype(np.float32), thresholds=(0.1,))  # as it is in the file
    assert {k: v["value"] for k, v in rows[0]["statistics"].items()} == dict(exact.values)
    assert rows[0]["statistics"]["mean_square"]["welch"] == exact.welch
    np.save(tmp_path / "W.npy", W)
    code, out, _ = call(
        capsys, "overlaps", tmp_path / "W.npy", "--csv", "--rows", ":20", "--against", "20:"
    )
    table = pd.read_csv(io.StringIO(out))
    between = ss.overlaps(W, rows=range(20), against=range(20, 60))
    assert table["value"][0] == pytest.approx(between.mean, rel=1e-12)
    code, out, _ = call(
        capsys,
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
    _, out, _ = call(capsys, "overlaps", tmp_path / "W.npy", "--pairs", "sample", "--samples", 99)
    assert "sampled pairs" in out and "±" in out


def test_bounds(capsys, tmp_path):
    code, out, _ = call(capsys, "bounds", "--n", 28, "--m", 7)
    assert code == 0 and "1/3" in out and "no known condition rules it out" in out
    code, out, _ = call(capsys, "bounds", "--n", 20, "--m", 4, "--json", "-o", tmp_path / "b.csv")
    record = json.loads(out)
    a = tuple(Fraction(c) for c in record["certificate"]["coefficients"])
    cosine = Fraction(record["certificate"]["cosine"])
    assert ss.packings.PackingCertificate(20, 4, "lines", cosine, a).verify()
    assert len(pd.read_csv(tmp_path / "b.csv")) == len(record["rows"]) > 4
    _, out, _ = call(capsys, "bounds", "--n", 27, "--m", 6, "--kind", "code", "--degree", 0)
    assert "1/4" in out and "equiangular" not in out
    _, out, _ = call(capsys, "bounds", "--n", 22, "--m", 11, "--degree", 0, "--csv")
    assert out.startswith("bound,value,exact,holds for")


def test_pack(capsys, tmp_path):
    code, out, _ = call(capsys, "pack", "--n", 28, "--m", 7)
    assert code == 0 and "= 1/3" in out and "welch_1" in out and "gap 0" in out
    options = ["--n", 9, "--m", 3, "--starts", 2, "--seed", 4, "--save", tmp_path / "x.npz"]
    code, out, _ = call(capsys, "pack", *options, "--json", "-o", tmp_path / "x.png")
    record = json.loads(out)
    saved = ss.packings.Packing.load(tmp_path / "x.npz")
    assert record["coherence"] == saved.coherence and (tmp_path / "x.png").exists()
    assert record["gap"] == pytest.approx(saved.coherence - record["bound"]["value"])
    _, out, _ = call(capsys, "pack", "--n", 6, "--m", 3, "--search", "--json")
    assert json.loads(out)["coherence"] == pytest.approx(5**-0.5) and "starts" in out
    relu = ["--objective", "relu_energy", "--b", -0.2, "--starts", 1]
    code, out, _ = call(capsys, "pack", "--n", 20, "--m", 4, *relu)
    assert code == 0 and "relu_energy" in out
    _, out, _ = call(capsys, "pack", "--n", 10, "--m", 4, "--objective", "cosine", "--csv")
    assert out.startswith("overlap,pairs")


def test_pack_relu(capsys, tmp_path):
    options = ["--n", 30, "--m", "4,6", "--objective", "relu", "--steps", 300]
    at = ["--r", 1, "--b", 0]  # without them the bound takes seconds a width
    code, out, _ = call(
        capsys, "pack", *options, *at, "-o", tmp_path / "x.png", "-o", tmp_path / "x.json"
    )
    assert code == 0 and "certified" in out and "optimised" in out
    rows = json.loads((tmp_path / "x.json").read_text())["rows"]
    assert [row["m"] for row in rows] == [4, 6] and (tmp_path / "x.png").exists()
    assert all(r["certified"] < r["optimised"] <= r["trained"] < r["random"] for r in rows)
    code, out, _ = call(capsys, "pack", "--n", 12, "--m", 3, *options[4:], "--csv")
    assert code == 0 and out.startswith("n,m,certified,optimised,trained,random")
    (best,) = pd.read_csv(io.StringIO(out)).to_dict("records")
    assert (
        best["certified"] < best["optimised"] and best["r_certified"] > 1 > 0 > best["b_certified"]
    )


@pytest.fixture
def files(tmp_path):
    (tmp_path / "good.csv").write_text("a,3\nb,2\nc,1\n")
    (tmp_path / "negative.csv").write_text("a,3\nb,-2\nc,1\n")
    (tmp_path / "nan.csv").write_text("a,3\nb,nan\nc,1\nd,1\n")
    (tmp_path / "empty.csv").write_text("")
    return tmp_path


BAD = {
    "p above 1": (["predict", "--density", 8], "above 1: the largest density possible"),
    "m above n": (["predict", "--n", 10, "--m", 11], "m = 11 is not allowed"),
    "m = 0": (["compare", "--m", 0], "m = 0 is not allowed"),
    "m no number": (["compare", "--m", "ten"], "--m 'ten' is not a whole number"),
    "negative alpha": (["predict", "--alpha", -1], "alpha = -1"),
    "n = 0": (["predict", "--n", 0], "n = 0"),
    "no seeds": (["compare", "--seeds", 0], "seeds = 0"),
    "no workers": (["compare", "--workers", 0], "workers = 0"),
    "negative counts": (["compare", "--counts", "{}/negative.csv"], "line 2: the count -2"),
    "NaN counts": (["compare", "--counts", "{}/nan.csv"], "line 2: 'nan'"),
    "empty file": (["compare", "--counts", "{}/empty.csv"], "is empty"),
    "directory": (["compare", "--counts", "{}"], "is a directory"),
    "missing file": (["predict", "--counts", "{}/no.csv"], "does not exist"),
    "top too large": (["compare", "--counts", "{}/good.csv", "--top", 9], "top = 9"),
    "counts and a law": (["predict", "--counts", "{}/good.csv", "--alpha", 1], "not both"),
    "top without counts": (["predict", "--top", 5], "--top goes with --counts"),
    "unknown law": (["predict", "--law", "cubic"], "--law cubic is not known"),
    "scale missing": (["predict", "--law", "exponential"], "needs --scale"),
    "alpha for linear": (["predict", "--law", "linear", "--alpha", 1], "goes with --law power_law"),
    "unknown theory": (["predict", "--theory", "x"], "theory 'x': unknown"),
    "unknown explanation": (
        ["predict", "--explain", "x"],
        "theory 'x': unknown; those",
    ),
    "unknown reference": (["compare", "--reference", "fig9"], "unknown reference 'fig9'"),
    "reference and a law": (["compare", "--reference", "fig1-weak", "--n", 9], "leave out --n"),
    "reference and training": (
        ["compare", "--reference", "fig1-weak", "--weight-decay", 1],
        "leave out --weight-decay",
    ),
    "a rate no float32 holds": (
        ["train", "--m", 5, "--learning-rate", 1e39],
        "learning_rate = 1e+39",
    ),
    "a huge n": (["predict", "--n", 10**30], "n = 1000000000000000000000000000000"),
    "unknown recipe": (["compare", "--recipe", "x"], "recipe = 'x' is not allowed"),
    "unknown ending": (["compare", "--output", "{}/x.docx"], "ends in .png"),
    "no such folder": (["compare", "--output", "{}/no/x.png"], "does not exist"),
    "output is a directory": (
        ["train", "--m", 5, "--output", "{}/d.safetensors"],
        "is a directory",
    ),
    "wrong run ending": (["train", "--m", 5, "--output", "{}/x.png"], "ends in .safetensors"),
    "unknown option": (["predict", "--alhpa", 1], "--alhpa"),
    "option no number": (["predict", "--alpha", "one"], "'--alpha'"),
    "unknown command": (["predictt"], "predictt"),
    "missing option": (["train"], "--m"),
    "no matrix": (["overlaps", "{}/no.npy"], "does not exist"),
    "a table is no matrix": (["overlaps", "{}/good.csv"], "is of no format that is read"),
    "stretch outside": (["overlaps", "{}/W.npy", "--rows", "0:9"], "--rows '0:9' is not allowed"),
    "stretch of nothing": (["overlaps", "{}/W.npy", "--rows", "2"], "START:STOP within 0:4"),
    "too many removed": (["overlaps", "{}/W.npy", "--remove", 3], "remove = 3"),
    "unknown pairs": (["overlaps", "{}/W.npy", "--pairs", "few"], "pairs = 'few'"),
    "one vector": (["bounds", "--n", 1, "--m", 4], "n = 1"),
    "unknown kind": (["bounds", "--n", 9, "--m", 4, "--kind", "x"], "kind = 'x'"),
    "no picture of bounds": (["bounds", "--n", 9, "--m", 4, "-o", "{}/x.png"], "ends in .csv"),
    "unknown objective": (["pack", "--n", 9, "--m", 4, "--objective", "x"], "objective = 'x'"),
    "vectors to a picture": (["pack", "--n", 9, "--m", 4, "--save", "{}/x.png"], "ends in .npz"),
    "several m": (["pack", "--n", 9, "--m", "4,5"], "give one"),
    "starts of relu": (
        ["pack", "--n", 9, "--m", 4, "--objective", "relu", "--starts", 3],
        "--starts does not go with",
    ),
    "steps of lines": (["pack", "--n", 9, "--m", 4, "--steps", 3], "goes with --objective relu"),
    "r without b": (["pack", "--n", 9, "--m", 4, "--objective", "relu", "--r", 1], "give both"),
    "no starts": (["pack", "--n", 9, "--m", 4, "--starts", 0], "starts = 0"),
    "no run": (["loss", "{}/no.safetensors"], "does not exist"),
    "a matrix is no run": (["loss", "{}/W.npy"], "W.npy"),
    "unknown sampling": (["loss", "{}/run.safetensors", "--sampling", "x"], "sampling = 'x'"),
    "rtol = 0": (["loss", "{}/run.safetensors", "--rtol", 0], "rtol = 0"),
    "density alone": (["loss", "{}/run.safetensors", "--density", 1], "say which frequencies"),
    "other n": (
        ["loss", "{}/run.safetensors", "--counts", "{}/good.csv"],
        "the frequencies n = 3: they must agree",
    ),
    "bad device": (["train", "--m", 5, "--device", "abacus"], "device 'abacus'"),
    "bad bias start": (["train", "--m", 5, "--bias-start", "one"], "bias_start = 'one'"),
}


@pytest.mark.parametrize("case", BAD)
def test_wrong_input_is_one_line_and_code_2(capsys, files, saved, monkeypatch, case):
    (files / "d.safetensors").mkdir()
    np.save(files / "W.npy", np.arange(12.0).reshape(4, 3))
    shutil.copy(saved, files / "run.safetensors")
    monkeypatch.chdir(files)
    before = sorted(files.rglob("*"))
    arguments, message = BAD[case]
    code, out, err = call(capsys, *[str(a).replace("{}", str(files)) for a in arguments])
    assert code == 2 and out == ""
    assert err.count("\n") == 1 and err.startswith("superscale: ")
    assert message in err
    assert sorted(files.rglob("*")) == before


def test_a_diverged_run_is_one_line_and_code_1(capsys):
    code, out, err = call(
        capsys, "compare", *QUICK, "--m", 5, "--learning-rate", "1e6", "--seeds", 1, "--workers", 1
    )
    assert code == 1 and out == "" and "diverged" in err and err.count("\n") == 1


def test_a_full_disk_is_one_line(capsys, tmp_path, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, _, err = call(capsys, "predict", "--output", tmp_path / "x.png")
    assert code == 2 and "No space left on device" in err and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


# The command line, with a marker file once a model is trained: when to press Ctrl-C.
MARKED = """
import sys
from contextlib import contextmanager
from pathlib import Path
import empirical.comparisons.trained

@contextmanager
def report(progress, label):
    yield lambda done, total: Path(sys.argv[1]).touch()

if __name__ == "__main__":
    empirical.comparisons.trained.report = report
    from superscale.commands.app import main
    main(sys.argv[2:])
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_keeps_what_was_finished(tmp_path, workers):
    """Of forty models some are finished; their table and code 130 remain."""
    script, marker, table = (tmp_path / name for name in ("run.py", "marker", "out.csv"))
    script.write_text(MARKED)
    options = ["--n", 60, "--m", 3, "--seeds", 40, "--batch", 64, "--steps", 1500]
    process = subprocess.Popen(
        [
            sys.executable,
            script,
            marker,
            "compare",
            *map(str, options),
            "--workers",
            str(workers),
            "--output",
            table,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Ctrl-C counts even where the tests themselves run in the background, which ignores it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while process.poll() is None and not marker.exists():
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process of the group
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert "superscale: interrupted" in err and "Traceback" not in err
    (row,) = csv.DictReader(io.StringIO(table.read_text()))
    assert 1 <= float(row["seeds"]) < 40
    assert "measured" in out


def test_a_closed_pipe_is_no_error():
    shown = subprocess.run(
        f"{sys.executable} -m superscale bounds --n 28 --m 7 --degree 0 | true",
        shell=True, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert shown.stderr == ""


# ---- sweep and reproduce -----------------------------------------------------------------

SWEEP = ["sweep", "--n", "40", "--m", "3,5", "--alpha", "0.5:1.5:2", "--weight-decay", "-1,0.5",
         "--steps", "30", "--batch", "8", "--workers", "1"]  # fmt: skip


def test_sweep_and_again(capsys, tmp_path):
    store = tmp_path / "runs"
    code, out, err = call(capsys, *SWEEP, "--store", store)
    assert code == 0 and "8 runs" in out and not err
    stamps = {path: path.stat().st_mtime_ns for path in store.iterdir()}
    code, out, _ = call(capsys, *SWEEP, "--store", store, "--csv")
    table = pd.read_csv(io.StringIO(out))
    assert code == 0 and len(table) == 8 and set(table["alpha"]) == {0.5, 1.5}
    assert {path: path.stat().st_mtime_ns for path in store.iterdir()} == stamps
    figures = [tmp_path / "loss.png", tmp_path / "table.csv", tmp_path / "all.json"]
    outputs = [word for path in figures for word in ("-o", path)]
    code, out, _ = call(capsys, *SWEEP, "--store", store, "--json", *outputs)
    record = json.loads(out)
    assert code == 0 and len(record["exponents"]) == 4 and not record["failures"]
    assert all(path.stat().st_size for path in figures)
    code, *_ = call(
        capsys, *SWEEP, "--store", store, "--phase", "exponent", "-o", tmp_path / "p.svg"
    )
    assert code == 0 and (tmp_path / "p.svg").exists()


def test_sweep_names_what_failed_and_what_it_set_aside(capsys, tmp_path):
    words = [
        "sweep",
        "--n",
        "40",
        "--m",
        "3",
        "--weight-decay",
        "-1,-1e9",
        "--steps",
        "30",
        "--workers",
        1,
    ]
    code, out, err = call(capsys, *words, "--store", tmp_path)
    assert code == 0 and "1 runs; 1 failed" in out
    assert "did not finish: frequencies = power_law" in err and "DivergenceError" in err
    next(tmp_path.glob("*.safetensors")).write_bytes(b"?")
    _, _, err = call(capsys, *words, "--store", tmp_path)
    assert "damaged or foreign, set aside:" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--m", "3;4"], "--m '3;4' is not a whole number: give some as --m 10,25"),
        (
            ["--m", "3", "--alpha", "0:2"],
            "--alpha '0:2' is not a number: give some as 0,0.5,1",
        ),
        (["--m", "3", "--alpha", "0:2:1"], "--alpha '0:2:1' is not a number"),
        (["--m", "3", "--law", "zipf"], "frequencies = 'zipf' is not allowed"),
        (["--m", "3", "--recipe", "slow"], "recipe = 'slow' is not allowed"),
        (["--m", "3", "--dask", "tcp://127.0.0.1:1"], "--dask needs --store"),
        (["--m", "3", "-o", "a.txt"], "a.txt"),
        (["--m", "3", "--phase", "beauty", "-o", "a.png"], "--phase beauty is not known"),
        (["--m", "3", "--phase", "loss"], "give --output phase.png"),
        (["--m", "3", "--phase", "loss", "-o", "a.png"], "at least two values of --alpha"),
    ],
)
def test_bad_sweeps(capsys, words, message):
    code, out, err = call(capsys, "sweep", *words)
    assert code == 2 and message in err and len(err.splitlines()) == 1 and not out


def test_a_scheduler_that_does_not_answer(capsys, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("superscale.commands.training._SCHEDULER_ANSWERS", 0.5)
    code, _, err = call(
        capsys, "sweep", "--m", 3, "--dask", "tcp://127.0.0.1:1", "--store", tmp_path
    )
    assert code == 2 and "no Dask scheduler answers at tcp://127.0.0.1:1" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fig2"], "no figure 'fig2'"),
        (["grid"], "to measure 'grid', give the folder of its runs: --store runs"),
        (["grid", "--store", "runs", "-o", "grid.png"], "grid.png"),
    ],
)
def test_bad_reproductions(capsys, words, message):
    code, out, err = call(capsys, "reproduce", *words)
    assert code == 2 and message in err and not out


def test_measure_and_reproduce(capsys, tmp_path, monkeypatch):
    import empirical.comparisons.shipped as measured

    small = {"m": [10, 15], "n": 50, "alpha": [0.5, 1.0], "weight_decay": [-1.0, 1.0]}
    monkeypatch.setattr(measured, "MEASUREMENTS", {"grid": small, "row_paper": small})
    monkeypatch.setattr(measured, "sweep", lambda g, f=measured.sweep, **k: f(g, steps=20, **k))
    store, table = tmp_path / "runs", tmp_path / "measured_grid.csv"
    code, out, _ = call(capsys, "reproduce", "grid", "--store", store, "--workers", 1, "-o", table)
    assert code == 0 and out.startswith("grid: 8 runs over alpha (2), ") and table.exists()
    for figure in ("fig3", "fig4"):
        path = tmp_path / f"{figure}.png"
        code, out, _ = call(
            capsys, "reproduce", figure, "--store", store, "--workers", 1, "-o", path
        )
        assert code == 0 and path.exists() and "arXiv 2505.10465" in out
    code, out, _ = call(capsys, "reproduce", "fig4", "--store", store, "--workers", 1, "--json")
    record = json.loads(out)
    assert code == 0 and len(record["rows"]) == 4 and record["figure"] == "fig4"
