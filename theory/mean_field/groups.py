"""Features in groups by rank, each taken as many equal features.

Use ``group_features(frequencies)`` where a theory solves for one norm and one bias a group instead
of n of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.checks import check_integer, read_only
from theory.frequencies import Frequencies

# The most frequent feature holds so much of E where twelve groups are worth their time.
_SKEWED = 0.25
# Groups that are not merged.
_APART = 3


@dataclass(frozen=True, eq=False)
class FeatureGroups:
    """Neighbouring ranks in K groups.

    Attributes
    ----------
    sizes : ndarray, shape (K,)
        Features in each, most frequent first; whole numbers, but where a derivative is taken.
    p : ndarray, shape (K,)
        Their mean frequency.
    """

    sizes: NDArray[Any]
    p: NDArray[np.float64]

    @property
    def count(self) -> int:
        """How many groups, K."""
        return len(self.sizes)

    @property
    def n(self) -> int:
        """How many features in all."""
        return int(self.sizes.sum())


def group_features(
    frequencies: Frequencies, count: int | None = None, live: int | None = None
) -> FeatureGroups:
    """Group features by rank: the most frequent alone, then equal steps in ln i and ln p_i.

    Parameters
    ----------
    frequencies : Frequencies
        How often features occur.
    count : int, optional
        How many steps beside the first feature (fewer groups where steps hold no rank); 1 is one
        group of all. By default 8, or 12 if the first feature holds a quarter of E. Equal
        frequencies are one group.
    live : int, optional
        Only the ``live`` most frequent features; all by default.

    Returns
    -------
    FeatureGroups
        Sizes and mean frequencies.

    Raises
    ------
    ValueError
        For a count below 1, or ``live`` outside 1..n.

    Examples
    --------
    >>> groups = group_features(Frequencies.power_law(100, alpha=1.0), count=5)
    >>> groups.sizes
    array([ 1,  1,  4,  9, 24, 61])
    """
    n = frequencies.n if live is None else check_integer("live", live, 1, frequencies.n)
    p = frequencies.p[:n]
    if count is None:
        count = 12 if frequencies.largest > _SKEWED * frequencies.density else 8
    check_integer("count", count)
    if p[0] == p[-1]:
        count = 1
    # Half of the steps in rank, half in frequency, so that neither varies much within a group.
    ranks = np.log(np.arange(1, n + 1))
    place = np.zeros(n)
    for way in (ranks, np.log(p[0]) - np.log(np.maximum(p, np.finfo(float).tiny))):
        place += way / max(way[-1], 1.0)
    steps = np.searchsorted(place, place[-1] * np.arange(1, count) / count, side="left")
    edges = np.unique([0, *([1] if count > 1 else []), *steps, n])
    sizes = np.diff(edges)
    totals = np.add.reduceat(p, edges[:-1])
    return FeatureGroups(read_only(sizes.astype(np.int64)), read_only(totals / sizes))


def merge_groups(groups: FeatureGroups) -> tuple[FeatureGroups, NDArray[np.int64]]:
    """Merge neighbouring groups two and two, but for the rarest three, of which some may be dead.

    Returns
    -------
    FeatureGroups, ndarray of int, shape (K,)
        Fewer groups, the most frequent alone if the number to merge is odd; which of them each was
        merged into.

    Examples
    --------
    >>> groups = group_features(Frequencies.power_law(100, alpha=1.0), count=7)
    >>> merged, parent = merge_groups(groups)
    >>> groups.sizes, merged.sizes, parent
    (array([ 1,  2,  4,  6, 13, 25, 49]), array([ 3, 10, 13, 25, 49]), array([0, 0, 1, 1, 2, 3, 4]))
    """
    pairs = max(groups.count - _APART, 0)
    places = np.arange(groups.count)
    odd = pairs % 2
    parent = np.where(places < pairs, (places + odd) // 2, places - pairs // 2)
    sizes = np.bincount(parent, groups.sizes)
    p = np.bincount(parent, groups.sizes * groups.p) / sizes
    if np.all(sizes == np.rint(sizes)):
        sizes = sizes.astype(np.int64)
    return FeatureGroups(read_only(sizes), read_only(p)), parent
