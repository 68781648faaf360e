import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from empirical.unembeddings.family import analyze_many
from empirical.unembeddings.report import analyze
from empirical.unembeddings.rows import find_untrained
from empirical.unembeddings.unembedding import open_unembedding
from numerics.tensors.row_matrix import RowMatrix

rng = np.random.default_rng(0)
N, TOKENS, M = 300, 290, 12
W = rng.standard_normal((N, M)).astype(np.float32)
W[TOKENS:] = 40.0  # padding that would change every number
COUNTS = rng.integers(1, 1000, TOKENS)


def numbers(report):
    return (
        report.to_dataframe()
        .set_index(["quantity", "treatment"])["value"]
        .drop("rows_left_out", level="quantity", errors="ignore")
    )


def test_rows_beyond_the_counts_are_left_out_and_reported():
    found, right = analyze(W, counts=COUNTS), analyze(W[:TOKENS], counts=COUNTS)
    assert (found.n, found.rows_left_out) == (TOKENS, N - TOKENS)
    assert numbers(found).equals(numbers(right))
    note = "the rows beyond the 290 counts (290:300) are left out: padding of the vocabulary"
    assert found.notes == (note,)
    assert found.to_dict()["rows_left_out"] == 10
    assert note in found.to_dict()["caveats"]
    assert f"note: {note}" in str(found)
    table = found.to_dataframe().set_index("quantity")["value"]
    assert table["rows_left_out"] == 10
    assert right.notes == ()
    assert right.rows_left_out == 0


def test_chosen_rows():
    right = numbers(analyze(W[:TOKENS], counts=COUNTS))
    for counts in (COUNTS, np.r_[COUNTS, np.zeros(10)]):
        for rows in (slice(0, TOKENS), range(TOKENS)):
            found = analyze(W, rows=rows, counts=counts)
            assert numbers(found).equals(right)
            assert found.notes == ("290 of 300 rows are chosen (0:290)",)
    some = rng.permutation(TOKENS)[:100]
    found = analyze(W, rows=some, counts=COUNTS)
    assert numbers(found).equals(numbers(analyze(W[some], counts=COUNTS[some])))
    family = analyze_many([W, W[:TOKENS]], counts=COUNTS)
    table = family.to_dataframe()
    assert table["rows_left_out"].tolist() == [10, 0]
    assert table["mean_square_raw"].nunique() == 1
    assert family.notes == ("matrix: " + analyze(W, counts=COUNTS).notes[0],)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"counts": np.ones(301)}, "^counts has 301 entries and the matrix 300 rows: give one"),
        ({"counts": np.ones(301), "rows": slice(0, 5)}, "counts has 301 entries"),
        ({"counts": np.ones(200)}, "100 of the 300 rows have none, more than padding adds"),
        ({"counts": np.ones(200), "rows": slice(150, 300)}, "100 of the 150 rows have none"),
        ({"rows": slice(0, 301)}, "rows 0:301 are not all there: stay within 0:300"),
    ],
)
def test_counts_and_rows_that_do_not_fit(options, message):
    with pytest.raises(ValueError, match=message):
        analyze(W, **options)


def test_untrained_rows_are_noticed():
    V = rng.standard_normal((300, 12)).astype(np.float32)
    assert find_untrained(RowMatrix(V), np.linalg.norm(V, axis=1)).size == 0
    assert analyze(V).notes == ()
    V[[7, 50, 299]] = V[7]  # equal
    V[100] *= 1e-3  # tiny
    V[200] = 0  # reported as a row of zeros
    V[201] = -V[202]  # of equal norms, but not equal
    report = analyze(V)
    assert report.untrained_rows == 4
    assert "4 rows equal another, or have a norm below 5 % of the median" in report.notes[0]
    assert ": 7, 50, 100 and 1 more" in report.notes[0]
    assert report.to_dict()["untrained_rows"] == 4
    # Rows are numbered as in the whole matrix.
    assert ": 50, 100, 299;" in analyze(V, rows=range(10, 300)).notes[1]


def test_tokens_as_columns(tmp_path):
    V = np.ascontiguousarray(W[:TOKENS])
    save_file({"W_U": np.ascontiguousarray(V.T), "W_E": V + 1}, tmp_path / "x.safetensors")
    right = numbers(analyze(V))
    report = analyze(tmp_path / "x.safetensors", tensor="W_U", transpose=True)
    assert numbers(report).equals(right)
    assert report.notes == ()
    assert numbers(analyze(V.T, transpose=True)).equals(right)
    wrong = analyze(tmp_path / "x.safetensors", tensor="W_U")
    assert "fewer rows (12) than columns (290)" in wrong.notes[0]
    assert "transpose=True (--transpose)" in wrong.notes[0]
    opened = open_unembedding(tmp_path / "x.safetensors", "W_U", transpose=True)
    assert (opened.matrix.n, opened.transposed) == (TOKENS, True)
    assert ", transposed)" in str(opened)
    assert numbers(analyze(opened)).equals(right)
    assert analyze(opened, transpose=True).n == M


def test_tokens_as_columns_of_a_head(tmp_path):
    V = np.ascontiguousarray(W[:TOKENS])
    path = tmp_path / "model.safetensors"
    save_file({"lm_head.weight": np.ascontiguousarray(V.T)}, path)
    for config in ({}, {"vocab_size": TOKENS, "hidden_size": M}):
        (tmp_path / "config.json").write_text(json.dumps(config))
        with pytest.raises(ValueError, match=r"give transpose=True \(--transpose\)"):
            open_unembedding(tmp_path)
        found = open_unembedding(tmp_path, transpose=True)
        assert np.array_equal(found.matrix.read(0, TOKENS), V)
    save_file({"lm_head.weight": V}, path)
    with pytest.raises(ValueError, match=r"leave out transpose=True \(--transpose\)"):
        open_unembedding(tmp_path, transpose=True)
