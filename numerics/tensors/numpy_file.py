"""Arrays in .npy files, mapped, and in .npz archives, each read whole when it is asked for.

``list_npy(path)`` and ``list_npz(path)`` return names, shapes and the rows of a tensor. The formats
are those of https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.tensors.stored import MappedRows, StoredTensor, TensorFile

# Types of entries that are real numbers: floats, integers, booleans.
_REAL = "fiub"


def list_npy(path: Path) -> TensorFile:
    """Describe the array in a .npy file; it has the name "".

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    TensorFile
        One tensor. Nothing but the header is read.

    Raises
    ------
    ValueError
        If it is not a .npy file, is broken or truncated, or holds Python objects.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "W.npy"
    >>> np.save(path, np.zeros((3, 2)))
    >>> print(list_npy(path).tensors[""])
    the array (3 x 2, float64)
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        size = array.offset + array.nbytes
    except Exception as error:  # numpy lets its parser's own errors through
        said = str(error).partition("\n")[0]
        raise ValueError(f"{path} cannot be read as a .npy file: {said}") from None

    def read() -> Any:
        if array.dtype.kind != "f" or array.dtype.itemsize > 8:
            return array
        # A map of their own, which keeps no pages.
        return MappedRows(path, array.offset, array.shape, array.dtype, array.strides)

    reader = read if array.dtype.kind in _REAL else None
    shape, dtype = tuple(array.shape), str(array.dtype)
    return TensorFile("npy", {"": StoredTensor(path, "", shape, dtype, 0, size, reader)})


def list_npz(path: Path) -> TensorFile:
    """List the arrays of a .npz archive, as ``numpy.savez`` and ``numpy.savez_compressed`` write.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    TensorFile
        Names in the order of the archive. Nothing but headers is read; ``rows`` reads an array
        whole.

    Raises
    ------
    ValueError
        If it is not a .npz archive, or is broken.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x.npz"
    >>> np.savez(path, W=np.zeros((3, 2)), b=np.zeros(3))
    >>> print(*list_npz(path).tensors.values(), sep=", ")
    W (3 x 2, float64), b (3, float64)
    """
    try:
        with zipfile.ZipFile(path) as archive:
            parts = [one for one in archive.namelist() if one.endswith(".npy")]
            tensors = {part.removesuffix(".npy"): _describe(path, part, archive) for part in parts}
    except Exception as error:  # zipfile and numpy let their parsers' own errors through
        said = str(error).partition("\n")[0]
        raise ValueError(f"{path} cannot be read as a .npz file: {said}") from None
    return TensorFile("npz", tensors)


def _describe(path: Path, part: str, archive: zipfile.ZipFile) -> StoredTensor:
    name = part.removesuffix(".npy")
    with archive.open(part) as file:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, _, dtype = np.lib.format.read_array_header_2_0(file)
        else:  # names of fields that are not Latin-1: a table, no matrix
            return StoredTensor(path, name, (), f"version {version[0]}", part, 0, None)
    size = archive.getinfo(part).file_size
    if size < math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{part} is truncated")

    def read() -> NDArray[Any]:
        try:
            with np.load(path, allow_pickle=False) as arrays:
                found: NDArray[Any] = arrays[name]
            return found
        except Exception as error:
            said = str(error).partition("\n")[0]
            raise ValueError(f"{path}: {name} cannot be read: {said}") from None

    reader = read if dtype.kind in _REAL else None
    return StoredTensor(path, name, tuple(shape), str(dtype), part, 0, reader)
