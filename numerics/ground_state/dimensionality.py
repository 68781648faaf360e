"""Which share of a dimension each feature has, and which features share their dimensions.

``feature_dimensionalities`` is D_i of arXiv 2209.10652 (the capacity of arXiv 2210.01892), and
``overlap_groups`` finds the features that overlap, directly or through others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from theory.checks import check_numbers
from theory.computing.argument_kinds import check_kinds

Array = NDArray[np.float64]

# Arrangements of features that toy models are known to choose (arXiv 2209.10652): points and
# dimensions; a feature has dimensions/points of a dimension.
POLYTOPES = {
    (1, 1): "dedicated dimension",
    (2, 1): "digon",
    (3, 2): "triangle",
    (4, 3): "tetrahedron",
    (5, 2): "pentagon",
    (8, 3): "square antiprism",
}
# Norm, relative to the largest, below which a row is that of a feature left out.
_ZERO = 1e-6
# Largest relative difference of shares in an arrangement that is named.
_EVEN = 0.2


@check_kinds
def feature_dimensionalities(W: ArrayLike) -> Array:
    r"""Return D_i = |W_i|² / Σ_j (Ŵ_i·W_j)², the share of a dimension that feature i has.

    D_i = |W_i|⁴/(W_iᵀ A W_i) with A = WᵀW, so D_i <= W_iᵀ A⁺ W_i by Cauchy and Schwarz, and
    Σ_i D_i <= rank W <= m. A row of zeros has D_i = 0.

    Parameters
    ----------
    W : array_like, shape (n, m)
        Rows are features.

    Returns
    -------
    ndarray, shape (n,)
        D_i between 0 and 1.

    Raises
    ------
    ValueError
        If W is no matrix of finite numbers.

    Examples
    --------
    >>> feature_dimensionalities([[1, 0], [-1, 0], [0, 2], [0, 0]])   # a digon, one alone, one lost
    array([0.5, 0.5, 1. , 0. ])
    """
    rows = check_numbers("W", W)
    if rows.ndim != 2 or 0 in rows.shape:
        raise ValueError(f"W has shape {rows.shape}: give a matrix of n rows and m columns")
    if not np.isfinite(rows).all():
        raise ValueError("W has an entry that is not finite: give a matrix of finite numbers")
    largest = np.abs(rows).max()
    if largest == 0:
        return np.zeros(len(rows))
    rows = rows / largest
    norms = np.linalg.norm(rows, axis=1)
    unit = rows / np.maximum(norms, 1e-150)[:, None]
    spread = np.einsum("ik,ik->i", unit @ (rows.T @ rows), unit)
    return np.where(norms > _ZERO, norms**2 / np.maximum(spread, norms**2).clip(_ZERO**2), 0.0)


def overlap_groups(W: ArrayLike, threshold: float = 0.05, norm: float = 0.1) -> NDArray[np.int64]:
    """Return the group of each feature: features with |cosine| above a threshold are in one.

    Groups are the connected components of the graph of overlaps, in the order of their first
    feature; features with |W_i| <= ``norm`` times the largest are in none (-1).

    Examples
    --------
    >>> overlap_groups([[1, 0], [-1, 0], [0, 2], [0, 0]])
    array([ 0,  0,  1, -1])
    """
    rows = np.asarray(W, dtype=np.float64)
    norms = np.linalg.norm(rows, axis=1)
    groups = np.full(len(rows), -1)
    live = np.flatnonzero(norms > norm * norms.max())
    if live.size:
        unit = rows[live] / norms[live, None]
        graph = csr_array(np.abs(unit @ unit.T) > threshold)
        groups[live] = connected_components(graph, directed=False)[1]
    return groups


def name_group(W: ArrayLike) -> str:
    """Return the name of the arrangement of these rows, or their number and their dimensions.

    Named are arrangements in which each feature has the same share of a dimension, to a fifth.

    Examples
    --------
    >>> name_group([[1, 0], [-1, 0]]), name_group(np.eye(3, 4) + 0.5)
    ('digon', '3 features in 3 dimensions')
    """
    rows = np.asarray(W, dtype=np.float64)
    shape = len(rows), int(np.linalg.matrix_rank(rows, tol=0.05 * np.linalg.norm(rows, 2)))
    even = shape[1] / shape[0]
    if np.abs(feature_dimensionalities(rows) / even - 1).max() < _EVEN and shape in POLYTOPES:
        return POLYTOPES[shape]
    return f"{shape[0]} features in {shape[1]} dimension{'s' * (shape[1] > 1)}"
