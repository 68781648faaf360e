"""``superscale fit`` as a user meets it."""

import csv
import io
import json
from importlib.resources import files

import pytest

PUBLISHED = files("empirical") / "data" / "fig8_llm_loss.csv"
MODELS = ["--y", "loss_total", "--group", "family,dataset", "--label", "model,dataset"]


@pytest.fixture
def curve(tmp_path):
    file = tmp_path / "curve.csv"
    noise = [0.003, -0.002, 0.001, -0.003, 0.002, 0.001, -0.001]
    rows = [f"{2**k},{3 / 2**k + 0.5 + e}" for k, e in zip(range(3, 10), noise, strict=True)]
    file.write_text("m,loss\n" + "\n".join(rows) + "\n")
    return file


def test_help_shows_an_example(call):
    code, out, _ = call("fit", "--help")
    assert code == 0 and "Example: superscale fit " in " ".join(out.split())


def test_published_losses_for_people(call):
    code, out, err = call(
        "fit", PUBLISHED, *MODELS, "--cluster", "model", "--samples", 49, "--only", "Qwen/pile",
        "--forecast", 16384, "--reach", "1.6,1.4", "--n", 151936,
    )  # fmt: skip
    assert code == 0 and err == ""
    shown = " ".join(out.split())
    assert "alpha = 0.9101 ± 0.059 (108 points, 16 groups" in shown
    assert "0.7869 … 1.038 (95%, profile)" in shown and "bootstrap over clusters" in shown
    assert "alpha = 1: p = 0.162" in shown
    assert "furthest from the law: Qwen2.5-72B/wikitext" in shown and "0.9439" in shown
    assert "pythia-70m 0.7474" in shown
    assert "cannot hold at m >= n = 151936" in shown and "no width reaches it" in shown


def test_published_losses_for_machines(call):
    code, out, _ = call("fit", PUBLISHED, *MODELS, "--json", "--alpha-test", 1, "--alpha-test", 0.5)
    assert code == 0
    record = json.loads(out)
    assert record["alpha"] == pytest.approx(0.9101, abs=1e-4) and len(record["floors"]) == 16
    assert [test["value"] for test in record["tests"]] == [1, 0.5]
    assert record["tests"][1]["p_value"] < 1e-6
    rows = {row["name"]: row for row in record["influence"]["points"]["rows"]}
    assert rows["Qwen2.5-72B/wikitext"]["alpha_without"] == pytest.approx(0.944, abs=5e-4)
    assert record["compare"][0]["law"] == "power law"
    assert record["settings"]["group"] == "family,dataset"
    _, out, _ = call("fit", PUBLISHED, *MODELS, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 18 and rows[0]["parameter"] == "alpha"


def test_forecast_and_width(call, curve):
    options = ["--forecast", "1024,2048", "--reach", "0.51", "--reach", "0.4", "--json"]
    code, out, _ = call("fit", curve, *options)
    record = json.loads(out)
    assert code == 0
    first = record["forecast"]["rows"][0]
    assert first["new_low"] < first["low"] < first["loss"] < first["high"] < first["new_high"]
    near, below = record["reach"]
    assert near["low"] < near["m"] < near["high"]
    assert below["m"] is None and "not above the floor" in below["reason"]


def test_without_floor_and_robust(call, curve):
    _, out, _ = call("fit", curve, "--no-floor", "--json")
    assert json.loads(out)["floors"] == {} and json.loads(out)["alpha"] < 0.8
    code, out, _ = call("fit", curve, "--huber", 0.001, "--samples", 19)
    assert code == 0 and "Huber 0.001" in out and "bootstrap over points" in out


def test_writes_what_it_is_asked_for(call, curve, tmp_path):
    names = ["a.png", "a.svg", "a.csv", "a.json"]
    outputs = [x for name in names for x in ("-o", tmp_path / name)]
    code, _, err = call("fit", curve, *outputs)
    assert code == 0 and err.count("wrote") == 4
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "a.json").read_text())["points"] == 7


def test_warnings_go_to_stderr(call, tmp_path):
    file = tmp_path / "short.csv"
    file.write_text("m,loss\n100,1.3\n120,1.28\n140,1.25\n160,1.24\n180,1.22\n200,1.215\n")
    code, out, err = call("fit", file, "--json")
    assert code == 0 and json.loads(out)["warnings"]
    assert "superscale: warning: floor and exponent cannot be told apart" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--x", "width"], "no column 'width'"),
        (["--group", "set"], "no column 'set'"),
        (["--level", "95"], "level = 95"),
        (["--forecast", "wide"], "--forecast 'wide' is not a number"),
        (["--forecast", "0"], "--forecast = 0"),
        (["--n", "100"], "--n goes with --forecast"),
        (["--only", "all"], "--only goes with --forecast"),
        (["--only", "b", "--forecast", "100"], "no group 'b'"),
        (["--huber", "-1"], "huber = -1"),
        (["--alpha-test", "-1"], "at least 0"),
        (["--output", "x.docx"], "cannot write x.docx"),
    ],
)
def test_bad_input_is_one_line(call, curve, options, message):
    code, out, err = call("fit", curve, *options)
    assert code == 2 and out == ""
    assert message in err and err.count("\n") == 1 and err.startswith("superscale: ")


def test_a_table_that_is_none(call, tmp_path):
    code, _, err = call("fit", tmp_path / "nothing.csv")
    assert code == 2 and "does not exist" in err


def test_a_table_with_decimal_commas(call, tmp_path):
    m = [8, 16, 32, 64, 128]
    path, other = tmp_path / "comma.csv", tmp_path / "point.csv"
    lines = [f"{k};{2 / k + 0.123:.3f}" for k in m]
    path.write_text("m;loss\n" + "\n".join(lines).replace(".", ","))
    other.write_text("m;loss\n" + "\n".join(lines))
    found = []
    for file, options in [(path, ["--separator", ";", "--decimal", ","]), (other, [])]:
        code, out, _ = call("fit", file, "--json", *options)
        found.append(json.loads(out)["alpha"])
        assert code == 0
    assert found[0] == found[1] == pytest.approx(1, abs=0.1)
    code, _, err = call("fit", other, "--decimal", ";")
    assert code == 2 and "decimal = ';'" in err


@pytest.fixture
def runs(tmp_path):
    """Return a table of runs of a law without noise, and two rows that are far off it."""
    path = tmp_path / "runs.csv"
    lines = ["name,N,D,m,loss"]
    for i, count in enumerate((1e8, 3e8, 1e9, 3e9)):
        for j, tokens in enumerate((3e9, 1e10, 3e10, 1e11)):
            loss = 1.69 + 406.4 / count**0.34 + 410.7 / tokens**0.28
            lines.append(f"r{i}{j},{count},{tokens},{round(count**0.5)},{loss!r}")
    lines += ["off,1e8,1e10,10000,9", "low,1e9,1e10,31623,1"]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_chinchilla(call, runs, tmp_path):
    options = ["fit", runs, "--chinchilla", "--label", "name", "--x", "m"]
    without = [*options, "--drop-highest", 1, "--leave-out", "low"]
    code, out, err = call(*without, "--json", "-o", tmp_path / "fit.png")
    assert code == 0 and err == f"wrote {tmp_path / 'fit.png'}\n"
    record = json.loads(out)
    found = {row["parameter"]: row["value"] for row in record["rows"]}
    assert found["alpha_N"] == pytest.approx(0.34, rel=1e-6)
    assert found["alpha_D"] == pytest.approx(0.28, rel=1e-6)
    assert found["E"] == pytest.approx(1.69, rel=1e-6)
    # N ∝ m²
    assert record["width_exponent"]["alpha_m"] == pytest.approx(0.68, rel=1e-3)
    assert record["left_out"] == ["off (loss 9)", "low (loss 1)"] and record["points"] == 16
    other = json.loads(call(*options, "--json")[1])
    assert abs(other["rows"][3]["value"] - 0.34) > 0.1 and other["points"] == 18
    code, out, _ = call(*without, "--samples", 5)
    assert code == 0 and "bootstrap low" in out and "exponent of the width" in out
    code, out, _ = call(*without, "--huber", 0.001)
    assert code == 0 and "--samples 199 draws a bootstrap" in out and "Huber" in out
    assert "left out: off (loss 9), low (loss 1)" in out
    _, out, _ = call(*without, "--csv")
    assert len(list(csv.DictReader(io.StringIO(out)))) == 5


def test_points_left_out_of_a_fit_of_widths(call, curve, tmp_path):
    rows = curve.read_text().splitlines()
    shorter = tmp_path / "shorter.csv"
    shorter.write_text("\n".join([rows[0], *rows[3:]]) + "\n")
    dropped = json.loads(call("fit", curve, "--drop-highest", 2, "--json")[1])
    assert dropped["alpha"] == json.loads(call("fit", shorter, "--json")[1])["alpha"]
    assert dropped["left_out"][0].startswith("point 1 (loss 0.878")
    assert "left out: point 1" in call("fit", curve, "--drop-highest", 2)[1]


def test_what_does_not_go_with_chinchilla(call, runs, curve):
    for arguments, message in [
        ([runs, "--chinchilla", "--group", "name"], "--group does not go with --chinchilla"),
        ([runs, "--chinchilla", "--no-floor"], "--no-floor does not go with --chinchilla"),
        ([runs, "--chinchilla", "--forecast", 9], "--forecast does not go with --chinchilla"),
        ([runs, "--chinchilla", "--params", "x"], "no column 'x'"),
        ([runs, "--chinchilla", "--drop-highest", 18], "--drop-highest = 18"),
        ([runs, "--chinchilla", "--drop-highest", 13], "5 points are too few"),
        ([runs, "--chinchilla", "--leave-out", "a"], "give a column of labels"),
        ([runs, "--chinchilla", "--label", "name", "--leave-out", "a"], "no point is named 'a'"),
        ([curve, "--tokens", "m"], "--tokens goes with --chinchilla"),
    ]:
        code, out, err = call("fit", *arguments)
        assert code == 2 and out == "" and message in err and err.count("\n") == 1, err
