"""Theory against trained models: predict, train at every width and seed, and set both side by side.

Use ``compare(frequencies, m, seeds)``. By default it trains with the "fast" recipe, which
ends at a lower loss than the published one in a small part of the time; ``recipe="paper"`` is the
published one. Every argument of ``train`` may be given to change either.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from empirical.comparisons.comparison import Comparison, ComparisonRow
from empirical.progress import Report, report
from empirical.scaling_laws.exponent_fit import predicted_exponents, try_fit
from empirical.sweeps.workers import ending_processes, start_processes
from empirical.training.diagnostics import measure
from empirical.training.run import TrainingRun
from empirical.training.settings import check_settings
from empirical.training.train import DivergenceError, train
from theory.activation import UNIFORM
from theory.checks import check_integer, check_widths
from theory.features import Features
from theory.frequencies import Frequencies
from theory.prediction import Prediction
from theory.registry import predict

Cell = tuple[int, int]  # width, seed


class InterruptedComparison(KeyboardInterrupt):
    """Ctrl-C during ``compare``; ``partial`` holds what had finished (None if nothing had)."""

    def __init__(self, partial: Comparison | None) -> None:
        super().__init__("comparison interrupted")
        self.partial = partial


def compare(
    frequencies: Frequencies,
    m: ArrayLike,
    seeds: int | Iterable[int] = 3,
    *,
    theory: str | Iterable[str] | None = None,
    recipe: str = "fast",
    workers: int = 1,
    progress: bool | Report = False,
    **training: Any,
) -> Comparison:
    """Compare every theory that applies with toy models trained at each width and seed.

    Parameters
    ----------
    frequencies : Frequencies
        How often features occur.
    m : int or array_like of int
        Widths.
    seeds : int or iterable of int
        How many seeds (0, 1, …), or which.
    theory : str or iterable of str, optional
        Only these theories.
    recipe : {"fast", "paper"}
        That of ``train``.
    workers : int
        Processes that train at the same time, one torch thread each. With more than one, a script
        must call this under ``if __name__ == "__main__":``.
    progress : bool or callable
        True for a progress bar on stderr; a function is called as progress(finished, total) after
        each training run.
    **training
        Arguments of ``train`` (weight_decay, batch, steps, bias_start, …), before the recipe's;
        ``weight_decay`` is -1, strong superposition, by default.

    Returns
    -------
    Comparison
        Rows by width, exponents, the trained runs. Runs that failed are listed in ``failures``;
        those that finished are kept.

    Raises
    ------
    ValueError, TypeError
        For an argument out of range, before any training.
    DivergenceError
        If every run failed (or whatever else stopped the first of them).
    InterruptedComparison
        On Ctrl-C, with what had finished.

    Examples
    --------
    >>> words = Frequencies.power_law(n=50, alpha=1.5)
    >>> c = compare(words, m=[10, 20], seeds=1, weight_decay=0.5, steps=300)
    >>> c.theories
    ('weak', 'equiangular')
    >>> sorted(c.exponents["weight_decay = 0.5"])
    ['equiangular', 'measured', 'strong_even', 'strong_skewed', 'weak']
    """
    activation = training.get("activation", UNIFORM)
    prediction = predict(Features(frequencies, activation), np.atleast_1d(m), theory)
    widths = [int(width) for width in dict.fromkeys(check_widths(m, frequencies.n).tolist())]
    if isinstance(seeds, Iterable):
        seed_list = [check_integer("seed", seed, 0) for seed in seeds]
    else:
        seed_list = list(range(check_integer("seeds", seeds)))
    if len(set(seed_list)) != len(seed_list) or not seed_list:
        raise ValueError(f"seeds = {seed_list} is not allowed: give different seeds, at least one")
    workers = check_integer("workers", workers)
    reserved = {"seed", "m", "checkpoint", "checkpoint_every"} & set(training)
    if reserved:
        raise TypeError(f"compare sets {sorted(reserved)} itself: leave it out")
    training = {"recipe": recipe, **training}
    for width in widths:
        settings = check_settings(frequencies, m=width, seed=seed_list[0], **training)
    del settings["m"], settings["seed"]

    # Wide models first: the slowest must not be the last to start.
    cells = [(width, seed) for width in sorted(widths, reverse=True) for seed in seed_list]
    runs: dict[Cell, TrainingRun] = {}
    errors: dict[Cell, Exception] = {}

    def collect() -> Comparison | None:
        failures = tuple(
            f"m = {w}, seed {s}: {type(error).__name__}: {error}"
            for (w, s), error in errors.items()
        )
        repeat = {
            "frequencies": frequencies.describe(),
            "m": widths,
            "seeds": seed_list,
            "theory": list(prediction.theories),
            "recipe": recipe,
        }
        return _assemble(prediction, runs, failures, {**repeat, **settings}) if runs else None

    try:
        with report(progress, "training models") as advance:
            for cell, result in _train_cells(frequencies, cells, training, workers):
                if isinstance(result, TrainingRun):
                    runs[cell] = result
                else:
                    errors[cell] = result
                advance(len(runs) + len(errors), len(cells))
    except KeyboardInterrupt:
        raise InterruptedComparison(collect()) from None
    comparison = collect()
    if comparison is None:
        raise next(iter(errors.values()))
    return comparison


def _train_cells(
    frequencies: Frequencies, cells: list[Cell], training: dict[str, Any], workers: int
) -> Iterator[tuple[Cell, TrainingRun | Exception]]:
    if workers == 1 or len(cells) == 1:
        for cell in cells:
            yield cell, _train_cell(frequencies, cell, training)
        return
    with ending_processes():
        pool = start_processes(min(workers, len(cells)))
        try:
            jobs = {pool.submit(_train_cell, frequencies, cell, training): cell for cell in cells}
            for future in as_completed(jobs):
                try:
                    yield jobs[future], future.result()
                except BrokenProcessPool:
                    yield jobs[future], DivergenceError("its process was killed (out of memory?)")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()


def _train_cell(
    frequencies: Frequencies, cell: Cell, training: dict[str, Any]
) -> TrainingRun | Exception:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return train(frequencies, cell[0], seed=cell[1], **training)
    except Exception as error:  # one run's failure must not lose the others
        return error
    finally:
        torch.set_num_threads(threads)


def _assemble(
    prediction: Prediction,
    runs: dict[Cell, TrainingRun],
    failures: tuple[str, ...],
    settings: dict[str, Any],
) -> Comparison:
    frequencies = prediction.features.frequencies
    curve = f"weight_decay = {settings['weight_decay']:g}"
    rows = []
    for width in settings["m"]:
        cell_runs = [runs[width, seed] for seed in settings["seeds"] if (width, seed) in runs]
        if not cell_runs:
            continue
        index = int(np.flatnonzero(prediction.m == width)[0])
        predicted = {
            name: float(loss[index])
            for name, loss in prediction.loss.items()
            if np.isfinite(loss[index])
        }
        losses = np.array([run.loss for run in cell_runs])
        if len(losses) > 1:
            stderr = float(losses.std(ddof=1) / math.sqrt(len(losses)))
        else:
            stderr = cell_runs[0].stderr
        rows.append(
            ComparisonRow(
                curve,
                width,
                frequencies.density,
                frequencies.exponent,
                predicted,
                float(losses.mean()),
                stderr,
                tuple(int(run.settings["seed"]) for run in cell_runs),
                _details(cell_runs),
            )
        )
    points = [(run.model.m, run.loss) for run in runs.values()]
    exponents = predicted_exponents(prediction)
    measured = try_fit([point[0] for point in points], [point[1] for point in points])
    if measured is not None:
        exponents["measured"] = measured
    ordered = tuple(runs[cell] for cell in sorted(runs))
    return Comparison(tuple(rows), {curve: exponents}, settings, runs=ordered, failures=failures)


def _details(runs: list[TrainingRun]) -> dict[str, float]:
    """Means over seeds of what ``measure`` finds; the last two losses use the trained rows."""
    found = [measure(run.model, run.frequencies, activation=run.activation) for run in runs]
    return {
        "phi_half": float(np.mean([one.phi_half for one in found])),
        "dead_fraction": float(np.mean([one.dead_fraction for one in found])),
        "lost_rows_loss": float(np.mean([one.lost_rows_loss for one in found])),
        "lost_ranks_loss": float(np.mean([one.lost_ranks_loss for one in found])),
    }
