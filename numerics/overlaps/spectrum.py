"""Singular values and participation ratio of a matrix: how many directions its rows fill.

A common mean or a few strong directions show as a few large values of ``spectrum(W)``. Rows are
read block by block, in n m² operations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from numerics.overlaps.statistics import TooFewRowsError
from numerics.overlaps.unit_rows import UnitRows, moments
from numerics.tensors.row_matrix import RowMatrix
from theory.checks import check_integer, read_only
from theory.computing.argument_kinds import check_kinds
from theory.figures.style import BLUE, finish, open_axes
from theory.results import result


@dataclass(frozen=True, eq=False)
@result
class Spectrum:
    """The spectrum of the second moments of n rows in m dimensions.

    Attributes
    ----------
    n, m : int
        Rows with a direction, and their dimension.
    treatment : str
        "raw" or "centred".
    singular_values : ndarray, shape (m,)
        √λ of the eigenvalues λ of WᵀW (zero beyond its rank), largest first.
    """

    n: int
    m: int
    treatment: str
    singular_values: NDArray[np.float64]

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of Σλ in each direction."""
        squares = (self.singular_values / self.singular_values[0]) ** 2
        shares: NDArray[np.float64] = squares / squares.sum()
        return shares

    @property
    def participation(self) -> float:
        """Participation ratio (Σλ)²/Σλ²: how many directions share the variance, from 1 to m.

        For rows of equal norm the mean squared overlap is (n/participation - 1)/(n - 1).
        """
        return float(1 / np.sum(self.shares**2))

    @property
    def largest_participation(self) -> int:
        """Its upper bound, the largest rank: a tight frame, where the Welch bound is attained."""
        return min(self.m, self.n - (self.treatment == "centred"))

    @property
    def random_participation(self) -> float:
        """Participation ratio of n uniform random directions, n m/(n + m - 1).

        It is the inverse of the exact mean of 1/participation, as ⟨Σλ²⟩ = n + n(n - 1)/m and
        Σλ = n. Centring is not taken into account, which is accurate for n ≫ m.
        """
        return self.n * self.m / (self.n + self.m - 1)

    @check_kinds
    def share(self, k: int = 1) -> float:
        """Return the share of Σλ in the k leading directions."""
        return float(self.shares[: check_integer("k", k, 0, self.m)].sum())

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each direction: singular value, and share of Σλ up to it."""
        return pd.DataFrame(
            {
                "direction": np.arange(1, self.m + 1),
                "singular_value": self.singular_values,
                "cumulative_share": np.cumsum(self.shares),
            }
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw the singular values by rank; return the axes."""
        ax = open_axes(ax)
        rank = np.arange(1, self.m + 1)
        label = f"{self.treatment}, participation {self.participation:.4g} of {self.m}"
        ax.plot(rank, self.singular_values, label=label, color=BLUE)
        return finish(ax, "rank of the singular value", "singular value", log="xy")

    def __str__(self) -> str:
        return (
            f"{self.treatment}: participation ratio {self.participation:.4g} of "
            f"{self.largest_participation} (random directions {self.random_participation:.4g}); "
            f"{self.share():.1%} in the first direction"
        )

    def __repr__(self) -> str:
        return str(self)


@check_kinds
def spectrum(W: Any, *, center: bool = False) -> Spectrum:
    """Find the spectrum of the second moments of the rows.

    Parameters
    ----------
    W : array_like or RowMatrix, shape (n, m)
        As in ``numerics.overlaps.statistics.overlaps``; rows are not normalised. Rows of
        zeros are left out.
    center : bool
        Subtract the mean row (of all rows that are not zero) first.

    Returns
    -------
    Spectrum
        All m singular values, and the participation ratio.

    Raises
    ------
    ValueError
        For entries that are not finite, or a shape that is not n x m; as ``TooFewRowsError`` if
        no row has a direction.

    Examples
    --------
    >>> print(spectrum(np.eye(4)))
    raw: participation ratio 4 of 4 (random directions 2.286); 25.0% in the first direction
    """
    source = W if isinstance(W, RowMatrix) else RowMatrix(W)
    rows = UnitRows(source, center, 0)
    treatment = "centred" if center else "raw"
    if rows.ids.size == 0:
        raise TooFewRowsError(f"no row has a direction ({treatment}): a spectrum needs one")
    _, second = moments(rows, np.arange(rows.ids.size), rows.norms**2)
    values = np.linalg.eigvalsh(second)[::-1]
    # Rounding leaves small values of either sign where the rank is not full.
    singular = np.sqrt(np.maximum(values, 0.0)) * rows.scale
    return Spectrum(int(rows.ids.size), source.m, treatment, read_only(singular))
