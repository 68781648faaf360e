"""The ground state as a value: the model, its minima, its geometry and its picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from numerics.ground_state.dimensionality import (
    feature_dimensionalities,
    name_group,
    overlap_groups,
)
from numerics.toy_model import ToyModel
from theory.checks import Sampling, read_only
from theory.features import Features
from theory.figures.style import add_color_bar, finish, open_axes
from theory.results import result

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
@result
class GroundState:
    """The lowest exact loss over W and b that was found.

    Attributes
    ----------
    features : Features
        What the model is shown.
    model : ToyModel
        W and b of the lowest loss, W rotated onto its principal axes.
    loss, error_bound : float
        Its exact loss Σ I_i ⟨(y_i - x_i)²⟩, and a bound on the error of that number.
    gradient : float
        Largest entry of the loss's gradient by W and b.
    curvature : float
        Lowest eigenvalue of the loss's Hessian by W and b, rotations of W left out: at or above 0
        at a minimum (0 where a direction is flat). Beyond n (m + 1) = 150 coordinates it is the
        lowest Ritz value of 120 Lanczos steps, a bound from above. The Hessian jumps where an
        overlap or a bias is exactly 0: there it is about the mean of both sides.
    starts : int
        Number of descents.
    minima : ndarray, shape (k,)
        The different losses that the descents ended at, lowest first.
    counts : ndarray of int, shape (k,)
        How many descents from starts ended at each; 0 where only a change of the lowest one led.
    sampling : str
        "bernoulli" or "one_hot".
    seed : int
        Seed of the starts (-1: a generator was given).
    """

    features: Features
    model: ToyModel
    loss: float
    error_bound: float
    gradient: float
    curvature: float
    starts: int
    minima: Array
    counts: NDArray[np.int64]
    sampling: Sampling
    seed: int

    @property
    def W(self) -> Array:
        """Representations, shape (n, m)."""
        return self.model.W

    @property
    def b(self) -> Array:
        """Biases, shape (n,)."""
        return self.model.b

    @cached_property
    def gram(self) -> Array:
        """W Wᵀ, shape (n, n)."""
        return read_only(self.W @ self.W.T)

    @cached_property
    def dimensionalities(self) -> Array:
        """D_i = |W_i|²/Σ_j (Ŵ_i·W_j)², the share of a dimension of each feature; shape (n,)."""
        return read_only(feature_dimensionalities(self.W))

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """Components of the graph of overlaps, a number for each feature; -1 for lost ones."""
        return read_only(overlap_groups(self.W))

    @property
    def shapes(self) -> tuple[str, ...]:
        """The arrangement of each group of overlapping features, such as "digon"."""
        return tuple(
            name_group(self.W[self.groups == group]) for group in range(self.groups.max() + 1)
        )

    @property
    def represented(self) -> NDArray[np.bool_]:
        """Which features have |W_i| > 1/2."""
        return self.model.norms > 0.5

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each feature: frequency, importance, norm, bias, D_i and group."""
        return pd.DataFrame(
            {
                "p": self.features.p,
                "importance": self.features.weights,
                "norm": self.model.norms,
                "bias": self.b,
                "dimensionality": self.dimensionalities,
                "group": self.groups,
            }
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw the directions for m = 2 and 3, else the Gram matrix W Wᵀ; return the axes."""
        if self.model.m == 2:
            return self._plot_plane(ax)
        if self.model.m == 3:
            return self._plot_space(ax)
        return self.plot_gram(ax)

    def plot_gram(self, ax: Any = None) -> Any:
        """Draw W Wᵀ in colors, white where it is 0; return the axes."""
        ax = open_axes(ax)
        ax.grid(visible=False)
        ends = 0.5, self.model.n + 0.5
        most = max(1.0, float(np.abs(self.gram).max()))
        extent = (*ends, *ends[::-1])
        image = ax.imshow(self.gram, cmap="RdBu_r", vmin=-most, vmax=most, extent=extent)
        ax.locator_params(integer=True)
        add_color_bar(ax, image, r"$W_i \cdot W_j$")
        return finish(ax, "feature j", "feature i", title=self._title)

    @property
    def _title(self) -> str:
        return f"n = {self.model.n}, m = {self.model.m}, loss {self.loss:.4g}"

    def _colors(self) -> Array:
        import matplotlib.pyplot as plt

        weights = self.features.weights
        return np.asarray(plt.get_cmap("viridis")(0.85 * (1 - weights / weights.max())))

    def _plot_plane(self, ax: Any) -> Any:
        ax = open_axes(ax, (5.0, 5.0))
        for i, (row, color) in enumerate(zip(self.W, self._colors(), strict=True)):
            ax.plot([0, row[0]], [0, row[1]], "-", color=color)
            ax.plot(*row, "o", color=color)
            if self.model.norms[i] > 0.1:
                ax.annotate(str(i + 1), 1.12 * row, ha="center", va="center", fontsize="small")
        size = 1.3 * max(1.0, float(self.model.norms.max()))
        ax.set(xlim=(-size, size), ylim=(-size, size))
        ax.set_aspect("equal")
        return finish(ax, "hidden dimension 1", "hidden dimension 2", title=self._title)

    def _plot_space(self, ax: Any) -> Any:
        if ax is None or not hasattr(ax, "get_zlim"):
            import matplotlib.pyplot as plt

            if ax is None:
                ax = plt.figure().add_subplot(projection="3d")
            else:  # a flat axes makes room for one of space
                figure, place = ax.figure, ax.get_subplotspec()
                ax.remove()
                ax = figure.add_subplot(place, projection="3d")
        for i, (row, color) in enumerate(zip(self.W, self._colors(), strict=True)):
            ax.plot(*np.stack([np.zeros(3), row], axis=1), "-", color=color)
            ax.plot(*row[:, None], "o", color=color)
            if self.model.norms[i] > 0.1:
                ax.text(*(1.15 * row), str(i + 1), fontsize="small")
        ax.set_title(self._title, fontsize="medium")
        ax.set_box_aspect((1, 1, 1))
        return ax

    def __repr__(self) -> str:
        shapes = list(dict.fromkeys(self.shapes))
        counted = ", ".join(f"{self.shapes.count(name)} × {name}" for name in shapes)
        lines = [
            f"ground state n = {self.model.n}, m = {self.model.m}: loss {self.loss:.10g} (error "
            f"below {self.error_bound:.1g}), {int(self.counts[0])} of {self.starts} starts",
            f"gradient {self.gradient:.1g}, lowest curvature {self.curvature:.3g}",
            f"dimensionalities {self.dimensionalities.min():.4g} to "
            f"{self.dimensionalities.max():.4g}, sum {self.dimensionalities.sum():.4g}; "
            f"{counted or 'no feature represented'}",
        ]
        if self.minima.size > 1:
            others = zip(self.minima[1:4], self.counts[1:4], strict=True)
            listed = ", ".join(f"{loss:.8g} ({count})" for loss, count in others)
            lines.append(f"next minima: {listed}")
        return "\n".join(lines)
