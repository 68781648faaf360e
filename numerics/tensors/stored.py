"""Tensors in files: what a file holds, and the rows of one of them, mapped and decoded by block.

Each reader of ``numerics.tensors.formats`` returns a ``TensorFile``;
``RowMatrix(file.tensors[name].rows())`` reads the rows. Nothing of a tensor is read before that.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Rows read at once when they are scattered over the file.
_SCATTERED = 1024
_LONGEST_NAME = 2**16
# First bytes of the text that stands for a file which Git LFS has not fetched.
_POINTER = b"version https://git-lfs"

Decode = Callable[[NDArray[Any], Any], NDArray[Any]]


class MappedRows:
    """Rows of a matrix in a file, read through a memory map that keeps no page after a block.

    It has the ``shape``, ``dtype`` and ``[rows]`` of an array, which is what ``RowMatrix`` needs.
    The pages of a plain memory map stay with the process once read, up to the whole tensor; here
    they are given back to the system's cache after each block.

    Parameters
    ----------
    path : Path
        The file.
    offset : int
        Where the first row begins, in bytes.
    shape : (int, int)
        Rows, and stored entries in a row.
    entry : dtype
        Type of a stored entry.
    strides : (int, int), optional
        Bytes from row to row and from entry to entry, if the rows are not stored one by one.
    decode : callable, optional
        Turns stored rows and their numbers (a slice or an index array) into m float32 columns.
    m : int, optional
        Columns after decoding, if these are not the stored entries.
    """

    def __init__(
        self,
        path: Path,
        offset: int,
        shape: tuple[int, int],
        entry: np.dtype[Any],
        strides: tuple[int, int] | None = None,
        decode: Decode | None = None,
        m: int | None = None,
    ) -> None:
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._stored: NDArray[Any] = np.ndarray(shape, entry, self._map, offset, strides)
        self._decode = decode
        # Whether a stored entry is an entry of the matrix, and not a byte in a block of them.
        self._by_entry = m is None
        self.shape = (shape[0], shape[1] if m is None else m)
        wide = decode is None and entry.itemsize == 8
        self.dtype = np.dtype(np.float64 if wide else np.float32)

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        if isinstance(rows, slice):
            block = self._copy(rows)
        else:
            parts = range(0, len(rows), _SCATTERED)
            blocks = [self._copy(rows[start : start + _SCATTERED]) for start in parts]
            block = np.concatenate(blocks) if blocks else np.empty((0, self.shape[1]), self.dtype)
        return block

    def read_columns(self, rows: slice, columns: Any) -> NDArray[Any]:
        """Return some columns (a slice or an index array) of a stretch of rows, decoded."""
        return self._copy(rows, columns) if self._by_entry else self._copy(rows)[:, columns]

    def _copy(self, rows: Any, columns: Any = None) -> NDArray[Any]:
        stored = self._stored[rows]
        if columns is not None:
            stored = stored[:, columns]
        if self._decode is None:
            block = np.array(stored, dtype=self.dtype, order="C")
        else:
            # A broken scale gives infinite or NaN entries; whatever reads the rows reports these.
            with np.errstate(all="ignore"):
                block = np.ascontiguousarray(self._decode(stored, rows), dtype=self.dtype)
        if np.may_share_memory(block, self._stored):
            block = block.copy()
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)
        return block


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """A tensor in a file: what is said of it, and how to read its rows.

    Attributes
    ----------
    path : Path
        The file.
    name : str
        Its name there.
    shape : tuple of int
        Its shape, rows first.
    dtype : str
        Type of its entries, as the format calls it.
    place : hashable
        Where its data lie: two names with one place are one tensor.
    size : int
        Bytes the file must have for all of it to be there.
    reader : callable or None
        Opens its rows; None if the entries are no real numbers that can be decoded.
    """

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: str
    place: Hashable
    size: int
    reader: Callable[[], Any] | None

    @property
    def is_matrix(self) -> bool:
        """Whether it is n x m, of floats."""
        return self.reader is not None and len(self.shape) == 2 and min(self.shape) > 0

    def rows(self) -> Any:
        """Open the rows: an array-like for ``RowMatrix``.

        Raises
        ------
        ValueError
            If it is not a matrix of floats, or not all in the file.
        """
        if not self.is_matrix or self.reader is None:
            raise ValueError(
                f"{self.path}: {show(self.name)} has dtype {self.dtype} and shape "
                f"{list(self.shape)}: it is not a matrix of floats that can be decoded"
            )
        if self.size > self.path.stat().st_size:
            raise ValueError(f"{self.path} is truncated: {show(self.name)} is not all there")
        return self.reader()

    def __str__(self) -> str:
        sizes = " x ".join(str(size) for size in self.shape) or "a number"
        return f"{show(self.name)} ({sizes}, {self.dtype})"


@dataclass(frozen=True, eq=False)
class TensorFile:
    """What one file holds.

    Attributes
    ----------
    format : str
        Name of its ``TensorFormat``.
    tensors : mapping of str to StoredTensor
        By name; an alias is a second name of the same tensor.
    kind : str
        The kind of model, where the file says it.
    complete : bool
        Whether these are all tensors of the model.
    """

    format: str
    tensors: Mapping[str, StoredTensor]
    kind: str = ""
    complete: bool = True


def check_file(path: Path) -> None:
    """Raise ValueError unless ``path`` is a file that can be mapped.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "model.safetensors"
    >>> _ = path.write_bytes(_POINTER + b"/spec/v1")
    >>> check_file(path)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: ...model.safetensors is a Git LFS pointer, not the file: run git lfs pull
    """
    if path.is_dir():
        raise ValueError(f"{path} is a directory: give a file")
    if not path.exists():
        raise ValueError(f"{path} does not exist: give a file")
    if not path.is_file():
        raise ValueError(
            f"{path} is a pipe or a device, which cannot be mapped: write it to a file first"
        )
    with path.open("rb") as file:
        refuse_pointer(path, file.read(len(_POINTER)))


def refuse_pointer(path: Path, start: bytes) -> None:
    """Raise ValueError if a file that begins with ``start`` is a pointer of Git LFS."""
    if start.startswith(_POINTER):
        raise ValueError(f"{path} is a Git LFS pointer, not the file: run git lfs pull")


class TruncatedError(ValueError):
    """The file ends before what it announces."""


class Cursor:
    """A place in a binary file of little-endian numbers; never reads past the end.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x"
    >>> _ = path.write_bytes(bytes([2, 0, 104, 105]))
    >>> cursor = Cursor(path)
    >>> cursor.text("H"), cursor.left
    ('hi', 0)
    """

    def __init__(self, path: Path) -> None:
        self.path, self.at = path, 0
        self.size = path.stat().st_size
        if self.size == 0:
            raise TruncatedError(f"{path} is empty")
        with path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    @property
    def left(self) -> int:
        """Bytes from here to the end."""
        return self.size - self.at

    def skip(self, count: int) -> int:
        """Go ``count`` bytes on; return where they began."""
        if count > self.left:
            raise TruncatedError(f"{self.path} is truncated, or its header is broken")
        self.at += count
        return self.at - count

    def numbers(self, form: str) -> tuple[Any, ...]:
        """Read numbers of the ``struct`` format ``form``."""
        form = "<" + form
        return struct.unpack_from(form, self._map, self.skip(struct.calcsize(form)))

    def number(self, form: str) -> int:
        """Read one number."""
        return int(self.numbers(form)[0])

    def text(self, length: str) -> str:
        """Read a name after its length, a number of the format ``length``."""
        count = self.number(length)
        if count > _LONGEST_NAME:
            raise ValueError(f"{self.path} has a broken header: a name of {count} bytes")
        start = self.skip(count)
        try:
            return self._map[start : start + count].decode()
        except UnicodeDecodeError:
            raise ValueError(f"{self.path} has a broken header: a name is not UTF-8") from None

    def array(self, entry: str, offset: int, count: int) -> NDArray[Any]:
        """Read ``count`` entries at ``offset``, without going there."""
        dtype = np.dtype(entry)
        if offset + count * dtype.itemsize > self.size:
            raise TruncatedError(f"{self.path} is truncated")
        return np.frombuffer(self._map, dtype, count, offset).copy()


def map_floats(
    path: Path, name: str, shape: tuple[int, ...], dtype: str, offset: int, entry: str | None
) -> StoredTensor:
    """Describe a tensor of plain floats, stored row by row.

    ``entry`` is their numpy type, "bf16" for bfloat16, or None if they cannot be read.
    """
    place = (offset, shape, dtype)
    if entry is None:
        return StoredTensor(path, name, shape, dtype, place, 0, None)
    stored = np.dtype("<u2" if entry == "bf16" else entry)
    decode = decode_bfloat16 if entry == "bf16" else None

    def read() -> MappedRows:
        return MappedRows(path, offset, (shape[0], shape[1]), stored, decode=decode)

    size = offset + math.prod(shape) * stored.itemsize
    return StoredTensor(path, name, shape, dtype, place, size, read)


def widen_bfloat16(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return the float32 numbers whose upper halves are ``bits``."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def decode_bfloat16(stored: NDArray[Any], rows: Any) -> NDArray[Any]:
    """Decode rows of bfloat16, for ``MappedRows``."""
    return widen_bfloat16(stored)


def show(name: str) -> str:
    r"""Return a name from a file as it may stand in a message: on one line, no control codes.

    Examples
    --------
    >>> print(show("W"), show("a\nb"), show(""))
    W 'a\nb' the array
    """
    if not name:
        return "the array"
    return name if name.isprintable() else repr(name)
