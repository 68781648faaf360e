"""The tensors of a PyTorch checkpoint, as weights only: no code of a pickle is ever run.

``list_torch(path)`` returns names, shapes and the rows of a tensor. Files of ``torch.save`` (zip,
since PyTorch 1.6) are mapped; nested dictionaries are joined by dots.
"""

from __future__ import annotations

import mmap
import re
import struct
import sys
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from numerics.tensors.stored import MappedRows, StoredTensor, TensorFile, decode_bfloat16

_FLOATS: dict[torch.dtype, np.dtype[Any]] = {
    torch.float64: np.dtype(np.float64),
    torch.float32: np.dtype(np.float32),
    torch.float16: np.dtype(np.float16),
    torch.bfloat16: np.dtype(np.uint16),
}
# A pickle of names and shapes; a million tensors need less.
_LARGEST_PICKLE = 2**28

# Where each storage begins in the file, by its address while torch has it mapped.
Places = dict[int, int]


def list_torch(path: Path) -> TensorFile:
    """List the tensors of a PyTorch checkpoint (.bin, .pt, .pth).

    Parameters
    ----------
    path : Path
        A file that ``torch.save`` wrote: a tensor, or a dictionary that holds tensors at any depth
        (``{"model": {"lm_head.weight": ...}}`` gives "model.lm_head.weight").

    Returns
    -------
    TensorFile
        Names in the order of the file; a bare tensor has the name "".

    Raises
    ------
    ValueError
        If the file is truncated, of the format before PyTorch 1.6, or asks for anything but
        weights: ``torch.load(weights_only=True)`` refuses code before running it.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x.pt"
    >>> torch.save({"lm_head.weight": torch.zeros(3, 2)}, path)
    >>> print(list_torch(path).tensors["lm_head.weight"])
    lm_head.weight (3 x 2, float32)
    """
    entries = _read_archive(path)
    storages: dict[int, int] = {}

    def note(storage: Any, location: str) -> Any:
        if storage.nbytes():
            storages[storage.data_ptr()] = storage.nbytes()
        return storage

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = torch.load(path, map_location=note, weights_only=True, mmap=True)
    except Exception as error:  # whatever a broken or hostile file makes of the reader
        raise ValueError(f"{path} {_explain(str(error))}") from None
    places = _find_places(path, storages, entries)
    tensors: dict[str, StoredTensor] = {}
    for name, tensor in _walk(loaded):
        if name in tensors:
            raise ValueError(f"{path} holds two tensors that would both be called {name}")
        tensors[name] = _describe(path, name, tensor, places)
    return TensorFile("pytorch", tensors)


def _read_archive(path: Path) -> dict[int, int]:
    """Return where the parts of an archive begin, and their sizes; refuse what is not plain.

    torch would read some archives in another way, or unpack them to more than the file holds.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            order = [archive.read(one) for one in parts if one.filename.endswith("/byteorder")]
        with path.open("rb") as file:
            begins = [_find_begin(file, one) for one in parts]
    except Exception:  # zipfile has no common class of errors for broken archives
        raise ValueError(
            f"{path} is truncated, or is not a file of torch.save since PyTorch 1.6 (older files "
            "are whole pickles, which are not opened: load and save it again with a new PyTorch)"
        ) from None
    if any(one.filename.endswith("/constants.pkl") for one in parts):
        raise ValueError(f"{path} is a TorchScript program: save the state_dict of its model")
    size = path.stat().st_size
    for one, begin in zip(parts, begins, strict=True):
        stored = one.compress_type == zipfile.ZIP_STORED and begin + one.file_size <= size
        if not stored or (one.filename.endswith(".pkl") and one.file_size > _LARGEST_PICKLE):
            raise ValueError(f"{path} is not a file of torch.save: {one.filename!r} is packed")
    if order and order[0].decode(errors="replace") != sys.byteorder:
        raise ValueError(f"{path} was saved on a machine of the other byte order")
    return {begin: one.file_size for one, begin in zip(parts, begins, strict=True)}


def _find_begin(file: Any, part: zipfile.ZipInfo) -> int:
    """Return where the data of a part begin, behind its own header."""
    file.seek(part.header_offset + 26)
    name, extra = struct.unpack("<HH", file.read(4))
    return int(part.header_offset + 30 + name + extra)


def _find_places(path: Path, storages: dict[int, int], entries: dict[int, int]) -> Places:
    """Find where storages lie in the file, from where torch mapped them.

    torch maps the whole file at once, so that one distance leads from every address to the place
    of a part of the same size. Reading from the file rather than through torch's map keeps its
    pages from staying with the process.
    """
    if not storages:
        return {}
    first, length = next(iter(storages.items()))
    found = []
    for begin, size in entries.items():
        base = first - begin
        fits = size == length and base % mmap.PAGESIZE == 0
        if fits and all(entries.get(at - base) == storages[at] for at in storages):
            found.append({at: at - base for at in storages})
    if len(found) != 1:
        raise ValueError(f"{path} is not a file of torch.save: its parts do not fit its tensors")
    return found[0]


def _explain(message: str) -> str:
    """Say in one line what torch found wrong."""
    asked = re.search(r"GLOBAL (\S+)|class ?:? ?(\S+)", message)
    if "WeightsUnpickler error" in message or "Weights only load failed" in message:
        what = f" ({asked[1] or asked[2]})" if asked else ""
        return f"was refused: it holds more than weights{what}, and no code of a file is run"
    first = message.strip().splitlines()[0] if message.strip() else "no reason given"
    return f"cannot be read as a PyTorch checkpoint: {first[:200]}"


def _walk(loaded: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Go through every tensor in nested mappings and sequences."""
    waiting: list[tuple[str, Any]] = [("", loaded)]
    seen: set[int] = set()  # a pickle may hold itself
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, torch.Tensor):
            yield name, value
        elif isinstance(value, (Mapping, list, tuple)) and id(value) not in seen:
            seen.add(id(value))
            items = value.items() if isinstance(value, Mapping) else enumerate(value)
            below = [(f"{name}.{key}" if name else str(key), x) for key, x in items]
            waiting += reversed(below)


def _describe(path: Path, name: str, tensor: torch.Tensor, places: Places) -> StoredTensor:
    shape, dtype = tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")
    entry = _FLOATS.get(tensor.dtype)
    plain = tensor.layout == torch.strided and tensor.device.type == "cpu"
    begin = places.get(tensor.untyped_storage().data_ptr()) if plain else None
    if entry is None or begin is None or tensor.ndim != 2:
        return StoredTensor(path, name, shape, dtype, id(tensor), 0, None)
    offset = begin + int(tensor.storage_offset()) * entry.itemsize
    down, right = (step * entry.itemsize for step in tensor.stride())
    decode = decode_bfloat16 if tensor.dtype == torch.bfloat16 else None

    def read() -> MappedRows:
        size = (shape[0], shape[1])
        return MappedRows(path, offset, size, entry, strides=(down, right), decode=decode)

    end = offset + (shape[0] - 1) * down + (shape[1] - 1) * right + entry.itemsize
    return StoredTensor(path, name, shape, dtype, (offset, shape, down, right, dtype), end, read)
