"""What the search for a constrained minimum of the mean-field loss holds and gives back.

Use ``Minimum`` for where ``theory.mean_field.augmented_lagrangian.Problem`` ended, its ``State``
and ``Multipliers``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class ConvergenceError(ArithmeticError):
    """The constrained minimum was not found to the tolerance."""


@dataclass
class Multipliers:
    """Of the budgets (K,), and of the positivity matrices (6, K, K)."""

    budget: Array
    positivity: Array


class State(NamedTuple):
    """Norms and biases (K,), and displacements D (pairs, Z)."""

    r: Array
    b: Array
    D: Array


class Minimum(NamedTuple):
    """A constrained minimum: where, its multipliers, and how well its conditions hold.

    ``violation`` is the largest of any limit, ``residual`` what a Newton step would gain, relative
    to the loss; where the search ended because the loss stood still, at least what the last rounds
    changed it by.
    """

    state: State
    multipliers: Multipliers
    violation: float
    residual: float
    rounds: int
