"""Classes of features of like frequency and like bias at the start."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Ends of the strata of frequent features, each of them a class of its own; the number of strata of
# rank for the others, and the biases at the start between which their classes lie.
_HEAD, _STRATA = (5, 10, 20, 40), 10
_EDGES = np.array([*np.arange(-2.75, 1.01, 0.0625), 1.25, 1.5, 2.0])


class Classes(NamedTuple):
    """Means and sizes of classes; label and stratum of each feature and class.

    Attributes
    ----------
    p, bias : ndarray, shape (k,)
        Mean frequency and mean bias at the start.
    weight : ndarray, shape (k,)
        Number of features.
    label : ndarray of int, shape (n,)
        Class of each feature.
    stratum : ndarray of int, shape (k,)
        Ranks of one stratum are neighbours; its classes go by bias.
    side : ndarray, shape (k,)
        1 and -1 for the two halves of features that are alike, which begin with more and with less
        of the common direction than the mean; 0 for a single feature.
    """

    p: Array
    bias: Array
    weight: Array
    label: NDArray[np.int64]
    stratum: NDArray[np.int64]
    side: Array


def make_classes(p: Array, bias: Array) -> Classes:
    """Group features, given by falling frequency, by rank and by bias at the start.

    Examples
    --------
    >>> found = make_classes(np.full(1000, 0.001), np.linspace(-2, 2, 1000))
    >>> found.weight.sum(), found.weight[:40].max()
    (np.float64(1000.0), np.float64(1.0))
    """
    n = p.size
    head = min(_HEAD[-1], n)
    edges = np.round(np.geomspace(head, n, _STRATA + 1)).astype(int)
    ends = np.unique([*(end for end in _HEAD if end < head), *edges])
    label = np.empty(n, dtype=np.int64)
    stratum: list[int] = []
    side: list[int] = []
    for a, (low, high) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        order = low + np.argsort(bias[low:high], kind="stable")
        if high <= head:
            values = place = np.arange(high - low)
            sides = np.zeros(high - low, dtype=int)
        else:
            cell = 2 * np.searchsorted(_EDGES, bias[order]) + np.arange(high - low) % 2
            values, place = np.unique(cell, return_inverse=True)
            sides = 1 - 2 * (values % 2)
        label[order] = len(stratum) + place
        stratum += [a] * values.size
        side += sides.tolist()
    weight = np.bincount(label).astype(float)
    means = [np.bincount(label, x) / weight for x in (p, bias)]
    groups = np.array(stratum, dtype=np.int64), np.array(side, dtype=float)
    return Classes(means[0], means[1], weight, label, *groups)
