"""Train a list of cells in parallel, with a store: what ``sweep`` and ``compare`` run on.

``train_cells(cells, take)`` calls ``take(cell, result)`` for each cell as it finishes. A cell that
fails does not stop the others; a process that is killed is replaced; a cell that another process is
training is left for last.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from tempfile import TemporaryDirectory

from empirical.progress import Report, report
from empirical.sweeps.grid import Cell
from empirical.sweeps.store import Busy, StorageError, Store
from empirical.sweeps.together import AT_ONCE, train_groups
from empirical.sweeps.workers import (
    MOST_WORKERS,
    Pool,
    count_cores,
    ending_processes,
    start_processes,
)
from empirical.training.run import TrainingRun
from theory.checks import check_integer
from theory.computing.one_thread import one_thread

Result = TrainingRun | Exception
Take = Callable[[Cell, Result], None]

# Cells that an executor of the caller's holds at a time: enough for many workers, and far from the
# hundred thousand that a grid may have.
_AT_ONCE = 1000
# Attempts at a cell during which its process is killed, before it counts as failed.
_ATTEMPTS = 3


class FailedRunsWarning(UserWarning):
    """Some runs failed; those that finished are kept."""


def warn_of_failures(failures: Sequence[str], total: int) -> None:
    """Warn the caller of ``sweep`` or ``compare`` that runs failed, if any did."""
    if failures:
        text = f"{len(failures)} of {total} runs failed, the first: {failures[0]}; see failures"
        warnings.warn(text, FailedRunsWarning, stacklevel=3)


class KilledError(RuntimeError):
    """The process that trained a cell was killed each time."""


def train_cells(
    cells: Sequence[Cell],
    take: Take,
    *,
    store: str | Path | None = None,
    executor: Executor | None = None,
    workers: int | None = None,
    together: int | None = None,
    done: int = 0,
    progress: bool | Report = False,
) -> None:
    """Train every cell that the store lacks.

    Parameters
    ----------
    cells : sequence of Cell
        In the order in which they are to start.
    take : callable
        Called as take(cell, result) in this process, once for each cell as it finishes: with its
        ``TrainingRun``, or with the exception that it ended in.
    store, executor, workers, together, progress
        As in ``sweep``.
    done : int
        Cells that were finished before and are not among these: progress counts them.

    Raises
    ------
    ValueError, TypeError
        For workers beside an executor, or a store that cannot be.
    StorageError
        If a finished run cannot be written (a full disk).
    KeyboardInterrupt
        On Ctrl-C; every finished cell has been taken.
    """
    if executor is not None and workers is not None:
        raise ValueError(f"workers = {workers} with an executor: it has its own; give one of them")
    count = count_cores() if workers is None else check_integer("workers", workers, 1, MOST_WORKERS)
    if together is not None:
        check_integer("together", together)
    with (
        TemporaryDirectory() as scratch,
        report(progress, "training models") as advance,
    ):
        place = Store(scratch if store is None else store)
        work = _Work(place, take, advance, done, done + len(cells))
        waiting = []
        for cell in cells:
            run = place.load(cell)
            if run is None:
                waiting.append(cell)
            else:
                work.finish(cell, run, silent=True)
        if executor is None:
            waiting = _run_together(work, waiting, together)
        if executor is not None:
            _Pool(work, lambda: executor, _AT_ONCE, own=False).run(waiting)
        elif count == 1 or len(waiting) <= 1:
            _run_here(work, waiting)
        else:
            with ending_processes():
                _Pool(work, lambda: start_processes(count), count, own=True).run(waiting)


class _Work:
    """Where results go, and how many there are."""

    def __init__(self, place: Store, take: Take, advance: Report, done: int, total: int) -> None:
        self.place = place
        self._take, self._advance = take, advance
        self._done, self._total = done, total

    def finish(self, cell: Cell, result: Result, silent: bool = False) -> None:
        """Pass a result on; raise what stops everything."""
        if isinstance(result, Busy | StorageError):
            raise result
        self._take(cell, result)
        self._done += 1
        if not silent:
            self._advance(self._done, self._total)


def _run_together(work: _Work, waiting: list[Cell], together: int | None) -> list[Cell]:
    """Train cells of one shape together, on devices by default; return those that are left."""
    if together is None:
        chosen = [cell for cell in waiting if cell.settings.device.partition(":")[0] != "cpu"]
    else:
        chosen = waiting if together > 1 else []
    left = train_groups(work.place, chosen, together or AT_ONCE, work.finish)
    done = {id(cell) for cell in chosen} - {id(cell) for cell in left}
    return [cell for cell in waiting if id(cell) not in done]


def _run_here(work: _Work, waiting: list[Cell]) -> None:
    busy: list[Cell] = []
    while waiting or busy:
        patient = not waiting  # other processes train what is left: wait for them
        cell = busy.pop(0) if patient else waiting.pop(0)
        try:
            work.finish(cell, train_cell(work.place.folder, cell, patient))
        except Busy:
            busy.append(cell)


class _Pool:
    """An executor at work, ``at_once`` cells at a time.

    When a process is killed, its whole pool breaks. The cells that were running (``suspects``) are
    then tried again, each alone, so that one that always kills its process is found.
    """

    def __init__(self, work: _Work, make: Callable[[], Executor], at_once: int, own: bool) -> None:
        self._work, self._make, self._at_once, self._own = work, make, at_once, own
        self._executor = make()
        self._running: dict[Future[Result], Cell] = {}
        self._busy: list[Cell] = []
        self._suspects: list[Cell] = []
        self._killed: dict[int, int] = {}  # by id of the cell

    def run(self, waiting: list[Cell]) -> None:
        """Train all cells."""
        try:
            while waiting or self._suspects or self._running or self._busy:
                if not waiting and not self._suspects and not self._running:
                    waiting, self._busy = self._busy, []  # others train these: wait for them
                try:
                    self._submit(waiting)
                    for future in wait(self._running, return_when=FIRST_COMPLETED)[0]:
                        self._collect(future)
                except BrokenProcessPool:
                    if not self._own:
                        raise
                    self._replace_pool()
        except BaseException:
            for future in self._running:
                future.cancel()
            if isinstance(self._executor, Pool):
                self._executor.end()
            elif self._own:
                self._executor.shutdown(wait=False, cancel_futures=True)
            raise
        if self._own:
            self._executor.shutdown()

    def _submit(self, waiting: list[Cell]) -> None:
        while waiting and not self._suspects and len(self._running) < self._at_once:
            self._submit_first(waiting)
        if self._suspects and not self._running:
            self._submit_first(self._suspects)

    def _submit_first(self, cells: list[Cell]) -> None:
        patient = not self._running
        future = self._executor.submit(train_cell, self._work.place.folder, cells[0], patient)
        self._running[future] = cells.pop(0)

    def _collect(self, future: Future[Result]) -> None:
        try:
            result = future.result()
        except (KeyboardInterrupt, BrokenProcessPool):
            raise
        except Exception as error:  # of the executor: train_cell returns those of a run
            if self._own:
                raise
            self._try_again(self._running.pop(future), error)
            return
        cell = self._running.pop(future)
        try:
            self._work.finish(cell, result)
        except Busy:
            self._busy.append(cell)

    def _try_again(self, cell: Cell, error: Exception) -> None:
        """Submit a cell again that an executor has lost, as a cluster does whose workers died."""
        self._killed[id(cell)] = self._killed.get(id(cell), 0) + 1
        if self._killed[id(cell)] < _ATTEMPTS:
            self._suspects.append(cell)
        else:
            self._work.place.record_failure(cell, error)
            self._work.finish(cell, error)

    def _replace_pool(self) -> None:
        for future in [f for f in self._running if f.done() and not f.exception()]:
            self._collect(future)
        cells = list(self._running.values())
        self._running.clear()
        for cell in cells:
            if len(cells) == 1:  # it ran alone: it is what was killed
                self._killed[id(cell)] = self._killed.get(id(cell), 0) + 1
            count = self._killed.get(id(cell), 0)
            if count < _ATTEMPTS:
                self._suspects.append(cell)
            else:
                error = KilledError(f"its process was killed {count} times (out of memory?)")
                self._work.place.record_failure(cell, error)
                self._work.finish(cell, error)
        self._executor.shutdown(wait=False)
        self._executor = self._make()


def train_cell(folder: Path, cell: Cell, patient: bool) -> Result:
    """Train one cell of a store, on one thread; return the run, or the exception it ended in."""
    try:
        place = Store(folder)
        with one_thread(), _one_torch_thread(cell.settings.backend):
            try:
                return place.train(cell, wait=patient)
            except (Busy, StorageError):
                raise
            except Exception as error:  # one run's failure must not stop the others
                place.record_failure(cell, error)
                return error
    except (Busy, StorageError) as error:
        return error


@contextlib.contextmanager
def _one_torch_thread(backend: str) -> Iterator[None]:
    if backend != "torch":
        yield
        return
    import torch  # slow to import, and the compiled steps do without

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
