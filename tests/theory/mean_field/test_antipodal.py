"""Antipodal pairs: against the exact loss of such a model, and against every pairing."""

import itertools

import numpy as np
import pytest

from numerics.loss.exact import population_loss
from numerics.toy_model import ToyModel
from theory.activation import UNIFORM, Activation
from theory.features import Features
from theory.frequencies import Frequencies
from theory.mean_field.antipodal import antipodal_loss
from theory.regimes.weak import weak_loss

LAWS = [UNIFORM, Activation(0.5, 2.0), Activation(0.0, 2.0, shares=(3.0, 1.0, 2.0))]


def paired(n, m):
    """Return the model: the first 2m - n alone, of the others the first with the last and so on."""
    alone = 2 * m - n
    W = np.zeros((n, m))
    W[np.arange(m), np.arange(m)] = 1
    W[np.arange(n - 1, m - 1, -1), np.arange(alone, m)] = -1
    return ToyModel(W, np.zeros(n))


@pytest.mark.parametrize(("n", "m"), [(8, 4), (9, 6), (7, 7)])
def test_a_real_model_loses_that(n, m):
    f = Frequencies.power_law(n, alpha=1.0)
    found = antipodal_loss(f, m)
    exact = population_loss(paired(n, m), f).loss
    assert found.loss == pytest.approx(exact, rel=1e-6, abs=1e-12)
    assert (found.live, found.lost) == (n, 0.0)


def test_a_real_model_with_importances_loses_that():
    importance = np.array([0.5, 2.0, 1.0, 0.6, 1.5, 0.7, 2.0, 0.5])
    features = Features(Frequencies.power_law(8, 1.0, density=0.3), LAWS[1], importance)
    order = np.argsort(-importance * features.p)
    for m in (4, 6):
        W = np.empty((8, m))
        W[order] = paired(8, m).W
        exact = population_loss(ToyModel(W, np.zeros(8)), features).loss
        found = antipodal_loss(features, m)
        assert found.live == 8 and found.loss == pytest.approx(exact, rel=1e-6)
        # The control: importances in the reverse order.
        other = Features(features.frequencies, LAWS[1], importance[::-1])
        assert abs(antipodal_loss(other, m).loss / exact - 1) > 0.02


def test_no_pairing_is_better():
    f = Frequencies.power_law(6, alpha=1.5)

    def pairings(left):
        if not left:
            yield ()
        for other in left[1:]:
            rest = tuple(i for i in left[1:] if i != other)
            for more in pairings(rest):
                yield ((left[0], other), *more)

    costs = [sum(4 / 3 * f.p[a] * f.p[b] for a, b in one) for one in pairings(tuple(range(6)))]
    assert antipodal_loss(f, 3).loss == pytest.approx(min(costs), rel=1e-12)
    assert max(costs) > 1.5 * min(costs)
    # With four axes two features stand alone: the most frequent ones.
    alone = [
        4 / 3 * sum(f.p[a] * f.p[b] for a, b in one)
        for lonely in itertools.combinations(range(6), 2)
        for one in pairings(tuple(i for i in range(6) if i not in lonely))
    ]
    assert antipodal_loss(f, 4).loss == pytest.approx(min(alone), rel=1e-12)


def test_the_mean_of_the_smaller_square_is_what_draws_give():
    equal = Frequencies.power_law(2, alpha=0.0, density=0.2)
    for activation in LAWS:
        v = activation.sample(400_000, np.random.default_rng(0)).reshape(2, -1)
        cost = 2 * np.minimum(*v) ** 2 / 100
        error = cost.std() / np.sqrt(cost.size)
        loss = antipodal_loss(Features(equal, activation), 1).loss
        assert abs(loss - cost.mean()) < 4 * error < 0.1 * loss


def test_what_is_not_kept_is_lost():
    f = Frequencies.power_law(100, alpha=1.0)
    found = antipodal_loss(f, 10)
    assert found.live == 20 and found.lost == pytest.approx(float(weak_loss(f, 20)))
    assert antipodal_loss(f, 10, sampling="one_hot").loss == found.lost < found.loss
    # Features that are nearly always active are better lost than paired.
    often = Frequencies.from_probabilities([0.99] * 10)
    assert antipodal_loss(often, 5).live == 5
    assert antipodal_loss(often, 5).loss == pytest.approx(float(weak_loss(often, 5)))


@pytest.mark.parametrize("m", [0, 11, 2.5])
def test_bad_widths(m):
    with pytest.raises((ValueError, TypeError), match=r"^m = "):
        antipodal_loss(Frequencies.power_law(10, alpha=0.0), m)
