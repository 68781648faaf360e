"""A packing: its vectors, its overlaps, and its distance from the proved bound.

``numerics.packings.search.pack(n, m)`` returns one; ``Packing.load`` reads one that ``save`` wrote.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from numerics.files import write_atomically
from numerics.reading.worst_case import WorstCase, worst_case_active
from theory.bounds.packing_bounds import bounds
from theory.checks import read_only
from theory.computing.argument_kinds import check_kinds
from theory.figures.style import BLACK, BLUE, OVERLAP, add_color_bar, finish, open_axes
from theory.results import result

# Largest difference of overlaps that count as equal, and of a value from a bound that it meets.
_TIGHT, _MET = 1e-9, 1e-12


@dataclass(frozen=True, eq=False)
@result
class Packing:
    """n unit vectors in R^m with a small value of an objective.

    Attributes
    ----------
    vectors : ndarray, shape (n, m)
        The unit vectors.
    objective : str
        "coherence", "cosine", "frame_potential", "p_frame" or "relu_energy".
    value : float
        The objective reached.
    method : str
        The construction, or the number of starts.
    exact : str
        The value as an exact expression, for a construction; else empty.
    interrupted : bool
        Whether the search was stopped by Ctrl-C.
    """

    vectors: NDArray[np.float64]
    objective: str
    value: float
    method: str
    exact: str = ""
    interrupted: bool = False

    def __post_init__(self) -> None:
        vectors = np.array(self.vectors, dtype=np.float64)
        if vectors.ndim != 2 or min(vectors.shape) < 2 or not np.all(np.isfinite(vectors)):
            raise ValueError(
                f"vectors of shape {vectors.shape} are no packing: give an n x m matrix of finite "
                "numbers, n >= 2 and m >= 2"
            )
        object.__setattr__(self, "vectors", read_only(vectors))

    @property
    def n(self) -> int:
        """Number of vectors."""
        return int(self.vectors.shape[0])

    @property
    def m(self) -> int:
        """Dimension."""
        return int(self.vectors.shape[1])

    @property
    def gram(self) -> NDArray[np.float64]:
        """Their overlaps t_ij, n x n."""
        return self.vectors @ self.vectors.T

    @cached_property
    def overlaps(self) -> NDArray[np.float64]:
        """The n(n - 1)/2 overlaps of different vectors, sorted."""
        return read_only(np.sort(self.gram[np.triu_indices(self.n, 1)]))

    @property
    def coherence(self) -> float:
        """Largest |t|."""
        return float(np.abs(self.overlaps).max())

    @property
    def cosine(self) -> float:
        """Largest t."""
        return float(self.overlaps[-1])

    @cached_property
    def worst_case(self) -> WorstCase:
        """How many of the vectors may be active with every support read by one threshold."""
        return worst_case_active(self.vectors, normalize=False)

    @property
    def _lines(self) -> bool:
        return self.objective != "cosine"

    @property
    def tight_pairs(self) -> int:
        """Pairs at the largest |t| (t for a code), to 1e-9: the contacts of the packing."""
        t = np.abs(self.overlaps) if self._lines else self.overlaps
        return int(np.sum(t > t.max() - _TIGHT))

    @property
    def is_rigid(self) -> bool:
        """Whether contacts are as many as free coordinates, n (m - 1) - m (m - 1)/2, plus one."""
        free = self.n * (self.m - 1) - self.m * (self.m - 1) // 2
        return self.tight_pairs > free

    @property
    def angles(self) -> NDArray[np.float64]:
        """The different values of |t| (t for a code), those within 1e-9 taken as one."""
        t = np.sort(np.abs(self.overlaps) if self._lines else self.overlaps)
        first = np.r_[True, np.diff(t) > _TIGHT]
        return t[first]

    @cached_property
    def bound(self) -> Any:
        """The best proven lower bound of the coherence (cosine for a code)."""
        return bounds(self.n, self.m, "lines" if self._lines else "code").best

    @property
    def gap(self) -> float:
        """Largest overlap less that bound; 0 (to 1e-12) where no packing is better."""
        reached = self.coherence if self._lines else self.cosine
        gap = reached - self.bound.value
        return gap if gap > _MET else 0.0

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each different overlap: its value, and the number of pairs with it."""
        t = np.abs(self.overlaps) if self._lines else self.overlaps
        angles = self.angles
        place = np.clip(np.searchsorted(angles, t + _TIGHT) - 1, 0, None)
        counts = np.bincount(place, minlength=angles.size)
        return pd.DataFrame({"overlap": angles, "pairs": counts})

    def plot(self, ax: Any = None) -> Any:
        """Draw a histogram of the overlaps, with the bound; return the axes."""
        ax = open_axes(ax)
        ax.hist(self.overlaps, bins=100, color=BLUE)
        edge = self.bound.value
        for x in (-edge, edge) if self._lines else (edge,):
            label = f"bound {self.bound.name.replace('_', ' ')}: {edge:.4f}" if x == edge else None
            ax.axvline(x, color=BLACK, ls=":", label=label)
        title = f"{self.n} vectors in R^{self.m}"
        return finish(ax, OVERLAP, "pairs of vectors", title=title)

    def plot_gram(self, ax: Any = None) -> Any:
        """Draw the matrix of overlaps; return the axes."""
        ax = open_axes(ax)
        ax.grid(False)
        overlaps = self.gram - np.eye(self.n)
        most = float(np.abs(overlaps).max()) or 1.0
        image = ax.imshow(overlaps, cmap="RdBu_r", vmin=-most, vmax=most)
        add_color_bar(ax, image, OVERLAP)
        return finish(ax, "vector j", "vector i")

    @check_kinds
    def save(self, path: str | Path) -> None:
        """Write vectors and record to one .npz file, whole or not at all.

        Raises
        ------
        ValueError
            If the name does not end in .npz, or no file can be written there.
        """
        path = Path(path)
        if path.suffix != ".npz":
            raise ValueError(f"cannot write {path}: give a name that ends in .npz")
        record = {
            name: getattr(self, name)
            for name in ("objective", "value", "method", "exact", "interrupted")
        }
        data = io.BytesIO()
        np.savez(data, vectors=self.vectors, record=json.dumps(record))
        write_atomically(path, data.getvalue())

    @classmethod
    @check_kinds
    def load(cls, path: str | Path) -> Packing:
        """Read a packing that ``save`` wrote.

        Raises
        ------
        ValueError
            If the file is missing or is no packing.
        """
        try:
            with np.load(path, allow_pickle=False) as found:
                record = json.loads(str(found["record"]))
                return cls(found["vectors"], **record)
        except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path} is no packing that can be read: {error}") from None

    def __str__(self) -> str:
        exact = f" = {self.exact}" if self.exact else ""
        return (
            f"{self.n} vectors in R^{self.m}: {self.objective} {self.value:.12g}{exact} "
            f"({self.method})\nlargest |t| {self.coherence:.12g}, largest t {self.cosine:.12g}; "
            f"{self.bound.name} bound {self.bound.value:.12g}; {self.tight_pairs} pairs touch"
            f"\nany {self.worst_case.active} active vectors are read by one threshold"
        )

    def __repr__(self) -> str:
        return str(self)
