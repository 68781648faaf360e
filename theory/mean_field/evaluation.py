"""From a constrained minimum to a ``MeanField``: loss, exponent and numerical uncertainty."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.checks import Sampling, read_only
from theory.features import Features
from theory.mean_field.antipodal import Antipodal, antipodal_loss, orthogonal_loss
from theory.mean_field.groups import RankedFeatures, group_features, rank_features, split_groups
from theory.mean_field.interference.overlap_laws import DEGREES
from theory.mean_field.prolongation import prolong
from theory.mean_field.solution import MeanField, NumericalErrors
from theory.mean_field.solver.augmented_lagrangian import (
    add_constraints,
    lagrangian,
    lagrangian_of,
    loss_at,
    rule_at,
)
from theory.mean_field.solver.problem import Problem
from theory.mean_field.solver.state import Minimum

Array = NDArray[np.float64]
# Parts of each group on which the loss is evaluated, and the share of the difference from whole
# groups that counts as an error: a quarter of the spread within groups remains within parts.
_PARTS, _PARTS_UNCERTAIN = 4, 0.2
# Relative step in m of the exponent's central difference.
_STEP = 1e-3


class Evaluation(NamedTuple):
    """The loss of live features at a minimum, and its numerical errors.

    Attributes
    ----------
    loss, self_error : float
        Of features that differ within their groups, by the finest quadrature.
    errors : NumericalErrors
        Of the loss with that of lost features.
    """

    loss: float
    self_error: float
    errors: NumericalErrors


def evaluate(features: RankedFeatures, problem: Problem, found: Minimum) -> Evaluation:
    """Return the loss of a minimum on parts of its groups, and its numerical errors.

    Features that differ within their groups lose less than equal ones. Where they do not, because
    nothing lies between groups that small, the loss of the groups stands.
    """
    parts, parent = split_groups(
        features, problem.groups, _PARTS if problem.groups.count > 1 else 1
    )
    apart = problem.at(parts)
    point, multipliers = prolong(problem, found, apart, parent)
    level = found.rule.level
    plain = lagrangian(apart, rule_at(apart, point, level), point, multipliers)
    if plain > found.lagrangian:
        apart, point, multipliers, plain = problem, found.point, found.multipliers, found.lagrangian
    cost = loss_at(apart, rule_at(apart, point, level + 1), point)
    loss = max(add_constraints(apart, cost.loss, point, multipliers), 0.0)
    total = loss + features.lost_loss(problem.groups.n)
    errors = NumericalErrors(
        quadrature=abs(loss - plain),
        grouping=_PARTS_UNCERTAIN * abs(plain - found.lagrangian),
        constraints=found.complementarity,
        convergence=(problem.options.change + found.residual) * total,
    )
    return Evaluation(loss, cost.self_error, errors)


def local_exponent(problem: Problem, found: Minimum, lost: float) -> float:
    """Return -d ln L/d ln m of the whole loss; NaN where it is below the problem's floor.

    By the envelope theorem the minimum changes with m as the Lagrangian does at a fixed point.
    """
    step, total = _STEP * problem.m, found.lagrangian + lost
    if total <= problem.loss_floor:
        return float("nan")
    below, above = (
        lagrangian_of(problem.at(m=problem.m + change), found) for change in (-step, step)
    )
    return -(above - below) / (2 * step) * problem.m / total


def report_minimum(features: RankedFeatures, problem: Problem, found: Minimum) -> MeanField:
    """Return all that is known of a minimum, in the units of the features given."""
    live, groups, point = evaluate(features, problem, found), problem.groups, found.point
    lost, unit = features.lost_loss(groups.n), features.loss_unit
    pairs, laws = problem.z + point.D, problem.laws
    t = np.empty((groups.count, groups.count, pairs.shape[1]))
    t[laws.first, laws.second] = t[laws.second, laws.first] = pairs
    positivity = found.multipliers.positivity
    active = [k for k, S in zip(DEGREES, positivity, strict=True) if np.trace(S) > 0]
    spent = laws.spent(point.D) if problem.optimised else np.zeros(groups.count)
    return MeanField(
        m=problem.m,
        loss=unit * (live.loss + lost),
        lost=unit * lost,
        self_error=unit * live.self_error,
        exponent=local_exponent(problem, found, lost),
        errors=NumericalErrors(*(unit * error for error in live.errors)),
        groups=replace(groups, importance=features.importance_unit * groups.importance),
        r=read_only(point.r),
        b=read_only(features.v_unit * point.b),
        z=read_only(problem.z),
        weights=read_only(problem.model.weights),
        t=read_only(t),
        budget=read_only(spent),
        multipliers=read_only(unit * found.multipliers.budget),
        active_degrees=tuple(active) if problem.optimised else (),
        violation=found.violation,
        residual=found.residual,
        rounds=found.rounds,
    )


def report_axes(
    found: Antipodal, features: Features, m: int, groups: int | None, sampling: Sampling
) -> MeanField:
    """Return what is known of features on axes: in antipodal pairs, or alone where m are live."""
    kept, unit = (
        group_features(features, groups, found.live),
        rank_features(features).importance_unit,
    )
    kept = replace(kept, importance=unit * kept.importance)
    pairs = max(found.live - m, 0)
    share = pairs / max(found.live * (found.live - 1) / 2, 1)
    z, weights = np.array([-np.sqrt(m), 0.0]), np.array([share, 1 - share])
    slope = float("nan")
    if m < features.n and found.loss > 0:
        # Upwards: the loss has a step below the least width that holds all features in pairs.
        wider = (
            antipodal_loss(features, m + 1, sampling) if pairs else orthogonal_loss(features, m + 1)
        )
        slope = m * (1 - wider.loss / found.loss)
    none = np.zeros(kept.count)
    return MeanField(
        m=m,
        loss=found.loss,
        lost=found.lost,
        self_error=0.0,
        exponent=slope,
        errors=NumericalErrors(0.0, 0.0, 0.0, 0.0),
        groups=kept,
        r=read_only(np.ones(kept.count)),
        b=read_only(none.copy()),
        z=read_only(z),
        weights=read_only(weights),
        t=read_only(np.broadcast_to(z, (kept.count, kept.count, 2)).copy()),
        budget=read_only(np.full(kept.count, np.nan)),
        multipliers=read_only(none.copy()),
        active_degrees=(),
        violation=0.0,
        residual=0.0,
        rounds=0,
    )
