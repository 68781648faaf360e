"""Lines in C^d: ``ComplexPacking``, and what no arrangement of them can beat."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sympy as sp
from numpy.typing import NDArray

from numerics.files import write_atomically
from numerics.packings.rounding import coherence_enclosure
from theory.bounds.packing_bounds import Bound
from theory.checks import LARGEST, check_integer, read_only
from theory.computing.argument_kinds import check_kinds
from theory.figures.style import BLACK, BLUE, finish, open_axes
from theory.results import result

# Largest difference of |t| from the largest that counts as contact.
_TIGHT = 1e-8


@check_kinds
def complex_bounds(n: int, d: int) -> tuple[Bound, ...]:
    """Return lower bounds of the coherence of n lines in C^d, the best first.

    Welch (1974), the orthoplex bound 1/√d of more than d² lines (Conway, Hardin and Sloane 1996),
    Levenshtein's second bound (1982), and that of Bukh and Cox (2018) for few lines.

    Parameters
    ----------
    n, d : int
        Lines, > d, and dimension.

    Raises
    ------
    ValueError
        For n < 2 or d < 1.

    Examples
    --------
    >>> complex_bounds(9, 3)[0].exact, complex_bounds(12, 3)[0].exact
    (1/2, sqrt(3)/3)
    """
    n, d = check_integer("n", n, 2, LARGEST), check_integer("d", d, 1, LARGEST)
    if n <= d:
        return (Bound("orthogonal", sp.Integer(0), "n <= d; attained by orthogonal lines", n),)
    size, width = sp.Integer(n), sp.Integer(d)
    found = [
        Bound(
            "welch", sp.sqrt((size - width) / (width * (size - 1))),
            "n > d; attained by equiangular tight frames, n <= d²", n,
        )
    ]  # fmt: skip
    more = size - width
    if n > d + 1:
        below = size + (size**2 - size * width - size) * sp.sqrt(1 + more) - more**2
        found.append(Bound("bukh_cox", more**2 / below, "n > d + 1", n))
    if n > d * d:
        found.append(
            Bound("orthoplex", 1 / sp.sqrt(width), "n > d²; attained by unbiased bases", n)
        )
        inside = (2 * size - width**2 - width) / ((width + 1) * more)
        found.append(Bound("levenshtein", sp.sqrt(inside), "n > d²", n))
    return tuple(sorted(found, key=lambda bound: -bound.value))


def best_complex_bound(n: int, d: int) -> Bound:
    """Return the largest of ``complex_bounds``."""
    return complex_bounds(n, d)[0]


def coherence_of(U: NDArray[np.complex128]) -> float:
    """Return the largest |t| between different rows of unit length."""
    t = np.abs(U @ U.conj().T)
    np.fill_diagonal(t, 0.0)
    return float(t.max())


@dataclass(frozen=True, eq=False)
@result
class ComplexPacking:
    """n unit vectors in C^d, for the lines that they span.

    Attributes
    ----------
    vectors : ndarray of complex128, shape (n, d)
        The unit vectors.
    method : str
        How they were found.
    interrupted : bool
        Whether the search was interrupted.

    Raises
    ------
    ValueError
        For vectors that are no n x d matrix of finite numbers, n >= 2.
    """

    vectors: NDArray[np.complex128]
    method: str
    interrupted: bool = False

    def __post_init__(self) -> None:
        vectors = np.array(self.vectors, dtype=np.complex128)
        if vectors.ndim != 2 or len(vectors) < 2 or not np.all(np.isfinite(vectors)):
            raise ValueError(
                f"vectors of shape {vectors.shape} are no packing: give an n x d matrix of finite "
                "numbers, n >= 2"
            )
        object.__setattr__(self, "vectors", read_only(vectors))

    @property
    def n(self) -> int:
        """Number of lines."""
        return int(self.vectors.shape[0])

    @property
    def d(self) -> int:
        """Complex dimension."""
        return int(self.vectors.shape[1])

    @cached_property
    def overlaps(self) -> NDArray[np.float64]:
        """The n(n - 1)/2 values |t|, sorted."""
        t = np.abs(self.vectors @ self.vectors.conj().T)
        return read_only(np.sort(t[np.triu_indices(self.n, 1)]))

    @property
    def coherence(self) -> float:
        """Largest |t|."""
        return float(self.overlaps[-1])

    @property
    def bound(self) -> Bound:
        """The best proven lower bound of the coherence."""
        return best_complex_bound(self.n, self.d)

    @property
    def gap(self) -> float:
        """Coherence less that bound."""
        return self.coherence - self.bound.value

    @property
    def tight_pairs(self) -> int:
        """Pairs at the largest |t|, to 1e-8."""
        return int(np.sum(self.overlaps > self.coherence - _TIGHT))

    @property
    def enclosure(self) -> tuple[Any, Any]:
        """Proven bounds of the coherence of these very numbers (``coherence_enclosure``)."""
        return coherence_enclosure(self.vectors.real, self.vectors.imag)

    def to_text(self) -> str:
        """Return the vectors as the public table of complex lines takes them.

        One number a line: the real parts of the first vector, of the second, …, then all imaginary
        parts (Game of Sloanes, github.com/gnikylime/GameofSloanes). 17 digits give the same floats
        back.
        """
        parts = np.concatenate([self.vectors.real.ravel(), self.vectors.imag.ravel()])
        return "".join(f"{x:.17g}\n" for x in parts)

    @check_kinds
    def save(self, path: str | Path) -> None:
        """Write ``to_text()`` to a file, whole or not at all.

        Raises
        ------
        ValueError
            If the name does not end in .txt, or no file can be written there.
        """
        path = Path(path)
        if path.suffix != ".txt":
            raise ValueError(f"cannot write {path}: give a name that ends in .txt")
        write_atomically(path, self.to_text().encode())

    @classmethod
    @check_kinds
    def from_text(cls, text: str, d: int) -> ComplexPacking:
        """Read vectors in C^d that ``to_text`` wrote, or the table holds.

        Raises
        ------
        ValueError
            For text that is no list of 2 d n finite numbers, n >= 2.
        """
        d = check_integer("d", d, 1, LARGEST)
        try:
            numbers = np.array(text.split(), dtype=np.float64)
        except ValueError:
            raise ValueError(f"text = {text[:40]!r} … is no list of numbers") from None
        if not numbers.size or numbers.size % (2 * d):
            raise ValueError(
                f"text of {numbers.size} numbers is no list of vectors in C^{d}: give 2 d n numbers"
            )
        real, imaginary = numbers.reshape(2, -1, d)
        return cls(real + 1j * imaginary, "read")

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row: lines, dimension, coherence, bound, gap and contacts."""
        return pd.DataFrame(
            [
                {
                    "n": self.n, "d": self.d, "coherence": self.coherence,
                    "bound": self.bound.value, "bound_name": self.bound.name, "gap": self.gap,
                    "tight_pairs": self.tight_pairs,
                }
            ]
        )  # fmt: skip

    def plot(self, ax: Any = None) -> Any:
        """Draw a histogram of |t|, with the bound; return the axes."""
        ax = open_axes(ax)
        ax.hist(self.overlaps, bins=50, color=BLUE)
        name = self.bound.name.replace("_", " ")
        ax.axvline(self.bound.value, color=BLACK, ls=":", label=f"bound: {name}")
        return finish(ax, "|t| of two lines", "pairs", title=f"{self.n} lines in C^{self.d}")

    def __repr__(self) -> str:
        return (
            f"{self.n} lines in C^{self.d}: coherence {self.coherence:.12g} ({self.method}); "
            f"{self.bound.name} bound {self.bound.value:.12g}; {self.tight_pairs} pairs touch"
        )
