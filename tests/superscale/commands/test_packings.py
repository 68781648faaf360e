"""superscale bounds and superscale pack as a user meets them."""

import io
import json
from fractions import Fraction

import pandas as pd
import pytest

import superscale as ss


def test_bounds(call, tmp_path):
    code, out, _ = call("bounds", "--n", 28, "--m", 7)
    assert code == 0 and "1/3" in out and "no known condition rules it out" in out
    code, out, _ = call("bounds", "--n", 20, "--m", 4, "--json", "-o", tmp_path / "b.csv")
    record = json.loads(out)
    a = tuple(Fraction(c) for c in record["certificate"]["coefficients"])
    cosine = Fraction(record["certificate"]["cosine"])
    assert ss.packings.PackingCertificate(20, 4, "lines", cosine, a).verify()
    assert len(pd.read_csv(tmp_path / "b.csv")) == len(record["rows"]) > 4
    _, out, _ = call("bounds", "--n", 27, "--m", 6, "--kind", "code", "--degree", 0)
    assert "1/4" in out and "equiangular" not in out
    _, out, _ = call("bounds", "--n", 22, "--m", 11, "--degree", 0, "--csv")
    assert out.startswith("bound,value,exact,holds for")


def test_pack(call, tmp_path):
    code, out, _ = call("pack", "--n", 28, "--m", 7)
    assert code == 0 and "= 1/3" in out and "welch_1" in out and "gap 0" in out
    options = ["--n", 9, "--m", 3, "--starts", 2, "--seed", 4, "--save", tmp_path / "x.npz"]
    code, out, _ = call("pack", *options, "--json", "-o", tmp_path / "x.png")
    record = json.loads(out)
    saved = ss.packings.Packing.load(tmp_path / "x.npz")
    assert record["coherence"] == saved.coherence and (tmp_path / "x.png").exists()
    assert record["gap"] == pytest.approx(saved.coherence - record["bound"]["value"])
    _, out, _ = call("pack", "--n", 6, "--m", 3, "--search", "--json")
    assert json.loads(out)["coherence"] == pytest.approx(5**-0.5) and "starts" in out
    relu = ["--objective", "relu_energy", "--b", -0.2, "--starts", 1]
    code, out, _ = call("pack", "--n", 20, "--m", 4, *relu)
    assert code == 0 and "relu_energy" in out
    _, out, _ = call("pack", "--n", 10, "--m", 4, "--objective", "cosine", "--csv")
    assert out.startswith("overlap,pairs")


def test_each_objective_has_its_own_bound(call):
    """The values of optimal vectors meet the bounds; no others go below."""
    quick = ["--starts", 3, "--json"]

    def found(*options):
        code, out, err = call("pack", *options, *quick)
        assert code == 0, err
        record = json.loads(out)
        return record["value"], record["bound"], record["gap"]

    value, bound, gap = found("--n", 9, "--m", 4, "--objective", "frame_potential")
    assert bound["of"] == "frame_potential" and bound["value"] == 81 / 4 - 9
    assert value == pytest.approx(bound["value"], rel=1e-9) and gap < 1e-9
    # Six lines of the icosahedron in R^3: a spherical 5-design, all |t| = 1/sqrt(5).
    value, bound, gap = found("--n", 6, "--m", 3, "--objective", "p_frame")
    assert value == pytest.approx(30 / 25, rel=1e-6)
    assert bound["value"] == pytest.approx(30 / 25, rel=1e-6) and abs(gap) < 1e-5
    value, bound, gap = found("--n", 12, "--m", 3, "--objective", "relu_energy")
    assert 0 < bound["value"] < value and gap == pytest.approx(value - bound["value"])
    assert bound["of"] == "relu_energy"
    for options, reason in [
        (["--objective", "p_frame", "--p", 2.5], "whole p"),
        (["--objective", "relu_energy", "--alpha", 1], "even frequencies"),
    ]:
        _, bound, gap = found("--n", 9, "--m", 4, *options)
        assert bound["value"] is None and gap is None and reason in bound["name"]
        assert f"no bound of {options[1]}" in call("pack", "--n", 9, "--m", 4, *options)[1]


def test_complex_lines(call, tmp_path):
    options = ["--objective", "complex_lines", "--n", 4, "--m", 2]
    file = tmp_path / "sic.txt"
    code, out, _ = call("pack", *options, "--starts", 3, "--save", file, "--json")
    record = json.loads(out)
    assert code == 0 and record["coherence"] == pytest.approx(3**-0.5)  # d² equiangular lines
    assert record["bound"]["name"] == "welch" and abs(record["gap"]) < 1e-8
    saved = ss.packings.ComplexPacking.from_text(file.read_text(), 2)
    assert saved.coherence == record["coherence"]
    _, out, _ = call("pack", *options, "--starts", 3)
    assert "4 lines in C^2, largest |t| 0.577350269" in out and "6 pairs touch" in out
    for wrong in (["--search"], ["--alpha", 1], ["--r", 1], ["--steps", 9], ["--save", "x.npz"]):
        code, _, err = call("pack", *options, *wrong)
        assert code == 2 and wrong[-1 if wrong[0] == "--save" else 0] in err


def test_complex_lines_after_an_interruption(call, monkeypatch):
    """The best so far is shown; the exit code is that of Ctrl-C."""
    from numerics.packings.complex_lines import search

    improve, calls = search._improve, []

    def press(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return improve(*arguments)

    monkeypatch.setattr(search, "_improve", press)
    code, out, _ = call("pack", "--n", 5, "--m", 3, "--objective", "complex_lines", "--json")
    assert code == 130 and json.loads(out)["method"] == "2 starts"


def test_pack_relu(call, tmp_path):
    options = ["--n", 30, "--m", "4,6", "--objective", "relu", "--steps", 300]
    at = ["--r", 1, "--b", 0]  # without them the bound takes seconds a width
    code, out, _ = call("pack", *options, *at, "-o", tmp_path / "x.png", "-o", tmp_path / "x.json")
    assert code == 0 and "certified" in out and "optimised" in out
    rows = json.loads((tmp_path / "x.json").read_text())["rows"]
    assert [row["m"] for row in rows] == [4, 6] and (tmp_path / "x.png").exists()
    assert all(r["certified"] < r["optimised"] <= r["trained"] < r["random"] for r in rows)
    code, out, _ = call("pack", "--n", 20, "--m", 6, *options[4:], "--r", 1.1, "--b", -0.4, "--csv")
    assert code == 0 and out.startswith("n,m,certified,optimised,trained,random")
    (row,) = pd.read_csv(io.StringIO(out)).to_dict("records")
    assert row["certified"] < row["optimised"]
    assert (row["r_certified"], row["b_certified"]) == (1.1, -0.4)
