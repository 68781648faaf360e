"""Local minima of the exact loss: quasi-Newton descent, second-order polish, curvature.

``descend`` brings a start to a local minimum by L-BFGS; ``polish`` continues by Newton's method and
says by the lowest eigenvalue of the Hessian whether it is a minimum. L does not change if W is
rotated, W to W R, so the m(m - 1)/2 directions W A, A antisymmetric, are taken out of the Hessian.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, eigvalsh_tridiagonal
from scipy.optimize import minimize

from numerics.ground_state.objective import LossFunction, Plan

Array = NDArray[np.float64]

# Largest number of coordinates for which the Hessian is made, by differences of gradients.
DENSE = 150
# Steps of the differences, in the units of W: the usual one, and beside a jump of the Hessian.
_STEP, _SMALL_STEP = 1e-4, 1e-6
# Newton steps, and the largest one, in the units of W.
_NEWTON, _RADIUS = 12, 0.1
# Curvature, relative to the largest, below which a direction is taken as flat.
_FLAT = 1e-7
# Negative curvature, relative to the largest, that makes a saddle, and a slope that is taken as 0.
_SADDLE, _FLAT_SLOPE = 1e-4, 1e-12
# Steps of the Lanczos method.
_PRODUCTS = 120


def diagonal_scale(f: LossFunction) -> Array:
    """Return √(typical curvature) of each coordinate: x times it is what L-BFGS sees."""
    p, weights = f.features.p, f.features.weights
    weights = np.maximum(weights, 1e-3 * weights.max())
    first, second = (float(f.features.activation.moment(k)) for k in (1, 2))
    by_row = second * p * (weights + weights.mean())
    by_bias = weights * min(1.0, f.features.density + 0.05) * second / first**2
    scale = np.sqrt(np.concatenate([np.repeat(by_row, f.m), by_bias]) / by_row.max())
    return np.asarray(np.maximum(scale, 1e-3))


def descend(
    f: LossFunction, x: Array, rtol: float, *, steps: int = 1000, gradient: float = 1e-6
) -> tuple[Array, float]:
    """Return the end of an L-BFGS descent from x and its loss, in units of ``f.scale``."""
    scale = diagonal_scale(f)

    def value(y: Array) -> tuple[float, Array]:
        loss, slope = f(y / scale, rtol)
        return loss, slope / scale

    found = minimize(
        value,
        x * scale,
        jac=True,
        method="L-BFGS-B",
        options={
            "maxiter": steps,
            "maxfun": 2 * steps,
            "ftol": 0.01 * rtol,
            "gtol": gradient,
            "maxcor": 30,
        },
    )
    return found.x / scale, float(found.fun)


def rotation_directions(f: LossFunction, x: Array) -> Array:
    """Return an orthonormal basis of the directions in which W only rotates, shape (size, r)."""
    W, _ = f.unpack(x)
    moves = []
    for a in range(f.m):
        for c in range(a):
            move = np.zeros_like(W)
            move[:, a], move[:, c] = W[:, c], -W[:, a]
            moves.append(f.pack(move, np.zeros(f.n)))
    if not moves:
        return np.zeros((f.size, 0))
    left, values, _ = np.linalg.svd(np.stack(moves, axis=1), full_matrices=False)
    return left[:, values > 1e-8 * max(values[0], 1e-300)]


def hessian(f: LossFunction, x: Array, rtol: float, size: float = _STEP) -> Array:
    """Return the Hessian in units of ``f.scale``, by central differences of the gradient."""
    plan, columns = f.plan(x, rtol), []
    for k in range(f.size):
        step = np.zeros(f.size)
        step[k] = size
        change = f(x + step, rtol, plan)[1] - f(x - step, rtol, plan)[1]
        columns.append(change / (2 * size))
    found = np.stack(columns, axis=1)
    return (found + found.T) / 2


def _free_eigen(f: LossFunction, x: Array, rtol: float, size: float = _STEP) -> tuple[Array, Array]:
    """Return eigenvalues and vectors of the Hessian outside the rotations of W."""
    turns = rotation_directions(f, x)
    basis = np.linalg.qr(np.concatenate([turns, np.eye(f.size)], axis=1))[0][:, : f.size]
    free = basis[:, turns.shape[1] :]
    values, vectors = eigh(free.T @ hessian(f, x, rtol, size) @ free)
    return values, free @ vectors


def polish(f: LossFunction, x: Array, rtol: float, rough: float) -> tuple[Array, float, float]:
    """Return the end of Newton's method from x, its loss, and the lowest curvature there.

    The loss and its gradient are known to ``rtol``, the Hessian to ``rough``, relative to
    ``f.scale``. Steps are kept only where they lower the loss or the gradient. Directions of
    negative curvature are followed downhill, so that a saddle is left. Where no step helps, the
    Hessian is taken again by smaller differences: it jumps where a bias or an overlap is 0. Where
    it is too large to be made, x is only descended further, and the Lanczos method bounds the
    lowest curvature from above.
    """
    if f.size > DENSE:
        x, loss = descend(f, x, rtol, steps=500, gradient=1e-8)
        return x, loss, _lanczos(f, x, rough)
    sizes = [_STEP, _SMALL_STEP]
    values, vectors = _free_eigen(f, x, rough)
    for _ in range(_NEWTON):
        plan = f.plan(x, rtol)
        loss, slope = f(x, rtol, plan)
        if np.abs(slope).max() < _FLAT_SLOPE and values[0] > -_SADDLE * values[-1]:
            break
        step = _newton_step(values, vectors, slope)
        trial, fall = _try_step(f, x, step, rtol, plan, loss, slope)
        if trial is not None:
            x = trial
        elif len(sizes) > 1:
            sizes.pop(0)
        else:
            break
        if trial is None or fall > 0.05:  # the curvature has changed
            values, vectors = _free_eigen(f, x, rough, sizes[0])
    return x, f(x, rtol)[0], float(_free_eigen(f, x, rough)[0][0])


def _try_step(
    f: LossFunction,
    x: Array,
    step: Array,
    rtol: float,
    plan: Plan | None,
    loss: float,
    slope: Array,
) -> tuple[Array | None, float]:
    """Return the end of a step that helps, or None, and by how much the gradient has shrunk."""
    before = max(float(np.linalg.norm(slope)), 1e-300)
    for fraction in (1.0, 0.25, 0.05):
        trial = x + fraction * step
        new_loss, new_slope = f(trial, rtol, plan)
        shrunk = float(np.linalg.norm(new_slope)) / before
        if new_loss < loss - 1e-3 * rtol or (shrunk < 0.9 and new_loss < loss + 1e-3 * rtol):
            return trial, shrunk
    return None, 1.0


def _newton_step(values: Array, vectors: Array, slope: Array) -> Array:
    """Return the step that |curvatures| give, no longer than the radius; flat directions stay."""
    steep = np.abs(values) > _FLAT * np.abs(values).max()
    along = vectors.T @ slope
    if values[0] < -_SADDLE * values[-1]:  # leave it also where the slope is 0
        along[0] += np.copysign(abs(values[0]) * _RADIUS / 2, along[0] or 1.0)
    parts = np.where(steep, -along / np.where(steep, np.abs(values), 1.0), 0.0)
    step: Array = vectors @ parts
    return step * min(1.0, _RADIUS / max(float(np.linalg.norm(step)), 1e-300))


def _lanczos(f: LossFunction, x: Array, rtol: float) -> float:
    """Return the lowest Ritz value outside the rotations of W after ``_PRODUCTS`` Lanczos steps.

    It is the curvature along one direction, so never below the lowest eigenvalue.
    """
    turns, plan = rotation_directions(f, x), f.plan(x, rtol)
    kept = np.zeros((f.size, _PRODUCTS))
    diagonal, beside = np.zeros(_PRODUCTS), np.zeros(_PRODUCTS)
    v = np.random.default_rng(0).normal(size=f.size)
    steps = 0
    for k in range(min(_PRODUCTS, f.size - turns.shape[1])):
        for _ in range(2):  # orthogonal to rounding
            v = v - turns @ (turns.T @ v)
            v = v - kept[:, :k] @ (kept[:, :k].T @ v)
        size = float(np.linalg.norm(v))
        if k and size < 1e-9 * np.abs(diagonal[:k]).max():
            break
        beside[k], kept[:, k] = size, v / size
        step = (_STEP / np.abs(kept[:, k]).max()) * kept[:, k]
        change = f(x + step, rtol, plan)[1] - f(x - step, rtol, plan)[1]
        v = change / (2 * np.linalg.norm(step))
        diagonal[k], steps = kept[:, k] @ v, k + 1
    return float(eigvalsh_tridiagonal(diagonal[:steps], beside[1:steps])[0])
