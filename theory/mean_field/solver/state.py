"""Values of the solver: a point, multipliers, and a constrained minimum."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.mean_field.interference.quadrature import QuadratureRule

Array = NDArray[np.float64]


class ConvergenceError(ArithmeticError):
    """The constrained minimum was not found to the tolerance."""


class Point(NamedTuple):
    """Norms and biases (K,), and displacements D = t - z of the overlaps (pairs, Z)."""

    r: Array
    b: Array
    D: Array


class Multipliers(NamedTuple):
    """Lagrange multipliers of the budgets (K,), and of the positivity matrices (6, K, K)."""

    budget: Array
    positivity: Array

    def scaled(self, factor: float) -> Multipliers:
        """Return all of them times a factor."""
        return Multipliers(factor * self.budget, factor * self.positivity)


class Minimum(NamedTuple):
    """A constrained minimum and how well its conditions hold.

    Attributes
    ----------
    point, multipliers, rule
        Where it is, its multipliers, and the quadrature rule by which its loss was computed.
    loss : float
        The loss, its constraints left out.
    lagrangian : float
        The loss and Σ multiplier × constraint: stationary in the point.
    violation : float
        Largest violation of a constraint.
    residual : float
        What one more Newton step would gain, relative to the loss; where the solver ended because
        the loss stalled, at least what the last rounds changed it by.
    complementarity : float
        Σ |multiplier × constraint|, 0 at an exact minimum.
    rounds : int
        Rounds of the solver.
    """

    point: Point
    multipliers: Multipliers
    rule: QuadratureRule
    loss: float
    lagrangian: float
    violation: float
    residual: float
    complementarity: float
    rounds: int
