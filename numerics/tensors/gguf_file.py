"""The tensors of a GGUF file (llama.cpp), by its header alone; quantised rows are decoded by block.

``list_gguf(path)`` returns names, shapes and the rows of a tensor. The format is that of
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3. Plain floats need
nothing else; quantised rows are decoded by the ``gguf`` package (``superscale[gguf]``).
"""

from __future__ import annotations

import math
import struct
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.tensors.stored import Cursor, MappedRows, StoredTensor, TensorFile, map_floats, show

_FLOATS = {0: ("F32", "<f4"), 1: ("F16", "<f2"), 28: ("F64", "<f8"), 30: ("BF16", "bf16")}
_INTEGERS = {24: "I8", 25: "I16", 26: "I32", 27: "I64"}
# struct formats of the metadata's numbers: uint8, int8, ..., bool; strings and arrays apart.
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q"}
_NUMBERS[12] = "d"
_TEXT, _ARRAY = 8, 9
# Far beyond any file in use: a broken length must not be walked through.
_MOST_STRINGS, _LONGEST_TEXT, _DIMENSIONS = 2**24, 2**16, 4


def list_gguf(path: Path) -> TensorFile:
    r"""List the tensors of a GGUF file.

    Parameters
    ----------
    path : Path
        The file, little-endian.

    Returns
    -------
    TensorFile
        Shapes with rows first (GGUF itself says them last); ``kind`` is general.architecture.

    Raises
    ------
    ValueError
        If it is not a GGUF file of version 2 or 3, or its header is broken or not all there.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x.gguf"
    >>> head = struct.pack("<4sIQQQ1sIQQIQ", b"GGUF", 3, 1, 0, 1, b"W", 2, 2, 1, 0, 0)
    >>> _ = path.write_bytes(head.ljust(96, b"\0") + struct.pack("<ff", 1, 2))
    >>> print(list_gguf(path).tensors["W"])
    W (1 x 2, F32)
    """
    cursor = Cursor(path)
    magic, version = cursor.numbers("4sI")
    if magic != b"GGUF":
        raise ValueError(f"{path} is not a GGUF file")
    if version not in (2, 3):
        what = "big-endian GGUF" if version & 0xFFFF == 0 else f"GGUF version {version}"
        raise ValueError(f"{path} is {what}: versions 2 and 3 are read, little-endian")
    tensor_count, value_count = cursor.numbers("QQ")
    values: dict[str, Any] = {}
    for _ in range(value_count):
        key = _read_name(cursor, values)
        values[key] = _read_value(cursor, cursor.number("I"))
    announced: dict[str, tuple[tuple[int, ...], int, int]] = {}
    for _ in range(tensor_count):
        name = _read_name(cursor, announced)
        dimensions = cursor.number("I")
        if not 1 <= dimensions <= _DIMENSIONS:
            raise ValueError(f"{path} has a broken header: {show(name)} has {dimensions} axes")
        shape = cursor.numbers(f"{dimensions}Q")[::-1]
        announced[name] = (shape, cursor.number("I"), cursor.number("Q"))
    alignment = values.get("general.alignment", 32)
    if type(alignment) is not int or not 1 <= alignment <= 2**20:
        raise ValueError(f"{path} has a broken header: general.alignment = {alignment}")
    data = -(-cursor.at // alignment) * alignment
    kind = values.get("general.architecture")
    parts = values.get("split.count", 1)
    return TensorFile(
        "gguf",
        {
            name: _describe(path, name, shape, dtype, data + offset)
            for name, (shape, dtype, offset) in announced.items()
        },
        kind if isinstance(kind, str) else "",
        complete=parts in (0, 1),
    )


def _read_name(cursor: Cursor, seen: dict[str, Any]) -> str:
    name = cursor.text("Q")
    if not name or name in seen:
        raise ValueError(f"{cursor.path} has a broken header: a name is empty or there twice")
    return name


def _read_value(cursor: Cursor, kind: int) -> Any:
    """Read a number or a text of the metadata; go past an array, and return None."""
    if kind in _NUMBERS:
        return cursor.numbers(_NUMBERS[kind])[0]
    if kind == _TEXT:
        start = cursor.at
        length = cursor.number("Q")
        if length <= _LONGEST_TEXT:
            cursor.at = start
            return cursor.text("Q")
        cursor.skip(length)
        return None
    if kind != _ARRAY:
        raise ValueError(f"{cursor.path} has a broken header: a value of type {kind}")
    inner, count = cursor.numbers("IQ")
    if inner in _NUMBERS:
        cursor.skip(count * struct.calcsize("<" + _NUMBERS[inner]))
    elif inner == _TEXT and count <= _MOST_STRINGS:
        for _ in range(count):
            cursor.skip(cursor.number("Q"))
    else:
        raise ValueError(f"{cursor.path} has a broken header: {count} values of type {inner}")
    return None


def _describe(
    path: Path, name: str, shape: tuple[int, ...], kind: int, offset: int
) -> StoredTensor:
    if kind in _FLOATS:
        dtype, entry = _FLOATS[kind]
        return map_floats(path, name, shape, dtype, offset, entry)
    if kind in _INTEGERS:
        return map_floats(path, name, shape, _INTEGERS[kind], offset, None)
    place = (offset, shape, kind)
    try:
        found = _find_quantisation(kind)
    except ImportError:

        def refuse() -> Any:
            raise ValueError(
                f"{path}: {show(name)} is quantised (type {kind}), and the package gguf decodes "
                "it: pip install 'superscale[gguf]'"
            )

        return StoredTensor(path, name, shape, f"type {kind}", place, 0, refuse)
    if found is None:
        return StoredTensor(path, name, shape, f"type {kind}", place, 0, None)
    quantised, block, size = found
    if shape[-1] % block:
        raise ValueError(
            f"{path} has a broken header: {show(name)} has {shape[-1]} columns, "
            f"not a multiple of the {block} of {quantised.name}"
        )
    width = shape[-1] // block * size

    def decode(stored: NDArray[Any], rows: Any) -> NDArray[Any]:
        from gguf.quants import dequantize

        return dequantize(np.ascontiguousarray(stored), quantised)

    def read() -> MappedRows:
        byte = np.dtype(np.uint8)
        return MappedRows(path, offset, (shape[0], width), byte, decode=decode, m=shape[1])

    end = offset + math.prod(shape[:-1]) * width
    return StoredTensor(path, name, shape, quantised.name, place, end, read)


@cache
def _find_quantisation(kind: int) -> tuple[Any, int, int] | None:
    """Return the type, its entries and its bytes in a block; None if gguf cannot decode it."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
    from gguf.quants import dequantize

    try:
        quantised = GGMLQuantizationType(kind)
        block, size = GGML_QUANT_SIZES[quantised]
        dequantize(np.zeros((1, size), np.uint8), quantised)
    except (ValueError, KeyError, NotImplementedError):
        return None
    return quantised, block, size
