"""Blocks of rows of the Gram matrix, and what every exact loss makes of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from numerics.loss.report import LossReport
from numerics.toy_model import GramModel, Model
from theory.checks import Sampling, read_only
from theory.features import Features

Array = NDArray[np.float64]

# Entries of the block of Gram rows held at once: 64 MB.
_BLOCK = 8_000_000
# Overlaps below this are taken as 0, as their powers underflow.
_NOTHING = 1e-60


def row_blocks(model: Model, entries: int | None = None) -> list[slice]:
    """Return slices of rows of the Gram matrix that hold at most so many entries."""
    rows = max(1, min(model.n, (entries or _BLOCK) // model.n))
    starts = range(0, model.n, rows)
    return [slice(start, min(start + rows, model.n)) for start in starts]


def accumulate(gradient_W: Array, W: Array, some: slice, by_gram: Array) -> None:
    """Add the gradient by W that slopes by a block of rows of G = W Wᵀ amount to."""
    gradient_W[some] += by_gram @ W
    gradient_W += by_gram.T @ W[some]


def make_report(
    sampling: Sampling,
    error_bound: float,
    model: Model,
    features: Features,
    per_feature: Array,
    parts: dict[str, Array],
    gradients: tuple[Array, Array] | None,
) -> LossReport:
    """Return the report of a loss that is known for each feature and by its parts."""
    return LossReport(
        float(per_feature.sum()),
        error_bound,
        read_only(per_feature),
        {name: read_only(part) for name, part in parts.items()},
        read_only(find_lost(model, features)),
        sampling,
        *((read_only(g) for g in gradients) if gradients is not None else ()),
    )


def split_alone(model: Model, features: Features, own: Array) -> dict[str, Array]:
    """Split the errors that features make without other inputs into lost ones and the rest."""
    lost = find_lost(model, features)
    return {"lost": np.where(lost, own, 0.0), "self": np.where(lost, 0.0, own)}


def find_lost(model: Model, features: Features) -> NDArray[np.bool_]:
    """Return which features are lost: of norm below 1/2, or never above 0 for their own input."""
    largest_output = model.b + features.activation.high * model.norms**2
    return (model.norms < 0.5) | (largest_output <= 0)


def gram_rows(model: Model, some: slice) -> Array:
    """Rows of W Wᵀ; overlaps so small that their powers underflow are 0."""
    gram: Array
    gram = model.gram[some].copy() if isinstance(model, GramModel) else model.W[some] @ model.W.T
    gram[np.abs(gram) < _NOTHING] = 0.0
    return gram
