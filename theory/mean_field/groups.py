"""Groups of similar features; the mean field gives each group one norm and one bias.

``rank_features`` orders features by I_i p_i, ``group_features`` groups neighbours in that order,
``merge_groups`` makes the coarse groups of the search for the number of live features, and
``split_groups`` the finer ones on which the loss is evaluated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.activation import Activation
from theory.checks import check_integer, read_only
from theory.features import Features, as_features
from theory.frequencies import Frequencies
from theory.results import result

Array = NDArray[np.float64]
# Default numbers of groups beside the first feature. Steep frequencies (the first feature holds a
# quarter of Σ I p or more) vary more within a group, and get more groups.
_GROUPS, _GROUPS_STEEP, _STEEP = 8, 12, 0.25
# Groups of the least important features that are not merged: the search for the number of live
# features needs them apart, since some of them may be dead.
_UNMERGED = 3
# Where features of the same I p differ in p/I, each bin of I p is divided into tiers of p/I, one
# for each such step of ln(p/I) and 3 at most; the bins are then fewer, as the cost is quadratic in
# the number of groups.
_TIER, _TIERS, _TIERED_BINS = 0.7, 3, 6
# Last bins whose tiers are not merged.
_UNMERGED_BINS = 2
_NO_BINS = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class RankedFeatures:
    """Features of importance above 0 in descending order of I_i p_i.

    Importances are divided by the largest and v by half its largest value, so that the solver sees
    numbers of order 1; ``loss_unit`` restores the loss.

    Attributes
    ----------
    p, importance : ndarray, shape (n,)
        Frequencies and importances; 1 each where importances are equal.
    activation : Activation
        The law of v, scaled to v <= 2.
    v_unit, importance_unit : float
        Half the largest v and the largest importance of the features given.
    """

    p: Array
    importance: Array
    activation: Activation
    v_unit: float
    importance_unit: float

    @property
    def loss_unit(self) -> float:
        """What losses are to be multiplied by."""
        return self.importance_unit * self.v_unit**2

    @property
    def n(self) -> int:
        """Number of features of importance above 0."""
        return len(self.p)

    @cached_property
    def activity(self) -> Array:
        """I_i p_i, descending."""
        return read_only(self.importance * self.p)

    @cached_property
    def lost_losses(self) -> Array:
        """I_i (⟨v²⟩ p_i - ⟨v⟩² p_i²): the loss of each feature at its best constant output."""
        first, second = (float(self.activation.moment(k)) for k in (1, 2))
        return read_only(self.importance * (second * self.p - (first * self.p) ** 2))

    def lost_loss(self, live: int) -> float:
        """Return the loss of all features but the first ``live``."""
        return float(self.lost_losses[live:].sum())


def rank_features(features: Features | Frequencies) -> RankedFeatures:
    """Return the features of importance above 0 in descending order of I_i p_i.

    A feature of importance 0 costs nothing when its row of W is 0, and then does not interfere
    either: the best model is that of the other features.

    Examples
    --------
    >>> ranked = rank_features(Features(Frequencies.power_law(3, 0.0), importance=[1, 0, 4]))
    >>> ranked.importance, ranked.loss_unit
    (array([1.  , 0.25]), 4.0)
    """
    features = as_features(features).ranked
    activation, v_unit = features.activation, features.activation.high / 2
    if v_unit != 1:
        activation = Activation(activation.low / v_unit, 2.0, activation.shares)
    p, importance, unit = features.p, np.ones(features.n), 1.0
    if features.importance is not None:
        kept = np.flatnonzero(features.importance > 0)
        order = kept[np.argsort(-(features.importance * p)[kept], kind="stable")]
        p, importance = p[order], features.importance[order]
        unit = float(importance.max())
        importance = importance / unit
    return RankedFeatures(read_only(p), read_only(importance), activation, v_unit, unit)


@dataclass(frozen=True, eq=False)
@result
class FeatureGroups:
    """K groups of features, the most important first.

    Attributes
    ----------
    sizes : ndarray, shape (K,)
        Features in each; whole numbers, except where a derivative is taken.
    p : ndarray, shape (K,)
        Their mean frequency.
    importance : ndarray, shape (K,)
        Their mean importance, weighted by p; 1 by default.
    bins : ndarray of int, shape (K,)
        The bin of I p that each belongs to; by default each is a bin of its own.
    ranks : ndarray of int, shape (n,), or None
        Ranks (from 0) of the features, group by group; None where that is 0, 1, 2, ….
    """

    sizes: NDArray[Any]
    p: Array
    importance: Array = field(default_factory=lambda: np.empty(0))
    bins: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    ranks: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.importance.size == 0:
            object.__setattr__(self, "importance", read_only(np.ones(len(self.p))))
        if self.bins.size == 0:
            object.__setattr__(self, "bins", read_only(np.arange(len(self.p))))

    @property
    def count(self) -> int:
        """Number of groups, K."""
        return len(self.sizes)

    @property
    def n(self) -> int:
        """Number of features."""
        return int(self.sizes.sum())

    @property
    def has_tiers(self) -> bool:
        """Whether a bin of I p is divided by p/I."""
        return int(self.bins[-1]) + 1 < self.count

    def __repr__(self) -> str:
        return f"FeatureGroups({self.n} features in {self.count} groups)"


def group_features(
    features: RankedFeatures | Features | Frequencies,
    count: int | None = None,
    live: int | None = None,
) -> FeatureGroups:
    """Group features by rank i in I_i p_i: the first by itself, then steps in ln i and ln I_i p_i.

    Where features of nearly the same I p differ in p/I (importances that do not follow the rank),
    each step is divided once more, by p/I.

    Parameters
    ----------
    features : Features or Frequencies
        Frequencies and importances.
    count : int, optional
        Number of steps beside the first feature (fewer groups where steps hold no rank); 1 is one
        group of all. By default 8, or 12 if the first feature holds a quarter of Σ I_i p_i, or 6 if
        steps are divided. Equal features are one group.
    live : int, optional
        Only the ``live`` features of the largest I p; all by default.

    Returns
    -------
    FeatureGroups
        Sizes, mean frequencies and importances.

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
    ranked = features if isinstance(features, RankedFeatures) else rank_features(features)
    n = ranked.n if live is None else check_integer("live", live, 1, ranked.n)
    bins = count
    if bins is None:
        steep = ranked.activity[0] > _STEEP * ranked.activity.sum()
        bins = _GROUPS_STEEP if steep else _GROUPS
    check_integer("count", bins)
    edges = _bin_edges(ranked.activity[:n], bins)
    pieces = _divide_bins(ranked, edges)
    if count is None and len(pieces) > len(edges) - 1:
        edges = _bin_edges(ranked.activity[:n], _TIERED_BINS)
        pieces = _divide_bins(ranked, edges)
    if len(pieces) == len(edges) - 1:
        return _pool(ranked, edges, _NO_BINS, None)
    ranks = np.concatenate([ranks for _, ranks in pieces])
    ends = np.cumsum([0, *(len(ranks) for _, ranks in pieces)])
    return _pool(ranked, ends, np.array([k for k, _ in pieces]), ranks)


def _bin_edges(activity: Array, count: int) -> NDArray[np.int64]:
    """Return where bins begin and end: half of the steps in ln i, half in ln I_i p_i."""
    n = len(activity)
    if activity[0] == activity[-1]:
        count = 1
    ranks = np.log(np.arange(1, n + 1))
    fall = np.log(activity[0]) - np.log(np.maximum(activity, np.finfo(float).tiny))
    place = np.zeros(n)
    for way in (ranks, fall):
        place += way / max(way[-1], 1.0)
    steps = np.searchsorted(place, place[-1] * np.arange(1, count) / count, side="left")
    edges: NDArray[np.int64] = np.unique([0, *([1] if count > 1 else []), *steps, n])
    return edges


def _divide_bins(
    ranked: RankedFeatures, edges: NDArray[np.int64]
) -> list[tuple[int, NDArray[np.int64]]]:
    """Return the bin and the ranks of each group: bins are divided by what I p leaves open of p/I.

    ln(p/I) is compared with its straight line in ln(I p): where importance is a function of
    frequency there is nothing left.
    """
    pieces: list[tuple[int, NDArray[np.int64]]] = []
    equal = bool(np.all(ranked.importance == ranked.importance[0]))
    for k, (start, end) in enumerate(pairwise(edges)):
        ranks = np.arange(start, end)
        if equal or len(ranks) < 4:
            pieces.append((k, ranks))
            continue
        x, y = np.log(ranked.activity[ranks]), np.log(ranked.p[ranks] / ranked.importance[ranks])
        x = x - x.mean()
        rest = y - y.mean() - x * (x @ y) / max(float(x @ x), 1e-300)
        # A uniform law of this standard deviation has that range.
        tiers = int(np.ceil(np.sqrt(12) * rest.std() / _TIER))
        tiers = min(max(tiers, 1), _TIERS, len(ranks) // 2)
        by_rest = np.argsort(-rest, kind="stable")
        pieces += [(k, ranks[np.sort(part)]) for part in np.array_split(by_rest, tiers)]
    return pieces


def _pool(
    ranked: RankedFeatures,
    edges: NDArray[np.int64],
    bins: NDArray[np.int64],
    ranks: NDArray[np.int64] | None,
) -> FeatureGroups:
    """Return the groups of consecutive features between edges, in the order of ``ranks``."""
    order = np.arange(edges[-1]) if ranks is None else ranks
    sizes = np.diff(edges).astype(np.int64)
    totals = np.add.reduceat(ranked.p[order], edges[:-1])
    weighted = np.add.reduceat(ranked.activity[order], edges[:-1])
    equal = bool(np.all(ranked.importance == 1))
    importance = np.ones(len(sizes)) if equal else weighted / totals
    return FeatureGroups(
        read_only(sizes),
        read_only(totals / sizes),
        read_only(importance),
        read_only(bins),
        ranks,
    )


def merge_groups(groups: FeatureGroups) -> tuple[FeatureGroups, NDArray[np.int64]]:
    """Merge neighbouring groups two and two, except the last three, of which some may be dead.

    Where bins are divided into tiers, the tiers of each bin but the last two are merged instead.

    Returns
    -------
    FeatureGroups, ndarray of int, shape (K,)
        Fewer groups, the first by itself if the number to merge is odd; and which of them each
        group was merged into.

    Examples
    --------
    >>> groups = group_features(Frequencies.power_law(100, alpha=1.0), count=7)
    >>> merged, parent = merge_groups(groups)
    >>> groups.sizes, merged.sizes, parent
    (array([ 1,  2,  4,  6, 13, 25, 49]), array([ 3, 10, 13, 25, 49]), array([0, 0, 1, 1, 2, 3, 4]))
    """
    if groups.has_tiers:
        first = np.diff(groups.bins, prepend=-1) > 0
        apart = groups.bins > groups.bins[-1] - _UNMERGED_BINS
        parent = np.cumsum(first | apart) - 1
    else:
        pairs = max(groups.count - _UNMERGED, 0)
        places = np.arange(groups.count)
        odd = pairs % 2
        parent = np.where(places < pairs, (places + odd) // 2, places - pairs // 2)
    sizes = np.bincount(parent, groups.sizes)
    active = np.bincount(parent, groups.sizes * groups.p)
    weighted = np.bincount(parent, groups.sizes * groups.p * groups.importance)
    if np.all(sizes == np.rint(sizes)):
        sizes = sizes.astype(np.int64)
    bins = _NO_BINS
    if groups.has_tiers:
        bins = read_only(groups.bins[np.searchsorted(parent, np.arange(parent[-1] + 1))])
    merged = FeatureGroups(
        read_only(sizes),
        read_only(active / sizes),
        read_only(weighted / active),
        bins,
        groups.ranks,
    )
    return merged, parent


def split_groups(
    features: RankedFeatures | Features | Frequencies, groups: FeatureGroups, parts: int
) -> tuple[FeatureGroups, NDArray[np.int64]]:
    """Split each group into parts by rank, about evenly in ln of the rank.

    Returns
    -------
    FeatureGroups, ndarray of int, shape (K,)
        More groups, where there are so many features; and the group of which each is a part.

    Examples
    --------
    >>> f = Frequencies.power_law(100, alpha=1.0)
    >>> groups = group_features(f, count=3)
    >>> finer, parent = split_groups(f, groups, 2)
    >>> groups.sizes, finer.sizes, parent
    (array([ 1,  3, 17, 79]), array([ 1,  1,  2,  5, 12, 25, 54]), array([0, 1, 1, 2, 2, 3, 3]))
    """
    ranked = features if isinstance(features, RankedFeatures) else rank_features(features)
    ends = np.cumsum(groups.sizes).astype(np.int64)
    between: list[NDArray[np.int64]] = [np.zeros(1, dtype=np.int64), ends]
    for start, end in zip(np.concatenate([[0], ends[:-1]]), ends, strict=True):
        inside = np.geomspace(start + 1, end + 1, parts + 1)[1:-1]
        between.append(np.rint(inside).astype(np.int64) - 1)
    edges = np.unique(np.concatenate(between))
    parent = np.searchsorted(ends, edges[:-1], side="right")
    bins = groups.bins[parent] if groups.has_tiers else _NO_BINS
    return _pool(ranked, edges, bins, groups.ranks), parent
