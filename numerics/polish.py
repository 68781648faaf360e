"""Finish a packing to machine precision: linear, then quadratic programs on its closest pairs.

Use ``polish(U, lines)`` on vectors that a smooth energy has brought near a best packing. Where the
contacts fix every coordinate, linear programs converge quadratically; where they do not, curvature
decides the rest, and sequential quadratic programming takes over.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog, minimize
from scipy.sparse import csr_array

Array = NDArray[np.float64]


def largest_overlap(U: Array, lines: bool) -> float:
    """Return the largest |t| (lines) or t (code) between different rows."""
    t = U @ U.T
    np.fill_diagonal(t, -np.inf)
    if not lines:
        return float(t.max())
    return max(float(t.max()), -float((U @ U.T).min()))


def _tangents(U: Array) -> Array:
    """Orthonormal bases of the complements of the rows: n x m x (m - 1), by reflections."""
    n, m = U.shape
    # The reflection that takes e_1 to ±u has the complement of u as its other columns.
    sign = np.where(U[:, 0] < 0, -1.0, 1.0)
    v = U.copy()
    v[:, 0] += sign
    scale = 2 / np.sum(v**2, axis=1)
    bases = np.broadcast_to(np.eye(m)[:, 1:], (n, m, m - 1)).copy()
    bases -= scale[:, None, None] * v[:, :, None] * v[:, None, 1:]
    return bases


def polish(U: Array, lines: bool, rounds: int = 60, below: float = np.inf) -> Array:
    """Lower the largest overlap to a local minimum.

    To first order a move d_i of each vector, d_i ⟂ u_i, changes t_ij by u_i·d_j + u_j·d_i; each
    program finds the moves, in ever smaller regions, that lower the largest overlap most.

    Parameters
    ----------
    U : ndarray, shape (n, m)
        Unit vectors, m >= 2.
    lines : bool
        Whether |t| or t counts.
    rounds : int
        Most linear programs that are solved.
    below : float
        Quadratic programs, which cost more, are solved only if the linear ones come below this.

    Returns
    -------
    ndarray, shape (n, m)
        Unit vectors whose largest overlap is no larger.

    Examples
    --------
    >>> rough = np.array([[1, 0.01], [-0.52, 0.85], [-0.49, -0.87]])
    >>> rough /= np.linalg.norm(rough, axis=1, keepdims=True)
    >>> round(largest_overlap(polish(rough, lines=True), lines=True), 12)
    0.5
    """
    U = _linear(U / np.linalg.norm(U, axis=1, keepdims=True), lines, rounds)
    if largest_overlap(U, lines) > below:
        return U
    if _contacts(U, lines) <= U.shape[0] * (U.shape[1] - 1) - U.shape[1] * (U.shape[1] - 1) // 2:
        finer = _quadratic(U, lines)
        if largest_overlap(finer, lines) < largest_overlap(U, lines):
            U = _linear(finer, lines, rounds)
    return U


def _contacts(U: Array, lines: bool) -> int:
    t = (U @ U.T)[np.triu_indices(len(U), 1)]
    size = np.abs(t) if lines else t
    return int(np.sum(size > size.max() - 1e-10))


def _linear(U: Array, lines: bool, rounds: int) -> Array:
    best, reach = largest_overlap(U, lines), 1e-2
    for _ in range(rounds):
        if reach < 1e-14:
            break
        moved = _step(U, lines, best, reach)
        if moved is None:
            reach /= 8
            continue
        reached = largest_overlap(moved, lines)
        if reached < best:
            # Quadratic convergence at a vertex: what is left is far below the region.
            gain, U, best = best - reached, moved, reached
            reach = min(reach, max(4 * gain, 1e-13)) if gain < reach / 16 else reach
        else:
            reach /= 8
    return U


def _step(U: Array, lines: bool, best: float, reach: float) -> Array | None:
    n, m = U.shape
    t = U @ U.T
    i, j = np.triu_indices(n, 1)
    pair = t[i, j]
    sign = np.where(pair < 0, -1.0, 1.0) if lines else np.ones(pair.size)
    # A move of size reach in each coordinate changes t by at most 2 reach √(m - 1).
    near = sign * pair > best - 4.1 * reach * np.sqrt(m - 1)
    i, j, pair, sign = i[near], j[near], pair[near], sign[near]
    tangents = _tangents(U)
    by_j = sign[:, None] * np.einsum("pm,pmk->pk", U[i], tangents[j])
    by_i = sign[:, None] * np.einsum("pm,pmk->pk", U[j], tangents[i])
    k, count = m - 1, i.size
    columns = np.concatenate(
        [i[:, None] * k + np.arange(k), j[:, None] * k + np.arange(k), np.full((count, 1), n * k)],
        axis=1,
    )
    data = np.concatenate([by_i, by_j, -np.ones((count, 1))], axis=1)
    rows = np.repeat(np.arange(count), 2 * k + 1)
    matrix = csr_array((data.ravel(), (rows, columns.ravel())), shape=(count, n * k + 1))
    # In units of the region: the solver's tolerances are absolute.
    limits = (best - sign * pair) / reach
    cost = np.zeros(n * k + 1)
    cost[-1] = 1.0
    found = linprog(
        cost,
        A_ub=matrix,
        b_ub=limits,
        bounds=[(-1, 1)] * (n * k) + [(None, 0)],
        method="highs",
    )
    if found.status != 0:
        return None
    moves = reach * np.einsum("nmk,nk->nm", tangents, found.x[:-1].reshape(n, k))
    moved = U + moves
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)


def _quadratic(U: Array, lines: bool) -> Array:
    """Minimise s subject to overlaps <= s by SLSQP, in tangent coordinates at U."""
    n, m = U.shape
    k, best = m - 1, largest_overlap(U, lines)
    t = (U @ U.T)[np.triu_indices(n, 1)]
    i, j = np.triu_indices(n, 1)
    sign = np.where(t < 0, -1.0, 1.0) if lines else np.ones(t.size)
    near = sign * t > best - 0.1
    i, j, sign = i[near], j[near], sign[near]
    tangents = _tangents(U)
    pairs, columns = np.arange(i.size)[:, None], np.arange(k)

    def place(x: Array) -> tuple[Array, Array]:
        X = U + np.einsum("nmk,nk->nm", tangents, x[:-1].reshape(n, k))
        size = np.linalg.norm(X, axis=1, keepdims=True)
        return X / size, size

    def slack(x: Array) -> Array:
        V, _ = place(x)
        return x[-1] - sign * np.einsum("pm,pm->p", V[i], V[j])

    def slopes(x: Array) -> Array:
        V, size = place(x)
        overlap = np.einsum("pm,pm->p", V[i], V[j])[:, None]
        out = np.zeros((i.size, n * k + 1))
        for a, c in ((i, j), (j, i)):
            push = -sign[:, None] * (V[c] - overlap * V[a]) / size[a]
            out[pairs, a[:, None] * k + columns] += np.einsum("pm,pmk->pk", push, tangents[a])
        out[:, -1] = 1.0
        return out

    cost = np.zeros(n * k + 1)
    cost[-1] = 1.0
    found = minimize(
        lambda x: x[-1],
        np.r_[np.zeros(n * k), best],
        jac=lambda x: cost,
        constraints={"type": "ineq", "fun": slack, "jac": slopes},
        method="SLSQP",
        options={"maxiter": 100, "ftol": 1e-15},
    )
    return place(found.x)[0] if np.all(np.isfinite(found.x)) else U
