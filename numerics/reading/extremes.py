"""The largest and smallest overlaps of each row, and its power sums, without the n x n matrix.

Blocks of overlaps are formed, folded into the K largest and K smallest of each row and into sums of
powers, and dropped: the memory is O(n K + block²).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.reading.unit_vectors import unit_rows
from numerics.row_threads import over_rows
from numerics.tensors.row_matrix import RowMatrix
from theory.computing.compiled import compiled

_BLOCK = 2048


@compiled(nogil=True)
def fold(block: Any, diagonal: int, top: Any, low: Any) -> None:  # pragma: no cover
    """Insert the entries of each row of a block into its sorted extremes.

    ``diagonal`` is the column less the row of the row's own entry, which is left out.
    """
    rows, columns = block.shape
    kept = top.shape[1]
    for i in range(rows):
        for j in range(columns):
            if j - i == diagonal:
                continue
            t = block[i, j]
            if t > top[i, 0]:
                k = 1
                while k < kept and top[i, k] < t:
                    top[i, k - 1] = top[i, k]
                    k += 1
                top[i, k - 1] = t
            if t < low[i, 0]:
                k = 1
                while k < kept and low[i, k] > t:
                    low[i, k - 1] = low[i, k]
                    k += 1
                low[i, k - 1] = t


@dataclass(frozen=True)
class Extremes:
    """Largest and smallest overlaps of each row with the others.

    Attributes
    ----------
    largest, smallest : ndarray, shape (n, K)
        Sorted, the most extreme first.
    own : ndarray, shape (n,)
        Each row's product with itself.
    """

    largest: NDArray[np.float64]
    smallest: NDArray[np.float64]
    own: NDArray[np.float64]


def find_extremes(source: RowMatrix, kept: int, normalize: bool) -> Extremes:
    """Return the ``kept`` largest and smallest products of each row with the others.

    Parameters
    ----------
    source : RowMatrix, shape (n, m)
        The rows; with ``normalize`` they are scaled to length 1.
    kept : int
        K, at most n - 1.
    normalize : bool
        Whether to compare directions.
    """
    W = unit_rows(source, normalize)
    n = len(W)
    dtype = W.dtype
    top = np.full((n, kept), -np.inf, dtype)
    low = np.full((n, kept), np.inf, dtype)
    for start in range(0, n, _BLOCK):
        first = W[start : start + _BLOCK]
        for other in range(start, n, _BLOCK):
            block = first @ W[other : other + _BLOCK].T
            _fold_in_threads(block, start - other, top[start:], low[start:])
            if other > start:  # the same products are those of the other rows
                mirrored = np.ascontiguousarray(block.T)
                _fold_in_threads(mirrored, other - start, top[other:], low[other:])
    own = np.einsum("ij,ij->i", W, W, dtype=np.float64)
    return Extremes(top[:, ::-1].astype(np.float64), low[:, ::-1].astype(np.float64), own)


def _fold_in_threads(block: Any, diagonal: int, top: Any, low: Any) -> None:
    def task(some: slice) -> NDArray[np.int64]:
        fold(block[some], diagonal + some.start, top[some], low[some])
        return np.empty(0, np.int64)

    over_rows(len(block), task)


def power_sums(source: RowMatrix, normalize: bool) -> NDArray[np.float64]:
    """Return Σ_{j≠i} t_ij^p of each row for p = 1 … 4, shape (n, 4)."""
    W = unit_rows(source, normalize)
    n = len(W)
    sums = np.zeros((n, 4))
    for start in range(0, n, _BLOCK):
        first = W[start : start + _BLOCK]
        for other in range(0, n, _BLOCK):
            block = (first @ W[other : other + _BLOCK].T).astype(np.float64)
            if other == start:
                np.fill_diagonal(block, 0.0)
            power = np.ones_like(block)
            for p in range(4):
                power *= block
                sums[start : start + len(first), p] += power.sum(axis=1)
    return sums
