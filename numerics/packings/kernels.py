"""Compiled parts of the search for packings: a descent, and the matrix of a Newton step.

``numerics.packings.energies``, ``numerics.packings.search`` and
``numerics.packings.interior_point`` check the input and call them. They are for small n: pairs are
visited one by one, without products of matrices.
"""

from __future__ import annotations

import math

import numpy as np

from theory.computing.compiled import compiled

_MEMORY = 12  # pairs of steps and changes of the gradient that L-BFGS keeps
_NEGLIGIBLE = 36.0  # weights below e^-36 of the largest, the precision of float64, are left out


@compiled(fastmath=True)
def _weigh_pairs(V, p, lines, t, slope):  # type: ignore[no-untyped-def]
    """Return the largest overlap, Σ e^{p (t - largest)} and Σ t e^{p (t - largest)} over pairs."""
    n, m = V.shape
    top = -2.0
    for i in range(n):
        for j in range(i):
            x = 0.0
            for k in range(m):
                x += V[i, k] * V[j, k]
            t[i, j] = x
            top = max(top, abs(x) if lines else x)
    total, weighted = 0.0, 0.0
    slope[:, :] = 0.0
    least = top - _NEGLIGIBLE / p
    for i in range(n):
        for j in range(i):
            x = t[i, j]
            size = abs(x) if lines else x
            if size > least:
                w = math.exp(p * (size - top))
                total += w
                weighted += w * size
                if lines and x < 0:
                    w = -w
                for k in range(m):
                    slope[i, k] += w * V[j, k]
                    slope[j, k] += w * V[i, k]
    return top, total, weighted


@compiled(fastmath=True)
def _weigh_orbits(V, p, lines, turn, order, images, t, slope):  # type: ignore[no-untyped-def]
    """Return the same as ``_weigh_pairs`` from pairs of one vector of each orbit with all vectors.

    ``turn`` (m x 2): row k holds the cosine and the signed sine by which the k-th and its
    neighbour's coordinates are mixed; ``order`` (s): how many vectors each orbit has. ``images``
    holds all vectors, orbit by orbit.
    """
    s, m = V.shape
    a = 0
    for i in range(s):
        for step in range(order[i]):
            for k in range(m):
                if step == 0:
                    images[a, k] = V[i, k]
                else:
                    other = images[a - 1, k ^ 1] if k ^ 1 < m else 0.0
                    images[a, k] = turn[k, 0] * images[a - 1, k] + turn[k, 1] * other
            a += 1
    top, own = -2.0, 0
    for i in range(s):
        for j in range(a):
            x = 0.0
            for k in range(m):
                x += V[i, k] * images[j, k]
            t[i, j] = x
            if j != own:
                top = max(top, abs(x) if lines else x)
        own += order[i]
    total, weighted = 0.0, 0.0
    slope[:, :] = 0.0
    least, own = top - _NEGLIGIBLE / p, 0
    for i in range(s):
        for j in range(a):
            x = t[i, j]
            size = abs(x) if lines else x
            if size > least and j != own:
                w = order[i] * math.exp(p * (size - top)) / 2
                total += w
                weighted += w * size
                if lines and x < 0:
                    w = -w
                for k in range(m):
                    slope[i, k] += 2 * w * images[j, k]
        own += order[i]
    return top, total, weighted


@compiled()
def soft_maximum_of_few(U, p, lines):  # type: ignore[no-untyped-def]
    """Value and gradient of the smoothed largest overlap, in one pass over few unit vectors."""
    slope = np.empty_like(U)
    top, total, _ = _weigh_pairs(U, p, lines, np.empty((U.shape[0], U.shape[0])), slope)
    return top + math.log(total) / p, slope / total


@compiled(fastmath=True)
def _on_sphere(X, p, lines, turn, order, V, images, t, slope):  # type: ignore[no-untyped-def]
    """Smoothed largest overlap of the rows of X, scaled to length 1 in V; gradient by X."""
    n, m = X.shape
    for i in range(n):
        square = 0.0
        for k in range(m):
            square += X[i, k] * X[i, k]
        for k in range(m):
            V[i, k] = X[i, k] / math.sqrt(square)
    if order.size:
        top, total, weighted = _weigh_orbits(V, p, lines, turn, order, images, t, slope)
    else:
        top, total, weighted = _weigh_pairs(V, p, lines, t, slope)
    for i in range(n):
        along, length = 0.0, 0.0
        for k in range(m):
            along += slope[i, k] * V[i, k]
            length += X[i, k] * V[i, k]
        for k in range(m):
            slope[i, k] = (slope[i, k] - along * V[i, k]) / (total * length)
    return top + math.log(total) / p, weighted / total


@compiled(fastmath=True)
def _dot(x, y):  # type: ignore[no-untyped-def]
    total = x.dtype.type(0)
    for a in range(x.size):
        total += x[a] * y[a]
    return total


@compiled(fastmath=True, error_model="numpy")
def lbfgs_direction(g, steps, changes, inverse, count, first):  # type: ignore[no-untyped-def]
    """Two-loop recursion of L-BFGS: -H g; without memory a step of length ``first`` downhill.

    Row ``k % len(steps)`` of ``steps`` and ``changes`` (of the slope) is the k-th of ``count``;
    ``inverse`` holds one over their products. What underflows gives NaN, which is no way down.
    """
    memory, d = steps.shape
    known = min(count, memory)
    pull = np.zeros_like(inverse)
    direction = -g
    for back in range(known):
        i = (count - 1 - back) % memory
        pull[i] = inverse[i] * _dot(steps[i], direction)
        for a in range(d):
            direction[a] -= pull[i] * changes[i, a]
    if known:
        i = (count - 1) % memory
        scale = 1 / (inverse[i] * _dot(changes[i], changes[i]))
    else:
        scale = first / math.sqrt(_dot(g, g))
    for a in range(d):
        direction[a] *= scale
    for back in range(known):
        i = (count - known + back) % memory
        push = pull[i] - inverse[i] * _dot(changes[i], direction)
        for a in range(d):
            direction[a] += push * steps[i, a]
    return direction


@compiled(nogil=True)
def descend_orbits(  # type: ignore[no-untyped-def]
    U, p, lines, iterations, tolerance, turn, order, stop
):
    """Lower the smoothed largest overlap by L-BFGS, until a step gains less than tolerance/p.

    Row i of U stands for its ``order[i]`` images under powers of ``turn`` (see ``_weigh_orbits``);
    an empty ``order`` means that the rows of U are all. ``stop`` holds one flag, which another
    thread may set to end the descent.

    Returns unit vectors and the mean of their overlaps under the weights e^{pt}: the value of the
    Lagrange dual with these weights, which a sharper p can hardly go below.
    """
    n, m = U.shape
    number = order.sum() if order.size else n
    t, V, images = np.empty((n, number)), np.empty((n, m)), np.empty((number, m))
    X, slope = U.copy(), np.empty((n, m))
    steps, changes = np.zeros((_MEMORY, n * m)), np.zeros((_MEMORY, n * m))
    inverse, count = np.zeros(_MEMORY), 0
    value, mean = _on_sphere(X, p, lines, turn, order, V, images, t, slope)
    for _ in range(iterations):
        g = slope.ravel()
        if stop[0] or not _dot(g, g) > 0:
            break
        direction = lbfgs_direction(g, steps, changes, inverse, count, min(1.0, 1 / p))
        length, down = math.sqrt(_dot(direction, direction)), _dot(direction, g)
        new, new_slope, size, met = value, np.empty((n, m)), min(1.0, 1 / length), False
        for _ in range(20 if down < 0 else 0):
            new_X = X + size * direction.reshape((n, m))
            new, mean = _on_sphere(new_X, p, lines, turn, order, V, images, t, new_slope)
            if new <= value + 1e-4 * size * down:
                met = True
                break
            curve = 2 * (new - value - size * down)
            size = min(max(-down * size * size / curve, 0.1 * size), 0.5 * size)
        if not met:
            if count == 0:
                break
            count = 0  # the memory gives no descent direction: restart along the gradient
            continue
        change = new_slope.ravel() - g
        bend = size * _dot(direction, change)
        if bend > 1e-14 * size * length * math.sqrt(_dot(change, change)):
            i = count % _MEMORY
            steps[i], changes[i], inverse[i] = size * direction, change, 1 / bend
            count += 1
        gain = value - new
        X, slope, value = new_X, new_slope, new
        if gain < tolerance / p:
            break
    _, mean = _on_sphere(X, p, lines, turn, order, V, images, t, slope)
    return V, mean


@compiled(nogil=True)
def descend_soft_maximum(U, p, lines, iterations, tolerance, stop):  # type: ignore[no-untyped-def]
    """Run ``descend_orbits`` without a symmetry: every vector is an orbit of its own."""
    none = np.empty((0, 2))
    return descend_orbits(U, p, lines, iterations, tolerance, none, np.empty(0, np.int64), stop)


@compiled(fastmath=True, nogil=True)
def add_newton_terms(U, first, second, sign, dual, stiffness, matrix, pull):  # type: ignore[no-untyped-def]
    """Fill the Newton matrix of the Lagrangian Σ λ σ t over pairs, and Σ D σ ∇t.

    ``matrix`` (nm x nm): Σ λ σ ∇²t + Σ D ∇t ∇tᵀ on the product of spheres, with 1 along each
    vector itself, where nothing moves; ``pull`` (n x m): Σ D σ ∇t.
    """
    n, m = U.shape
    matrix[:, :] = 0.0
    pull[:, :] = 0.0
    held = np.zeros(n)
    by_first, by_second = np.empty(m), np.empty(m)
    for q in range(first.size):
        i, j = first[q], second[q]
        t = 0.0
        for k in range(m):
            t += U[i, k] * U[j, k]
        weight, stiff = dual[q] * sign[q], stiffness[q]
        for k in range(m):
            by_first[k] = sign[q] * (U[j, k] - t * U[i, k])
            by_second[k] = sign[q] * (U[i, k] - t * U[j, k])
            pull[i, k] += stiff * by_first[k]
            pull[j, k] += stiff * by_second[k]
        for k in range(m):
            for c in range(m):
                matrix[i * m + k, i * m + c] += stiff * by_first[k] * by_first[c]
                matrix[j * m + k, j * m + c] += stiff * by_second[k] * by_second[c]
                # ∇_i ∇_j t = (1 - u_i u_iᵀ)(1 - u_j u_jᵀ)
                mixed = stiff * by_first[k] * by_second[c]
                mixed += weight * (t * U[i, k] * U[j, c] - U[i, k] * U[i, c] - U[j, k] * U[j, c])
                if k == c:
                    mixed += weight
                matrix[i * m + k, j * m + c] += mixed
                matrix[j * m + c, i * m + k] += mixed
        held[i] += weight * t
        held[j] += weight * t
    for i in range(n):
        for k in range(m):
            for c in range(m):
                own = U[i, k] * U[i, c]
                matrix[i * m + k, i * m + c] += own + held[i] * own
            matrix[i * m + k, i * m + k] -= held[i]
