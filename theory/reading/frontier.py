"""Searching a graph in a superposed state: attention on a frontier, and the width of a search.

A thought t = F^(-1/2) Σ u_i over the F nodes of a frontier attends to N nodes with weights
∝ exp(β u_j·t) (arXiv 2505.12514). ``frontier_mass`` is the expected weight on the frontier for
random codes, quenched: the average of the ratio, not the ratio of averages. ``search_success`` and
``search_width`` are about a search that reads a thought, adds the successors, and goes on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri
from scipy.stats import qmc

from theory.checks import check_finite, check_integer, check_real
from theory.computing.argument_kinds import check_kinds
from theory.computing.memory import check_memory
from theory.reading.score_law import Codes, ScoreLaw
from theory.results import result

_LENGTHS = 16  # Gauss-Legendre nodes of the length: the mass is smooth in it
_POINTS = 512
_MOST_ACTIVE = qmc.Sobol.MAXDIM
_WIDEST = 10**9
_STEP = 0.1  # of ln s
_NORMAL = np.arange(-9.0, 9.05, 0.1)


@dataclass(frozen=True)
@result
class FrontierMass:
    """Attention weight on the frontier.

    Attributes
    ----------
    mass : float
        Expected weight for random codes.
    orthonormal : float
        The weight for orthonormal codes, the limit of large m.
    annealed : float
        Ratio of the averages of the sums, which overrates the rare large terms of the others.
    freezing : float
        β = √(2 m ln N) above which single nodes off the frontier take most of the others' weight
        (the freezing of the random-energy model, Derrida 1981).
    """

    mass: float
    orthonormal: float
    annealed: float
    freezing: float


@check_kinds
def frontier_mass(
    n: int, active: int, m: int, beta: float, *, codes: Codes = "random"
) -> FrontierMass:
    """Return the expected attention weight on a frontier of ``active`` of n nodes.

    With A and B the sums of exp(β u·t) over the frontier and over the others,

        ⟨A/(A + B)⟩ = ∫ ds ⟨A exp(-s A) ⟨exp(-s B)⟩⟩.

    Given |t| the others' scores are independent of each other and of A, so that ⟨exp(-s B)⟩ is a
    power of one integral. The averages over |t| (Gauss-Legendre) and A (512 points of a Sobol
    sequence) stand outside, with the joint law of ``score_law``: exact for normal entries.

    Parameters
    ----------
    n, active, m : int
        Nodes N, nodes on the frontier F < N, and width.
    beta : float
        Inverse temperature, >= 0.
    codes : {"random", "unit", "bipolar"}
        As in ``recall``.

    Returns
    -------
    FrontierMass
        The mass, beside its limits.

    Examples
    --------
    >>> found = frontier_mass(1000, 6, 64, beta=20)
    >>> round(found.mass, 2), round(found.orthonormal, 3), round(found.annealed, 2)
    (0.78, 0.955, 0.48)
    """
    n = check_integer("n", n, 2)
    active = check_integer("active", active, 1, min(n - 1, _MOST_ACTIVE))
    m = check_integer("m", m, 2)
    beta = check_real("beta", beta, 0)
    law = ScoreLaw(m, n - active, (1.0,), (active,), 0.0, codes)
    R, weights = law.lengths_above(0.0, _LENGTHS)
    mass = sum(w * _mass_given_length(law, beta, r) for r, w in zip(R, weights, strict=True))
    own = active * math.exp(min(beta / math.sqrt(active), 600.0))
    others = (n - active) * math.exp(min(beta**2 / (2 * m), 600.0))
    return FrontierMass(
        float(np.clip(mass, 0.0, 1.0)),
        own / (own + n - active),
        own / (own + others),
        math.sqrt(2 * m * math.log(n)),
    )


def _mass_given_length(law: ScoreLaw, beta: float, R: float) -> float:
    """Return ⟨A/(A + B)⟩ given the length."""
    scale = beta * R / law.m  # β σ over the norm of t
    on = scale * (law.rho[0] * R + law.spread[0] * _draw_deviations(law.active))
    log_on = np.logaddexp.reduce(on, axis=1)  # ln A
    off = scale * _NORMAL
    density = law.density(_NORMAL)
    density = density / density.sum()
    length = (np.ptp(log_on) + 24.0) / _STEP
    check_memory(f"beta = {beta:g}", 40.0 * _POINTS * length, "give a smaller beta")
    # From where s A is tiny to where exp(-s A) is: nothing is left outside.
    x = np.arange(-log_on.max() - 20.0, -log_on.min() + 4.0, _STEP)
    caught = -np.expm1(-np.exp(np.minimum(x[:, None] + off, 50.0))) @ density
    with np.errstate(divide="ignore"):
        log_none = law.others * np.log1p(-np.minimum(caught, 1.0))  # ln ⟨exp(-s B)⟩
    y = np.minimum(x + log_on[:, None], 50.0)
    inside = np.exp(y - np.exp(y) + log_none)
    return float(inside.sum(axis=1).mean() * _STEP)


@lru_cache(maxsize=8)
def _draw_deviations(active: int) -> NDArray[np.float64]:
    """Return normal vectors less their mean, at the points of a scrambled Sobol sequence."""
    points = qmc.Sobol(active, seed=0).random(_POINTS)
    Z = ndtri(np.clip(points, 1e-12, 1 - 1e-12))
    return np.asarray(Z - Z.mean(axis=1, keepdims=True))


@check_kinds
def search_success(
    strengths: Sequence[int | ArrayLike],
    n: int,
    m: int,
    *,
    threshold: float = 0.5,
    codes: Codes = "random",
) -> float:
    """Return the probability that every sum of a search is read exactly.

    A search (``search_graph``) reads the nodes of a sum of codes at the start and after each step:
    correctly if all that are in it, and no others, score above the threshold (``recall``). The
    steps are taken as independent; they share codes, but the largest sum fails first.

    Parameters
    ----------
    strengths : sequence
        For the start and each step how often each code is in the sum
        (``numerics.reading.graph_search.search_strengths``), or just the number of nodes.
    n, m : int
        Nodes and width.
    threshold : float
        Of the scores.
    codes : {"random", "unit", "bipolar"}
        As in ``recall``.

    Returns
    -------
    float
        The product over the sums.

    Examples
    --------
    >>> round(search_success([1, 3, 7], n=50, m=200), 3)
    0.819
    """
    n, m = check_integer("n", n, 2), check_integer("m", m, 2)
    threshold = check_real("threshold", threshold)
    success = 1.0
    for one in strengths:
        if np.ndim(one) == 0:
            counted = {1.0: check_integer("strengths", one, 1, n)}
        else:
            values, times = np.unique(
                check_finite("strengths", one, low=0, high=1e100, strict=True), return_counts=True
            )
            counted = dict(zip(values.tolist(), times.tolist(), strict=True))
        size = sum(counted.values())
        if size > n:
            raise ValueError(f"strengths of {size} nodes: give at most n = {n}")
        success *= _separated(n - size, m, tuple(counted.items()), threshold, codes)
    return success


@lru_cache(maxsize=4096)
def _separated(
    others: int, m: int, counted: tuple[tuple[float, int], ...], threshold: float, codes: Codes
) -> float:
    values, times = zip(*counted, strict=True)
    return ScoreLaw(m, others, values, times, 0.0, codes).separated_at(threshold)


@check_kinds
def search_width(
    strengths: Sequence[int | ArrayLike],
    n: int,
    error: float = 0.01,
    *,
    threshold: float = 0.5,
    codes: Codes = "random",
) -> int:
    """Return the least width at which a search fails with at most this probability.

    Parameters
    ----------
    strengths, n, threshold, codes
        As in ``search_success``.
    error : float
        Allowed probability of failure, from 1e-12 to 1 - 1e-12.

    Examples
    --------
    >>> search_width([1, 3, 7], n=50)
    357
    """
    error = check_real("error", error, 1e-12, 1 - 1e-12)

    def reached(m: int) -> bool:
        return search_success(strengths, n, m, threshold=threshold, codes=codes) >= 1 - error

    low, high = 1, 2
    while not reached(high):
        low, high = high, 2 * high
        if high > _WIDEST:
            raise ValueError(
                f"no width up to {_WIDEST:.0e} has an error of {error:g}: "
                f"threshold = {threshold:g} is too far from the middle, or the strengths "
                "are too different; allow a larger error"
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high
