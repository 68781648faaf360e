"""The law of v, the size of an active feature: its density and its exact moments.

Use ``Activation()`` for the paper's U(0, 2), ``Activation(low, high)`` for another uniform law,
``Activation(low, high, shares)`` for a density in equal steps, which may stand for any law of
bounded support.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy as sp

from theory.checks import check_real


@dataclass(frozen=True)
class Activation:
    """The law of v on [low, high], 0 <= low < high; U(0, 2) by default.

    Parameters
    ----------
    low, high : float
        Ends of the support. They are read as exact decimals (0.1 is one tenth).
    shares : tuple of float
        Weights of equal cells between them, inside each of which v is uniform; they are divided by
        their sum. One cell by default.

    Raises
    ------
    ValueError
        If low < 0 (the model's output is a ReLU: it cannot follow negative features),
        high <= low, a share is negative, or all are 0.

    Examples
    --------
    >>> v = Activation()
    >>> v.moment(1), v.moment(2)
    (1, 4/3)
    >>> Activation(0, 2, shares=(3, 1)).moment(1)       # small ones are three times as likely
    3/4
    """

    low: float = 0.0
    high: float = 2.0
    shares: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", check_real("low", self.low, 0.0))
        object.__setattr__(self, "high", check_real("high", self.high, self.low, strict=True))
        shares = tuple(check_real("a share", share, 0.0) for share in self.shares)
        if not sum(shares) > 0:
            raise ValueError(f"shares = {self.shares}: give at least one above 0")
        if len(shares) == 1:
            shares = (1.0,)
        object.__setattr__(self, "shares", shares)

    @property
    def is_uniform(self) -> bool:
        """Whether there is one cell only."""
        return len(self.shares) == 1

    @property
    def cells(self) -> tuple[tuple[sp.Expr, sp.Expr, sp.Expr], ...]:
        """Ends and density of each cell, exactly."""
        low, high = self.support
        weights = [sp.Rational(repr(share)) for share in self.shares]
        width = (high - low) / len(weights)
        return tuple(
            (low + k * width, low + (k + 1) * width, weight / sum(weights) / width)
            for k, weight in enumerate(weights)
        )

    @property
    def steps(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the density falls, and by how much: below ``low`` and above ``high`` it is 0.

        Examples
        --------
        >>> Activation().steps
        (array([0., 2.]), array([-0.5,  0.5]))
        """
        ends = [self.low, *(float(cell[1]) for cell in self.cells)]
        density = [0.0, *(float(cell[2]) for cell in self.cells), 0.0]
        return np.array(ends), -np.diff(density)

    @property
    def support(self) -> tuple[sp.Expr, sp.Expr]:
        """The ends of the support as exact sympy numbers."""
        return sp.Rational(repr(self.low)), sp.Rational(repr(self.high))

    def density(self, v: sp.Expr) -> sp.Expr:
        """Return the probability density at v, for v inside the support."""
        if self.is_uniform:
            return self.cells[0][2]
        return sp.Piecewise(*((value, v <= end) for _, end, value in self.cells))

    def moment(self, k: int) -> sp.Expr:
        """Return the exact moment ⟨v^k⟩, by symbolic integration of v^k times the density."""
        return _moment(self, k)

    def sample(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """Draw ``size`` values of v from ``rng``.

        Examples
        --------
        >>> Activation().sample(2, np.random.default_rng(0)).round(3)
        array([1.274, 0.54 ])
        """
        if self.is_uniform:
            return rng.uniform(self.low, self.high, size)
        shares = np.array(self.shares)
        cell = rng.choice(shares.size, size, p=shares / shares.sum())
        return self.low + (self.high - self.low) * (cell + rng.random(size)) / shares.size


# The paper's law of v, the default everywhere.
UNIFORM = Activation()


@lru_cache(maxsize=256)
def _moment(activation: Activation, k: int) -> sp.Expr:
    v = sp.Symbol("v", nonnegative=True)
    return sum(
        (density * sp.integrate(v**k, (v, low, high)) for low, high, density in activation.cells),
        sp.S.Zero,
    )
