"""Sparse batches of features: only those that are active are drawn, independent Bernoulli.

Use ``FeatureSampler(frequencies).draw(batch, rng)``. The work is in proportion to the number of
active features (E x batch), not to n x batch.

How: put independent Poisson(λ_i) counts, λ_i = -ln(1 - p_i), on every (sample, feature) cell; a
cell is active if its count is not zero, which has probability p_i exactly, independently. Their
total is one Poisson draw, and each event falls on a cell in proportion to λ_i. Features with
p_i >= 1/2 (λ_i large, infinite at 1) are drawn as they are. The only departure from exact Bernoulli
is the 53-bit resolution of the uniform draws: p_i is off by at most 2e-16 Σ_j λ_j.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from theory.activation import UNIFORM, Activation
from theory.checks import check_integer
from theory.frequencies import Frequencies


def as_generator(rng: np.random.Generator | int) -> np.random.Generator:
    """Return a generator from a generator or an integer seed.

    Examples
    --------
    >>> as_generator(0).integers(100)
    np.int64(85)
    """
    if isinstance(rng, np.random.Generator):
        return rng
    return np.random.default_rng(check_integer("seed", rng, 0))


@dataclass(frozen=True, eq=False)
class FeatureBatch:
    """The active entries of a batch x n matrix of features, sorted by sample, then feature.

    Attributes
    ----------
    sample, feature : ndarray of int64, shape (k,)
        Row and column of each active entry.
    value : ndarray of float64, shape (k,)
        Its v.
    batch, n : int
        Shape of the matrix.
    """

    sample: NDArray[np.int64]
    feature: NDArray[np.int64]
    value: NDArray[np.float64]
    batch: int
    n: int


class FeatureSampler:
    """Draws batches for given frequencies and law of v.

    Parameters
    ----------
    frequencies : Frequencies
        p_i of each feature.
    activation : Activation
        The law of v.

    Examples
    --------
    >>> sampler = FeatureSampler(Frequencies.power_law(1000, alpha=1.0))
    >>> batch = sampler.draw(4, np.random.default_rng(0))
    >>> batch.sample, batch.feature
    (array([2, 3]), array([  0, 241]))
    """

    def __init__(self, frequencies: Frequencies, activation: Activation = UNIFORM) -> None:
        p = frequencies.p
        self.n = frequencies.n
        self._activation = activation
        # p falls with rank: the common features are a head of the list.
        self._head = p[p >= 0.5]
        self._cumulative = np.cumsum(-np.log1p(-p[self._head.size :]))

    @property
    def tables(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The p_i >= 1/2, and the running sum of -ln(1 - p_i) of the others."""
        return np.array(self._head), self._cumulative

    def draw(self, batch: int, rng: np.random.Generator) -> FeatureBatch:
        """Draw ``batch`` independent samples from ``rng``."""
        cells = np.empty(0, dtype=np.int64)
        head = self._head.size
        if self._cumulative.size:
            total = self._cumulative[-1]
            events = rng.poisson(batch * total)
            feature = head + np.searchsorted(
                self._cumulative, rng.random(events) * total, side="right"
            )
            # The product may round up to the total itself.
            np.minimum(feature, self.n - 1, out=feature)
            cells = rng.integers(batch, size=events) * self.n + feature
        if head:
            common = np.nonzero(rng.random((batch, head)) < self._head)
            cells = np.concatenate([common[0] * self.n + common[1], cells])
        cells.sort()
        cells = cells[np.diff(cells, prepend=-1) > 0]  # each cell once
        sample, feature = np.divmod(cells, self.n)
        return FeatureBatch(
            sample, feature, self._activation.sample(cells.size, rng), batch, self.n
        )
