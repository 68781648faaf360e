"""Features: what is promoted, compared and refused; what a lost feature costs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from theory.activation import UNIFORM, Activation
from theory.features import Features, as_features
from theory.frequencies import Frequencies

WORDS = Frequencies.power_law(5, 1.0)


def test_bare_frequencies_stand_for_the_published_features():
    promoted = as_features(WORDS)
    assert promoted == Features(WORDS) == Features(WORDS, UNIFORM, np.ones(5))
    assert promoted.has_equal_importance and promoted.importance is None
    assert np.array_equal(promoted.weights, np.ones(5))
    assert as_features(promoted) is promoted
    for wrong in (WORDS.p, None, "words"):
        with pytest.raises(TypeError, match="neither a Features nor a Frequencies"):
            as_features(wrong)


def test_equality_and_hash_see_every_field():
    importance = [1, 2, 3, 4, 5]
    features = Features(WORDS, Activation(0, 1), importance)
    same = Features(WORDS, Activation(0, 1), np.array(importance, dtype=float))
    assert features == same and hash(features) == hash(same)
    others = (
        Features(Frequencies.power_law(5, 1.1), Activation(0, 1), importance),
        Features(WORDS, UNIFORM, importance),
        Features(WORDS, Activation(0, 1), importance[::-1]),
        Features(WORDS, Activation(0, 1)),
        WORDS,
    )
    assert all(features != other for other in others)


@pytest.mark.parametrize(
    ("importance", "message"),
    [
        ([1, 1, 1], "give one number for each of the 5 features"),
        ([1, 1, -1, 1, 1], r"importance\[2\] = -1"),
        ([0, 0, 0, 0, 0], "every importance is 0"),
        ([1, 1, np.nan, 1, 1], r"importance\[2\] = nan"),
    ],
)
def test_bad_importances(importance, message):
    with pytest.raises(ValueError, match=message):
        Features(WORDS, importance=importance)
    with pytest.raises(TypeError, match="not an Activation"):
        Features(WORDS, (0, 2))
    with pytest.raises(TypeError, match="not a Frequencies"):
        Features([0.5, 0.5])


def test_importances_cannot_be_changed_from_outside():
    importance = np.linspace(1, 2, 5)
    features = Features(WORDS, importance=importance)
    importance[0] = 7
    assert features.importance[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        features.importance[0] = 7


def test_importances_go_with_the_list_as_it_was_given():
    given = Features(Frequencies.from_probabilities([0.2, 0.5, 0.3]), importance=[1, 2, 3])
    assert given.p.tolist() == [0.2, 0.5, 0.3]
    assert given.ranked.p.tolist() == [0.5, 0.3, 0.2]
    assert given.ranked.importance.tolist() == [2, 3, 1]
    by_rank = np.sort(given.lost_losses)
    assert by_rank == pytest.approx(np.sort(given.ranked.lost_losses))


@given(
    st.floats(0.01, 1),
    st.floats(0.1, 3),
    st.sampled_from([UNIFORM, Activation(0.5, 1.0), Activation(0.0, 2.0, (3.0, 1.0))]),
)
def test_what_a_lost_feature_costs(p, importance, law):
    """I ⟨(x - c)²⟩ at its least over c, by quadrature and search."""
    features = Features(Frequencies.from_probabilities([p]), law, [importance])
    cells = [tuple(float(x) for x in cell) for cell in law.cells]

    def loss(c):
        active = sum(d * quad(lambda v: (v - c) ** 2, low, high)[0] for low, high, d in cells)
        return importance * ((1 - p) * c**2 + p * active)

    least = minimize_scalar(loss, bounds=(0, law.high), method="bounded", options={"xatol": 1e-9})
    assert features.lost_losses[0] == pytest.approx(least.fun, rel=1e-9)
