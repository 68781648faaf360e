"""What holds for the mean field of any frequencies: order, monotony, bounds, and its rare limit.

Slow: a solution takes a second or two. The fixed settings of test_solve.py run in every suite.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.features import Features
from theory.frequencies import Frequencies
from theory.mean_field.solve import solve_mean_field

pytestmark = pytest.mark.slow
FEW = settings(max_examples=12)
NOTHING = 4 / 3  # loss of a lost feature over its frequency


def laws(least=0.0):
    """Return frequencies whose sums a mean field of few groups solves fast."""
    return st.builds(
        Frequencies.power_law, st.integers(20, 60), st.floats(least, 1.5), st.floats(0.1, 2.0)
    )


def solve(f, m, **changes):
    return solve_mean_field(f, m, groups=4, **changes)


@FEW
@given(laws(least=0.5), st.integers(3, 8), st.randoms())
def test_the_order_in_which_features_are_given_does_not_matter(f, m, random):
    order = list(range(f.n))
    random.shuffle(order)
    p, importance = np.array(f.p), np.linspace(1.0, 2.0, f.n)
    one = solve(Features(f, importance=importance), m)
    moved = Frequencies.from_probabilities(p[order])
    assert solve(Features(moved, importance=importance[order]), m).loss == one.loss
    # Frequencies and importances in opposite order are another problem.
    assert solve(Features(f, importance=importance[::-1]), m).loss != one.loss


@FEW
@given(laws(), st.integers(3, 8))
def test_wider_loses_less_and_an_axis_each_is_never_better(f, m):
    narrow, wide = solve(f, m), solve(f, m + 2)
    assert 0 < wide.loss < narrow.loss + narrow.uncertainty + wide.uncertainty
    assert narrow.loss <= NOTHING * np.sum(np.array(f.p)[m:]) * (1 + 1e-9)


@FEW
@given(laws(), st.integers(3, 8), st.floats(1.1, 2.0))
def test_more_frequent_features_lose_more(f, m, factor):
    p = np.array(f.p)
    more = np.where(factor * p < 0.5, factor * p, p)
    one, other = solve(f, m), solve(Frequencies.from_probabilities(more), m)
    assert one.loss - one.uncertainty < other.loss + other.uncertainty


@FEW
@given(st.integers(30, 60), st.floats(0.0, 1.0), st.integers(5, 8))
def test_rare_features_collapse_on_one_active_feature(n, alpha, m):
    """L/E tends to the loss with one feature at a time; at E = 1 it is far above."""
    limit = solve(Frequencies.power_law(n, alpha, 1.0), m, sampling="one_hot").loss
    rare, dense = (solve(Frequencies.power_law(n, alpha, E), m).loss / E for E in (1e-3, 1.0))
    assert rare == pytest.approx(limit, rel=0.03)
    assert dense > 1.2 * limit
