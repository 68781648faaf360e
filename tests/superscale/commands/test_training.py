"""superscale train and superscale sweep as a user meets them."""

import io
import json

import pandas as pd
import pytest

QUICK = ["--n", "60", "--batch", "16", "--steps", "40"]


def test_train_saves_a_run(call, tmp_path):
    from empirical.training.run import TrainingRun

    path = tmp_path / "run.safetensors"
    code, out, _ = call(
        "train", "--m", 6, *QUICK, "--bias-start", "zero", "--seed", 3, "--output", path
    )
    assert code == 0 and "n = 60, m = 6" in out and "dead" in out
    saved = TrainingRun.load(path)
    assert saved.settings.seed == 3 and saved.settings.batch == 16
    code, out, _ = call("train", "--m", 6, *QUICK, "--bias-start", "zero", "--seed", 3, "--json")
    assert json.loads(out)["loss"] == saved.loss


def test_train_resumes(call, tmp_path):
    path = tmp_path / "state.safetensors"
    options = ["train", "--m", 6, *QUICK, "--checkpoint", path, "--json"]
    first, second = (json.loads(call(*options)[1]) for _ in range(2))
    assert first["loss"] == second["loss"]
    code, _, err = call(*options, "--seed", 1)
    assert code == 2 and "belongs to another run" in err


SWEEP = ["sweep", "--n", "40", "--m", "3,5", "--alpha", "0.5:1.5:2", "--weight-decay", "-1,0.5",
         "--steps", "30", "--batch", "8", "--workers", "1"]  # fmt: skip


def test_sweep_and_again(call, tmp_path, monkeypatch):
    # Beside the losses the figure shows theories; here some that need no solver.
    formulas = ("weak", "strong_even")
    monkeypatch.setattr("empirical.sweeps.result.default_theories", lambda *_: formulas)
    store = tmp_path / "runs"
    code, out, err = call(*SWEEP, "--store", store)
    assert code == 0 and "8 runs" in out and not err
    stamps = {path: path.stat().st_mtime_ns for path in store.iterdir()}
    code, out, _ = call(*SWEEP, "--store", store, "--csv")
    table = pd.read_csv(io.StringIO(out))
    assert code == 0 and len(table) == 8 and set(table["alpha"]) == {0.5, 1.5}
    assert {path: path.stat().st_mtime_ns for path in store.iterdir()} == stamps
    figures = [tmp_path / "loss.png", tmp_path / "table.csv", tmp_path / "all.json"]
    outputs = [word for path in figures for word in ("-o", path)]
    code, out, _ = call(*SWEEP, "--store", store, "--json", *outputs)
    record = json.loads(out)
    assert code == 0 and len(record["exponents"]) == 4 and not record["failures"]
    assert all(path.stat().st_size for path in figures)
    code, *_ = call(*SWEEP, "--store", store, "--phase", "exponent", "-o", tmp_path / "p.svg")
    assert code == 0 and (tmp_path / "p.svg").exists()


def test_sweep_names_what_failed_and_what_it_set_aside(call, tmp_path):
    words = [
        "sweep",
        "--n",
        "40",
        "--m",
        "3",
        "--weight-decay",
        "-1,-1e6",
        "--steps",
        "30",
        "--workers",
        1,
    ]
    code, out, err = call(*words, "--store", tmp_path)
    assert code == 1 and "1 runs; 1 failed" in out
    assert "did not finish: frequencies = power_law" in err and "DivergenceError" in err
    assert "Warning" not in err
    next(tmp_path.glob("*.safetensors")).write_bytes(b"?")
    _, _, err = call(*words, "--store", tmp_path)
    assert "damaged or foreign, set aside:" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--m", "3;4"], "--m '3;4' is not a whole number: give some as --m 10,25"),
        (
            ["--m", "3", "--alpha", "0:2"],
            "--alpha '0:2' is no range: give FIRST:LAST:COUNT",
        ),
        (["--m", "3", "--alpha", "x"], "--alpha 'x' is not a number: give some as 0,0.5,1"),
        *(
            (["--m", "3", "--alpha", word], f"--alpha {word!r} is no range")
            for word in ("0:2:1", "0:2:0", "0:2:-3", "0:2:1e3", "0:inf:3", "nan:2:3", "0:2:3:4")
        ),
        (["--m", "3:4:3"], "--m '3:4:3' is not a whole number"),
        (["--m", "3", "--law", "zipf"], "frequencies = 'zipf' is not allowed"),
        (["--m", "3", "--recipe", "slow"], "recipe = 'slow' is not allowed"),
        (["--m", "3", "--dask", "tcp://127.0.0.1:1"], "--dask needs --store"),
        (["--m", "3", "-o", "a.txt"], "a.txt"),
        (["--m", "3", "--phase", "beauty", "-o", "a.png"], "--phase beauty is not known"),
        (["--m", "3", "--phase", "loss"], "give --output phase.png"),
        (["--m", "3", "--phase", "loss", "-o", "a.png"], "at least two values of --alpha"),
    ],
)
def test_bad_sweeps(call, words, message):
    code, out, err = call("sweep", *words)
    assert code == 2 and message in err and len(err.splitlines()) == 1 and not out


def test_a_scheduler_that_does_not_answer(call, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("superscale.commands.training._SCHEDULER_ANSWERS", 0.5)
    code, _, err = call("sweep", "--m", 3, "--dask", "tcp://127.0.0.1:1", "--store", tmp_path)
    assert code == 2 and "no Dask scheduler answers at tcp://127.0.0.1:1" in err


def test_a_full_disk_does_not_lose_the_model(call, tmp_path, monkeypatch):
    from empirical.training.run import TrainingRun
    from numerics import files

    kept, target = tmp_path / "temp", tmp_path / "full" / "run.safetensors"
    kept.mkdir()
    target.parent.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(kept))
    replace = files._replace

    def full(path, data):
        if path.parent == target.parent:
            raise OSError(28, "No space left on device")
        replace(path, data)

    monkeypatch.setattr(files, "_replace", full)
    words = ["train", "--n", 40, "--m", 4, "--batch", 16, "--steps", 30]
    code, out, err = call(*words, "--output", target, "--json")
    (rescued,) = kept.iterdir()
    assert code == 2 and len(err.splitlines()) == 1
    assert f"cannot write {target}: No space left on device; what it should hold is in" in err
    assert str(rescued) in err and TrainingRun.load(rescued).loss == json.loads(out)["loss"]
    assert list(target.parent.iterdir()) == []
    # Where the temporary folder is full as well, the loss is shown at least.
    monkeypatch.setattr(files, "_replace", lambda path, data: full(target, data))
    code, out, err = call(*words, "--output", target, "--json")
    assert code == 2 and json.loads(out)["loss"] > 0 and f"cannot write {target}, nor" in err


def test_checkpoints_on_a_full_disk_do_not_stop_the_run(call, tmp_path, monkeypatch):
    from numerics import files

    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_replace", full)
    words = ["train", "--n", 40, "--m", 4, "--batch", 16, "--steps", 30, "--checkpoint-every", 10]
    code, out, err = call(*words, "--checkpoint", tmp_path / "state", "--json")
    assert code == 0 and json.loads(out)["loss"] > 0
    assert "superscale: warning: no checkpoint at step 10: [Errno 28] No space left" in err
    assert "no checkpoint at step 30" in err and len(err.splitlines()) == 3
