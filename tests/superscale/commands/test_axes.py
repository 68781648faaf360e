"""``superscale fit --axes`` and ``superscale plan`` as a user meets them."""

import json

import pytest

from empirical.example_files import EXAMPLES, SHAPES, SHAPES_FLOOR

AXES = "d_model,n_layers,num_tokens"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    file = tmp_path_factory.mktemp("axes") / "shapes.csv"
    file.write_bytes(EXAMPLES["shapes.csv"].make())
    return file


def test_the_law_of_the_example_is_found(call, table):
    code, out, err = call("fit", table, "--axes", AXES, "--json", "--validate", "d_model")
    assert code == 0 and err == ""
    found = json.loads(out)
    for name, (_, alpha) in SHAPES.items():
        low, high = (found["intervals"][name][end] for end in ("low", "high"))
        assert low < found["exponents"][name] < high
        width = high - low
        assert low - width / 2 < alpha < high + width / 2  # 4 standard errors
        assert not low - width / 2 < 1.5 * alpha < high + width / 2
    assert abs(found["floors"]["all"] - SHAPES_FLOOR) < 0.06
    assert found["compare"][0]["law"] == "all axes"
    assert found["validation"]["error"] < 0.02


def test_it_is_shown_to_people(call, table):
    code, out, _ = call("fit", table, "--axes", AXES, "--drop-highest", 3, "--samples", 20)
    assert code == 0
    shown = " ".join(out.split())
    assert "81 points, log residuals" in shown and "bootstrap low" in shown
    assert "alpha(d_model) = 1: p =" in shown and "without n_layers" in shown


def test_a_plan(call, table, tmp_path):
    picture = tmp_path / "plan.png"
    code, out, _ = call(
        "plan", table, "--compute", "1e21", "--samples", 10, "--json", "--output", picture
    )
    assert code == 0 and picture.stat().st_size > 5000
    rows = {row["quantity"]: row for row in json.loads(out)["rows"]}
    product = rows["width"]["value"] ** 2 * rows["depth"]["value"] * rows["tokens"]["value"]
    assert 72 * product == pytest.approx(1e21)
    code, out, _ = call("plan", table, "--parameters", "1e9,2e9", "--tokens", 1e10, "--samples", 5)
    assert code == 0 and "Least loss for 2e+09 parameters" in out and "round as suits" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "--axes", "width"], "no column 'width'"),
        (["fit", "--axes", AXES, "--x", "m"], "--x does not go with --axes"),
        (["fit", "--residuals", "log"], "--residuals goes with --axes"),
        (["fit", "--axes", AXES, "--residuals", "abs"], "give log or squared"),
        (["fit", "--axes", AXES, "--residuals", "log", "--huber", "1e-3"], "leave --residuals out"),
        (["fit", "--axes", AXES, "--interact", "d_model"], "give two axes"),
        (["plan"], "the budget is missing"),
        (["plan", "--compute", "-1"], "compute = -1"),
        (["plan", "--parameters", "1e9"], "give tokens"),
    ],
)
def test_bad_options_are_one_line(call, table, arguments, message):
    code, out, err = call(arguments[0], table, *arguments[1:])
    assert code == 2 and out == ""
    assert message in " ".join(err.split()) and err.count("\n") <= 2


def test_mechanisms_side_by_side(call, tmp_path):
    picture = tmp_path / "mechanisms.png"
    words = ["mechanisms", "--alpha", 1.5, "--n", 500, "--no-solve"]
    code, out, _ = call(*words, "--json", "--output", picture)
    assert code == 0 and picture.stat().st_size > 5000
    rows = {row["mechanism"]: row for row in json.loads(out)["rows"]}
    assert rows["memory"]["asymptotic"] == pytest.approx(1 / 3)
    code, out, _ = call(*words)
    assert code == 0 and "What tells them apart" in out and "gradient flow" in out
    code, _, err = call("mechanisms", "--n", 10)
    assert code == 2 and "n = 10" in err
