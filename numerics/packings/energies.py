"""Energies of pairs of unit vectors and their gradients, the objectives of packings.

``soft_maximum`` is the largest overlap smoothed at a temperature 1/p, ``p_frame`` Σ |t|^p,
``relu_energy`` the interference part of the one-active-feature loss. Each takes unit vectors U
(n x m) and returns the value and its gradient with respect to U, not projected on the sphere.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.loss.one_active_kernels import relu_pairs
from numerics.packings.kernels import soft_maximum_of_few

Array = NDArray[np.float64]


# Rows of the matrix of overlaps that are in memory at once.
_BLOCK = 512


def soft_maximum(U: Array, p: float, lines: bool) -> tuple[float, Array]:
    """Return (1/p) ln Σ_{i<j} e^{p |t_ij|} (lines) or of e^{p t_ij} (code), and its gradient.

    It exceeds the largest overlap by at most ln(n(n-1)/2)/p.

    Examples
    --------
    >>> value, _ = soft_maximum(np.eye(2), p=100.0, lines=True)
    >>> value
    0.0
    """
    if U.shape[0] <= 200:  # few: one pass over the pairs is faster than products of matrices
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
    value, slope = 0.0, np.empty_like(U)
    for start in range(0, len(U), _BLOCK):
        block = U[start : start + _BLOCK]
        t = block @ U.T
        own = np.arange(len(block))
        t[own, start + own] = 0.0
        size = np.abs(t)
        power = _raise(size, p - 1)
        value += float(np.vdot(power, size))
        slope[start : start + _BLOCK] = 2 * p * np.copysign(power, t) @ U
    return value, slope


def _raise(x: Array, k: float) -> Array:
    """Return x^k, by products for a small whole k, which takes a tenth of the time."""
    if not (k.is_integer() and 1 <= k <= 8):
        return x**k
    power = x
    for _ in range(int(k) - 1):
        power = power * x
    return power


def relu_energy(U: NDArray[Any], r: Array, b: Array, p: Array) -> tuple[float, NDArray[Any]]:
    """Return Σ_j p_j Σ_{i≠j} ⟨ReLU(r_i r_j t_ij v + b_i)²⟩ over v ~ U(0, 2), and its gradient.

    This is the interference part of the one-active-feature loss (arXiv 2505.10465, eq. 8) of the
    rows W_i = r_i u_i, computed in the precision of U.

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
