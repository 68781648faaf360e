"""The settings of a training run, checked, and the rates and batch sizes that follow from them.

``TrainingSettings`` is what ``train`` makes of its keyword arguments. To add a setting, add a field
here and read it in the step that it concerns: run files, store keys and JSON follow from the
fields.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from empirical.training.recipes import RECIPES
from theory.checks import (
    LARGEST,
    MOST_DRAWS,
    check_integer,
    check_real,
    shown,
)
from theory.computing.memory import check_memory
from theory.features import Features

Recipe = Literal["fast", "converged", "paper"]
BiasStart = Literal["normal", "zero"]
Backend = Literal["auto", "fused", "torch"]
Draws = Literal["numpy", "device"]

# Of learning rates and, in size, weight decays. Larger ones overflow float32; every rate near this
# diverges.
_LARGEST_RATE = 1e6
# Largest v: the squares of gradients, which go as v^4, are single-precision numbers.
_LARGEST_V = 1e8


# Steps of a training: more take days, and the rate of each step is a number in memory.
MOST_STEPS = 10**8


def _setting(check: Callable[[str, Any], Any], default: Any = None) -> Any:
    """Return a field with its check; None as default stands for the recipe's value."""
    return field(default=default, metadata={"check": check})


def _whole(low: int, default: int | None = None, high: int = LARGEST) -> Any:
    return _setting(lambda name, value: check_integer(name, value, low, high), default)


def _real(low: float, high: float, default: float | None = None, *, strict: bool = False) -> Any:
    return _setting(
        lambda name, value: check_real(name, value, low, high, strict=strict) + 0.0,  # no -0.0
        default,
    )


def _one_of(*allowed: str, default: str | None = None) -> Any:
    def check(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            words = " or ".join(map(repr, allowed))
            raise ValueError(f"{name} = {value!r} is not allowed: give {words}")
        return value

    return _setting(check, default)


def _check_device(name: str, value: Any) -> str:
    if not isinstance(value, str) and type(value).__name__ != "device":
        raise TypeError(f"{name} = {shown(value)} is not allowed: give a name, as 'cpu' or 'cuda'")
    if str(value) == "cpu":
        return "cpu"
    import torch  # slow to import, and reading a saved run needs it not

    try:
        torch.empty(0, device=value)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{name} {value!r} cannot be used: {reason}") from None
    return str(value)


@dataclass(frozen=True, kw_only=True, repr=False)
class TrainingSettings:
    """Every setting of a training run, checked and filled in.

    A mapping as far as ``**settings`` and ``dict(settings)`` go: ``train(features, m, **settings)``
    repeats a run.

    Parameters
    ----------
    recipe : {"fast", "converged", "paper"}
        Where the settings from ``bias_start`` to ``rare_share`` that are not given come from. With
        "converged" they are those of the first training, after which rounds follow.
    weight_decay : float
        gamma: positive pulls W to zero (weak superposition), negative pulls rows to unit norm
        (strong superposition).
    seed : int
        Seed of the start, the batches and the evaluation.
    bias_start : {"normal", "zero"}
        b ~ N(0, 1) as published, or b = 0.
    batch, steps : int
        Batch size and number of steps.
    late_batch : int
        Batch size of the last steps, ``late_fraction`` of them; that of ``batch`` if that is given.
    late_fraction : float
        Share of the steps that ``late_batch`` is for.
    learning_rate, bias_learning_rate : float
        Peak learning rates of W and of b (the same unless given).
    warmup_steps : int
        Steps of linear warm-up; a tenth of ``steps`` unless given.
    final_learning_rate : float
        Where the cosine decay ends, as a fraction of the peak.
    rare_share : float
        Share of the samples to which one more feature is added, in proportion to √p_i, so that rare
        ones are seen; samples are weighted so that the expected loss is the same.
    loss_scale : float
        Factor on the loss (the large published models use 100); it matters only through Adam's
        epsilon.
    evaluation_samples : int
        Fresh samples for the reported loss.
    device : str
        Torch device.
    backend : {"auto", "fused", "torch"}
        Compiled steps on one core of the CPU, or torch; "auto" is "fused" on the CPU.
    draws : {"numpy", "device"}
        Where batches are drawn: by numpy, the same ones for every backend and device, or by torch
        on its device, where the steps then wait for nothing (other batches, another run; it needs
        the torch backend and independent features).
    decoder_rows : int
        Rows of W, drawn at random in each step, at which the outputs of inactive features are
        computed, weighted so that gradients are right in the mean; 0: all of them. For large n on
        the CPU, whose steps then cost what is active.

    Raises
    ------
    ValueError, TypeError
        For a value out of range or of the wrong kind.

    Examples
    --------
    >>> settings = TrainingSettings(steps=1000, batch=32)
    >>> settings.warmup_steps, settings.late_batch, settings.learning_rate
    (100, 32, 0.01)
    >>> settings
    TrainingSettings(recipe='fast', batch=32, late_batch=32, steps=1000, warmup_steps=100)
    """

    recipe: Recipe = _one_of("fast", "converged", "paper", default="fast")  # noqa: RUF009
    weight_decay: float = _real(-_LARGEST_RATE, _LARGEST_RATE, default=-1.0)
    seed: int = _whole(0, default=0)
    bias_start: BiasStart = _one_of("normal", "zero")  # noqa: RUF009
    batch: int = _whole(1)
    late_batch: int = _whole(1)
    late_fraction: float = _real(0.0, 1.0)
    steps: int = _whole(1, high=MOST_STEPS)
    learning_rate: float = _real(0.0, _LARGEST_RATE, strict=True)
    bias_learning_rate: float = _real(0.0, _LARGEST_RATE, strict=True)
    warmup_steps: int = _whole(0)
    final_learning_rate: float = _real(0.0, 1.0)
    rare_share: float = _real(0.0, 0.99)
    loss_scale: float = _real(1e-20, 1e20, default=1.0)
    evaluation_samples: int = _whole(2, default=2**16, high=MOST_DRAWS)
    device: str = _setting(_check_device, "cpu")
    backend: Backend = _one_of("auto", "fused", "torch", default="auto")  # noqa: RUF009
    draws: Draws = _one_of("numpy", "device", default="numpy")  # noqa: RUF009
    decoder_rows: int = _whole(0, default=0)

    def __post_init__(self) -> None:
        given = {name: value for name, value in vars(self).items() if value is not None}
        recipe = given.get("recipe")
        values: dict[str, Any] = {one.name: one.default for one in fields(self)}
        if isinstance(recipe, str) and recipe in RECIPES:  # else its check fails below
            values |= RECIPES[recipe]
        if "batch" in given:
            values["late_batch"] = given["batch"]  # who gives one size means it throughout
        values |= given
        for one in fields(self):
            value = values[one.name]
            if value is None:
                value = self._derived(one.name)
            object.__setattr__(self, one.name, one.metadata["check"](one.name, value))
        check_integer("warmup_steps", self.warmup_steps, 0, self.steps)
        on_cpu = self.device.partition(":")[0] == "cpu"
        if self.backend == "fused" and not on_cpu:
            raise ValueError(
                f"backend 'fused' runs on the CPU, not on {self.device!r}: give 'torch'"
            )
        if self.backend == "auto":
            object.__setattr__(self, "backend", "fused" if on_cpu else "torch")
        if self.draws == "device" and self.backend == "fused":
            raise ValueError("draws = 'device' draws in torch: give backend='torch' with it")
        if self.decoder_rows and self.backend == "torch":
            raise ValueError(
                f"decoder_rows = {self.decoder_rows} is for the compiled steps on the CPU: leave "
                "it out, or give backend='fused' and device='cpu'"
            )

    def _derived(self, name: str) -> float:
        """Return the default of a setting that follows from those before it."""
        if name == "late_batch":
            return self.batch
        if name == "bias_learning_rate":
            return self.learning_rate
        return self.steps // 10  # warmup_steps

    def keys(self) -> tuple[str, ...]:
        """Return the names of the settings."""
        return tuple(self.__dataclass_fields__)

    def __getitem__(self, name: str) -> Any:
        if name not in self.__dataclass_fields__:
            raise KeyError(name)
        return getattr(self, name)

    def __repr__(self) -> str:
        usual = TrainingSettings(recipe=self.recipe)
        shown = [
            f"{name}={self[name]!r}"
            for name in self.keys()
            if name == "recipe" or self[name] != usual[name]
        ]
        return f"TrainingSettings({', '.join(shown)})"


class TrainingChanges(TypedDict, total=False):
    """The settings that ``train``, ``compare``, ``sweep`` and ``train_many`` take as keywords.

    It tells editors and type checkers their names; at run time ``TrainingSettings`` alone counts.
    """

    bias_start: BiasStart
    batch: int
    late_batch: int
    late_fraction: float
    steps: int
    learning_rate: float
    bias_learning_rate: float
    warmup_steps: int
    final_learning_rate: float
    rare_share: float
    loss_scale: float
    evaluation_samples: int
    device: str
    backend: Backend
    draws: Draws
    decoder_rows: int


def make_settings(**changes: Any) -> TrainingSettings:
    """Return the settings with these changes; a name that is no setting is answered with all.

    Examples
    --------
    >>> make_settings(recipe="paper").batch
    2048
    >>> make_settings(bach=3)
    Traceback (most recent call last):
        ...
    TypeError: training has no setting 'bach': it has recipe, weight_decay, seed, bias_start, \
batch, late_batch, late_fraction, steps, learning_rate, bias_learning_rate, warmup_steps, \
final_learning_rate, rare_share, loss_scale, evaluation_samples, device, backend, draws, \
decoder_rows
    """
    for name in ("activation", "importance"):
        if name in changes:
            raise TypeError(
                f"training has no setting {name!r}: it belongs to the features, "
                f"Features(frequencies, {name}=…)"
            )
    known = [one.name for one in fields(TrainingSettings)]
    unknown = [name for name in changes if name not in known]
    if unknown:
        raise TypeError(f"training has no setting {unknown[0]!r}: it has {', '.join(known)}")
    return TrainingSettings(**changes)


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


class Plan(NamedTuple):
    """Learning rates of W and of b, and the batch size, of each step."""

    rates: NDArray[np.float64]
    bias_rates: NDArray[np.float64]
    batches: NDArray[np.int64]


def plan(settings: TrainingSettings) -> Plan:
    """Return the learning rates and the batch size of every step.

    Examples
    --------
    >>> plan(TrainingSettings(recipe="fast", steps=4)).batches
    array([ 64,  64, 256, 256])
    """
    steps, late = settings.steps, round(settings.late_fraction * settings.steps)
    factors = np.array(
        [
            schedule(step, steps, settings.warmup_steps, settings.final_learning_rate)
            for step in range(steps)
        ]
    )
    batches = np.repeat([settings.batch, settings.late_batch], [steps - late, late])
    return Plan(settings.learning_rate * factors, settings.bias_learning_rate * factors, batches)


def check_feasible(features: Features, m: int, settings: TrainingSettings, models: int = 1) -> None:
    """Refuse what float32 cannot hold, and models or batches that need more than the memory.

    Raises
    ------
    ValueError
        With the largest v allowed, or the memory needed.
    """
    high, n = features.activation.high, features.n
    if settings.decoder_rows > n:
        raise ValueError(
            f"decoder_rows = {settings.decoder_rows} is more than n = {n}: give at most n (0: all)"
        )
    if high > _LARGEST_V:
        raise ValueError(
            f"v up to {high:g} overflows the single precision of training: measure v in other "
            f"units, with a largest value of {_LARGEST_V:g} or less (the loss goes as its square)"
        )
    if settings.device.partition(":")[0] != "cpu":
        return  # its own memory, of which torch keeps the account
    batch = max(settings.batch, settings.late_batch)
    common = int((features.p >= 0.5).sum())
    entries = batch * (features.density + common + (settings.rare_share > 0))
    # W with two moments, a gradient, a transposed and a double-precision copy; batches, hidden
    # values and their gradients; torch forms the whole output, its error and a product of both.
    needed = 28.0 * n * m + 60.0 * entries + batch * (24.0 + 8 * m)
    if settings.backend == "torch":
        needed += 12.0 * n * batch
    needed += 4.0 * settings.decoder_rows * (2 * m + batch)
    larger = "batch" if settings.batch == batch else "late_batch"
    size = f"{larger} = {batch}" if needed > 2 * 28.0 * n * m else f"n = {n}, m = {m}"
    smaller = f"a smaller {larger}" if size.startswith(larger) else "smaller models"
    check_memory(f"training with {size}", models * needed, f"give {smaller}")
