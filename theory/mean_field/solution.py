"""The result of ``theory.mean_field.solve.solve_mean_field``: its fields, table and plot."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from theory.figures.style import BLACK, BLUE, finish, open_axes
from theory.mean_field.groups import FeatureGroups
from theory.results import result

Array = NDArray[np.float64]


class NumericalErrors(NamedTuple):
    """Estimated numerical errors of a mean-field loss, each in units of the loss.

    Attributes
    ----------
    quadrature : float
        Change of the loss by the last refinement of its integrals.
    grouping : float
        A fifth of the change of the loss from whole groups to four parts of each.
    constraints : float
        Σ |multiplier × constraint|: first-order effect of constraints that hold to a tolerance.
    convergence : float
        The loss times the tolerance of its last change plus ``residual``.
    """

    quadrature: float
    grouping: float
    constraints: float
    convergence: float


@dataclass(frozen=True, eq=False)
@result
class MeanField:
    """A minimum of the mean-field loss at one width.

    Attributes
    ----------
    m : float
        Width.
    loss : float
        Predicted loss, summed over features: ``lost + self_error + interference``.
    lost : float
        Loss of the features that are not live: I_i (⟨v²⟩ p_i - ⟨v⟩² p_i²) each, the loss at their
        best constant output.
    self_error : float
        Loss that live features would have without interference: the gain r² differs from 1 and the
        bias from 0.
    exponent : float
        Local exponent -d ln L/d ln m, from the derivative of the optimum; NaN where the loss is
        less than a millionth of the loss of learning nothing.
    errors : NumericalErrors
        Numerical errors of ``loss``; ``uncertainty`` is their sum.
    groups : FeatureGroups
        The live features in K groups. ``r``, ``b`` and ``t`` are those of groups; ``loss`` and
        ``self_error`` are those of features that differ within them.
    r, b : ndarray, shape (K,)
        Norm and bias of each group.
    z, weights : ndarray, shape (Z,)
        Nodes and probabilities of the law of scaled overlaps √m u·v before they are moved: random
        directions, or Gaussian with the Welch mean square where overlaps are not optimised. Two
        nodes, -√m and 0, where features are kept in antipodal pairs.
    t : ndarray, shape (K, K, Z)
        Scaled overlaps of each pair of groups, after they are moved.
    budget : ndarray, shape (K,)
        Share of their budget that the groups up to each one spend, at most 1; NaN for antipodal
        pairs, which exceed it.
    multipliers : ndarray, shape (K,)
        Lagrange multipliers of the budgets: -dL/d ln(budget); 0 where a budget is not exhausted.
    active_degrees : tuple of int
        Degrees of the positivity constraints that are active.
    violation : float
        Largest violation of a constraint (share of a budget; eigenvalue of a positivity matrix).
    residual : float
        What one more Newton step would gain, relative to the loss; or, if the solver stalled, twice
        the change of the loss in the last rounds.
    rounds : int
        Rounds of the solver.
    """

    m: float
    loss: float
    lost: float
    self_error: float
    exponent: float
    errors: NumericalErrors
    groups: FeatureGroups
    r: Array
    b: Array
    z: Array
    weights: Array
    t: Array
    budget: Array
    multipliers: Array
    active_degrees: tuple[int, ...]
    violation: float
    residual: float
    rounds: int

    @property
    def uncertainty(self) -> float:
        """Numerical uncertainty of ``loss``: the sum of ``errors``."""
        return sum(self.errors)

    @property
    def live(self) -> int:
        """Number of live features."""
        return self.groups.n

    @property
    def interference(self) -> float:
        """Loss by interference: ``loss - lost - self_error``."""
        return self.loss - self.lost - self.self_error

    @property
    def _shares(self) -> Array:
        """Return the share of each pair of groups among all pairs of live features (K, K)."""
        sizes = self.groups.sizes.astype(float)
        pairs = np.outer(sizes, sizes) - np.diag(sizes)
        share: Array = pairs / max(pairs.sum(), 1.0)
        return share

    @property
    def mean_square_overlap(self) -> float:
        """Mean of (u_i·u_j)² over all pairs of live features; 0 if there is only one."""
        return float((self._shares * (self.t**2 @ self.weights)).sum() / self.m)

    @property
    def skewness(self) -> float:
        """⟨t³⟩ over ⟨t²⟩^(3/2), over all pairs of live features; NaN if overlaps are 0."""
        second, third = ((self._shares * (self.t**k @ self.weights)).sum() for k in (2, 3))
        return float(third / second**1.5) if second > 0 else float("nan")

    def to_dataframe(self) -> pd.DataFrame:
        """Return a row for each group: features, p, importance, r, b, budget, multiplier."""
        return pd.DataFrame(
            {
                "features": self.groups.sizes,
                "p": self.groups.p,
                "importance": self.groups.importance,
                "r": self.r,
                "b": self.b,
                "budget": self.budget,
                "multiplier": self.multipliers,
            }
        )

    def histogram(self) -> tuple[Array, Array]:
        """Return values of t over all pairs of live features, sorted, and their probabilities.

        Returns
        -------
        ndarray, ndarray, shape (K K Z,)
            Values and probabilities; all of these are 0 if a single feature is live.
        """
        share = self._shares[:, :, None] * self.weights
        order = np.argsort(self.t, axis=None)
        return self.t.ravel()[order], share.ravel()[order]

    def plot(self, ax: Any = None) -> Any:
        """Draw the law of scaled overlaps and that of random directions; return the axes."""
        ax = open_axes(ax)
        values, shares = self.histogram()
        ax.step(values, np.cumsum(shares), where="post", label="solution", color=BLUE)
        ax.step(
            self.z, np.cumsum(self.weights), where="post", label="random directions",
            color=BLACK, ls="--",
        )  # fmt: skip
        title = f"mean field, m = {self.m:g}, {self.live} live features"
        return finish(ax, "scaled overlap t = √m u·v", "share of pairs below t", title=title)

    def __repr__(self) -> str:
        return "\n".join(
            (
                f"Mean field at m = {self.m:g}: loss {self.loss:.5g} ± {self.uncertainty:.1g}, "
                f"local exponent {self.exponent:.3f}",
                f"  lost {self.lost:.3g}, self error {self.self_error:.3g}, "
                f"interference {self.interference:.3g}",
                f"  {self.live} live features in {self.groups.count} groups, "
                f"mean square overlap {self.mean_square_overlap:.3g}",
                f"  constraints hold to {self.violation:.1g}, {self.rounds} rounds",
            )
        )

    def _repr_html_(self) -> str:
        table: str = self.to_dataframe().to_html(index=False, float_format="{:.4g}".format)
        return f"<pre>{escape(repr(self))}</pre>{table}"
