"""An exact expected loss and its parts: ``LossReport``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from theory.figures.style import BLACK, RANK, curve, finish, open_axes
from theory.results import ReadOnlyMapping, result

# What people read for the names of the parts.
PART_LABELS = {
    "lost": "lost features",
    "self": "the others, alone",
    "interference_silent": "interference while off",
    "interference_active": "interference while on",
}


@dataclass(frozen=True, eq=False)
@result
class LossReport:
    """An exact expected loss.

    Attributes
    ----------
    loss : float
        Expected weighted squared error Σ_i I_i ⟨(y_i - x_i)²⟩, per sample.
    error_bound : float
        Bound on its absolute error, for the Gram matrix W Wᵀ as double precision has it.
    per_feature : ndarray, shape (n,)
        Weighted loss of each output, I_i ⟨(y_i - x_i)²⟩.
    parts_per_feature : mapping of str to ndarray
        The same as named contributions, I_i included:
        "lost", the error of lost features without other inputs; lost are those with |W_i| < 1/2
        (not represented, by the published measure) or with an output that is 0 whatever their own
        input (b_i + G_ii v <= 0 for every v);
        "self", the error of the other features without other inputs: shrinkage, threshold, bias;
        "interference_silent", the change due to other inputs while the own one is silent;
        "interference_active", the change due to other inputs while the own one is active.
    lost : ndarray of bool, shape (n,)
        Which features are lost.
    sampling : str
        "bernoulli" or "one_hot".
    gradient_W, gradient_b : ndarray or None
        Gradient by W (n x m) and b (n), if asked for.
    """

    loss: float
    error_bound: float
    per_feature: NDArray[np.float64]
    parts_per_feature: Mapping[str, NDArray[np.float64]]
    lost: NDArray[np.bool_]
    sampling: str
    gradient_W: NDArray[np.float64] | None = None
    gradient_b: NDArray[np.float64] | None = None

    @property
    def parts(self) -> Mapping[str, float]:
        """The named contributions, summed over features; together they are the loss."""
        return ReadOnlyMapping(
            {name: float(part.sum()) for name, part in self.parts_per_feature.items()}
        )

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each feature: its loss, the parts, and whether it is lost."""
        return pd.DataFrame(
            {"loss": self.per_feature, **self.parts_per_feature, "is_lost": self.lost}
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw the loss of each feature and its parts against the rank; return the axes."""
        ax = open_axes(ax)
        rank = np.arange(1, self.per_feature.size + 1)
        ax.plot(rank, self.per_feature, color=BLACK, label="loss")
        for k, (name, part) in enumerate(self.parts_per_feature.items()):
            style, label = curve(k) | {"linestyle": "", "ms": 3}, PART_LABELS.get(name, name)
            ax.plot(rank, np.where(part > 0, part, np.nan), label=label, **style)
            if np.any(part < 0):  # other inputs can lower the loss: draw by how much
                below, style["marker"] = np.where(part < 0, -part, np.nan), "x"
                ax.plot(rank, below, label=f"{label}, negative", **style)
        return finish(ax, RANK, "loss of feature i", log="xy")

    def __repr__(self) -> str:
        parts = ", ".join(
            f"{PART_LABELS.get(name, name)} {value:.4g}" for name, value in self.parts.items()
        )
        return f"loss {self.loss:.10g} (error below {self.error_bound:.1g}; {parts})"
