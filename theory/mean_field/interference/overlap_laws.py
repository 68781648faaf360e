r"""Overlap laws between groups of features, and their constraints in R^m: ``OverlapLaws``.

The scaled overlap t = √m u·v of two random directions is z, with mean 0 and variance 1.
Optimisation displaces it: t_gh = z + D_gh(z). Two kinds of constraints bound D:

- budgets, a heuristic. s rows have s m degrees of freedom, and a displacement D of one overlap uses
  D² of them. Half of them can be used, by the s most important features among themselves, for every
  s: Σ_{i<j<=s} ⟨D_ij²⟩ <= s m/2. For equal features this is W₂²(law of t, law of z) <= m/(n - 1).
  It is exact for n = m: half of the degrees of freedom rotate all rows together, the other half
  make them orthogonal. For one row among given others the bound without the half is a theorem
  (Montanari and Zhou, arXiv 2206.06526).
- positivity, rigorous. For each Gegenbauer polynomial P_k of the sphere in R^m the matrix
  P_k(u_i·u_j) is positive semidefinite (Schoenberg 1942), hence also averaged over groups:
  B_gh = √(n_g n_h) ⟨P_k(t_gh/√m)⟩ + δ_gh (1 - ⟨P_k(t_gg/√m)⟩). Degree 1: the mean overlap is
  not negative. Degree 2: the Welch bound with every weighting. Degree 3: a bound on skewness < 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import roots_jacobi

from theory.mean_field.interference.kernels import gegenbauer_means

Array = NDArray[np.float64]
DEGREES = (1, 2, 3, 4, 5, 6)
# Share of the degrees of freedom that displacements can use.
_USABLE = 0.5


def random_nodes(m: float, count: int) -> tuple[Array, Array]:
    """Return Gauss nodes z and weights of the law of √m u·v for random directions in R^m, m > 1.

    Examples
    --------
    >>> z, weights = random_nodes(10, 15)
    >>> round(float(weights @ z**2), 12)
    1.0
    """
    x, weights = roots_jacobi(count, (m - 3) / 2, (m - 3) / 2)
    # The rule is even: make it so to the last bit.
    x, weights = (x - x[::-1]) / 2, (weights + weights[::-1]) / 2
    return np.sqrt(m) * x, weights / weights.sum()


class OverlapLaws:
    """Nodes, constraints and their derivatives for K groups of given sizes, most important first.

    Parameters
    ----------
    sizes : ndarray, shape (K,)
        Features in each group.
    m : float
        Width, above 1.
    count : int
        Nodes Z.

    Attributes
    ----------
    z, weights : ndarray, shape (Z,)
        Nodes and weights of the law of random directions.
    first, second : ndarray of int, shape (pairs,)
        The groups of each pair, g <= h.
    pairs : ndarray, shape (pairs,)
        Number of pairs of features in each pair of groups.
    """

    def __init__(self, sizes: NDArray[Any], m: float, count: int) -> None:
        self.m = m
        self.z, self.weights = random_nodes(m, count)
        self.sizes = np.asarray(sizes, dtype=np.float64)
        self.first, self.second = np.triu_indices(len(self.sizes))
        self.same = self.first == self.second
        product = self.sizes[self.first] * self.sizes[self.second]
        own = self.sizes[self.first] * np.maximum(self.sizes[self.first] - 1, 0.0) / 2
        self.pairs = np.where(self.same, own, product)
        self._root = np.sqrt(product)
        # Pairs among the first k groups, over the budget of those: (K, pairs).
        inside = self.second[None, :] <= np.arange(len(self.sizes))[:, None]
        self.charge = inside * self.pairs / (_USABLE * m * np.cumsum(self.sizes)[:, None])

    def spent(self, D: Array) -> Array:
        """Return the share of their budget that the groups up to each one use (K,)."""
        share: Array = self.charge @ (D**2 @ self.weights)
        return share

    def spent_slope(self, D: Array, force: Array) -> Array:
        """Return the derivative of force·spent(D) (pairs, Z)."""
        slope: Array = 2 * (force @ self.charge)[:, None] * self.weights * D
        return slope

    def positivity(self, t: Array) -> tuple[Array, Array]:
        """Return the matrices B of each degree (6, K, K), and by t: of each pair (6, pairs, Z).

        The derivative is that of B_gh, and for a pair within a group that of B_gg.
        """
        x = np.clip(t / np.sqrt(self.m), -1.0, 1.0)
        means, slopes = np.empty((len(DEGREES), len(x))), np.empty((len(DEGREES), *x.shape))
        gegenbauer_means(self.m, x, self.weights, means, slopes)
        factor = self._root - self.same
        B = np.zeros((len(DEGREES), len(self.sizes), len(self.sizes)))
        B[:, self.first, self.second] = B[:, self.second, self.first] = factor * means
        B[:, np.arange(len(self.sizes)), np.arange(len(self.sizes))] += 1.0
        slopes *= factor[:, None] / np.sqrt(self.m)
        return B, slopes

    def pull(self, pushes: Array, slopes: Array) -> Array:
        """Return the derivative of Σ_k ⟨push_k, B^(k)⟩ with respect to t (pairs, Z).

        ``slopes`` are what ``positivity`` gave.
        """
        twice = np.where(self.same, 1.0, 2.0)
        total: Array = np.einsum("kp,kpz->pz", twice * pushes[:, self.first, self.second], slopes)
        return total
