"""Rows of a matrix, wherever they are: an array, a memory map, or a file; any float type.

Use ``RowMatrix(array)`` for anything that looks like an array, ``open_matrix(path)`` for a tensor
in a .npy or .safetensors file (memory-mapped, bfloat16 included). Rows are decoded block by block.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.tensors.safetensors_file import list_safetensors
from numerics.tensors.stored import MappedRows, widen_bfloat16


class RowMatrix:
    """An n x m matrix that is read in blocks of rows.

    Parameters
    ----------
    array : array_like, shape (n, m)
        Any real numbers: float16, float32, float64, integers, or bfloat16 (the numpy extension
        type, or its bits as uint16 with ``bfloat16=True``). It is not copied.
    bfloat16 : bool
        Whether uint16 entries are the bits of bfloat16 numbers.

    Raises
    ------
    TypeError
        For entries that are not real numbers.
    ValueError
        For a shape that is not n x m with n, m >= 1.

    Examples
    --------
    >>> rows = RowMatrix(np.array([[0x3F80, 0x4000]], dtype=np.uint16), bfloat16=True)
    >>> rows.read(0, 1)
    array([[1., 2.]], dtype=float32)
    """

    def __init__(self, array: Any, bfloat16: bool = False) -> None:
        if hasattr(array, "detach"):  # a tensor of torch, bfloat16 included
            array = array.detach().cpu()
            array = (array.float() if "bfloat16" in str(array.dtype) else array).numpy()
        if isinstance(array, np.ma.MaskedArray) or hasattr(array, "tocsr"):
            raise TypeError(
                f"the matrix is a {type(array).__name__}: give a dense array without a mask"
            )
        self._array = array if hasattr(array, "dtype") else np.asarray(array)
        self._bits = bfloat16
        shape = tuple(self._array.shape)
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"the matrix has shape {shape}: give n rows and m columns")
        kind = self._array.dtype.kind
        if bfloat16:
            if self._array.dtype != np.uint16:
                raise TypeError(f"bits of bfloat16 are uint16, not {self._array.dtype}")
        elif kind not in "fiub" and self._array.dtype.name != "bfloat16":
            raise TypeError(f"the matrix holds {self._array.dtype}: give real numbers")
        self.n, self.m = int(shape[0]), int(shape[1])

    @property
    def dtype(self) -> np.dtype:
        """Type that rows are decoded to: float64 if the matrix is, else float32."""
        dtype = self._array.dtype
        wide = dtype.itemsize >= (8 if dtype.kind == "f" else 4)
        return np.dtype(np.float64 if wide else np.float32)

    def read(self, start: int, stop: int) -> NDArray:
        """Return rows start..stop - 1, decoded, C-contiguous."""
        return self._decode(self._array[start:stop])

    def take(self, rows: NDArray[np.int64]) -> NDArray:
        """Return the given rows, decoded."""
        return self._decode(self._array[rows])

    def _decode(self, block: Any) -> NDArray:
        if self._bits:
            return widen_bfloat16(np.asarray(block))
        return np.ascontiguousarray(block, dtype=self.dtype)


def open_matrix(path: str | Path, tensor: str | None = None) -> RowMatrix:
    """Open a matrix in a .npy or .safetensors file as a memory map.

    Parameters
    ----------
    path : path
        The file.
    tensor : str, optional
        Name of the tensor in a .safetensors file; needed if it holds several matrices (a run saved
        by ``TrainingRun.save`` has one, "W").

    Returns
    -------
    RowMatrix
        Rows are read from the file as they are needed.

    Raises
    ------
    ValueError
        If the file is missing, a directory, truncated or of another format; if there is no such
        tensor, or several (the message lists them); if it is not a matrix of floats.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a directory: give a .npy or .safetensors file")
    if not path.is_file():
        raise ValueError(f"{path} does not exist: give a .npy or .safetensors file")
    with path.open("rb") as file:
        magic = file.read(8)
    if magic.startswith(b"\x93NUMPY"):
        if tensor is not None:
            raise ValueError(f"{path} holds one array without a name: leave out the tensor name")
        return _open_npy(path)
    if len(magic) == 8 and path.suffix == ".safetensors":
        return _open_safetensors(path, tensor)
    raise ValueError(f"{path} is neither a .npy nor a .safetensors file")


def _open_npy(path: Path) -> RowMatrix:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy lets its parser's own errors through
        said = str(error).partition("\n")[0]
        raise ValueError(f"{path} cannot be read as a .npy file: {said}") from None
    try:
        # What the header says is checked once; the rows then come through a map of their own.
        whole = RowMatrix(array)
        if array.dtype.kind != "f" or array.dtype.itemsize > 8:
            return whole
        rows = MappedRows(path, array.offset, array.shape, array.dtype, array.strides)
        return RowMatrix(rows)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def _open_safetensors(path: Path, tensor: str | None) -> RowMatrix:
    tensors = list_safetensors(path).tensors
    matrices = sorted(name for name, stored in tensors.items() if stored.is_matrix)
    if tensor is None:
        if len(matrices) != 1:
            raise ValueError(
                f"{path} holds {len(matrices)} matrices of floats: name one of "
                f"{', '.join(matrices) or 'none'} with tensor= (--tensor)"
            )
        tensor = matrices[0]
    if tensor not in tensors:
        raise ValueError(f"{path} has no tensor {tensor!r}: its matrices are {', '.join(matrices)}")
    return RowMatrix(tensors[tensor].rows())
