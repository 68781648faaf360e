"""superscale predict as a user meets it."""

import csv
import io
import json

import pytest

import superscale as ss
from theory.frequencies import Frequencies
from theory.registry import THEORIES, predict


def test_predict_for_people(call):
    code, out, err = call("predict", "--alpha", 1.75, "--m", "10,63", "--theory", "asymptotic")
    assert code == 0 and err == ""
    assert "alpha = 1.75" in out and "strong_skewed" in out and "1.5" in out
    code, out, _ = call("predict", "--alpha", 0, "--n", 40, "--m", 12)
    assert code == 0
    heads = out.splitlines()[2].split()
    assert heads[:3] == ["m", "loss", "mean_field"]


def test_predict_for_many_features_says_what_it_leaves_out(call):
    code, out, _ = call("predict", "--n", 10**6, "--m", 1000)
    assert code == 0 and "note: mean_field left out: n = 1000000 is above 100000" in out
    _, out, _ = call("predict", "--n", 10**6, "--m", 1000, "--json")
    assert "mean_field" in json.loads(out)["notes"][0]


def test_predict_for_machines(call):

    words = ss.Frequencies.power_law(1000, 1.0)
    expected = ss.regimes.weak_loss(words, [10, 25])
    quick = ("--theory", "weak,equiangular")
    _, out, _ = call("predict", "--m", "10", "--m", "25", *quick, "--json")
    record = json.loads(out)
    assert record["rows"][0]["uncertainty"] == {}
    assert [row["m"] for row in record["rows"]] == [10, 25]
    assert [row["predicted"]["weak"] for row in record["rows"]] == pytest.approx(expected)
    assert record["rows"][0]["predicted"]["equiangular"] is None
    _, out, _ = call("predict", "--m", "10,25", "--csv", "--theory", "weak")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [float(row["loss"]) for row in rows] == pytest.approx(expected)


def test_a_dash_has_its_reason_beneath(call):
    reason = "equiangular: n directions overlap equally only where m < n <= m(m + 1)/2"
    _, out, _ = call("predict", "--n", 100, "--m", "5,20", "--theory", "weak,equiangular")
    assert reason in out and out.index("–") < out.index(reason)
    _, out, _ = call("predict", "--n", 100, "--m", 20, "--theory", "weak,equiangular")
    assert "–" not in out
    # The loss of m = n is 0, with an infinite exponent: a number, not a gap.
    _, out, _ = call("predict", "--n", 10, "--m", 10, "--theory", "weak")
    assert "inf" in out and "–" not in out


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
    code, out, _ = call("predict", *options, "--theory", "weak,strong_even")
    assert code == 0 and "weak" in out


def test_theories_are_listed(call, tmp_path):
    _, out, _ = call("theories", "--alpha", 0.5)
    assert call("predict", "--theories", "--alpha", 0.5)[1] == out
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    for theory in THEORIES:
        assert theory.summary in out and theory.name in rows
        assert theory.evidence.error in rows[theory.name]
        assert theory.evidence.source in out
    assert "claimed for power laws with alpha > 1" in out
    code, out, _ = call("theories", "--json")
    records = json.loads(out)["rows"]
    assert code == 0 and records[0]["theory"] == "mean_field" and records[0]["applies"] == "yes"
    _, out, _ = call("theories", "--csv", "--output", tmp_path / "theories.csv")
    assert out == (tmp_path / "theories.csv").read_text()
    assert [row["theory"] for row in csv.DictReader(io.StringIO(out))] == [x.name for x in THEORIES]
    code, _, err = call("theories", "--output", tmp_path / "theories.png")
    assert code == 2 and ".csv, .json" in err


def test_predict_explains(call):
    _, out, _ = call("predict", "--explain", "weak")
    assert "best bias" in out and "Assumed:" in out
    _, out, _ = call("predict", "--latex", "weak")
    assert out.startswith("\\frac")
    _, out, _ = call("predict", "--alpha", 2, "--latex", "strong_skewed")
    assert out.strip() == r"2 \alpha - 2"
    _, out, _ = call("predict", "--alpha", 0, "--latex", "large_deviations")
    assert out.strip() == r"\frac{2 \ln{\left(n \right)}}{3 m}"  # at E = 1; leading order only


def test_what_the_published_recipe_ends_at(call):
    options = ["--n", 120, "--m", "12,12", "--recipe", "paper", "--weight-decay", -0.5]
    code, out, err = call("predict", *options, "--json")
    assert code == 0, err
    record = json.loads(out)
    found = record["rows"][0]["predicted"]
    assert list(found) == ["paper_recipe"]
    assert record["settings"]["recipe"] == "paper" and record["settings"]["weight_decay"] == -0.5
    best = predict(Frequencies.power_law(120, 1.0), 12, "mean_field").loss["mean_field"]
    assert found["paper_recipe"] > 1.1 * best
    assert "n = 120 lies outside" in record["notes"][0]
    code, out, err = call("predict", "--recipe", "paper", "--weight-decay", 0.5)
    assert code == 2 and out == "" and "weight-decay = 0.5 is not allowed" in err
    code, out, err = call("predict", "--recipe", "fast")
    assert code == 2 and "recipe = 'fast'" in err


def test_predict_writes_what_it_is_asked_for(call, tmp_path):
    names = ["a.png", "a.svg", "a.pdf", "a.csv", "a.json"]
    outputs = [x for name in names for x in ("--output", tmp_path / name)]
    code, _, err = call("predict", "--theory", "weak,asymptotic", *outputs)
    assert code == 0 and sorted(p.name for p in tmp_path.iterdir()) == sorted(names)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert json.loads((tmp_path / "a.json").read_text())["rows"]
    assert err.count("wrote") == 5
