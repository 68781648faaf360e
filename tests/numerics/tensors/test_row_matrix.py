import json
import struct

import numpy as np
import pytest
from safetensors.numpy import save_file

from numerics.tensors.row_matrix import RowMatrix, open_matrix

W = np.arange(12.0).reshape(4, 3)


def test_rows_in_blocks():
    rows = RowMatrix(W)
    assert (rows.n, rows.m, rows.dtype) == (4, 3, np.float64)
    assert np.array_equal(np.concatenate([rows.read(0, 3), rows.read(3, 4)]), W)
    assert np.array_equal(rows.take(np.array([2, 0])), W[[2, 0]])
    assert RowMatrix(W.astype(np.float16)).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_files(tmp_path, dtype):
    array = W.astype(dtype)
    np.save(tmp_path / "W.npy", array)
    save_file({"W": array, "b": np.zeros(4, dtype)}, tmp_path / "run.safetensors")
    for name in ("W.npy", "run.safetensors"):
        rows = open_matrix(tmp_path / name)
        assert np.array_equal(rows.read(1, 4), array[1:])
    assert np.array_equal(open_matrix(tmp_path / "run.safetensors", "W").read(0, 4), array)


@pytest.mark.parametrize(
    "header",
    [
        [1, 2],
        {"W": "x"},
        {"W": {"shape": [2, 2]}},
        {"W": {"dtype": "F32", "shape": None, "data_offsets": [0, 16]}},
        {"W": {"dtype": "F32", "shape": ["a", "b"], "data_offsets": [0, 16]}},
        {"W": {"dtype": "F32", "shape": [2, 2], "data_offsets": [-16, 0]}},
    ],
)
def test_broken_headers(tmp_path, header):
    text = json.dumps(header).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(16))
    for tensor in (None, "W"):
        with pytest.raises(ValueError, match=r"x\.safetensors"):
            open_matrix(path, tensor)


def test_bfloat16(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file as save_torch

    array = torch.from_numpy(W).to(torch.bfloat16) / 3
    save_torch({"x": array}, tmp_path / "x.safetensors")
    rows = open_matrix(tmp_path / "x.safetensors")
    assert np.array_equal(rows.read(0, 4), array.float().numpy())
    assert rows.dtype == np.float32


def test_a_choice_of_tensors_is_not_guessed(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"a": W, "b": W, "bias": np.zeros(3), "ids": np.zeros((2, 2), np.int64)}, path)
    with pytest.raises(ValueError, match="holds 2 matrices of real numbers: name one of a, b"):
        open_matrix(path)
    with pytest.raises(ValueError, match="no tensor 'c': its matrices are a, b"):
        open_matrix(path, "c")
    with pytest.raises(ValueError, match=r"bias has dtype F64 and shape \[3\]"):
        open_matrix(path, "bias")
    with pytest.raises(ValueError, match="ids has dtype I64"):
        open_matrix(path, "ids")


def test_broken_files(tmp_path):
    good = tmp_path / "good.safetensors"
    save_file({"W": W}, good)
    data = good.read_bytes()
    cases = {
        "short.safetensors": (data[:-8], "truncated: W is not all there"),
        "header.safetensors": (data[:20], "truncated, or is not a safetensors file"),
        "length.safetensors": (struct.pack("<Q", 10**12) + data[8:], "truncated, or is not"),
        "json.safetensors": (struct.pack("<Q", 4) + b"nonsense", "its header is broken"),
        "empty.safetensors": (b"", "truncated, or is not a safetensors file"),
        "text.txt": (b"hello, world", "no format that is read: give .npy, .npz, safetensors"),
        "bad.npy": (b"\x93NUMPY\x01\x00", "cannot be read as a .npy"),
    }
    for name, (content, message) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=message):
            open_matrix(tmp_path / name)
    np.save(tmp_path / "objects.npy", np.array([[None]]), allow_pickle=True)
    with pytest.raises(ValueError, match="cannot be read as a .npy"):
        open_matrix(tmp_path / "objects.npy")
    np.save(tmp_path / "vector.npy", np.zeros(3))
    with pytest.raises(
        ValueError, match=r"vector.npy: the array has dtype float64 and shape \[3\]"
    ):
        open_matrix(tmp_path / "vector.npy")
    with pytest.raises(ValueError, match="leave out the tensor name"):
        open_matrix(tmp_path / "vector.npy", "W")
    for path, message in ((tmp_path, "is a directory"), (tmp_path / "no", "does not exist")):
        with pytest.raises(ValueError, match=message):
            open_matrix(path)


def test_wrong_types():
    with pytest.raises(TypeError, match="uint16, not float64"):
        RowMatrix(W, bfloat16=True)
    with pytest.raises(TypeError, match="give real numbers"):
        RowMatrix(W.astype(complex))
    with pytest.raises(ValueError, match="shape"):
        RowMatrix(np.zeros((0, 3)))
