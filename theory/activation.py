"""The law of v, the size of an active feature: its density and its exact moments.

Use ``Activation()`` for the paper's U(0, 2), ``Activation(low, high)`` for another uniform law.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy as sp

from theory.checks import check_real


@dataclass(frozen=True)
class Activation:
    """The uniform law of v on [low, high], 0 <= low < high; U(0, 2) by default.

    Parameters
    ----------
    low, high : float
        Ends of the support. They are read as exact decimals (0.1 is one tenth).

    Raises
    ------
    ValueError
        If low < 0 (the model's output is a ReLU: it cannot follow negative features) or
        high <= low.

    Examples
    --------
    >>> v = Activation()
    >>> v.moment(1), v.moment(2)
    (1, 4/3)
    """

    low: float = 0.0
    high: float = 2.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", check_real("low", self.low, 0.0))
        object.__setattr__(self, "high", check_real("high", self.high, self.low, strict=True))

    @property
    def support(self) -> tuple[sp.Expr, sp.Expr]:
        """The ends of the support as exact sympy numbers."""
        return sp.Rational(repr(self.low)), sp.Rational(repr(self.high))

    def density(self, v: sp.Expr) -> sp.Expr:
        """Return the probability density at v, for v inside the support."""
        low, high = self.support
        return sp.S.One / (high - low)

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
        return rng.uniform(self.low, self.high, size)


# The paper's law of v, the default everywhere.
UNIFORM = Activation()


@lru_cache(maxsize=256)
def _moment(activation: Activation, k: int) -> sp.Expr:
    v = sp.Symbol("v", nonnegative=True)
    low, high = activation.support
    return sp.integrate(v**k * activation.density(v), (v, low, high))
