"""The search for packings: explicit where one is known, else many starts, descent and polish.

Use ``pack(n, m)`` for lines of least coherence, ``objective=`` for codes, frames, and the
interference energy of the toy model.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from numerics.constructions import construct
from numerics.packing import Packing
from numerics.pair_energies import p_frame, relu_energy, soft_maximum
from numerics.polish import largest_overlap, polish
from numerics.sampling import as_generator
from theory.checks import check_finite, check_integer, check_real
from theory.frequencies import Frequencies
from theory.packing_bounds import bounds

Array = NDArray[np.float64]
Energy = Callable[[Array], tuple[float, Array]]
Objective = Literal["coherence", "cosine", "frame_potential", "p_frame", "relu_energy"]

# Sharpness of the smoothed largest overlap, and iterations, stage by stage. Where it begins decides
# what kind of packing is found: starts take turns.
_STAGES = ((15.0, 80), (60.0, 80), (300.0, 150), (1500.0, 300))
_BEGIN = (0, 1, 0, 2)
# Random starts before every second one is a change of the best so far.
_FRESH = 6
# A start that is this much worse than the best after the next to last stage is given up, one that
# is this close after the last is polished.
_HOPELESS, _PROMISING = 0.02, 3e-3
_MET = 1e-11


def descend(U: Array, energy: Energy, iterations: int) -> Array:
    """Lower an energy of unit vectors by L-BFGS from U.

    Examples
    --------
    >>> start = np.random.default_rng(0).standard_normal((3, 2))
    >>> U = descend(start, lambda U: p_frame(U, 2.0), 100)
    >>> round(p_frame(U, 2.0)[0], 9)       # n²/m - n
    1.5
    """
    shape = U.shape

    def fun(x: Array) -> tuple[float, Array]:
        X = x.reshape(shape)
        size = np.linalg.norm(X, axis=1, keepdims=True)
        V = X / size
        value, slope = energy(V)
        slope = (slope - V * np.sum(slope * V, axis=1, keepdims=True)) / size
        return value, slope.ravel()

    options = {"maxiter": iterations, "maxcor": 20, "ftol": 1e-12, "gtol": 1e-10}
    found = minimize(fun, U.ravel(), jac=True, method="L-BFGS-B", options=options)
    X = found.x.reshape(shape)
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def _spread(U: Array, lines: bool, best: float, begin: int = 0) -> Array:
    """Bring one start to a packing; a hopeless one is returned as it is."""
    for stage, (p, iterations) in enumerate(_STAGES[begin:], begin):
        U = descend(U, partial(soft_maximum, p=p, lines=lines), iterations)
        if stage == 2 and largest_overlap(U, lines) > best + _HOPELESS:
            return U
    if largest_overlap(U, lines) > best + _PROMISING:
        return U
    return polish(U, lines, below=best + _PROMISING / 10)


def pack(
    n: int,
    m: int,
    objective: Objective = "coherence",
    *,
    seed: int | np.random.Generator = 0,
    starts: int | None = None,
    seconds: float | None = None,
    target: float | None = None,
    explicit: bool = True,
    p: float = 4.0,
    frequencies: Frequencies | None = None,
    r: ArrayLike = 1.0,
    b: ArrayLike = 0.0,
    progress: Callable[[int, float], None] | None = None,
) -> Packing:
    """Find n unit vectors in R^m that make an objective small.

    Parameters
    ----------
    n, m : int
        Vectors, >= 2, and dimension, >= 2.
    objective : str
        "coherence", the largest |t| of lines; "cosine", the largest t of points (negative overlaps
        are free, as under a ReLU); "frame_potential", Σ_{i≠j} t²; "p_frame", Σ_{i≠j} |t|^p;
        "relu_energy", the interference part of the one-active-feature loss of the toy model.
    seed : int or Generator
        Source of the starts.
    starts : int, optional
        How many random starts, fewer if the best possible is reached earlier; 20 by default, or as
        many as fit if ``seconds`` is given.
    seconds : float, optional
        Time after which no new start is made (at least one is).
    target : float, optional
        Value at which to stop.
    explicit : bool
        Whether to return a known construction where there is one ("coherence" and "cosine").
    p : float
        Exponent for "p_frame", > 1.
    frequencies : Frequencies, optional
        For "relu_energy", which needs them, of the same n.
    r, b : float or array_like, shape (n,)
        Norms (> 0) and biases for "relu_energy".
    progress : callable, optional
        Called as progress(starts made, best value) after each start.

    Returns
    -------
    Packing
        The best found; after Ctrl-C the best so far, marked as interrupted.

    Raises
    ------
    ValueError
        For an argument that is out of range or does not fit the objective.
    KeyboardInterrupt
        If it is interrupted before the first start has ended.

    Examples
    --------
    >>> pack(28, 7).exact
    '1/3'
    >>> round(pack(5, 3, seed=1).coherence, 9)      # five of the six diagonals of an icosahedron
    0.447213595
    """
    n, m = check_integer("n", n, 2), check_integer("m", m, 2)
    if starts is None:
        starts = 20 if seconds is None else 10**9
    starts, rng = check_integer("starts", starts, 1), as_generator(seed)
    seconds = math.inf if seconds is None else check_real("seconds", seconds, 0.0)
    goal = -math.inf if target is None else check_real("target", target)
    if objective in ("coherence", "cosine"):
        lines = objective == "coherence"
        if explicit:
            found = _explicit(n, m, lines)
            if found is not None:
                return found
        known = bounds(n, m, "lines" if lines else "code", degree=0).best.value
        goal = max(goal, known + _MET)

        def improve(made: int, vectors: Array, best: float) -> tuple[Array, float]:
            U = _random(n, m, rng)
            if made >= _FRESH and made % 2:  # the best so far, with a few vectors elsewhere
                stay = rng.permutation(n)[rng.integers(1, max(2, n // 4), endpoint=True) :]
                U[stay] = vectors[stay]
                begin = 1 + made // 2 % 2
            else:
                begin = _BEGIN[made % len(_BEGIN)]
            U = _spread(U, lines, best, begin)
            return U, largest_overlap(U, lines)

    else:
        energy = _energy(objective, n, p, frequencies, r, b)

        def improve(made: int, vectors: Array, best: float) -> tuple[Array, float]:
            U = descend(_random(n, m, rng), energy, 3000)
            return U, energy(U)[0]

    return _search(improve, objective, starts, seconds, goal, progress)


def _search(
    improve: Callable[[int, Array, float], tuple[Array, float]],
    objective: str,
    starts: int,
    seconds: float,
    goal: float,
    progress: Callable[[int, float], None] | None,
) -> Packing:
    began, made, interrupted = time.monotonic(), 0, False
    vectors, best = np.empty((0, 0)), math.inf
    try:
        while made < starts and (made == 0 or time.monotonic() - began < seconds):
            U, value = improve(made, vectors, best)
            made += 1
            if value < best:
                vectors, best = U, value
            if progress is not None:
                progress(made, best)
            if best <= goal:
                break
    except KeyboardInterrupt:
        if made == 0:
            raise
        interrupted = True
    return Packing(vectors, objective, best, f"{made} starts", interrupted=interrupted)


def _random(n: int, m: int, rng: np.random.Generator) -> Array:
    U = rng.standard_normal((n, m))
    return U / np.linalg.norm(U, axis=1, keepdims=True)


def _explicit(n: int, m: int, lines: bool) -> Packing | None:
    if lines:
        system = construct(n, m)
        if system is None:
            return None
        value = float(system.coherence)
        return Packing(system.vectors, "coherence", value, system.name, str(system.coherence))
    if n <= m + 1:  # a simplex, in as many dimensions as it needs
        vectors = np.zeros((n, m))
        centred = np.eye(n) - 1 / n
        _, _, axes = np.linalg.svd(centred)
        inside = centred @ axes[: n - 1].T
        vectors[:, : n - 1] = inside / np.linalg.norm(inside, axis=1, keepdims=True)
        return Packing(vectors, "cosine", -1 / (n - 1), "simplex", f"-1/{n - 1}")
    if n <= 2 * m:
        return Packing(np.concatenate([np.eye(m), -np.eye(m)])[:n], "cosine", 0.0, "orthoplex", "0")
    return None


def _energy(
    objective: str,
    n: int,
    p: float,
    frequencies: Frequencies | None,
    r: ArrayLike,
    b: ArrayLike,
) -> Energy:
    if objective == "frame_potential":
        return lambda U: p_frame(U, 2.0)
    if objective == "p_frame":
        exponent = check_real("p", p, 1.0, strict=True)
        return lambda U: p_frame(U, exponent)
    if objective != "relu_energy":
        raise ValueError(
            f"objective = {objective!r} is not allowed: give 'coherence', 'cosine', "
            "'frame_potential', 'p_frame' or 'relu_energy'"
        )
    if frequencies is None or frequencies.n != n:
        raise ValueError(f"relu_energy needs frequencies of n = {n} features: give frequencies=")
    norms, biases = (
        np.array(np.broadcast_to(_one_each(name, x, n), n), dtype=np.float64)
        for name, x in (("r", r), ("b", b))
    )
    if np.any(norms <= 0):
        raise ValueError(f"r = {norms.min():g} is not allowed: give norms above 0")
    weights = np.array(frequencies.p)
    return lambda U: relu_energy(U, norms, biases, weights)


def _one_each(name: str, x: ArrayLike, n: int) -> Array:
    values = check_finite(name, np.atleast_1d(np.asarray(x, dtype=np.float64)))
    if values.size not in (1, n):
        raise ValueError(f"{name} has {values.size} entries: give one, or one for each of {n}")
    return values
