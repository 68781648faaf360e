"""The unembedding matrix of a language model, wherever it is: a file, a folder, the hub.

Use ``open_unembedding(source)``; its ``matrix`` goes to ``overlaps``, ``mean_square_overlap`` and
the like. It is found by the name that the architecture gives it, or named; never guessed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from empirical.unembeddings.checkpoints import Checkpoint, name_source, open_checkpoint, shorten
from empirical.unembeddings.names import Matches, match_names
from numerics.tensors.row_matrix import RowMatrix, open_matrix
from numerics.tensors.stored import StoredTensor

# Rows that are compared at once.
_BLOCK = 1024


@dataclass(frozen=True, eq=False)
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
        "safetensors", "pytorch", "gguf", "ctranslate2" or "npy".
    """

    name: str
    path: str
    tensor: str
    matrix: RowMatrix
    tied: bool
    format: str

    def __str__(self) -> str:
        tensor = f"{self.tensor}, " if self.tensor else ""
        tied = ", tied" if self.tied else ""
        return f"{self.name}: {self.matrix.n} x {self.matrix.m} ({tensor}{self.format}{tied})"


def open_unembedding(source: str | Path, tensor: str | None = None) -> Unembedding:
    """Open the unembedding of a language model.

    Parameters
    ----------
    source : str or Path
        A .safetensors file, a PyTorch checkpoint (.bin, .pt, .pth; weights only, no code of a
        pickle is run), a GGUF file, a CTranslate2 model.bin (or its first part), a .npy file; a
        folder with one of these, or with shards and their index; or "hf://owner/name", optionally
        with "@revision" and "/file".
    tensor : str, optional
        Name of the tensor, taken as it is, rows as tokens; "" for a .npy file. By default the
        tensor that the architecture calls so: an output matrix such as lm_head.weight, or else the
        input embedding of a model that ties the two.

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
        if text.lower().endswith(".npy") and not text.startswith("hf://"):
            return _open_npy(Path(text), tensor)
        checkpoint = open_checkpoint(text)
        if tensor is None:
            found, tied = _choose(checkpoint)
            rows = RowMatrix(found.rows())
            _check_orientation(
                checkpoint.where, found.shape, str(found), found.name, checkpoint.config
            )
        else:
            found = checkpoint.find(tensor)
            rows, tied = RowMatrix(found.rows()), _serves_both(checkpoint, found, tensor)
    except OSError as error:
        raise ValueError(f"{text} cannot be read: {error.strerror or error}") from None
    return Unembedding(checkpoint.name, str(found.path), found.name, rows, tied, checkpoint.format)


def _open_npy(path: Path, tensor: str | None) -> Unembedding:
    matrix = open_matrix(path, tensor or None)
    if np.load(path, mmap_mode="r").dtype.kind != "f":
        raise ValueError(f"{path} holds integers: it is not a matrix of floats")
    if tensor is None:
        _check_orientation(str(path), (matrix.n, matrix.m), "the array", "", {})
    return Unembedding(name_source(path), str(path), "", matrix, False, "npy")


def _choose(checkpoint: Checkpoint) -> tuple[StoredTensor, bool]:
    """Return the unembedding, and whether it is the input embedding too; never guess."""
    names = match_names(checkpoint.names)
    ties = _look_up(checkpoint.config, ("tie_word_embeddings",))
    tie = bool(ties.pop()) if len(ties) == 1 else None
    if checkpoint.kind == "WhisperSpec":
        tie = True  # by construction: logits are x Eᵀ in the model of openai/whisper
    where = checkpoint.where
    if names.packed:
        raise ValueError(
            f"{where}: the unembedding is packed into integers "
            f"({checkpoint.describe(list(names.packed))}): give a checkpoint that is not quantised"
        )
    heads = _find_heads(checkpoint, names)
    if len(heads) > 1:
        raise ValueError(f"{where} has several unembeddings: {_ask(heads)}")
    if heads:
        return heads[0], _is_tied(checkpoint, heads[0], names, tie)
    embeddings = _drop_equal([checkpoint.find(name) for name in names.embeddings])
    if not embeddings:
        return _take_only_matrix(checkpoint), False
    if len(embeddings) > 1:
        raise ValueError(f"{where} has several embeddings and no head: {_ask(embeddings)}")
    if tie is False:
        raise ValueError(
            f"{where} lacks the unembedding: config.json says that it is not the input embedding; "
            f"to measure that, {_ask(embeddings)}"
        )
    if tie is None and not checkpoint.complete:
        raise ValueError(
            f"{where} is a part of a model, and the unembedding may be in another: give all "
            f"files, or {_ask(embeddings)}"
        )
    return embeddings[0], True


def _find_heads(checkpoint: Checkpoint, names: Matches) -> list[StoredTensor]:
    heads = [checkpoint.find(name) for name in names.heads]
    for name in names.common_heads if names.embeddings else ():
        head = checkpoint.find(name)
        widths = {x.shape[-1:] for y in names.embeddings if (x := checkpoint.peek(y)) is not None}
        if head.shape[-1:] in widths or not widths:
            heads.append(head)
    return _drop_equal(heads)


def _is_tied(checkpoint: Checkpoint, head: StoredTensor, names: Matches, tie: bool | None) -> bool:
    """Whether the embedding holds the same numbers as the head, where both are at hand."""
    if tie is False:
        return False
    look = checkpoint.find if tie else checkpoint.peek
    found = [one for name in names.embeddings if (one := look(name)) is not None]
    embeddings = [one for one in found if one.shape == head.shape]
    same = any(_are_equal(head, one) for one in embeddings)
    if tie and embeddings and not same:
        raise ValueError(
            f"{checkpoint.where} has a head and an embedding that differ, although config.json "
            f"says they are one: {_ask([head, *embeddings])}"
        )
    return same or bool(tie)


def _serves_both(checkpoint: Checkpoint, found: StoredTensor, tensor: str) -> bool:
    """Whether a tensor that was named is input embedding and unembedding, as far as names tell."""
    names = match_names(checkpoint.names)
    heads = (*names.heads, *names.common_heads, *names.packed)
    others = heads if tensor in names.embeddings else names.embeddings if tensor in heads else None
    if others is None:
        return False
    if not heads:
        ties = _look_up(checkpoint.config, ("tie_word_embeddings",))
        return False not in ties
    beside = checkpoint.beside(found)
    return any(name in beside and beside[name].place == found.place for name in others)


def _take_only_matrix(checkpoint: Checkpoint) -> StoredTensor:
    """Return the only matrix of a checkpoint, if it has but one."""
    names = checkpoint.names
    seen = [x for name in names if (x := checkpoint.peek(name)) is not None]
    found = [one for one in seen if one.is_matrix]
    if len(found) == 1 and len(seen) == len(names) and checkpoint.complete:
        return found[0]
    by_rows = sorted(found, key=lambda one: -one.shape[0])
    raise ValueError(
        f"{checkpoint.where} has no tensor that is known as an unembedding: "
        + (_ask(by_rows) if by_rows else f"it has {checkpoint.describe(names)}")
    )


def _drop_equal(tensors: Iterable[StoredTensor]) -> list[StoredTensor]:
    """Keep one of those that hold the same numbers."""
    kept: list[StoredTensor] = []
    for one in tensors:
        if not any(_are_equal(one, other) for other in kept):
            kept.append(one)
    return kept


def _are_equal(one: StoredTensor, other: StoredTensor) -> bool:
    if one.path == other.path and one.place == other.place:
        return True
    if one.shape != other.shape or not (one.is_matrix and other.is_matrix):
        return False
    a, b = one.rows(), other.rows()
    return all(
        np.array_equal(a[start : start + _BLOCK], b[start : start + _BLOCK], equal_nan=True)
        for start in range(0, one.shape[0], _BLOCK)
    )


def _check_orientation(
    where: str,
    shape: tuple[int, ...],
    said: str,
    name: str,
    config: dict[str, Any],
) -> None:
    """Refuse a matrix that seems to have tokens as columns."""
    n, m = shape
    widths = _look_up(config, ("hidden_size", "d_model", "n_embd", "word_embed_proj_dim"))
    tokens = _look_up(config, ("vocab_size",))
    turned = n in widths and m in tokens
    if turned or (n < m and m not in widths):
        raise ValueError(
            f"{where}: {said} has {n} rows and {m} columns: it seems to be stored as hidden x "
            f"vocabulary; if its rows are the tokens, say so with tensor={name!r} (--tensor)"
        )


def _look_up(config: dict[str, Any], keys: tuple[str, ...]) -> set[Any]:
    """Return what a configuration says under these keys, that of a text model inside included."""
    inner = (config.get(x) for x in ("text_config", "llm_config", "language_config", "decoder"))
    places = [config, *(x for x in inner if isinstance(x, dict))]
    values = (place.get(key) for place in places for key in keys)
    return {value for value in values if isinstance(value, (bool, int))}


def _ask(tensors: list[StoredTensor]) -> str:
    """List candidates, and say how to choose one."""
    return f"name one with tensor= (--tensor): {shorten(map(str, tensors))}"
