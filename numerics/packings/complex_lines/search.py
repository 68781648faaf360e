"""The search for complex lines of least coherence: ``pack_complex(n, d)``.

Descents of a smoothed largest |t|² from random and symmetric starts and kicks, and then a solver of
the minimax problem itself (sequential quadratic programming over the close pairs) for the last
digits.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from numerics.packings.complex_lines.complex_packing import (
    ComplexPacking,
    best_complex_bound,
    coherence_of,
)
from theory.checks import LARGEST, as_generator, check_integer, check_real
from theory.computing.argument_kinds import check_kinds
from theory.computing.memory import check_memory
from theory.computing.one_thread import one_thread

Array = NDArray[np.float64]
Vectors = NDArray[np.complex128]

# Sharpness of the smoothed maximum of |t|², one stage after the other, and iterations of each.
_STAGES = ((20.0, 200), (150.0, 200), (1000.0, 300), (8000.0, 400))
# Estimates within this of the best are solved to the last digits, and gains that count.
_NEAR, _GAIN = 3e-3, 1e-9
# Pairs further than this below the largest |t|² are left out of the constraints.
_CLOSE = 0.1
# Distance from a proven bound at which the search ends.
_MET = 1e-10
# Most coordinates for the solver, whose matrix has as many rows.
_SOLVED = 400
# Share of the starts that are kicks of the best packing, and of the others that are symmetric.
_KICKS, _SYMMETRIC = 0.4, 0.5


@check_kinds
def pack_complex(
    n: int,
    d: int,
    *,
    seed: int | np.random.Generator = 0,
    starts: int | None = None,
    seconds: float | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> ComplexPacking:
    """Find n lines in C^d whose largest |<u_i, u_j>| is small.

    Parameters
    ----------
    n, d : int
        Lines, >= 2, and dimension, >= 2.
    seed : int or Generator
        Source of the starts.
    starts : int, optional
        How many; as many as fit if ``seconds`` is given, else 50. Fewer if a bound is met.
    seconds : float, optional
        Time limit; one start is made in any case.
    progress : callable, optional
        Called as progress(starts made, best coherence) after each start.

    Returns
    -------
    ComplexPacking
        The best found; after Ctrl-C the best so far, marked as interrupted.

    Raises
    ------
    ValueError
        For an argument out of range, or more memory than the machine has.
    KeyboardInterrupt
        If it is interrupted before the first start has ended.

    Examples
    --------
    >>> round(pack_complex(4, 2, starts=3).coherence, 9)        # a SIC: 1/√3
    0.577350269
    """
    n, d = check_integer("n", n, 2, LARGEST), check_integer("d", d, 2, LARGEST)
    if starts is None:
        starts = 50 if seconds is None else 10**9
    starts, rng = check_integer("starts", starts, 1), as_generator(seed)
    limit = math.inf if seconds is None else check_real("seconds", seconds, 0.0)
    check_memory(f"n = {n}, d = {d}", 16.0 * (6 * n * n + 60 * n * d), "give fewer lines")
    goal = best_complex_bound(n, d).value + _MET
    if progress is not None and not callable(progress):
        raise TypeError(f"progress = {progress!r} is not callable: give a function of two numbers")
    began, made, interrupted = time.monotonic(), 0, False
    best, value = np.eye(n, d, dtype=complex), math.inf
    try:
        with one_thread():
            while made < starts and (made == 0 or time.monotonic() - began < limit):
                U = _improve(best if made else None, value, n, d, rng)
                made += 1
                found = coherence_of(U)
                if found < value - _GAIN or made == 1:
                    best, value = U, found
                if progress is not None:
                    progress(made, value)
                if value <= goal:
                    break
    except KeyboardInterrupt:
        if made == 0:
            raise
        interrupted = True
    return ComplexPacking(best, f"{made} starts", interrupted)


def _improve(
    best: Vectors | None, value: float, n: int, d: int, rng: np.random.Generator
) -> Vectors:
    """Return where one start ends, a kick of the best so far among them."""
    U = _symmetric(n, d, rng) if rng.random() < _SYMMETRIC else _start(n, d, rng)
    if best is not None and rng.random() < _KICKS:
        U = _kick(best, rng)
    for sharpness, iterations in _STAGES:
        U = _descend(U, sharpness, iterations)
        if coherence_of(U) > value + 4 / sharpness:
            break
    if coherence_of(U) < value + _NEAR and 2 * n * d <= _SOLVED:
        U = solve_minimax(U)
    return U


def _start(n: int, d: int, rng: np.random.Generator) -> Vectors:
    return _unit(rng.standard_normal((n, d)) + 1j * rng.standard_normal((n, d)))


def _symmetric(n: int, d: int, rng: np.random.Generator) -> Vectors:
    """Return orbits of a diagonal unitary matrix of finite order, and some of its axes.

    Every cyclic group of unitary matrices is diagonal in some basis. A descent keeps the symmetry.
    """
    orders = [q for q in range(2, n + 1) if n % q <= d]
    order = int(rng.choice(orders))
    turn = np.exp(2j * np.pi * rng.integers(order, size=d) / order)
    first = _start(n // order, d, rng)
    orbits = (first[:, None, :] * turn ** np.arange(order)[:, None]).reshape(-1, d)
    axes = np.eye(d, dtype=complex)[rng.permutation(d)[: n % order]]
    return np.concatenate([orbits, axes])


def _kick(U: Vectors, rng: np.random.Generator) -> Vectors:
    """Replace a few vectors by random ones, or perturb all."""
    n, d = U.shape
    noise = _start(n, d, rng)
    if rng.random() < 0.5:
        return _unit(U + 10 ** rng.uniform(-1.5, -0.3) * noise)
    V, moved = U.copy(), rng.permutation(n)[: rng.integers(1, max(2, n // 3), endpoint=True)]
    V[moved] = noise[moved]
    return V


def _unit(U: Vectors) -> Vectors:
    unit: Vectors = U / np.linalg.norm(U, axis=1, keepdims=True)
    return unit


def _split(x: Array, n: int, d: int) -> tuple[Vectors, Array]:
    """Return the unit vectors of coordinates (real parts, then imaginary), and their lengths."""
    Z = x[: n * d].reshape(n, d) + 1j * x[n * d :].reshape(n, d)
    size = np.linalg.norm(Z, axis=1)
    return Z / size[:, None], size


def _join(Z: Vectors) -> Array:
    return np.concatenate([Z.real.ravel(), Z.imag.ravel()])


def _descend(U: Vectors, sharpness: float, iterations: int) -> Vectors:
    """Lower ln Σ exp(p |t|²)/p over all pairs."""
    n, d = U.shape
    upper = np.triu_indices(n, 1)

    def energy(x: Array) -> tuple[float, Array]:
        Z, size = _split(x, n, d)
        G = Z @ Z.conj().T
        squares = (G.real**2 + G.imag**2)[upper]
        total = float(logsumexp(sharpness * squares))
        weights = np.zeros((n, n))
        weights[upper] = np.exp(sharpness * squares - total)
        weights += weights.T
        slope = 2 * (weights * G) @ Z
        slope -= Z * np.sum((Z.conj() * slope).real, axis=1, keepdims=True)
        return total / sharpness, _join(slope / size[:, None])

    found = minimize(
        energy, _join(U), jac=True, method="L-BFGS-B",
        options={"maxiter": iterations, "ftol": 1e-13, "gtol": 1e-9},
    )  # fmt: skip
    return _split(found.x, n, d)[0]


def solve_minimax(U: Vectors) -> Vectors:
    """Lower the largest |t|² to a local minimum: min s subject to |t|² <= s over close pairs.

    Examples
    --------
    >>> rough = np.array([[1, 0], [0.02, 1j]])
    >>> abs(float(np.abs(np.vdot(*solve_minimax(rough))))) < 1e-6
    True
    """
    U = _unit(U)
    n, d = U.shape
    squares = np.abs(U @ U.conj().T) ** 2
    i, j = np.triu_indices(n, 1)
    near = squares[i, j] > squares[i, j].max() - _CLOSE
    i, j = i[near], j[near]
    pairs = np.arange(i.size)

    def slack(x: Array) -> Array:
        Z, _ = _split(x[:-1], n, d)
        t = np.einsum("pd,pd->p", Z[i], Z[j].conj())
        return np.asarray(x[-1] - np.abs(t) ** 2)

    def slack_slope(x: Array) -> Array:
        Z, size = _split(x[:-1], n, d)
        t = np.einsum("pd,pd->p", Z[i], Z[j].conj())
        matrix = np.zeros((i.size, 2, n, d))
        for a, b, overlap in ((i, j, t), (j, i, t.conj())):
            slope = 2 * (overlap[:, None] * Z[b] - (np.abs(t) ** 2)[:, None] * Z[a])
            slope /= size[a][:, None]
            matrix[pairs, 0, a] -= slope.real
            matrix[pairs, 1, a] -= slope.imag
        return np.concatenate([matrix.reshape(i.size, -1), np.ones((i.size, 1))], axis=1)

    last = np.zeros(2 * n * d + 1)
    last[-1] = 1.0
    found = minimize(
        lambda x: (x[-1], last), np.append(_join(U), squares[i, j].max()), jac=True,
        constraints={"type": "ineq", "fun": slack, "jac": slack_slope},
        method="SLSQP", options={"maxiter": 200, "ftol": 1e-14},
    )  # fmt: skip
    V, _ = _split(found.x[:-1], n, d)
    finite = bool(np.isfinite(found.x).all())
    return V if finite and coherence_of(V) < coherence_of(U) else U
