"""Atomic writing of files, and a check beforehand that a file can be written.

Call ``check_writable`` before long work whose result goes to a file, ``write_atomically`` after it.
Symbolic links are followed, a file that is replaced keeps its mode and owner, and what is no
regular file (a device, a pipe, a directory) is refused.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

# A name of at most 255 bytes, and mkstemp adds to it.
_LONGEST_STEM = 40


def check_writable(path: str | Path) -> Path:
    """Return ``path`` if a file can be written there, without writing it.

    Raises
    ------
    ValueError
        If it is a directory, a device, a pipe or a file that may not be written; if its folder does
        not exist or cannot be written to. Of a symbolic link, that which it points to counts.

    Examples
    --------
    >>> check_writable("/no/such/folder/run.safetensors")
    Traceback (most recent call last):
        ...
    ValueError: cannot write /no/such/folder/run.safetensors: the folder /no/such/folder does not \
exist
    """
    path = Path(path)
    target = _find_target(path)
    try:
        # Permission bits do not tell (root, read-only mounts): try it.
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise ValueError(f"cannot write {path}: {error.strerror or error}") from None
    return path


def _find_target(path: Path) -> Path:
    """Return the regular file, there already or not, that ``path`` stands for."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = None
    except (OSError, ValueError) as error:  # a loop of links, a name too long, a null character
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"cannot write {path}: {reason}") from None
    if mode is not None and stat.S_ISDIR(mode):
        raise ValueError(f"cannot write {path}: it is a directory; give a file name")
    # /dev/stdout may lead to a regular file, which the shell has open.
    in_dev = path.absolute().parent in (Path("/dev"), Path("/dev/fd"))
    if in_dev or (mode is not None and not stat.S_ISREG(mode)):
        raise ValueError(f"cannot write {path}: it is a device, pipe or socket; give a file name")
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise ValueError(f"cannot write {path}: the folder {target.parent} does not exist")
    if mode is not None and not os.access(target, os.W_OK):
        raise ValueError(f"cannot write {path}: its permissions forbid it")
    return target


def write_atomically(path: str | Path, data: bytes) -> None:
    """Write ``data`` to ``path``: readers see the old file or the whole new one, never a part.

    Raises
    ------
    ValueError
        If ``path`` is or leads to a directory, a device, a pipe, a file that may not be written, or
        a folder that does not exist.
    OSError
        If the disk is full, or fails; it names ``path``.
    """
    path = Path(path)
    target = _find_target(path)
    try:
        _replace(target, data)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None


def _replace(target: Path, data: bytes) -> None:
    stem = target.name[:_LONGEST_STEM]
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{stem}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes private files: give this one what the old one has, or the usual mode.
        try:
            old = target.stat()
        except FileNotFoundError:
            mask = os.umask(0)
            os.umask(mask)
            mode = 0o666 & ~mask
        else:
            mode = stat.S_IMODE(old.st_mode)
            if hasattr(os, "chown"):
                with contextlib.suppress(OSError):  # only root may give files away
                    os.chown(name, old.st_uid, old.st_gid)
        Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
