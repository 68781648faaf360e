"""Values of the solver: a point, multipliers, a constrained minimum, and what rounds pass on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from theory.mean_field.interference.quadrature import QuadratureRule
    from theory.mean_field.solver.preconditioner import Preconditioner

Array = NDArray[np.float64]


class ConvergenceError(ArithmeticError):
    """The constrained minimum was not found to the tolerance.

    Examples
    --------
    >>> from theory.frequencies import Frequencies
    >>> from theory.mean_field.solve import solve_mean_field
    >>> from theory.mean_field.solver.options import SolverOptions
    >>> words = Frequencies.power_law(60, alpha=0.0)
    >>> try:
    ...     solve_mean_field(words, 12, options=SolverOptions(rounds=1))
    ... except ConvergenceError:
    ...     print("try another number of groups")
    try another number of groups
    """


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
        the loss stalled, twice what the last rounds changed it by.
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


@dataclass(frozen=True, eq=False)
class SolverState:
    """What one round passes on to the next.

    Attributes
    ----------
    point, multipliers, rule, preconditioner, penalty
        With which the next round begins.
    loss : float
        Loss at the point, at least the problem's floor.
    penalty_scale : float
        The largest penalty over the loss, in units of ``penalty_limit``.
    frozen_rounds : int
        First rounds in which norms are 1.
    round : int
        Rounds done.
    violation, previous_violation : float
        Largest violation after the last round and the one before.
    history : tuple of float
        Lagrangian after each round.
    multiplier_change : float
        Change of the multipliers in the last round, over their sum.
    found : Minimum, optional
        The last round's result; None before the first.
    """

    point: Point
    multipliers: Multipliers
    rule: QuadratureRule
    preconditioner: Preconditioner
    penalty: float
    loss: float
    frozen_rounds: int
    penalty_scale: float = 1.0
    round: int = 0
    violation: float = np.inf
    previous_violation: float = np.inf
    history: tuple[float, ...] = ()
    multiplier_change: float = np.inf
    found: Minimum | None = None
