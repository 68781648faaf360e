"""What the solver is given: ``Problem``, one width and one choice of live features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from theory.activation import Activation
from theory.mean_field.groups import FeatureGroups
from theory.mean_field.interference.expected_loss import InterferenceModel
from theory.mean_field.interference.overlap_laws import OverlapLaws
from theory.mean_field.solver.options import DEFAULTS, SolverOptions

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Problem:
    """The loss and its constraints at one width, for given live features.

    Attributes
    ----------
    groups : FeatureGroups
        The live features.
    m : float
        Width, above 1; not whole where a derivative is taken.
    activation : Activation
        The law of v.
    one_hot : bool
        Whether exactly one feature is active at a time.
    optimised : bool
        Whether overlaps are variables; if not they are Gaussian with the Welch variance.
    options : SolverOptions
        Number of nodes, bounds, and the constants of the solver.
    after_round : callable or None
        Called without arguments after each round of the solver.
    """

    groups: FeatureGroups
    m: float
    activation: Activation
    one_hot: bool = False
    optimised: bool = True
    options: SolverOptions = DEFAULTS
    after_round: Callable[[], None] | None = None

    @cached_property
    def settings(self) -> SolverOptions:
        """The options that hold for so many groups."""
        return self.options.for_single_group() if self.groups.count == 1 else self.options

    @cached_property
    def laws(self) -> OverlapLaws:
        """Overlap laws of random directions, and the constraints."""
        return OverlapLaws(self.groups.sizes, self.m, self.settings.overlap_nodes)

    @cached_property
    def _nodes(self) -> tuple[Array, Array]:
        if self.optimised:
            return self.laws.z, self.laws.weights
        z, weights = np.polynomial.hermite_e.hermegauss(self.settings.overlap_nodes)
        n = max(float(np.sum(self.groups.sizes)), self.m, 2.0)
        # m times the Welch mean square.
        return z * np.sqrt((n - self.m) / (n - 1)), weights / weights.sum()

    @property
    def z(self) -> Array:
        """Nodes of the scaled overlaps before they are moved (Z,)."""
        return self._nodes[0]

    @cached_property
    def model(self) -> InterferenceModel:
        """The loss as a function of norms, biases and overlaps."""
        return InterferenceModel(self.groups, self.m, self._nodes[1], self.activation, self.one_hot)

    @cached_property
    def loss_floor(self) -> float:
        """Loss below which it counts as 0."""
        groups = self.groups
        nothing = self.model.moments[2] * float((groups.importance * groups.sizes) @ groups.p)
        return self.options.loss_floor * float(nothing)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the displacements D: pairs of groups, nodes."""
        return len(self.laws.first), len(self.z)

    @cached_property
    def bounds(self) -> tuple[Array, Array]:
        """Least and largest r, b and, if overlaps are variables, D: one flat array each."""
        K, options = self.groups.count, self.settings
        ends = []
        for side, sign in ((0, -1), (1, 1)):
            end = [np.full(K, options.norm_bounds[side]), np.full(K, options.bias_bounds[side])]
            if self.optimised:
                most = sign * min(np.sqrt(self.m), options.overlap_limit)
                end.append(np.broadcast_to(most - self.z, self.shape).ravel())
            ends.append(np.concatenate(end))
        return ends[0], ends[1]

    def at(self, groups: FeatureGroups | None = None, m: float | None = None) -> Problem:
        """Return the same problem for other groups or at another width."""
        return replace(self, groups=groups or self.groups, m=self.m if m is None else m)
