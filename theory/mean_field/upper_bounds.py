"""Upper bounds of the mean-field loss: points within its constraints, known without a search.

``minimise_below`` is the minimisation of ``solve_mean_field``, checked against them: a numerical
minimum above a point that satisfies the same constraints is none. The points are the frame of
theory/mean_field/solver/frame.py for the live features found and for all features, and the m most
important features alone, each on its own axis (theory/mean_field/antipodal.py).
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from theory.mean_field.groups import RankedFeatures, group_features
from theory.mean_field.live_features import non_negligible
from theory.mean_field.solver.frame import frame_minimum
from theory.mean_field.solver.method_of_multipliers import minimise
from theory.mean_field.solver.problem import Problem
from theory.mean_field.solver.state import ConvergenceError, Minimum

# A loss above a bound by less than this is taken as equal: tolerances of the minimisation.
_EQUAL = 5e-3


class Bound(NamedTuple):
    """A problem, a feasible point of it, and the whole loss there, lost features included."""

    problem: Problem
    found: Minimum
    total: float


def frame_bounds(features: RankedFeatures, problem: Problem, groups: int | None) -> list[Bound]:
    """Return the bounds with the live features of a problem and with all, the lowest first."""
    problems = [problem]
    everything = non_negligible(features)
    if everything > problem.groups.n:
        all_groups = group_features(features, groups, everything)
        problems.append(replace(problem, groups=all_groups))
    bounds = []
    for each in problems:
        found = frame_minimum(each)
        bounds.append(Bound(each, found, found.loss + features.lost_loss(each.groups.n)))
    return sorted(bounds, key=lambda bound: bound.total)


def minimise_below(
    features: RankedFeatures, problem: Problem, start: Minimum, bounds: list[Bound]
) -> tuple[Problem, Minimum]:
    """Return the minimum from a start; where it is above a bound, the one downhill from there.

    Raises
    ------
    ConvergenceError
        If neither search converges to a loss below the bounds.
    """
    tried: list[tuple[Problem, Minimum]] = []
    failure = None
    starts = [(problem, start), *((bound.problem, bound.found) for bound in bounds[:1])]
    for each, near in starts:
        try:
            tried.append((each, minimise(each, near)))
        except ConvergenceError as error:
            failure = failure or error
            continue
        if not bounds or _total(features, *tried[-1]) <= _limit(problem, bounds[0].total):
            break
    if not tried:
        assert failure is not None
        raise failure
    best = min(tried, key=lambda one: _total(features, *one))
    if bounds:
        check_below(problem, _total(features, *best), bounds[0].total, "an isotropic frame")
    return best


def check_below(problem: Problem, total: float, bound: float, name: str) -> None:
    """Raise a ConvergenceError if a loss is above a bound, which ``name`` attains."""
    if total > _limit(problem, bound):
        raise ConvergenceError(
            f"the search at m = {problem.m:g} with {problem.groups.count} groups ended at a loss "
            f"of {total:.4g} (v in units of half its largest value), but {name} loses "
            f"{bound:.4g} only: try another number of groups"
        )


def _total(features: RankedFeatures, problem: Problem, found: Minimum) -> float:
    return found.lagrangian + features.lost_loss(problem.groups.n)


def _limit(problem: Problem, bound: float) -> float:
    return (1 + _EQUAL) * bound + problem.loss_floor
