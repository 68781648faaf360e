"""The solver: a pure objective, its gradient, and minima that do not depend on the start."""

import numpy as np
import pytest

from theory.activation import UNIFORM
from theory.frequencies import Frequencies
from theory.mean_field.groups import FeatureGroups, group_features, merge_groups
from theory.mean_field.prolongation import prolong
from theory.mean_field.solver.augmented_lagrangian import (
    augmented_lagrangian,
    constraints,
    lagrangian,
    lagrangian_of,
    pack,
    rule_at,
    unscaled,
)
from theory.mean_field.solver.method_of_multipliers import (
    descend,
    initialise,
    minimise,
    precondition,
    random_directions,
    step,
)
from theory.mean_field.solver.options import DEFAULTS, SolverOptions
from theory.mean_field.solver.preconditioner import initial_preconditioner, scaling
from theory.mean_field.solver.problem import Problem
from theory.mean_field.solver.state import ConvergenceError, Multipliers

SKEWED = Frequencies.power_law(60, alpha=1.0)


def pose(f=SKEWED, count=5, m=12.0, options=DEFAULTS):
    return Problem(group_features(f, count), m, UNIFORM, options=options)


def start_of(problem):
    first = initial_preconditioner(problem.groups, problem.laws, problem.m)
    return random_directions(problem, first)


def test_the_objective_is_the_same_before_and_after_a_minimisation():
    """To the bit, also where a point is so far out that the rule's scale does not fit."""
    problem = pose(count=3)
    point, multipliers = start_of(problem)
    rule, scale = rule_at(problem, point, 0), unscaled(problem)
    x = pack(problem, point, scale)
    far = x * np.linspace(1, 30, x.size)

    def evaluate():
        at = (problem, rule, multipliers, 0.3, scale)
        return [augmented_lagrangian(*at, y) for y in (x, far)]

    before = evaluate()
    minimise(problem)
    evaluate()
    after = evaluate()
    for (value, slope), (again, slope_again) in zip(before, after, strict=True):
        assert value == again and np.array_equal(slope, slope_again)


def test_a_round_leaves_the_state_that_it_began_with():
    problem = pose(count=3)
    state = initialise(problem)
    kept = [np.copy(a) for a in (*state.point, *state.multipliers, state.rule.scale)]
    one, two = step(problem, state), step(problem, state)
    now = (*state.point, *state.multipliers, state.rule.scale)
    assert all(np.array_equal(a, b) for a, b in zip(kept, now, strict=True))
    assert (state.round, one.round) == (0, 1)
    assert one.history == two.history and np.array_equal(one.point.D, two.point.D)
    assert not np.array_equal(one.point.D, state.point.D)


def test_gradient_of_the_augmented_lagrangian():
    groups = FeatureGroups(
        np.array([1, 5, 20]), np.array([0.3, 0.1, 0.01]), np.array([1.0, 0.2, 0.6])
    )
    problem = Problem(groups, 6.0, UNIFORM)
    rng = np.random.default_rng(0)
    point, multipliers = start_of(problem)
    rough = [rng.standard_normal((3, 3)) * 0.1 for _ in range(6)]
    multipliers = Multipliers(multipliers.budget + 0.1, np.array([a @ a.T for a in rough]))
    first = initial_preconditioner(groups, problem.laws, problem.m)
    scale = scaling(first, problem.laws, multipliers.budget, 0.1)
    x = pack(problem, point, scale)
    x = x + 0.01 * rng.standard_normal(x.size)
    way = rng.standard_normal(x.size)
    rule = rule_at(problem, point, 0)

    def value(y):
        return augmented_lagrangian(problem, rule, multipliers, 0.5, scale, y)

    ends = [value(x + sign * 1e-5 * way)[0] for sign in (-1, 1)]
    assert value(x)[1] @ way == pytest.approx((ends[1] - ends[0]) / 2e-5, rel=1e-5)


def test_random_directions_keep_their_budgets():
    """The optimal shrinkage would spend the tightest budget whole; the start takes a part of it."""
    problem = pose()
    point, multipliers = start_of(problem)
    spent = (constraints(problem, point)[0] + 1) / DEFAULTS.initial_shrinkage**2
    assert spent.max() == pytest.approx(1, abs=1e-3)
    assert np.all(multipliers.budget >= 0)
    slack = multipliers.budget @ (spent - 1)
    assert slack == pytest.approx(0, abs=1e-3 * multipliers.budget.sum())


def test_the_first_rounds_do_not_probe():
    problem = pose(count=3)
    state = initialise(problem)
    assert precondition(problem, state)[0] is state.preconditioner
    found, _ = precondition(problem, initialise(problem, step(problem, state).found))
    assert np.any(found.by_overlap != found.initial)


def test_parts_of_a_group_are_the_group():
    """Equal features in one group, or in three."""
    whole, parts = (
        Problem(FeatureGroups(np.array(sizes), np.full(len(sizes), 1 / 60)), 12.0, UNIFORM)
        for sizes in ([60], [10, 20, 30])
    )
    assert minimise(parts).lagrangian == pytest.approx(minimise(whole).lagrangian, rel=0.01)


def test_other_starts_lead_to_the_same_minimum():
    """From overlaps of random directions, and from the minimum of merged groups."""
    problem = pose(count=4, m=16.0)
    groups, parent = merge_groups(problem.groups)
    merged = Problem(groups, 16.0, UNIFORM)
    direct, coarse = minimise(problem), minimise(merged)
    point, multipliers = prolong(merged, coarse, problem, parent)
    start = coarse._replace(point=point, multipliers=multipliers)
    assert minimise(problem, start).lagrangian == pytest.approx(direct.lagrangian, rel=1e-3)
    again = lagrangian(problem, direct.rule, direct.point, direct.multipliers)
    assert again == direct.lagrangian == lagrangian_of(problem, direct)


def test_a_restart_revives_groups_that_a_step_has_killed():
    problem = pose(Frequencies.power_law(100, alpha=1.0), 3, 16.0)
    best = minimise(problem)
    r, b = best.point.r.copy(), best.point.b.copy()
    r[-1], b[-1] = 0.75, -1.6
    fallen = best._replace(point=best.point._replace(r=r, b=b))
    stuck = descend(problem, fallen)
    assert stuck.lagrangian > 1.5 * best.lagrangian
    dead = np.flatnonzero(problem.model.dead_groups(stuck.point.r, stuck.point.b))
    assert list(dead) == [len(b) - 1]
    assert minimise(problem, fallen).lagrangian == pytest.approx(best.lagrangian, rel=6e-3)


def test_not_converging_is_an_error_that_says_what_to_try():
    problem = pose(count=3, options=SolverOptions(rounds=1))
    with pytest.raises(ConvergenceError, match="did not converge .* try another number of groups"):
        minimise(problem)
