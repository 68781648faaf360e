import mmap
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from numerics.overlaps.statistics import overlaps
from numerics.overlaps.treatments import compare_treatments
from numerics.tensors import views
from numerics.tensors.row_matrix import RowMatrix, choose_rows, open_matrix, suspect_columns
from numerics.tensors.stored import MappedRows
from numerics.tensors.views import ColumnsAsRows, SomeRows

W = np.random.default_rng(0).standard_normal((400, 32)).astype(np.float32)


def resident_file_bytes():
    found = re.search(r"RssFile:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024


def check_rows(rows, expected):
    assert (rows.n, rows.m) == expected.shape
    chosen = np.random.default_rng(1).integers(0, rows.n, 90)
    for found, right in (
        (rows.read(0, rows.n), expected),
        (rows.read(3, 9), expected[3:9]),
        (rows.take(chosen), expected[chosen]),
    ):
        assert np.array_equal(found, right)
        assert found.flags.c_contiguous


def write(folder, kind, array):
    path = folder / f"x.{kind}"
    if kind == "npy":
        np.save(path, array)
    elif kind == "npz":
        np.savez(path, W=array)
    else:
        save_file({"W": np.ascontiguousarray(array)}, path)
    return path


@pytest.mark.parametrize("piece", [1, 4096, 2**22])  # one row at a time, a few, all at once
@pytest.mark.parametrize("kind", ["npy", "npz", "safetensors"])
def test_a_transposed_file_has_the_same_rows_and_overlaps(tmp_path, monkeypatch, kind, piece):
    monkeypatch.setattr(views, "_PIECE", piece)
    path = write(tmp_path, kind, W.T)
    check_rows(open_matrix(path, transpose=True), W)
    check_rows(open_matrix(path), W.T)
    check_rows(open_matrix(path).transposed().transposed(), W.T)
    right = overlaps(W)
    for found in (overlaps(open_matrix(path, transpose=True)), overlaps(W.T, transpose=True)):
        assert dict(found.values) == dict(right.values)
        assert found.closest == right.closest
    assert overlaps(open_matrix(path)).n == 32  # as it lies there
    one, other = (
        compare_treatments(x, remove=2, transpose=t) for x, t in ((W.T, True), (W, False))
    )
    assert [dict(x.values) for x in one.results] == [dict(x.values) for x in other.results]


def test_transposed_bfloat16(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file as save_torch

    array = torch.from_numpy(W.T.copy()).to(torch.bfloat16)
    save_torch({"x": array}, tmp_path / "x.safetensors")
    check_rows(open_matrix(tmp_path / "x.safetensors", transpose=True), array.float().numpy().T)
    bits = array.view(torch.uint16).numpy()
    check_rows(RowMatrix(bits, bfloat16=True).transposed(), array.float().numpy().T)


def test_transposed_rows_with_scales(tmp_path):
    (tmp_path / "x").write_bytes(np.arange(120, dtype=np.int8).tobytes())
    scale = np.arange(1, 5, dtype=np.float32)
    right = np.arange(120.0).reshape(4, 30) / scale[:, None]

    def decode(stored, rows):
        return stored / scale[rows, None]

    def decode_pairs(stored, rows):  # a block of two entries, as a quantiser has them
        return np.repeat(stored, 2, axis=1)

    rows = MappedRows(tmp_path / "x", 0, (4, 30), np.dtype(np.int8), decode=decode)
    check_rows(RowMatrix(ColumnsAsRows(rows)), right.T.astype(np.float32))
    blocks = MappedRows(tmp_path / "x", 0, (4, 30), np.dtype(np.int8), decode=decode_pairs, m=60)
    check_rows(
        RowMatrix(blocks).transposed(),
        np.repeat(np.arange(120.0).reshape(4, 30), 2, axis=1).T.astype(np.float32),
    )


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="the system cannot be told")
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measured on Linux")
def test_columns_of_a_file_are_read_in_bounded_memory(tmp_path):
    m, n = 1024, 8192  # 32 MiB
    np.save(tmp_path / "W.npy", np.ones((m, n), np.float32))
    rows = open_matrix(tmp_path / "W.npy", transpose=True)
    before, most = resident_file_bytes(), 0
    for start in range(0, n, 512):
        assert rows.read(start, start + 512).sum() == 512 * m
        most = max(most, resident_file_bytes())
    assert most - before < 8 * 2**20


def test_chosen_rows(tmp_path):
    path = write(tmp_path, "safetensors", W)
    order = np.array([7, 3, 399, 0, *range(20, 150)])
    for matrix in (RowMatrix(W), open_matrix(path), RowMatrix(W.T).transposed()):
        check_rows(matrix.select(slice(5, 390)), W[5:390])
        check_rows(matrix.select(order), W[order])
        check_rows(matrix.select(order).select(slice(2, 100)).transposed(), W[order][2:100].T)
    assert np.array_equal(SomeRows(W, order)[order[:0]], W[:0])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (slice(0, 401), r"rows 0:401 are not all there: stay within 0:400"),
        (slice(-3, None), "rows -3:None are not all there"),
        (slice(0, 5, 0), "a step of 0 is not allowed"),
        (slice("a", 5), "rows a:5 are not all there"),
        (np.ones(400, dtype=bool), "numbers of rows"),
        (slice(5, 5), "give a slice within 0:400"),
        ([400], "numbers of rows from 0 to 399"),
        ([-1], "numbers of rows"),
        ([0.5], "numbers of rows"),
        ([], "numbers of rows"),
        (3, "numbers of rows"),
        ("0:5", "numbers of rows"),
        ([1, 1], "each row once"),
    ],
)
def test_rows_that_are_not_there(rows, message):
    with pytest.raises(ValueError, match=message):
        choose_rows(rows, 400)


def test_features_stored_as_columns_are_suspected():
    hint = r"fewer rows (32) than columns (400): if its columns are the features, give transpose"
    assert suspect_columns(32, 400, "decoder.weight").startswith(hint)
    assert hint in repr(RowMatrix(W.T))
    assert repr(RowMatrix(W)) == "400 x 32, float32"
    for name in ("W_enc", "sae.W_enc", "unembed.W_U"):
        assert f"{name} usually has a column for each" in suspect_columns(400, 32, name)
        assert suspect_columns(400, 32, name, transpose=True) == ""
    for name in ("", "W", "W_dec", "decoder.weight", "lm_head.weight"):
        assert suspect_columns(400, 32, name) == ""
    assert "leave out transpose=True" in suspect_columns(32, 400, "W", transpose=True)


def test_what_is_no_matrix(tmp_path):
    for ragged in ([[1, 2], [3]], [[1, 2], 3], [np.ones(2), np.ones(3)]):
        with pytest.raises(ValueError, match=r"^the rows of the matrix differ in length: give n"):
            overlaps(ragged)
    for path in ("W.npy", tmp_path / "W.npy"):
        with pytest.raises(TypeError, match=r"W\.npy'?: open it with open_matrix"):
            overlaps(path)
