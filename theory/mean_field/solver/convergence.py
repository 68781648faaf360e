"""Convergence tests of the method of multipliers: ``converged`` after each round.

Relative changes refer to the Lagrangian, at least the problem's floor.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from theory.mean_field.solver.problem import Problem
from theory.mean_field.solver.state import ConvergenceError, Minimum, SolverState

Decision = Callable[[Minimum], bool]
# What a stalled search may still gain, over the change of the loss in its last rounds.
_STALLED_MARGIN = 2.0


def last_change(problem: Problem, state: SolverState, rounds: int = 1) -> float:
    """Return the relative change of the Lagrangian over the last round, or rounds."""
    if len(state.history) <= rounds:
        return np.inf
    return abs(state.history[-1] - state.history[-1 - rounds]) / _size(problem, state)


def drift(problem: Problem, state: SolverState) -> float:
    """Return the relative range of the Lagrangian over the last rounds; inf if they are few."""
    lately = state.history[-problem.options.stalled_rounds :]
    if len(lately) < problem.options.stalled_rounds:
        return np.inf
    return (max(lately) - min(lately)) / _size(problem, state)


def converged(
    problem: Problem, state: SolverState, decided: Decision | None = None
) -> Minimum | None:
    """Return the minimum if the last round's result is one, or is good enough, else None."""
    found, options = state.found, problem.options
    assert found is not None
    free = state.round - 1 > state.frozen_rounds
    if free and (meets_tolerances(problem, state) or is_acceptable(problem, state)):
        return found
    close = last_change(problem, state) < options.decision_change
    if decided is not None and free and close and decided(found):
        return found
    stalled = found.violation < options.violation and drift(problem, state) < options.stalled
    if stalled and is_complementary(problem, state):
        # Whole minimisations have gained no more, whatever one Newton step seemed to promise.
        return found._replace(residual=_STALLED_MARGIN * drift(problem, state))
    return None


def meets_tolerances(problem: Problem, state: SolverState) -> bool:
    """Return whether all conditions of a minimum hold to their tolerances."""
    found, options = state.found, problem.options
    assert found is not None
    return (
        found.violation < options.violation * options.looseness
        and last_change(problem, state) < options.change * options.looseness
        and is_complementary(problem, state)
        and state.multiplier_change < options.multiplier_change * options.looseness
        and found.residual < options.decrement * options.looseness
    )


def is_complementary(problem: Problem, state: SolverState) -> bool:
    """Return whether multipliers × constraints are small against the loss."""
    assert state.found is not None
    limit = problem.options.complementarity * problem.options.looseness
    return state.found.complementarity < limit * _size(problem, state)


def is_acceptable(problem: Problem, state: SolverState) -> bool:
    """Return whether a coarse search has had its rounds and is within a per cent."""
    found, options = state.found, problem.options
    assert found is not None
    if options.accept_after is None or state.round < options.accept_after:
        return False
    # Rounds of two quadrature rules may alternate: then the change over two rounds counts.
    change = min(last_change(problem, state), last_change(problem, state, rounds=2))
    return max(found.violation, change, found.residual) < options.accept


def accept_or_raise(problem: Problem, state: SolverState) -> Minimum:
    """Return the last round's result if it is nearly a minimum after all.

    Raises
    ------
    ConvergenceError
        If it is not.
    """
    found, options = state.found, problem.options
    assert found is not None
    change = last_change(problem, state)
    unsure = found.complementarity + (change + found.residual) * _size(problem, state)
    limit = max(options.complementarity * found.lagrangian, problem.loss_floor)
    if options.accept_unsettled or unsure < limit:
        return found
    raise ConvergenceError(
        f"the mean field at m = {problem.m:g} with {problem.groups.count} groups did not converge "
        f"in {options.rounds} rounds (violation {found.violation:.1g}, last change {change:.1g}, "
        f"residual {found.residual:.1g}): try another number of groups"
    )


def _size(problem: Problem, state: SolverState) -> float:
    """Return the Lagrangian that relative changes refer to, at least the floor."""
    return max(state.history[-1], problem.loss_floor)
