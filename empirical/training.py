"""Train the toy model: the published recipe by default, on any torch device.

Use ``train(frequencies, m)`` for a ``TrainingRun``. Features are drawn and encoded sparse: of the
batch x n arrays only the output, which is dense, is ever formed.

The device draws nothing: batches come from a numpy generator, so that a seed means the same
batches everywhere. On the CPU a run is reproduced bit for bit (at the same number of torch
threads), also across a stop and a resume. The CUDA path is the same code; it has not been run on a
GPU.
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from empirical.checkpoint import Progress, load_checkpoint, save_checkpoint
from empirical.files import check_writable
from empirical.optimizer import RowAdamW
from empirical.progress import Report, report
from empirical.run import TrainingRun
from numerics.monte_carlo import monte_carlo_loss
from numerics.sampling import FeatureBatch, FeatureSampler
from numerics.toy_model import ToyModel
from theory.activation import UNIFORM, Activation
from theory.checks import check_integer, check_real, check_widths, read_only
from theory.frequencies import Frequencies
from theory.weak import weak_loss

BiasStart = Literal["normal", "zero"]

# A loss this many times that of a model that learns nothing has diverged.
_DIVERGED = 1e4
# At most this many records of the history.
_RECORDS = 200
# Larger rates overflow float32; every rate near this diverges.
_LARGEST_RATE = 1e6


class DivergenceError(ArithmeticError):
    """The training loss became NaN, infinite, or absurdly large."""


@dataclass(frozen=True, eq=False)
class Gradients:
    """Loss of one batch (mean over samples, summed over features) and its gradients."""

    loss: torch.Tensor
    W: torch.Tensor
    b: torch.Tensor


def loss_and_gradients(W: torch.Tensor, b: torch.Tensor, batch: FeatureBatch) -> Gradients:
    """Return the batch loss ⟨Σ_i (y_i - x_i)²⟩ and its gradients, with x kept sparse.

    Parameters
    ----------
    W, b : Tensor, shapes (n, m) and (n,)
        The model, on any device.
    batch : FeatureBatch
        Active entries.

    Returns
    -------
    Gradients
        In the dtype and on the device of W.

    Examples
    --------
    >>> batch = FeatureBatch(np.array([0]), np.array([1]), np.array([0.5]), batch=1, n=2)
    >>> W = torch.tensor([[0.0], [1.0]])
    >>> float(loss_and_gradients(W, torch.zeros(2), batch).loss)      # kept: reproduced exactly
    0.0
    """
    device = W.device
    sample = torch.from_numpy(batch.sample).to(device)
    feature = torch.from_numpy(batch.feature).to(device)
    value = torch.from_numpy(batch.value).to(device, W.dtype)
    hidden = W.new_zeros(batch.batch, W.shape[1])
    hidden.index_add_(0, sample, W[feature] * value[:, None])
    error = torch.addmm(b, hidden, W.T).relu_()
    output = error[sample, feature]
    flat = error.view(-1)
    # Σ (y - x)² = Σ y² + Σ_active (x² - 2 x y); the gradient is y - x where the ReLU is on.
    loss = torch.dot(flat, flat) + torch.sum(value * (value - 2 * output))
    error[sample, feature] = torch.where(output > 0, output - value, 0.0)
    grad_hidden = error @ W
    grad_W = error.T @ hidden
    grad_W.index_add_(0, feature, grad_hidden[sample] * value[:, None])
    scale = 2 / batch.batch
    return Gradients(loss / batch.batch, grad_W.mul_(scale), error.sum(0).mul_(scale))


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
    weight_decay: float = -1.0,
    seed: int = 0,
    bias_start: BiasStart = "normal",
    batch: int = 2048,
    steps: int = 20_000,
    learning_rate: float = 1e-2,
    bias_learning_rate: float | None = None,
    warmup_steps: int | None = None,
    final_learning_rate: float = 0.05,
    loss_scale: float = 1.0,
    activation: Activation = UNIFORM,
    evaluation_samples: int = 2**16,
    device: str = "cpu",
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 1000,
    progress: bool | Report = False,
) -> TrainingRun:
    """Train the toy model by AdamW on freshly drawn batches; defaults are the published recipe.

    The recipe (arXiv 2505.10465, appendix B, small models): W ~ N(0, 1/m), b ~ N(0, 1), batch 2048
    drawn anew at each of 20 000 steps, AdamW (0.9, 0.999, 1e-8) on the loss averaged over batch and
    features, learning rate 1e-2 with 2000 steps of linear warm-up and cosine decay to 5 %, weight
    decay on W alone.

    Parameters
    ----------
    frequencies : Frequencies
        How often features occur; n and E are theirs.
    m : int
        Hidden width, 1 <= m <= n.
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
    loss_scale : float
        Factor on the loss (the large published models use 100); it matters only through Adam's
        epsilon.
    activation : Activation
        The law of v.
    evaluation_samples : int
        Fresh samples for the reported loss.
    device : str
        Torch device.
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
        weight_decay=weight_decay,
        seed=seed,
        bias_start=bias_start,
        batch=batch,
        steps=steps,
        learning_rate=learning_rate,
        bias_learning_rate=bias_learning_rate,
        warmup_steps=warmup_steps,
        final_learning_rate=final_learning_rate,
        loss_scale=loss_scale,
        evaluation_samples=evaluation_samples,
        activation=activation,
        device=device,
    )
    checkpoint_every = check_integer("checkpoint_every", checkpoint_every)
    if checkpoint is not None:
        checkpoint = check_writable(checkpoint)
    start_rng, batch_rng, evaluation_rng = (
        np.random.default_rng(child) for child in np.random.SeedSequence(settings["seed"]).spawn(3)
    )
    W, b = _start(frequencies.n, settings, start_rng)
    optimizer = _optimizer(W, b, settings)
    done = Progress()
    if checkpoint is not None and checkpoint.exists():
        done = load_checkpoint(checkpoint, settings, frequencies, W, b, optimizer, batch_rng)

    save = None
    if checkpoint is not None:
        target = checkpoint

        def save(progress: Progress) -> None:
            save_checkpoint(target, settings, frequencies, W, b, optimizer, batch_rng, progress)

    sampler = FeatureSampler(frequencies, activation)
    limit = _DIVERGED * float(weak_loss(frequencies, 0, activation))
    with report(progress, "training") as advance:
        done = _train_steps(
            W, b, optimizer, sampler, batch_rng, settings, done, limit, save, checkpoint_every,
            advance,
        )  # fmt: skip
    # What the last step made of the model no training loss has seen.
    finite = bool(torch.isfinite(W).all() and torch.isfinite(b).all())
    _check_loss(0.0 if finite else math.nan, limit, settings["steps"], settings)
    model = ToyModel(W.detach().cpu().numpy(), b.detach().cpu().numpy())
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
        read_only(np.array(done.recorded_steps, dtype=np.int64)),
        read_only(np.array(done.recorded_losses)),
        done.seconds,
        settings,
    )


def _train_steps(
    W: torch.nn.Parameter,
    b: torch.nn.Parameter,
    optimizer: RowAdamW,
    sampler: FeatureSampler,
    rng: np.random.Generator,
    settings: dict[str, Any],
    done: Progress,
    limit: float,
    save: Callable[[Progress], None] | None,
    save_every: int,
    advance: Report,
) -> Progress:
    """Run the remaining steps, in place on W and b."""
    steps = settings["steps"]
    record_every = -(-steps // _RECORDS)
    peak = [group["lr"] for group in optimizer.param_groups]
    scale = settings["loss_scale"] / sampler.n
    window = torch.tensor(done.window, dtype=torch.float64, device=W.device)
    started = time.perf_counter() - done.seconds
    for step in range(done.step, steps):
        factor = schedule(step, steps, settings["warmup_steps"], settings["final_learning_rate"])
        for group, lr in zip(optimizer.param_groups, peak, strict=True):
            group["lr"] = lr * factor
        gradients = loss_and_gradients(W.data, b.data, sampler.draw(settings["batch"], rng))
        W.grad, b.grad = gradients.W.mul_(scale), gradients.b.mul_(scale)
        optimizer.step()
        window += gradients.loss
        done.step = step + 1
        if done.step % record_every == 0 or done.step == steps:
            span = record_every if done.step % record_every == 0 else done.step % record_every
            loss = float(window) / span
            _check_loss(loss, limit, done.step, settings)
            done.recorded_steps.append(done.step)
            done.recorded_losses.append(loss)
            window.zero_()
            advance(done.step, steps)
        if save is not None and (done.step % save_every == 0 or done.step == steps):
            done.window = float(window)
            done.seconds = time.perf_counter() - started
            save(done)
    done.seconds = time.perf_counter() - started
    for group, lr in zip(optimizer.param_groups, peak, strict=True):
        group["lr"] = lr
    return done


def _check_loss(loss: float, limit: float, step: int, settings: dict[str, Any]) -> None:
    if not loss <= limit:
        raise DivergenceError(
            f"training diverged: loss {loss:.3g} around step {step} of {settings['steps']} with "
            f"learning rate {settings['learning_rate']:g}; try a smaller learning rate"
        )


def _start(
    n: int, settings: dict[str, Any], rng: np.random.Generator
) -> tuple[torch.nn.Parameter, torch.nn.Parameter]:
    m = settings["m"]
    W = (rng.standard_normal((n, m)) / math.sqrt(m)).astype(np.float32)
    b = rng.standard_normal(n).astype(np.float32)
    if settings["bias_start"] == "zero":
        b[:] = 0
    device = torch.device(settings["device"])
    # detach copies nothing; nn.Parameter marks what the optimizer updates.
    return (
        torch.nn.Parameter(torch.from_numpy(W).to(device), requires_grad=False),
        torch.nn.Parameter(torch.from_numpy(b).to(device), requires_grad=False),
    )


def _optimizer(W: torch.nn.Parameter, b: torch.nn.Parameter, settings: dict[str, Any]) -> RowAdamW:
    return RowAdamW(
        [
            {
                "params": [W],
                "lr": settings["learning_rate"],
                "weight_decay": settings["weight_decay"],
            },
            {"params": [b], "lr": settings["bias_learning_rate"], "weight_decay": 0.0},
        ]
    )


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
    m = check_widths(given["m"], frequencies.n)
    if m.size != 1:
        raise ValueError(f"m = {given['m']} is not one width: train one model at a time")
    if given["bias_start"] not in ("normal", "zero"):
        raise ValueError(
            f"bias_start = {given['bias_start']!r} is not allowed: give 'normal' or 'zero'"
        )
    steps = check_integer("steps", given["steps"])
    warmup = given["warmup_steps"]
    lr = check_real("learning_rate", given["learning_rate"], 0.0, _LARGEST_RATE, strict=True)
    bias_lr = given["bias_learning_rate"]
    try:
        torch.empty(0, device=given["device"])
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {given['device']!r} cannot be used: {reason}") from None
    return {
        "m": int(m[0]),
        "weight_decay": check_real("weight_decay", given["weight_decay"]),
        "seed": check_integer("seed", given["seed"], 0),
        "bias_start": given["bias_start"],
        "batch": check_integer("batch", given["batch"]),
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
        "loss_scale": check_real("loss_scale", given["loss_scale"], 0.0, strict=True),
        "evaluation_samples": check_integer("evaluation_samples", given["evaluation_samples"], 2),
        "v_low": given["activation"].low,
        "v_high": given["activation"].high,
        "device": str(given["device"]),
    }
