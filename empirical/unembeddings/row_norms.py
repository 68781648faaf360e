"""The norms of the rows of a matrix, an indicator of weak or strong superposition.

``summarise_norms(norms)`` is for norms of any scale, as in language models; for a toy model, whose
norms are near 0 or 1, see ``empirical.training.diagnostics.measure``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.results import result

_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(frozen=True)
@result
class RowNorms:
    """Norms ‖W_i‖ of all n rows, those of zeros included.

    Attributes
    ----------
    mean, std, smallest, largest : float
        Over the rows.
    quantiles : mapping of float to float
        Norm by the share of rows that lie below it.
    phi_half : float
        φ_1/2, the share of rows with a norm above half the mean norm: m/n in weak superposition,
        where m rows have equal norms and the others 0; 1 in strong superposition, where all norms
        are about equal.
    phi_half_median : float
        The same, divided by the median norm; NaN if that is 0.

    Examples
    --------
    >>> import numpy as np
    >>> from empirical.unembeddings.report import analyze
    >>> analyze(np.eye(4)).norms.phi_half
    1.0
    """

    mean: float
    std: float
    smallest: float
    largest: float
    quantiles: Mapping[float, float]
    phi_half: float
    phi_half_median: float

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain values."""
        return vars(self) | {"quantiles": dict(self.quantiles)}


def summarise_norms(norms: NDArray[np.float64]) -> RowNorms:
    """Summarise norms of rows, of which one at least is above 0.

    Examples
    --------
    >>> found = summarise_norms(np.array([1.0, 1.0, 0.1, 0.1]))   # two of four are represented
    >>> found.mean, found.phi_half, found.phi_half_median
    (0.55, 0.5, 0.5)
    """
    mean, median, peak = float(norms.mean()), float(np.median(norms)), float(norms.max())
    return RowNorms(
        mean=mean,
        std=float((norms / peak).std()) * peak,  # squares of huge norms overflow
        smallest=float(norms.min()),
        largest=peak,
        quantiles={
            q: float(x) for q, x in zip(_QUANTILES, np.quantile(norms, _QUANTILES), strict=True)
        },
        phi_half=float(np.mean(norms > mean / 2)),
        phi_half_median=float(np.mean(norms > median / 2)) if median > 0 else math.nan,
    )
