"""A folder of finished training runs, one file each, named by a digest of their inputs.

``Store(folder)``: ``key`` names a run by its features, width and settings, ``load`` returns it if
it is there and is the run of that name, ``train`` trains and writes it. Any number of processes may
work on one store: a lock keeps two from training the same run, and readers see whole files only. A
file that is damaged, or holds another run than its name says, is renamed and not used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from empirical.sweeps.grid import Cell
from empirical.training.run import TrainingRun
from empirical.training.train import train_by
from numerics.files import write_atomically
from theory.features import Features

_SUFFIX, _FAILURE, _ASIDE = ".safetensors", ".failed.json", ".aside"


# Descriptions of features kept for keys.
_DESCRIBED = 10_000


class Busy(Exception):
    """Another process is training this run."""


class StorageError(OSError):
    """A finished run could not be written; everything written before is kept.

    Examples
    --------
    >>> try:
    ...     raise StorageError(28, "No space left on device")  # as sweep does
    ... except OSError as error:
    ...     print(error.strerror)
    No space left on device
    """


class Store:
    """A folder of training runs.

    Parameters
    ----------
    folder : path
        Made if it is not there.

    Raises
    ------
    ValueError
        If it is a file, or cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> from empirical.sweeps.grid import expand
    >>> store = Store(tempfile.mkdtemp())
    >>> (cell,) = expand({"n": 20, "m": 4}, steps=10, batch=8)
    >>> run = store.train(cell)
    >>> store.load(cell).loss == run.loss
    True
    """

    def __init__(self, folder: str | Path) -> None:
        if not str(folder):
            raise ValueError("store = '' is not allowed: give the name of a folder")
        self.folder = Path(folder).absolute()  # workers may run elsewhere
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or error
            raise ValueError(f"the store {folder} cannot be made: {reason}") from None
        # By id, with the features themselves: cells of one grid share them.
        self._described: dict[int, tuple[Features, str]] = {}

    def key(self, cell: Cell) -> str:
        """Return the name of a run: a digest of its features, width and settings."""
        settings = dict(cell.settings)
        for name, before in (("draws", "numpy"), ("decoder_rows", 0)):
            if settings[name] == before:  # as every run was before there was a choice
                del settings[name]
        # As one JSON list, in parts.
        words = (
            f"[{self._describe(cell.features)}, {cell.m}, {json.dumps(settings, sort_keys=True)}]"
        )
        content = hashlib.sha256(words.encode())
        if cell.features.frequencies.law == "table":
            content.update(cell.features.p.tobytes())
        return content.hexdigest()[:24]

    def _describe(self, features: Features) -> str:
        known = self._described.get(id(features))
        if known is None:
            if len(self._described) >= _DESCRIBED:
                self._described.clear()
            known = features, json.dumps(features.describe(), sort_keys=True)
            self._described[id(features)] = known
        return known[1]

    def path(self, key: str) -> Path:
        """Return where the run of this key is, or would be."""
        return self.folder / f"{key}{_SUFFIX}"

    def load(self, cell: Cell) -> TrainingRun | None:
        """Return a finished run, or None if it is not there, or not the run of its name.

        Raises
        ------
        OSError
            If it is there and cannot be read.
        """
        key = self.key(cell)
        path = self.path(key)
        if not path.exists():
            return None
        try:
            run = TrainingRun.load(path)
            found = Cell(cell.place, run.features, run.model.m, run.settings)
            return run if self.key(found) == key and not run.begun_at else None
        except (ValueError, TypeError, KeyError):
            return None

    def _set_aside(self, path: Path) -> None:
        count = 1
        while (place := path.with_name(f"{path.name}{_ASIDE}{count}")).exists():
            count += 1
        path.replace(place)

    @property
    def aside(self) -> tuple[Path, ...]:
        """Files that were set aside, now or in earlier sweeps."""
        return tuple(sorted(self.folder.glob(f"*{_ASIDE}*")))

    def train(self, cell: Cell, wait: bool = True) -> TrainingRun:
        """Return the run: loaded if it is there, else trained and written.

        Raises
        ------
        Busy
            If another process is training it and ``wait`` is False.
        StorageError
            If it cannot be written (a full disk), or the store cannot be used.
        ValueError, DivergenceError
            As ``train`` does.
        """
        key = self.key(cell)
        lock = self.lock(key)
        try:
            with FileLock(lock, timeout=-1 if wait else 0):
                run = self.load(cell)
                if run is None:
                    run = train_by(cell.features, cell.m, cell.settings)
                    self.write(cell, run)
                with contextlib.suppress(PermissionError):  # some systems keep open files
                    lock.unlink(missing_ok=True)  # who waits for it finds the run
                return run
        except Timeout:
            raise Busy(key) from None
        except StorageError:
            raise
        except OSError as error:
            raise StorageError(f"the store {self.folder} cannot be used: {error}") from None

    def lock(self, key: str) -> Path:
        """Return the file that is locked while the run of this key is trained."""
        return self.folder / f"{key}.lock"

    def write(self, cell: Cell, run: TrainingRun) -> None:
        """Write a finished run in its place; who calls this holds its lock.

        Raises
        ------
        StorageError
            If it cannot be written (a full disk).
        """
        key = self.key(cell)
        path = self.path(key)
        if path.exists():
            self._set_aside(path)
        self._write(lambda: run.save(path))
        self.failure(key).unlink(missing_ok=True)

    def _write(self, write: Callable[[], None]) -> None:
        try:
            write()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise StorageError(
                f"{reason}: a finished run could not be written to {self.folder}. What was written "
                "before is kept: make room, then start the same sweep again"
            ) from None

    def failure(self, key: str) -> Path:
        """Return where the failure of a run is recorded."""
        return self.folder / f"{key}{_FAILURE}"

    def record_failure(self, cell: Cell, error: Exception) -> None:
        """Write a file that says that a run failed, and why."""
        record: dict[str, Any] = {
            **cell.features.describe(),
            "m": cell.m,
            "settings": dict(cell.settings),
            "error": f"{type(error).__name__}: {error}",
            "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        path = self.failure(self.key(cell))
        self._write(lambda: write_atomically(path, json.dumps(record, indent=2).encode()))
