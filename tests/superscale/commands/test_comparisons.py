"""superscale compare and superscale reproduce as a user meets them."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest

TRAINING = ["--batch", "16", "--steps", "40", "--workers", "1"]
QUICK = ["--n", "60", "--theory", "weak,strong_even", *TRAINING]


def test_compare_for_machines(call):
    code, out, _ = call("compare", *QUICK, "--m", "6,12", "--seeds", 2, "--json")
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


def test_compare_goes_on_from_its_store(call, tmp_path):
    words = ["compare", *QUICK, "--m", "6,12", "--json", "--store", tmp_path]
    first = json.loads(call(*words, "--seeds", 1)[1])["rows"]
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.safetensors")}
    second = json.loads(call(*words, "--seeds", 2)[1])["rows"]
    assert len(stamps) == 2 and len(list(tmp_path.glob("*.safetensors"))) == 4
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert [row["seeds"] for row in second] == [[0, 1], [0, 1]]
    assert all(a["measured"] != b["measured"] for a, b in zip(first, second, strict=True))


def test_compare_for_people_draws_a_figure(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["--n", 60, "--alpha", 0, "--m", "6,12", "--seeds", 1]
    code, out, err = call("compare", *words, *TRAINING)
    assert code == 0 and "measured/mean_field" in out and "exponents" in out
    assert out.splitlines()[-1].startswith(("The mean field is", "The trained losses are"))
    assert "wrote superscale-compare.png" in err
    assert (tmp_path / "superscale-compare.png").read_bytes().startswith(b"\x89PNG")


def test_compare_takes_counts(call, tmp_path):
    table = tmp_path / "counts.csv"
    table.write_text("word,count\n" + "".join(f"w{i},{1000 // i}\n" for i in range(1, 201)))
    code, out, err = call("compare", "--counts", table, "--top", 50, "--m", 5, "--seeds", 1,
        "--theory", "weak", *TRAINING, "--json",
    )  # fmt: skip
    assert code == 0 and "Zipf exponent" in err
    settings = json.loads(out)["settings"]["frequencies"]
    assert settings["counts"] == str(table) and settings["top"] == 50 and settings["n"] == 50


@pytest.mark.parametrize("name", ["fig1-weak", "fig1-strong", "fig7-density", "fig6-exponents"])
def test_compare_with_the_published_figures(call, name):
    code, out, _ = call("compare", "--reference", name)
    assert code == 0 and "measured" in out
    _, out, _ = call("compare", "--reference", name, "--json")
    record = json.loads(out)
    assert record["settings"]["reference"] == name and record["finding"]
    for row in record["rows"]:
        weak = name == "fig1-weak" or "= 0." in row["curve"] or row["curve"].endswith("= 1")
        assert ("mean_field" in row["predicted"]) != weak, row


def test_reference_exponents_by_curve(call):
    _, out, _ = call("compare", "--reference", "fig1-weak", "--json")
    record = json.loads(out)
    assert record["exponents"] == record["exponents_by_curve"]["power"]
    assert set(record["exponents_by_curve"]) == {"power", "exponential", "linear"}


# The command line, with a marker file once a model is trained: when to press Ctrl-C.
MARKED = """
import sys
from contextlib import contextmanager
from pathlib import Path
import empirical.sweeps.engine

@contextmanager
def report(progress, label):
    yield lambda done, total: Path(sys.argv[1]).touch()

if __name__ == "__main__":
    empirical.sweeps.engine.report = report
    from superscale.commands.app import main
    main(sys.argv[2:])
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_ctrl_c_keeps_what_was_finished(tmp_path, workers):
    """Of forty models some are finished; their table and code 130 remain."""
    script, marker, table = (tmp_path / name for name in ("run.py", "marker", "out.csv"))
    script.write_text(MARKED)
    options = ["--n", 60, "--m", 3, "--theory", "weak", "--seeds", 40]
    options += ["--batch", 64, "--steps", 1500]
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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fig2"], "no figure 'fig2'"),
        (["grid"], "to measure 'grid', give the folder of its runs: --store runs"),
        (["grid", "--store", "runs", "-o", "grid.png"], "grid.png"),
    ],
)
def test_bad_reproductions(call, words, message):
    code, out, err = call("reproduce", *words)
    assert code == 2 and message in err and not out


def test_measure_and_reproduce(call, tmp_path, monkeypatch):
    import empirical.comparisons.shipped as measured

    small = {"m": [10, 15], "n": 50, "alpha": [0.5, 1.0], "weight_decay": [-1.0, 1.0]}
    monkeypatch.setattr(measured, "MEASUREMENTS", {"grid": small, "row_paper": small})
    monkeypatch.setattr(measured, "sweep", lambda g, f=measured.sweep, **k: f(g, steps=20, **k))
    store, table = tmp_path / "runs", tmp_path / "measured_grid.csv"
    code, out, _ = call("reproduce", "grid", "--store", store, "--workers", 1, "-o", table)
    assert code == 0 and out.startswith("grid: 8 runs over alpha (2), ") and table.exists()
    for figure in ("fig3", "fig4"):
        path = tmp_path / f"{figure}.png"
        code, out, _ = call("reproduce", figure, "--store", store, "--workers", 1, "-o", path)
        assert code == 0 and path.exists() and "arXiv 2505.10465" in out
    code, out, _ = call("reproduce", "fig4", "--store", store, "--workers", 1, "--json")
    record = json.loads(out)
    assert code == 0 and len(record["rows"]) == 4 and record["figure"] == "fig4"
