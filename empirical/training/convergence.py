"""Rounds of training until more of it gains nothing: the recipe "converged".

The first rounds are several short trainings from the same start, each with another weight growth
and each finished without it: growth of rows to norm 1 makes features die where m is small, and
keeps them alive where frequencies are steep, so that none is the best everywhere. From the lowest
of their ends, rounds follow that double the samples each time. ``round_settings`` says how the next
round is trained, ``begins_at`` from which model, ``measure_round`` what it ended at, and
``Convergence`` is the record of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from empirical.training.settings import TrainingSettings, plan
from numerics.loss.exact import population_loss
from numerics.loss.monte_carlo import monte_carlo_loss
from numerics.toy_model import ToyModel
from theory.features import Features
from theory.results import result

Beginning = Literal["start", "last", "lowest"]

# Gain of a round, relative to the loss before it, below which training has converged.
ENOUGH = 0.01
# Factors on the weight decay, where it is negative, of the first trainings.
GROWTHS = (1.0, 0.1, 0.0)
# Rounds at most after the first trainings.
MOST = 8
# Batch size of the rounds, and the share of samples with one more rare feature: smaller batches
# lose rare features for good where frequencies are steep.
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
    learning_rate, weight_decay : float
        Its peak rate, and gamma.
    begun_at : {"start", "last", "lowest"}
        Whether it began at random, at the end of the round before, or at the lowest end so far.
    loss : float
        Loss at its end.
    error : float
        Bound of the error of that loss if it is exact, its standard error if it is sampled.
    kept : bool
        Whether the loss is the lowest so far.
    """

    steps: int
    samples: int
    learning_rate: float
    weight_decay: float
    begun_at: Beginning
    loss: float
    error: float
    kept: bool


@dataclass(frozen=True)
@result
class Convergence:
    """What the recipe "converged" did: first trainings, then rounds that double the best of them.

    Attributes
    ----------
    rounds : tuple of Round
        In their order: each first training followed by its finish, then the doublings.
    exact : bool
        Whether the losses are exact (``population_loss``) or sampled.

    Examples
    --------
    >>> from theory.frequencies import Frequencies
    >>> from empirical.training.train import train
    >>> run = train(Frequencies.power_law(12, 1.0), 2, recipe="converged", steps=200)
    >>> run.convergence.converged, run.convergence.gain < 0.01
    (True, True)
    >>> [one.weight_decay for one in run.convergence.rounds[:6]]
    [-1.0, 0.0, -0.1, 0.0, 0.0, 0.0]
    """

    rounds: tuple[Round, ...]
    exact: bool

    @property
    def steps(self) -> int:
        """Number of steps of all rounds, those whose ends were not used included."""
        return sum(one.steps for one in self.rounds)

    @property
    def samples(self) -> int:
        """Number of samples of all rounds."""
        return sum(one.samples for one in self.rounds)

    @property
    def loss(self) -> float:
        """Lowest loss of all rounds, that of the model."""
        return min(one.loss for one in self.rounds)

    @property
    def doublings(self) -> int:
        """Number of rounds after the first trainings."""
        return sum(one.begun_at == "lowest" for one in self.rounds)

    @property
    def gain(self) -> float:
        """1 - (loss after the last doubling) / (lowest loss before it); NaN where there is none."""
        if not self.doublings:
            return float("nan")
        return 1 - self.rounds[-1].loss / min(one.loss for one in self.rounds[:-1])

    @property
    def converged(self) -> bool:
        """Whether the last round, of as many samples as the model saw before, gained under 1 %.

        A round that ends higher is no evidence: its learning rate was too high.
        """
        return 0 <= self.gain < ENOUGH

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each round."""
        return pd.DataFrame([asdict(one) for one in self.rounds])

    def __str__(self) -> str:
        if not self.doublings:
            return f"not converged: {self.steps} steps, and no doubling after them"
        verdict = "converged" if self.converged else "not converged"
        change = f"lowered the loss by {100 * self.gain:.2f} %" if self.gain >= 0 else "gained none"
        return (
            f"{verdict} after {self.steps} steps, {self.doublings} doublings: "
            f"the last {change} to {self.loss:.4g}"
        )

    def __repr__(self) -> str:
        return str(self)


def first_decays(settings: TrainingSettings) -> tuple[float, ...]:
    """Return the weight decays of the first trainings.

    Examples
    --------
    >>> first_decays(TrainingSettings()), first_decays(TrainingSettings(weight_decay=0.5))
    ((-1.0, -0.1, 0.0), (0.5,))
    """
    decay = settings.weight_decay
    return tuple(decay * factor + 0.0 for factor in GROWTHS) if decay < 0 else (decay,)


def is_over(settings: TrainingSettings, rounds: Sequence[Round]) -> bool:
    """Return whether no round is to follow these."""
    done = Convergence(tuple(rounds), True)
    if len(rounds) < 2 * len(first_decays(settings)):
        return False
    return done.doublings >= MOST or done.converged


def begins_at(settings: TrainingSettings, rounds: Sequence[Round]) -> Beginning:
    """Return where the round after these begins."""
    if len(rounds) >= 2 * len(first_decays(settings)):
        return "lowest"
    return "last" if len(rounds) % 2 else "start"


def round_settings(settings: TrainingSettings, rounds: Sequence[Round]) -> TrainingSettings:
    """Return the settings of the round after these.

    First trainings have the settings that were given, and the weight decays of ``first_decays``.
    All other rounds have none, and a larger batch. A finish takes half as many steps as the first
    training; a doubling takes as many samples as the lowest model has seen, at the rate of the last
    round, or half of it if that ended higher than it began.

    Examples
    --------
    >>> settings = TrainingSettings(recipe="converged", steps=1000, batch=64)
    >>> first = Round(1000, 64_000, 0.01, -1.0, "start", 1.0, 0.0, True)
    >>> finish = round_settings(settings, [first])
    >>> finish.steps, finish.batch, finish.weight_decay
    (500, 1024, 0.0)
    """
    if settings.recipe != "converged":
        return settings
    where = begins_at(settings, rounds)
    if where == "start":
        return replace(settings, weight_decay=first_decays(settings)[len(rounds) // 2])
    rate, batch = settings.learning_rate, max(BATCH, settings.late_batch)
    steps = -(-settings.steps // 2)
    if where == "lowest":
        # All first trainings take the same number of samples: those of the first and its finish.
        doublings = [one for one in rounds if one.begun_at == "lowest"]
        seen = sum(one.samples for one in rounds[:2])
        seen += sum(one.samples for one in doublings if one.kept)
        steps = max(-(-seen // batch), steps)
        if doublings:
            rate = doublings[-1].learning_rate / (1 if doublings[-1].kept else 2)
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
    model: ToyModel,
    features: Features,
    settings: TrainingSettings,
    begun_at: Beginning,
    rounds: Sequence[Round],
) -> tuple[Round, bool]:
    """Return the record of a round that ended at a model, and whether its loss is exact."""
    loss, error, exact = measure_loss(model, features, settings)
    now = Round(
        settings.steps, int(plan(settings).batches.sum()), settings.learning_rate,
        settings.weight_decay, begun_at, loss, error, all(loss <= one.loss for one in rounds),
    )  # fmt: skip
    return now, exact
