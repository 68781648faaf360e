"""Train a grid of toy models: in parallel, resumable, one file for each finished run.

``sweep(grid, store="runs")``. Any ``concurrent.futures.Executor`` may do the work: by default
processes of this machine, one thread each; ``dask.distributed`` gives one for a cluster. A run that
the store holds is not trained again, so a sweep that was interrupted, killed or ran out of disk
goes on where it was; the results are the same bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Unpack

from empirical.progress import Report
from empirical.sweeps.engine import Result, train_cells, warn_of_failures
from empirical.sweeps.grid import Cell, expand
from empirical.sweeps.result import SweepResult, SweepRow
from empirical.sweeps.store import Store
from empirical.sweeps.stored_rows import StoredRows
from empirical.training.settings import TrainingChanges
from theory.computing.argument_kinds import check_kinds


class InterruptedSweep(KeyboardInterrupt):
    """Ctrl-C during ``sweep``; ``partial`` holds what had finished.

    Examples
    --------
    >>> finished = sweep({"m": [2], "n": 8}, workers=1, steps=2, batch=8)
    >>> try:
    ...     raise InterruptedSweep(finished)  # as sweep does
    ... except KeyboardInterrupt as error:
    ...     print(len(error.partial.to_dataframe()))
    1
    """

    def __init__(self, partial: SweepResult) -> None:
        super().__init__("sweep interrupted")
        self.partial = partial


@check_kinds
def sweep(
    grid: Mapping[str, Any],
    *,
    store: str | Path | None = None,
    executor: Executor | None = None,
    workers: int | None = None,
    together: int | None = None,
    progress: bool | Report = False,
    **changes: Unpack[TrainingChanges],
) -> SweepResult:
    """Train every model of a grid.

    Parameters
    ----------
    grid : mapping
        Values by axis (see ``expand``): m, alpha, weight_decay, density, n, frequencies, seed,
        recipe; for all runs, "activation" (the law of v) and "importance". Of ``Features``, given
        as "frequencies", both are taken from there.
    store : path, optional
        Folder of finished runs; without one they are kept until the sweep ends, and its table only.
    executor : Executor, optional
        Who does the work. With one of a cluster the store must be on a file system that all share.
    workers : int, optional
        Processes, if no executor is given; all cores by default. They do not run the caller's
        script again: it needs no ``if __name__ == "__main__":``.
    together : int, optional
        Models of one shape that are trained at once by ``train_many``, in this process (backend
        "torch", no executor); results then agree with those of single runs up to rounding. By
        default 32 where the device is not the CPU, where it is 1.
    progress : bool or callable
        True for a progress bar with the time left; a function is called as progress(done, total).
    **changes
        Fields of ``TrainingSettings`` for all runs (steps, batch, …), before the recipe's.

    Returns
    -------
    SweepResult
        One row for each finished run, and what failed, of which a warning says how many.

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
    >>> result.to_dataframe().loc[:, ["m", "alpha", "weight_decay"]]
       m  alpha  weight_decay
    0  4    1.5          -1.0
    1  8    1.5          -1.0
    """
    rows: list[SweepRow] = []
    failures: list[str] = []

    def take(cell: Cell, result: Result) -> None:
        if isinstance(result, Exception):
            where = ", ".join(f"{name} = {value}" for name, value in cell.place.items())
            failures.append(f"{where}: {type(result).__name__}: {result}")
        elif stored is None:
            rows.append(SweepRow.of(cell.place, result))
        else:
            rows.append(stored.add(cell, result))

    def collect() -> SweepResult:
        aside = () if store is None else tuple(str(path) for path in Store(store).aside)
        return SweepResult(tuple(sorted(rows, key=SweepRow.order)), tuple(failures), aside)

    cells = expand(grid, **changes)
    stored = None if store is None else StoredRows(Store(store))
    waiting = []
    for cell in cells:
        row = None if stored is None else stored.find(cell)
        if row is None:
            waiting.append(cell)
        else:
            rows.append(row)
    try:
        train_cells(
            waiting, take, store=store, executor=executor, workers=workers, together=together,
            done=len(rows), progress=progress,
        )  # fmt: skip
    except KeyboardInterrupt:
        raise InterruptedSweep(collect()) from None
    finally:
        if stored is not None:
            stored.write()
    warn_of_failures(failures, len(cells))
    return collect()
