"""Laws of frequency against rank as formulas: Zipf, Zipf–Mandelbrot, broken power law.

``theory.rank_frequency.fits`` fits them; ``rank_frequencies`` turns one into ``Frequencies``.

======================= ============================================================
"zipf"                  p_i ∝ i^-alpha
"zipf_mandelbrot"       p_i ∝ (i + q)^-alpha, q > -first
"broken_power_law"      slope alpha up to a break rank, alpha_tail from it on, continuous
======================= ============================================================

Mandelbrot's law: B. Mandelbrot, in Communication Theory (ed. W. Jackson), 486, 1953. Two slopes in
language: R. Ferrer i Cancho and R. V. Solé, J. Quantitative Linguistics 8, 165, 2001.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from theory.frequencies import Frequencies

Array = NDArray[np.float64]
RankLaw = Literal["zipf", "zipf_mandelbrot", "broken_power_law"]

# Parameters that are reported. The laws are fitted in theta: ln(first + q) stands for q, and
# ln(break) for the break rank.
PARAMETERS: Mapping[RankLaw, tuple[str, ...]] = MappingProxyType(
    {
        "zipf": ("alpha",),
        "zipf_mandelbrot": ("alpha", "q"),
        "broken_power_law": ("alpha", "alpha_tail", "break_rank"),
    }
)


def log_weights(law: RankLaw, theta: Array, ranks: Array, first: int) -> Array:
    """Return ln of the law at these ranks, up to a constant."""
    if law == "zipf_mandelbrot":
        # Relative to the first rank: no digits are lost where q is large.
        eta: Array = -theta[0] * np.log1p((ranks - first) * np.exp(-theta[1]))
        return eta
    x = np.log(ranks)
    eta = -theta[0] * x
    if law == "broken_power_law":
        eta = -theta[0] * np.minimum(x, theta[2]) - theta[1] * np.maximum(x - theta[2], 0)
    return eta


def gradient(law: RankLaw, theta: Array, ranks: Array, first: int) -> Array:
    """Return the derivatives of ``log_weights`` by theta, shape (len(ranks), k)."""
    if law == "zipf_mandelbrot":
        y = (ranks - first) * np.exp(-theta[1])
        return np.stack([-np.log1p(y), theta[0] * y / (1 + y)], axis=1)
    x = np.log(ranks)
    if law == "zipf":
        return -x[:, None]
    beyond = x > theta[2]
    columns = [-np.minimum(x, theta[2]), -np.maximum(x - theta[2], 0)]
    return np.stack([*columns, (theta[1] - theta[0]) * beyond], axis=1)


def curvature(law: RankLaw, theta: Array, ranks: Array, first: int, weights: Array) -> Array:
    """Return Σ weights · (second derivatives of ``log_weights`` by theta), shape (k, k)."""
    second = np.zeros((theta.size, theta.size))
    if law == "zipf_mandelbrot":
        y = (ranks - first) * np.exp(-theta[1])
        second[0, 1] = second[1, 0] = weights @ (y / (1 + y))
        second[1, 1] = -theta[0] * (weights @ (y / (1 + y) ** 2))
    elif law == "broken_power_law":
        beyond = float(weights @ (np.log(ranks) > theta[2]))
        second[0, 2] = second[2, 0] = -beyond
        second[1, 2] = second[2, 1] = beyond
    return second


def rank_frequencies(law: RankLaw, theta: Array, n: int, first: int) -> Frequencies:
    """Return a law over ranks 1..n as ``Frequencies`` with Σ p_i = 1."""
    if law == "zipf":
        return Frequencies.power_law(n, max(float(theta[0]), 0.0))
    if law == "zipf_mandelbrot" and 1 - first + np.exp(theta[1]) <= 0:
        raise ValueError(
            f"(i + q)^-alpha with q = {np.exp(theta[1]) - first:.3g} has no value at rank 1: "
            "fit from a lower first rank"
        )
    ranks = np.arange(1, n + 1, dtype=np.float64)
    p = normalise(log_weights(law, theta, ranks, first))
    return Frequencies.from_probabilities(np.maximum(p, np.finfo(np.float64).tiny))


def log_sum(eta: Array) -> float:
    """Return ln Σ exp(eta)."""
    top = float(eta.max())
    return top + float(np.log(np.exp(eta - top).sum()))


def normalise(eta: Array) -> Array:
    """Return exp(eta) / Σ exp(eta)."""
    weights: Array = np.exp(eta - eta.max())
    weights /= weights.sum()
    return weights
