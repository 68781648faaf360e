"""Training steps for large n on the CPU: ``SampledSteps``, taken where ``decoder_rows`` is given.

Their interface is that of ``steps.Steps``. Rows of W go through a random order, ``decoder_rows`` a
step, so that each is used at least once in n/decoder_rows steps or two.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from empirical.training.recipes import BETAS, EPS
from empirical.training.sampled.kernels import catch_up, take_sampled_step
from empirical.training.settings import TrainingSettings, plan
from empirical.training.steps import MOMENTS, Array, Rates, make_sampler
from theory.computing.one_thread import one_thread
from theory.features import Features


class SampledSteps:
    """Compiled steps on one core that decode the active features and some rows of W.

    Parameters
    ----------
    W, b : ndarray of float32, shapes (n, m) and (n,)
        Where to begin.
    features : Features
        Features by rank.
    rng : Generator
        Source of the batches.
    settings : TrainingSettings
        Those of the run; its seed also gives the order of the rows.
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
        for moment in MOMENTS:
            self._arrays[f"W.{moment}"] = np.zeros_like(W)
            self._arrays[f"b.{moment}"] = np.zeros_like(b)
        self._last = np.zeros(len(b), np.int64)
        self._sampler, self._rng, self._settings = make_sampler(features, settings), rng, settings
        self._scale = settings.loss_scale / len(b)
        self._importance = features.weights.astype(np.float32)
        self._rates = plan(settings).rates
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def take(self, rates: Rates, bias_rates: Rates, done: int, batch: int) -> Rates:
        """Take a step for each pair of rates; return the batch losses, as estimated."""
        losses, steps = np.empty(rates.size), self._settings.steps
        decay = self._settings.weight_decay
        with one_thread():
            for k in range(rates.size):
                drawn = self._sampler.draw(batch, self._rng)
                losses[k] = take_sampled_step(
                    self._model, self._last, self.rows(done + k),
                    (
                        drawn.sample, drawn.feature, drawn.value.astype(np.float32),
                        drawn.weight.astype(np.float32),
                    ),
                    self._importance, done + k + 1, self._rates, bias_rates[k], decay,
                    self._scale, BETAS, EPS,
                )  # fmt: skip
            if done + rates.size == steps:
                W, _, first, second, *_ = self._model
                everything = np.arange(len(W))
                catch_up(
                    W, first, second, everything, self._last, steps + 1, self._rates, decay,
                    BETAS, EPS,
                )  # fmt: skip
        return losses

    def rows(self, step: int) -> NDArray[np.int64]:
        """Return the rows that the step decodes beside those of its active features.

        Each is among them with the same probability; it depends on the seed and the step alone, so
        that a run goes on from a checkpoint as if it had not stopped.
        """
        n, size = self._last.size, self._settings.decoder_rows
        epoch, part = divmod(step, n // size)
        if epoch != self._epoch:
            child = np.random.SeedSequence((self._settings.seed, epoch))
            self._order = np.random.default_rng(child).permutation(n)
            self._epoch = epoch
        return self._order[part * size : (part + 1) * size]

    @property
    def _model(self) -> tuple[Array, ...]:
        names = ("W", "b", *(f"{x}.{moment}" for x in "Wb" for moment in MOMENTS))
        return tuple(self._arrays[name] for name in names)

    def state(self) -> dict[str, Array]:
        """Return W, b, the moments of both, and each row's last step; later steps change them."""
        # Whole numbers up to 2^24 are exact in single precision.
        return {**self._arrays, "W.last": self._last.astype(np.float32)}

    def restore(self, state: Mapping[str, Array], done: int) -> None:
        """Go back to a state."""
        for name, array in self._arrays.items():
            array[...] = state[name]
        self._last[:] = state["W.last"]
