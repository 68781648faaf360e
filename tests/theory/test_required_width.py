"""The inverse of predict: every width is the least that will do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.features import Features
from theory.frequencies import Frequencies
from theory.regimes.weak import weak_loss
from theory.registry import predict
from theory.required_width import _find, required_width


@given(st.integers(1, 60), st.floats(0, 2.5), st.floats(1e-3, 1.5))
def test_weak_width_is_the_first_that_is_good_enough(n, alpha, share):
    words = Frequencies.power_law(n, alpha, 0.9)
    losses = weak_loss(words, np.arange(1, n + 1))
    wanted = share * float(losses[0]) if n > 1 else share
    found = required_width(words, loss=max(wanted, 1e-9), theory="weak")
    # All widths tried, one by one.
    assert found == 1 + int(np.argmax(losses <= max(wanted, 1e-9)))


@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=30), st.floats(0.01, 0.99))
def test_importances(importance, share):
    features = Features(Frequencies.power_law(len(importance), 1.0, 0.5), importance=importance)
    wanted = share * float(weak_loss(features, 0))
    m = required_width(features, loss=wanted, theory="weak")
    assert weak_loss(features, m) <= wanted * (1 + 1e-9)
    assert m == 1 or weak_loss(features, m - 1) > wanted * (1 - 1e-9)


def test_weak_keeps_m():
    words = Frequencies.power_law(100, 1.0)
    assert [required_width(words, kept=k, theory="weak") for k in (1, 7, 100)] == [1, 7, 100]
    kept = predict(words, 7, ["weak", "equiangular"]).kept
    assert kept["weak"] == 7 and "equiangular" not in kept


@given(st.lists(st.floats(-3, 0.3), min_size=1, max_size=200), st.floats(0, 1), st.booleans())
def test_the_search_is_right_and_short(falls, at, starts_late):
    """Any falling losses, with none at m = 1 for a theory that begins at m = 2."""
    losses = 10.0 ** np.cumsum(np.minimum(falls, 0))
    losses[-1] = 0
    wanted = float(np.quantile(losses, at))
    asked = []

    def ask(m):
        asked.append(m)
        return np.nan if starts_late and m == 1 and losses.size > 2 else float(losses[m - 1])

    first = 1 + int(np.argmax(losses <= max(wanted, 1e-300)))
    late = starts_late and losses.size > 2
    assert _find(ask, losses.size, max(wanted, 1e-300)) == max(first, 2 if late else 1)
    assert len(asked) <= 20


@pytest.mark.slow
def test_mean_field():
    words = Frequencies.linear(10)
    both = predict(words, [3, 4], theory="mean_field")
    losses, kept = both.loss["mean_field"], both.kept["mean_field"]
    assert 3 <= kept[0] <= kept[1]  # superposition keeps at least m
    assert required_width(words, loss=float(np.sqrt(losses[0] * losses[1]))) == 4


@pytest.mark.slow
def test_mean_field_by_kept_features():
    words = Frequencies.power_law(24, 1.0)
    kept = predict(words, 6, theory="mean_field").kept["mean_field"]
    found = required_width(words, kept=int(kept))
    assert found <= 6 and predict(words, found, "mean_field").kept["mean_field"] >= kept


def test_what_mean_field_cannot_take_is_asked_of_weak():
    parents = Features.hierarchy(Frequencies.from_probabilities([0.4, 0.2, 0.1]), [None, 0, 1])
    wanted = predict(parents, 2, "weak").loss["weak"]
    assert required_width(parents, loss=wanted) == 2


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({}, TypeError, "one of loss and kept"),
        ({"loss": 0.1, "kept": 3}, TypeError, "one of loss and kept"),
        ({"loss": 0.0}, ValueError, "loss = 0.0"),
        ({"kept": 11}, ValueError, "kept = 11"),
        ({"loss": 0.1, "theory": "none"}, ValueError, "unknown"),
        ({"loss": 0.1, "theory": "strong_even"}, ValueError, "gives no loss"),
        ({"kept": 3, "theory": "equiangular"}, ValueError, "does not say"),
    ],
)
def test_bad_input(arguments, kind, message):
    with pytest.raises(kind, match=message):
        required_width(Frequencies.power_law(10, 1.0), **arguments)
