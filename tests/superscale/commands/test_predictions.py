"""superscale predict as a user meets it."""

import csv
import io
import json

import pytest

import superscale as ss
from theory.registry import THEORIES


def test_predict_for_people(call):
    code, out, err = call("predict", "--alpha", 1.75, "--m", "10,63")
    assert code == 0 and err == ""
    assert "alpha = 1.75" in out and "strong_skewed" in out and "1.5" in out


def test_predict_for_machines(call):

    words = ss.Frequencies.power_law(1000, 1.0)
    expected = ss.regimes.weak_loss(words, [10, 25])
    _, out, _ = call("predict", "--m", "10", "--m", "25", "--json")
    record = json.loads(out)
    assert [row["m"] for row in record["rows"]] == [10, 25]
    assert [row["predicted"]["weak"] for row in record["rows"]] == pytest.approx(expected)
    assert record["rows"][0]["predicted"]["equiangular"] is None
    _, out, _ = call("predict", "--m", "10,25", "--csv", "--theory", "weak")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [float(row["loss"]) for row in rows] == pytest.approx(expected)


def test_a_dash_has_its_reason_beneath(call):
    reason = "equiangular: n directions overlap equally only where m < n <= m(m + 1)/2"
    _, out, _ = call("predict", "--n", 100, "--m", "5,20")
    assert reason in out and out.index("–") < out.index(reason)
    _, out, _ = call("predict", "--n", 100, "--m", 20)
    assert "–" not in out
    # The loss of m = n is 0, with an infinite exponent: a number, not a gap.
    _, out, _ = call("predict", "--n", 10, "--m", 10, "--theory", "weak")
    assert "inf" in out and "–" not in out
    _, out, _ = call("compare", "--reference", "fig1-weak")
    assert reason in out


@pytest.mark.parametrize("text", [["--explain", "weak"], ["--latex", "weak"], ["--theories"]])
@pytest.mark.parametrize("other", [["--json"], ["--csv"], ["--output", "x.json"]])
def test_text_is_no_data(call, tmp_path, monkeypatch, text, other):
    monkeypatch.chdir(tmp_path)
    code, out, err = call("predict", *text, *other)
    assert code == 2 and out == "" and list(tmp_path.iterdir()) == []
    assert f"{text[0]} prints text, and nothing else: leave out {other[0]}" in err


def test_lists_and_ranges(call):
    rows = []
    for options in (
        ["--m", "10:30:3", "--theory", "weak,strong_even"],
        ["--m", 10, "--m", "20,30", "--theory", "weak", "--theory", "strong_even"],
    ):
        code, out, _ = call("predict", "--n", 100, *options, "--json")
        assert code == 0
        rows.append(json.loads(out)["rows"])
    assert rows[0] == rows[1] and [row["m"] for row in rows[0]] == [10, 20, 30]
    assert set(rows[0][0]["exponent"]) == {"weak", "strong_even"}


@pytest.mark.parametrize(
    "options",
    [["--law", "linear"], ["--law", "exponential", "--scale", 40], ["--n", 10**9, "--alpha", 1.2]],
)
def test_predict_other_laws(call, options):
    code, out, _ = call("predict", *options)
    assert code == 0 and "weak" in out


def test_predict_explains(call):
    _, out, _ = call("predict", "--theories", "--alpha", 0.5)
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    for theory in THEORIES:
        assert theory.summary in rows[theory.name]
    assert "yes" in rows["weak"] and "alpha > 1" in rows["strong_skewed"].split("instant")[1]
    _, out, _ = call("predict", "--explain", "weak")
    assert "best bias" in out and "Assumed:" in out
    _, out, _ = call("predict", "--latex", "weak")
    assert out.startswith("\\frac")
    _, out, _ = call("predict", "--alpha", 2, "--latex", "strong_skewed")
    assert out.strip() == r"2 \alpha - 2"


def test_predict_writes_what_it_is_asked_for(call, tmp_path):
    names = ["a.png", "a.svg", "a.pdf", "a.csv", "a.json"]
    outputs = [x for name in names for x in ("--output", tmp_path / name)]
    code, _, err = call("predict", *outputs)
    assert code == 0 and sorted(p.name for p in tmp_path.iterdir()) == sorted(names)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert json.loads((tmp_path / "a.json").read_text())["rows"]
    assert err.count("wrote") == 5
