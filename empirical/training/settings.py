"""What shapes a training run: its settings, checked, and the rates and batch sizes they mean.

Use ``check_settings(frequencies, m=…)`` for the arguments of ``train`` as plain values with every
default filled in, and ``plan`` for what each step is to do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from empirical.training.recipes import RECIPES
from theory.activation import UNIFORM, Activation
from theory.checks import check_integer, check_real, check_widths
from theory.frequencies import Frequencies

BiasStart = Literal["normal", "zero"]
Backend = Literal["auto", "fused", "torch"]

# The defaults of ``train``; None stands for the recipe's.
DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "m": None,
        "recipe": "paper",
        "weight_decay": -1.0,
        "seed": 0,
        "bias_start": None,
        "batch": None,
        "steps": None,
        "learning_rate": None,
        "bias_learning_rate": None,
        "warmup_steps": None,
        "final_learning_rate": None,
        "late_batch": None,
        "late_fraction": None,
        "rare_share": None,
        "loss_scale": 1.0,
        "activation": UNIFORM,
        "evaluation_samples": 2**16,
        "device": "cpu",
        "backend": "auto",
    }
)
# Larger rates overflow float32; every rate near this diverges.
_LARGEST_RATE = 1e6


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


def plan(settings: Mapping[str, Any]) -> Plan:
    """Return what each step is to do.

    Examples
    --------
    >>> settings = check_settings(Frequencies.linear(9), m=2, recipe="fast", steps=4)
    >>> plan(settings).batches
    array([ 64,  64, 256, 256])
    """
    steps, late = settings["steps"], round(settings["late_fraction"] * settings["steps"])
    factors = np.array(
        [
            schedule(step, steps, settings["warmup_steps"], settings["final_learning_rate"])
            for step in range(steps)
        ]
    )
    batches = np.repeat([settings["batch"], settings["late_batch"]], [steps - late, late])
    return Plan(
        settings["learning_rate"] * factors, settings["bias_learning_rate"] * factors, batches
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
    unknown = sorted(set(given) - set(DEFAULTS))
    if unknown:
        raise TypeError(f"training has no setting {unknown[0]!r}: it has {', '.join(DEFAULTS)}")
    given = {**DEFAULTS, **given}
    if not isinstance(given["activation"], Activation):
        raise TypeError(f"activation is {given['activation']!r}: give an Activation")
    if not given["activation"].is_uniform:
        raise ValueError(
            f"training draws v from a uniform law, not in {len(given['activation'].shares)} cells: "
            "give Activation(low, high)"
        )
    if not isinstance(given["recipe"], str) or given["recipe"] not in RECIPES:
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
        "weight_decay": check_real("weight_decay", given["weight_decay"]) + 0.0,  # no -0.0
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
        "rare_share": check_real("rare_share", given["rare_share"], 0.0, 0.99),
        "loss_scale": check_real("loss_scale", given["loss_scale"], 1e-20, 1e20),
        "evaluation_samples": check_integer("evaluation_samples", given["evaluation_samples"], 2),
        "v_low": given["activation"].low,
        "v_high": given["activation"].high,
        "device": str(given["device"]),
        "backend": ("fused" if on_cpu else "torch") if backend == "auto" else backend,
    }
