"""The loss of a given model on fresh samples, with its standard error: ``monte_carlo_loss``.

It works in blocks of samples: memory does not grow with their number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from numerics.sampling import FeatureSampler
from numerics.toy_model import ToyModel, check_same_n
from theory.checks import (
    MOST_DRAWS,
    as_generator,
    check_integer,
    read_only,
)
from theory.computing.argument_kinds import check_kinds
from theory.features import Features, as_features
from theory.frequencies import Frequencies
from theory.results import result

# Entries of the batch x n output held at once (float64): 32 MB.
_BLOCK = 4_000_000


@dataclass(frozen=True, eq=False)
@result
class LossEstimate:
    """A sampled loss.

    Attributes
    ----------
    loss : float
        Mean over samples of the weighted squared error Σ_i I_i (y_i - x_i)².
    stderr : float
        Standard error of ``loss``.
    samples : int
        Number of samples.
    per_feature : ndarray, shape (n,)
        Mean of I_i (y_i - x_i)² for each feature; sums to ``loss``.
    fired : ndarray of bool, shape (n,)
        Whether the feature's output was ever above 0.
    """

    loss: float
    stderr: float
    samples: int
    per_feature: NDArray[np.float64]
    fired: NDArray[np.bool_]

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each feature: its loss and whether it fired."""
        return pd.DataFrame({"loss": self.per_feature, "fired": self.fired})

    def __repr__(self) -> str:
        return f"loss {self.loss:.6g} ± {self.stderr:.2g} ({self.samples} samples)"


@check_kinds
def monte_carlo_loss(
    model: ToyModel,
    features: Features | Frequencies,
    samples: int = 2**16,
    seed: np.random.Generator | int = 0,
) -> LossEstimate:
    """Estimate Σ_i I_i ⟨(y_i - x_i)²⟩, y = ReLU(W Wᵀ x + b), on freshly drawn samples, in float64.

    Parameters
    ----------
    model : ToyModel
        The model, n x m.
    features : Features or Frequencies
        What it is shown; of the same n.
    samples : int
        How many to draw, at least 2.
    seed : Generator or int
        Source of randomness, or a seed for one.

    Returns
    -------
    LossEstimate
        Loss, standard error, and the loss of each feature.

    Raises
    ------
    ValueError
        If the model and the features differ in n, or for fewer than 2 samples.

    Examples
    --------
    >>> f = Frequencies.power_law(20, alpha=1.0)
    >>> keep_five = ToyModel(np.eye(20, 5), np.where(np.arange(20) < 5, 0, f.p))
    >>> print(monte_carlo_loss(keep_five, f, samples=100_000))
    loss 0.476166 ± 0.0033 (100000 samples)
    >>> from theory.regimes.weak import weak_loss
    >>> round(weak_loss(f, 5), 4)
    0.4769
    """
    samples = check_integer("samples", samples, 2, MOST_DRAWS)
    features = as_features(features)
    check_same_n(model, features)
    rng = as_generator(seed)
    sampler, importance = FeatureSampler(features), features.importance
    block = max(1, min(samples, _BLOCK // model.n))
    per_feature = np.zeros(model.n)
    fired = np.zeros(model.n, dtype=bool)
    total = total_square = 0.0
    shift: float | None = None
    for start in range(0, samples, block):
        batch = sampler.draw(min(block, samples - start), rng)
        x = csr_array((batch.value, (batch.sample, batch.feature)), shape=(batch.batch, batch.n))
        error = (x @ model.W) @ model.W.T
        error += model.b
        np.maximum(error, 0.0, out=error)
        fired |= error.any(axis=0)
        error[batch.sample, batch.feature] -= batch.value
        np.square(error, out=error)
        if importance is not None:
            error *= importance
        per_feature += error.sum(axis=0)
        each = error.sum(axis=1)
        # Sums about the first block's mean: a plain sum of squares would cancel.
        shift = float(each.mean()) if shift is None else shift
        total += float((each - shift).sum())
        total_square += float(np.square(each - shift).sum())
    assert shift is not None
    mean = total / samples
    variance = max(total_square / samples - mean**2, 0.0) * samples / (samples - 1)
    return LossEstimate(
        shift + mean,
        float(np.sqrt(variance / samples)),
        samples,
        read_only(per_feature / samples),
        read_only(fired),
    )
