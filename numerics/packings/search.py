"""The search for packings: explicit where one is known, else many starts, descent and polish.

Use ``pack(n, m)`` for lines of least coherence, ``objective=`` for codes, frames, and the
interference energy of the toy model.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.packings.basin_hopping import Walk
from numerics.packings.constructions.known import construct
from numerics.packings.descent import Energy, descend
from numerics.packings.energies import p_frame, relu_energy
from numerics.packings.packing import Packing
from numerics.packings.starts import random_start
from numerics.sampling import as_generator
from theory.bounds.packing_bounds import bounds
from theory.checks import check_finite, check_integer, check_real
from theory.frequencies import Frequencies

Array = NDArray[np.float64]
Objective = Literal["coherence", "cosine", "frame_potential", "p_frame", "relu_energy"]

_MET = 1e-11
# Coordinates from which a descent begins in single precision.
_LARGE = 20_000


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
        How many starts, kicks of earlier ones among them, fewer if the best possible is reached
        before. By default as many as fit if ``seconds`` is given, else 20, and for "coherence" and
        "cosine" 10⁶/n², between 20 and 2000.
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
        spread = objective in ("coherence", "cosine")
        starts = min(max(10**6 // n**2, 20), 2000) if spread else 20
        starts = starts if seconds is None else 10**9
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

        _compile()
        improve = Walk(n, m, lines, rng).step
    else:
        energy = _energy(objective, n, p, frequencies, r, b)

        def improve() -> tuple[Array, float]:
            U = random_start(n, m, rng)
            if n * m > _LARGE:
                U = descend(U.astype(np.float32), energy, 3000).astype(np.float64)
            U = descend(U, energy, 3000)
            return U, energy(U)[0]

    return _search(improve, objective, starts, seconds, goal, progress)


@cache
def _compile() -> None:
    """Compile what the search needs, before its clock starts."""
    walk = Walk(6, 3, True, np.random.default_rng(0))
    for _ in range(3):
        walk.step()


def _search(
    improve: Callable[[], tuple[Array, float]],
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
            U, value = improve()
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
