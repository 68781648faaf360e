"""Samples of features as sparse batches: ``FeatureSampler``.

Only active features are drawn: the work is in proportion to their number (E x batch), not to
n x batch.

Method (features that depend on each other are drawn in ``numerics.dependent.samples``): put
independent Poisson(λ_i) counts, λ_i = -ln(1 - p_i), on every (sample, feature) cell; a
cell is active if its count is not zero, which has probability p_i exactly, independently. Their
total is one Poisson draw, and each event falls on a cell in proportion to λ_i. Features with
p_i >= 1/2 (λ_i large, infinite at 1) are drawn as they are. The only departure from exact Bernoulli
is the 53-bit resolution of the uniform draws: p_i is off by at most 2e-16 Σ_j λ_j.

Importance sampling of rare features: with ``rare_share`` = s, that share of the samples gets one
more feature, j with probability π_j ∝ √p_j. A set S of active features then comes with probability
P(S) [1 - s + s Σ_{j∈S} π_j/p_j], and the inverse of the bracket is the sample's weight (at most
1/(1 - s)): weighted means are those of independent features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from numerics.dependent.samples import ForestSampler
from theory.checks import check_real
from theory.features import Features, as_features
from theory.frequencies import Frequencies

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FeatureBatch:
    """The active entries of a batch x n matrix of features, sorted by sample, then feature.

    Attributes
    ----------
    sample, feature : ndarray of int64, shape (k,)
        Row and column of each active entry.
    value : ndarray of float64, shape (k,)
        Its value v.
    batch, n : int
        Shape of the matrix.
    weight : ndarray of float64, shape (batch,)
        Weight of each sample in a mean, 1 on average.
    """

    sample: NDArray[np.int64]
    feature: NDArray[np.int64]
    value: NDArray[np.float64]
    batch: int
    n: int
    weight: NDArray[np.float64]


class Tables(NamedTuple):
    """Tables from which batches are drawn; the module's docstring has the method."""

    head: NDArray[np.float64]
    """The p_i >= 1/2."""
    cumulative: NDArray[np.float64]
    """Cumulative sum of -ln(1 - p_i) over the other features."""
    share: float
    """Share of the samples that get one more feature."""
    rare: NDArray[np.float64]
    """Cumulative sum of √p_i, divided by its total."""
    odds: NDArray[np.float64]
    """π_i/p_i."""


class FeatureSampler:
    """Draws batches of given features.

    Parameters
    ----------
    features : Features or Frequencies
        How often each feature occurs and how large it is; importances play no part.
    rare_share : float
        Share of the samples to which a feature is added, 0 <= rare_share < 1.

    Raises
    ------
    ValueError
        If ``rare_share`` is outside [0, 1).

    Examples
    --------
    >>> sampler = FeatureSampler(Frequencies.power_law(1000, alpha=1.0))
    >>> batch = sampler.draw(4, np.random.default_rng(0))
    >>> batch.sample, batch.feature
    (array([2, 3]), array([  0, 241]))
    """

    def __init__(self, features: Features | Frequencies, rare_share: float = 0.0) -> None:
        features = as_features(features)
        ranks = features.frequencies
        # Places of the ranks in a list that was not given by rank; tables go by rank.
        self._places = None if ranks.ranked is ranks else ranks.by_rank(np.arange(ranks.n))
        rare_share = check_real("rare_share", rare_share, 0.0, float(np.nextafter(1, 0)))
        self.n = features.n
        self.forest = None if features.is_independent else ForestSampler(features, rare_share)
        p = features.ranked.p
        self._activation = features.activation
        # p falls with rank: the common features are a head of the list.
        head = np.array(p[p >= 0.5])
        rare = np.cumsum(np.sqrt(p))
        self.tables = Tables(
            head,
            np.cumsum(-np.log1p(-p[head.size :])),
            rare_share,
            rare / rare[-1],
            1 / (np.sqrt(p) * rare[-1]),
        )

    def draw(self, batch: int, rng: np.random.Generator) -> FeatureBatch:
        """Draw ``batch`` independent samples from ``rng``."""
        sample, feature, value, weight, _ = self.draw_batches(batch, 1, rng)
        return FeatureBatch(sample, feature, value, batch, self.n, weight)

    def draw_batches(
        self, batch: int, steps: int, rng: np.random.Generator
    ) -> tuple[Integers, Integers, Array, Array, Integers]:
        """Draw ``steps`` batches from ``rng``, the same as one after the other.

        Returns
        -------
        tuple of ndarray
            Sample (within its batch), feature and value of each active entry, sorted by batch,
            sample, feature; the weight of each sample, shape (steps batch,); where the entries of
            each batch begin, shape (steps + 1,).
        """
        if self.forest is not None:
            return self.forest.draw(batch, steps, rng)
        law, uniform = self._activation, self._activation.is_uniform
        drawn, values = [], []
        for _ in range(steps):  # as little as possible here: many batches are small
            cells = self._draw_cells(batch, rng)
            cells.sort()
            again = (cells[1:] == cells[:-1]).nonzero()[0]
            kept = cells.size - again.size
            drawn.append(cells)
            values.append(rng.random(kept) if uniform else law.sample(kept, rng))
        begins, starts = (np.cumsum([0, *(x.size for x in parts)]) for parts in (drawn, values))
        cells, value = np.concatenate(drawn), np.concatenate(values)
        if uniform:
            value = law.low + (law.high - law.low) * value
        if value.size < cells.size:  # each cell once
            new = np.append(True, cells[1:] != cells[:-1])
            new[begins[:-1][np.diff(begins) > 0]] = True
            cells = cells[new]
        sample = cells // self.n
        feature = cells - sample * self.n
        share, odds = self.tables.share, self.tables.odds
        weight = np.ones(steps * batch)
        if share:
            row = sample + np.repeat(np.arange(steps) * batch, np.diff(starts))
            weight = 1 / (1 - share + share * np.bincount(row, odds[feature], steps * batch))
        if self._places is not None:
            feature = self._places[feature]
            row = np.repeat(np.arange(steps), np.diff(starts))
            feature = feature[np.lexsort((feature, sample, row))]
        return sample, feature, value, weight, starts

    def _draw_cells(self, batch: int, rng: np.random.Generator) -> Integers:
        """Draw the active cells (sample n + feature) in any order, some of them repeatedly."""
        head, cumulative, share, rare, _ = self.tables
        cells = np.empty(0, dtype=np.int64)
        if cumulative.size:
            events = rng.poisson(batch * cumulative[-1])
            # The product may round up to the total itself: the last feature's, so not searched.
            cells = cumulative[:-1].searchsorted(rng.random(events) * cumulative[-1], "right")
            cells += rng.integers(batch, size=events) * self.n
        if head.size:
            common = (rng.random((batch, head.size)) < head).nonzero()
            cells = np.concatenate([common[0] * self.n + common[1], cells + head.size])
        if share:
            more = (rng.random(batch) < share).nonzero()[0]
            more *= self.n
            more += rare.searchsorted(rng.random(more.size), "right")
            cells = np.concatenate([more, cells])
        return cells
