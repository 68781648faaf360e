"""Sparse batches of features drawn on a torch device: ``DeviceSampler``.

The method is that of ``numerics.sampling`` (Poisson counts on cells, each cell once, one more
feature in a share of the samples), for several models at once. No step needs to know on the CPU how
many features are active: the arrays have room for ten standard deviations more than the mean, and
the entries that are left over have the value 0, which changes neither loss nor gradient. The shapes
are then the same for every batch, as a CUDA graph needs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from numerics.sampling import FeatureBatch, FeatureSampler
from theory.features import Features

# Standard deviations of the number of events, and events, for which there is room above the mean:
# a Poisson count exceeds it with a probability below 1e-15.
_DEVIATIONS, _SPARE = 10, 30


class DeviceBatch(NamedTuple):
    """Active entries of one batch a model, on a device; entries of value 0 are none.

    ``sample`` counts through the batches of all models and ``feature`` through the features of all
    models: entry a belongs to row ``sample[a]`` of batch and to row ``feature[a]`` of W.
    """

    sample: torch.Tensor
    """Shape (entries,), int64."""
    feature: torch.Tensor
    """Shape (entries,), int64."""
    value: torch.Tensor
    """Shape (entries,): v."""
    weight: torch.Tensor
    """Shape (models, batch): weight of each sample."""


def to_device(batches: Sequence[FeatureBatch], like: torch.Tensor) -> DeviceBatch:
    """Return batches that were drawn by numpy, one a model, on the device and in the dtype of W.

    Examples
    --------
    >>> on = np.array([0, 2]), np.array([1, 0]), np.array([0.5, 1.5])
    >>> one = FeatureBatch(*on, batch=3, n=2, weight=np.ones(3))
    >>> both = to_device([one, one], torch.zeros(1))
    >>> both.weight.shape, both.sample.tolist(), both.feature.tolist()
    (torch.Size([2, 3]), [0, 2, 3, 5], [1, 0, 3, 2])
    """
    sample = np.concatenate([k * one.batch + one.sample for k, one in enumerate(batches)])
    feature = np.concatenate([k * one.n + one.feature for k, one in enumerate(batches)])
    value = np.concatenate([one.value for one in batches])
    weight = np.stack([one.weight for one in batches])
    return DeviceBatch(
        torch.from_numpy(sample).to(like.device),
        torch.from_numpy(feature).to(like.device),
        torch.from_numpy(value).to(like.device, like.dtype),
        torch.from_numpy(weight).to(like.device, like.dtype),
    )


class DeviceSampler:
    """Draws batches for several models, on a torch device.

    Parameters
    ----------
    features : sequence of Features
        Of each model, all with the same n; independent, their frequencies in falling order.
    rare_share : float
        As in ``numerics.sampling.FeatureSampler``.
    like : Tensor
        Values and weights have its device and dtype.

    Raises
    ------
    ValueError
        For features that depend on each other: those are drawn on the CPU.

    Examples
    --------
    >>> from theory.frequencies import Frequencies
    >>> words = Features(Frequencies.power_law(100, alpha=1.0))
    >>> sampler = DeviceSampler([words], 0.0, torch.zeros(1))
    >>> drawn = sampler.draw(1000, torch.Generator().manual_seed(0))
    >>> bool(abs(torch.count_nonzero(drawn.value) - 1000) < 100)          # E = 1
    True
    """

    def __init__(self, features: Sequence[Features], rare_share: float, like: torch.Tensor) -> None:
        if not all(one.is_independent for one in features):
            raise ValueError(
                "draws = 'device' is for independent features: those that depend on each other are "
                "drawn by numpy; give draws='numpy'"
            )
        device = like.device
        self._device, self._dtype = device, like.dtype
        self._models, self._n, self._share = len(features), features[0].n, rare_share
        tables = [FeatureSampler(one, rare_share).tables for one in features]
        n, models = self._n, self._models
        # Features with p >= 1/2, the first ones, are drawn as they are: they have no events.
        self._most = max(one.head.size for one in tables)
        head, events = np.zeros((models, 1, self._most)), np.zeros((models, n))
        for k, one in enumerate(tables):
            head[k, 0, : one.head.size] = one.head
            events[k, one.head.size :] = one.cumulative
        self._totals = events[:, -1].copy()

        def place(array: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(array).to(device)

        self._head, self._events = place(head), place(events)
        self._total = place(self._totals[:, None])
        self._rare = place(np.stack([one.rare for one in tables]))
        self._odds = place(np.concatenate([one.odds for one in tables]))
        laws = [one.activation for one in features]
        self._low = place(np.array([[v.low] for v in laws]))
        self._width = place(np.array([[(v.high - v.low) / len(v.shares)] for v in laws]))
        cells = max(len(v.shares) for v in laws)
        shares = np.full((models, cells), 2.0)  # never reached
        for k, v in enumerate(laws):
            cumulative = np.cumsum(v.shares) / np.sum(v.shares)
            shares[k, : cumulative.size - 1] = cumulative[:-1]
        self._shares = place(shares)
        self.excess = torch.zeros((), dtype=torch.float64, device=device)
        """Events for which there was no room, at most, in any batch so far; 0 or less is none."""

    def room(self, batch: int) -> int:
        """Return the number of entries of a batch of one model, those of value 0 among them."""
        mean = batch * float(self._totals.max())
        events = math.ceil(mean + _DEVIATIONS * math.sqrt(mean)) + _SPARE if mean else 0
        return events + batch * (self._most + (self._share > 0))

    def draw(self, batch: int, generator: torch.Generator) -> DeviceBatch:
        """Draw ``batch`` samples for each model."""
        n, models, device = self._n, self._models, self._device
        kind = {"dtype": torch.float64, "device": device, "generator": generator}
        none = batch * n  # a cell beyond all, which the sort puts last
        extra = batch * (self._share > 0)
        events = self.room(batch) - batch * self._most - extra
        parts = []
        if events:
            count = torch.poisson(batch * self._total, generator=generator)
            torch.maximum(self.excess, (count - events).max(), out=self.excess)
            at = torch.rand(models, events, **kind) * self._total  # type: ignore[call-overload]
            feature = torch.searchsorted(self._events, at, right=True).clamp_(max=n - 1)
            row = torch.randint(batch, at.shape, device=device, generator=generator)
            alive = torch.arange(events, device=device) < count
            parts.append(torch.where(alive, row * n + feature, none))
        if self._most:
            on = torch.rand(models, batch, self._most, **kind) < self._head  # type: ignore[call-overload]
            row = torch.arange(batch, device=device)[:, None] * n
            cell = row + torch.arange(self._most, device=device)
            parts.append(torch.where(on, cell, none).view(models, -1))
        if extra:
            on = torch.rand(models, batch, **kind) < self._share  # type: ignore[call-overload]
            at = torch.rand(models, batch, **kind)  # type: ignore[call-overload]
            feature = torch.searchsorted(self._rare, at, right=True).clamp_(max=n - 1)
            cell = torch.arange(batch, device=device) * n + feature
            parts.append(torch.where(on, cell, none))
        cells = torch.cat(parts, 1).sort(1).values
        alive = cells < none
        alive[:, 1:] &= cells[:, 1:] != cells[:, :-1]  # each cell once
        cells = torch.where(alive, cells, 0)
        model = torch.arange(models, device=device)[:, None]
        sample = (cells // n + batch * model).view(-1)
        feature = (cells % n + n * model).view(-1)
        weight = torch.ones(models * batch, dtype=torch.float64, device=device)
        if extra:
            seen = torch.zeros_like(weight)
            seen.index_add_(0, sample, torch.where(alive.view(-1), self._odds[feature], 0.0))
            weight = 1 / (1 - self._share + self._share * seen)
        value = torch.rand(cells.shape, **kind)  # type: ignore[call-overload]
        if self._shares.shape[1] > 1:
            share = torch.rand(cells.shape, **kind)  # type: ignore[call-overload]
            value += torch.searchsorted(self._shares, share, right=True)
        value = torch.where(alive, self._low + self._width * value, 0.0)
        return DeviceBatch(
            sample, feature, value.view(-1).to(self._dtype),
            weight.view(models, batch).to(self._dtype),
        )  # fmt: skip
