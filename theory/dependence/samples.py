"""Features from a sample of activations, as of a sparse autoencoder: ``fit_samples``.

``Features.from_samples(X)`` is the short way to the features alone; ``fit_samples`` also says how
much better the tree explains the sample than independence does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from theory.activation import Activation
from theory.checks import check_integer, check_numbers, check_real, read_only
from theory.computing.argument_kinds import check_kinds
from theory.computing.memory import check_memory
from theory.dependence.forest import Forest
from theory.frequencies import Frequencies
from theory.results import result

Array = NDArray[np.float64]

# Relative width of the law of v where all values are the same.
_WIDTH = 1e-3
# Activation, relative to the largest, below which it counts as 0 in a law of v.
_NOTHING = 1e-40
# Largest activation: powers of it stay in the range of floats.
_LARGEST = 1e50


class FitOptions(TypedDict, total=False):
    """The options of ``fit_samples``."""

    tree: bool
    least_gain: float
    cells: int
    scale: Literal["pooled", "feature"]


@dataclass(frozen=True, eq=False)
@result
class SampleFit:
    """What a sample of activations says about its features.

    Attributes
    ----------
    frequencies : Frequencies
        Shares of samples in which each feature is on, in the order of the columns.
    activation : Activation
        The law of v, all features pooled: their histogram in equal cells.
    dependence : Forest or None
        The most likely tree; None where independence was asked for.
    columns : ndarray of int, shape (n,)
        Columns that are on at least once: feature i is ``columns[i]``.
    samples : int
        Number of samples.
    mean, mean_square : ndarray, shape (n,)
        ⟨v⟩ and ⟨v²⟩ of each feature, in its unit.
    unit : ndarray, shape (n,)
        What its activations were divided by.
    ranges : ndarray, shape (n, 2)
        The least and the largest activation of each feature, in its unit.
    histograms : ndarray of int, shape (n, cells)
        Its activations in equal cells between them; ``law_of`` makes the law of v of one feature.
    edges : ndarray of int, shape (k, 2)
        Child and parent of each edge of the tree, as features.
    gains : ndarray, shape (k,)
        Mutual information of each edge, in nats a sample.
    log_likelihood, log_likelihood_independent : float
        Of which features are on, a sample, in nats, by the tree and by independent features.
    """

    frequencies: Frequencies
    activation: Activation
    dependence: Forest | None
    columns: NDArray[np.int64]
    samples: int
    mean: Array
    mean_square: Array
    unit: Array
    ranges: Array
    histograms: NDArray[np.int64]
    edges: NDArray[np.int64]
    gains: Array
    log_likelihood: float
    log_likelihood_independent: float

    def law_of(self, feature: int) -> Activation:
        """Return the law of v of one feature, an index below n, in its unit.

        ``Features`` has one law for all: this one shows how far a feature is from it.

        Examples
        --------
        >>> X = np.array([[1.0, 0], [2, 3], [3, 5], [0, 4]])
        >>> fit_samples(X, cells=2).law_of(1)
        Activation(3, 5, shares=(1, 2))
        """
        feature = check_integer("feature", feature, 0, len(self.ranges) - 1)
        low, high = map(float, self.ranges[feature])
        return _law_between(low, high, self.histograms[feature])

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each edge: columns of child and parent, and the gain."""
        return pd.DataFrame(
            {
                "child": self.columns[self.edges[:, 0]],
                "parent": self.columns[self.edges[:, 1]],
                "gain": self.gains,
            }
        )

    def __repr__(self) -> str:
        return (
            f"{self.columns.size} features in {self.samples} samples, E = "
            f"{self.frequencies.density:.4g}, {len(self.edges)} edges: log-likelihood "
            f"{self.log_likelihood:.6g} a sample, {self.log_likelihood_independent:.6g} if "
            "independent"
        )


@check_kinds
def fit_samples(
    X: Any,
    *,
    tree: bool = True,
    least_gain: float = 0.0,
    cells: int = 8,
    scale: Literal["pooled", "feature"] = "pooled",
) -> SampleFit:
    """Fit frequencies, the law of v and the most likely tree to a sample of activations.

    Memory is a few times that of the non-zeros; the time is that of Σ (non-zeros of a sample)²,
    and n² mutual informations.

    Parameters
    ----------
    X : scipy sparse array or matrix, or array_like, shape (samples, features)
        Activations >= 0; a feature is on where its activation is above 0.
    tree : bool
        Whether to fit a tree (Chow and Liu 1968); features are independent without.
    least_gain : float
        Log-likelihood of the whole sample that an edge has to gain, in nats. 0 is the tree of the
        largest likelihood, ln(samples)/2 that of the Bayesian information criterion, which leaves
        out what a sample of independent features would show as well.
    cells : int
        Number of equal cells of the law of v, from the least activation to the largest.
    scale : {"pooled", "feature"}
        Whether activations are taken as they are, or divided by the mean of their feature (when it
        is on). One law of v stands for all features.

    Returns
    -------
    SampleFit

    Raises
    ------
    ValueError
        If an activation is negative or not finite, or none is above 0.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> parent = rng.random((2000, 1)) < 0.3
    >>> X = np.hstack([parent, parent & (rng.random((2000, 1)) < 0.5), rng.random((2000, 1)) < 0.2])
    >>> fit = fit_samples(X * rng.uniform(0, 2, X.shape), least_gain=4)
    >>> fit.edges
    array([[1, 0]])
    >>> round(fit.log_likelihood, 3), round(fit.log_likelihood_independent, 3)
    (-1.328, -1.557)
    """
    from theory.dependence.chow_liu import entropy, fit_tree, forest_of  # loads numba

    cells = check_integer("cells", cells)
    least_gain = check_real("least_gain", least_gain, 0.0)
    if scale not in ("pooled", "feature"):
        raise ValueError(f"scale = {scale!r} is not allowed: give 'pooled' or 'feature'")
    by_sample = _active(X)
    samples = by_sample.shape[0]
    by_feature = by_sample.tocsc()
    counts = np.diff(by_feature.indptr).astype(np.int64)
    columns = np.flatnonzero(counts)
    if columns.size < counts.size:
        by_feature = by_feature[:, columns]
        by_sample = by_feature.tocsr()
        counts = counts[columns]
    owner = by_sample.indices
    total = np.bincount(owner, by_sample.data, columns.size)
    unit = np.ones(columns.size) if scale == "pooled" else total / counts
    values = by_sample.data / unit[owner]
    share = counts / samples
    alone = -float(entropy(share).sum())
    fitted = None
    edges, gains = np.empty((0, 2), dtype=np.int64), np.empty(0)
    if tree:
        rows, cols = (
            (x.indptr.astype(np.int64), x.indices.astype(np.int64)) for x in (by_sample, by_feature)
        )
        grown = fit_tree(samples, rows, cols, least_gain / samples)
        fitted = forest_of(samples, counts, grown)
        child = grown.order[grown.parent[grown.order] >= 0]
        edges, gains = np.stack([child, grown.parent[child]], axis=1), grown.gain[child]
    check_memory(f"cells = {cells}", 24 * cells * columns.size, "give fewer cells")
    ranges, histograms = _histograms(by_feature, unit, cells)
    return SampleFit(
        frequencies=Frequencies.from_probabilities(share),
        activation=_law(values, cells),
        dependence=fitted,
        columns=read_only(columns),
        samples=samples,
        mean=read_only(np.bincount(owner, values, columns.size) / counts),
        mean_square=read_only(np.bincount(owner, values**2, columns.size) / counts),
        unit=read_only(unit),
        ranges=read_only(ranges),
        histograms=read_only(histograms),
        edges=read_only(edges),
        gains=read_only(gains),
        log_likelihood=alone + float(gains.sum()),
        log_likelihood_independent=alone,
    )


def _active(X: Any) -> Any:
    """Return the activations above 0 as a sparse array by samples, in double precision."""
    if not issparse(X):
        X = check_numbers("X", X)
    if len(X.shape) != 2 or 0 in X.shape:
        raise ValueError(f"X has shape {X.shape}: give a matrix, samples by features")
    sparse = csr_array(X, dtype=np.float64)
    if sparse is X:
        sparse = sparse.copy()
    sparse.sum_duplicates()
    sparse.eliminate_zeros()
    if not np.isfinite(sparse.data).all():
        raise ValueError("X holds an entry that is NaN or infinite: leave those samples out")
    if sparse.nnz and sparse.data.min() < 0:
        raise ValueError(
            f"X holds {sparse.data.min():g}: activations are at least 0 (take those after the ReLU)"
        )
    if sparse.nnz and not 1 / _LARGEST <= sparse.data.max() <= _LARGEST:
        raise ValueError(
            f"the largest activation of X is {sparse.data.max():g}: measure in other units, from "
            f"{1 / _LARGEST:g} to {_LARGEST:g}"
        )
    if not sparse.nnz:
        raise ValueError("no activation of X is above 0: there is nothing to fit")
    return sparse


def _law(values: Array, cells: int) -> Activation:
    low, high = float(values.min()), float(values.max())
    return _law_between(low, high, np.histogram(values, cells, (low, high))[0])


def _law_between(low: float, high: float, counts: NDArray[np.int64]) -> Activation:
    low = low if low > _NOTHING * high else 0.0
    if high - low <= _WIDTH * high:
        middle = (low + high) / 2
        return Activation(middle * (1 - _WIDTH / 2), middle * (1 + _WIDTH / 2))
    return Activation(low, high, tuple(counts.astype(float)))


def _histograms(by_feature: Any, unit: Array, cells: int) -> tuple[Array, NDArray[np.int64]]:
    """Return the range of each column's values and their counts in equal cells of it."""
    n, first = unit.size, by_feature.indptr[:-1]
    owner = np.repeat(np.arange(n), np.diff(by_feature.indptr))
    values = by_feature.data / unit[owner]
    low, high = np.minimum.reduceat(values, first), np.maximum.reduceat(values, first)
    width = np.where(high > low, high - low, 1.0)
    cell = np.minimum((cells * (values - low[owner]) / width[owner]).astype(np.int64), cells - 1)
    counts = np.bincount(owner * cells + cell, minlength=n * cells).reshape(n, cells)
    return np.stack([low, high], axis=1), counts.astype(np.int64)
