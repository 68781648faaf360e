"""The unembedding matrix of a language model, wherever it is: a file, a folder, the hub.

``open_unembedding(source)`` opens it; its ``matrix`` goes to ``overlaps``, ``mean_square_overlap``
and the like. ``empirical.unembeddings.choice`` finds the tensor by the name that the architecture
gives it; where that leaves a doubt, it lists the candidates.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from empirical.unembeddings.checkpoints import open_checkpoint
from empirical.unembeddings.choice import check_orientation, choose_tensor, serves_both
from numerics.tensors.row_matrix import RowMatrix
from numerics.tensors.stored import StoredTensor
from theory.computing.argument_kinds import check_kinds
from theory.results import result


@dataclass(frozen=True, eq=False)
@result
class Unembedding:
    """The unembedding matrix of a model; rows are read from its file as they are needed.

    Attributes
    ----------
    name : str
        Short name of the source, for tables.
    path : str
        File that holds the tensor.
    tensor : str
        Its name there; "" for .npy.
    matrix : RowMatrix
        n x m, one row for each token.
    tied : bool
        Whether the input embedding serves as unembedding.
    format : str
        "safetensors", "pytorch", "gguf", "ctranslate2", "npy" or "npz".
    transposed : bool
        Whether it is the transpose of what is stored.
    """

    name: str
    path: str
    tensor: str
    matrix: RowMatrix
    tied: bool
    format: str
    transposed: bool = False

    def __str__(self) -> str:
        tensor = f"{self.tensor}, " if self.tensor else ""
        marks = ", tied" * self.tied + ", transposed" * self.transposed
        return f"{self.name}: {self.matrix.n} x {self.matrix.m} ({tensor}{self.format}{marks})"

    def __repr__(self) -> str:
        return str(self)


@check_kinds
def open_unembedding(
    source: str | Path, tensor: str | None = None, *, transpose: bool = False
) -> Unembedding:
    """Open the unembedding of a language model.

    Parameters
    ----------
    source : str or Path
        A .safetensors file, a PyTorch checkpoint (.bin, .pt, .pth; weights only, no code of a
        pickle is run), a GGUF file, a CTranslate2 model.bin (or its first part), a .npy or .npz
        file; a folder with one of these, or with shards and their index; or "hf://owner/name",
        optionally with "@revision" and "/file".
    tensor : str, optional
        Name of the tensor, taken as it is, rows as tokens; "" for a .npy file. By default the
        tensor that the architecture calls so: an output matrix such as lm_head.weight, or else the
        input embedding of a model that ties the two.
    transpose : bool
        Whether the tokens are the columns of the stored matrix, as those of W_U of TransformerLens.

    Returns
    -------
    Unembedding
        Its ``matrix`` is memory-mapped and decoded block by block. NaN and infinite entries are
        found by what reads the rows (``overlaps``, ``mean_square_overlap``).

    Raises
    ------
    ValueError
        If there is no such source or tensor; if the file is broken, truncated or holds more than
        weights; if the tensor is no matrix of floats; if more than one tensor may be the
        unembedding, or none (the message lists them); if it seems stored with tokens as columns.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from safetensors.numpy import save_file
    >>> path = Path(tempfile.mkdtemp()) / "tiny.safetensors"
    >>> W = np.ones((5, 2), np.float16)
    >>> save_file({"transformer.wte.weight": W, "transformer.wpe.weight": W[:3]}, path)
    >>> print(open_unembedding(path))
    tiny: 5 x 2 (transformer.wte.weight, safetensors, tied)
    """
    text = os.fspath(source)
    if not isinstance(text, str):
        raise TypeError(f"source = {source!r} is not a path: give a str or a Path")
    if not text:
        raise ValueError("source is empty: give a file, a folder or hf://owner/name")
    if text.startswith("hf:/") and not text.startswith("hf://"):
        text = text.replace("hf:/", "hf://", 1)  # as a Path has it
    try:
        checkpoint = open_checkpoint(text)
        if tensor is None:
            found, tied = choose_tensor(checkpoint, transpose)
            rows = _read(text, found)
            shape = found.shape[::-1] if transpose else found.shape
            check_orientation(
                checkpoint.where, shape, str(found), found.name, checkpoint.config, transpose
            )
        else:
            found = checkpoint.find(tensor)
            rows, tied = _read(text, found), serves_both(checkpoint, found, tensor)
    except OSError as error:
        raise ValueError(f"{text} cannot be read: {error.strerror or error}") from None
    return Unembedding(
        checkpoint.name,
        str(found.path),
        found.name,
        rows.transposed() if transpose else rows,
        tied,
        checkpoint.format,
        transpose,
    )


def _read(path: str, stored: StoredTensor) -> RowMatrix:
    rows = stored.rows()
    if rows.dtype.kind != "f":
        raise ValueError(f"{path} holds integers: it is not a matrix of floats")
    return RowMatrix(rows)
