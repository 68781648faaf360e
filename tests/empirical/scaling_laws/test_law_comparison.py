"""Which law: each is found where it is the truth, with the AICc of the textbook."""

import warnings

import numpy as np
import pytest
from scipy.optimize import curve_fit

from empirical.comparisons.published import load_reference
from empirical.scaling_laws.power_law import fit_power_law

M = np.geomspace(8, 1024, 12)
TRUTHS = {
    "power law": 3 / M + 0.5,
    "no floor": 3 / M**0.4,
    "exponential": np.exp(-M / 80) + 0.5,
    "logarithm": 3 - 0.3 * np.log(M),
}


def compare(loss, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fit_power_law(M, loss, **options).compare()


@pytest.mark.parametrize("law", TRUTHS)
def test_each_law_is_found_where_it_holds(law):
    rng = np.random.default_rng(1)
    found = compare(TRUTHS[law] + 0.003 * rng.standard_normal(M.size))
    # A power law with a floor may always take the place of its own limits, at the cost of one.
    assert found.best == law
    table = found.to_dataframe()
    assert table["difference"].iloc[0] == 0 and table["weight"].sum() == pytest.approx(1)
    others = table[~table["law"].isin([law, "power law"])]
    assert (others["difference"] > 10).all()


def test_against_curve_fit_and_the_textbook_formula():
    rng = np.random.default_rng(2)
    loss = 3 / M**0.6 + 0.5 + 0.01 * rng.standard_normal(M.size)
    table = compare(loss).to_dataframe().set_index("law")
    laws = {
        "power law": (lambda m, a, c, b: c * m**-a + b, [1, 1, 0.5]),
        "no floor": (lambda m, a, c: c * m**-a, [0.5, 1]),
        "exponential": (lambda m, k, c, b: c * np.exp(-m / k) + b, [50, 1, 0.5]),
        "logarithm": (lambda m, b, a: a - b * np.log(m), [0.3, 2]),
    }
    for name, (law, start) in laws.items():
        found, _ = curve_fit(law, M, loss, start, maxfev=10_000)
        rss, k = np.sum((loss - law(M, *found)) ** 2), len(found) + 1
        score = 12 * np.log(rss / 12) + 2 * k + 2 * k * (k + 1) / (12 - k - 1)
        assert table.loc[name, "rss"] == pytest.approx(rss, rel=1e-6)
        assert table.loc[name, "AICc"] == pytest.approx(score, rel=1e-6)
        assert table.loc[name, "value"] == pytest.approx(found[0], rel=1e-3)
        assert table.loc[name, "parameters"] == k - 1


def test_known_errors_charge_nothing_for_the_variance():
    rng = np.random.default_rng(3)
    loss = 3 / M + 0.5 + 0.01 * rng.standard_normal(M.size)
    row = (
        compare(loss, stderr=np.full(M.size, 0.01)).to_dataframe().set_index("law").loc["power law"]
    )
    assert row["AICc"] == pytest.approx(row["rss"] + 2 * 3 + 2 * 3 * 4 / (12 - 3 - 1))


def test_published_losses_are_a_power_law():
    data = load_reference("fig8_llm_loss")
    groups = data["family"] + "/" + data["dataset"]
    table = fit_power_law(data["m"], data["loss_total"], groups).compare().to_dataframe()
    assert table["law"].tolist() == ["power law", "exponential", "no floor", "logarithm"]
    assert table["difference"].iloc[1] > 50
    assert table["parameters"].tolist() == [18, 18, 17, 17]


def test_too_few_points_are_not_ranked():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = fit_power_law([8, 16, 32, 64, 128], [2.5, 1.5, 1.0, 0.74, 0.62]).compare()
    assert found.best is None and found.to_dataframe()["weight"].isna().all()


def test_plot_and_text():
    from matplotlib.figure import Figure

    found = compare(TRUTHS["exponential"] + 0.01 * np.sin(M))
    axes = Figure().add_subplot()
    assert found.plot(axes) is axes and len(axes.patches) == 4
    assert "exponential" in str(found)
