"""The toy model as a value: W and b, checked and read-only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from theory.checks import check_numbers, read_only
from theory.features import Features
from theory.results import result


@dataclass(frozen=True, eq=False)
@result
class ToyModel:
    """y = ReLU(W Wᵀ x + b): row i of W represents feature i (arXiv 2505.10465, eq. 1).

    Parameters
    ----------
    W : array_like, shape (n, m)
        Representations; stored as float64.
    b : array_like, shape (n,)
        Biases; stored as float64.

    Raises
    ------
    ValueError
        For shapes that do not fit, or entries that are not finite.

    Examples
    --------
    >>> model = ToyModel(np.eye(3, 2), np.zeros(3))
    >>> model.n, model.m, model.norms
    (3, 2, array([1., 1., 0.]))
    """

    W: NDArray[np.float64]
    b: NDArray[np.float64]

    def __post_init__(self) -> None:
        W, b = (check_numbers(name, getattr(self, name)).copy() for name in ("W", "b"))
        if W.ndim != 2 or 0 in W.shape:
            raise ValueError(f"W has shape {W.shape}: give a matrix of n rows and m columns")
        if b.shape != (W.shape[0],):
            raise ValueError(
                f"b has shape {b.shape}: give one bias for each of the {len(W)} rows of W"
            )
        for name, array in (("W", W), ("b", b)):
            bad = int(np.size(array) - np.isfinite(array).sum())
            if bad:
                raise ValueError(f"{name} has {bad} entries that are NaN or infinite")
        object.__setattr__(self, "W", read_only(W))
        object.__setattr__(self, "b", read_only(b))

    @property
    def n(self) -> int:
        """Number of features."""
        return int(self.W.shape[0])

    @property
    def m(self) -> int:
        """Hidden width."""
        return int(self.W.shape[1])

    @property
    def norms(self) -> NDArray[np.float64]:
        """Row norms |W_i|, shape (n,)."""
        norms: NDArray[np.float64] = np.sqrt(np.einsum("ij,ij->i", self.W, self.W))
        return norms

    def __repr__(self) -> str:
        norms = self.norms
        return f"ToyModel(n={self.n}, m={self.m}, |W_i| {norms.min():.3g} to {norms.max():.3g})"


@dataclass(frozen=True, eq=False)
class GramModel:
    """Overlaps G and biases b in place of a model, where no W need have them: G is not W Wᵀ.

    Attributes
    ----------
    gram : ndarray, shape (n, n)
    b : ndarray, shape (n,)
    """

    gram: NDArray[np.float64]
    b: NDArray[np.float64]

    @property
    def n(self) -> int:
        """Number of features."""
        return int(self.b.size)

    @property
    def norms(self) -> NDArray[np.float64]:
        """√G_ii, shape (n,)."""
        norms: NDArray[np.float64] = np.sqrt(np.diag(self.gram))
        return norms


# What an exact loss without a gradient takes.
Model = ToyModel | GramModel


def check_same_n(model: Model, features: Features) -> None:
    """Raise ``ValueError`` unless a model and what it is shown have the same number of features."""
    if model.n != features.n:
        raise ValueError(
            f"the model has n = {model.n} features and the frequencies n = {features.n}: "
            "they must agree"
        )
