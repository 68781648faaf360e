"""Views of a matrix, array-likes for ``RowMatrix``: its transpose, or some of its rows.

``transposed(array)`` and ``SomeRows(array, rows)`` copy nothing; a block is read when it is asked
for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.tensors.stored import MappedRows

# Bytes of decoded rows that are looked through at once for some of their columns.
_PIECE = 2**22


def transposed(array: Any) -> Any:
    """Return the transpose of an array-like, of which rows are read as they are needed.

    Examples
    --------
    >>> transposed(np.array([[1, 2, 3], [4, 5, 6]]))[1:]
    array([[2, 5],
           [3, 6]])
    """
    return array.T if isinstance(array, np.ndarray) else ColumnsAsRows(array)


class ColumnsAsRows:
    """The transpose of a matrix that is read by rows.

    A block of columns is gathered from one piece of the rows after another, so that a block and a
    piece are in memory at once. Of plain floats in a file only these columns are read, of blocks
    of quantised numbers whole rows.

    Parameters
    ----------
    array : array_like, shape (m, n)
        Anything with ``shape``, ``dtype`` and ``[rows]``.
    """

    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape = (int(array.shape[1]), int(array.shape[0]))
        self.dtype = array.dtype

    def __getitem__(self, columns: Any) -> NDArray[Any]:
        n, m = self.shape
        count = len(range(*columns.indices(n))) if isinstance(columns, slice) else len(columns)
        block = np.empty((count, m), self.dtype)
        step = max(1, _PIECE // (n * self.dtype.itemsize))
        for start in range(0, m, step):
            piece = slice(start, min(start + step, m))
            if isinstance(self._array, MappedRows):
                found = self._array.read_columns(piece, columns)
            else:
                found = np.asarray(self._array[piece])[:, columns]
            block[:, piece] = found.T
        return block


class SomeRows:
    """Rows of a matrix, in a given order.

    Parameters
    ----------
    array : array_like, shape (n, m)
        Anything with ``shape``, ``dtype`` and ``[rows]``.
    rows : ndarray of int, shape (k,)
        Numbers of rows, from 0.

    Examples
    --------
    >>> SomeRows(np.array([[1, 2], [3, 4], [5, 6]]), np.array([2, 1]))[:1]
    array([[5, 6]])
    """

    def __init__(self, array: Any, rows: NDArray[np.int64]) -> None:
        self._array, self._rows = array, rows
        self.shape = (rows.size, int(array.shape[1]))
        self.dtype = array.dtype

    def __getitem__(self, places: Any) -> Any:
        rows = self._rows[places]
        if rows.size and np.all(np.diff(rows) == 1):  # one stretch: mapped files read it at once
            return self._array[int(rows[0]) : int(rows[-1]) + 1]
        return self._array[rows]
