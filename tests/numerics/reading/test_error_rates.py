"""Error rates of a given matrix: moments by enumeration, rates by drawn supports."""

import itertools

import numpy as np
import pytest

import superscale as ss
from numerics.reading.error_rates import draw_cumulants


def test_cumulants_of_sums_without_replacement():
    t = np.random.default_rng(0).exponential(size=8)
    sums = np.array([[(t**p).sum() for p in range(1, 5)]])
    for k in (1, 3, 6, 7):
        drawn = np.array([sum(some) for some in itertools.combinations(t, k)])
        centred = drawn - drawn.mean()
        second, third, fourth = (np.mean(centred**p) for p in (2, 3, 4))
        expected = [drawn.mean(), second, third, fourth - 3 * second**2]
        assert np.allclose(draw_cumulants(sums, 8, k)[0], expected)


@pytest.mark.parametrize(("k", "noise", "shift"), [(4, 0.0, 0.0), (8, 0.02, 0.0), (6, 0.0, 0.12)])
def test_rates_against_drawn_supports(k, noise, shift):
    W = np.random.default_rng(1).standard_normal((300, 60)) + shift
    sampled = ss.reading.error_rates(W, k, noise=noise, method="sampling", samples=6000, seed=2)
    found = ss.reading.error_rates(W, k, noise=noise)
    gaussian = ss.reading.error_rates(W, k, noise=noise, method="gaussian")
    for name in ("false_alarm", "miss"):
        value, stderr = getattr(sampled, name).mean(), getattr(sampled, f"{name}_stderr")
        off = abs(getattr(found, name).mean() - value)
        # The series itself is off by a few per cent.
        assert off < 4 * stderr + 0.03 * value
        more = ss.reading.error_rates(W, k + 1, noise=noise)
        assert abs(getattr(more, name).mean() - value) > 4 * stderr + 0.03 * value
    # Item by item: what differs between items is told better than by chance.
    assert np.corrcoef(found.false_alarm, sampled.false_alarm)[0, 1] > 0.9
    assert abs(found.errors - sampled.errors) <= abs(gaussian.errors - sampled.errors) + 0.05
    assert len(found.to_dataframe()) == 300


def test_orthogonal_rows_never_err():
    for method in ("edgeworth", "gaussian", "sampling"):
        rates = ss.reading.error_rates(np.eye(6), 3, method=method, samples=50)
        assert rates.errors == 0


def test_bad_arguments():
    W = np.eye(6)
    for arguments, message in (
        ({"active": 6}, "active = 6"),
        ({"active": 2, "method": "exact"}, "give 'edgeworth'"),
        ({"active": 2, "noise": -1}, "noise"),
    ):
        with pytest.raises(ValueError, match=message):
            ss.reading.error_rates(W, **arguments)
    with pytest.raises(ValueError, match="at least 5"):
        ss.reading.error_rates(np.eye(4), 1)
