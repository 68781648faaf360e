"""Train the toy model on freshly drawn batches, on one CPU core or any torch device.

``train(features, m)`` returns a ``TrainingRun``. Features are drawn and encoded sparse: of the
batch x n arrays only the output, which is dense, is ever formed.

On the CPU the steps are compiled (``backend="fused"``), elsewhere they are torch's. Batches come
from one numpy generator, so that a seed means the same batches everywhere. On the CPU a run is
reproduced bit for bit (in torch: at the same number of threads), also across a stop and a resume.
The CUDA path is the same torch code; ``benchmarks/gpu.py`` checks it, and has not been run yet.
"""

from __future__ import annotations

import hashlib
import math
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np
from numpy.typing import NDArray

from empirical.progress import Report, report
from empirical.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from empirical.training.convergence import (
    Convergence,
    Round,
    begins_at,
    is_over,
    measure_round,
    round_settings,
)
from empirical.training.diagnostics import dead_features
from empirical.training.run import TrainingRun
from empirical.training.sampled.steps import SampledSteps
from empirical.training.settings import (
    Recipe,
    TrainingChanges,
    TrainingSettings,
    check_feasible,
    make_settings,
    plan,
)
from empirical.training.steps import FusedSteps, Steps
from numerics.files import check_writable
from numerics.loss.monte_carlo import monte_carlo_loss
from numerics.toy_model import ToyModel
from theory.checks import check_integer, check_widths, read_only
from theory.computing.argument_kinds import check_kinds
from theory.features import Features, as_features
from theory.frequencies import Frequencies

# Loss, as a multiple of that of a model that learns nothing, above which a run has diverged.
_DIVERGED = 1e4
# Number of records in the history, at most.
_RECORDS = 200
# Multiplications between two checks of the clock, the keyboard and the loss.
_WORK = 2e10


class DivergenceError(ArithmeticError):
    """The training loss became NaN, infinite, or absurdly large.

    Examples
    --------
    >>> words = Frequencies.power_law(20, alpha=1.0)
    >>> try:
    ...     train(words, 4, batch=8, steps=1, learning_rate=1e6, warmup_steps=0)
    ... except DivergenceError:
    ...     print("try a lower learning rate")
    try a lower learning rate
    """


@check_kinds
def train(
    features: Features | Frequencies,
    m: int,
    *,
    recipe: Recipe = "fast",
    weight_decay: float = -1.0,
    seed: int = 0,
    model: ToyModel | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 1000,
    progress: bool | Report = False,
    **changes: Unpack[TrainingChanges],
) -> TrainingRun:
    """Train the toy model by AdamW on freshly drawn batches.

    The loss is Σ_i I_i (y_i - x_i)², averaged over batch and features. W starts at N(0, 1/m); AdamW
    has betas (0.9, 0.999) and epsilon 1e-8; the learning rate rises linearly, then falls as a
    cosine; weight decay acts on W alone. All else is the recipe's:

    - "fast": b = 0, and small batches that grow late; a lower loss in a small part of the time;
    - "converged": three trainings as "fast", with the weight growth given, a tenth of it and none,
      each finished without growth at a larger batch; from the lowest, rounds that double the
      samples, until one gains less than 1 %. The loss of the run is then the exact one up to 6000
      features, with a bound on its error, and ``convergence`` says what was done;
    - "paper" (arXiv 2505.10465, appendix B, small models): b ~ N(0, 1), batch 2048 at each of
      20 000 steps, peak learning rate 1e-2 after 2000 steps, 5 % of it in the end.

    Parameters
    ----------
    features : Features or Frequencies
        How often features occur, the law of v, and how much each matters.
    m : int
        Hidden width, 1 <= m <= n.
    recipe : {"fast", "converged", "paper"}
        Where the settings that are not given come from.
    weight_decay : float
        gamma: positive pulls W to zero (weak superposition), negative pulls rows to unit norm
        (strong superposition).
    seed : int
        Seed of the start, the batches and the evaluation.
    model : ToyModel, optional
        Where to begin instead of at random (``bias_start`` is then unused): a second phase with
        other settings. The optimizer begins anew.
    checkpoint : path, optional
        File to save the state to while training, and to resume from if it is there. It must have
        been made with the same settings. It stays when the run is done. Where it cannot be written
        (a full disk), a warning says so and training goes on.
    checkpoint_every : int
        Steps between two saves.
    progress : bool or callable
        True for a progress bar on stderr; a function is called as progress(step, steps) with every
        record of the history, at most 200 times.
    **changes
        Any other field of ``TrainingSettings``, before the recipe's: bias_start, batch, late_batch,
        late_fraction, steps, learning_rate, bias_learning_rate, warmup_steps, final_learning_rate,
        rare_share, loss_scale, evaluation_samples, device, backend, draws, decoder_rows.
        ``**run.settings`` repeats a run.

    Returns
    -------
    TrainingRun
        Model, loss with standard error, history, settings, and what the rounds gained.

    Raises
    ------
    TypeError
        For a name that is no setting.
    ValueError
        For an argument out of range, a model of another shape, or a checkpoint of other settings.
    DivergenceError
        If the loss becomes NaN, infinite or 10^4 times that of a model that learns nothing.

    Examples
    --------
    >>> words = Frequencies.power_law(n=50, alpha=1.0)
    >>> run = train(words, m=10, weight_decay=0.5, steps=500)
    >>> bool(run.loss < 0.5 * Features(words).lost_losses.sum())
    True
    """
    settings = make_settings(recipe=recipe, weight_decay=weight_decay, seed=seed, **changes)
    return train_by(
        as_features(features), m, settings,
        model=model, checkpoint=checkpoint, checkpoint_every=checkpoint_every, progress=progress,
    )  # fmt: skip


def train_by(
    features: Features,
    m: int,
    settings: TrainingSettings,
    *,
    model: ToyModel | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 1000,
    progress: bool | Report = False,
) -> TrainingRun:
    """Train by settings that are made already; all else as in ``train``."""
    m = check_width(m, features.n)
    check_feasible(features, m, settings)
    checkpoint_every = check_integer("checkpoint_every", checkpoint_every)
    by_rank = features.frequencies.by_rank
    if model is not None and model.n == features.n:
        model = ToyModel(by_rank(model.W), by_rank(model.b))
    begin = start(features.n, m, settings, model)
    done, saved, lowest = Progress(), None, (begin.W, begin.b)
    path, named = None, {"m": m, **settings, "begun_at": begin.begun_at}
    if checkpoint is not None:
        path = check_writable(checkpoint)
        if path.exists():
            saved, done = load_checkpoint(path, features, named, begin.batches)
            lowest = saved.get("lowest.W", begin.W), saved.get("lowest.b", begin.b)
    ends = {"start": (begin.W, begin.b), "lowest": lowest}
    with report(progress, "training") as advance:
        while True:
            rounds = [Round(**one) for one in done.rounds]
            if is_over(settings, rounds):
                return finish(features, settings, begin, *ends["lowest"], done)
            now, where = round_settings(settings, rounds), begins_at(settings, rounds)
            # Of a round that a checkpoint holds the beginning does not matter.
            W, b = ends.get(where, ends["start"])
            stepper = _make_steps(begin._replace(W=W, b=b), features.ranked, now)
            if saved is not None:
                stepper.restore(saved, done.step)
                saved = None
            save = None
            if path is not None:
                names = ("lowest.W", "lowest.b") if rounds else ()
                kept = dict(zip(names, ends["lowest"], strict=False))
                save = _make_save(path, features, named, stepper, kept, begin.batches)
            _take_steps(stepper, features, now, done, save, checkpoint_every, advance)
            end = stepper.state()
            ends["last"] = end["W"], end["b"]
            if settings.recipe != "converged":
                return finish(features, settings, begin, *ends["last"], done)
            model = _as_model(features, now, *ends["last"])
            last, exact = measure_round(model, features, now, where, rounds)
            done.end_round(asdict(last), exact)
            if last.kept:
                ends["lowest"] = ends["last"]


def _make_save(
    path: Path,
    features: Features,
    named: Mapping[str, Any],
    stepper: Steps,
    kept: Mapping[str, NDArray[np.float32]],
    batches: np.random.Generator,
) -> Callable[[Progress], None]:
    """Return what saves the state of a run to its checkpoint."""

    def save(progress: Progress) -> None:
        state = {**stepper.state(), **kept}
        try:
            save_checkpoint(path, features, named, state, batches, progress)
        except (OSError, ValueError) as error:  # a full disk: the run goes on
            step = progress.before + progress.step
            warnings.warn(f"no checkpoint at step {step}: {error}", stacklevel=2)

    return save


def _as_model(
    features: Features, settings: TrainingSettings, W: NDArray[np.float32], b: NDArray[np.float32]
) -> ToyModel:
    """Return the model, in double precision, whose rows go as the features were given."""
    # No training loss has seen what the last step made of the model.
    finite = bool(np.isfinite(W).all() and np.isfinite(b).all())
    check_loss(0.0 if finite else math.nan, settings.steps, features, settings)
    as_given = features.frequencies.as_given
    return ToyModel(as_given(W.astype(np.float64)), as_given(b.astype(np.float64)))


def _make_steps(begin: Start, features: Features, settings: TrainingSettings) -> Steps:
    if settings.decoder_rows:
        return SampledSteps(begin.W, begin.b, features, begin.batches, settings)
    if settings.backend == "fused":
        return FusedSteps(begin.W, begin.b, features, begin.batches, settings)
    from empirical.training.torch_steps import TorchSteps  # torch is slow to import

    return TorchSteps(begin.W, begin.b, features, begin.batches, settings)


def check_width(m: int, n: int) -> int:
    """Return the one width m, 1 <= m <= n."""
    widths = check_widths(m, n)
    if widths.size != 1:
        raise ValueError(f"m = {m} is not one width: train one model at a time")
    return int(widths[0])


class Start(NamedTuple):
    """The first state of a run: the model, and the generators of batches and of the evaluation."""

    W: NDArray[np.float32]
    b: NDArray[np.float32]
    batches: np.random.Generator
    evaluation: np.random.Generator
    begun_at: str = ""
    """SHA-256 of a model that was given."""


def start(n: int, m: int, settings: TrainingSettings, model: ToyModel | None = None) -> Start:
    """Return the start that the settings name, or one at a given model with the same generators."""
    first, batches, evaluation = (
        np.random.default_rng(child) for child in np.random.SeedSequence(settings.seed).spawn(3)
    )
    if model is not None:
        if model.W.shape != (n, m):
            raise ValueError(
                f"the model to begin at has n, m = {model.W.shape}, the run {(n, m)}: "
                "they must agree"
            )
        W, b = model.W.astype(np.float32), model.b.astype(np.float32)
        begun_at = hashlib.sha256(W.tobytes() + b.tobytes()).hexdigest()
        return Start(W, b, batches, evaluation, begun_at)
    W = (first.standard_normal((n, m)) / math.sqrt(m)).astype(np.float32)
    b = first.standard_normal(n).astype(np.float32)
    if settings.bias_start == "zero":
        b[:] = 0
    return Start(W, b, batches, evaluation)


def finish(
    features: Features,
    settings: TrainingSettings,
    begin: Start,
    W: NDArray[np.float32],
    b: NDArray[np.float32],
    done: Progress,
) -> TrainingRun:
    """Evaluate a trained model, whose rows go by rank, on fresh samples, in float64.

    Raises
    ------
    DivergenceError
        If it is not finite, or its loss is beyond all bounds.
    """
    model = _as_model(features, settings, W, b)
    estimate = monte_carlo_loss(model, features, settings.evaluation_samples, begin.evaluation)
    check_loss(estimate.loss, settings.steps, features, settings)
    loss, stderr, convergence = estimate.loss, estimate.stderr, None
    if done.rounds:
        convergence = Convergence(tuple(Round(**one) for one in done.rounds), done.exact)
        if done.exact:
            lowest = min(convergence.rounds, key=lambda one: one.loss)
            loss, stderr = lowest.loss, lowest.error
    return TrainingRun(
        model,
        features,
        loss,
        stderr,
        estimate.samples,
        read_only(dead_features(model, estimate, features)),
        read_only(np.array(done.recorded_steps, dtype=np.int64)),
        read_only(np.array(done.recorded_losses)),
        done.seconds,
        settings,
        begin.begun_at,
        convergence,
    )


def _take_steps(
    stepper: Steps,
    features: Features,
    settings: TrainingSettings,
    done: Progress,
    save: Callable[[Progress], None] | None,
    save_every: int,
    advance: Report,
) -> None:
    """Take the remaining steps, several of one batch size at a time."""
    rates, bias_rates, batches = plan(settings)
    steps, grows = settings.steps, int(np.argmax(batches != batches[0]))
    every = record_every(steps)
    W = stepper.state()["W"]
    at_once = max(1, int(_WORK / (3 * int(batches.max()) * W.size)))
    started = time.perf_counter() - done.seconds
    while done.step < steps:
        end = min(steps, done.step + at_once, (done.step // every + 1) * every)
        if done.step < grows:
            end = min(end, grows)
        if save is not None:
            end = min(end, (done.step // save_every + 1) * save_every)
        now = slice(done.step, end)
        batch = int(batches[done.step])
        for loss in stepper.take(rates[now], bias_rates[now], done.step, batch):
            done.window += float(loss)
        done.step = end
        if end % every == 0 or end == steps:
            # max(NaN, 0) is 0 in a compiled step, which then loses nothing: check W too.
            healthy = np.isfinite(np.sum(stepper.state()["W"]))
            record(done, done.window if healthy else math.nan, features, settings)
            done.window = 0.0
            advance(done.before + end, done.before + steps)
        if save is not None and (end % save_every == 0 or end == steps):
            done.seconds = time.perf_counter() - started
            save(done)
    done.seconds = time.perf_counter() - started


def record_every(steps: int) -> int:
    """Return the number of steps that one record of the history averages over."""
    return -(-steps // _RECORDS)


def record(done: Progress, total: float, features: Features, settings: TrainingSettings) -> None:
    """Add a record to the history: the mean of the losses since the last, whose sum is given."""
    every = record_every(settings.steps)
    loss = total / (every if done.step % every == 0 else done.step % every)
    check_loss(loss, done.step, features, settings)
    done.recorded_steps.append(done.before + done.step)
    done.recorded_losses.append(loss)


def check_loss(loss: float, step: int, features: Features, settings: TrainingSettings) -> None:
    """Raise DivergenceError if a loss is NaN, or 10^4 times that of learning nothing."""
    if not loss <= _DIVERGED * float(features.lost_losses.sum()):
        raise DivergenceError(
            f"training diverged: loss {loss:.3g} around step {step} of {settings.steps} with "
            f"learning rate {settings.learning_rate:g}; try a smaller learning rate"
        )
