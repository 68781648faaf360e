"""Statistics of overlaps: a table beside random directions and the bounds, and a plot.

``numerics.overlaps.statistics.overlaps(W)`` returns an ``Overlaps``; ``random_values(n, m, names)``
the closed forms of the same statistics for random directions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from numerics.tensors.row_matrix import suspect_columns
from theory.directions import RandomOverlap, frame_capacity
from theory.figures.style import BLACK, OVERLAP, curve, finish, open_axes
from theory.results import result, short_table


@dataclass(frozen=True, eq=False)
@result
class Overlaps:
    """Statistics of the overlaps of rows, over pairs of different rows.

    Attributes
    ----------
    n, m : int
        Rows that were compared, and the dimension that they live in (less the directions removed).
    pair_count : int
        Different pairs that were compared, or how many were drawn.
    welch : float
        Least possible mean square, for the weights given; NaN between two groups.
    weighted : bool
        Whether rows had weights of their own.
    rows_of_zeros : ndarray of int
        Rows without a direction; they were left out.
    norms : ndarray, shape (n,)
        Norms of the rows compared (after centring and removal).
    values : mapping of str to float
        Statistics by name: mean, mean_absolute, mean_square, variance_of_square, skewness, largest,
        smallest, coherence (largest |t|), and ``one_sided(h)`` = ⟨ReLU(t - h)²⟩.
    stderr : mapping of str to float
        Standard errors of those that were sampled.
    closest, most_opposed : tuple of int
        Rows of the largest and of the smallest t.
    histogram, edges : ndarray
        Number of pairs between consecutive edges.
    pairs : str
        "all"; "sample" (largest, smallest and coherence are those of the sample, no larger than
        the true ones); or "none" (only mean and mean_square, which need no pairs).
    treatment : str
        "raw", "centred", or "top k removed" (which centres, too).
    """

    n: int
    m: int
    pair_count: int
    welch: float
    weighted: bool
    rows_of_zeros: NDArray[np.int64]
    norms: NDArray[np.float64]
    values: Mapping[str, float]
    stderr: Mapping[str, float]
    closest: tuple[int, int] | None
    most_opposed: tuple[int, int] | None
    histogram: NDArray[np.int64]
    edges: NDArray[np.float64]
    pairs: str
    treatment: str

    def __getattr__(self, name: str) -> float:
        # Each statistic reads as an attribute: overlaps(W).coherence.
        values = self.__dict__.get("values", {})
        if name in values:
            return float(values[name])
        raise AttributeError(f"Overlaps has no {name!r}; its statistics: {', '.join(values)}")

    def to_dict(self) -> dict[str, Any]:
        """Return the statistics beside their references, and the histogram, as plain values."""
        return {
            "treatment": self.treatment,
            "n": self.n,
            "m": self.m,
            "statistics": self._statistics(),
            "closest": self.closest,
            "most_opposed": self.most_opposed,
            "histogram": self.histogram.tolist(),
            "edges": self.edges.tolist(),
        }

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each statistic, beside random directions and the bounds.

        "random" is the expectation for independent uniform directions in m dimensions (mean square
        1/m) and as many pairs as were compared. Centred rows are not independent: their mean is
        about -1/(n - 1), and they come near it only for n ≫ m. "welch" is the least possible mean
        square and coherence, "equiangular" the value if all |t| were equal, where n allows that.
        """
        rows = [{"statistic": name, **row} for name, row in self._statistics().items()]
        return pd.DataFrame(rows)

    def _statistics(self) -> dict[str, dict[str, float]]:
        random = random_values(self.n, self.m, self.values, self.pair_count) if self.m > 1 else {}
        welch = {"mean_square": self.welch, "coherence": math.sqrt(self.welch)}
        equal = {"mean_absolute": math.sqrt(self.welch), "variance_of_square": 0.0, **welch}
        if self.weighted or math.isnan(self.welch) or self.n > float(frame_capacity(self.m)):
            equal = {}
        columns = {"random": random, "welch": welch, "equiangular": equal}
        return {
            name: {
                "value": value,
                "stderr": self.stderr.get(name, math.nan),
                **{column: known.get(name, math.nan) for column, known in columns.items()},
            }
            for name, value in self.values.items()
        }

    @property
    def span(self) -> float:
        """Largest |t| in the histogram, with a margin, at most 1."""
        filled = np.flatnonzero(self.histogram)
        if filled.size == 0:
            return 1.0
        outer = self.edges[[filled[0], filled[-1] + 1]]
        return float(min(1.0, 1.1 * np.abs(outer).max()))

    def plot(self, ax: Any = None, *, random: bool = True) -> Any:
        """Draw the density of t beside that of random directions; return the axes.

        Raises
        ------
        ValueError
            If no pairs were looked at (pairs="none").
        """
        if self.pairs == "none":
            raise ValueError("pairs='none' has no overlaps to draw: give pairs 'all' or 'sample'")
        ax = open_axes(ax)
        total = max(self.histogram.sum(), 1)
        # Bins by the cube root of the number of pairs (the Rice rule, times 1.5).
        wanted = max(20.0, 3 * total ** (1 / 3)) / self.span
        group = max(1, int(self.histogram.size / wanted))
        starts = np.arange(0, self.histogram.size, group)
        edges = np.r_[self.edges[starts], self.edges[-1]]
        width = np.diff(edges)
        density = np.add.reduceat(self.histogram, starts) / total / width
        label = f"{self.treatment}, n = {self.n}"
        # One of several treatments, each its color: as many as the axes have.
        style = curve(len(ax.patches))
        ax.stairs(density, edges, label=label, color=style["color"], ls=style["linestyle"])
        if random and self.m > 1:
            middle = (self.edges[1:] + self.edges[:-1]) / 2
            ax.plot(
                middle, RandomOverlap(self.m).pdf(middle), color=BLACK, lw=1,
                label="random directions",
            )  # fmt: skip
        ax.set_xlim(-self.span, self.span)
        finish(ax, OVERLAP, "probability density", log="y")
        ax.set_ylim(0.5 / total / width[0], 5 * density.max())
        return ax

    def __str__(self) -> str:
        table = self.to_dataframe().dropna(axis=1, how="all")
        zeros = f", {self.rows_of_zeros.size} rows of zeros left out" * bool(
            self.rows_of_zeros.size
        )
        head = f"overlaps of n = {self.n} rows in m = {self.m} dimensions, {self.treatment}{zeros}"
        hint = suspect_columns(self.n, self.m)
        hint = f"\nnote: {hint}" if hint else ""
        return f"{head}{hint}\n{short_table(table, float_format=lambda x: f'{x:.5g}')}"

    def __repr__(self) -> str:
        return str(self)


def random_values(
    n: int, m: int, names: Mapping[str, float] | Sequence[str], pairs: float | None = None
) -> dict[str, float]:
    """Return the closed forms of the named statistics for n random directions in R^m.

    ``pairs`` is the number of pairs that are compared, if not all.

    Examples
    --------
    >>> random_values(1000, 100, ["mean", "mean_square"])
    {'mean': 0.0, 'mean_square': 0.01}
    """
    law = RandomOverlap(m)
    known = {
        "mean": 0.0,
        "mean_absolute": law.mean_absolute,
        "mean_square": law.mean_square,
        "variance_of_square": law.variance_of_square,
        "skewness": 0.0,
    }
    if n > 1:
        largest = law.expected_maximum(n, absolute=False, pairs=pairs)
        known |= {"largest": largest, "smallest": -largest}
        known["coherence"] = law.expected_maximum(n, pairs=pairs)
    for name in names:
        if name.startswith("one_sided("):
            known[name] = law.one_sided_moment(float(name[10:-1]))
    return {name: known[name] for name in names if name in known}
