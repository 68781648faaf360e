import mmap
import re
import struct
from pathlib import Path

import numpy as np
import pytest

from numerics.overlaps.unit_rows import mean_square_overlap
from numerics.tensors.row_matrix import RowMatrix, open_matrix
from numerics.tensors.stored import Cursor, MappedRows, StoredTensor, TruncatedError, show


def resident_file_bytes():
    found = re.search(r"RssFile:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", "<f2", "<f8", ">f4"])
def test_rows_are_those_of_the_array(tmp_path, order, dtype):
    W = np.asarray(np.random.default_rng(0).standard_normal((3000, 7)), dtype, order=order)
    np.save(tmp_path / "W.npy", W)
    rows = open_matrix(tmp_path / "W.npy")
    expected = W.astype(np.float64 if dtype == "<f8" else np.float32)
    assert rows.dtype == expected.dtype
    for start, stop in ((0, 3000), (5, 6), (2990, 4000), (7, 7)):
        block = rows.read(start, stop)
        assert np.array_equal(block, expected[start:stop]) and block.flags.c_contiguous
    # More rows than are read at once, in any order, with repeats; and none.
    chosen = np.random.default_rng(1).integers(0, 3000, 2500)
    assert np.array_equal(rows.take(chosen), expected[chosen])
    assert rows.take(chosen[:0]).shape == (0, 7)


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="the system cannot be told")
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measured on Linux")
def test_pages_are_given_back(tmp_path):
    n, m = 8192, 1024  # 32 MiB
    np.save(tmp_path / "W.npy", np.ones((n, m), np.float32))

    def growth(rows):
        before, most = resident_file_bytes(), 0
        for start in range(0, n, 512):
            rows.read(start, start + 512)
            most = max(most, resident_file_bytes())
        return most - before

    assert growth(open_matrix(tmp_path / "W.npy")) < 8 * 2**20
    # The same through a plain memory map keeps every page that was read.
    mapped = np.load(tmp_path / "W.npy", mmap_mode="r")
    before = resident_file_bytes()
    total = sum(float(mapped[start : start + 512].sum()) for start in range(0, n, 512))
    assert total == n * m and resident_file_bytes() - before > 24 * 2**20


def test_decoded_rows_know_their_numbers(tmp_path):
    (tmp_path / "x").write_bytes(b"junk" + np.arange(12, dtype=np.int8).tobytes())
    scale = np.array([1.0, 2.0, 4.0], np.float32)

    def decode(stored, rows):
        return stored / scale[rows, None]

    rows = RowMatrix(MappedRows(tmp_path / "x", 4, (3, 4), np.dtype(np.int8), decode=decode))
    expected = np.arange(12.0).reshape(3, 4) / scale[:, None]
    assert np.array_equal(rows.read(1, 3), expected[1:]) and rows.dtype == np.float32
    assert np.array_equal(rows.take(np.array([2, 0, 2])), expected[[2, 0, 2]])


def test_infinite_scales_are_found_where_the_rows_are_measured(tmp_path):
    (tmp_path / "x").write_bytes(np.arange(1, 13, dtype=np.int8).tobytes())
    scale = np.array([1.0, 0.0, 4.0], np.float32)
    rows = MappedRows(
        tmp_path / "x", 0, (3, 4), np.dtype(np.int8), decode=lambda x, i: x / scale[i, None]
    )
    with pytest.raises(ValueError, match="row 1 of the matrix has NaN or infinite entries"):
        mean_square_overlap(RowMatrix(rows))


def test_only_whole_matrices_of_floats_are_opened(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(bytes(8))
    for shape, size, message in (
        ((4,), 0, r"x: W has dtype F16 and shape \[4\]: it is not a matrix of floats"),
        ((2, 0), 0, r"shape \[2, 0\]"),
        ((2, 2), 9, "x is truncated: W is not all there"),
    ):
        with pytest.raises(ValueError, match=message):
            StoredTensor(path, "W", shape, "F16", 0, size, lambda: None).rows()


def test_cursor_stays_inside(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(struct.pack("<IH", 7, 3) + b"abc")
    cursor = Cursor(path)
    assert (cursor.number("I"), cursor.text("H"), cursor.left) == (7, "abc", 0)
    for read in (lambda: cursor.number("B"), lambda: cursor.skip(2**63), lambda: cursor.text("Q")):
        with pytest.raises(TruncatedError, match="truncated"):
            read()
    with pytest.raises(TruncatedError):
        cursor.array("<f4", 8, 2**60)
    path.write_bytes(struct.pack("<I", 10**6) + bytes(10**6))
    with pytest.raises(ValueError, match="a name of 1000000 bytes"):
        Cursor(path).text("I")
    path.write_bytes(struct.pack("<H", 2) + b"\xff\xfe")
    with pytest.raises(ValueError, match="not UTF-8"):
        Cursor(path).text("H")
    path.write_bytes(b"")
    with pytest.raises(TruncatedError, match="is empty"):
        Cursor(path)


def test_names_stay_on_one_line():
    assert show("lm_head.weight") == "lm_head.weight"
    assert show("a\n\x1b[31mb") == r"'a\n\x1b[31mb'"
