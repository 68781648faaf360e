"""The constrained minimum of the mean-field loss, by the method of multipliers.

``minimise(problem)`` runs rounds of ``step`` from ``initialise`` until ``converged``. A round
minimises the augmented Lagrangian by L-BFGS at fixed multipliers, penalty, quadrature rule and
scaling, and returns a new ``SolverState`` with all of these updated: nothing is changed in place.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LbfgsInvHessProduct, minimize

from theory.mean_field.interference.overlap_laws import DEGREES
from theory.mean_field.interference.quadrature import QuadratureRule
from theory.mean_field.solver.augmented_lagrangian import (
    add_constraints,
    augmented_lagrangian,
    clip_point,
    complementarity,
    loss_at,
    newton_decrement,
    pack,
    rule_at,
    unpack,
    unscaled,
    updated_multipliers,
    updated_rule,
    violation,
)
from theory.mean_field.solver.convergence import (
    Decision,
    accept_or_raise,
    converged,
    is_complementary,
    last_change,
)
from theory.mean_field.solver.preconditioner import (
    Preconditioner,
    initial_preconditioner,
    probe,
    scaling,
)
from theory.mean_field.solver.problem import Problem
from theory.mean_field.solver.state import (
    ConvergenceError,
    Minimum,
    Multipliers,
    Point,
    SolverState,
)

Array = NDArray[np.float64]
# Change over two rounds, over that of the last, below which rounds alternate.
_ALTERNATING = 0.2


def minimise(
    problem: Problem, near: Minimum | None = None, decided: Decision | None = None
) -> Minimum:
    """Return the constrained minimum, from random directions or from that of a similar problem.

    With ``decided`` the solver ends early, while the loss is still a few per cent off, if that
    function is true of what has been found.

    Raises
    ------
    ConvergenceError
        If it does not converge.

    Examples
    --------
    >>> from theory.activation import UNIFORM
    >>> from theory.frequencies import Frequencies
    >>> from theory.mean_field.groups import group_features
    >>> even = group_features(Frequencies.power_law(100, alpha=0.0))
    >>> 0.05 < minimise(Problem(even, 20.0, UNIFORM)).loss < 0.2
    True
    """
    try:
        found = descend(problem, near, decided)
    except (np.linalg.LinAlgError, FloatingPointError) as error:
        raise ConvergenceError(
            f"the mean field at m = {problem.m:g} with {problem.groups.count} groups left the "
            f"range of numbers ({error}): try another number of groups"
        ) from error
    restart = near is not None and not problem.options.accept_unsettled
    if restart and has_dead_group(problem, found):
        # The step from elsewhere was too long, and rare features do not return from the dead.
        found = min(found, descend(problem, None, decided), key=lambda one: one.lagrangian)
    return found


def has_dead_group(problem: Problem, found: Minimum) -> bool:
    """Return whether some group hardly responds to its own features."""
    return bool(np.any(problem.model.dead_groups(found.point.r, found.point.b)))


def descend(problem: Problem, near: Minimum | None, decided: Decision | None = None) -> Minimum:
    """Return the constrained minimum downhill from one start."""
    state = initialise(problem, near)
    while state.round < problem.options.rounds:
        state = step(problem, state)
        if problem.after_round is not None:
            problem.after_round()
        found = converged(problem, state, decided)
        if found is not None:
            return found
        state = update_penalty(problem, shrink_multipliers(problem, state))
    return accept_or_raise(problem, state)


def initialise(problem: Problem, near: Minimum | None = None) -> SolverState:
    """Return the state before the first round: random directions, or the point of a minimum."""
    preconditioner = initial_preconditioner(problem.groups, problem.laws, problem.m)
    if near is None:
        point, multipliers = random_directions(problem, preconditioner)
        frozen = problem.options.frozen_rounds if problem.optimised else 1
    else:
        point, multipliers, frozen = near.point, near.multipliers, 0
    point = clip_point(problem, point)
    rule = rule_at(problem, point, 0)
    loss = max(loss_at(problem, rule, point).loss, problem.loss_floor)
    return SolverState(point, multipliers, rule, preconditioner, loss, loss, frozen)


def random_directions(
    problem: Problem, preconditioner: Preconditioner
) -> tuple[Point, Multipliers]:
    """Return directions of norm 1 whose overlaps shrink as their budgets allow, and multipliers.

    It is the least Σ cost_gh (1 - θ_gh)² for t = (1 - θ) z under the budgets: the dual is concave,
    with θ = cost/(cost + multiplier × charge).
    """
    K, laws = problem.groups.count, problem.laws
    b = np.full(K, -min(0.3, 1 / np.sqrt(problem.m)))
    none = np.zeros((len(DEGREES), K, K))
    if not problem.optimised:
        return Point(np.ones(K), b, np.zeros(problem.shape)), Multipliers(np.zeros(K), none)
    cost = preconditioner.initial / 2 + np.finfo(float).tiny
    unit = cost.sum()

    def dual(force: Array) -> tuple[float, Array]:
        charge = unit * (force @ laws.charge)
        share = cost / (cost + charge)
        return (unit * force.sum() - (share * charge).sum()) / unit, 1 - laws.charge @ share**2

    force = minimize(dual, np.full(K, 1 / K), jac=True, method="L-BFGS-B", bounds=[(0, None)] * K).x
    share = problem.options.initial_shrinkage * cost / (cost + unit * (force @ laws.charge))
    return Point(np.ones(K), b, -share[:, None] * problem.z), Multipliers(unit * force, none)


def step(problem: Problem, state: SolverState) -> SolverState:
    """Return the state after one more round."""
    preconditioner, scale = precondition(problem, state)
    point, inverse = minimise_inner(problem, state, scale)
    rule = updated_rule(problem, state.rule, point)
    rule = refine_quadrature(problem, rule, point, alternates(problem, state))
    cost = loss_at(problem, rule, point)
    loss = max(cost.loss, problem.loss_floor)
    penalty = loss if state.round == 0 else state.penalty
    multipliers, moved = state.multipliers, 0.0
    if problem.optimised:
        multipliers = updated_multipliers(problem, point, multipliers, penalty)
        moved = relative_change(multipliers, state.multipliers)
    value = add_constraints(problem, cost.loss, point, multipliers)
    decrement = newton_decrement(problem, cost, point, multipliers, scale, inverse)
    found = Minimum(
        point=point,
        multipliers=multipliers,
        rule=rule,
        loss=cost.loss,
        lagrangian=value,
        violation=violation(problem, point),
        residual=decrement / max(value, problem.loss_floor),
        complementarity=complementarity(problem, point, multipliers),
        rounds=state.round + 1,
    )
    return replace(
        state,
        point=point,
        multipliers=multipliers,
        rule=rule,
        preconditioner=preconditioner,
        penalty=penalty,
        loss=loss,
        round=state.round + 1,
        violation=found.violation,
        previous_violation=state.violation,
        history=(*state.history, value),
        multiplier_change=moved,
        found=found,
    )


def precondition(problem: Problem, state: SolverState) -> tuple[Preconditioner, Array]:
    """Return the preconditioner, probed at the point, and the scale of the variables."""
    preconditioner = state.preconditioner
    if not problem.optimised:
        return preconditioner, unscaled(problem)
    if state.round >= state.frozen_rounds:

        def gradient(D: Array) -> Array:
            return loss_at(problem, state.rule, state.point._replace(D=D)).t

        preconditioner = probe(preconditioner, gradient, state.point.D)
    budget = state.multipliers.budget
    return preconditioner, scaling(preconditioner, problem.laws, budget, state.loss)


def minimise_inner(
    problem: Problem, state: SolverState, scale: Array
) -> tuple[Point, LbfgsInvHessProduct]:
    """Return the minimum of the augmented Lagrangian by L-BFGS, and its inverse second derivatives.

    Value and variables are in units in which the loss is about 1.
    """
    options, frozen = problem.settings, state.round < state.frozen_rounds
    iterations = options.frozen_iterations if frozen else options.iterations
    if not frozen and state.round >= options.late_round:
        iterations = round(iterations * options.late_factor)
    root = np.sqrt(state.loss)
    objective = partial(
        augmented_lagrangian, problem, state.rule, state.multipliers, state.penalty, scale
    )

    def scaled(y: Array) -> tuple[float, Array]:
        value, slope = objective(y * root)
        return value / state.loss, slope / root

    low, high = (end.copy() for end in problem.bounds)
    if frozen:
        low[: problem.groups.count] = high[: problem.groups.count] = 1.0
    x = pack(problem, state.point, scale)
    found = minimize(
        scaled,
        x / root,
        jac=True,
        method="L-BFGS-B",
        bounds=Bounds(low * scale / root, high * scale / root),
        options={
            "maxiter": iterations,
            "maxcor": options.memory,
            "ftol": options.relative_decrease,
            "gtol": 1e-12,  # never reached: the relative decrease ends a round
        },
    )
    return unpack(problem, found.x * root, scale), found.hess_inv


def refine_quadrature(
    problem: Problem, rule: QuadratureRule, point: Point, needed: bool = False
) -> QuadratureRule:
    """Return the rule, or that of the next level if it changes the loss by much or is needed."""
    options = problem.options
    if rule.level == options.finest_level:
        return rule
    finer = rule_at(problem, point, rule.level + 1)
    plain, better = (loss_at(problem, each, point).loss for each in (rule, finer))
    floor = max(better, problem.loss_floor)
    if needed or abs(better - plain) > options.quadrature_change * floor:
        return finer
    return rule


def alternates(problem: Problem, state: SolverState) -> bool:
    """Return whether the last rounds go to and fro between two quadrature rules of one level."""
    if len(state.history) < 3:
        return False
    once, twice = last_change(problem, state), last_change(problem, state, rounds=2)
    return once > problem.options.change and twice < _ALTERNATING * once


def relative_change(after: Multipliers, before: Multipliers) -> float:
    """Return the change of the multipliers over their sum."""
    far = sum(float(np.abs(a - b).sum()) for a, b in zip(after, before, strict=True))
    size = sum(float(np.abs(a).sum()) for a in after)
    return far / max(size, 1e-300)


def shrink_multipliers(problem: Problem, state: SolverState) -> SolverState:
    """Return the state with smaller multipliers if they are far too large.

    That is so where all constraints hold and Σ |multiplier × constraint| still exceeds the loss:
    the updates by the penalty would reduce them slowly.
    """
    found, options = state.found, problem.options
    assert found is not None
    slack = found.violation == 0 and state.previous_violation == 0
    slack = slack and not is_complementary(problem, state)
    if slack or (found.violation < options.violation and found.complementarity > state.loss):
        return replace(state, multipliers=state.multipliers.scaled(options.multiplier_shrinkage))
    return state


def update_penalty(problem: Problem, state: SolverState) -> SolverState:
    """Return the state with a larger penalty if the violation stays, within its largest value.

    A lower largest value makes the augmented Lagrangian easier to minimise: it rises, up to what
    random overlaps would cost, only while violations do not fall at all.
    """
    options = problem.options
    worst, before, penalty_scale = state.violation, state.previous_violation, state.penalty_scale
    if worst > max(options.no_decrease * before, options.violation):
        penalty_scale *= options.scale_factor
    elif worst < options.violation:
        penalty_scale = max(penalty_scale / options.scale_factor, 1.0)
    largest = min(penalty_scale * state.loss, float(state.preconditioner.initial.sum()))
    largest = options.penalty_limit * max(largest, state.loss)
    penalty = state.penalty
    if worst > max(options.slow_decrease * before, options.violation):
        penalty *= options.penalty_factor
    return replace(state, penalty=min(penalty, largest), penalty_scale=penalty_scale)
