"""A toy model as a detector: how often its outputs tell which features are on.

``detection_rates(model, features)`` draws features, runs y = ReLU(W Wᵀ x + b), and counts, for each
feature, outputs above a threshold without it and below with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from numerics.sampling import FeatureSampler
from numerics.toy_model import ToyModel, check_same_n
from theory.checks import MOST_DRAWS, as_generator, check_integer, check_real
from theory.computing.argument_kinds import check_kinds
from theory.features import Features, as_features
from theory.frequencies import Frequencies
from theory.results import result

Values = NDArray[np.float64]
_BATCH = 4096


@dataclass(frozen=True, eq=False)
@result
class DetectionRates:
    """False alarms and misses of each feature, with standard errors.

    Attributes
    ----------
    threshold : float
        Of the outputs.
    samples : int
        States drawn.
    false_alarm, miss : ndarray, shape (n,)
        P(y_i > threshold | x_i = 0) and P(y_i <= threshold | x_i > 0); NaN where it never was so.
    false_alarm_stderr, miss_stderr : ndarray, shape (n,)
        Their standard errors.
    right, right_stderr : float
        Share of the states in which every feature is told correctly.
    """

    threshold: float
    samples: int
    false_alarm: Values
    miss: Values
    false_alarm_stderr: Values
    miss_stderr: Values
    right: float
    right_stderr: float

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each feature."""
        return pd.DataFrame(
            {
                "feature": np.arange(1, self.miss.size + 1),
                "false alarm": self.false_alarm,
                "false alarm stderr": self.false_alarm_stderr,
                "miss": self.miss,
                "miss stderr": self.miss_stderr,
            }
        )

    def __str__(self) -> str:
        return (
            f"{self.miss.size} features at threshold {self.threshold:g}: false alarms "
            f"{np.nanmean(self.false_alarm):.4g}, misses {np.nanmean(self.miss):.4g} a feature; "
            f"all right in {self.right:.4g} ± {self.right_stderr:.2g} of {self.samples} states"
        )


@check_kinds
def detection_rates(
    model: ToyModel,
    features: Features | Frequencies,
    threshold: float = 0.25,
    *,
    samples: int = 2**16,
    seed: int | np.random.Generator = 0,
) -> DetectionRates:
    """Return how often the outputs of a toy model tell which features are on.

    Parameters
    ----------
    model : ToyModel
        y = ReLU(W Wᵀ x + b).
    features : Features or Frequencies
        What it is shown.
    threshold : float
        A feature is read as on where its output is above it, >= 0.
    samples : int
        States drawn.
    seed : int or Generator
        Seed of the states.

    Returns
    -------
    DetectionRates
        Rates of each feature, with standard errors.

    Examples
    --------
    >>> from theory.frequencies import Frequencies
    >>> model = ToyModel(np.eye(4), np.zeros(4))
    >>> found = detection_rates(model, Frequencies.linear(4), 0.0, samples=500)
    >>> found.right
    1.0
    """
    shown = as_features(features)
    check_same_n(model, shown)
    threshold = check_real("threshold", threshold, 0)
    samples, rng = check_integer("samples", samples, 1, MOST_DRAWS), as_generator(seed)
    sampler = FeatureSampler(shown)
    n = model.n
    alarms, misses, times_on, right = np.zeros(n), np.zeros(n), np.zeros(n), 0
    for start in range(0, samples, _BATCH):
        batch = sampler.draw(min(_BATCH, samples - start), rng)
        x = np.zeros((batch.batch, n))
        x[batch.sample, batch.feature] = batch.value
        read = (x @ model.W) @ model.W.T + model.b > threshold
        on = x > 0
        wrong = read != on
        alarms += (wrong & ~on).sum(axis=0)
        misses += (wrong & on).sum(axis=0)
        times_on += on.sum(axis=0)
        right += int((~wrong.any(axis=1)).sum())
    false_alarm, alarm_stderr = _rate(alarms, samples - times_on)
    miss, miss_stderr = _rate(misses, times_on)
    share = right / samples
    return DetectionRates(
        threshold, samples, false_alarm, miss, alarm_stderr, miss_stderr,
        share, math.sqrt(share * (1 - share) / samples),
    )  # fmt: skip


def _rate(events: Values, trials: Values) -> tuple[Values, Values]:
    """Return the rate and its standard error; of no events, or all, that of one more or less."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = events / trials
        inside = np.clip(rate, 1 / (trials + 1), 1 - 1 / (trials + 1))
        return rate, np.sqrt(inside * (1 - inside) / trials)
