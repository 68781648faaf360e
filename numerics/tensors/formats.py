"""The formats of files that hold tensors: one record each, and which of them a file has.

``FORMATS`` is the table of those that need nothing but numpy. To add a format, write its reader (a
function from a path to a ``TensorFile``) and append its record here: ``open_matrix`` and everything
that opens checkpoints go through the table. ``empirical.unembeddings.formats`` adds PyTorch's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from numerics.tensors.ctranslate2_file import list_ctranslate2
from numerics.tensors.gguf_file import list_gguf
from numerics.tensors.numpy_file import list_npy, list_npz
from numerics.tensors.safetensors_file import list_safetensors
from numerics.tensors.stored import TensorFile, check_file


@dataclass(frozen=True)
class TensorFormat:
    """A format of files that hold tensors.

    Attributes
    ----------
    name : str
        What ``TensorFile.format`` says.
    title : str
        What people call it, for messages.
    suffixes : tuple of str
        Endings of file names, lower case, with the dot. A number of a part (.part1) is ignored.
    magic : tuple of bytes
        What a file of this format begins with, one of these; empty if it has no fixed start.
    list_tensors : callable
        Takes a ``Path``, returns the ``TensorFile``, raises ValueError for a broken file.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    magic: tuple[bytes, ...]
    list_tensors: Callable[[Path], TensorFile]


FORMATS: tuple[TensorFormat, ...] = (
    TensorFormat("npy", ".npy", (".npy",), (b"\x93NUMPY",), list_npy),
    # It begins as every zip archive does, which alone says nothing.
    TensorFormat("npz", ".npz", (".npz",), (), list_npz),
    # It begins with the length of its header.
    TensorFormat("safetensors", "safetensors", (".safetensors",), (), list_safetensors),
    TensorFormat("gguf", "GGUF", (".gguf",), (b"GGUF",), list_gguf),
    # It begins with its binary version, 4 to 6.
    TensorFormat(
        "ctranslate2",
        "CTranslate2",
        (".bin",),
        tuple(bytes([version, 0, 0, 0]) for version in (4, 5, 6)),
        list_ctranslate2,
    ),
)


def find_format(path: Path, formats: Sequence[TensorFormat] | None = None) -> TensorFormat:
    """Return the format of a file, from its name and its first bytes.

    Where the two disagree the first bytes decide, if the format that the name tells has a fixed
    start.

    Raises
    ------
    ValueError
        If there is no such file, it cannot be mapped, or it is of none of the formats.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "model.bin"
    >>> _ = path.write_bytes(b"GGUF" + bytes(20))
    >>> find_format(path).title
    'GGUF'
    """
    known = formats or FORMATS
    check_file(path)
    with path.open("rb") as file:
        start = file.read(16)
    suffix = Path(re.sub(r"\.part\d+$", "", path.name)).suffix.lower()
    named = [one for one in known if suffix in one.suffixes]
    begun = [one for one in known if start.startswith(one.magic)]
    candidates = [
        *(one for one in named if one in begun),
        *(one for one in named if not one.magic),
        *begun,
        *named,
    ]
    if not candidates:
        raise ValueError(f"{path} is of no format that is read: give {name_formats(known)}")
    return candidates[0]


def list_tensors(path: Path, formats: Sequence[TensorFormat] | None = None) -> TensorFile:
    """List the tensors of one file.

    Parameters
    ----------
    path : Path
        The file.
    formats : sequence of TensorFormat, optional
        Those that are tried; ``FORMATS`` by default.

    Raises
    ------
    ValueError
        If it is of no known format, or broken.
    """
    return find_format(path, formats).list_tensors(path)


def name_formats(formats: Sequence[TensorFormat]) -> str:
    """Return the formats' names as a message lists them.

    Examples
    --------
    >>> name_formats(FORMATS)
    '.npy, .npz, safetensors, GGUF or CTranslate2'
    """
    *first, last = (one.title for one in formats)
    return f"{', '.join(first)} or {last}" if first else last
