"""Rows of a matrix, wherever they are: an array, a memory map, or a file; any float type.

``RowMatrix(array)`` takes anything that looks like an array, ``open_matrix(path)`` opens a tensor
in a file of any format of ``numerics.tensors.formats``. Rows are decoded block by block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.tensors.formats import TensorFormat, list_tensors
from numerics.tensors.stored import StoredTensor, show, widen_bfloat16
from numerics.tensors.views import SomeRows, transposed
from theory.checks import check_finite, check_integer, shown
from theory.computing.argument_kinds import check_kinds


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

    @check_kinds
    def __init__(self, array: Any, bfloat16: bool = False) -> None:
        if hasattr(array, "detach"):  # a tensor of torch, bfloat16 included
            array = array.detach().cpu()
            array = (array.float() if "bfloat16" in str(array.dtype) else array).numpy()
        if isinstance(array, np.ma.MaskedArray) or hasattr(array, "tocsr"):
            raise TypeError(
                f"the matrix is a {type(array).__name__}: give a dense array without a mask"
            )
        if isinstance(array, (str, Path)):
            raise TypeError(f"the matrix is a path, {str(array)!r}: open it with open_matrix")
        self._array = array if hasattr(array, "dtype") else _stack(array)
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
    def dtype(self) -> np.dtype[Any]:
        """Type that rows are decoded to: float64 if the matrix is, else float32."""
        dtype = self._array.dtype
        wide = dtype.itemsize >= (8 if dtype.kind == "f" else 4)
        return np.dtype(np.float64 if wide else np.float32)

    @check_kinds
    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return rows start..stop - 1, decoded, C-contiguous."""
        start, stop = check_integer("start", start, 0), check_integer("stop", stop, 0)
        return self._decode(self._array[start:stop])

    @check_kinds
    def take(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the given rows, decoded."""
        rows = rows if isinstance(rows, np.ndarray) else check_finite("rows", rows).astype(np.int64)
        if rows.ndim != 1 or rows.dtype.kind not in "iu":
            raise TypeError(f"rows = {shown(rows)} is not allowed: give an array of row numbers")
        if rows.size and not (rows.min() >= 0 and rows.max() < self.n):
            raise ValueError(f"rows: give numbers from 0 to {self.n - 1}")
        return self._decode(self._array[rows])

    def transposed(self) -> RowMatrix:
        """Return the transpose; rows of it are gathered from the columns as they are needed.

        Examples
        --------
        >>> RowMatrix([[1, 2, 3], [4, 5, 6]]).transposed().read(0, 2)
        array([[1., 4.],
               [2., 5.]])
        """
        return RowMatrix(transposed(self._array), self._bits)

    @check_kinds
    def select(self, rows: slice | ArrayLike) -> RowMatrix:
        """Return a matrix of some of the rows, by a slice or by their numbers from 0.

        Raises
        ------
        ValueError
            If there are no such rows.

        Examples
        --------
        >>> RowMatrix([[1, 2], [3, 4], [5, 6]]).select(slice(1, 3)).read(0, 2)
        array([[3., 4.],
               [5., 6.]])
        """
        chosen = choose_rows(rows, self.n)
        return RowMatrix(SomeRows(self._array, chosen), self._bits)

    def __repr__(self) -> str:
        hint = suspect_columns(self.n, self.m)
        return f"{self.n} x {self.m}, {self.dtype}{f' ({hint})' if hint else ''}"

    def _decode(self, block: Any) -> NDArray[Any]:
        if self._bits:
            return widen_bfloat16(np.ascontiguousarray(block))
        return np.ascontiguousarray(block, dtype=self.dtype)


def as_rows(W: Any, transpose: bool = False) -> RowMatrix:
    """Return a matrix, or its transpose, as a ``RowMatrix``."""
    source = W if isinstance(W, RowMatrix) else RowMatrix(W)
    return source.transposed() if transpose else source


def choose_rows(rows: slice | ArrayLike, n: int) -> NDArray[np.int64]:
    """Return the numbers of the chosen rows of n, in the order given.

    Examples
    --------
    >>> choose_rows(slice(1, None, 2), 6)
    array([1, 3, 5])
    """
    if isinstance(rows, slice):
        ends = [end for end in (rows.start, rows.stop) if end is not None]
        if not all(isinstance(end, (int, np.integer)) and 0 <= end <= n for end in ends):
            raise ValueError(f"rows {rows.start}:{rows.stop} are not all there: stay within 0:{n}")
        if not (rows.step is None or (isinstance(rows.step, int) and rows.step > 0)):
            raise ValueError(f"rows: a step of {rows.step} is not allowed: give one of at least 1")
        chosen = np.arange(n)[rows]
    else:
        try:
            given = check_finite("rows", rows)
        except (TypeError, ValueError):
            given = np.array([0.5])  # refused below, with what is allowed
        whole = bool(np.all(given == np.floor(given))) and np.asarray(rows).dtype.kind in "iuO"
        chosen = given.astype(np.int64) if whole else np.zeros(0, np.int64)
    whole = chosen.ndim == 1 and chosen.size > 0 and chosen.dtype.kind in "iu"
    if not whole or chosen.min() < 0 or chosen.max() >= n:
        raise ValueError(f"rows: give a slice within 0:{n}, or numbers of rows from 0 to {n - 1}")
    if np.unique(chosen).size < chosen.size:
        raise ValueError("rows: give each row once")
    return chosen.astype(np.int64)


# Tensors of sparse autoencoders (SAELens) and of TransformerLens with one feature a column.
_BY_COLUMNS = ("W_enc", "W_U")


def suspect_columns(n: int, m: int, tensor: str = "", transpose: bool = False) -> str:
    """Say why features may be stored as columns, and what to do; "" if nothing suggests it.

    Examples
    --------
    >>> print(suspect_columns(32, 400))
    fewer rows (32) than columns (400): if its columns are the features, give transpose=True \
(--transpose)
    >>> suspect_columns(400, 32)
    ''
    """
    if n < m and transpose:
        return (
            f"fewer rows ({n}) than columns ({m}) after it was transposed: if the rows in the "
            "file are the features, leave out transpose=True (--transpose)"
        )
    if n < m:
        reason = f"fewer rows ({n}) than columns ({m}): if its columns are"
    elif tensor.rpartition(".")[2] in _BY_COLUMNS and not transpose:
        reason = f"{tensor} usually has a column for each feature: if these are"
    else:
        return ""
    return f"{reason} the features, give transpose=True (--transpose)"


def _stack(rows: Any) -> NDArray[Any]:
    """Return nested sequences as an array."""
    try:
        return np.asarray(rows)
    except ValueError:  # numpy's message is of its own inner shapes
        raise ValueError(
            "the rows of the matrix differ in length: give n rows of m numbers each"
        ) from None


@check_kinds
def open_matrix(
    path: str | Path,
    tensor: str | None = None,
    formats: Sequence[TensorFormat] | None = None,
    *,
    transpose: bool = False,
) -> RowMatrix:
    """Open a matrix in a file: .npy, .npz, safetensors, GGUF or CTranslate2.

    Parameters
    ----------
    path : path
        The file.
    tensor : str, optional
        Name of the tensor; needed if the file holds several matrices (a run saved by
        ``TrainingRun.save`` has one, "W").
    formats : sequence of TensorFormat, optional
        Formats that are tried; those of ``numerics.tensors.formats.FORMATS`` by default.
    transpose : bool
        Whether to return the transpose, for a matrix with a feature in each column (W_enc of an
        autoencoder, W_U of TransformerLens).

    Returns
    -------
    RowMatrix
        Rows are read from the file as they are needed (.npz: the array is read whole).

    Raises
    ------
    ValueError
        If the file is missing, a directory, truncated or of another format; if there is no such
        tensor, or several (the message lists them); if it is not a matrix of real numbers.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(Path(folder) / "rows.npy", np.arange(6.0).reshape(3, 2))
    ...     rows = open_matrix(Path(folder) / "rows.npy")
    ...     print(rows.n, rows.m)
    3 2
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a directory: give a file")
    tensors = list_tensors(path, formats).tensors
    return as_rows(_choose(path, tensors, tensor).rows(), transpose)


def _choose(path: Path, tensors: Mapping[str, StoredTensor], name: str | None) -> StoredTensor:
    """Return the tensor that is named, or the only matrix; never guess."""
    if list(tensors) == [""]:  # a bare array
        if name:
            raise ValueError(f"{path} holds one array without a name: leave out the tensor name")
        return tensors[""]
    matrices = sorted(x for x, stored in tensors.items() if stored.is_matrix)
    listed = ", ".join(map(show, matrices)) or "none"
    if name is None:
        if len(matrices) != 1:
            raise ValueError(
                f"{path} holds {len(matrices)} matrices of real numbers: name one of {listed} "
                "with tensor= (--tensor)"
            )
        return tensors[matrices[0]]
    if name not in tensors:
        raise ValueError(f"{path} has no tensor {name!r}: its matrices are {listed}")
    return tensors[name]
