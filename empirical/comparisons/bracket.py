"""Certified lower bound <= loss of optimised <= trained <= random directions.

``bracket_loss(n, m)`` is for equally frequent features, one active at a time. It separates the loss
that no directions avoid from that which better directions than the trained ones would save.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from empirical.training.settings import MOST_STEPS
from empirical.training.train import train
from numerics.packings.descent import descend
from numerics.packings.energies import relu_energy
from numerics.packings.starts import random_start
from theory.bounds.loss_bounds import bound_one_active_loss
from theory.checks import check_integer, check_real, check_widths, read_only
from theory.computing.argument_kinds import check_kinds
from theory.computing.one_thread import one_thread
from theory.figures.style import WIDTH, curve, finish, open_axes
from theory.frequencies import Frequencies
from theory.regimes.one_active import self_loss
from theory.results import result, short_table

Array = NDArray[np.float64]

# Most rounds of alternating optimisation (directions, then norm and bias), and the relative gain of
# a round below which it ends.
_ROUNDS, _SETTLED = 60, 3e-4
# Steps of the directions in a round: with more, norm and bias stay near the optimum of the start.
_ITERATIONS = 40
# Largest norm and bias that are given: fourth powers stay in single precision.
_LARGEST = 1e6


@dataclass(frozen=True)
@result
class BracketRow:
    """One width: L/E with one active feature, for a common norm and bias.

    Attributes
    ----------
    m : int
        Width.
    certified : float
        Proved lower bound for any directions.
    optimised, trained, random : float
        Loss of directions found by descent, by training the toy model, and drawn at random.
    vacuous_from : float
        Wall h √m from which on nothing is proved of the interference; infinite if not met.
    norms, biases : mapping of str to float
        r and b of each of the four: those of the lowest loss, unless given.
    """

    m: int
    certified: float
    optimised: float
    trained: float
    random: float
    vacuous_from: float
    norms: Mapping[str, float]
    biases: Mapping[str, float]

    @property
    def ordered(self) -> bool:
        """Whether certified <= optimised <= trained <= random."""
        return self.certified <= self.optimised <= self.trained <= self.random


@dataclass(frozen=True, eq=False)
@result
class Bracket:
    """Certified, optimised, trained and random losses, width by width.

    Attributes
    ----------
    n : int
        Features.
    rows : tuple of BracketRow
        By width.
    vectors : tuple of ndarray
        The optimised directions, n x m, one for each row.
    settings : mapping
        Arguments that reproduce it.
    """

    n: int
    rows: tuple[BracketRow, ...]
    vectors: tuple[Array, ...]
    settings: Mapping[str, Any]

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each width."""
        kinds = ("certified", "optimised", "trained", "random")
        return pd.DataFrame(
            [
                {"n": self.n, "m": row.m}
                | {kind: getattr(row, kind) for kind in kinds}
                | {"vacuous_from": row.vacuous_from, "ordered": row.ordered}
                | {f"r_{kind}": row.norms[kind] for kind in kinds}
                | {f"b_{kind}": row.biases[kind] for kind in kinds}
                for row in self.rows
            ]
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw the four against m, log-log; return the axes."""
        ax = open_axes(ax)
        m = [row.m for row in self.rows]
        for k, kind in enumerate(("random", "trained", "optimised", "certified")):
            ax.plot(m, [getattr(row, kind) for row in self.rows], label=kind, **curve(k))
        title = f"n = {self.n}, equal frequencies, one active feature"
        return finish(ax, WIDTH, "loss per active feature L/E", log="xy", title=title)

    def __str__(self) -> str:
        columns = ["m", "certified", "optimised", "trained", "random", "vacuous_from"]
        return short_table(self.to_dataframe()[columns], float_format="{:.4g}".format)

    def __repr__(self) -> str:
        return str(self)


@check_kinds
def bracket_loss(
    n: int,
    m: ArrayLike,
    r: float | None = None,
    b: float | None = None,
    *,
    seed: int = 0,
    density: float = 0.1,
    steps: int = 5000,
    batch: int = 256,
    progress: Callable[[int, int], None] | None = None,
) -> Bracket:
    """Bracket the one-active-feature loss of n equally frequent features in m dimensions.

    All four losses are L/E = B(r², b) + (1/n) Σ_{i≠j} A(r² u_i·u_j, b) (arXiv 2505.10465, eq. 8),
    for the directions u_i of each kind and the common r and b <= 0 of the lowest loss, or given.

    Parameters
    ----------
    n : int
        Features.
    m : int or array_like of int
        Widths, 2 <= m <= n.
    r, b : float, optional
        Norm and bias of all rows; both, or neither.
    seed : int
        Of training and of the random directions, from which the optimised ones start.
    density : float
        E in training: small, so that mostly one feature is active at a time.
    steps, batch : int
        Of training (b starts at 0).
    progress : callable, optional
        Called as progress(widths done, widths).

    Returns
    -------
    Bracket
        With the optimised directions.

    Raises
    ------
    ValueError
        For an argument out of range, or r without b.

    Examples
    --------
    >>> bracket = bracket_loss(20, 5, r=1.0, b=-0.1, steps=500)
    >>> bracket.rows[0].ordered
    True
    """
    n, seed = check_integer("n", n, 2), check_integer("seed", seed, 0, math.inf)
    widths = [int(width) for width in dict.fromkeys(check_widths(m, n).tolist())]
    if min(widths) < 2:
        raise ValueError("m = 1 is not allowed: directions need m >= 2")
    steps, batch = check_integer("steps", steps, 1, MOST_STEPS), check_integer("batch", batch)
    density = check_real("density", density, 0.0, strict=True)
    given = None
    if r is not None and b is not None:
        given = (
            check_real("r", r, 0, _LARGEST, strict=True),
            check_real("b", b, -_LARGEST, _LARGEST),
        )
    frequencies = Frequencies.power_law(n, 0.0, density)
    rows, found = [], []
    for done, width in enumerate(widths):
        bound = bound_one_active_loss(n, width, r, b)  # checks r and b
        run = train(
            frequencies, width, recipe="paper", seed=seed, steps=steps, batch=batch,
            bias_start="zero",
        )  # fmt: skip
        W = np.asarray(run.model.W, dtype=np.float64)
        norms = np.linalg.norm(W, axis=1)
        trained = W / norms[:, None]
        random = random_start(n, width, np.random.default_rng(seed))
        middle = (float(np.median(norms)), min(float(np.median(run.model.b)), 0.0))
        ends = {
            "trained": (trained, *_fit(trained, middle, given)),
            "random": (random, *_fit(random, middle, given)),
        }
        # From random and from trained directions: the better result is the optimised one.
        both = [_optimise(U, given or at, given) for U, _, at in ends.values()]
        ends["optimised"] = min(both, key=lambda end: end[1])
        losses = {kind: end[1] for kind, end in ends.items()}
        at = {kind: end[2] for kind, end in ends.items()} | {"certified": (bound.r, bound.b)}
        rows.append(
            BracketRow(
                m=width,
                certified=bound.value,
                vacuous_from=bound.vacuous_from * math.sqrt(width),
                norms={kind: float(x[0]) for kind, x in at.items()},
                biases={kind: float(x[1]) for kind, x in at.items()},
                **losses,
            )
        )
        found.append(read_only(ends["optimised"][0]))
        if progress is not None:
            progress(done + 1, len(widths))
    r, b = given or (None, None)
    settings = {"n": n, "m": widths, "r": r, "b": b, "seed": seed, "density": density}
    settings |= {"steps": steps, "batch": batch}
    return Bracket(n, tuple(rows), tuple(found), settings)


def _loss(U: Array, r: float, b: float) -> float:
    """L/E of unit rows U with a common norm and bias."""
    n = len(U)
    pairs, _ = relu_energy(U, np.full(n, r), np.full(n, b), np.full(n, 1 / n))
    return float(self_loss(r * r, b)) + pairs


def _fit(
    U: Array, near: tuple[float, float], given: tuple[float, float] | None
) -> tuple[float, tuple[float, float]]:
    """Return the lowest loss over r and b <= 0 with these two, or the loss at the given ones."""
    if given is not None:
        return _loss(U, *given), given
    result = minimize(
        lambda x: _loss(U, math.exp(x[0]), -math.exp(x[1])),
        [math.log(near[0]), math.log(max(-near[1], 1e-3))],
        method="Nelder-Mead",
        options={"xatol": 1e-3, "fatol": 1.0, "maxfev": 100},
    )
    at = (math.exp(result.x[0]), -math.exp(result.x[1]))
    flat = (at[0], 0.0)
    return min((_loss(U, *x), x) for x in (at, flat))


@one_thread()
def _optimise(
    U: Array, at: tuple[float, float], given: tuple[float, float] | None
) -> tuple[Array, float, tuple[float, float]]:
    """Minimise over directions and over norm and bias in turn, until a round gains too little.

    The descent is in single precision, whose rounding error is far below the gain that counts.
    """
    n, best = len(U), (U, _loss(U, *at), at)
    weights, V = np.full(n, 1 / n), U.astype(np.float32)
    for _ in range(_ROUNDS):
        norms, biases = np.full(n, at[0]), np.full(n, at[1])

        def energy(X: Array, norms: Array = norms, biases: Array = biases) -> tuple[float, Array]:
            return relu_energy(X, norms, biases, weights)

        V = descend(V, energy, _ITERATIONS)
        moved = V.astype(np.float64)
        moved /= np.linalg.norm(moved, axis=1, keepdims=True)
        loss, at = _fit(moved, at, given)
        settled = loss > best[1] * (1 - _SETTLED)
        if loss < best[1]:
            best = (moved, loss, at)
        if settled:
            break
    return best
