"""The tensors of a .safetensors file, by its header alone.

``list_safetensors(path)`` returns names, shapes and the rows of a tensor. The format is that of
https://github.com/huggingface/safetensors: the length of the header, the header in JSON, the data.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any, TypeGuard

from numerics.tensors.stored import StoredTensor, TensorFile, map_floats, show

_FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "bf16"}
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
# The format's own limit on the header.
_LONGEST = 100_000_000


def list_safetensors(path: Path) -> TensorFile:
    """List the tensors of a .safetensors file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    TensorFile
        Names in the order of the file. Nothing but the header is read.

    Raises
    ------
    ValueError
        If it is not a safetensors file, or its header is broken or not all there.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from safetensors.numpy import save_file
    >>> path = Path(tempfile.mkdtemp()) / "x.safetensors"
    >>> save_file({"W": np.zeros((3, 2), np.float16)}, path)
    >>> print(list_safetensors(path).tensors["W"])
    W (3 x 2, F16)
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        (length,) = struct.unpack("<Q", start.ljust(8, b"\xff"))
        if length > min(size - 8, _LONGEST):
            raise ValueError(f"{path} is truncated, or is not a safetensors file")
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError):
            raise ValueError(f"{path} is not a safetensors file: its header is broken") from None
    if isinstance(header, dict):
        header.pop("__metadata__", None)  # some writers leave null there
    if not isinstance(header, dict) or not all(isinstance(x, dict) for x in header.values()):
        raise ValueError(f"{path} is not a safetensors file: its header is no table of tensors")
    begin = 8 + length
    return TensorFile(
        "safetensors", {name: _read_entry(path, name, x, begin) for name, x in header.items()}
    )


def _read_entry(path: Path, name: str, entry: dict[str, Any], begin: int) -> StoredTensor:
    shape, offsets, dtype = entry.get("shape"), entry.get("data_offsets"), entry.get("dtype")
    if not _is_counts(shape) or not _is_counts(offsets) or not isinstance(dtype, str):
        raise ValueError(f"{path} is not a safetensors file: its entry {show(name)} is broken")
    if len(offsets) != 2:
        raise ValueError(f"{path} is not a safetensors file: its entry {show(name)} is broken")
    floats = _FLOATS.get(dtype)
    if floats is not None and offsets[1] - offsets[0] != math.prod(shape) * _BYTES[dtype]:
        raise ValueError(f"{path} has a broken header: {show(name)} does not fill its place")
    return map_floats(path, name, tuple(shape), dtype, begin + offsets[0], floats)


def _is_counts(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(x) is int and x >= 0 for x in value)
