"""A primal-dual interior-point method for the largest overlap, to machine precision.

``polish(U, lines)`` starts from vectors that the descent of a smooth energy has brought near a
local optimum. The Newton matrix includes the curvature of the sphere, so that it converges whether
or not the active constraints determine every coordinate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from numerics.packings.deadline import NEVER, Deadline
from numerics.packings.kernels import add_newton_terms

Array = NDArray[np.float64]

# Pairs further than this below the largest overlap are left out of the constraints.
_NEAR = 0.2
# Largest displacement of a vector in one step: the set of constraints stays valid.
_LONGEST = 0.05
# Complementarity gap, the sum of slack times multiplier: at the start, and at convergence.
_START_GAP, _FINAL_GAP = 1e-4, 3e-16
# Rows of the product of overlaps that are in memory at once.
_BLOCK = 1024


def largest_overlap(U: Array, lines: bool) -> float:
    """Return the largest |t| (lines) or t (code) between different rows."""
    largest = -np.inf
    for start in range(0, len(U), _BLOCK):
        block = U[start : start + _BLOCK]
        t = block @ U[: start + len(block)].T
        own = np.arange(len(block))
        t[own, start + own] = -np.inf
        largest = max(largest, float(t.max()))
        if lines:
            t[own, start + own] = np.inf
            largest = max(largest, -float(t.min()))
    return largest


def polish(U: Array, lines: bool, rounds: int = 100, deadline: Deadline = NEVER) -> Array:
    """Lower the largest overlap to a local minimum.

    Minimises s subject to σ t <= s over the close pairs (σ = ±1 their signs) by a primal-dual
    interior-point method; a step solves one linear system with a dense matrix of nm rows.

    Parameters
    ----------
    U : ndarray, shape (n, m)
        Unit vectors, m >= 2.
    lines : bool
        Whether |t| or t counts.
    rounds : int
        Most Newton steps.
    deadline : Deadline
        When to end at the latest, to one Newton step.

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
    U = U / np.linalg.norm(U, axis=1, keepdims=True)
    moved = _newton(U, lines, rounds, deadline)
    return moved if largest_overlap(moved, lines) < largest_overlap(U, lines) else U


def _newton(U: Array, lines: bool, rounds: int, deadline: Deadline) -> Array:
    shrink = 0.15  # centring parameter: the fraction of the gap that a step aims at
    n, m = U.shape
    i, j = np.triu_indices(n, 1)
    t = np.einsum("pm,pm->p", U[i], U[j])
    sign = np.where(t < 0, -1.0, 1.0) if lines else np.ones(t.size)
    near = sign * t > (sign * t).max() - _NEAR
    i, j, sign = i[near], j[near], sign[near]
    over, pairs = sign * t[near], i.size
    level = _centre(over, _START_GAP / pairs)
    slack = level - over
    dual = _START_GAP / pairs / slack
    matrix, pull, damping = np.empty((n * m, n * m)), np.empty((n, m)), 1e-10

    def along(weights: Array) -> Array:
        """Return Σ w σ ∇t over the pairs."""
        t = (sign * over)[:, None]
        out, w = np.zeros((n, m)), (weights * sign)[:, None]
        np.add.at(out, i, w * (U[j] - t * U[i]))
        np.add.at(out, j, w * (U[i] - t * U[j]))
        return out.ravel()

    for _ in range(rounds):
        gap = float(dual @ slack)
        if gap < _FINAL_GAP or deadline.passed:
            break
        stiffness = dual / slack
        add_newton_terms(U, i, j, sign, dual, stiffness, matrix, pull)
        g, total = pull.ravel(), float(stiffness.sum())
        push = shrink * gap / pairs / slack - dual
        # Stationarity in s: the multipliers sum to 1.
        lack = float(push.sum() + dual.sum() - 1)
        matrix -= np.outer(g, g) / total
        found = _solve(matrix, g * (lack / total) - along(dual + push), damping)
        if found is None:
            break
        move, damping = found[0].reshape(n, m), found[1]
        rise = (lack + float(g @ found[0])) / total
        t = (sign * over)[:, None]
        change = np.einsum("pm,pm->p", U[j] - t * U[i], move[i])
        change += np.einsum("pm,pm->p", U[i] - t * U[j], move[j])
        dual_step = push - stiffness * (rise - sign * change)
        longest = max(float(np.linalg.norm(move, axis=1).max()), 1e-300)
        size, found_step = min(1.0, _LONGEST / longest), False
        while size > 1e-4 and not found_step:
            V = U + size * move
            V /= np.linalg.norm(V, axis=1, keepdims=True)
            new = sign * np.einsum("pm,pm->p", V[i], V[j])
            found_step = bool(np.all(level + size * rise - new > 0.005 * slack))
            size = size if found_step else size / 2
        if not found_step:
            break
        # A short step means that constraints are too near: recentre.
        shrink = 0.15 if size > 0.4 else 0.7 if size > 0.1 else 2.0
        U, level, over = V, level + size * rise, new
        slack = level - over
        falls = dual_step < 0
        most = 0.99 * np.min(-dual[falls] / dual_step[falls]) if falls.any() else 1.0
        dual = dual + min(1.0, size, most) * dual_step
    return U


def _centre(over: Array, mu: float) -> float:
    """Return the level s at which the multipliers mu/(s - over) sum to 1."""
    low, high = float(over.max()) + mu, float(over.max()) + mu * over.size
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.sum(mu / (middle - over)) > 1 else (low, middle)
    return high


def _solve(matrix: Array, right: Array, damping: float) -> tuple[Array, float] | None:
    """Solve with the least damping, by factors of ten, that makes the matrix positive definite.

    Returns the solution and the damping to try next; None if no damping will do.
    """
    diagonal = matrix.diagonal().copy()
    while damping < 1e6:
        np.fill_diagonal(matrix, diagonal + damping)
        try:
            factor = cho_factor(matrix, lower=True, check_finite=False)
        except LinAlgError:
            damping = max(10 * damping, 1e-8)
            continue
        return cho_solve(factor, right, check_finite=False), max(damping / 10, 1e-10)
    return None
