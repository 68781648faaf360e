"""Theory against trained models: predict, train at every width and seed, and set both side by side.

``compare(features, m, seeds)`` trains with the "fast" recipe unless told otherwise, on the engine
of ``sweep``: with a store it resumes, and keeps what had finished.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from empirical.comparisons.comparison import Comparison, ComparisonRow
from empirical.progress import Report
from empirical.scaling_laws.exponent_fit import predicted_exponents, try_fit
from empirical.sweeps.engine import Result, train_cells, warn_of_failures
from empirical.sweeps.grid import Cell, widest_first
from empirical.sweeps.workers import MOST_WORKERS
from empirical.training.diagnostics import measure
from empirical.training.run import TrainingRun
from empirical.training.settings import Recipe, TrainingChanges, make_settings
from theory.checks import (
    MOST_REPEATS,
    check_integer,
    check_widths,
)
from theory.computing.argument_kinds import check_kinds
from theory.features import Features, as_features
from theory.frequencies import Frequencies
from theory.prediction import Prediction
from theory.registry import default_theories, predict


class InterruptedComparison(KeyboardInterrupt):
    """Ctrl-C during ``compare``; ``partial`` holds what had finished (None if nothing had).

    Examples
    --------
    >>> try:
    ...     raise InterruptedComparison(None)  # as compare does
    ... except KeyboardInterrupt as error:
    ...     print(error, error.partial)
    comparison interrupted None
    """

    def __init__(self, partial: Comparison | None) -> None:
        super().__init__("comparison interrupted")
        self.partial = partial


@check_kinds
def compare(
    features: Features | Frequencies,
    m: ArrayLike,
    seeds: int | Iterable[int] = 2,
    *,
    seed: int | Iterable[int] | None = None,
    theory: str | Iterable[str] | None = None,
    recipe: Recipe = "fast",
    weight_decay: float = -1.0,
    store: str | Path | None = None,
    executor: Executor | None = None,
    workers: int | None = None,
    progress: bool | Report = False,
    **changes: Unpack[TrainingChanges],
) -> Comparison:
    """Compare theories with toy models trained at each width and seed.

    Parameters
    ----------
    features : Features or Frequencies
        How often features occur, the law of v, and how much each matters.
    m : int or array_like of int
        Widths.
    seeds : int or iterable of int
        How many seeds (0, 1, …), or which.
    seed : int or iterable of int, optional
        Which seeds, instead.
    theory : str or iterable of str, optional
        Only these theories; by default those of ``predict`` beside strong superposition
        (weight_decay <= 0), and "weak" beside weak superposition.
    recipe, weight_decay
        As in ``train``.
    store, executor, workers, progress
        As in ``sweep``.
    **changes
        Other fields of ``TrainingSettings`` (batch, steps, bias_start, …), before the recipe's.

    Returns
    -------
    Comparison
        Rows by width, exponents, the trained runs. Runs that failed are listed in ``failures``,
        and a warning says how many; those that finished are kept.

    Raises
    ------
    ValueError, TypeError
        For an argument out of range, before any training.
    StorageError
        If a finished run cannot be written (a full disk).
    DivergenceError
        If every run failed (or the error of the first that did).
    InterruptedComparison
        On Ctrl-C, with what had finished.

    Examples
    --------
    >>> words = Frequencies.power_law(n=50, alpha=1.5)
    >>> c = compare(words, m=[10, 20], seeds=1, weight_decay=0.5, steps=300, workers=1)
    >>> c.theories
    ('weak',)
    >>> sorted(c.exponents["weight_decay = 0.5"])
    ['measured', 'weak']
    """
    features = as_features(features)
    widths = [int(width) for width in dict.fromkeys(check_widths(m, features.n).tolist())]
    if seed is not None:
        seeds = seed if isinstance(seed, Iterable) else [seed]
    seed_list = _list_seeds(seeds)
    if workers is not None:
        workers = check_integer("workers", workers, 1, MOST_WORKERS)
    cells = [
        Cell(
            {"m": width, "seed": seed},
            features,
            width,
            make_settings(recipe=recipe, weight_decay=weight_decay, seed=seed, **changes),
        )
        for width in widths
        for seed in seed_list
    ]
    if theory is None and weight_decay > 0:
        theory = default_theories(features, "weak")
    # Settings of the training are checked before: a solver takes its time.
    prediction = predict(features, np.atleast_1d(m), theory, progress=progress is True)
    runs: list[TrainingRun] = []
    errors: list[Exception] = []
    failures: list[str] = []

    def take(cell: Cell, result: Result) -> None:
        if isinstance(result, TrainingRun):
            runs.append(result)
        else:
            errors.append(result)
            failures.append(
                f"m = {cell.m}, seed {cell.settings.seed}: {type(result).__name__}: {result}"
            )

    def collect() -> Comparison | None:
        repeat = {
            **features.describe(),
            "m": widths,
            "seeds": seed_list,
            "theory": list(prediction.theories),
            **cells[0].settings,
        }
        del repeat["seed"]
        return _assemble(prediction, runs, failures, repeat) if runs else None

    try:
        train_cells(
            widest_first(cells), take,
            store=store, executor=executor, workers=workers, progress=progress,
        )  # fmt: skip
    except KeyboardInterrupt:
        raise InterruptedComparison(collect()) from None
    comparison = collect()
    if comparison is None:
        raise errors[0]
    warn_of_failures(failures, len(cells))
    return comparison


def _list_seeds(seeds: int | Iterable[int]) -> list[int]:
    if isinstance(seeds, Iterable) and getattr(seeds, "ndim", None) != 0:
        listed = [check_integer("seed", seed, 0, math.inf) for seed in seeds]
    else:
        listed = list(range(check_integer("seeds", seeds, 1, MOST_REPEATS)))
    if len(set(listed)) != len(listed) or not listed:
        raise ValueError(f"seeds = {listed} is not allowed: give different seeds, at least one")
    return listed


def _assemble(
    prediction: Prediction,
    runs: Sequence[TrainingRun],
    failures: Sequence[str],
    settings: dict[str, Any],
) -> Comparison:
    curve = f"weight_decay = {settings['weight_decay']:g}"
    ordered = tuple(sorted(runs, key=lambda run: (run.model.m, run.settings.seed)))
    rows = []
    for width in settings["m"]:
        here = [run for run in ordered if run.model.m == width]
        if here:
            here.sort(key=lambda run: settings["seeds"].index(run.settings.seed))
            rows.append(_row(curve, prediction, here))
    exponents = predicted_exponents(prediction)
    measured = try_fit([run.model.m for run in runs], [run.loss for run in runs])
    if measured is not None:
        exponents["measured"] = measured
    return Comparison(
        tuple(rows),
        {curve: exponents},
        settings,
        runs=ordered,
        failures=tuple(failures),
        predictions={curve: prediction},
        notes=prediction.notes,
    )


def _row(curve: str, prediction: Prediction, runs: Sequence[TrainingRun]) -> ComparisonRow:
    """Return the row of the runs of one width."""
    width, frequencies = runs[0].model.m, runs[0].features.frequencies
    index = int(np.flatnonzero(prediction.m == width)[0])
    predicted = {
        name: float(loss[index])
        for name, loss in prediction.loss.items()
        if np.isfinite(loss[index])
    }
    losses = np.array([run.loss for run in runs])
    stderr = runs[0].stderr
    if len(losses) > 1:
        stderr = float(losses.std(ddof=1) / math.sqrt(len(losses)))
    return ComparisonRow(
        curve,
        width,
        frequencies.density,
        frequencies.exponent,
        predicted,
        float(losses.mean()),
        stderr,
        tuple(run.settings.seed for run in runs),
        _details(runs),
    )


def _details(runs: Sequence[TrainingRun]) -> dict[str, float]:
    """Return means over seeds of what ``measure`` finds; the last two losses use trained rows."""
    found = [measure(run.model, run.features) for run in runs]
    names = ("phi_half", "dead_fraction", "lost_rows_loss", "lost_ranks_loss")
    return {name: float(np.mean([getattr(one, name) for one in found])) for name in names}
