import numpy as np
import pytest

from empirical.comparisons.published import load_reference
from empirical.scaling_laws.exponent_fit import fit_exponent
from empirical.unembeddings.family import analyze_many


def frame(m, copies=30, shift=0.0):
    """Copies ± of an orthonormal basis: mean squared overlap (n - m)/(m(n - 1)), as Welch's."""
    rows = np.kron(np.resize([1.0, -1.0], (copies, 1)), np.eye(m))
    return np.c_[rows, np.full(copies * m, shift)] if shift else rows


WIDTHS = [8, 16, 32, 64]


@pytest.fixture(scope="module")
def family():
    return analyze_many({f"width {m}": m**-0.5 * frame(m) for m in WIDTHS}, remove=0)


def test_slopes(family):
    n = 30 * np.array(WIDTHS)
    known = (n - WIDTHS) / (WIDTHS * (n - 1.0))
    fit = fit_exponent(WIDTHS, known)
    assert family.exponents["raw"].value == pytest.approx(fit.value, rel=1e-9)
    assert family.exponents["raw"].stderr == pytest.approx(fit.stderr, rel=1e-6)
    assert abs(fit.value - 1) < 0.02
    assert family.exponents["norm"].value == pytest.approx(0.5)
    assert "removed" not in family.exponents
    table = family.to_dataframe()
    assert table["mean_square_raw"].tolist() == pytest.approx(known)
    assert table["welch"].tolist() == pytest.approx(known)
    assert table["ratio_raw"].tolist() == pytest.approx(known * WIDTHS)


def test_a_common_direction_hides_the_slope():
    """Raw, t = (s + 1)/2 with s the overlap without the shift, whose mean is -1/(n - 1)."""
    shifted = analyze_many([frame(m, shift=1.0) for m in WIDTHS], remove=1)
    n = 30 * np.array(WIDTHS)
    known = (n - WIDTHS) / (WIDTHS * (n - 1.0))
    table = shifted.to_dataframe()
    assert table["mean_square_centred"].tolist() == pytest.approx(known)
    assert table["mean_square_raw"].tolist() == pytest.approx((known - 2 / (n - 1) + 1) / 4)
    assert abs(shifted.exponents["raw"].value) < 0.2
    fit = fit_exponent(np.array(WIDTHS) + 1, known)  # the shift is one dimension more
    assert shifted.exponents["centred"].value == pytest.approx(fit.value)
    assert table["directions_removed"].tolist() == [1, 1, 1, 1]
    # What is left has a dimension less to be random in.
    left = table["mean_square_removed"] * (table["m"] - 1)
    assert table["ratio_removed"].tolist() == pytest.approx(left.tolist())


def test_text_and_picture(family):
    from matplotlib.figure import Figure

    text = str(family)
    published = load_reference("fig8_overlap")
    known = fit_exponent(published["m"], published["mean_square_overlap"])
    assert "width 64" in text and "4 models: raw 1.0" in text
    assert "± 4.3 standard errors" in text  # Student's t, two degrees of freedom
    assert f"the 25 published models (raw): {known}" in text
    ax = family.plot(Figure().add_subplot())
    published_lines = [line for line in ax.lines if "published (raw)" in line.get_label()]
    assert sum(len(line.get_xdata()) for line in published_lines) == 25
    drawn = {line.get_label(): line for line in ax.lines}
    assert drawn["raw"].get_xdata() == pytest.approx(1 / np.array(WIDTHS))
    assert drawn["centred"].get_ydata() == pytest.approx(
        family.to_dataframe()["mean_square_centred"].to_numpy()
    )
    inverse, square = drawn["1/m (random directions)"].get_data()
    assert np.array_equal(inverse, square) and inverse[1] == 1 / 8
    assert [text.get_text() for text in ax.texts] == [f"width {m}" for m in WIDTHS]


def test_one_bad_source_does_not_lose_the_others(tmp_path):
    (tmp_path / "bad.npy").write_text("nothing")
    np.save(tmp_path / "good.npy", frame(8))
    seen = []
    family = analyze_many(
        [tmp_path / "bad.npy", str(tmp_path / "good.npy"), np.zeros(3), tmp_path / "no.npy"],
        progress=lambda done, total: seen.append((done, total)),
    )
    assert len(family.reports) == 1 and family.labels == ("good",)
    assert [str(tmp_path / "bad.npy") in family.failures[0], len(family.failures)] == [True, 3]
    assert family.failures[1].startswith("source 3: ") and "no.npy" in family.failures[2]
    assert seen[0] == (0, 4) and "did not finish: " in str(family)
    assert family.exponents == {} and family.describe_exponents() == ""
    with pytest.raises(ValueError, match="no.npy does not exist"):
        analyze_many([tmp_path / "no.npy"])


def test_counts(tmp_path):
    counts = np.arange(1.0, 241)
    family = analyze_many([frame(8) + np.eye(240, 8), frame(8) + 0.1, frame(16)], counts=counts)
    assert len(family.reports) == 2 and "counts has 240 entries" in family.failures[0]
    table = family.to_dataframe()
    assert (table["weighted_mean_square_raw"] > 0).all()
    assert (table["weighted_size_part_raw"] != table["size_part_raw"]).all()


def test_names_that_repeat(tmp_path):
    for k in (1, 2):
        (tmp_path / f"run{k}").mkdir()
        np.save(tmp_path / f"run{k}" / "small.npy", frame(8))
    paths = [str(tmp_path / f"run{k}" / "small.npy") for k in (1, 2)]
    family = analyze_many(paths)
    assert family.labels == tuple(paths)
    assert "raw" not in family.exponents  # one width alone has no slope


def test_what_is_no_list():
    for source in ("model.npy", frame(8)):
        with pytest.raises(TypeError, match="give one alone to analyze"):
            analyze_many(source)
    with pytest.raises(ValueError, match="no sources"):
        analyze_many([])
    with pytest.raises(TypeError, match="unexpected keyword"):
        analyze_many([frame(8)], pears="all")
    with pytest.raises(TypeError, match="sources = 3 is not"):
        analyze_many(3)


def test_results_show_themselves_as_their_text():
    family = analyze_many({"a": frame(8), "b": frame(16)})
    for one in (family, family.reports[0]):
        assert repr(one) == str(one) and "array(" not in repr(one)
        assert "<table" in one._repr_html_()
