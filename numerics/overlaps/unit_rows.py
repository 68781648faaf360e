"""The directions of the rows of a matrix, block by block, and their second moments.

``mean_square_overlap(W)`` computes ⟨t²⟩ from the m x m second moments, without n² pairs.
``UnitRows`` normalises rows, centres them, removes principal directions, and leaves out rows of
zeros, for ``numerics.overlaps.statistics``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dsyrk, ssyrk

from numerics.tensors.row_matrix import RowMatrix
from theory.computing.argument_kinds import check_kinds

# Rows of the matrix, float32 or float64.
Block = NDArray[Any]

_BLOCK = 4096


class UnitRows:
    """Unit rows of a matrix by block, centred and projected on request, without rows of zeros.

    Places are the positions among the rows that are kept; ``ids`` are their indices in the matrix.
    """

    def __init__(self, source: RowMatrix, center: bool, remove: int) -> None:
        self._source, self.m = source, source.m
        self._mean: Block | None = None
        self._removed: Block | None = None
        self.ids = np.arange(source.n)
        self.scale = 1.0
        norms = self._norms()
        limits = np.finfo(source.dtype)
        if norms.max() > 0:
            # A power of 2 changes no digit, and keeps second moments in range.
            self.scale = 2.0 ** min(math.floor(math.log2(norms.max())), limits.maxexp - 1)
        # A row that is subnormal after scaling has too few digits for a direction.
        found = norms / self.scale >= limits.tiny
        self.zeros = self.ids[~found]
        self.ids, self.norms = self.ids[found], norms[found] / self.scale
        if self.ids.size and (center or remove):
            self._fit(remove)
            norms = self._norms()
            # Of a row that equals the mean only rounding errors are left.
            scale = 1e-6 if source.dtype == np.float32 else 1e-14
            left = norms > scale * np.sqrt(np.mean(self.norms**2))
            self.zeros = np.sort(np.concatenate([self.zeros, self.ids[~left]]))
            self.ids, self.norms = self.ids[left], norms[left]

    def _read(self, places: NDArray[np.int64]) -> Block:
        ids = self.ids[places]
        if ids.size and ids[-1] - ids[0] + 1 == ids.size:  # sorted and distinct: one stretch
            block = self._source.read(int(ids[0]), int(ids[-1]) + 1)
        else:
            block = self._source.take(ids)
        if self.scale != 1:
            block = block / block.dtype.type(self.scale)
        if self._mean is not None:
            block = block - self._mean
        if self._removed is not None:
            block = block - (block @ self._removed) @ self._removed.T
        return block

    def _blocks(self) -> Iterator[Block]:
        for start in range(0, self.ids.size, _BLOCK):
            yield self._read(np.arange(start, min(start + _BLOCK, self.ids.size)))

    def _norms(self) -> NDArray[np.float64]:
        out: list[NDArray[np.float64]] = []
        for block in self._blocks():
            # Squares of float32 overflow beyond 1e19: each row is scaled by its largest entry.
            peak = np.abs(block).max(axis=1)
            bad = np.flatnonzero(~np.isfinite(peak))
            if bad.size:
                row = self.ids[sum(one.size for one in out) + bad[0]]
                raise ValueError(f"row {row} of the matrix has NaN or infinite entries")
            scaled = block / np.where(peak > 0, peak, 1)[:, None]
            out.append(np.sqrt(np.einsum("ij,ij->i", scaled, scaled)).astype(np.float64) * peak)
        return np.concatenate(out) if out else np.empty(0)

    def _fit(self, remove: int) -> None:
        """Find the mean row, and the ``remove`` leading principal directions about it."""
        total = sum(block.sum(axis=0, dtype=np.float64) for block in self._blocks())
        self._mean = np.asarray(total / self.ids.size, dtype=self._source.dtype)
        if remove:
            moments = sum(_second_moments(block) for block in self._blocks())
            _, vectors = np.linalg.eigh(moments)
            leading = vectors[:, ::-1][:, :remove]
            self._removed = np.ascontiguousarray(leading, dtype=self._source.dtype)

    def unit(self, places: NDArray[np.int64]) -> Block:
        """Return the unit rows at these places."""
        block = self._read(places)
        unit: Block = block / self.norms[places, None].astype(block.dtype)
        return unit


def _second_moments(block: Block) -> NDArray[np.float64]:
    """Return blockᵀ block as a full float64 matrix; BLAS computes one triangle."""
    syrk = ssyrk if block.dtype == np.float32 else dsyrk
    half = syrk(1.0, block.T, lower=0)  # block.T is Fortran-ordered: nothing is copied
    full: NDArray[np.float64] = half.astype(np.float64)
    full += np.triu(full, 1).T
    return full


def moments(
    rows: UnitRows, places: NDArray[np.int64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Σ w u and Σ w u uᵀ over the rows at these places."""
    first, second = np.zeros(rows.m), np.zeros((rows.m, rows.m))
    for start in range(0, places.size, _BLOCK):
        some = places[start : start + _BLOCK]
        block, w = rows.unit(some), weights[some]
        first += w @ block.astype(np.float64)
        if np.any(w != 1):
            block = block * np.sqrt(w)[:, None].astype(block.dtype)
        second += _second_moments(block)
    return first, second


@check_kinds
def mean_square_overlap(W: Any) -> float:
    """Return the mean over i ≠ j of (cos angle between rows i and j)², through the m x m moments.

    With U the normalised rows it is (‖UᵀU‖_F² - n)/(n(n - 1)), in n m² operations.

    Parameters
    ----------
    W : array_like or RowMatrix, shape (n, m)
        Rows to compare; rows of zeros have no direction and are left out.

    Returns
    -------
    float
        The mean square; NaN if fewer than two rows are left.

    Raises
    ------
    ValueError
        For entries that are not finite, or a shape that is not n x m.

    Examples
    --------
    >>> round(mean_square_overlap([[1, 0], [0, 2], [3, 3]]), 12)
    0.333333333333
    """
    source = W if isinstance(W, RowMatrix) else RowMatrix(W)
    rows = UnitRows(source, False, 0)
    n = rows.ids.size
    if n < 2:
        return math.nan
    _, second = moments(rows, np.arange(n), np.ones(n))
    return float((np.sum(second**2) - n) / (n * (n - 1)))
