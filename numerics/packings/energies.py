"""Energies of pairs of unit vectors and their gradients: what packings minimise.

Use ``soft_maximum`` for the largest overlap smoothed at a temperature 1/p, ``p_frame`` for Σ |t|^p,
``relu_energy`` for the interference part of the one-active-feature loss. Each takes unit vectors U
(n x m) and returns the value and its gradient by U (not yet projected on the sphere).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.loss.one_active_kernels import relu_pairs
from numerics.packings.kernels import soft_maximum_of_few

Array = NDArray[np.float64]


def soft_maximum(U: Array, p: float, lines: bool) -> tuple[float, Array]:
    """Return (1/p) ln Σ_{i<j} e^{p |t_ij|} (lines) or of e^{p t_ij} (code), and its gradient.

    It exceeds the largest overlap by at most ln(n(n-1)/2)/p.

    Examples
    --------
    >>> value, _ = soft_maximum(np.eye(2), p=100.0, lines=True)
    >>> value
    0.0
    """
    if U.shape[0] <= 200:  # small: one pass over pairs; else products of matrices
        value, slope = soft_maximum_of_few(np.ascontiguousarray(U), p, lines)
        return value, slope
    t = U @ U.T
    np.fill_diagonal(t, -np.inf if not lines else 0.0)
    size = np.abs(t) if lines else t
    top = float(size.max())
    weights = np.exp(p * (size - top))
    np.fill_diagonal(weights, 0.0)
    total = weights.sum() / 2
    if lines:
        weights *= np.sign(t)
    return top + math.log(total) / p, weights @ U / total


def p_frame(U: Array, p: float) -> tuple[float, Array]:
    """Return Σ_{i≠j} |t_ij|^p, p > 1, and its gradient; p = 2 is the frame potential less n.

    Examples
    --------
    >>> p_frame(np.array([[1.0, 0.0], [0.6, 0.8]]), 2.0)[0]
    0.72
    """
    t = U @ U.T
    np.fill_diagonal(t, 0.0)
    size = np.abs(t) ** (p - 1)
    return float(np.sum(size * np.abs(t))), 2 * p * (size * np.sign(t)) @ U


def relu_energy(U: NDArray[Any], r: Array, b: Array, p: Array) -> tuple[float, NDArray[Any]]:
    """Return Σ_j p_j Σ_{i≠j} ⟨ReLU(r_i r_j t_ij v + b_i)²⟩ over v ~ U(0, 2), and its gradient.

    It is what features do to each other in the one-active-feature loss (arXiv 2505.10465, eq. 8)
    of the rows W_i = r_i u_i. All is done in the precision of U.

    Examples
    --------
    >>> ones = np.ones(2)
    >>> value, _ = relu_energy(np.array([[1.0, 0.0], [0.6, 0.8]]), ones, -ones, ones)
    >>> round(value, 12)   # 2 · 0.2³/(6 · 0.6)
    0.004444444444
    """
    r, b, p = (np.asarray(x, dtype=U.dtype) for x in (r, b, p))
    W = U * r[:, None]
    gram = W @ W.T
    value = relu_pairs(gram, b, p)
    return float(value), (gram @ W) * r[:, None]
