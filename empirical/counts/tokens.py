"""How often each token of a tokenizer occurs in text, over its whole vocabulary.

``count_tokens(Path("text.txt"), "tokenizer.json")`` returns ``TokenCounts``, which ``compare_zipf``
takes; ``Frequencies.from_counts`` takes its ``counts``. This needs the package tokenizers:
``pip install "superscale[tokenizers]"``.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from empirical.counts.token_counts import TokenCounts
from empirical.progress import Report, report
from numerics.tensors.stored import refuse_pointer
from theory.checks import read_only
from theory.computing.argument_kinds import check_kinds

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Text = str | Path

_PIECE = 2**15  # characters tokenized at once
_BATCH = 2**19  # characters given to the tokenizer in one call
_BLOCKS = 32  # largest number of blocks; a long text fills at least half of them


@check_kinds
def count_tokens(
    texts: Text | Iterable[Text],
    tokenizer: str | Path | Tokenizer,
    *,
    progress: bool | Report = False,
) -> TokenCounts:
    """Count the tokens of text by id, over the whole vocabulary of a tokenizer.

    Special tokens are not added, nothing is truncated or padded, and no merge is dropped at random,
    whatever the tokenizer's file says; special tokens that are written in the text are counted.
    Long texts are read and tokenized in pieces of 2^15 characters, cut at line ends where there are
    any, so that memory does not grow with the text; the cuts change about 1 token in 10 000.

    Parameters
    ----------
    texts : str, Path, or iterable of them
        A ``str`` is text; a ``Path`` is a file of UTF-8 text. Each is tokenized by itself. An
        iterable is read once.
    tokenizer : path or tokenizers.Tokenizer
        A tokenizer.json, as it is published with a model, or a folder that has one.
    progress : bool or callable
        A bar on stderr, or a function of (bytes counted, total bytes). The total is 0 unless all
        texts are files.

    Returns
    -------
    TokenCounts
        Counts, token strings, and the counts of up to 32 blocks of the text.

    Raises
    ------
    ImportError
        Without the package tokenizers.
    ValueError
        For a file that is missing or not UTF-8, a tokenizer that cannot be read, text that has no
        tokens, or a string that is the name of a file (give ``Path(name)``).
    TypeError
        For a text that is neither str nor Path.

    Examples
    --------
    >>> import tokenizers as tk  # doctest: +SKIP
    >>> model = tk.models.WordLevel({"?": 0, "the": 1, "cat": 2}, "?")  # doctest: +SKIP
    >>> words = tk.Tokenizer(model)  # doctest: +SKIP
    >>> words.pre_tokenizer = tk.pre_tokenizers.Whitespace()  # doctest: +SKIP
    >>> count_tokens(["the cat", "the dog"], words).counts  # doctest: +SKIP
    array([1, 2, 1])
    """
    encoder = _open_tokenizer(tokenizer)
    vocabulary = encoder.get_vocab(with_added_tokens=True)
    if not vocabulary:
        raise ValueError("the tokenizer has an empty vocabulary: train it first")
    n = max(vocabulary.values()) + 1
    tokens = [""] * n
    for token, i in vocabulary.items():
        tokens[i] = token
    blocks = _Blocks(n)
    done, everything = 0, _measure(texts)
    with report(progress, "counting tokens (bytes)") as advance:
        for batch in _batches(_pieces(texts)):
            for encoding in encoder.encode_batch_fast(batch, add_special_tokens=False):
                blocks.add(np.array(encoding.ids, dtype=np.int64))
            done += sum(len(piece.encode("utf-8", "replace")) for piece in batch)
            advance(done, everything)
    counts = blocks.total()
    if counts.sum() == 0:
        raise ValueError("the text has no tokens: give text that is not empty")
    return TokenCounts(read_only(counts), tuple(tokens), read_only(blocks.table()))


class _Blocks:
    """Counts of consecutive blocks of text; neighbours are merged when there are too many."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.full: list[NDArray[np.int64]] = []
        self.open = np.zeros(n, dtype=np.int64)
        self.inside = 0
        self.size = 1  # tokens that fill a block

    def add(self, ids: NDArray[np.int64]) -> None:
        np.add.at(self.open, ids, 1)
        self.inside += ids.size
        if self.inside < self.size:
            return
        if len(self.full) == _BLOCKS - 1:
            # One more would make 32: merge pairs, and continue with blocks twice as long.
            everything = [*self.full, self.open]
            pairs = zip(everything[::2], everything[1::2], strict=True)
            self.full = [a + b for a, b in pairs]
            # Less than their mean, so that pieces of equal length fill equal blocks.
            self.size = 3 * sum(int(block.sum()) for block in self.full) // (4 * len(self.full))
        else:
            self.full.append(self.open)
        self.open = np.zeros(self.n, dtype=np.int64)
        self.inside = 0

    def total(self) -> NDArray[np.int64]:
        counts: NDArray[np.int64] = np.sum([*self.full, self.open], axis=0)
        return counts

    def table(self) -> NDArray[np.int64]:
        blocks = [*self.full, self.open] if self.inside else self.full
        return np.array(blocks, dtype=np.int64).reshape(len(blocks), self.n)


def _open_tokenizer(source: str | Path | Tokenizer) -> Tokenizer:
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise ImportError(
            'counting tokens needs the package tokenizers: pip install "superscale[tokenizers]"'
        ) from None
    if isinstance(source, Tokenizer):
        encoder = Tokenizer.from_str(source.to_str())  # the caller's own stays as it is
    elif isinstance(source, (str, Path)):
        path = Path(source)
        path = path / "tokenizer.json" if path.is_dir() else path
        data = b""
        if not path.exists():
            raise ValueError(f"{path} does not exist: give a tokenizer.json, or its folder")
        try:
            data = path.read_bytes()
            encoder = Tokenizer.from_str(data.decode())
        except Exception as error:  # the package raises no narrower class
            refuse_pointer(path, data)
            raise ValueError(f"{path} is not a tokenizer.json: {error}") from None
    else:
        raise TypeError(
            f"tokenizer is a {type(source).__name__}: give a path or a tokenizers.Tokenizer"
        )
    encoder.no_truncation()
    encoder.no_padding()
    if getattr(encoder.model, "dropout", None):
        encoder.model.dropout = None
    return encoder


def _batches(pieces: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece) + 256  # the cost of a call, in characters
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _pieces(texts: Text | Iterable[Text]) -> Iterator[str]:
    """Yield all texts in pieces of at most about 2^15 characters."""
    if isinstance(texts, (str, Path)):
        texts = [texts]
    elif isinstance(texts, bytes) or not isinstance(texts, Iterable):
        raise TypeError(f"texts is a {type(texts).__name__}: give str, Path, or several of them")
    for text in texts:
        if isinstance(text, Path):
            yield from _cut(_read(text))
        elif isinstance(text, str):
            _check_no_name(text)
            yield from _cut(text[k : k + _PIECE] for k in range(0, len(text), _PIECE))
        else:
            raise TypeError(f"a text is a {type(text).__name__}: give str (text) or Path (a file)")


def _measure(texts: Text | Iterable[Text]) -> int:
    """Return the bytes in a list of files; 0 for anything else."""
    paths = [texts] if isinstance(texts, Path) else texts
    if isinstance(paths, (list, tuple)) and all(isinstance(path, Path) for path in paths):
        return sum(path.stat().st_size for path in paths if path.is_file())
    return 0


def _check_no_name(text: str) -> None:
    """Refuse the name of a text file in place of text."""
    if len(text) < 256 and re.fullmatch(r"\S+\.\w+", text) and Path(text).is_file():
        raise ValueError(
            f"{text!r} is the name of a file, and would be counted as text: give Path({text!r})"
        )


def _read(path: Path) -> Iterator[str]:
    if not path.exists():
        raise ValueError(f"{path} does not exist: give a file of UTF-8 text")
    if path.is_dir():
        raise ValueError(f"{path} is a directory: give files of UTF-8 text")
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    place = 0
    with path.open("rb") as file:
        while True:
            data = file.read(_PIECE)
            if place == 0:
                refuse_pointer(path, data)
            try:
                yield decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{path} is not UTF-8 text near byte {place + error.start}: {error.reason}"
                ) from None
            place += len(data)
            if not data:
                return


def _cut(chunks: Iterable[str]) -> Iterator[str]:
    """Join chunks into pieces that end after a line or before a space."""
    rest = ""
    for chunk in chunks:
        rest += chunk
        while len(rest) > _PIECE:
            end = _find_end(rest)
            yield rest[:end]
            rest = rest[end:]
    if rest:
        yield rest


def _find_end(text: str) -> int:
    """Return where to end a piece: after a line, else before a space, else at the limit."""
    half = _PIECE // 2
    for end in (text.rfind("\n", half, _PIECE) + 1, text.rfind(" ", half, _PIECE)):
        if end > 0:
            return end
    return _PIECE
