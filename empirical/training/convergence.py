"""Rounds of training until more of it gains nothing: what the recipe "converged" adds to "fast".

``round_settings`` says how the next round is trained, ``measure_loss`` what it ended at, and
``Convergence`` is the record of all rounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from empirical.training.settings import TrainingSettings, plan
from numerics.loss.exact import population_loss
from numerics.loss.monte_carlo import monte_carlo_loss
from numerics.toy_model import ToyModel
from theory.features import Features
from theory.results import result

# Gain of a round, relative to the loss before it, below which training has converged.
ENOUGH = 0.01
# Rounds at most after the first training.
MOST = 8
# Batch size of the rounds, and the share of samples with one more rare feature: smaller batches
# lose rare features for good where frequencies are steep. studies/training/converged_recipe.py
# compares others.
BATCH, RARE_SHARE = 1024, 0.9
# Relative error of the exact losses, and the number of features beyond which they are sampled.
_RTOL, _SAMPLED_BEYOND = 1e-4, 6000


@dataclass(frozen=True)
@result
class Round:
    """One round of a run by the recipe "converged".

    Attributes
    ----------
    steps, samples : int
        Its numbers of steps and of samples.
    learning_rate : float
        Its peak rate.
    loss : float
        Loss at its end.
    error : float
        Bound of the error of that loss if it is exact, its standard error if it is sampled.
    kept : bool
        Whether the loss is the lowest so far. The next round begins at the lowest.
    """

    steps: int
    samples: int
    learning_rate: float
    loss: float
    error: float
    kept: bool


@dataclass(frozen=True)
@result
class Convergence:
    """What the recipe "converged" did: the first training, then rounds that double it.

    Attributes
    ----------
    rounds : tuple of Round
        The first training and the rounds after it, in their order.
    exact : bool
        Whether the losses are exact (``population_loss``) or sampled.

    Examples
    --------
    >>> first = Round(1000, 64_000, 0.01, 0.50, 0.0, True)
    >>> second = Round(500, 512_000, 0.01, 0.40, 0.0, True)
    >>> third = Round(562, 575_488, 0.01, 0.398, 0.0, True)
    >>> Convergence((first, second), True).converged
    False
    >>> Convergence((first, second, third), True)
    converged after 2062 steps in 3 rounds: the last doubling lowered the loss by 0.50 % to 0.398
    """

    rounds: tuple[Round, ...]
    exact: bool

    @property
    def steps(self) -> int:
        """Number of steps of all rounds, those that ended higher included."""
        return sum(one.steps for one in self.rounds)

    @property
    def loss(self) -> float:
        """Lowest loss of all rounds, that of the model."""
        return min(one.loss for one in self.rounds)

    @property
    def gain(self) -> float:
        """1 - (loss after the last round) / (lowest loss before it); NaN before there are two."""
        if len(self.rounds) < 2:
            return float("nan")
        return 1 - self.rounds[-1].loss / min(one.loss for one in self.rounds[:-1])

    @property
    def converged(self) -> bool:
        """Whether the last round, of as many samples as all kept ones before, gained less than 1 %.

        A round that ends higher is no evidence: its learning rate was too high.
        """
        return 0 <= self.gain < ENOUGH

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each round."""
        return pd.DataFrame([asdict(one) for one in self.rounds])

    def __str__(self) -> str:
        if len(self.rounds) < 2:
            return f"not converged: {self.steps} steps, and no round after them"
        verdict = "converged" if self.converged else "not converged"
        change = f"lowered the loss by {self.gain:.2%}" if self.gain >= 0 else "gained nothing"
        return (
            f"{verdict} after {self.steps} steps in {len(self.rounds)} rounds: the last doubling "
            f"{change.replace('%', ' %')} to {self.loss:.4g}"
        )

    def __repr__(self) -> str:
        return str(self)


def is_over(rounds: Sequence[Round]) -> bool:
    """Return whether no round is to follow these.

    Examples
    --------
    >>> gains = [Round(100, 6400, 0.01, loss, 0.0, True) for loss in (1.0, 0.8, 0.795)]
    >>> is_over(gains[:2]), is_over(gains)
    (False, True)
    """
    return len(rounds) > MOST or Convergence(tuple(rounds), True).converged


def round_settings(settings: TrainingSettings, rounds: Sequence[Round]) -> TrainingSettings:
    """Return the settings of the round after these: of the first training, where there are none.

    A round has no weight decay. It takes as many samples as all kept rounds before it, in at least
    half as many steps as the first training. Its learning rate is that of the last round, or half
    of it if that ended higher than it began.

    Examples
    --------
    >>> settings = TrainingSettings(recipe="converged", steps=1000, batch=64)
    >>> first = Round(1000, 64_000, 0.01, 1.0, 0.0, True)
    >>> second = Round(500, 512_000, 0.01, 1.1, 0.0, False)
    >>> third = round_settings(settings, [first, second])
    >>> third.steps, third.learning_rate, third.batch, third.weight_decay
    (500, 0.005, 1024, 0.0)
    """
    if settings.recipe != "converged" or not rounds:
        return settings
    last, before = rounds[-1], sum(one.samples for one in rounds if one.kept)
    rate = last.learning_rate if last.kept else last.learning_rate / 2
    batch = max(BATCH, settings.late_batch)
    steps = max(-(-before // batch), -(-settings.steps // 2))
    return replace(
        settings,
        weight_decay=0.0,
        steps=steps,
        batch=batch,
        late_batch=batch,
        late_fraction=0.0,
        learning_rate=rate,
        bias_learning_rate=settings.bias_learning_rate * rate / settings.learning_rate,
        warmup_steps=steps // 10,
        final_learning_rate=0.0,
        rare_share=max(RARE_SHARE, settings.rare_share),
    )


def measure_loss(
    model: ToyModel, features: Features, settings: TrainingSettings
) -> tuple[float, float, bool]:
    """Return the loss of a model, its error, and whether it is exact.

    Sampled losses are those of the same samples in every round: their differences are known better
    than the losses.
    """
    if features.n <= _SAMPLED_BEYOND:
        try:
            report = population_loss(model, features, rtol=_RTOL)
        except ArithmeticError:  # rounding keeps the bound above the tolerance: sample it
            pass
        else:
            return report.loss, report.error_bound, True
    samples = np.random.default_rng(np.random.SeedSequence(settings.seed).spawn(4)[3])
    estimate = monte_carlo_loss(model, features, settings.evaluation_samples, samples)
    return estimate.loss, estimate.stderr, False


def measure_round(
    model: ToyModel, features: Features, settings: TrainingSettings, rounds: Sequence[Round]
) -> tuple[Round, bool]:
    """Return the record of a round that ended at a model, and whether its loss is exact."""
    loss, error, exact = measure_loss(model, features, settings)
    kept = all(loss <= one.loss for one in rounds)
    samples = int(plan(settings).batches.sum())
    return Round(settings.steps, samples, settings.learning_rate, loss, error, kept), exact
