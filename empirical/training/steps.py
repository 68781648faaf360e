"""Training steps: their interface, and the compiled ones for one CPU core.

``FusedSteps`` and ``torch_steps.TorchSteps`` have one interface, ``Steps``: each holds a model with
the moments of its optimizer, takes steps (``take``), and exports and restores its whole state as
numpy arrays (``state``, ``restore``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from empirical.training.fused_kernels import make_workspace, take_steps
from empirical.training.recipes import BETAS, EPS
from empirical.training.settings import TrainingSettings
from numerics.sampling import FeatureSampler
from theory.computing.interrupts import interrupts_held
from theory.computing.one_thread import one_thread
from theory.features import Features

# Names of the moments in a state, those of torch's optimizers.
MOMENTS = ("exp_avg", "exp_avg_sq")

# Active entries that are drawn at once, about: their arrays stay in a core's cache.
_ENTRIES = 20_000

Array = NDArray[np.float32]
Rates = NDArray[np.float64]


class Steps(Protocol):
    """A model in training."""

    def take(self, rates: Rates, bias_rates: Rates, done: int, batch: int) -> Rates:
        """Take a step for each pair of rates, after ``done``; return the batch losses."""

    def state(self) -> dict[str, Array]:
        """Return W, b and the moments of both."""

    def restore(self, state: Mapping[str, Array], done: int) -> None:
        """Go back to a state, that of ``done`` steps."""


class FusedSteps:
    """Compiled steps on one core of the CPU.

    BLAS is held to one thread: a run is then the same bit for bit whatever threads the caller has.
    """

    def __init__(
        self,
        W: Array,
        b: Array,
        features: Features,
        rng: np.random.Generator,
        settings: TrainingSettings,
    ) -> None:
        self._arrays = {"W": W.copy(), "b": b.copy()}
        for name, x in (("W", W), ("b", b)):
            for moment in MOMENTS:
                self._arrays[f"{name}.{moment}"] = np.zeros_like(x)
        self._sampler, self._rng = make_sampler(features, settings), rng
        self._density = features.density
        self._decay = settings.weight_decay
        self._scale = settings.loss_scale / len(b)
        self._importance = None
        if features.importance is not None:
            self._importance = features.importance.astype(np.float32)

    def take(self, rates: Rates, bias_rates: Rates, done: int, batch: int) -> Rates:
        """Take a step for each pair of rates; return the batch losses."""
        W, W1, W2, b, b1, b2 = (self._arrays[name] for name in self._order)
        model = W, W.reshape(-1), b, W1.reshape(-1), W2.reshape(-1), b1, b2
        at_once = max(1, int(_ENTRIES / (batch * (self._density + 1))))
        losses = np.empty(rates.size)
        with one_thread(), interrupts_held():  # of a block, all steps or none
            for first in range(0, rates.size, at_once):
                now = slice(first, min(first + at_once, rates.size))
                sample, feature, value, weight, starts = self._sampler.draw_batches(
                    batch, now.stop - first, self._rng
                )
                drawn = sample, feature, value.astype(np.float32), weight.astype(np.float32), starts
                work = make_workspace(len(W), W.shape[1], batch, int(np.diff(starts).max()))
                losses[now] = take_steps(
                    model, rates[now], bias_rates[now], done + first, batch, self._decay,
                    self._scale, BETAS, EPS, drawn, self._importance, work,
                )  # fmt: skip
        return losses

    _order = ("W", *(f"W.{x}" for x in MOMENTS), "b", *(f"b.{x}" for x in MOMENTS))

    def state(self) -> dict[str, Array]:
        """Return W, b and the moments of both; later steps change them."""
        return dict(self._arrays)

    def restore(self, state: Mapping[str, Array], done: int) -> None:
        """Go back to a state."""
        for name, array in self._arrays.items():
            array[...] = state[name]


def make_sampler(features: Features, settings: TrainingSettings) -> FeatureSampler:
    """Return the sampler of the batches that a run sees."""
    return FeatureSampler(features, settings.rare_share)
