import numpy as np
import pytest

from numerics.overlaps.spectrum import spectrum
from numerics.overlaps.statistics import overlaps, random_overlaps
from numerics.overlaps.treatments import compare_treatments
from numerics.tensors.row_matrix import RowMatrix

W = np.random.default_rng(0).standard_normal((150, 12)) * np.r_[5, np.ones(11)] + 2


def test_each_treatment_is_as_measured_alone():
    raw, centred, removed = compare_treatments(RowMatrix(W), remove=2, thresholds=(0.1,)).results
    assert dict(raw.values) == dict(overlaps(W, thresholds=(0.1,)).values)
    assert dict(centred.values) == dict(overlaps(W, center=True, thresholds=(0.1,)).values)
    assert dict(removed.values) == dict(overlaps(W, remove=2, thresholds=(0.1,)).values)
    assert [one.treatment for one in (raw, centred, removed)] == ["raw", "centred", "top 2 removed"]
    assert raw.mean_square > centred.mean_square > removed.mean_square


def test_how_many_directions_go():
    assert compare_treatments(W).results[2].treatment == "top 1 removed"
    wide = np.random.default_rng(1).standard_normal((30, 250))
    assert compare_treatments(wide).results[2].treatment == "top 2 removed"
    assert len(compare_treatments(W, remove=0).results) == 2
    assert len(compare_treatments([[1.0], [2.0], [-1.0]]).results) == 2
    # Two rows are opposite once centred, and nothing once that direction is gone.
    two = compare_treatments(W[:2])
    assert len(two.results) == 2 and "top 1 removed" in two.left_out[0]
    same = compare_treatments(np.ones((3, 4)))
    assert len(same.results) == 1 and "centred" in same.left_out[0]
    with pytest.raises(ValueError, match="remove = 12"):
        compare_treatments(W, remove=12)


def test_table_and_picture():
    from matplotlib.figure import Figure

    found = compare_treatments(W)
    table = found.to_dataframe()
    assert table["treatment"].unique().tolist() == ["raw", "centred", "top 1 removed"]
    assert len(table) == 3 * len(found.results[0].values)
    ax = found.plot(Figure().add_subplot())
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == [*(f"{x}, n = 150" for x in table["treatment"].unique()), "random directions"]
    assert "top 1 removed" in str(found)


def test_results_show_themselves_as_their_text():
    found = compare_treatments(W)
    for one in (found, found.results[0], spectrum(W)):
        assert repr(one) == str(one) and "array(" not in repr(one)
        assert max(map(len, repr(one).splitlines())) <= 120
        assert "<table" in one._repr_html_()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: compare_treatments(W, center=True), TypeError, "center is one of the treatments"),
        (lambda: spectrum(W).share(-1), ValueError, "k = -1"),
        (lambda: spectrum(W).share(13), ValueError, "k = 13"),
        (lambda: overlaps(W, thresholds="high"), TypeError, "thresholds = 'high' is not allowed"),
        (lambda: overlaps(W, pairs="sample", seed="x"), TypeError, "seed = 'x'"),
        (lambda: random_overlaps(9, 3, seed=-1), ValueError, "seed = -1"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
