"""The formats of checkpoints: those of ``numerics.tensors.formats``, and PyTorch's.

A format that needs nothing but numpy belongs in the table of ``numerics.tensors.formats``; here is
what needs torch.
"""

from __future__ import annotations

from pathlib import Path

from numerics.tensors import formats
from numerics.tensors.formats import TensorFormat
from numerics.tensors.stored import TensorFile


def _list_torch(path: Path) -> TensorFile:
    from empirical.unembeddings.torch_file import list_torch  # torch takes a second to import

    return list_torch(path)


# A zip archive since PyTorch 1.6; the pickles of before are recognised and refused.
PYTORCH = TensorFormat(
    "pytorch", "PyTorch", (".pt", ".pth", ".ckpt", ".bin"), (b"PK", b"\x80"), _list_torch
)


def checkpoint_formats() -> tuple[TensorFormat, ...]:
    """Return every format that a checkpoint may have.

    Examples
    --------
    >>> [one.name for one in checkpoint_formats()]
    ['npy', 'npz', 'safetensors', 'gguf', 'ctranslate2', 'pytorch']
    """
    return (*formats.FORMATS, PYTORCH)
