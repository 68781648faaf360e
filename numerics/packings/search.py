"""The search for packings: a known construction, or descents from many starts.

``pack(n, m)`` finds lines of least coherence; ``objective=`` takes codes, frames, and the
interference energy of the toy model.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache, partial
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.packings.basin_hopping import BasinHopping
from numerics.packings.constructions.equiangular_frames import simplex_vectors
from numerics.packings.constructions.known import construct
from numerics.packings.deadline import Deadline
from numerics.packings.descent import Energy, descend
from numerics.packings.energies import p_frame, relu_energy, soft_maximum
from numerics.packings.interior_point import largest_overlap
from numerics.packings.packing import Packing
from numerics.packings.starts import random_start
from theory.activation import UNIFORM
from theory.bounds.certificates import Kind
from theory.bounds.packing_bounds import bounds
from theory.checks import as_generator, check_finite, check_integer, check_numbers, check_real
from theory.computing.argument_kinds import check_kinds
from theory.computing.memory import check_memory
from theory.computing.one_thread import one_thread
from theory.estimate import need_independence
from theory.features import Features, as_features
from theory.frequencies import Frequencies

Array = NDArray[np.float64]
Objective = Literal["coherence", "cosine", "frame_potential", "p_frame", "relu_energy"]

# Distance from the best possible value at which a search ends.
_MET = 1e-11
# Coordinates from which a descent begins in single precision.
_LARGE = 20_000
# Most iterations of the descent of an energy.
_ITERATIONS = 3000
# Vectors up to which BLAS is held to one thread: products of so small matrices gain nothing from
# more, and threads of several searches at once would wait for each other.
_ONE_THREAD = 1000
# Evaluations of the energy that must fit in the time limit for a descent to be worthwhile.
_WORTHWHILE = 8
# Arrays of n x n and of n x m that a search holds at once, in float64.
_SQUARE_ARRAYS, _VECTOR_ARRAYS = 5, 30


@check_kinds
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
    features: Features | Frequencies | None = None,
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
        How many starts, kicks of earlier ones among them, fewer if the best possible is reached
        before. By default as many as fit if ``seconds`` is given, else 20, and for "coherence" and
        "cosine" 10⁶/n², between 20 and 2000.
    seconds : float, optional
        Time limit, from when the kernels are compiled (once after installation, about 20 s).
        Descents end when it has passed; one start is made in any case, and at least its value is
        computed. A known construction is built in full.
    target : float, optional
        Value at which to stop.
    explicit : bool
        Whether to return a known construction where there is one ("coherence" and "cosine").
    p : float
        Exponent for "p_frame", above 1 and at most 1000.
    features : Features or Frequencies, optional
        For "relu_energy", which needs the frequencies of n features; equal importances and
        v ~ U(0, 2) only.
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
        For an argument that is out of range or does not fit the objective, or if n and m need more
        memory than the machine has.
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
        spread = objective in ("coherence", "cosine")
        starts = min(max(10**6 // n**2, 20), 2000) if spread else 20
        starts = starts if seconds is None else 10**9
    starts, rng = check_integer("starts", starts, 1), as_generator(seed)
    seconds = math.inf if seconds is None else check_real("seconds", seconds, 0.0)
    goal = -math.inf if target is None else check_real("target", target)
    if progress is not None and not callable(progress):
        raise TypeError(f"progress = {progress!r} is not callable: give a function of two numbers")
    p = check_real("p", p, 1.0, 1000.0, strict=True)
    energy = _energy(objective, n, p, features, r, b)
    kind: Kind = "lines" if objective == "coherence" else "code"
    if energy is None:
        check_memory(f"n = {n}, m = {m}", 8 * 3 * n * m, "give fewer vectors")
        found = _explicit(n, m, kind == "lines") if explicit else None
        if found is not None:
            return found
        goal = max(goal, bounds(n, m, kind, degree=0).best.value + _MET)
    needed = 8 * (_SQUARE_ARRAYS * n * n + _VECTOR_ARRAYS * n * m)
    check_memory(f"n = {n}, m = {m}", needed, "give fewer vectors")
    _compile()
    with one_thread() if n <= _ONE_THREAD else nullcontext(), Deadline(seconds) as deadline:
        improve: Callable[[], tuple[Array, float]]
        if not _is_worthwhile(energy, n, m, kind, deadline):
            improve = partial(_evaluate_start, energy, n, m, kind, rng)
        elif energy is None:
            improve = BasinHopping(n, m, kind == "lines", rng, deadline).step
        else:
            improve = partial(_descend_start, energy, n, m, rng, deadline)
        return _search(improve, objective, starts, goal, deadline, progress)


def _is_worthwhile(energy: Energy | None, n: int, m: int, kind: Kind, deadline: Deadline) -> bool:
    """Whether the time that is left holds some evaluations of the energy of all vectors."""
    if n <= _ONE_THREAD or deadline.left == math.inf:
        return True
    some = random_start(_ONE_THREAD, m, np.random.default_rng(0))
    began = time.monotonic()
    if energy is None:
        soft_maximum(some, 100.0, kind == "lines")
    else:
        energy(some)
    every = (time.monotonic() - began) * (n / _ONE_THREAD) ** 2
    return _WORTHWHILE * every < deadline.left


def _evaluate_start(
    energy: Energy | None, n: int, m: int, kind: Kind, rng: np.random.Generator
) -> tuple[Array, float]:
    U = random_start(n, m, rng)
    return U, largest_overlap(U, kind == "lines") if energy is None else energy(U)[0]


def _descend_start(
    energy: Energy, n: int, m: int, rng: np.random.Generator, deadline: Deadline
) -> tuple[Array, float]:
    U = random_start(n, m, rng)
    if n * m > _LARGE:
        single = descend(U.astype(np.float32), energy, _ITERATIONS, deadline)
        U = single.astype(np.float64)
        U /= np.linalg.norm(U, axis=1, keepdims=True)
    if not deadline.passed:
        U = descend(U, energy, _ITERATIONS, deadline)
    return U, energy(U)[0]


@cache
def _compile() -> None:
    """Compile what a search needs, or load it, before its clock starts."""
    rng = np.random.default_rng(0)
    hopping = BasinHopping(6, 3, True, rng)
    for _ in range(3):
        hopping.step()
    ones = np.ones(6)
    for precision in (np.float32, np.float64):
        start = random_start(6, 3, rng).astype(precision)
        descend(start, lambda U: relu_energy(U, ones, -0.1 * ones, ones), 3)


def _search(
    improve: Callable[[], tuple[Array, float]],
    objective: str,
    starts: int,
    goal: float,
    deadline: Deadline,
    progress: Callable[[int, float], None] | None,
) -> Packing:
    """Make one start after another, and keep the best."""
    made, interrupted = 0, False
    vectors, best = np.empty((0, 0)), math.inf
    try:
        while made < starts and (made == 0 or not deadline.passed):
            U, value = improve()
            made += 1
            if value < best or made == 1:
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


def _explicit(n: int, m: int, lines: bool) -> Packing | None:
    if lines:
        system = construct(n, m)
        if system is None:
            return None
        value = float(system.coherence)
        return Packing(system.vectors, "coherence", value, system.name, str(system.coherence))
    if n <= m + 1:  # a simplex, in as many dimensions as it needs
        vectors = np.zeros((n, m))
        vectors[:, : n - 1] = simplex_vectors(n)
        return Packing(vectors, "cosine", -1 / (n - 1), "simplex", f"-1/{n - 1}")
    if n <= 2 * m:
        vectors = np.zeros((n, m))
        i = np.arange(n)
        vectors[i, i % m] = np.where(i < m, 1.0, -1.0)
        return Packing(vectors, "cosine", 0.0, "orthoplex", "0")
    return None


def _energy(
    objective: str,
    n: int,
    p: float,
    features: Features | Frequencies | None,
    r: ArrayLike,
    b: ArrayLike,
) -> Energy | None:
    """Return the energy of an objective; None for the largest overlap."""
    known = None if features is None else as_features(features)
    given = [_one_each(name, x, n) for name, x in (("r", r), ("b", b))]
    if objective in ("coherence", "cosine"):
        return None
    if objective == "frame_potential":
        return lambda U: p_frame(U, 2.0)
    if objective == "p_frame":
        return lambda U: p_frame(U, p)
    if objective != "relu_energy":
        raise ValueError(
            f"objective = {objective!r} is not allowed: give 'coherence', 'cosine', "
            "'frame_potential', 'p_frame' or 'relu_energy'"
        )
    if known is None or known.n != n:
        raise ValueError(f"relu_energy needs the frequencies of n = {n} features: give features=")
    if not known.has_equal_importance or known.activation != UNIFORM:
        raise ValueError(
            f"relu_energy is for equal importances and v ~ U(0, 2), not for {known!r}: leave out "
            "importance and activation"
        )
    if need_independence(known):
        raise ValueError(
            f"relu_energy is for one active feature at a time, not for {known!r}: leave out "
            "dependence"
        )
    norms, biases = (np.array(np.broadcast_to(values, n)) for values in given)
    if np.any(norms <= 0):
        raise ValueError(f"r = {norms.min():g} is not allowed: give norms above 0")
    weights = np.array(known.p)
    # Fewer vectors are the first of all.
    return lambda U: relu_energy(U, norms[: len(U)], biases[: len(U)], weights[: len(U)])


def _one_each(name: str, x: ArrayLike, n: int) -> Array:
    values = check_finite(name, np.atleast_1d(check_numbers(name, x)))
    if values.size not in (1, n):
        raise ValueError(f"{name} has {values.size} entries: give one, or one for each of {n}")
    return values
