"""A folder of finished training runs, one file each, named by what made them.

Use ``Store(folder)``: ``key`` names a run by its frequencies and settings, ``load`` gives it back
if it is there and is what it says, ``train`` makes it and writes it. Any number of processes may
work on one store: a lock keeps two from making the same run, and readers see whole files only. A
file that is damaged, or holds another run than its name says, is renamed and never trusted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from empirical.files import write_atomically
from empirical.training.run import TrainingRun
from empirical.training.train import train
from theory.activation import Activation
from theory.frequencies import Frequencies

_SUFFIX, _FAILURE, _ASIDE = ".safetensors", ".failed.json", ".aside"


class Busy(Exception):
    """Another process is making this run."""


class StorageError(OSError):
    """A finished run could not be written; everything written before is kept."""


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
    >>> from empirical.training.settings import check_settings
    >>> store, f = Store(tempfile.mkdtemp()), Frequencies.power_law(20, alpha=1.0)
    >>> settings = check_settings(f, m=4, steps=10, batch=8)
    >>> run = store.train(f, settings)
    >>> store.load(f, settings).loss == run.loss
    True
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).absolute()  # workers may run elsewhere
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or error
            raise ValueError(f"the store {folder} cannot be made: {reason}") from None

    def key(self, frequencies: Frequencies, settings: Mapping[str, Any]) -> str:
        """Return the name of a run: a digest of the frequencies and of ``check_settings``."""
        words = json.dumps([frequencies.describe(), dict(settings)], sort_keys=True)
        content = hashlib.sha256(words.encode())
        if frequencies.law == "table":
            content.update(frequencies.p.tobytes())
        return content.hexdigest()[:24]

    def path(self, key: str) -> Path:
        """Return where the run of this key is, or would be."""
        return self.folder / f"{key}{_SUFFIX}"

    def load(self, frequencies: Frequencies, settings: Mapping[str, Any]) -> TrainingRun | None:
        """Return a finished run, or None if it is not there, or not what its name says.

        Raises
        ------
        OSError
            If it is there and cannot be read.
        """
        key = self.key(frequencies, settings)
        path = self.path(key)
        if not path.exists():
            return None
        try:
            run = TrainingRun.load(path)
            return run if self.key(run.frequencies, run.settings) == key else None
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

    def train(
        self, frequencies: Frequencies, settings: Mapping[str, Any], wait: bool = True
    ) -> TrainingRun:
        """Return the run: loaded if it is there, else trained and written.

        Raises
        ------
        Busy
            If another process is making it and ``wait`` is False.
        StorageError
            If it cannot be written (a full disk), or the store cannot be used.
        ValueError, DivergenceError
            As ``train`` does.
        """
        key = self.key(frequencies, settings)
        path, lock = self.path(key), self.folder / f"{key}.lock"
        try:
            with FileLock(lock, timeout=-1 if wait else 0):
                run = self.load(frequencies, settings)
                if run is None:
                    if path.exists():
                        self._set_aside(path)
                    run = _train(frequencies, settings)
                    self._write(lambda: run.save(path))
                    self.failure(key).unlink(missing_ok=True)
                with contextlib.suppress(PermissionError):  # some systems keep open files
                    lock.unlink(missing_ok=True)  # who waits for it finds the run
                return run
        except Timeout:
            raise Busy(key) from None
        except StorageError:
            raise
        except OSError as error:
            raise StorageError(f"the store {self.folder} cannot be used: {error}") from None

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

    def record_failure(
        self, frequencies: Frequencies, settings: Mapping[str, Any], error: str
    ) -> None:
        """Write down that a run failed, and why."""
        record = {
            "frequencies": frequencies.describe(),
            "settings": dict(settings),
            "error": error,
            "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        path = self.failure(self.key(frequencies, settings))
        self._write(lambda: write_atomically(path, json.dumps(record, indent=2).encode()))


def _train(frequencies: Frequencies, settings: Mapping[str, Any]) -> TrainingRun:
    options = dict(settings)
    activation = Activation(options.pop("v_low"), options.pop("v_high"))
    return train(frequencies, options.pop("m"), activation=activation, **options)
