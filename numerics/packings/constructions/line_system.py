"""Lines with exactly known overlaps: ``LineSystem``, which ``construct(n, m)`` returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from theory.checks import check_integer, read_only
from theory.computing.argument_kinds import check_kinds
from theory.results import result

# Largest difference of a computed overlap from its exact value.
_CLOSE = 1e-9


@dataclass(frozen=True, eq=False)
@result
class LineSystem:
    """n lines through the origin of R^m, built explicitly.

    Attributes
    ----------
    name : str
        How it is built.
    vectors : ndarray, shape (n, m)
        A unit vector on each line.
    angles : tuple of sympy numbers
        The values that |t| takes between different lines, exactly.
    source : str
        Where the construction is from.
    """

    name: str
    vectors: NDArray[np.float64]
    angles: tuple[Any, ...]
    source: str = field(default="")

    def __post_init__(self) -> None:
        object.__setattr__(self, "vectors", read_only(np.array(self.vectors, dtype=np.float64)))
        object.__setattr__(self, "angles", tuple(sorted(map(sp.sympify, self.angles), key=float)))

    @property
    def n(self) -> int:
        """Number of lines."""
        return int(self.vectors.shape[0])

    @property
    def m(self) -> int:
        """Dimension."""
        return int(self.vectors.shape[1])

    @property
    def coherence(self) -> Any:
        """The largest |t|, exactly."""
        return self.angles[-1]

    @check_kinds
    def exact_overlap(self, i: int, j: int) -> Any:
        """Return t between lines i and j as a sympy number.

        Raises
        ------
        ArithmeticError
            If the vectors do not have one of the exact overlaps there.
        """
        last = len(self.vectors) - 1
        i, j = check_integer("i", i, 0, last), check_integer("j", j, 0, last)
        t = float(self.vectors[i] @ self.vectors[j])
        for angle in (sp.Integer(1), *self.angles):
            if abs(abs(t) - float(angle)) < _CLOSE:
                return sp.sign(sp.Float(t)) * angle if angle != 0 else sp.Integer(0)
        raise ArithmeticError(f"lines {i} and {j} have t = {t}, which is none of {self.angles}")

    def __str__(self) -> str:
        values = ", ".join(map(str, self.angles))
        return f"{self.n} lines in R^{self.m}, |t| of {values}: {self.name} ({self.source})"

    def __repr__(self) -> str:
        return str(self)
