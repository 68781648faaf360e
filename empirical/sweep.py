"""Train a whole grid of toy models: in parallel, resumable, one file for each finished run.

Use ``sweep(grid, store="runs")``. Any ``concurrent.futures.Executor`` may do the work: by default
processes of this machine, one thread each; ``dask.distributed`` gives one for a cluster. What a
store holds already is not trained again, so a sweep that was interrupted, killed or ran out of disk
goes on where it was; the results are the same bit for bit.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from empirical.progress import Report, report
from empirical.run import TrainingRun
from empirical.settings import check_settings
from empirical.store import Busy, Store
from empirical.sweep_result import SweepResult, SweepRow
from theory.checks import check_integer
from theory.frequencies import Frequencies

# A cell whose process was killed so often is left alone.
_STRIKES = 3
_AXES = ("frequencies", "n", "alpha", "E", "m", "gamma", "seed", "recipe")
_DEFAULTS: Mapping[str, Any] = {
    "frequencies": "power_law",
    "n": 1000,
    "alpha": 1.0,
    "E": 1.0,
    "gamma": -1.0,
    "seed": 0,
    "recipe": "fast",
}


class InterruptedSweep(KeyboardInterrupt):
    """Ctrl-C during ``sweep``; ``partial`` holds what had finished."""

    def __init__(self, partial: SweepResult) -> None:
        super().__init__("sweep interrupted")
        self.partial = partial


class StorageError(OSError):
    """A finished run could not be written; everything written before is kept."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One run of a sweep: where it is in the grid, and what makes it."""

    place: Mapping[str, Any]
    frequencies: Frequencies
    settings: Mapping[str, Any]


def expand(grid: Mapping[str, Any], **training: Any) -> list[Cell]:
    """Return every run of a grid, wide models first.

    Parameters
    ----------
    grid : mapping
        Values, or lists of them, by axis: "m" (needed), "alpha", "gamma", "E", "n", "seed",
        "recipe", and "frequencies": "power_law", "linear", "exponential:400" (its scale in ranks),
        or ``Frequencies``, which have their own n, alpha and E.
    **training
        Arguments of ``train`` for all runs.

    Raises
    ------
    ValueError, TypeError
        For an unknown axis, a value out of range, or an axis that does not fit the frequencies.

    Examples
    --------
    >>> cells = expand({"m": [4, 8], "alpha": [0.5, 1.0], "n": 40}, steps=10)
    >>> [(cell.place["m"], cell.place["alpha"]) for cell in cells]
    [(8, 0.5), (8, 1.0), (4, 0.5), (4, 1.0)]
    """
    unknown = sorted(set(grid) - set(_AXES))
    if unknown:
        raise ValueError(f"unknown axis {unknown[0]!r}: a grid has {', '.join(_AXES)}")
    if "m" not in grid:
        raise ValueError("the grid lacks widths: give 'm'")
    reserved = {"m", "seed", "recipe", "weight_decay", "checkpoint", "progress"} & set(training)
    if reserved:
        raise TypeError(
            f"{sorted(reserved)[0]!r} belongs to the grid, or to the sweep: leave it out"
        )
    axes = {name: _values(name, grid[name]) for name in _AXES if name in grid}
    cells = []
    for values in itertools.product(*axes.values()):
        place = {**_DEFAULTS, **dict(zip(axes, values, strict=True))}
        frequencies = _frequencies(place, grid)
        settings = check_settings(
            frequencies,
            m=place["m"],
            weight_decay=place.pop("gamma"),
            seed=place["seed"],
            recipe=place["recipe"],
            **training,
        )
        exponent = frequencies.exponent
        place |= {
            "frequencies": str(place["frequencies"]),
            "n": frequencies.n,
            "alpha": float("nan") if exponent is None else exponent,
            "E": frequencies.density,
            "gamma": settings["weight_decay"],
        }
        cells.append(Cell({name: place[name] for name in _AXES}, frequencies, settings))
    # Wide models first: the slowest must not be the last to start.
    return sorted(cells, key=lambda cell: -cell.frequencies.n * cell.settings["m"])


def _values(name: str, given: Any) -> list[Any]:
    single = isinstance(given, str | Frequencies) or not isinstance(given, Iterable)
    values = [given] if single else [getattr(x, "item", lambda x=x: x)() for x in given]
    if not values:
        raise ValueError(f"{name} is empty: give at least one value")
    if len(set(values)) != len(values):
        raise ValueError(f"{name} = {values} is not allowed: give each value once")
    return values


def _frequencies(place: Mapping[str, Any], grid: Mapping[str, Any]) -> Frequencies:
    law = place["frequencies"]
    if isinstance(law, Frequencies):
        needless = [name for name in ("n", "alpha", "E") if name in grid]
        if needless:
            raise ValueError(f"Frequencies have their own {needless[0]}: leave it out of the grid")
        return law
    name, _, parameter = str(law).partition(":")
    if name == "power_law" and not parameter:
        return Frequencies.power_law(place["n"], place["alpha"], place["E"])
    if "alpha" in grid:
        raise ValueError(f"alpha goes with power_law, not with {law!r}: leave it out of the grid")
    if name == "linear" and not parameter:
        return Frequencies.linear(place["n"], place["E"])
    try:
        scale = float(parameter)
    except ValueError:
        scale = float("nan")
    if name != "exponential" or not scale > 0:
        raise ValueError(
            f"frequencies = {law!r} is not allowed: give 'power_law', 'linear', "
            "'exponential:SCALE' (in ranks, as 'exponential:400') or Frequencies"
        )
    return Frequencies.exponential(place["n"], scale, place["E"])


@dataclass
class _Work:
    """What a sweep has come to."""

    waiting: list[Cell]
    total: int
    rows: list[SweepRow] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    strikes: dict[int, int] = field(default_factory=dict)

    def finish(self, cell: Cell, result: TrainingRun | str) -> None:
        if isinstance(result, str):
            where = ", ".join(f"{name} = {value}" for name, value in cell.place.items())
            self.failures.append(f"{where}: {result}")
        else:
            self.rows.append(SweepRow.of(cell.place, result))


def sweep(
    grid: Mapping[str, Any],
    *,
    store: str | Path | None = None,
    executor: Executor | None = None,
    workers: int | None = None,
    progress: bool | Report = False,
    **training: Any,
) -> SweepResult:
    """Train every model of a grid.

    Parameters
    ----------
    grid : mapping
        Values by axis (see ``expand``): m, alpha, gamma (weight decay), E (activation density), n,
        frequencies, seed, recipe.
    store : path, optional
        Folder of finished runs; without one they are kept until the sweep ends, and its table only.
    executor : Executor, optional
        Who does the work. With one of a cluster the store must be on a file system that all share.
    workers : int, optional
        Processes, if no executor is given; all cores by default. With more than one, a script must
        call this under ``if __name__ == "__main__":``.
    progress : bool or callable
        True for a progress bar with the time left; a function is called as progress(done, total).
    **training
        Arguments of ``train`` for all runs (steps, batch, …), before the recipe's.

    Returns
    -------
    SweepResult
        One row for each finished run, and what failed.

    Raises
    ------
    ValueError, TypeError
        For a grid or an argument that is not allowed, before any training.
    StorageError
        If a finished run cannot be written (a full disk).
    InterruptedSweep
        On Ctrl-C, with what had finished.

    Examples
    --------
    >>> result = sweep({"m": [4, 8], "alpha": 1.5, "n": 40}, workers=1, steps=100)
    >>> result.to_dataframe().loc[:, ["m", "alpha", "gamma"]]
       m  alpha  gamma
    0  4    1.5   -1.0
    1  8    1.5   -1.0
    """
    cells = expand(grid, **training)
    if executor is not None and workers is not None:
        raise ValueError(f"workers = {workers} with an executor: it has its own; give one of them")
    count = len(os.sched_getaffinity(0)) if workers is None else check_integer("workers", workers)
    with TemporaryDirectory() as scratch:
        place = Store(scratch if store is None else store)
        work = _Work([], len(cells))
        for cell in cells:
            run = place.load(cell.frequencies, cell.settings)
            if run is None:
                work.waiting.append(cell)
            else:
                work.finish(cell, run)
        with report(progress, "training models") as advance:
            try:
                if executor is not None:
                    _run(work, place, advance, lambda: executor, len(work.waiting), own=False)
                elif count == 1 or len(work.waiting) <= 1:
                    _run_here(work, place, advance)
                else:
                    _run(work, place, advance, lambda: _processes(count), count, own=True)
            except KeyboardInterrupt:
                raise InterruptedSweep(_result(work, place, store)) from None
        return _result(work, place, store)


def _result(work: _Work, place: Store, store: str | Path | None) -> SweepResult:
    aside = () if store is None else tuple(str(path) for path in place.aside)
    return SweepResult(tuple(sorted(work.rows, key=SweepRow.order)), tuple(work.failures), aside)


def _run_here(work: _Work, place: Store, advance: Report) -> None:
    while work.waiting:
        cell = work.waiting.pop(0)
        work.finish(cell, _stored(train_cell(place.folder, cell.frequencies, cell.settings, True)))
        advance(len(work.rows) + len(work.failures), work.total)


def _processes(count: int) -> Executor:
    # Forking a process that has used threads can hang: spawn.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, context, initializer=_prepare, initargs=(os.getpid(),))


def _prepare(parent: int) -> None:
    """Leave Ctrl-C to the parent, which stops its workers; end with it if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _run(
    work: _Work,
    place: Store,
    advance: Report,
    make: Callable[[], Executor],
    at_once: int,
    own: bool,
) -> None:
    """Let an executor work off what is waiting, ``at_once`` at a time."""
    executor = make()
    running: dict[Future[Any], Cell] = {}
    busy: list[Cell] = []
    try:
        while work.waiting or running or busy:
            if not work.waiting and not running:  # others are at it: wait for them
                work.waiting, busy = busy, []
            try:
                while work.waiting and len(running) < at_once:
                    cell = work.waiting[0]
                    arguments = (place.folder, cell.frequencies, cell.settings, not running)
                    future = executor.submit(train_cell, *arguments)
                    running[future] = work.waiting.pop(0)
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    try:
                        result = _stored(future.result())
                    except Busy:
                        busy.append(running.pop(future))
                        continue
                    work.finish(running.pop(future), result)
                    advance(len(work.rows) + len(work.failures), work.total)
            except BrokenProcessPool:  # a process was killed, and takes its pool with it
                if not own:
                    raise
                _strike(work, place, list(running.values()))
                running.clear()
                executor.shutdown(wait=False)
                executor = make()
    except BaseException:
        for future in running:
            future.cancel()
        if own:
            executor.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
        raise
    if own:
        executor.shutdown()


def _strike(work: _Work, place: Store, cells: list[Cell]) -> None:
    """Try cells whose process was killed again, but not for ever."""
    for cell in cells:
        count = work.strikes[id(cell)] = work.strikes.get(id(cell), 0) + 1
        if count < _STRIKES:
            work.waiting.insert(0, cell)
        else:
            error = f"its process was killed {count} times (out of memory?)"
            place.record_failure(cell.frequencies, cell.settings, error)
            work.finish(cell, error)


def _stored(result: TrainingRun | Exception) -> TrainingRun | str:
    """Return a run, or what went wrong with it; raise what stops the whole sweep."""
    if isinstance(result, Busy | StorageError):
        raise result
    if isinstance(result, Exception):
        return f"{type(result).__name__}: {result}"
    return result


def train_cell(
    folder: Path, frequencies: Frequencies, settings: Mapping[str, Any], patient: bool
) -> TrainingRun | Exception:
    """Make one run of a store, on one thread; return it, or why it failed."""
    place, threads = Store(folder), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            return place.train(frequencies, settings, wait=patient)
    except Busy as error:
        return error
    except OSError as error:
        return StorageError(
            f"{error.strerror or error}: a finished run could not be written to {folder}. What was "
            "written before is kept: make room, then start the same sweep again"
        )
    except Exception as error:  # one run's failure must not stop the others
        try:
            place.record_failure(frequencies, settings, f"{type(error).__name__}: {error}")
        except OSError as full:
            return StorageError(f"{full.strerror or full}: nothing can be written to {folder}")
        return error
    finally:
        torch.set_num_threads(threads)
