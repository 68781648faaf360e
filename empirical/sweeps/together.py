"""Cells of one shape trained together on one device: ``train_groups``.

A GPU is filled by many small models in one batched step (``train_many``), not by many processes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from filelock import FileLock, Timeout

from empirical.sweeps.grid import Cell
from empirical.sweeps.store import Store
from empirical.training.run import TrainingRun
from empirical.training.train import DivergenceError

# Settings in which models that are trained together may differ.
_OWN = ("seed", "weight_decay")
# Models of one shape trained at once on a device, by default.
AT_ONCE = 32


def group(cells: Sequence[Cell], at_once: int) -> tuple[list[list[Cell]], list[Cell]]:
    """Return lists of cells that can be trained together, and the cells that are left over.

    Cells go together if they are of the torch backend, not of the recipe "converged", and agree in
    n, m and every setting but seed and weight decay.
    """
    by_shape: dict[tuple[object, ...], list[Cell]] = {}
    for cell in cells:
        shared = tuple((name, x) for name, x in dict(cell.settings).items() if name not in _OWN)
        by_shape.setdefault((cell.features.n, cell.m, *shared), []).append(cell)
    groups, left = [], []
    for same in by_shape.values():
        for first in range(0, len(same), at_once):
            part = same[first : first + at_once]
            common = part[0].settings
            rounds = common.recipe == "converged"  # as many as each model needs
            if len(part) > 1 and common.backend == "torch" and not rounds:
                groups.append(part)
            else:
                left.extend(part)
    return groups, left


def train_groups(
    place: Store, cells: Sequence[Cell], at_once: int, finish: Callable[[Cell, TrainingRun], None]
) -> list[Cell]:
    """Train what can be trained together; return the cells that are left for other ways.

    Those are cells of a shape of their own, cells that another process is training, and the cells
    of a group in which a model diverged.

    Parameters
    ----------
    place : Store
        Where runs are read and written.
    cells : sequence of Cell
        To be trained.
    at_once : int
        Most models in one group.
    finish : callable
        Called as finish(cell, run) for each run that was trained, once it is written.

    Raises
    ------
    StorageError
        If a finished run cannot be written.
    """
    groups, left = group(cells, at_once)
    for part in groups:
        with contextlib.ExitStack() as locks:
            mine = []
            for cell in part:
                lock = FileLock(place.lock(place.key(cell)), timeout=0)
                try:
                    locks.enter_context(lock)
                except Timeout:
                    left.append(cell)
                    continue
                run = place.load(cell)  # another process may have finished it by now
                if run is None:
                    mine.append(cell)
                else:
                    finish(cell, run)
            try:
                runs = _train(mine) if mine else ()
            except DivergenceError:  # of one of them: each by itself
                left.extend(mine)
                continue
            for cell, run in zip(mine, runs, strict=True):
                place.write(cell, run)
                finish(cell, run)
    return left


def _train(cells: Sequence[Cell]) -> tuple[TrainingRun, ...]:
    from empirical.training.train_many import train_many  # torch is slow to import

    shared = {k: x for k, x in dict(cells[0].settings).items() if k not in (*_OWN, "backend")}
    return train_many(
        [cell.features for cell in cells], cells[0].m,
        seeds=[cell.settings.seed for cell in cells],
        weight_decay=[cell.settings.weight_decay for cell in cells], **shared,
    )  # fmt: skip
