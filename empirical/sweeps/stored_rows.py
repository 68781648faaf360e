"""Measurements of finished runs beside the runs of a store: ``StoredRows``.

The table of a sweep needs a dozen numbers of each run, which take some 10 ms a run to read and
compute. They are kept in one file of the store for all runs, so that the table of 100 000 cells
opens in seconds. It is a cache: numbers are used only while the file of their run has the size and
time of change that it had, and what is missing is computed from the runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

from empirical.sweeps.grid import Cell
from empirical.sweeps.result import SweepRow
from empirical.sweeps.store import Store
from empirical.training.run import TrainingRun
from numerics.files import write_atomically

_FORMAT = "superscale.Rows/1"
# Numbers of a row that are the run's, not its place in the grid.
_MEASURED = tuple(SweepRow.__annotations__)[8:]
# Seconds between two writes while runs are being finished.
_EVERY = 60.0


class StoredRows:
    """Rows of a store's finished runs.

    Parameters
    ----------
    store : Store
        Where the runs are.

    Examples
    --------
    >>> import tempfile
    >>> from empirical.sweeps.grid import expand
    >>> store = Store(tempfile.mkdtemp())
    >>> (cell,) = expand({"n": 20, "m": 4}, steps=10, batch=8)
    >>> rows = StoredRows(store)
    >>> row = rows.add(cell, store.train(cell))
    >>> rows.write()
    >>> StoredRows(store).find(cell) == row
    True
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows: dict[str, tuple[list[int], list[float]]] = {}
        self._read: list[Path] = []
        self._new = False
        self._written = time.monotonic()
        for path in sorted(store.folder.glob("*.rows.json")):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                record = json.loads(path.read_text(encoding="utf-8"))
                if record["format"] == _FORMAT and record["columns"] == list(_MEASURED):
                    self._rows |= {key: (stamp, row) for key, stamp, row in record["rows"]}
                self._read.append(path)
        self._stamps = _stamps(store.folder) if self._rows else {}

    def find(self, cell: Cell) -> SweepRow | None:
        """Return the row of a finished run whose file has not changed, or None."""
        key = self._store.key(cell)
        stamp, row = self._rows.get(key, ([], []))
        if not row or stamp != self._stamps.get(self._store.path(key).name):
            return None
        measured: dict[str, Any] = dict(zip(_MEASURED, row, strict=True))
        measured["steps"] = int(measured["steps"])
        return SweepRow(**cell.place, **measured)

    def add(self, cell: Cell, run: TrainingRun) -> SweepRow:
        """Return the row of a run, and keep it for ``write``."""
        row = SweepRow.of(cell.place, run)
        key = self._store.key(cell)
        with contextlib.suppress(OSError):  # a run without a file has no row to keep
            stamp = _stamp(self._store.path(key).stat())
            values = [float(getattr(row, name)) for name in _MEASURED]
            self._rows[key] = stamp, values
            self._new = True
        if time.monotonic() - self._written > _EVERY:
            self.write()
        return row

    def write(self) -> None:
        """Write what is new, with what was read, and remove the files that were read.

        A full disk or a folder that cannot be written leaves the store as it was.
        """
        if not self._new:
            return
        record = {
            "format": _FORMAT,
            "columns": list(_MEASURED),
            "rows": [[key, stamp, row] for key, (stamp, row) in self._rows.items()],
        }
        path = self._store.folder / f"{uuid.uuid4().hex[:12]}.rows.json"
        with contextlib.suppress(OSError, ValueError):
            write_atomically(path, json.dumps(record).encode())
            for old in self._read:
                old.unlink(missing_ok=True)  # another process may be before us
            self._read, self._new = [path], False
        self._written = time.monotonic()


def _stamp(found: os.stat_result) -> list[int]:
    return [found.st_size, found.st_mtime_ns]


def _stamps(folder: Path) -> dict[str, list[int]]:
    """Return size and time of change of each file, in one pass over the folder."""
    found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                found[entry.name] = _stamp(entry.stat())
    return found
