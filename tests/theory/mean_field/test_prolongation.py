"""Prolongation: exact for what is linear in ln(I p), near the minimum for a solution."""

import numpy as np
import pytest

from theory.activation import UNIFORM
from theory.features import Features
from theory.frequencies import Frequencies
from theory.mean_field.groups import group_features, merge_groups, split_groups
from theory.mean_field.prolongation import interpolation_weights, prolong
from theory.mean_field.solver.augmented_lagrangian import lagrangian, rule_at
from theory.mean_field.solver.method_of_multipliers import initialise, minimise, step
from theory.mean_field.solver.problem import Problem

SKEWED = Frequencies.power_law(60, alpha=1.0)


def test_a_prolonged_minimum_is_near_the_fine_one():
    groups = group_features(SKEWED, 4)
    merged, parent = merge_groups(groups)
    coarse, problem = (Problem(each, 12.0, UNIFORM) for each in (merged, groups))
    found = minimise(coarse)
    point, multipliers = prolong(coarse, found, problem, parent)
    value = lagrangian(problem, rule_at(problem, point, 0), point, multipliers)
    assert value == pytest.approx(minimise(problem).lagrangian, rel=0.1)
    assert multipliers.budget.sum() == pytest.approx(found.multipliers.budget.sum())


def test_what_is_linear_in_the_logarithm_of_p_is_interpolated_exactly():
    groups = group_features(SKEWED, 6)
    coarse = Problem(groups, 12.0, UNIFORM)
    found = step(coarse, initialise(coarse)).found
    x = np.log(groups.p)
    D = np.outer(x[coarse.laws.first] + x[coarse.laws.second], 0.01 * coarse.z)
    found = found._replace(point=found.point._replace(r=1 - 0.01 * x, b=0.1 * x, D=D))
    parts, parent = split_groups(SKEWED, groups, 3)
    problem = Problem(parts, 12.0, UNIFORM)
    point, _ = prolong(coarse, found, problem, parent)
    y = np.log(parts.p)
    pairs = problem.laws.pairs > 0
    sums = y[problem.laws.first] + y[problem.laws.second]
    assert point.r == pytest.approx(1 - 0.01 * y) and point.b == pytest.approx(0.1 * y)
    first = problem.laws.first > 0  # the most frequent feature has no law with itself
    assert point.D[pairs & first] == pytest.approx(np.outer(sums, 0.01 * problem.z)[pairs & first])


def test_tiers_are_interpolated_among_their_like():
    features = Features(SKEWED, importance=np.random.default_rng(0).lognormal(0, 1.5, 60))
    groups = group_features(features)
    assert groups.has_tiers
    weights = interpolation_weights(groups, groups)
    assert weights.sum(1) == pytest.approx(1)
    # A value that only depends on the tier, high or low in p/I, stays what it is nearby.
    ratio = np.log(groups.p / groups.importance)
    assert np.corrcoef(weights @ ratio, ratio)[0, 1] > 0.95
