"""The law of v, the size of an active feature: its density and its exact moments.

``Activation()`` is the paper's U(0, 2), ``Activation(low, high)`` another uniform law, and
``Activation(low, high, shares)`` a density that is constant in each of several equal cells, which
approximates any law of bounded support.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy as sp

from theory.checks import check_integer, check_real, shown
from theory.computing.argument_kinds import check_kinds
from theory.computing.memory import check_memory

# Largest k of a moment: numerators of more digits take minutes.
_LARGEST_POWER = 10_000
# Ends of the support, and their inverses: fourth powers and their products stay floats.
_LARGEST = 1e50
# Shares of their sum; exact moments of rarer values take sympy minutes.
_SMALLEST_SHARE = 1e-30


@dataclass(frozen=True, repr=False)
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
    TypeError
        If an end or a share is not a number, or ``shares`` not a sequence of numbers.
    ValueError
        If low < 0 (the model's output is a ReLU: it cannot follow negative features),
        high <= low, ``high`` is outside 1e-50..1e50, ``low`` above 0 but below 1e-50 of it, a share
        is negative, or above 0 but below 1e-30 of their sum, or all are 0.

    Examples
    --------
    >>> v = Activation()
    >>> v.moment(1), v.moment(2)
    (1, 4/3)
    >>> Activation(0, 2, shares=(3, 1)).moment(1)       # small ones are three times as likely
    3/4
    >>> Activation(0.5, 1), Activation(0, 1, shares=range(1, 101))
    (Activation(0.5, 1), Activation(0, 1, shares of 100 cells))
    """

    low: float = 0.0
    high: float = 2.0
    shares: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", check_real("low", self.low, 0.0))
        object.__setattr__(self, "high", check_real("high", self.high, self.low, strict=True))
        if not 1 / _LARGEST <= self.high <= _LARGEST:
            raise ValueError(
                f"high = {self.high:g} is not allowed: powers of v leave the range of floats; "
                f"measure v in other units, with high from {1 / _LARGEST:g} to {_LARGEST:g}"
            )
        if 0 < self.low < self.high / _LARGEST:
            raise ValueError(f"low = {self.low:g} is not allowed: next to {self.high:g} give 0")
        several = isinstance(self.shares, Iterable) and getattr(self.shares, "ndim", 1) == 1
        if isinstance(self.shares, str) or not several:
            raise TypeError(
                f"shares = {shown(self.shares)}: give a weight for each cell, as (3, 1)"
            )
        shares = tuple(check_real("a share", share, 0.0) for share in self.shares)
        if not 0 < sum(shares) < math.inf:
            raise ValueError(f"shares = {self.shares}: give at least one above 0, and a finite sum")
        tiny = [share for share in shares if 0 < share < _SMALLEST_SHARE * sum(shares)]
        if tiny:
            raise ValueError(
                f"shares contain {tiny[0]:g}, less than {_SMALLEST_SHARE:g} of their sum, which no "
                "result can show: give 0"
            )
        if len(shares) == 1:
            shares = (1.0,)
        object.__setattr__(self, "shares", shares)

    def __repr__(self) -> str:
        text = f"Activation({self.low:.12g}, {self.high:.12g}"
        if self.is_uniform:
            return f"{text})"
        count = len(self.shares)
        listed = ", ".join(f"{share:.6g}" for share in self.shares)
        return f"{text}, shares=({listed}))" if count <= 8 else f"{text}, shares of {count} cells)"

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
        """Places c_l at which the density changes, and by how much it falls there.

        Below ``low`` and above ``high`` it is 0.

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

    @check_kinds
    def density(self, v: sp.Expr) -> sp.Expr:
        """Return the probability density at v, for v inside the support."""
        if self.is_uniform:
            return self.cells[0][2]
        return sp.Piecewise(*((value, v <= end) for _, end, value in self.cells))

    @check_kinds
    def moment(self, k: int) -> sp.Expr:
        """Return the exact moment ⟨v^k⟩, by symbolic integration of v^k times the density."""
        return _moment(self, check_integer("k", k, 0, _LARGEST_POWER))

    @check_kinds
    def sample(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """Draw ``size`` values of v from ``rng``.

        Examples
        --------
        >>> Activation().sample(2, np.random.default_rng(0)).round(3)
        array([1.274, 0.54 ])
        """
        size = check_integer("size", size, 0)
        check_memory(f"size = {size}", 8 * size * (1 if self.is_uniform else 3), "draw fewer")
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
