"""Train several toy models of one shape at once, in batched torch operations, to fill a GPU.

``train_many(features, m, seeds=range(16), device="cuda")``: each model has its own seed, weight
decay and features, and sees the batches that ``train`` would give it; with ``draws="device"`` the
device draws them, and nothing waits for the CPU. On a CPU ``train`` (compiled, one core each) is
faster. It has not been run on a GPU: ``python benchmarks/gpu.py`` checks and measures it on one.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from empirical.progress import Report, report
from empirical.training.checkpoint import Progress
from empirical.training.devices.many_steps import ManySteps
from empirical.training.run import TrainingRun
from empirical.training.settings import Recipe, TrainingChanges, check_feasible, make_settings
from empirical.training.train import (
    check_width,
    finish,
    record,
    record_every,
    start,
)
from theory.checks import (
    MOST_REPEATS,
    check_finite,
    check_integer,
    check_numbers,
)
from theory.computing.argument_kinds import check_kinds
from theory.features import Features, as_features
from theory.frequencies import Frequencies


@check_kinds
def train_many(
    features: Features | Frequencies | Sequence[Features | Frequencies],
    m: int,
    *,
    seeds: int | Iterable[int] = 8,
    recipe: Recipe = "fast",
    weight_decay: ArrayLike = -1.0,
    compiled: bool = False,
    progress: bool | Report = False,
    **changes: Unpack[TrainingChanges],
) -> tuple[TrainingRun, ...]:
    """Train several models of one shape together.

    Parameters
    ----------
    features : Features, Frequencies, or sequence of them
        Of all models, or of each; all with the same n.
    m : int
        Hidden width of all.
    seeds : int or iterable of int
        How many models (seeds 0, 1, …), or the seed of each.
    recipe : {"fast", "paper"}
        As in ``train``; "converged" is of one model at a time, as each needs its own rounds.
    weight_decay : float or array_like
        gamma of all models, or of each.
    compiled : bool
        Whether to pass the step through ``torch.compile`` (needs a C++ compiler); it joins the
        passes over W and its moments, and takes a minute to begin.
    progress : bool or callable
        As in ``train``.
    **changes
        Other fields of ``TrainingSettings``, the same for all models; not ``backend``.

    Returns
    -------
    tuple of TrainingRun
        One for each, as ``train(..., backend="torch")`` would return it up to rounding; ``seconds``
        is an equal share of the time. With ``draws="device"`` the models share a generator: what
        one of them sees depends on the others.

    Raises
    ------
    ValueError
        For lists of different lengths, different n, or a setting out of range.
    DivergenceError
        If any of the models diverges.

    Examples
    --------
    >>> words = Frequencies.power_law(40, alpha=1.0)
    >>> runs = train_many(words, 6, seeds=2, weight_decay=[-1, 0.5], steps=50, batch=16)
    >>> [run.settings["weight_decay"] for run in runs]
    [-1.0, 0.5]
    """
    if {"backend", "checkpoint", "checkpoint_every"} & set(changes):
        raise TypeError("train_many has neither backend nor checkpoint: leave them out")
    if recipe == "converged":
        raise ValueError(
            "recipe = 'converged' ends each model after another number of rounds: give 'fast' or "
            "'paper', or train one model at a time with train"
        )
    if isinstance(seeds, Iterable) and getattr(seeds, "ndim", None) != 0:
        seed_list = list(seeds)
    else:
        seed_list = list(range(check_integer("seeds", seeds, 1, MOST_REPEATS)))
    count = len(seed_list)
    if isinstance(features, Features | Frequencies):
        shown = [as_features(features)] * count
    elif isinstance(features, Iterable) and getattr(features, "ndim", None) != 0:
        shown = [as_features(one) for one in features]
    else:
        raise TypeError(f"features = {features!r} is not allowed: give one, or one a model")
    decays = np.atleast_1d(check_numbers("weight_decay", weight_decay))
    decays = check_finite("weight_decay", decays)
    if decays.size not in (1, count):
        raise ValueError(f"weight_decay has {decays.size} entries: give one, or one for each model")
    decays = np.broadcast_to(decays, count)
    sizes = sorted({one.n for one in shown})
    if not count or len(shown) != count or len(sizes) != 1:
        raise ValueError(
            f"{count} seeds and {len(shown)} features of n = {sizes}: "
            "give at least one seed, as many features, and the same n for all"
        )
    n, m = sizes[0], check_width(m, sizes[0])
    settings = [
        make_settings(
            recipe=recipe, weight_decay=decay, seed=seed, **{**changes, "backend": "torch"}
        )
        for seed, decay in zip(seed_list, decays.tolist(), strict=True)
    ]
    for kind in shown:
        check_feasible(kind, m, settings[0], count)
    starts = [start(n, m, one) for one in settings]
    models = ManySteps(
        np.stack([one.W for one in starts]), np.stack([one.b for one in starts]),
        [one.ranked for one in shown], [one.batches for one in starts], settings, compiled,
    )  # fmt: skip
    steps = settings[0].steps
    every = record_every(steps)
    history = [Progress() for _ in shown]
    began = time.perf_counter()
    with report(progress, "training") as advance:
        for first in range(0, steps, every):
            end = min(first + every, steps)
            for k, total in enumerate(models.take(first, end)):
                history[k].step = end
                record(history[k], total, shown[k], settings[k])
            advance(end, steps)
    share = (time.perf_counter() - began) / count
    runs = []
    for k, (W, b) in enumerate(zip(*models.models(), strict=True)):
        history[k].seconds = share
        runs.append(finish(shown[k], settings[k], starts[k], W, b, history[k]))
    return tuple(runs)
