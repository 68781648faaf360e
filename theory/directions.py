"""Overlaps of directions in R^m: what chance gives, and what no arrangement can beat.

Use ``RandomOverlap(m)`` for the law of t = cos(angle) between two independent uniform directions
(moments, tails, expected maximum over n directions), ``welch_mean_square`` for the least mean
squared overlap of n directions, and ``frame_capacity`` for the largest n at which all overlaps
could be equal to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import quad
from scipy.special import betainc, gammaln

from theory.checks import check_integer
from theory.derivation import Derivation, Step, m, n

_t, _k, _s = sp.symbols("t k s", positive=True)
_m = m


@lru_cache(maxsize=1)
def derive_overlap_law() -> Derivation:
    """Derive the law of t and its moments ⟨|t|^(2k)⟩ by symbolic integration.

    Examples
    --------
    >>> derive_overlap_law()["mean square"]
    1/m
    >>> derive_overlap_law()["variance of square"]
    2*(m - 1)/(m**2*(m + 2))
    """
    # Slices of the sphere S^(m-1) at height t are spheres of radius (1-t²)^(1/2): density
    # ∝ (1-t²)^((m-3)/2), symmetric. In s = t² that is a Beta(1/2, (m-1)/2) density.
    q = sp.Symbol("q", positive=True)  # (m - 1)/2
    integral = sp.integrate(_s ** (_k - sp.Rational(1, 2)) * (1 - _s) ** (q - 1), (_s, 0, 1))
    integral = sp.gammasimp(sp.hyperexpand(integral)).subs(q, (_m - 1) / 2)
    moment = sp.gammasimp(integral / integral.subs(_k, 0))
    second, fourth = (sp.factor(sp.gammasimp(moment.subs(_k, k))) for k in (1, 2))
    return Derivation(
        "Overlap t of two independent uniform directions in R^m",
        (
            Step(
                "density",
                "The slice of the unit sphere at height t is a sphere of radius √(1-t²) in m - 1 "
                "dimensions, so the density of t on (-1, 1) is proportional to",
                (1 - _t**2) ** ((_m - 3) / 2),
            ),
            Step(
                "moment",
                "⟨|t|^(2k)⟩, by integration over s = t² (a Beta(1/2, (m-1)/2) law):",
                moment,
            ),
            Step("mean square", "k = 1:", second),
            Step("fourth moment", "k = 2:", fourth),
            Step("variance of square", "⟨t⁴⟩ - ⟨t²⟩²:", sp.factor(fourth - second**2)),
            Step("mean absolute", "k = 1/2:", sp.gammasimp(moment.subs(_k, sp.Rational(1, 2)))),
        ),
    )


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
        return math.exp(gammaln(self.m / 2) - gammaln((self.m + 1) / 2)) / math.sqrt(math.pi)

    def pdf(self, t: ArrayLike) -> NDArray[np.float64]:
        """Return the density of t, ∝ (1-t²)^((m-3)/2) on (-1, 1)."""
        t = np.asarray(t, dtype=np.float64)
        log_norm = gammaln(self.m / 2) - gammaln((self.m - 1) / 2) - 0.5 * math.log(math.pi)
        with np.errstate(divide="ignore"):
            inside = np.exp(log_norm + (self.m - 3) / 2 * np.log1p(-np.minimum(t * t, 1.0)))
        return np.where(np.abs(t) < 1, inside, 0.0)

    def survival(self, t: ArrayLike) -> NDArray[np.float64]:
        """Return P(overlap > t), accurate in the tail."""
        t = np.clip(np.asarray(t, dtype=np.float64), -1.0, 1.0)
        two_sided = betainc((self.m - 1) / 2, 0.5, 1 - t * t)
        return np.where(t >= 0, two_sided / 2, 1 - two_sided / 2)

    def expected_maximum(self, n: int, *, absolute: bool = True) -> float:
        """Return the expected largest overlap among n independent uniform directions.

        The n(n-1)/2 overlaps are pairwise independent; they are taken as independent, so this is
        the mean of the largest of that many. Sampled directions agree to 1 % for n >= 10 at
        every m >= 3 (tests/theory/test_directions.py); at n = 5, m = 3 they lie 1-3 % below.

        Parameters
        ----------
        n : int
            Directions, >= 2.
        absolute : bool
            Largest |t| (the coherence) if true, else largest t.

        Examples
        --------
        >>> round(RandomOverlap(100).expected_maximum(1000), 3)
        0.462
        """
        n = check_integer("n", n, 2)
        pairs = n * (n - 1) / 2

        def distribution(t: float) -> float:
            tail = float(self.survival(t))
            tail = min(2 * tail, 1.0) if absolute else tail
            return math.exp(pairs * math.log1p(-tail)) if tail < 1 else 0.0

        low = 0.0 if absolute else -1.0
        # The distribution steps from 0 to 1 near its median: split the integral there.
        left, right = low, 1.0
        for _ in range(60):
            middle = (left + right) / 2
            left, right = (middle, right) if distribution(middle) < 0.5 else (left, middle)
        lower, _ = quad(distribution, low, left, limit=200)
        upper, _ = quad(lambda t: 1 - distribution(t), left, 1.0, limit=200)
        return left - lower + upper


def welch_mean_square(n: ArrayLike, m: ArrayLike) -> NDArray[np.float64]:
    """Return κ² = (n-m)/(m(n-1)), the least mean squared overlap of n directions in R^m.

    Equality holds for tight frames with unit rows; if all |t| equal κ they form an equiangular
    tight frame (Welch 1974). It is 0 for n <= m, where orthogonal rows exist.

    Examples
    --------
    >>> float(welch_mean_square(7, 3)), float(welch_mean_square(2, 3))
    (0.2222222222222222, 0.0)
    """
    n, m = np.asarray(n, dtype=np.float64), np.asarray(m, dtype=np.float64)
    if np.any(n < 2) or np.any(m < 1):
        raise ValueError(f"n = {n}, m = {m} is not allowed: give n >= 2 and m >= 1")
    return np.maximum(n - m, 0.0) / (m * (n - 1))


def frame_capacity(m: ArrayLike) -> NDArray[np.float64]:
    """Return m(m+1)/2, the most directions in R^m whose |overlaps| can all be equal (Gerzon).

    Examples
    --------
    >>> float(frame_capacity(7))
    28.0
    """
    m = np.asarray(m, dtype=np.float64)
    return m * (m + 1) / 2


welch_expression = (n - m) / (m * (n - 1))
capacity_expression = m * (m + 1) / 2
