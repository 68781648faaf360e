"""How much the rows of a matrix overlap.

Use ``mean_square_overlap`` for ⟨t²⟩ over all pairs of rows, exactly and without forming the pairs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def mean_square_overlap(W: ArrayLike) -> float:
    """Return the mean over i ≠ j of (cos angle between rows i and j)², through the m x m moments.

    With U the normalised rows it is (‖UᵀU‖_F² - n)/(n(n - 1)): m x m work, never n².

    Parameters
    ----------
    W : array_like, shape (n, m)
        Rows to compare; rows of zeros have no direction and are left out.

    Returns
    -------
    float
        The mean square; NaN if fewer than two rows are left.

    Examples
    --------
    >>> mean_square_overlap([[1, 0], [0, 2], [3, 3]])
    0.3333333333333333
    """
    W = np.asarray(W, dtype=np.float64)
    if W.ndim != 2 or not np.all(np.isfinite(W)):
        raise ValueError(f"W has shape {W.shape}: give a finite matrix of n rows and m columns")
    norms = np.linalg.norm(W, axis=1)
    rows = W[norms > 0] / norms[norms > 0, None]
    n = len(rows)
    if n < 2:
        return float("nan")
    moments = rows.T @ rows
    return float((np.sum(moments**2) - n) / (n * (n - 1)))
