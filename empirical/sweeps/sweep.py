"""Train a whole grid of toy models: in parallel, resumable, one file for each finished run.

Use ``sweep(grid, store="runs")``. Any ``concurrent.futures.Executor`` may do the work: by default
processes of this machine, one thread each; ``dask.distributed`` gives one for a cluster. What a
store holds already is not trained again, so a sweep that was interrupted, killed or ran out of disk
goes on where it was; the results are the same bit for bit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from empirical.progress import Report, report
from empirical.sweeps.grid import Cell, expand
from empirical.sweeps.result import SweepResult, SweepRow
from empirical.sweeps.store import Busy, StorageError, Store
from empirical.sweeps.workers import ending_processes, start_processes
from empirical.training.run import TrainingRun
from theory.checks import check_integer
from theory.frequencies import Frequencies
from theory.one_thread import one_thread

# A cell whose process was killed so often is left alone.
_STRIKES = 3


class InterruptedSweep(KeyboardInterrupt):
    """Ctrl-C during ``sweep``; ``partial`` holds what had finished."""

    def __init__(self, partial: SweepResult) -> None:
        super().__init__("sweep interrupted")
        self.partial = partial


@dataclass
class _Work:
    """What a sweep has come to."""

    waiting: list[Cell]
    total: int
    suspects: list[Cell] = field(default_factory=list)  # ran when a process was killed
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
    count = count_cores() if workers is None else check_integer("workers", workers)
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
                    with ending_processes():
                        _run(work, place, advance, lambda: start_processes(count), count, own=True)
            except KeyboardInterrupt:
                raise InterruptedSweep(_result(work, place, store)) from None
        return _result(work, place, store)


def _result(work: _Work, place: Store, store: str | Path | None) -> SweepResult:
    aside = () if store is None else tuple(str(path) for path in place.aside)
    return SweepResult(tuple(sorted(work.rows, key=SweepRow.order)), tuple(work.failures), aside)


def count_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run_here(work: _Work, place: Store, advance: Report) -> None:
    busy: list[Cell] = []
    while work.waiting or busy:
        patient = not work.waiting  # others are at what is left: wait for them
        cell = busy.pop(0) if patient else work.waiting.pop(0)
        try:
            result = _stored(train_cell(place.folder, cell.frequencies, cell.settings, patient))
        except Busy:
            busy.append(cell)
            continue
        work.finish(cell, result)
        advance(len(work.rows) + len(work.failures), work.total)


def _run(
    work: _Work,
    place: Store,
    advance: Report,
    make: Callable[[], Executor],
    at_once: int,
    own: bool,
) -> None:
    """Let an executor work off what is waiting, ``at_once`` at a time; suspects run alone."""
    executor = make()
    running: dict[Future[Any], Cell] = {}
    busy: list[Cell] = []

    def submit(cells: list[Cell]) -> None:
        arguments = (place.folder, cells[0].frequencies, cells[0].settings, not running)
        future = executor.submit(train_cell, *arguments)
        running[future] = cells.pop(0)

    def collect(future: Future[Any]) -> None:
        try:
            result = _stored(future.result())
        except Busy:
            busy.append(running.pop(future))
            return
        work.finish(running.pop(future), result)
        advance(len(work.rows) + len(work.failures), work.total)

    try:
        while work.waiting or work.suspects or running or busy:
            if not work.waiting and not work.suspects and not running:
                work.waiting, busy = busy, []  # others are at it: wait for them
            try:
                while work.waiting and not work.suspects and len(running) < at_once:
                    submit(work.waiting)
                if work.suspects and not running:
                    submit(work.suspects)
                for future in wait(running, return_when=FIRST_COMPLETED)[0]:
                    collect(future)
            except BrokenProcessPool:  # a process was killed, and takes its pool with it
                if not own:
                    raise
                for future in [f for f in running if f.done() and not f.exception()]:
                    collect(future)
                _suspect(work, place, list(running.values()))
                running.clear()
                executor.shutdown(wait=False)
                executor = make()
    except BaseException:
        for future in running:
            future.cancel()
        if own:
            executor.shutdown(wait=False, cancel_futures=True)
        raise
    if own:
        executor.shutdown()


def _suspect(work: _Work, place: Store, cells: list[Cell]) -> None:
    """Try cells whose process was killed again, each alone; not for ever."""
    for cell in cells:
        if len(cells) == 1:
            work.strikes[id(cell)] = work.strikes.get(id(cell), 0) + 1
        count = work.strikes.get(id(cell), 0)
        if count < _STRIKES:
            work.suspects.append(cell)
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
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        place = Store(folder)
        with one_thread():
            try:
                return place.train(frequencies, settings, wait=patient)
            except (Busy, StorageError):
                raise
            except Exception as error:  # one run's failure must not stop the others
                place.record_failure(frequencies, settings, f"{type(error).__name__}: {error}")
                return error
    except (Busy, StorageError) as error:
        return error
    finally:
        torch.set_num_threads(threads)
