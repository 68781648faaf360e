"""Train the toy model: the published recipe by default, on any torch device.

Use ``train(frequencies, m)`` for a ``TrainingRun``. Features are drawn and encoded sparse: of the
batch x n arrays only the output, which is dense, is ever formed.

On the CPU the steps are compiled (``backend="fused"``), elsewhere they are torch's. Batches come
from one numpy generator, so that a seed means the same batches everywhere. On the CPU a run is
reproduced bit for bit (in torch: at the same number of threads), also across a stop and a resume.
The CUDA path is the same torch code; it has not been run on a GPU.
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from empirical.checkpoint import Progress, load_checkpoint, save_checkpoint
from empirical.files import check_writable
from empirical.measurement import dead_features
from empirical.progress import Report, report
from empirical.recipes import RECIPES
from empirical.run import TrainingRun
from empirical.steps import FusedSteps, Steps, TorchSteps
from numerics.monte_carlo import monte_carlo_loss
from numerics.sampling import FeatureSampler
from numerics.toy_model import ToyModel
from theory.activation import UNIFORM, Activation
from theory.checks import check_integer, check_real, check_widths, read_only
from theory.frequencies import Frequencies
from theory.weak import weak_loss

BiasStart = Literal["normal", "zero"]
Backend = Literal["auto", "fused", "torch"]

# A loss this many times that of a model that learns nothing has diverged.
_DIVERGED = 1e4
# At most this many records of the history.
_RECORDS = 200
# Larger rates overflow float32; every rate near this diverges.
_LARGEST_RATE = 1e6
# Multiplications between two looks at the clock, the keyboard and the loss.
_WORK = 2e10


class DivergenceError(ArithmeticError):
    """The training loss became NaN, infinite, or absurdly large."""


def schedule(step: int, steps: int, warmup_steps: int, final: float) -> float:
    """Return the factor of the learning rate at ``step`` (from 0): linear warm-up, cosine decay.

    Examples
    --------
    >>> [round(schedule(step, 20_000, 2000, 0.05), 3) for step in (0, 1999, 2000, 11_000, 19_999)]
    [0.001, 1.0, 1.0, 0.525, 0.05]
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    done = (step - warmup_steps) / max(steps - warmup_steps, 1)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done))


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
    loss_scale: float = 1.0,
    activation: Activation = UNIFORM,
    evaluation_samples: int = 2**16,
    device: str = "cpu",
    backend: Backend = "auto",
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
        What is used for the arguments from ``bias_start`` to ``late_fraction`` that are not given.
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
        For an argument out of range, or a checkpoint of other settings.
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
        loss_scale=loss_scale,
        evaluation_samples=evaluation_samples,
        activation=activation,
        device=device,
        backend=backend,
    )
    checkpoint_every = check_integer("checkpoint_every", checkpoint_every)
    if checkpoint is not None:
        checkpoint = check_writable(checkpoint)
    start_rng, batch_rng, evaluation_rng = (
        np.random.default_rng(child) for child in np.random.SeedSequence(settings["seed"]).spawn(3)
    )
    W, b = _start(frequencies.n, settings, start_rng)
    sampler = FeatureSampler(frequencies, activation)
    method = FusedSteps if settings["backend"] == "fused" else TorchSteps
    steps_of: Steps = method(W, b, sampler, batch_rng, settings)
    done = Progress()
    if checkpoint is not None and checkpoint.exists():
        state, done = load_checkpoint(checkpoint, settings, frequencies, batch_rng)
        steps_of.restore(state, done.step)

    save = None
    if checkpoint is not None:
        target = checkpoint

        def save(progress: Progress) -> None:
            state = steps_of.state()
            save_checkpoint(target, settings, frequencies, state, batch_rng, progress)

    limit = _DIVERGED * float(weak_loss(frequencies, 0, activation))
    with report(progress, "training") as advance:
        done = _train_steps(
            steps_of, frequencies.n, settings, done, limit, save, checkpoint_every, advance
        )
    # What the last step made of the model no training loss has seen.
    state = steps_of.state()
    finite = bool(np.isfinite(state["W"]).all() and np.isfinite(state["b"]).all())
    _check_loss(0.0 if finite else math.nan, limit, settings["steps"], settings)
    model = ToyModel(state["W"].astype(np.float64), state["b"].astype(np.float64))
    estimate = monte_carlo_loss(
        model, frequencies, settings["evaluation_samples"], evaluation_rng, activation
    )
    _check_loss(estimate.loss, limit, settings["steps"], settings)
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
        settings,
    )


def _train_steps(
    method: Steps,
    n: int,
    settings: dict[str, Any],
    done: Progress,
    limit: float,
    save: Callable[[Progress], None] | None,
    save_every: int,
    advance: Report,
) -> Progress:
    """Run the remaining steps, a few at a time."""
    steps, batch = settings["steps"], settings["batch"]
    record_every = -(-steps // _RECORDS)
    late = steps - round(settings["late_fraction"] * steps)
    largest = max(batch, settings["late_batch"])
    at_once = max(1, int(_WORK / (3 * largest * n * settings["m"])))
    factors = np.array(
        [
            schedule(step, steps, settings["warmup_steps"], settings["final_learning_rate"])
            for step in range(steps)
        ]
    )
    rates, bias_rates = (
        settings[name] * factors for name in ("learning_rate", "bias_learning_rate")
    )
    started = time.perf_counter() - done.seconds
    while done.step < steps:
        end = min(steps, done.step + at_once, (done.step // record_every + 1) * record_every)
        if save is not None:
            end = min(end, (done.step // save_every + 1) * save_every)
        if done.step < late:
            end = min(end, late)
        else:
            batch = settings["late_batch"]
        now = slice(done.step, end)
        for loss in method.take(rates[now], bias_rates[now], done.step, batch):
            done.window += float(loss)
        done.step = end
        if end % record_every == 0 or end == steps:
            span = record_every if end % record_every == 0 else end % record_every
            _check_loss(done.window / span, limit, end, settings)
            done.recorded_steps.append(end)
            done.recorded_losses.append(done.window / span)
            done.window = 0.0
            advance(end, steps)
        if save is not None and (end % save_every == 0 or end == steps):
            done.seconds = time.perf_counter() - started
            save(done)
    done.seconds = time.perf_counter() - started
    return done


def _check_loss(loss: float, limit: float, step: int, settings: dict[str, Any]) -> None:
    if not loss <= limit:
        raise DivergenceError(
            f"training diverged: loss {loss:.3g} around step {step} of {settings['steps']} with "
            f"learning rate {settings['learning_rate']:g}; try a smaller learning rate"
        )


def _start(
    n: int, settings: dict[str, Any], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    m = settings["m"]
    W = (rng.standard_normal((n, m)) / math.sqrt(m)).astype(np.float32)
    b = rng.standard_normal(n).astype(np.float32)
    if settings["bias_start"] == "zero":
        b[:] = 0
    return W, b


def check_settings(frequencies: Frequencies, **given: Any) -> dict[str, Any]:
    """Return ``train``'s settings, checked, with every default filled in, as plain values.

    Raises
    ------
    ValueError, TypeError
        For a value out of range, or a name that ``train`` does not know.

    Examples
    --------
    >>> settings = check_settings(Frequencies.linear(10), m=5, steps=1000)
    >>> settings["warmup_steps"], settings["batch"]
    (100, 2048)
    """
    parameters = inspect.signature(train).parameters
    unknown = sorted(set(given) - set(parameters))
    if unknown:
        raise TypeError(f"training has no setting {unknown[0]!r}: it has {', '.join(parameters)}")
    given = {name: parameter.default for name, parameter in parameters.items()} | given
    if given["recipe"] not in RECIPES:
        raise ValueError(f"unknown recipe {given['recipe']!r}: give one of {', '.join(RECIPES)}")
    if given["late_batch"] is None:
        given["late_batch"] = given["batch"]  # who gives one size means it throughout
    for name, value in RECIPES[given["recipe"]].items():
        if given[name] is None:
            given[name] = value
    m = check_widths(given["m"], frequencies.n)
    if m.size != 1:
        raise ValueError(f"m = {given['m']} is not one width: train one model at a time")
    if given["bias_start"] not in ("normal", "zero"):
        raise ValueError(
            f"bias_start = {given['bias_start']!r} is not allowed: give 'normal' or 'zero'"
        )
    try:
        torch.empty(0, device=given["device"])
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {given['device']!r} cannot be used: {reason}") from None
    backend = given["backend"]
    if backend not in ("auto", "fused", "torch"):
        raise ValueError(f"backend = {backend!r} is not allowed: give 'auto', 'fused' or 'torch'")
    on_cpu = torch.device(given["device"]).type == "cpu"
    if backend == "fused" and not on_cpu:
        raise ValueError(
            f"backend 'fused' runs on the CPU, not on {given['device']!r}: give 'torch'"
        )
    batch = check_integer("batch", given["batch"])
    steps = check_integer("steps", given["steps"])
    warmup = given["warmup_steps"]
    lr = check_real("learning_rate", given["learning_rate"], 0.0, _LARGEST_RATE, strict=True)
    bias_lr = given["bias_learning_rate"]
    return {
        "m": int(m[0]),
        "recipe": given["recipe"],
        "weight_decay": check_real("weight_decay", given["weight_decay"]),
        "seed": check_integer("seed", given["seed"], 0),
        "bias_start": given["bias_start"],
        "batch": batch,
        "steps": steps,
        "learning_rate": lr,
        "bias_learning_rate": lr
        if bias_lr is None
        else check_real("bias_learning_rate", bias_lr, 0.0, _LARGEST_RATE, strict=True),
        "warmup_steps": steps // 10
        if warmup is None
        else check_integer("warmup_steps", warmup, 0, steps),
        "final_learning_rate": check_real(
            "final_learning_rate", given["final_learning_rate"], 0.0, 1.0
        ),
        "late_batch": batch
        if given["late_batch"] is None
        else check_integer("late_batch", given["late_batch"]),
        "late_fraction": check_real("late_fraction", given["late_fraction"], 0.0, 1.0),
        "loss_scale": check_real("loss_scale", given["loss_scale"], 0.0, strict=True),
        "evaluation_samples": check_integer("evaluation_samples", given["evaluation_samples"], 2),
        "v_low": given["activation"].low,
        "v_high": given["activation"].high,
        "device": str(given["device"]),
        "backend": ("fused" if on_cpu else "torch") if backend == "auto" else backend,
    }
