"""The tensors of a CTranslate2 model.bin, by its headers alone; int8 and int16 with their scales.

``list_ctranslate2(path)`` returns names, shapes and the rows of a tensor. The layout is what
``ModelSpec._serialize`` of the ctranslate2 package writes (python/ctranslate2/specs/ model_spec.py
of https://github.com/OpenNMT/CTranslate2), binary versions 4 to 6. The first part of a split file
(model.bin.part1) is read as far as it goes.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.tensors.stored import (
    Cursor,
    MappedRows,
    StoredTensor,
    TensorFile,
    TruncatedError,
    map_floats,
    show,
)

_VERSIONS = (4, 5, 6)
# In the order of the format's type numbers.
_TYPES = (
    ("float32", 4, "<f4"),
    ("int8", 1, None),
    ("int16", 2, None),
    ("int32", 4, None),
    ("float16", 2, "<f2"),
    ("bfloat16", 2, "bf16"),
)
_SCALED = {"int8": "<i1", "int16": "<i2"}


def list_ctranslate2(path: Path) -> TensorFile:
    r"""List the tensors of a CTranslate2 model.bin.

    Parameters
    ----------
    path : Path
        The file, or the first part of one that was split (its name ends in .part1).

    Returns
    -------
    TensorFile
        Aliases are second names; ``kind`` is the specification ("WhisperSpec"). Integer matrices
        with a scale (one for each row, or one for all) are decoded as entry / scale.

    Raises
    ------
    ValueError
        If it is of another format or version, or its headers are broken or not all there.

    Examples
    --------
    >>> import struct, tempfile
    >>> path = Path(tempfile.mkdtemp()) / "model.bin"
    >>> head = struct.pack("<IH5sII", 6, 5, b"Spec\0", 1, 1)
    >>> _ = path.write_bytes(head + struct.pack("<H2sBIIBIBBI", 2, b"w\0", 2, 1, 2, 1, 2, 3, 4, 0))
    >>> print(list_ctranslate2(path).tensors["w"])
    w (1 x 2, int8)
    """
    cursor = Cursor(path)
    partial = re.search(r"\.part\d+$", path.name) is not None
    tensors: dict[str, StoredTensor] = {}
    complete, kind = True, ""
    try:
        version = cursor.number("I")
        if version not in _VERSIONS:
            raise ValueError(
                f"{path} is not a CTranslate2 model of binary version 4 to 6"
                + (", or not the first part of one" if partial else "")
            )
        kind = _read_text(cursor)
        _revision, count = cursor.numbers("II")
        for _ in range(count):
            tensor = _read_variable(cursor)
            if tensor.name in tensors:
                raise ValueError(f"{path} has a broken header: {show(tensor.name)} is there twice")
            tensors[tensor.name] = tensor
            cursor.skip(tensor.size - cursor.at)
        for _ in range(cursor.number("I")):
            alias, name = _read_text(cursor), _read_text(cursor)
            if name in tensors:
                tensors.setdefault(alias, tensors[name])
    except TruncatedError:
        if not partial:
            raise
        complete = False
    return TensorFile(
        "ctranslate2",
        {alias: _add_scale(cursor, one, tensors) for alias, one in tensors.items()},
        kind,
        complete,
    )


def _read_text(cursor: Cursor) -> str:
    text = cursor.text("H")
    if not text.endswith("\0"):
        raise ValueError(f"{cursor.path} is not a CTranslate2 model: its header is broken")
    return text[:-1]


def _read_variable(cursor: Cursor) -> StoredTensor:
    name, rank = _read_text(cursor), cursor.number("B")
    shape = cursor.numbers(f"{rank}I")
    kind, size = cursor.numbers("BI")
    if kind >= len(_TYPES) or size != math.prod(shape) * _TYPES[kind][1]:
        raise ValueError(f"{cursor.path} has a broken header: {show(name)} does not fill its place")
    dtype, _, entry = _TYPES[kind]
    tensor = map_floats(cursor.path, name, shape, dtype, cursor.at, entry)
    return replace(tensor, size=cursor.at + size)


def _add_scale(
    cursor: Cursor, tensor: StoredTensor, tensors: dict[str, StoredTensor]
) -> StoredTensor:
    """Make an integer matrix readable if its scale is there."""
    scale = tensors.get(f"{tensor.name}_scale")
    if tensor.dtype not in _SCALED or len(tensor.shape) != 2 or scale is None:
        return tensor
    one_for_all = math.prod(scale.shape) == 1
    if scale.dtype != "float32" or not (one_for_all or scale.shape == tensor.shape[:1]):
        return tensor
    if scale.size > cursor.size:
        return tensor
    entry = np.dtype(_SCALED[tensor.dtype])
    offset = tensor.size - math.prod(tensor.shape) * entry.itemsize
    factors = cursor.array("<f4", scale.size - 4 * math.prod(scale.shape), math.prod(scale.shape))

    def decode(stored: NDArray[Any], rows: Any) -> NDArray[Any]:
        scales: NDArray[Any] = factors if one_for_all else factors[rows, None]
        decoded: NDArray[Any] = stored.astype(np.float32) / scales
        return decoded

    def read() -> MappedRows:
        shape = (tensor.shape[0], tensor.shape[1])
        return MappedRows(tensor.path, offset, shape, entry, decode=decode)

    return replace(tensor, reader=read)
