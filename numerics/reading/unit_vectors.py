"""The rows of a matrix in memory, scaled to length 1 where directions are compared."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.tensors.row_matrix import RowMatrix
from theory.computing.memory import check_memory


def unit_rows(source: RowMatrix, normalize: bool = True) -> NDArray[Any]:
    """Return the rows as an array, each of length 1 with ``normalize``.

    Raises
    ------
    ValueError
        For entries that are not finite, a row of zeros with ``normalize``, or too little memory.

    Examples
    --------
    >>> unit_rows(RowMatrix([[3.0, 4.0]]))
    array([[0.6, 0.8]])
    """
    size = source.n * source.m * source.dtype.itemsize
    check_memory(f"a matrix of {source.n} x {source.m}", 2 * size, "choose fewer rows")
    W = source.read(0, source.n)
    if not np.all(np.isfinite(W)):
        raise ValueError("the matrix has NaN or infinite entries")
    largest = float(np.abs(W).max())
    most = float(np.finfo(W.dtype).max) ** (1 / 4 if normalize else 1 / 16)
    if largest > most:
        raise ValueError(
            f"the matrix has an entry of {largest:.3g}: give entries of at most {most:.3g}, whose "
            "products are finite"
        )
    if not normalize:
        return W
    norms = np.sqrt(np.einsum("ij,ij->i", W, W, dtype=np.float64))
    zeros = np.flatnonzero(norms == 0)
    if zeros.size:
        raise ValueError(f"row {zeros[0]} of the matrix is zero and has no direction: leave it out")
    scaled: NDArray[Any] = W / norms[:, None].astype(W.dtype)
    return scaled
