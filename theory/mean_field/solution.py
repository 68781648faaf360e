"""What a mean field was solved to: the result of ``theory.mean_field.solve.solve_mean_field``.

Use its fields, tables and plot; nothing here solves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from theory.mean_field.groups import FeatureGroups

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MeanField:
    """A minimum of the mean-field loss at one width.

    Attributes
    ----------
    m : float
        Width.
    loss : float
        Predicted loss, summed over features: ``lost + self_error + interference``.
    lost : float
        What features cost that are better left out: ⟨v²⟩ p_i - ⟨v⟩² p_i² each, the least that a
        constant output costs.
    self_error : float
        What the others would cost if they did not interfere (their gain is not 1 and their bias not
        0).
    exponent : float
        Local exponent -d ln L / d ln m, from the derivative of the optimum; NaN where the loss is
        less than a millionth of what learning nothing loses.
    uncertainty : float
        Numerical, of ``loss``: of the integrals, of what lies between groups, and of limits that
        hold to a tolerance only.
    groups : FeatureGroups
        The features kept, in K groups; ``groups.n`` are live. ``r``, ``b`` and ``t`` are theirs;
        ``loss`` and ``self_error`` are of features that differ within them.
    r, b : ndarray, shape (K,)
        Norm and bias in each group.
    z, weights : ndarray, shape (Z,)
        Nodes of the law that scaled overlaps √m u·v have before they are moved: of random
        directions, or Gaussian with the Welch mean square where overlaps are not optimised. Two
        where features are kept in antipodal pairs: -√m and 0.
    t : ndarray, shape (K, K, Z)
        Where each is moved to, for each pair of groups.
    budget : ndarray, shape (K,)
        Share of their budget that the most frequent groups up to each one use, at most 1; NaN for
        antipodal pairs, which go beyond it.
    multipliers : ndarray, shape (K,)
        What a larger budget would gain (its multiplier); 0 where it is not used up.
    active_degrees : tuple of int
        Degrees k of positivity that hold with equality.
    violation : float
        Largest violation of a limit (shares of a budget; eigenvalues of the positivity matrices).
    residual : float
        Of the conditions of a minimum (Karush, Kuhn and Tucker): what one more Newton step would
        gain, relative to the loss; or what the last rounds changed the loss by, if that is more
        and the search ended because it stood still.
    rounds : int
        Of the search.
    """

    m: float
    loss: float
    lost: float
    self_error: float
    exponent: float
    uncertainty: float
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
    def live(self) -> int:
        """How many features are kept."""
        return self.groups.n

    @property
    def interference(self) -> float:
        """What interference costs."""
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
        """Return a row for each group: features, p, r, b, budget, multiplier."""
        return pd.DataFrame(
            {
                "features": self.groups.sizes,
                "p": self.groups.p,
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
        """Draw the law of scaled overlaps, and of those nobody arranged; return the axes."""
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots()
        values, shares = self.histogram()
        ax.step(values, np.cumsum(shares), where="post", label="optimised")
        ax.step(self.z, np.cumsum(self.weights), where="post", label="not arranged", color="k")
        ax.set(xlabel="scaled overlap t", ylabel="share of pairs below")
        ax.legend()
        return ax

    def __str__(self) -> str:
        return (
            f"mean field at m = {self.m:g}: loss {self.loss:.5g} ± {self.uncertainty:.1g} "
            f"(lost {self.lost:.3g}, self {self.self_error:.3g}, interference "
            f"{self.interference:.3g}), exponent {self.exponent:.3f}, {self.live} live features "
            f"in {self.groups.count} groups"
        )
