"""Counts of the tokens of a vocabulary: saved to and loaded from a table, and drawn.

``empirical.counts.tokens.count_tokens`` counts; ``TokenCounts.load(path)`` reads saved counts.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from numerics.files import write_atomically
from theory.checks import check_integer, read_only
from theory.computing.argument_kinds import check_kinds
from theory.figures.style import BLUE, finish, open_axes
from theory.results import result


@dataclass(frozen=True, eq=False)
@result
class TokenCounts:
    """Occurrences of every token of a vocabulary.

    Attributes
    ----------
    counts : ndarray of int, shape (n,)
        Occurrences by token id; n is the size of the vocabulary (largest id + 1), zeros included.
    tokens : tuple of str
        The tokens by id, as the tokenizer writes them; "" for an id that has none.
    blocks : ndarray of int, shape (k, n)
        The same counts in k <= 32 consecutive blocks of text of similar length; they sum to
        ``counts``. Words come in bursts: the scatter between blocks gives the errors of counts.
        Empty (k = 0) where they were not saved.

    Examples
    --------
    >>> found = TokenCounts(np.array([3, 0, 1]), ("the", "of", "and"), np.zeros((0, 3), int))
    >>> print(found)
    4 tokens of text, 2 of 3 in the vocabulary: 'the' 3, 'and' 1
    """

    counts: NDArray[np.int64]
    tokens: tuple[str, ...]
    blocks: NDArray[np.int64]

    @property
    def n(self) -> int:
        """Size of the vocabulary."""
        return int(self.counts.size)

    @property
    def total(self) -> int:
        """Tokens counted."""
        return int(self.counts.sum())

    @property
    def seen(self) -> int:
        """Different tokens that occur."""
        return int(np.count_nonzero(self.counts))

    @check_kinds
    def most_common(self, k: int = 10) -> list[tuple[str, int]]:
        """Return the k most frequent tokens with their counts."""
        order = np.argsort(-self.counts, kind="stable")[: check_integer("k", k, 0)]
        return [(self.tokens[i], int(self.counts[i])) for i in order if self.counts[i] > 0]

    def to_dataframe(self) -> pd.DataFrame:
        """Return a row for each token id: id, token, count."""
        return pd.DataFrame(
            {"id": np.arange(self.n), "token": list(self.tokens), "count": self.counts}
        )

    @check_kinds
    def save(self, path: str | Path, *, blocks: bool = False) -> None:
        """Write a CSV file: id, token, count and, with ``blocks``, block_1, block_2 and so on.

        ``read_counts(path, column="count")`` reads the counts, ``TokenCounts.load`` all.
        """
        write_atomically(path, self.to_csv(blocks=blocks).encode())

    @check_kinds
    def to_csv(self, *, blocks: bool = False) -> str:
        """Return what ``save`` writes."""
        text = io.StringIO()
        # Tokens hold quotation marks, commas and line ends of every kind: quote all of them.
        writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        more = self.blocks if blocks else self.blocks[:0]
        writer.writerow(["id", "token", "count", *[f"block_{k + 1}" for k in range(len(more))]])
        columns = [self.counts.tolist(), *more.tolist()]
        for i, (token, *row) in enumerate(zip(self.tokens, *columns, strict=True)):
            writer.writerow([i, token, *row])
        return text.getvalue()

    @classmethod
    @check_kinds
    def load(cls, path: str | Path) -> TokenCounts:
        """Read what ``save`` wrote, from a file or a pipe.

        Raises
        ------
        ValueError
            If the file is missing, or is no such table (names the line).
        """
        path = Path(path)
        if not path.exists() or path.is_dir():
            kind = "is a directory" if path.is_dir() else "does not exist"
            raise ValueError(f"{path} {kind}: give a CSV file that TokenCounts.save wrote")
        try:
            # A file or a pipe, which can be read once only.
            with path.open(newline="", encoding="utf-8") as file:
                rows = list(csv.reader(file))
        except (UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f"{path} is not a CSV file of token counts: {error}") from None
        if not rows or rows[0][:3] != ["id", "token", "count"] or len(rows) < 2:
            raise ValueError(f"{path} is not a table of token counts: it has no id,token,count")
        numbers = []
        for line, row in enumerate(rows[1:]):
            try:
                values = [int(cell) for cell in (row[0], *row[2:])]
            except (ValueError, IndexError):
                values = [-1]
            if len(row) != len(rows[0]) or min(values) < 0 or values[0] != line:
                raise ValueError(f"{path}, row {line + 2}: {','.join(row)[:60]!r} is not allowed")
            numbers.append(values[1:])
        table = np.array(numbers, dtype=np.int64)
        counts, blocks = table[:, 0].copy(), np.ascontiguousarray(table[:, 1:].T)
        if len(blocks) and np.any(blocks.sum(axis=0) != counts):
            raise ValueError(f"{path}: the blocks do not sum to the counts")
        return cls(read_only(counts), tuple(row[1] for row in rows[1:]), read_only(blocks))

    def plot(self, ax: Any = None) -> Any:
        """Draw counts against rank, on logarithmic axes; return the axes."""
        ax = open_axes(ax)
        falling = np.sort(self.counts[self.counts > 0])[::-1]
        ax.plot(np.arange(1, falling.size + 1), falling, ".", ms=3, color=BLUE)
        title = f"{self.total} tokens, {self.seen} of {self.n} seen"
        return finish(ax, "rank i", "occurrences", log="xy", title=title)

    def __str__(self) -> str:
        top = ", ".join(f"{token!r} {count}" for token, count in self.most_common(5))
        return f"{self.total} tokens of text, {self.seen} of {self.n} in the vocabulary: {top}"
