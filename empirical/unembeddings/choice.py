"""Which tensor of a checkpoint is the unembedding, and whether that is certain.

``choose_tensor`` takes the tensor that its name says is the unembedding. It lists the candidates
and asks instead where another matrix may be it as well: one of the embedding's shape, one of many
heads, a copy that an adapter trained, or one with as many rows as the configuration has tokens.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from empirical.unembeddings.checkpoints import Checkpoint, shorten
from empirical.unembeddings.names import (
    Matches,
    is_in_layer,
    is_of_encoder,
    is_quantised,
    match_names,
)
from numerics.tensors.stored import StoredTensor

# Rows that are compared at once.
_BLOCK = 1024
# Rows beyond the vocabulary that padding may add: this many, or this share.
_PADDING, _PADDING_SHARE = 1024, 0.05


def choose_tensor(checkpoint: Checkpoint, transpose: bool = False) -> tuple[StoredTensor, bool]:
    """Return the unembedding, and whether it is the input embedding too; never guess.

    With ``transpose`` its columns are the tokens.

    Raises
    ------
    ValueError
        If another tensor may be the unembedding too (lists the candidates), if there is none, or if
        it is stored in a form that cannot be read.
    """
    names = match_names(checkpoint.names)
    ties = look_up(checkpoint.config, ("tie_word_embeddings",))
    tie = bool(ties.pop()) if len(ties) == 1 else None
    if checkpoint.kind == "WhisperSpec":
        tie = True  # by construction: logits are x Eᵀ in the model of openai/whisper
    _refuse_unreadable(checkpoint, names)
    heads = _find_heads(checkpoint, names)
    if len(heads) > 1:
        raise ValueError(f"{checkpoint.where} has several unembeddings: {_ask(heads)}")
    if heads:
        found, tied = heads[0], _is_tied(checkpoint, heads[0], names, tie)
    else:
        embeddings = _drop_equal([checkpoint.find(name) for name in names.embeddings])
        if not embeddings and not names.numbered:
            return _take_only_matrix(checkpoint), False
        found, tied = _take_embedding(checkpoint, names, embeddings, tie), True
    _refuse_quantised(checkpoint, found)
    _check_rivals(checkpoint, found, names)
    _check_rows(checkpoint, found, transpose)
    return found, tied


def _take_embedding(
    checkpoint: Checkpoint, names: Matches, embeddings: list[StoredTensor], tie: bool | None
) -> StoredTensor:
    """Return the input embedding of a model without a head, if nothing speaks against it."""
    where = checkpoint.where
    if names.numbered:
        heads = [checkpoint.find(name) for name in names.numbered]
        raise ValueError(f"{where} has {len(heads)} heads: {_ask([*heads, *embeddings])}")
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
            f"files{checkpoint.say_missing()}, or {_ask(embeddings)}"
        )
    return embeddings[0]


def _refuse_unreadable(checkpoint: Checkpoint, names: Matches) -> None:
    """Raise where the head is quantised, or changed by an adapter."""
    if names.packed and checkpoint.format != "ctranslate2":
        raise ValueError(
            f"{checkpoint.where}: the unembedding is quantised "
            f"({checkpoint.describe(list(names.packed))}): give a checkpoint that is not"
        )
    if names.lora:
        candidates = [checkpoint.find(x) for x in (*names.heads, *names.embeddings)]
        raise ValueError(
            f"{checkpoint.where}: an adapter changes the unembedding "
            f"({checkpoint.describe(list(names.lora))}): merge it into the model"
            + (f", or, to measure what it started from, {_ask(candidates)}" if candidates else "")
        )


def _refuse_quantised(checkpoint: Checkpoint, found: StoredTensor) -> None:
    beside = is_quantised(found.name, checkpoint.names)
    if beside and checkpoint.format != "ctranslate2":
        raise ValueError(
            f"{checkpoint.where}: {found} is quantised (beside it: {shorten(beside)}): give a "
            "checkpoint that is not"
        )


def _check_rivals(checkpoint: Checkpoint, found: StoredTensor, names: Matches) -> None:
    """Raise if another matrix, of no name that is known, has the shape of the one found."""
    known = {*names.heads, *names.embeddings, found.name}
    rivals = []
    for name in checkpoint.names:
        if name in known or is_in_layer(name) or is_of_encoder(name):
            continue
        one = checkpoint.peek(name)
        shapes = (found.shape, found.shape[::-1])
        if one is not None and one.shape in shapes and not _are_equal(one, found):
            rivals.append(one)
    if rivals:
        raise ValueError(
            f"{checkpoint.where} has other matrices of the shape of {found.name}: "
            f"{_ask([found, *rivals])}"
        )


def _check_rows(checkpoint: Checkpoint, found: StoredTensor, transpose: bool) -> None:
    """Raise if the rows are not as many as the configuration has tokens, padding allowed for."""
    tokens = look_up(checkpoint.config, ("vocab_size",))
    if not tokens or not found.is_matrix:
        return
    rows, columns = found.shape[::-1] if transpose else found.shape
    if any(_are_tokens(rows, n) for n in tokens):
        return
    turned = any(_are_tokens(columns, n) for n in tokens)
    hint = f"{'leave out' if transpose else 'give'} transpose=True (--transpose), or " * turned
    seen = [one for name in checkpoint.names if (one := checkpoint.peek(name)) is not None]
    fitting = [
        one
        for one in seen
        if one.is_matrix
        and one.name != found.name
        and any(_are_tokens(rows, n) for n in tokens for rows in one.shape)
    ]
    said = " or ".join(map(str, sorted(tokens)))
    raise ValueError(
        f"{checkpoint.where}: {found} has {rows} {'columns' if transpose else 'rows'}, but "
        f"config.json says vocab_size = {said}: {hint}{_ask([*fitting, found])}"
    )


def _are_tokens(rows: int, tokens: int) -> bool:
    return tokens <= rows <= tokens + max(_PADDING, _PADDING_SHARE * tokens)


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


def serves_both(checkpoint: Checkpoint, found: StoredTensor, tensor: str) -> bool:
    """Whether a tensor that was named is input embedding and unembedding, as far as names tell."""
    names = match_names(checkpoint.names)
    heads = (*names.heads, *names.common_heads, *names.packed)
    others = heads if tensor in names.embeddings else names.embeddings if tensor in heads else None
    if others is None:
        return False
    if not heads:
        ties = look_up(checkpoint.config, ("tie_word_embeddings",))
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
        + checkpoint.say_missing()
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


def check_orientation(
    where: str,
    shape: tuple[int, ...],
    said: str,
    name: str,
    config: dict[str, Any],
    transpose: bool,
) -> None:
    """Refuse a matrix, after a transposition if there is one, that has tokens as columns."""
    n, m = shape
    widths = look_up(config, ("hidden_size", "d_model", "n_embd", "word_embed_proj_dim"))
    tokens = look_up(config, ("vocab_size",))
    turned = n in widths and m in tokens
    if (turned or (n < m and m not in widths)) and transpose:
        raise ValueError(
            f"{where}: {said} has {m} rows and {n} columns: it seems to be stored as vocabulary x "
            "hidden: leave out transpose=True (--transpose)"
        )
    if turned or (n < m and m not in widths):
        raise ValueError(
            f"{where}: {said} has {n} rows and {m} columns: it seems to be stored as hidden x "
            "vocabulary; if its columns are the tokens, give transpose=True (--transpose); if its "
            f"rows are, say so with tensor={name!r} (--tensor)"
        )


def look_up(config: dict[str, Any], keys: tuple[str, ...]) -> set[Any]:
    """Return what a configuration says under these keys, that of a text model inside included."""
    inner = (config.get(x) for x in ("text_config", "llm_config", "language_config", "decoder"))
    places = [config, *(x for x in inner if isinstance(x, dict))]
    values = (place.get(key) for place in places for key in keys)
    return {value for value in values if isinstance(value, (bool, int))}


def _ask(tensors: list[StoredTensor]) -> str:
    """List candidates, and say how to choose one."""
    return f"name one with tensor= (--tensor): {shorten(map(str, tensors))}"
