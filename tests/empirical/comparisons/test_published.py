import math

import numpy as np
import pandas as pd
import pytest

from empirical.comparisons.published import REFERENCES, compare_reference, load_reference
from empirical.comparisons.stored_predictions import load_solved
from empirical.scaling_laws.exponent_fit import fit_exponent
from theory.frequencies import Frequencies
from theory.mean_field import solve as solver
from theory.mean_field.solve import solve_mean_field
from theory.regimes.weak import weak_loss


@pytest.mark.parametrize("name", REFERENCES)
def test_every_reference_compares_prints_and_plots(name):
    from matplotlib.figure import Figure

    c = compare_reference(name)
    assert c.settings["reference"] == name and "2505.10465" in c.settings["source"]
    assert all(row.predicted and math.isfinite(row.measured) for row in c.rows)
    assert len(c.to_dataframe()) == len(c.rows)
    assert c.plot(Figure().add_subplot()).get_legend() is not None
    assert c.to_dict()["rows"]


def test_figure_1_rows_are_the_published_ones():
    table = load_reference("fig1_toy_loss")
    c = compare_reference("fig1-weak", curves=["power"])
    part = table[(table["superposition"] == "weak") & (table["distribution"] == "power")]
    assert [row.measured for row in c.rows] == part["loss"].tolist()
    assert [row.m for row in c.rows] == part["m"].tolist()
    f = Frequencies.power_law(10240, 1.2)
    for row in c.rows:
        assert row.predicted["weak"] == pytest.approx(float(weak_loss(f, row.m)))


@pytest.mark.parametrize(
    ("law", "start", "slope", "error"),
    [
        ("exponential", 8, 1.0055, 0.052),
        ("power", 32, 0.984, 0.0964),
        ("linear", 32, 0.8864, 0.0518),
    ],
)
def test_published_fits_of_figure_1_come_out(law, start, slope, error):
    """The slopes and errors that the publication's own fits have, over the widths it used."""
    c = compare_reference("fig1-strong", curves=[law])
    rows = [row for row in c.rows if row.m >= start]
    fit = fit_exponent([row.m for row in rows], [row.measured for row in rows])
    assert fit.value == pytest.approx(slope, abs=1e-3)
    assert fit.stderr == pytest.approx(error, abs=1e-3)


def test_densities_of_figure_7_match_those_it_prints():
    table = load_reference("fig7_density")
    for panel, name in (("a", "fig7-density"), ("b", "fig7-width")):
        printed = table[table["panel"] == panel]["E"].tolist()
        assert [row.density for row in compare_reference(name).rows] == pytest.approx(
            printed, abs=6e-5
        )


def test_exponents_of_figure_6_are_predicted_over_its_widths():
    c = compare_reference("fig6-exponents")
    row = next(r for r in c.rows if r.alpha == 2.0 and r.curve == "weight_decay = -0.55556")
    assert (row.measured, row.stderr) == (2.1999, 0.2613)
    f, m = Frequencies.power_law(1000, 2.0), [10, 15, 25, 39, 63, 100]
    assert row.predicted["weak"] == pytest.approx(fit_exponent(m, weak_loss(f, m)).value)
    assert next(iter(row.predicted)) == "mean_field"
    assert row.predicted["strong_skewed"] == 2.0 and row.predicted["strong_even"] == 1.0


def test_overlaps_of_figure_6_use_the_published_bound():
    table = load_reference("fig6_strong")
    drawn = table[table["quantity"].str.startswith("dashed")].set_index("m")["value"]
    for row in compare_reference("fig6-overlaps").rows:
        assert row.predicted["welch_at_capacity"] == pytest.approx(drawn[row.m], abs=1e-6)


@pytest.mark.parametrize(
    ("curve", "f"),
    [
        ("power", Frequencies.power_law(10240, 1.2)),
        ("exponential", Frequencies.exponential(10240, 400)),
        ("linear", Frequencies.linear(10240)),
    ],
)
@pytest.mark.parametrize("name", ["fig1-weak", "fig1-strong"])
def test_figure_1_is_predicted_for_its_frequencies(name, curve, f):
    table = load_reference("fig1_toy_loss")
    part = table[(table["superposition"] == name[5:]) & (table["distribution"] == curve)]
    c = compare_reference(name, [curve])
    for row, point in zip(c.rows, part.to_dict("records"), strict=True):
        assert row.predicted["weak"] == pytest.approx(float(weak_loss(f, row.m)))
        assert row.stderr == point["loss_std"]
    assert c.exponents[curve]["weak"] == fit_exponent(part["m"], weak_loss(f, part["m"]))


@pytest.mark.parametrize(
    "f", [Frequencies.power_law(1000, 0.0), Frequencies.power_law(1000, 1.0, 3.43207)]
)
def test_solved_losses_in_the_table_are_those_of_the_solver(f):
    """Two of its settings, solved again; the control is another width, far outside."""
    table = load_solved()
    alike = np.isclose(table["alpha"], f.exponent) & np.isclose(table["density"], f.density, 1e-3)
    row = table[alike & (table["n"] == 1000) & (table["m"] == 63)].iloc[0]
    found = solve_mean_field(Frequencies.power_law(1000, f.exponent, row["density"]), 63)
    assert found.loss == pytest.approx(row["loss"], rel=5e-3)
    assert solve_mean_field(f, 55).loss != pytest.approx(row["loss"], rel=5e-2)
    assert found.exponent == pytest.approx(row["exponent"], abs=0.1)


def test_every_published_setting_of_strong_superposition_is_in_the_table(monkeypatch):
    """So that a reference needs no solver."""
    monkeypatch.setattr(solver, "solve_mean_field", None)
    for name in REFERENCES:
        c = compare_reference(name)
        for row in c.rows:
            if c.quantity in ("loss", "exponent"):
                weak = set(row.predicted) == {"weak"}
                assert weak or "mean_field" in row.predicted


def test_figure_4_errors_are_half_a_colour_step():
    table = load_reference("fig4_exponents").query("quantity == 'alpha_m'")
    rows = compare_reference("fig4-exponents").rows
    assert [row.stderr for row in rows] == pytest.approx(((table["hi"] - table["lo"]) / 2).tolist())


def test_figure_6_beside_chance_and_capacity():
    for row in compare_reference("fig6-overlaps").rows:
        assert row.predicted["random"] == 1 / row.m
        assert row.predicted["welch"] == pytest.approx((1000 - row.m) / (row.m * 999))
    for row in compare_reference("fig6-phi").rows:
        assert row.predicted["capacity"] == min(1, row.m * (row.m + 1) / 2000)


def test_tables_are_copies():
    table = load_reference("fig1_toy_loss")
    table.loc[:, "loss"] = 0.0
    assert (load_reference("fig1_toy_loss")["loss"] > 0).all()
    assert isinstance(load_reference("fig8_llm_loss"), pd.DataFrame)


def test_nothing_of_the_reference_is_a_copy_of_theory():
    c = compare_reference("fig1-weak")
    ratios = np.array([row.ratio("weak") for row in c.rows])
    assert np.max(np.abs(ratios - 1)) > 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: compare_reference("fig2"), "unknown reference 'fig2': give one of fig1-weak"),
        (lambda: compare_reference("fig1-weak", ["even"]), "no curve 'even': it has 'power'"),
        (lambda: load_reference("fig2"), "no table 'fig2'"),
    ],
)
def test_bad_names(call, message):
    with pytest.raises(ValueError, match=message):
        call()
