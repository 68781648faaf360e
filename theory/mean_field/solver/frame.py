"""A cheap feasible point of the mean field: ``frame_minimum``, an upper bound of its minimum.

The most important s features have an axis each; the others form an isotropic frame of the other
m - s dimensions, with overlaps of random directions shrunk by the factor of the Welch bound. Norms
and biases are the best for these overlaps, and s is the best number of whole groups at which all
constraints hold; s = 0 is always possible. The constrained minimum costs no more, so that a
solution that does is none; and as a start this point is far from the dead features and the large
multipliers of a start that is not feasible.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, minimize

from theory.mean_field.interference.overlap_laws import DEGREES
from theory.mean_field.solver.augmented_lagrangian import clip_point, loss_at, rule_at, violation
from theory.mean_field.solver.preconditioner import initial_preconditioner, probe_biases
from theory.mean_field.solver.problem import Problem
from theory.mean_field.solver.state import Minimum, Multipliers, Point

Array = NDArray[np.float64]
# What a constraint of a feasible point may miss, by rounding and by cut-off overlaps.
_VIOLATION = 1e-6
# Bisections of ln(-b), between these shares of the largest bias and it.
_BISECTIONS, _LEAST_BIAS = 8, 1e-4
# Rounds of the minimisation by norms and biases, each with a rule of its own, their iterations,
# and the levels of the rule there and for the loss.
_ROUNDS, _ITERATIONS, _LEVEL, _FINEST_LEVEL = 2, 20, 1, 2


def frame_minimum(problem: Problem) -> Minimum:
    """Return that point of a problem whose overlaps are variables, without multipliers.

    Its loss, at norms and biases that need not be the very best, is an upper bound of the minimum.

    Examples
    --------
    >>> from theory.activation import UNIFORM
    >>> from theory.frequencies import Frequencies
    >>> from theory.mean_field.groups import group_features
    >>> from theory.mean_field.solver.method_of_multipliers import minimise
    >>> problem = Problem(group_features(Frequencies.power_law(100, alpha=0.0)), 20.0, UNIFORM)
    >>> bound = frame_minimum(problem)
    >>> bound.violation < 1e-9, minimise(problem).loss < bound.loss
    (True, True)
    """
    K = problem.groups.count
    best, least = None, np.inf
    for head in range(K):
        if problem.groups.sizes[:head].sum() > problem.m / 2:
            break  # the budget of all features does not allow more axes
        point = clip_point(problem, Point(np.ones(K), np.zeros(K), _frame_overlaps(problem, head)))
        if violation(problem, point) > _VIOLATION:
            continue
        point = _bisect_biases(problem, point)
        loss = loss_at(problem, rule_at(problem, point, 0), point).loss
        if loss < least:
            best, least = point, loss
    if best is None:
        best = Point(np.ones(K), np.zeros(K), np.zeros(problem.shape))
        best = _bisect_biases(problem, best)
    for _ in range(_ROUNDS):
        best = _improve_norms_and_biases(problem, best)
    rule = rule_at(problem, best, _FINEST_LEVEL)
    loss = loss_at(problem, rule, best).loss
    none = Multipliers(np.zeros(K), np.zeros((len(DEGREES), K, K)))
    return Minimum(best, none, rule, loss, loss, violation(problem, best), 0.0, 0.0, 0)


def _frame_overlaps(problem: Problem, head: int) -> Array:
    """Return the displacements (pairs, Z) with an axis for each feature of the first groups."""
    m, laws = problem.m, problem.laws
    axes = float(problem.groups.sizes[:head].sum())
    rest = float(problem.groups.sizes[head:].sum())
    # Welch in m - s dimensions: mean square overlap (n - m)/((n - s - 1)(m - s)).
    squares = max(axes + rest - m, 0.0) / max(rest - 1, 1.0) * m / (m - axes)
    shrunk = np.where(laws.first < head, 0.0, np.sqrt(squares))
    D: Array = (shrunk - 1)[:, None] * problem.z
    return D


def _bisect_biases(problem: Problem, point: Point) -> Point:
    """Return the point with each bias where the derivative by it is 0: the loss is separable."""
    K, least = problem.groups.count, problem.settings.bias_bounds[0]
    low, high = np.full(K, _LEAST_BIAS), np.ones(K)
    for _ in range(_BISECTIONS):
        middle = np.sqrt(low * high)
        at = point._replace(b=least * middle)
        falls = loss_at(problem, rule_at(problem, at, 0), at).b > 0  # a lower bias is better
        low, high = np.where(falls, middle, low), np.where(falls, high, middle)
    return point._replace(b=least * np.sqrt(low * high))


def _improve_norms_and_biases(problem: Problem, point: Point) -> Point:
    """Return the point with better norms and biases, by L-BFGS at one quadrature rule."""
    K, rule = problem.groups.count, rule_at(problem, point, _LEVEL)
    first = initial_preconditioner(problem.groups, problem.laws, problem.m)

    def gradient(b: Array) -> Array:
        return loss_at(problem, rule, point._replace(b=b)).b

    found = probe_biases(first, gradient, point.b, rule.scale)
    loss = loss_at(problem, rule, point).loss
    scale = np.sqrt(np.concatenate([found.by_norm, found.by_bias]) / max(loss, problem.loss_floor))

    def objective(x: Array) -> tuple[float, Array]:
        plain = x / scale
        cost = loss_at(problem, rule, point._replace(r=plain[:K], b=plain[K:]))
        unit = max(loss, problem.loss_floor)
        return cost.loss / unit, np.concatenate([cost.r, cost.b]) / scale / unit

    low, high = (end[: 2 * K] * scale for end in problem.bounds)
    start = np.concatenate([point.r, point.b]) * scale
    options = {"maxiter": _ITERATIONS, "ftol": 1e-6}
    x = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=Bounds(low, high),
                 options=options).x / scale  # fmt: skip
    return point._replace(r=x[:K], b=x[K:])
