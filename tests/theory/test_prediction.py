import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

from theory.activation import Activation
from theory.features import Features
from theory.frequencies import Frequencies
from theory.mean_field import solve as solver
from theory.mean_field.solve import ConvergenceError, solve_mean_field
from theory.regimes.weak import weak_exponent, weak_loss
from theory.registry import THEORIES, default_theories, line_styles, predict, theories

ROOT = Path(__file__).parents[2]
WORDS = Frequencies.power_law(1000, 1.0)
STEEP = Frequencies.power_law(1000, 1.75)
# Formulas, which cost nothing.
QUICK = ("weak", "equiangular", "strong_even", "strong_skewed")
WITH_IMPORTANCE = ("weak", "gaussian", "mean_field")


def test_every_theory_side_by_side():
    prediction = predict(STEEP, [10, 25, 63], QUICK)
    assert prediction.theories == QUICK
    assert default_theories(STEEP) == ("mean_field", "strong_even", "strong_skewed", "weak")
    assert np.array_equal(prediction.loss["weak"], weak_loss(STEEP, [10, 25, 63]))
    assert np.array_equal(prediction.exponent["weak"], weak_exponent(STEEP, [10, 25, 63]))
    assert np.isnan(prediction.loss["strong_even"]).all()
    for name, parts in prediction.parts.items():
        if parts:
            good = np.isfinite(prediction.loss[name])
            assert sum(parts.values())[good] == pytest.approx(prediction.loss[name][good])
    assert prediction["weak"].assumptions


def test_results_cannot_be_changed():
    prediction = predict(WORDS, [10, 25], QUICK[:3])
    with pytest.raises(ValueError):
        prediction.loss["weak"][0] = 0
    with pytest.raises(TypeError):
        prediction.loss["weak"] = 0
    with pytest.raises(AttributeError):
        prediction.m = 3


def test_expressions_take_plain_symbols():
    prediction = predict(WORDS, 10, ["weak", "strong_even"])
    m, n, alpha = sp.symbols("m n alpha")
    expression = prediction.expression("weak")
    assert expression.free_symbols == {m, n, alpha}
    value = float(expression.subs({m: 10, n: 1000, alpha: 1}).evalf())
    assert value == pytest.approx(prediction.loss["weak"], rel=1e-13)
    assert value == pytest.approx(float(expression.subs({"m": 10, "n": 1000, "alpha": 1}).evalf()))
    assert "zeta" in str(expression.rewrite(sp.zeta))


def test_density_is_inserted():
    thin, thick = (predict(Frequencies.power_law(1000, 1.0, e), 10, "weak") for e in (0.25, 0.5))
    ratio = [
        float(p.expression("weak").subs({"m": 10, "n": 1000, "alpha": 1}).evalf()) / p.loss["weak"]
        for p in (thin, thick)
    ]
    assert ratio == pytest.approx([1, 1], rel=1e-13)


def test_one_theory_needs_no_name():
    prediction = predict(WORDS, 10, theory="weak")
    assert prediction.expression() == prediction.expression("weak")
    with pytest.raises(ValueError, match="name one of the theories"):
        predict(WORDS, 10, QUICK[:3]).expression()


def test_tables_of_counts():
    f = Frequencies.from_counts([50, 30, 10, 5, 5])
    prediction = predict(f, [1, 2, 5], "weak")
    assert prediction.loss["weak"][-1] == 0
    expression = prediction.expression("weak")
    p = sp.IndexedBase("p")
    inserted = expression.subs({"m": 2, "n": 5}).doit()
    value = inserted.subs({p[i + 1]: f.p[i] for i in range(5)})
    assert float(value) == pytest.approx(float(prediction.loss["weak"][1]))
    with pytest.raises(ValueError, match="it has: of='loss' limit='exact'"):
        prediction.expression("weak", of="exponent")
    assert "lost feature" in str(prediction.explain("weak"))


def test_explain_and_latex(capsys):
    prediction = predict(STEEP, 10, QUICK)
    for name in prediction.theories:
        explanation = prediction.explain(name)
        assert "1. " in str(explanation) and "Assumed:" in str(explanation)
        assert repr(explanation) == str(explanation)
        markdown = explanation._repr_markdown_()
        assert markdown.count("$$") == 2 * sum(
            step.expression is not None for step in explanation.derivation.steps
        )
        assert all(text in markdown for text in explanation.assumptions)
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="'no' is not in this prediction"):
        prediction.explain("no")
    assert prediction.latex("weak").startswith(r"\frac")
    assert prediction.latex("strong_skewed", of="exponent") == r"2 \alpha - 2"


def test_tables_and_pictures():
    prediction = predict(STEEP, [10, 63], QUICK)
    frame = prediction.to_dataframe()
    assert len(frame) == 8 and set(frame["theory"]) == set(prediction.theories)
    assert "weak" in str(prediction) and "<table" in prediction._repr_html_()
    from matplotlib.figure import Figure

    axes = prediction.plot(Figure().add_subplot())
    labels = [line.get_label() for line in axes.lines]
    # The theories with a loss, as curves; then slopes through the middle of the first.
    assert labels[:2] == [prediction.records[name].line.label for name in ("weak", "equiangular")]
    assert [x.partition(", height")[0] for x in labels[2:]] == [
        "published, even: slope −1", "published, skewed: slope −1.5",
    ]  # fmt: skip
    assert len(predict(STEEP, 63, QUICK).plot(Figure().add_subplot()).lines) == 2
    ends = predict(STEEP, [999, 1000], theory="weak").plot(Figure().add_subplot())
    assert np.isfinite(ends.lines[0].get_ydata()).tolist() == [True, False]  # L = 0 at m = n
    (line,) = predict(STEEP, [63, 10, 25], theory="weak").plot(Figure().add_subplot()).lines
    x, y = line.get_data()
    assert np.all(np.diff(x) > 0)
    for m in (10, 25, 63):  # the curve goes through the losses
        assert np.interp(m, x, y) == pytest.approx(float(weak_loss(STEEP, m)), rel=1e-3)


def test_what_is_shown_fits_a_terminal():
    prediction = predict(STEEP, range(1, 1001), QUICK)
    assert repr(prediction) == str(prediction)
    for text in (repr(prediction), repr(prediction["weak"])):
        assert len(text.splitlines()) < 40 and max(map(len, text.splitlines())) < 100
    assert prediction._repr_html_().count("<tr") < 40
    assert "v in" not in repr(prediction)
    assert "v in [0, 1]" in repr(predict(Features(STEEP, Activation(0, 1)), 10, "weak"))


def test_a_number_for_one_width_and_arrays_for_a_list():
    one, several = predict(STEEP, 63, QUICK), predict(STEEP, [63], QUICK)
    assert one.m == 63 and several.m.shape == (1,)
    for name in one.theories:
        for values, arrays in ((one.loss, several.loss), (one.exponent, several.exponent)):
            assert type(values[name]) is float and arrays[name].shape == (1,)
            assert np.array_equal([values[name]], arrays[name], equal_nan=True)
        for part, value in one.parts[name].items():
            assert type(value) is float and value == several.parts[name][part][0]
    assert one.to_dataframe().equals(several.to_dataframe())


def test_other_activations():
    v = Activation(0.0, 1.0)
    prediction = predict(Features(WORDS, v), 10, ["weak", "asymptotic"])
    assert prediction.theories == ("weak", "strong_even")
    assert default_theories(Features(WORDS, v)) == ("mean_field", "strong_even", "weak")
    assert prediction.loss["weak"] == pytest.approx(weak_loss(Features(WORDS, v), 10))
    assert prediction.loss["weak"] == pytest.approx(weak_loss(WORDS, 10) / 4, rel=1e-12)
    with pytest.raises(ValueError, match="'equiangular' does not apply here: .*U.0, 2. only"):
        predict(Features(WORDS, v), 10, theory="equiangular")


@pytest.mark.parametrize("theory", THEORIES, ids=lambda theory: theory.name)
def test_theories_take_importances_or_refuse_them(theory):
    even = Frequencies.power_law(1000, 0.0)
    words = even if theory.name == "large_deviations" else STEEP
    weighted = Features(words, importance=np.linspace(1, 2, 1000))
    assert theory.applies(Features(words))
    if theory.name in WITH_IMPORTANCE:
        assert theory.applies(weighted)
        return
    assert not theory.applies(weighted)
    with pytest.raises(ValueError, match=f"'{theory.name}' does not apply here: .*importance"):
        predict(weighted, 10, theory=theory.name)


def test_importances_weigh_the_loss_that_is_solved_for():
    even = Frequencies.power_law(30, 0.0)
    once, twice = (
        predict(Features(even, importance=scale * np.linspace(1, 3, 30)), 12, theory="gaussian")
        for scale in (1, 2)
    )
    assert twice.loss["gaussian"] == pytest.approx(2 * once.loss["gaussian"], rel=1e-6)
    equal = predict(even, 12, theory="gaussian").loss["gaussian"]
    assert equal < once.loss["gaussian"] < 2 * equal  # the mean importance is 2


def test_lines_tell_theories_apart():
    styles = line_styles([theory.name for theory in THEORIES])
    assert len({str(style.line) for style in styles.values()}) == len(THEORIES)
    assert len({style.label for style in styles.values()}) == len(THEORIES)
    others = line_styles(["random", "welch", "weak", "random"])
    assert others["weak"] == styles["weak"]
    assert str(others["random"].line) != str(others["welch"].line)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: predict(WORDS, 1001), "m = 1001 is not allowed.*the number of features n"),
        (lambda: predict(WORDS, 0), "m = 0"),
        (lambda: predict(WORDS, []), "m is empty"),
        (
            lambda: predict(WORDS, 10, theory="mean"),
            "theory 'mean': unknown; those that apply: mean_field",
        ),
        (
            lambda: predict(WORDS, 10, theory="strong_skewed"),
            "does not apply here: .*alpha > 1; those that apply: mean_field, strong_even, weak",
        ),
        (lambda: predict(WORDS, 10, theory=""), "theory '': unknown"),
        (lambda: predict(WORDS, 10, sampling="one-hot"), "sampling = 'one-hot'"),
        (lambda: predict(WORDS, 10, "weak")["no"], "is not in this prediction"),
        (lambda: predict(WORDS, 10, theory=[]), "names none"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_wrong_kind_of_frequencies():
    with pytest.raises(TypeError, match="neither a Features nor a Frequencies"):
        predict([0.5, 0.5], 1)


def test_what_is_solved_for_comes_first():
    even = Frequencies.power_law(40, alpha=0.0)
    assert predict(even, 12).theories[0] == "mean_field" and not predict(even, 12).notes
    prediction = predict(even, [1, 12, 16], theory=["gaussian", "mean_field"])
    for name, estimate in prediction.estimates.items():
        assert estimate.details[0] is None and np.isnan(estimate.loss[0])
        assert [one.m for one in estimate.details[1:]] == [12, 16]
        assert sum(estimate.parts.values())[1:] == pytest.approx(estimate.loss[1:])
        assert estimate.loss[1] > estimate.loss[2] > 0
        assert "minimum" in str(prediction.derivation(name)) and len(estimate.assumptions) >= 3
        assert np.array_equal(prediction.loss[name], estimate.loss, equal_nan=True)
    assert np.all(prediction.loss["mean_field"][1:] < prediction.loss["gaussian"][1:])
    with pytest.raises(ValueError, match="has no expression"):
        prediction.expression("mean_field")


def test_parts_have_the_names_of_the_loss():
    even = Frequencies.power_law(40, alpha=0.0)
    parts = predict(even, 12, theory="gaussian").parts["gaussian"]
    assert tuple(parts) == ("lost", "self", "interference")


def test_asymptotic_is_the_published_exponents():
    steep = Frequencies.power_law(1000, alpha=1.75)
    assert predict(steep, 10, theory="asymptotic").theories == ("strong_even", "strong_skewed")
    flat = predict(Frequencies.power_law(1000, alpha=0.5), 10, theory=["weak", "asymptotic"])
    assert flat.theories == ("weak", "strong_even")
    assert flat.exponent["strong_even"] == 1.0


def test_solved_by_an_executor_or_one_by_one():
    even = Frequencies.power_law(40, alpha=0.0)
    alone = predict(even, [12, 8, 16], theory="gaussian")
    with ThreadPoolExecutor(2) as pool:
        shared = predict(even, [12, 8, 16], theory="gaussian", executor=pool)
    assert np.array_equal(alone.loss["gaussian"], shared.loss["gaussian"])


def test_progress_names_theory_width_and_rounds():
    """As many rounds as the solver says; it does not change the numbers; raising ends the work."""
    even, seen = Frequencies.power_law(40, alpha=0.0), []
    shown = predict(even, [8, 16], theory="gaussian", progress=seen.append)
    assert np.array_equal(
        shown.loss["gaussian"], predict(even, [8, 16], "gaussian").loss["gaussian"]
    )
    for k, found in enumerate(shown["gaussian"].details):
        here = [one for one in seen if one.position == k + 1]
        assert {(one.theory, one.m, one.widths) for one in here} == {("gaussian", found.m, 2)}
        assert [one.rounds for one in here] == list(range(1, len(here) + 1))
        assert len(here) >= found.rounds  # those of the search for live features come before
    assert str(seen[0]) == "solving gaussian at m = 8 (1 of 2), round 1"

    def stop(now):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(even, 8, theory="gaussian", progress=stop)


def fail_at(monkeypatch, *widths):
    """Let the solver fail at these widths."""

    def solve(features, m, **options):
        if m in widths:
            raise ConvergenceError("no minimum")
        return solve_mean_field(features, m, **options)

    monkeypatch.setattr(solver, "solve_mean_field", solve)


def test_a_width_that_does_not_converge_does_not_lose_the_others(monkeypatch):
    even = Frequencies.power_law(40, alpha=0.0)
    fail_at(monkeypatch, 16)
    found = predict(even, [8, 16])
    assert np.isfinite(found.loss["mean_field"]).tolist() == [True, False]
    assert found["mean_field"].details[1] is None
    assert found["mean_field"].uncertainty[0] > 0
    assert found.notes == ("mean_field has no loss at m = 16: no minimum",)
    assert f"note: {found.notes[0]}" in str(found) and found.notes[0] in found._repr_html_()
    alone = predict(even, 16)
    assert alone.theories == ("strong_even", "weak") and "no minimum" in alone.notes[0]
    with pytest.raises(ConvergenceError, match="no minimum"):
        predict(even, 16, theory=["mean_field", "weak"])


def test_default_theories_leave_out_what_would_take_long():
    many = Frequencies.power_law(10**6, 1.0)
    found = predict(many, [1000])
    assert found.theories == ("strong_even", "weak")
    assert "mean_field left out: n = 1000000 is above 100000" in found.notes[0]
    assert "gaussian" not in " ".join(found.notes)  # it is not shown by default anyway
    assert default_theories(Frequencies.power_law(100_000, 1.0))[0] == "mean_field"
    assert default_theories(WORDS, "weak") == ("weak",)
    assert predict(Frequencies.from_probabilities([0.5]), 1).theories == ("strong_even", "weak")


def test_records_say_what_studies_measured():
    """The errors in the table of theories are those of the stored results that it names."""
    for one in THEORIES:
        stored = json.loads((ROOT / one.evidence.source).read_text(encoding="utf-8"))
        if "cells" in stored:  # of the mean field, cell by cell
            errors = np.abs([cell["error"] for cell in stored["cells"]])
            found = {"cells": errors.size, "median": np.median(errors)}
            found["of_90_percent"] = np.quantile(errors, 0.9)
        else:
            found = stored[one.name]
            assert found["quantity"] == one.evidence.quantity
        assert found["cells"] == one.evidence.cells
        for name in ("median", "of_90_percent"):
            assert getattr(one.evidence, name) == pytest.approx(found[name], rel=5.1e-3), one.name
        assert (ROOT / one.evidence.page).exists()


def test_a_table_of_theories():
    table = theories(WORDS)
    assert table["theory"].tolist() == [one.name for one in THEORIES]
    assert (table.drop(columns="applies") != "").all(axis=None)
    assert table.set_index("theory").loc["strong_skewed", "applies"].endswith("alpha > 1")
    assert "applies" not in theories()


def test_one_active_feature_at_a_time():
    even = Frequencies.power_law(40, alpha=0.0)
    one = predict(even, 12, theory="mean_field", sampling="one_hot").loss["mean_field"]
    several = predict(even, 12, theory="mean_field").loss["mean_field"]
    assert 0 < one < 0.8 * several
    assert predict(even, 12, sampling="one_hot").theories == ("mean_field",)
    with pytest.raises(ValueError, match="'weak' does not take .*: name mean_field or gaussian"):
        predict(even, 12, "weak", sampling="one_hot")


def test_a_law_in_cells():
    v, even = Activation(0.0, 2.0, (3.0, 1.0)), Frequencies.power_law(40, alpha=0.0)
    prediction = predict(Features(even, v), 12, theory=["weak", "mean_field"])
    uniform = predict(even, 12, theory=["weak", "mean_field"])
    for name in ("weak", "mean_field"):
        assert 0 < prediction.loss[name] < uniform.loss[name]  # its v are smaller
    with pytest.raises(ValueError, match="does not apply"):
        predict(Features(WORDS, v), 10, theory="equiangular")


def test_text_has_no_column_for_what_a_theory_does_not_give():
    """strong_even has an exponent and no loss; equiangular no loss at widths of too many rows."""
    short = str(predict(Frequencies.power_law(1000, 1.0), [20, 50], ["strong_even", "weak"]))
    head, *rows = short.splitlines()[1:4]
    assert " ".join(head.split()) == "m loss weak exponent strong_even exponent weak"
    assert all(len(row.split()) == 4 for row in rows) and "NaN" not in short
    some = predict(Frequencies.power_law(100, 0.0), [5, 20], ["equiangular", "weak"])
    assert np.isnan(some.loss["equiangular"]).tolist() == [True, False]
    assert str(some).splitlines()[2].split()[:2] == ["5", "-"] and "NaN" not in str(some)
    assert "NaN" not in some._repr_html_()
    # Too many theories for the width of a terminal: losses, then exponents; not too many lines.
    names = ["equiangular", "hard_wall", "strong_even", "weak"]
    many = str(predict(Frequencies.power_law(100, 0.0), range(1, 60), names))
    assert max(map(len, many.splitlines())) <= 100 and len(many.splitlines()) < 26
    assert "loss hard_wall" in many.splitlines()[1] and "exponent weak" in many.splitlines()[12]
