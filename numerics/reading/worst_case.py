"""How many active items every support is read correctly for, with the rows of a given matrix.

``worst_case_active(W)`` evaluates the criterion that is necessary and sufficient for one threshold:
Tropp's Babel function with signs. ``theory.reading.guarantees`` has what coherence and bounds say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from numerics.reading.extremes import find_extremes
from numerics.tensors.row_matrix import as_rows
from theory.checks import check_integer
from theory.computing.argument_kinds import check_kinds
from theory.results import result

_START = 8


@dataclass(frozen=True, eq=False)
@result
class WorstCase:
    """How many active items are read whatever the support.

    Attributes
    ----------
    n, m : int
        Rows and columns.
    active : int
        Largest k such that every support of every size up to k is read by one threshold for its
        size.
    on, off : ndarray, shape (K,)
        For k = 1 … K: the lowest score of an item that is on over all supports of size k, and the
        highest of one that is off. A support size is read iff on > off, beyond rounding.
    """

    n: int
    m: int
    active: int
    on: NDArray[np.float64]
    off: NDArray[np.float64]

    @property
    def thresholds(self) -> NDArray[np.float64]:
        """Thresholds in the middle between ``on`` and ``off``, for k = 1 … active."""
        return (self.on + self.off)[: self.active] / 2

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each support size."""
        return pd.DataFrame(
            {
                "k": np.arange(1, self.on.size + 1),
                "lowest on": self.on,
                "highest off": self.off,
                "read": self.on > self.off,
            }
        )

    def __str__(self) -> str:
        more = "" if self.active < self.on.size else " or more"
        return (
            f"{self.n} rows in {self.m} dimensions: every support of up to {self.active}{more} "
            "items is read by one threshold"
        )


@check_kinds
def worst_case_active(
    W: Any, *, normalize: bool = True, transpose: bool = False, limit: int | None = None
) -> WorstCase:
    """Return how many items may be active for every support to be read by one threshold.

    Items are on or off with strength 1, h = Σ_{i on} W_i, scores W_j·h. With t_ij the products of
    different rows, μ⁺_k the largest sum of k of them in a row and μ⁻_k the smallest, all supports
    of size k are read iff min_i (t_ii + the k - 1 smallest) > μ⁺_k; for unit rows
    1 + μ⁻_{k-1} > μ⁺_k (Tropp, IEEE Trans. Inf. Theory 50 (2004), with signs). It is sharp: if it
    fails, some support is misread at any threshold.

    Parameters
    ----------
    W : array_like or RowMatrix, shape (n, m)
        The rows, n >= 2.
    normalize : bool
        Scale rows to length 1.
    transpose : bool
        Items are the columns of W.
    limit : int, optional
        Largest k to look at, at most n - 1 (the default).

    Returns
    -------
    WorstCase
        The number, with the extreme scores behind it.

    Raises
    ------
    ValueError
        For a single row, a row of zeros, or entries that are not finite.

    Notes
    -----
    Blocks of products are folded into the most extreme ones of each row: n² m operations, O(n)
    memory beside the matrix. Products of float32 rows are float32.

    Examples
    --------
    >>> print(worst_case_active(np.eye(3)))
    3 rows in 3 dimensions: every support of up to 2 or more items is read by one threshold
    >>> worst_case_active([[1, 0], [-0.5, 3**0.5 / 2], [-0.5, -(3**0.5) / 2]]).active
    2
    """
    source = as_rows(W, transpose)
    if source.n < 2:
        raise ValueError("the matrix has one row: give at least two")
    most = source.n - 1
    if limit is not None:
        most = check_integer("limit", limit, 1, most)
    kept = min(_START, most)
    while True:
        found = find_extremes(source, kept, normalize)
        off = np.cumsum(found.largest, axis=1).max(axis=0)
        smallest = np.cumsum(found.smallest[:, : kept - 1], axis=1)
        lowest = found.own[:, None] + np.c_[np.zeros(source.n), smallest]
        on = lowest.min(axis=0)
        # Rounding of the products: frames attain equality exactly.
        margin = 64 * np.finfo(source.dtype).eps * found.own.max()
        failed = np.flatnonzero(on <= off + margin)
        if failed.size or kept == most:
            active = int(failed[0]) if failed.size else most
            return WorstCase(source.n, source.m, active, on, off)
        kept = min(4 * kept, most)
