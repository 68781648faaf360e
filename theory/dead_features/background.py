"""The law of the hidden state: its component along the common direction, and its private size.

h = Σ x_k c_k is a compound Poisson sum; its law is found on a grid by a Fourier transform, with the
mean of s² = Σ x_k² q_k²/m given h.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.dead_features.kernels import jump_densities

Array = NDArray[np.float64]

_FINE, _COARSE = 512, 64  # cells of the transform, and of the nodes
_RARE = 1e-9  # share of samples below which an outer cell is left out
# Cuts, as shares of the samples that are not empty, between the nodes of active features.
_CUTS = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 0.99)
V_NODES, V_SHARE = np.polynomial.legendre.leggauss(8)
V_NODES, V_SHARE = 1 + V_NODES, V_SHARE / 2  # v ~ U(0, 2)
_MOST = 50  # largest s² at a node, in units of max q²/m


class Background(NamedTuple):
    """Nodes of the law of (h, s²).

    Attributes
    ----------
    empty : float
        Share of samples without an active feature.
    low, width : float
        The cells of ``h``.
    h, share, s2 : ndarray
        Samples that are not empty: middle of each cell, share of samples, mean s².
    few : tuple of three ndarrays
        h, share and s² of all samples, at few nodes; shares sum to 1.
    """

    empty: float
    low: float
    width: float
    h: Array
    share: Array
    s2: Array
    few: tuple[Array, Array, Array]


def make_background(c: Array, q: Array, often: Array, m: int) -> Background:
    """Return the law for classes whose features are active ``often`` times in a sample.

    The grid ends at 3 + E + 4 √E times the largest c; at E = 1 it holds all but 1e-4 of samples.

    Examples
    --------
    >>> law = make_background(np.array([0.5]), np.array([0.8]), np.array([1.0]), 20)
    >>> round(float(law.share.sum() + law.empty), 3), round(float(law.h @ law.share), 2)  # E ⟨v⟩ c
    (1.0, 0.5)
    """
    density = float(often.sum())
    most = 2 + density + 4 * math.sqrt(density) + 1
    low, high = min(float(c.min()), -0.15) * most, max(float(c.max()), 0.15) * most
    width = (high - low) / _FINE
    origin = round(-low / width - 0.5)  # the cell whose middle is h = 0
    low = -(origin + 0.5) * width
    empty = math.exp(-density)
    jumps, squares = (
        np.fft.rfft(_from_origin(x, origin))
        for x in jump_densities(c, q, often, m, low, width, _FINE)
    )
    law = np.exp(jumps - density)
    share, s2 = (
        np.maximum(_to_cells(np.fft.irfft(x, 2 * _FINE), origin), 0)
        for x in (law - empty, law * squares)
    )
    first, last = np.flatnonzero(share > _RARE * (1 - empty))[[0, -1]]
    group = -(-int(last - first + 1) // _COARSE)
    cells = max(3, -(-int(last - first + 1) // group))
    share, s2 = (_merge(x, int(first), cells, group) for x in (share, s2))
    low, width = low + first * width, width * group
    h = low + (np.arange(cells) + 0.5) * width
    s2 = np.minimum(s2 / np.maximum(share, 1e-300), _MOST * float(q.max()) ** 2 / m)
    return Background(empty, low, width, h, share, s2, _few_nodes(empty, h, share, s2))


def given_frequent(
    law: Background, often: Array, c: Array, q: Array, m: int
) -> tuple[Array, Array]:
    """Return the mean of x, and of x² q²/m, of frequent features, given h at each node.

    Shape (features, nodes) each; no c may be 0. What the other features add is taken to have the
    law of h.

    Examples
    --------
    >>> one = np.array([0.1]), np.array([0.5]), np.array([0.8])
    >>> law = make_background(one[1], one[2], one[0], 20)
    >>> x, squares = given_frequent(law, *one, 20)
    >>> round(float(x[0] @ law.share), 2)  # on average 0.1 ⟨v⟩
    0.1
    """
    x, squares = np.zeros((c.size, law.h.size)), np.zeros((c.size, law.h.size))
    left = law.h - law.width / 2
    for k in range(c.size):
        for v, v_share in zip(V_NODES, V_SHARE, strict=True):
            density = np.interp(law.h - v * c[k], law.h, law.share, left=0.0, right=0.0)
            x[k] += often[k] * v_share * v * density
            squares[k] += often[k] * v_share * v**2 * density
        # Alone, h = c v exactly: v between the edges of a cell.
        ends = np.sort([left / c[k], (left + law.width) / c[k]], axis=0).clip(0, 2)
        x[k] += law.empty * often[k] * (ends[1] ** 2 - ends[0] ** 2) / 4
        squares[k] += law.empty * often[k] * (ends[1] ** 3 - ends[0] ** 3) / 6
    squares *= (q**2 / m)[:, None]
    share = np.maximum(law.share, 1e-300)
    most = 4 * q[:, None] ** 2 / m
    return np.minimum(x / share, 2.0), np.minimum(squares / share, most)


def weigh_senders(law: Background, c: Array, size: Array) -> Array:
    """Return, for each node of h, the sum of size v² over features, by the law of h given each.

    Examples
    --------
    >>> law = make_background(np.array([0.5]), np.array([0.8]), np.array([1.0]), 20)
    >>> weigh_senders(law, np.array([0.5]), np.array([3.0])).sum().round(1)  # 3 ⟨v²⟩
    np.float64(4.0)
    """
    n = law.h.size
    moves = np.zeros(2 * n + 1)  # by -n to n cells
    for v, v_share in zip(V_NODES, V_SHARE, strict=True):
        move = np.clip(v * c / law.width, 1 - n, n - 1)
        cell = np.floor(move).astype(int)
        value = size * v_share * v**2
        np.add.at(moves, cell + n, value * (cell + 1 - move))
        np.add.at(moves, cell + n + 1, value * (move - cell))
    start = law.share.copy()
    start[min(max(math.floor(-law.low / law.width), 0), n - 1)] += law.empty
    total: Array = np.convolve(start, moves)[n : 2 * n]
    return total


def _from_origin(x: Array, origin: int) -> Array:
    """Return twice as many cells, circular, with h = 0 first."""
    padded = np.zeros(2 * x.size)
    padded[: x.size - origin] = x[origin:]
    padded[padded.size - origin :] = x[:origin]
    return padded


def _to_cells(padded: Array, origin: int) -> Array:
    size = padded.size // 2
    return np.concatenate([padded[padded.size - origin :], padded[: size - origin]])


def _merge(x: Array, first: int, cells: int, group: int) -> Array:
    merged = np.zeros(cells * group)
    part = x[first : first + merged.size]
    merged[: part.size] = part
    total: Array = merged.reshape(cells, group).sum(axis=1)
    return total


def _few_nodes(empty: float, h: Array, share: Array, s2: Array) -> tuple[Array, Array, Array]:
    """Return the empty sample and the means between the cuts."""
    total = np.cumsum(share) / share.sum()
    cuts = np.minimum(np.searchsorted(total, _CUTS) + 1, share.size)
    ends = np.unique([0, *cuts, share.size])
    sums = np.array([np.add.reduceat(x, ends[:-1]) for x in (share, share * h, share * s2)])
    sums = sums[:, sums[0] > 0]
    shares = np.concatenate([[empty], sums[0]])
    places, squares = (np.concatenate([[0.0], x / sums[0]]) for x in sums[1:])
    return places, shares / shares.sum(), squares
