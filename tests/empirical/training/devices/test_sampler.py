"""Batches drawn by torch: the same law as numpy's, in arrays of one shape."""

import numpy as np
import pytest
import torch

from empirical.training.devices.sampler import DeviceSampler
from numerics.sampling import FeatureSampler
from theory.activation import Activation
from theory.features import Features
from theory.frequencies import Frequencies

N, BATCH = 12, 40_000
COMMON = Features(Frequencies.power_law(N, 1.5, density=2.0), Activation(0.5, 1.5, (3, 0, 1)))
RARE = Features(Frequencies.power_law(N, 0.3, density=0.4), Activation(0.0, 1.0))


def drawn(share, seed=0, batch=BATCH, features=(COMMON, RARE)):
    sampler = DeviceSampler(features, share, torch.zeros(1, dtype=torch.float64))
    return sampler, sampler.draw(batch, torch.Generator().manual_seed(seed))


def dense(batch, size=BATCH, models=2):
    """Return x, model x sample x feature."""
    x = np.zeros((models * size, N))
    np.add.at(x, (batch.sample.numpy(), batch.feature.numpy() % N), batch.value.numpy())
    return x.reshape(models, size, N)


@pytest.mark.parametrize("share", [0.0, 0.6])
def test_weighted_frequencies_pairs_and_sizes(share):
    sampler, batch = drawn(share)
    assert float(sampler.excess) <= 0
    x, weight = dense(batch), batch.weight.numpy()
    for k, features in enumerate((COMMON, RARE)):
        on, w = x[k] > 0, weight[k][:, None]
        p = features.p

        def off(values, mean, w=w):
            """Return the deviations of weighted means from what they should be, in errors."""
            error = np.std(w * values, axis=0) / BATCH**0.5
            return (np.mean(w * values, axis=0) - mean) / error

        pairs = on[:, :-1] & on[:, 1:]
        v, square = (features.activation.moment(power) for power in (1, 2))
        deviations = np.concatenate(
            [
                off(on, p), off(pairs, p[1:] * p[:-1]), off(x[k], p * float(v)),
                off(x[k] ** 2, p * float(square)),
            ]
        )  # fmt: skip
        assert np.abs(deviations).max() < 4.5  # of 46 numbers
        # Negative control: frequencies that are 15 % off, and the mean of v.
        assert np.abs(off(on, 1.15 * p)).max() > 4.5
        assert np.abs(off(x[k], 1.15 * p * float(v))).max() > 4.5


def test_weights_are_those_of_the_features_that_are_on():
    share = 0.6
    _, batch = drawn(share, batch=500)
    x, weight = dense(batch, 500), batch.weight.numpy()
    for k, features in enumerate((COMMON, RARE)):
        odds = FeatureSampler(features, share).tables.odds
        expected = 1 / (1 - share + share * ((x[k] > 0) @ odds))
        assert weight[k] == pytest.approx(expected, rel=1e-12)
        assert np.ptp(weight[k]) > 0.5


def test_each_cell_once_in_arrays_of_one_shape():
    shapes = set()
    for seed in range(5):
        sampler, batch = drawn(0.5, seed, batch=40)
        shapes.add(batch.value.shape)
        assert batch.value.shape == (2 * sampler.room(40),)
        alive = batch.value > 0
        cells = batch.sample[alive] * N + batch.feature[alive] % N
        assert len(torch.unique(cells)) == int(alive.sum())
        assert torch.all(batch.feature[alive] // N == batch.sample[alive] // 40)
    assert len(shapes) == 1


def test_a_batch_for_which_there_is_no_room_is_seen(monkeypatch):
    plain = DeviceSampler.room
    monkeypatch.setattr(DeviceSampler, "room", lambda self, batch: plain(self, batch) - 75)
    few = Features(Frequencies.power_law(N, 0.3, density=0.4))
    sampler, _ = drawn(0.0, batch=40, features=(few,))
    assert float(sampler.excess) > 0


def test_features_that_depend_on_each_other_are_refused():
    tied = Features.exclusive(Frequencies.power_law(N, 1.0), [[0, 1], [2, 3]])
    with pytest.raises(ValueError, match="drawn by numpy; give draws='numpy'"):
        DeviceSampler([tied], 0.0, torch.zeros(1))
