"""Compiled sums over waves for the transforms of theory/interference.py.

Use ``sum_waves`` and ``sum_back`` there only. The nodes of a rule are x in [0, 1], then 1 + x, then
twice, four times … those: cos and sin at 1 + x follow from those at x and 1, and each octave's from
the last one's.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@numba.njit(cache=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def sum_waves(angle: Array, rise: Array, fall: Array, x: Array, waves: Array, sums: Array) -> None:
    """Fill ``waves`` with cos and sin of each angle times each node; add them up, weighted.

    Parameters
    ----------
    angle : ndarray, shape (K, K, Z)
        Angles at node 1.
    rise, fall : ndarray, shape (K, K, Z)
        Weights of the two sums.
    x : ndarray, shape (N,)
        The nodes in [0, 1].
    waves : ndarray, shape (K, K, Z, 2, S)
        Where cos and sin go; S a multiple of N, the octaves first and then how many.
    sums : ndarray, shape (K, K, 2, 2, S)
        Where the sums over Z go: by ``rise`` and by ``fall``, of cos and of sin.
    """
    K, _, Z = angle.shape
    N, S = len(x), waves.shape[4]
    for g in range(K):
        for h in range(K):
            up_cos, up_sin = sums[g, h, 0, 0], sums[g, h, 0, 1]
            down_cos, down_sin = sums[g, h, 1, 0], sums[g, h, 1, 1]
            for k in range(S):
                up_cos[k] = up_sin[k] = down_cos[k] = down_sin[k] = 0.0
            for z in range(Z):
                a = angle[g, h, z]
                cos, sin = waves[g, h, z, 0], waves[g, h, z, 1]
                at_one, sin_one = math.cos(a), math.sin(a)
                for i in range(N):
                    cos[i] = math.cos(a * x[i])
                    sin[i] = math.sin(a * x[i])
                for i in range(N):
                    cos[N + i] = at_one * cos[i] - sin_one * sin[i]
                    sin[N + i] = sin_one * cos[i] + at_one * sin[i]
                for start in range(2 * N, S, N):
                    for i in range(start, start + N):
                        c, s = cos[i - N], sin[i - N]
                        cos[i] = c * c - s * s
                        sin[i] = 2 * c * s
                u, d = rise[g, h, z], fall[g, h, z]
                for k in range(S):
                    up_cos[k] += u * cos[k]
                    up_sin[k] += u * sin[k]
                    down_cos[k] += d * cos[k]
                    down_sin[k] += d * sin[k]


@numba.njit(cache=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def sum_back(waves: Array, columns: Array, sums: Array) -> None:
    """Add up waves over the nodes, weighted by four columns.

    Parameters
    ----------
    waves : ndarray, shape (K, K, Z, 2, S)
        As ``sum_waves`` filled it.
    columns : ndarray, shape (4, K, K, 2, S)
        Weights of cos and of sin.
    sums : ndarray, shape (4, K, K, Z)
        Where the sums over S go.
    """
    K, _, Z, _, S = waves.shape
    for g in range(K):
        for h in range(K):
            a, b = columns[0, g, h], columns[1, g, h]
            c, d = columns[2, g, h], columns[3, g, h]
            for z in range(Z):
                first = second = third = fourth = 0.0
                for part in range(2):
                    wave = waves[g, h, z, part]
                    one, two, three, four = a[part], b[part], c[part], d[part]
                    for k in range(S):
                        first += one[k] * wave[k]
                        second += two[k] * wave[k]
                        third += three[k] * wave[k]
                        fourth += four[k] * wave[k]
                sums[0, g, h, z] = first
                sums[1, g, h, z] = second
                sums[2, g, h, z] = third
                sums[3, g, h, z] = fourth
