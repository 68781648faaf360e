import zipfile

import numpy as np
import pytest

from numerics.tensors.numpy_file import list_npy, list_npz
from numerics.tensors.row_matrix import RowMatrix, open_matrix

W = np.random.default_rng(0).standard_normal((40, 6))
TYPES = [">f4", "<f2", "f8", "longdouble", "i4", "u1", "?"]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_types_and_orders(tmp_path, dtype, order):
    array = np.asarray(10 * W, dtype=dtype, order=order)
    np.save(tmp_path / "W.npy", array)
    np.savez(tmp_path / "x.npz", W=array)
    for rows in (
        RowMatrix(list_npy(tmp_path / "W.npy").tensors[""].rows()),
        RowMatrix(list_npz(tmp_path / "x.npz").tensors["W"].rows()),
    ):
        assert np.array_equal(rows.read(0, 40), array.astype(rows.dtype))
        assert np.array_equal(rows.take(np.array([7, 3])), array[[7, 3]].astype(rows.dtype))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives(tmp_path, save):
    path = tmp_path / "x.npz"
    save(path, W=W, b=np.zeros(40), z=np.zeros((2, 2), complex), s=np.array("text"))
    tensors = list_npz(path).tensors
    assert list(tensors) == ["W", "b", "z", "s"]
    assert [one.is_matrix for one in tensors.values()] == [True, False, False, False]
    assert np.array_equal(open_matrix(path).read(0, 40), W)
    with pytest.raises(ValueError, match=r"b has dtype float64 and shape \[40\]"):
        open_matrix(path, "b")
    save(path, W=W, V=W)
    with pytest.raises(ValueError, match="holds 2 matrices of real numbers: name one of V, W"):
        open_matrix(path)
    assert open_matrix(path, "V").n == 40


def test_broken_archives(tmp_path):
    """Cut anywhere, with bytes changed anywhere: read, or refused in one line that names it."""
    path = tmp_path / "x.npz"
    np.savez(path, W=W)
    data = path.read_bytes()
    rng = np.random.default_rng(1)
    contents = [data[:cut] for cut in range(0, len(data), 50)]
    for at in rng.integers(0, len(data), 200):
        changed = bytearray(data)
        changed[at] ^= 1 << rng.integers(8)
        contents.append(bytes(changed))
    refused = 0
    for content in contents:
        path.write_bytes(content)
        try:
            open_matrix(path).read(0, 1)
        except ValueError as error:
            refused += 1
            assert str(path) in str(error) and "\n" not in str(error)
    assert refused > len(contents) / 2  # the archive has a checksum
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(ValueError, match="holds 0 matrices of real numbers: name one of none"):
        open_matrix(path)


def test_objects_are_not_unpickled(tmp_path):
    np.savez(tmp_path / "x.npz", W=np.array([[None]]), allow_pickle=True)
    with pytest.raises(ValueError, match="0 matrices of real numbers"):
        open_matrix(tmp_path / "x.npz")
