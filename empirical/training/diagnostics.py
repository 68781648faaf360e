"""Diagnostics of a toy model: which features it represents, which are dead, how they overlap.

Start with ``measure(model, features)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from empirical.training.run import dead_loss
from numerics.ground_state.dimensionality import feature_dimensionalities
from numerics.loss.monte_carlo import LossEstimate, monte_carlo_loss
from numerics.overlaps.unit_rows import mean_square_overlap
from numerics.toy_model import ToyModel
from theory.checks import check_real, read_only
from theory.computing.argument_kinds import check_kinds
from theory.directions import welch_mean_square
from theory.features import Features, as_features
from theory.figures.style import BLUE, RANK, VERMILION, finish, open_axes
from theory.frequencies import Frequencies
from theory.regimes.weak import lost_loss, tail_loss
from theory.results import result


@dataclass(frozen=True, eq=False)
@result
class Measurement:
    """Represented, lost and dead features of a model, and its loss.

    Attributes
    ----------
    n, m : int
        Shape of the model.
    norms : ndarray, shape (n,)
        Row norms ‖W_i‖.
    dead : ndarray of bool, shape (n,)
        Features whose output never fires: not on any fresh sample, and not for their own input
        alone at its largest.
    loss, stderr : float
        Sampled loss and its standard error.
    dead_loss : float
        Expected loss at dead features, exactly Σ I_i ⟨v²⟩ p_i over them.
    lost_rows_loss : float
        Weak-superposition loss of the rows with norm below 1/2: Σ I_i (⟨v²⟩ p_i - ⟨v⟩² p_i²).
    lost_ranks_loss : float
        The published form: the same sum over the ranks above phi_half n instead.
    overlap_half, overlap_one : float
        Mean squared overlap among rows with norm above 1/2, and above 1 (NaN below two rows).
    dimensionalities : ndarray, shape (n,)
        D_i = |W_i|²/Σ_j (Ŵ_i·W_j)², the share of a dimension that feature i has (arXiv 2209.10652).
    """

    n: int
    m: int
    norms: NDArray[np.float64]
    dead: NDArray[np.bool_]
    loss: float
    stderr: float
    dead_loss: float
    lost_rows_loss: float
    lost_ranks_loss: float
    overlap_half: float
    overlap_one: float
    dimensionalities: NDArray[np.float64]

    @property
    def dimensionality(self) -> float:
        """Σ D_i, the number of dimensions in use: at most m."""
        return float(self.dimensionalities.sum())

    def represented(self, share: float) -> int:
        """Return how many features have at least this share of a dimension, D_i >= share.

        Examples
        --------
        >>> f = Frequencies.power_law(4, alpha=1.0)
        >>> model = ToyModel([[1, 0], [-1, 0], [0, 1], [0, 0]], np.zeros(4))
        >>> found = measure(model, f, samples=100)
        >>> found.represented(1 / 2), found.represented(1), found.dimensionality
        (3, 1, 2.0)
        """
        # An arrangement that is exact has its share to rounding.
        return int(np.sum(self.dimensionalities >= check_real("share", share, 0.0, 1.0) - 1e-9))

    @property
    def phi_half(self) -> float:
        """φ_1/2, the share of rows with norm above 1/2 (represented features)."""
        return float(np.mean(self.norms > 0.5))

    @property
    def phi_one(self) -> float:
        """φ_1, the share of rows with norm above 1 (strongly represented features)."""
        return float(np.mean(self.norms > 1.0))

    @property
    def dead_fraction(self) -> float:
        """Share of dead features."""
        return float(np.mean(self.dead))

    @property
    def welch(self) -> float:
        """Least mean squared overlap of as many rows as have norm above 1/2."""
        represented = int(np.sum(self.norms > 0.5))
        return float(welch_mean_square(represented, self.m)) if represented > 1 else 0.0

    def to_dataframe(self) -> pd.DataFrame:
        """Return the scalar results as a table of one row."""
        record: dict[str, Any] = {
            name: value for name, value in vars(self).items() if not isinstance(value, np.ndarray)
        }
        for name in ("phi_half", "phi_one", "dead_fraction", "welch", "dimensionality"):
            record[name] = getattr(self, name)
        return pd.DataFrame([record])

    def __repr__(self) -> str:
        return (
            f"toy model n = {self.n}, m = {self.m}: loss {self.loss:.5g} ± {self.stderr:.1g}; "
            f"row norm above 1/2 for {self.phi_half:.1%}, above 1 for {self.phi_one:.1%}; "
            f"dead {self.dead_fraction:.1%}, with {self.dead_loss:.4g} of the loss; "
            f"dimensionalities sum to {self.dimensionality:.4g} of {self.m}"
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw the row norm of each feature against its rank, dead ones marked; return the axes."""
        ax = open_axes(ax)
        rank = np.arange(1, self.n + 1)
        for kind, marker, color, which in (
            ("live", ".", BLUE, ~self.dead), ("dead", "x", VERMILION, self.dead)
        ):  # fmt: skip
            if which.any():
                ax.plot(rank[which], self.norms[which], marker, color=color, label=kind)
        return finish(ax, RANK, "row norm ‖W_i‖", log="x")


@check_kinds
def measure(
    model: ToyModel,
    features: Features | Frequencies,
    samples: int = 2**14,
    seed: np.random.Generator | int = 0,
) -> Measurement:
    """Measure a trained model.

    Parameters
    ----------
    model : ToyModel
        W and b.
    features : Features or Frequencies
        The features it was trained on.
    samples : int
        Fresh samples for the loss and for "never fires".
    seed : int or Generator
        Seed, or source of randomness.

    Returns
    -------
    Measurement
        Represented, lost and dead features; overlaps.

    Raises
    ------
    ValueError
        If the model and the features differ in n.

    Examples
    --------
    >>> f = Frequencies.power_law(20, alpha=1.0)
    >>> result = measure(ToyModel(np.eye(20, 5), np.zeros(20)), f)
    >>> result.phi_half, result.dead_fraction
    (0.25, 0.75)
    """
    features = as_features(features)
    estimate = monte_carlo_loss(model, features, samples, seed)
    norms = model.norms
    dead = dead_features(model, estimate, features)
    represented = norms > 0.5
    return Measurement(
        n=model.n,
        m=model.m,
        norms=read_only(norms),
        dead=read_only(dead),
        loss=estimate.loss,
        stderr=estimate.stderr,
        dead_loss=dead_loss(features, dead),
        lost_rows_loss=lost_loss(features, ~represented),
        lost_ranks_loss=float(tail_loss(features, int(represented.sum()))),
        overlap_half=overlap_among(model.W[represented]),
        overlap_one=overlap_among(model.W[norms > 1.0]),
        dimensionalities=read_only(feature_dimensionalities(model.W)),
    )


def dead_features(
    model: ToyModel, estimate: LossEstimate, features: Features | Frequencies
) -> NDArray[np.bool_]:
    """Return which outputs never fire: on no sample of ``estimate``, and not for their own input.

    Examples
    --------
    >>> f = Frequencies.power_law(3, alpha=1.0)
    >>> model = ToyModel(np.eye(3), np.array([0.0, -1.0, -5.0]))
    >>> dead_features(model, monte_carlo_loss(model, f, 1000), f)
    array([False, False,  True])
    """
    silent_alone = model.b + as_features(features).activation.high * model.norms**2 <= 0
    return silent_alone & ~estimate.fired


def overlap_among(rows: NDArray[np.float64]) -> float:
    """Return the mean squared overlap of these rows, NaN below two.

    Examples
    --------
    >>> overlap_among(np.array([[1.0, 0.0], [1.0, 1.0]]))
    0.5
    """
    return mean_square_overlap(rows) if len(rows) > 1 else float("nan")
