"""Atomic writing of files, and a check beforehand that a file can be written.

Call ``check_writable`` before long work whose result goes to a file, ``write_atomically`` after it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def check_writable(path: str | Path) -> Path:
    """Return ``path`` if a file can be written there, without writing it.

    Raises
    ------
    ValueError
        If it is a directory, or its folder does not exist or cannot be written to.

    Examples
    --------
    >>> check_writable("/no/such/folder/run.safetensors")
    Traceback (most recent call last):
        ...
    ValueError: cannot write /no/such/folder/run.safetensors: the folder /no/such/folder does not \
exist
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"cannot write {path}: it is a directory; give a file name")
    folder = path.parent
    if not folder.is_dir():
        raise ValueError(f"cannot write {path}: the folder {folder} does not exist")
    try:
        # Permission bits do not tell (root, read-only mounts): try it.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(f"cannot write {path}: {error.strerror or error}") from None
    return path


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write ``data`` to ``path``: readers see the old file or the whole new one, never a part."""
    path = check_writable(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes private files; give this one the usual permissions.
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
