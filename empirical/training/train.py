"""Train the toy model: the published recipe by default, on any torch device.

Use ``train(frequencies, m)`` for a ``TrainingRun``. Features are drawn and encoded sparse: of the
batch x n arrays only the output, which is dense, is ever formed.

On the CPU the steps are compiled (``backend="fused"``), elsewhere they are torch's. Batches come
from one numpy generator, so that a seed means the same batches everywhere. On the CPU a run is
reproduced bit for bit (in torch: at the same number of threads), also across a stop and a resume.
The CUDA path is the same torch code; it has not been run on a GPU.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from empirical.files import check_writable
from empirical.progress import Report, report
from empirical.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from empirical.training.diagnostics import dead_features
from empirical.training.run import TrainingRun
from empirical.training.settings import Backend, BiasStart, check_settings, plan
from empirical.training.steps import FusedSteps, Steps, TorchSteps
from numerics.loss.monte_carlo import monte_carlo_loss
from numerics.sampling import FeatureSampler
from numerics.toy_model import ToyModel
from theory.activation import UNIFORM, Activation
from theory.checks import check_integer, read_only
from theory.features import Features
from theory.frequencies import Frequencies
from theory.regimes.weak import weak_loss

# A loss this many times that of a model that learns nothing has diverged.
_DIVERGED = 1e4
# At most this many records of the history.
_RECORDS = 200
# Multiplications between two looks at the clock, the keyboard and the loss.
_WORK = 2e10


class DivergenceError(ArithmeticError):
    """The training loss became NaN, infinite, or absurdly large."""


def train(
    frequencies: Frequencies,
    m: int,
    *,
    recipe: str = "paper",
    weight_decay: float = -1.0,
    seed: int = 0,
    bias_start: BiasStart | None = None,
    batch: int | None = None,
    steps: int | None = None,
    learning_rate: float | None = None,
    bias_learning_rate: float | None = None,
    warmup_steps: int | None = None,
    final_learning_rate: float | None = None,
    late_batch: int | None = None,
    late_fraction: float | None = None,
    rare_share: float | None = None,
    loss_scale: float = 1.0,
    activation: Activation = UNIFORM,
    evaluation_samples: int = 2**16,
    device: str = "cpu",
    backend: Backend = "auto",
    model: ToyModel | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 1000,
    progress: bool | Report = False,
) -> TrainingRun:
    """Train the toy model by AdamW on freshly drawn batches.

    W starts at N(0, 1/m); AdamW has betas (0.9, 0.999) and epsilon 1e-8, on the loss averaged over
    batch and features; the learning rate rises linearly, then falls as a cosine; weight decay acts
    on W alone. All else is the recipe's:

    - "paper" (arXiv 2505.10465, appendix B, small models): b ~ N(0, 1), batch 2048 at each of
      20 000 steps, peak learning rate 1e-2 after 2000 steps, 5 % of it in the end;
    - "fast": b = 0, and small batches that grow late; a lower loss in a small part of the time.

    Parameters
    ----------
    frequencies : Frequencies
        How often features occur; n and E are theirs.
    m : int
        Hidden width, 1 <= m <= n.
    recipe : {"paper", "fast"}
        What is used for the arguments from ``bias_start`` to ``rare_share`` that are not given.
    weight_decay : float
        gamma: positive pulls W to zero (weak superposition), negative pulls rows to unit norm
        (strong superposition).
    seed : int
        Seed of the start, the batches and the evaluation.
    bias_start : {"normal", "zero"}
        b ~ N(0, 1) as published, or b = 0.
    batch, steps : int
        Batch size and number of steps.
    learning_rate, bias_learning_rate : float
        Peak learning rates of W and of b (the same unless given).
    warmup_steps : int, optional
        Steps of linear warm-up; a tenth of ``steps`` by default.
    final_learning_rate : float
        Where the cosine decay ends, as a fraction of the peak.
    late_batch : int, optional
        Batch size of the last steps, ``late_fraction`` of them; by default that of ``batch`` if
        that is given, else the recipe's.
    late_fraction : float
        Share of the steps that ``late_batch`` is for.
    rare_share : float
        Share of the samples to which one more feature is added, in proportion to √p_i, so that rare
        ones are seen; samples are weighted so that the expected loss is the same.
    loss_scale : float
        Factor on the loss (the large published models use 100); it matters only through Adam's
        epsilon.
    activation : Activation
        The law of v.
    evaluation_samples : int
        Fresh samples for the reported loss.
    device : str
        Torch device.
    backend : {"auto", "fused", "torch"}
        Compiled steps on one core of the CPU, or torch; "auto" is "fused" on the CPU.
    model : ToyModel, optional
        Where to begin instead of at random (``bias_start`` is then unused): a second phase with
        other settings. The optimizer begins anew.
    checkpoint : path, optional
        File to save the state to while training, and to resume from if it is there. It must have
        been made with the same settings. It stays when the run is done.
    checkpoint_every : int
        Steps between two saves.
    progress : bool or callable
        True for a progress bar on stderr; a function is called as progress(step, steps) with every
        record of the history, at most 200 times.

    Returns
    -------
    TrainingRun
        Model, loss with standard error, history, settings.

    Raises
    ------
    ValueError
        For an argument out of range, a model of another shape, or a checkpoint of other settings.
    DivergenceError
        If the loss becomes NaN, infinite or 10^4 times that of a model that learns nothing.

    Examples
    --------
    >>> words = Frequencies.power_law(n=50, alpha=1.0)
    >>> run = train(words, m=10, weight_decay=0.5, batch=64, steps=500, bias_start="zero")
    >>> bool(run.loss < weak_loss(words, 0))
    True
    """
    settings = check_settings(
        frequencies,
        m=m,
        recipe=recipe,
        weight_decay=weight_decay,
        seed=seed,
        bias_start=bias_start,
        batch=batch,
        steps=steps,
        learning_rate=learning_rate,
        bias_learning_rate=bias_learning_rate,
        warmup_steps=warmup_steps,
        final_learning_rate=final_learning_rate,
        late_batch=late_batch,
        late_fraction=late_fraction,
        rare_share=rare_share,
        loss_scale=loss_scale,
        evaluation_samples=evaluation_samples,
        activation=activation,
        device=device,
        backend=backend,
    )
    checkpoint_every = check_integer("checkpoint_every", checkpoint_every)
    if checkpoint is not None:
        checkpoint = check_writable(checkpoint)
    begin = start(frequencies.n, settings)
    if model is not None:
        begin = _begin_at(model, begin)
        settings["begun_at"] = hashlib.sha256(begin.W.tobytes() + begin.b.tobytes()).hexdigest()
    sampler = FeatureSampler(Features(frequencies, activation), settings["rare_share"])
    method = FusedSteps if settings["backend"] == "fused" else TorchSteps
    steps_of: Steps = method(begin.W, begin.b, sampler, begin.batches, settings)
    done = Progress()
    if checkpoint is not None and checkpoint.exists():
        state, done = load_checkpoint(checkpoint, settings, frequencies, begin.batches)
        steps_of.restore(state, done.step)

    save = None
    if checkpoint is not None:
        target = checkpoint

        def save(progress: Progress) -> None:
            state = steps_of.state()
            save_checkpoint(target, settings, frequencies, state, begin.batches, progress)

    with report(progress, "training") as advance:
        done = _train_steps(steps_of, frequencies, settings, done, save, checkpoint_every, advance)
    state = steps_of.state()
    return finish(frequencies, settings, begin, state["W"], state["b"], done)


class Start(NamedTuple):
    """Where a run begins: the model, and the generators of batches and of the evaluation."""

    W: NDArray[np.float32]
    b: NDArray[np.float32]
    batches: np.random.Generator
    evaluation: np.random.Generator


def start(n: int, settings: Mapping[str, Any]) -> Start:
    """Return the start that the settings name, of a model of n features."""
    first, batches, evaluation = (
        np.random.default_rng(child) for child in np.random.SeedSequence(settings["seed"]).spawn(3)
    )
    m = settings["m"]
    W = (first.standard_normal((n, m)) / math.sqrt(m)).astype(np.float32)
    b = first.standard_normal(n).astype(np.float32)
    if settings["bias_start"] == "zero":
        b[:] = 0
    return Start(W, b, batches, evaluation)


def _begin_at(model: ToyModel, begin: Start) -> Start:
    """Return a start at a given model, with the generators of another."""
    if model.W.shape != begin.W.shape:
        raise ValueError(
            f"the model to begin at has n, m = {model.W.shape}, the run {begin.W.shape}: "
            "they must agree"
        )
    return begin._replace(W=model.W.astype(np.float32), b=model.b.astype(np.float32))


def finish(
    frequencies: Frequencies,
    settings: Mapping[str, Any],
    begin: Start,
    W: NDArray[np.float32],
    b: NDArray[np.float32],
    done: Progress,
) -> TrainingRun:
    """Evaluate a trained model on fresh samples, in float64.

    Raises
    ------
    DivergenceError
        If it is not finite, or its loss is beyond all bounds.
    """
    # What the last step made of the model no training loss has seen.
    finite = bool(np.isfinite(W).all() and np.isfinite(b).all())
    check_loss(0.0 if finite else math.nan, settings["steps"], frequencies, settings)
    activation = Activation(settings["v_low"], settings["v_high"])
    model = ToyModel(W.astype(np.float64), b.astype(np.float64))
    estimate = monte_carlo_loss(
        model,
        Features(frequencies, activation),
        settings["evaluation_samples"],
        begin.evaluation,
    )
    check_loss(estimate.loss, settings["steps"], frequencies, settings)
    return TrainingRun(
        model,
        frequencies,
        estimate.loss,
        estimate.stderr,
        estimate.samples,
        read_only(dead_features(model, estimate, activation)),
        read_only(np.array(done.recorded_steps, dtype=np.int64)),
        read_only(np.array(done.recorded_losses)),
        done.seconds,
        dict(settings),
    )


def _train_steps(
    method: Steps,
    frequencies: Frequencies,
    settings: dict[str, Any],
    done: Progress,
    save: Callable[[Progress], None] | None,
    save_every: int,
    advance: Report,
) -> Progress:
    """Run the remaining steps, a few of one batch size at a time."""
    rates, bias_rates, batches = plan(settings)
    steps, grows = settings["steps"], int(np.argmax(batches != batches[0]))
    every = record_every(steps)
    at_once = max(1, int(_WORK / (3 * int(batches.max()) * frequencies.n * settings["m"])))
    started = time.perf_counter() - done.seconds
    while done.step < steps:
        end = min(steps, done.step + at_once, (done.step // every + 1) * every)
        if done.step < grows:
            end = min(end, grows)
        if save is not None:
            end = min(end, (done.step // save_every + 1) * save_every)
        now = slice(done.step, end)
        batch = int(batches[done.step])
        for loss in method.take(rates[now], bias_rates[now], done.step, batch):
            done.window += float(loss)
        done.step = end
        if end % every == 0 or end == steps:
            # A compiled step takes what is not a number for an output that is off: look at W too.
            healthy = np.isfinite(np.sum(method.state()["W"]))
            record(done, done.window if healthy else math.nan, frequencies, settings)
            done.window = 0.0
            advance(end, steps)
        if save is not None and (end % save_every == 0 or end == steps):
            done.seconds = time.perf_counter() - started
            save(done)
    done.seconds = time.perf_counter() - started
    return done


def record_every(steps: int) -> int:
    """Return how many steps a record of the history is about."""
    return -(-steps // _RECORDS)


def record(
    done: Progress, total: float, frequencies: Frequencies, settings: Mapping[str, Any]
) -> None:
    """Add a record to the history: the mean of the losses since the last, whose sum is given."""
    every = record_every(settings["steps"])
    loss = total / (every if done.step % every == 0 else done.step % every)
    check_loss(loss, done.step, frequencies, settings)
    done.recorded_steps.append(done.step)
    done.recorded_losses.append(loss)


def check_loss(
    loss: float, step: int, frequencies: Frequencies, settings: Mapping[str, Any]
) -> None:
    """Raise DivergenceError if a loss is NaN, or 10^4 times that of learning nothing."""
    activation = Activation(settings["v_low"], settings["v_high"])
    if not loss <= _DIVERGED * float(weak_loss(Features(frequencies, activation), 0)):
        raise DivergenceError(
            f"training diverged: loss {loss:.3g} around step {step} of {settings['steps']} with "
            f"learning rate {settings['learning_rate']:g}; try a smaller learning rate"
        )
