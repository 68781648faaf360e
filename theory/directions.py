"""Overlaps of directions in R^m: their law for random directions, and the Welch bound.

``RandomOverlap(m)`` is the law of t = cos(angle) between two independent uniform directions
(moments, tails, expected maximum over n directions), ``welch_mean_square`` the least mean squared
overlap of n directions, and ``frame_capacity`` the largest n for which all |t| can be equal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import beta, betainc, betaincinv, betaln

from theory.checks import (
    LARGEST,
    Numbers,
    broadcast_numbers,
    check_integer,
    check_numbers,
    check_real,
    scalar_like,
    shown,
)
from theory.computing.argument_kinds import check_kinds


@dataclass(frozen=True)
class RandomOverlap:
    """The overlap t of two independent uniform directions in R^m: t² ~ Beta(1/2, (m-1)/2).

    Parameters
    ----------
    m : int
        Dimension, >= 2.

    Examples
    --------
    >>> law = RandomOverlap(100)
    >>> law.mean_square, round(law.mean_absolute, 5)
    (0.01, 0.07999)
    """

    m: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "m", check_integer("m", self.m, 2))

    @property
    def mean_square(self) -> float:
        """⟨t²⟩ = 1/m."""
        return 1 / self.m

    @property
    def fourth_moment(self) -> float:
        """⟨t⁴⟩ = 3/(m(m+2))."""
        return 3 / (self.m * (self.m + 2))

    @property
    def variance_of_square(self) -> float:
        """Var t² = 2(m-1)/(m²(m+2))."""
        return 2 * (self.m - 1) / (self.m**2 * (self.m + 2))

    @property
    def mean_absolute(self) -> float:
        """⟨|t|⟩ = Γ(m/2)/(√π Γ((m+1)/2)), ≈ √(2/(πm))."""
        return float(beta(self.m / 2, 0.5)) / math.pi

    @check_kinds
    def pdf(self, t: ArrayLike) -> Numbers:
        """Return the density of t, ∝ (1-t²)^((m-3)/2) on (-1, 1)."""
        x = np.clip(check_numbers("t", t), -1.0, 1.0)
        log_norm = -betaln((self.m - 1) / 2, 0.5)
        with np.errstate(divide="ignore"):
            inside = np.exp(log_norm + (self.m - 3) / 2 * np.log1p(-np.minimum(x * x, 1.0)))
        return scalar_like(np.where(np.abs(x) >= 1, 0.0, inside), t)

    @check_kinds
    def survival(self, t: ArrayLike) -> Numbers:
        """Return P(overlap > t), accurate in the tail."""
        x = np.clip(check_numbers("t", t), -1.0, 1.0)
        two_sided = betainc((self.m - 1) / 2, 0.5, 1 - x * x)
        return scalar_like(np.where(x >= 0, two_sided / 2, 1 - two_sided / 2), t)

    @check_kinds
    def one_sided_moment(self, h: float) -> float:
        """Return ⟨ReLU(t - h)²⟩, accurate also where it is tiny.

        With a = (m-3)/2 and t = h + (1-h) s it is, for h >= 0, a Beta integral times
        ₂F₁(-a, 3; a+4; -(1-h)/(1+h)) = ((1+h)/2)³ ₂F₁(2a+4, 3; a+4; (1-h)/2), whose terms are all
        positive. For h < 0 the reflected part is taken from the whole: ⟨(t-h)²⟩ = 1/m + h².

        Parameters
        ----------
        h : float
            Threshold; 0 gives 1/(2m).

        Examples
        --------
        >>> round(RandomOverlap(100).one_sided_moment(0.0), 12)
        0.005
        """
        h = check_real("h", h)
        if h >= 1:
            return 0.0
        if h < 0:
            return 1 / self.m + h * h - self.one_sided_moment(-h)
        a = (self.m - 3) / 2
        log_scale = betaln(3, a + 1) - betaln(a + 1, 0.5) + 3 * math.log((1 + h) / 2)
        log_scale += (a + 3) * math.log1p(-h) + a * math.log1p(h)
        series, term, k = 1.0, 1.0, 0
        while term > 1e-17 * series:
            term *= (2 * a + 4 + k) * (3 + k) / ((a + 4 + k) * (1 + k)) * (1 - h) / 2
            series += term
            k += 1
        return math.exp(log_scale) * series

    @check_kinds
    def expected_maximum(
        self, n: int, *, absolute: bool = True, pairs: float | None = None
    ) -> float:
        """Return the expected largest overlap among n independent uniform directions.

        The n(n-1)/2 overlaps are pairwise independent; they are taken as independent, so this is
        the mean of the largest of that many. Sampled directions agree to 0.4 % at the pairs
        (n, m) = (10, 3) … (300, 100) of tests/theory/test_directions.py; at (5, 3) they lie 1 %
        (coherence) and 2 % (largest t) above.

        Parameters
        ----------
        n : int
            Directions, >= 2.
        absolute : bool
            Largest |t| (the coherence) if true, else largest t.
        pairs : float, optional
            How many pairs of them are compared, if not all n(n-1)/2.

        Examples
        --------
        >>> round(RandomOverlap(100).expected_maximum(1000), 3)
        0.462
        """
        n = check_integer("n", n, 2, LARGEST)
        pairs = n * (n - 1) / 2 if pairs is None else check_real("pairs", pairs, 1)
        # With x Gumbel-distributed, the largest of N draws exceeds its quantile of tail
        # 1 - exp(-e^-x / N): a smooth integrand on a fixed range, whatever N.
        x = np.linspace(-4.0, 40.0, 2001)
        tail = -np.expm1(-np.exp(-x) / pairs)
        weight = np.exp(-x - np.exp(-x))
        return float(np.trapezoid(self._quantile(tail, absolute) * weight, x))

    def _quantile(self, tail: NDArray[np.float64], absolute: bool) -> NDArray[np.float64]:
        """Return the t that |overlap| (or overlap) exceeds with probability ``tail``."""
        two_sided = tail if absolute else 2 * np.minimum(tail, 1 - tail)
        square = 1 - betaincinv((self.m - 1) / 2, 0.5, np.minimum(two_sided, 1.0))
        size: NDArray[np.float64] = np.sqrt(square)
        return size if absolute else np.where(tail < 0.5, size, -size)


@check_kinds
def welch_mean_square(n: ArrayLike, m: ArrayLike) -> Numbers:
    """Return κ² = (n-m)/(m(n-1)), the least mean squared overlap of n directions in R^m.

    Equality holds for tight frames with unit rows; if all |t| equal κ they form an equiangular
    tight frame (Welch 1974). It is 0 for n <= m, where orthogonal rows exist.

    Parameters
    ----------
    n, m : float or array_like
        Number of directions, >= 2, and dimension, >= 1.

    Returns
    -------
    float or ndarray
        κ² for each pair.

    Raises
    ------
    ValueError
        For n < 2 or m < 1.

    Examples
    --------
    >>> welch_mean_square(7, 3), welch_mean_square(2, [1, 3])
    (0.2222222222222222, array([1., 0.]))
    """
    count, width = broadcast_numbers(n=n, m=m)
    if not (np.all(count >= 2) and np.all(width >= 1) and np.all(np.isfinite(count))):
        raise ValueError(
            f"n = {shown(n)}, m = {shown(m)} is not allowed: give finite n >= 2 and m >= 1"
        )
    return scalar_like(np.maximum(count - width, 0.0) / (width * (count - 1)), n, m)


@check_kinds
def frame_capacity(m: ArrayLike) -> Numbers:
    """Return m(m+1)/2, the most directions in R^m whose |overlaps| can all be equal (Gerzon).

    Parameters
    ----------
    m : float or array_like
        Dimension.

    Returns
    -------
    float or ndarray
        The number of directions.

    Examples
    --------
    >>> frame_capacity(7)
    28.0
    """
    width = check_numbers("m", m)
    if not np.all((width >= 1) & (width <= LARGEST)):
        raise ValueError(
            f"m = {shown(m)} is not allowed: give dimensions of at least 1 and at most 2**53"
        )
    return scalar_like(width * (width + 1) / 2, m)
