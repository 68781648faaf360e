r"""The augmented Lagrangian of the mean field: pure functions of problem, rule and point.

    L(r, b, z + D) + Σ_s [(λ_s + ϱ c_s)₊² - λ_s²]/2ϱ + Σ_k [‖(S_k - ϱ B_k)₊‖² - ‖S_k‖²]/2ϱ

with c_s = spent_s - 1 the budgets, B_k the positivity matrices
(theory/mean_field/interference/overlap_laws.py), λ and S their multipliers, ϱ the penalty and (·)₊
the positive part (of a matrix: its projection on the positive semidefinite cone).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import LbfgsInvHessProduct

from theory.mean_field.interference.expected_loss import Cost, expected_loss
from theory.mean_field.interference.quadrature import QuadratureRule, choose_rule, update_rule
from theory.mean_field.solver.problem import Problem
from theory.mean_field.solver.state import Minimum, Multipliers, Point

Array = NDArray[np.float64]


def pack(problem: Problem, point: Point, scale: Array) -> Array:
    """Return the optimizer's variables of a point: one flat array, within bounds, scaled."""
    parts = (point.r, point.b, point.D.ravel()) if problem.optimised else (point.r, point.b)
    low, high = problem.bounds
    packed: Array = np.clip(np.concatenate(parts), low, high) * scale
    return packed


def unpack(problem: Problem, x: Array, scale: Array) -> Point:
    """Return the point that the optimizer's variables stand for."""
    K, plain = problem.groups.count, x / scale
    D = plain[2 * K :].reshape(problem.shape) if problem.optimised else np.zeros(problem.shape)
    return Point(plain[:K], plain[K : 2 * K], D)


def unscaled(problem: Problem) -> Array:
    """Return the scale 1 of each of the optimizer's variables."""
    return np.ones_like(problem.bounds[0])


def clip_point(problem: Problem, point: Point) -> Point:
    """Return the point within bounds that is nearest."""
    scale = unscaled(problem)
    return unpack(problem, pack(problem, point, scale), scale)


def loss_at(problem: Problem, rule: QuadratureRule, point: Point) -> Cost:
    """Return the loss without its constraints, and its gradient."""
    return expected_loss(problem.model, rule, point.r, point.b, problem.z + point.D)


def rule_at(problem: Problem, point: Point, level: int) -> QuadratureRule:
    """Return the quadrature rule of a level that is made for a point."""
    return choose_rule(problem.model, level, point.r, point.b, problem.z + point.D)


def updated_rule(problem: Problem, rule: QuadratureRule, point: Point) -> QuadratureRule:
    """Return the quadrature rule to go on with at a point."""
    return update_rule(problem.model, rule, point.r, point.b, problem.z + point.D)


def constraints(problem: Problem, point: Point) -> tuple[Array, Array]:
    """Return budgets spent less 1 (K,), at most 0, and the positivity matrices (6, K, K)."""
    return problem.laws.spent(point.D) - 1, problem.laws.positivity(problem.z + point.D)[0]


def lagrangian(
    problem: Problem, rule: QuadratureRule, point: Point, multipliers: Multipliers
) -> float:
    """Return the loss and Σ multiplier × constraint: stationary in the point at a minimum."""
    return add_constraints(problem, loss_at(problem, rule, point).loss, point, multipliers)


def add_constraints(problem: Problem, loss: float, point: Point, multipliers: Multipliers) -> float:
    """Return a loss and Σ multiplier × constraint."""
    if problem.optimised:
        budget, matrices = constraints(problem, point)
        loss += float(multipliers.budget @ budget)
        loss -= float(np.sum(multipliers.positivity * matrices))
    return loss


def lagrangian_of(problem: Problem, found: Minimum) -> float:
    """Return the Lagrangian of another problem at a minimum, by the minimum's quadrature rule.

    The problem has as many groups. Losses then differ by groups and width only, not by the rule.
    """
    return lagrangian(problem, found.rule, found.point, found.multipliers)


def augmented_lagrangian(
    problem: Problem,
    rule: QuadratureRule,
    multipliers: Multipliers,
    penalty: float,
    scale: Array,
    x: Array,
) -> tuple[float, Array]:
    """Return the augmented Lagrangian and its gradient by the optimizer's variables x."""
    point = unpack(problem, x, scale)
    cost = loss_at(problem, rule, point)
    if not problem.optimised:
        return cost.loss, np.concatenate([cost.r, cost.b]) / scale
    laws, budget = problem.laws, multipliers.budget
    force = np.maximum(budget + penalty * (laws.spent(point.D) - 1), 0.0)
    value = cost.loss + (force @ force - budget @ budget) / (2 * penalty)
    matrices, slopes = laws.positivity(problem.z + point.D)
    pushes = positive_part(multipliers.positivity - penalty * matrices)
    value += (np.sum(pushes**2) - np.sum(multipliers.positivity**2)) / (2 * penalty)
    by_D = cost.t + laws.spent_slope(point.D, force) - laws.pull(pushes, slopes)
    return float(value), np.concatenate([cost.r, cost.b, by_D.ravel()]) / scale


def updated_multipliers(
    problem: Problem, point: Point, multipliers: Multipliers, penalty: float
) -> Multipliers:
    """Return the multipliers of the first-order update, λ + ϱ c and S - ϱ B, where positive."""
    budget, matrices = constraints(problem, point)
    return Multipliers(
        np.maximum(multipliers.budget + penalty * budget, 0.0),
        positive_part(multipliers.positivity - penalty * matrices),
    )


def violation(problem: Problem, point: Point) -> float:
    """Return the largest violation of a constraint: of a budget, or a negative eigenvalue."""
    if not problem.optimised:
        return 0.0
    budget, matrices = constraints(problem, point)
    return max(0.0, float(budget.max()), -float(np.linalg.eigvalsh(matrices).min()))


def complementarity(problem: Problem, point: Point, multipliers: Multipliers) -> float:
    """Return Σ |multiplier × constraint|: 0 at an exact minimum."""
    if not problem.optimised:
        return 0.0
    budget, matrices = constraints(problem, point)
    products = np.abs((multipliers.positivity * matrices).sum((1, 2)))
    return float(multipliers.budget @ np.abs(budget) + products.sum())


def newton_decrement(
    problem: Problem,
    cost: Cost,
    point: Point,
    multipliers: Multipliers,
    scale: Array,
    inverse: LbfgsInvHessProduct,
) -> float:
    """Return what one Newton step would gain of the Lagrangian.

    It is the smaller of two estimates: in the preconditioner's metric, and by the inverse second
    derivatives of L-BFGS. The first overrates a slope across a penalty or beside b = 0, where the
    second derivative is larger by orders than the preconditioner. ``cost`` is that of the point.
    Variables at a bound that the gradient pushes outwards stay.
    """
    slope = [cost.r, cost.b]
    if problem.optimised:
        laws = problem.laws
        pull = laws.pull(multipliers.positivity, laws.positivity(problem.z + point.D)[1])
        slope.append((cost.t + laws.spent_slope(point.D, multipliers.budget) - pull).ravel())
    g = np.concatenate(slope) / scale
    x = pack(problem, point, scale)
    low, high = (end * scale for end in problem.bounds)
    g[((x <= low) & (g > 0)) | ((x >= high) & (g < 0))] = 0.0
    return min(float(g @ g), max(float(g @ inverse.matvec(g)), 0.0)) / 2


def positive_part(matrices: Array) -> Array:
    """Return the projections of symmetric matrices (…, K, K) on the positive semidefinite cone."""
    values, vectors = np.linalg.eigh(matrices)
    part: Array = (vectors * np.maximum(values, 0.0)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    return part
