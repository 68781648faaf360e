"""Which rows of an unembedding are measured, and which of them seem untrained.

Vocabularies are padded to a round number: rows beyond the tokenizer's last token are no tokens.
``choose`` leaves them out, ``find_untrained`` finds rows that training left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.tensors.row_matrix import RowMatrix, choose_rows
from theory.checks import check_finite

# Rows that are compared at once.
_BLOCK = 1024
# Rows that padding may add: this share of all, or this many where that is at most a quarter.
_PADDING_SHARE, _PADDING = 0.05, 1024
# Norm over the median norm below which a row seems untrained. Norms of trained rows differ by a
# factor of a few.
_TINY = 0.05


def match_counts(
    counts: ArrayLike, rows: NDArray[np.int64], n: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the counts of rows, and those rows that have one.

    Parameters
    ----------
    counts : array_like, shape (k,)
        One for each token id. It may end before the rows do, by as much as padding adds.
    rows : ndarray of int
        Numbers of the rows that are measured.
    n : int
        Rows of the whole matrix.

    Raises
    ------
    ValueError
        For counts that are not finite and at least 0, too many or too few.

    Examples
    --------
    >>> match_counts([5, 3, 1], np.arange(4), 4)
    (array([5., 3., 1.]), array([0, 1, 2]))
    """
    values = check_finite("counts", counts)
    if values.size and values.min() < 0:
        worst = int(np.argmin(values))
        raise ValueError(f"counts[{worst}] = {values[worst]:g}: give counts of at least 0")
    if values.size > n:
        raise ValueError(
            f"counts has {values.size} entries and the matrix {n} rows: give one count for each "
            "token id, of the tokenizer of this model"
        )
    kept = rows[rows < values.size]
    beyond = rows.size - kept.size
    if beyond > max(_PADDING_SHARE * rows.size, min(_PADDING, rows.size // 4)):
        raise ValueError(
            f"counts has {values.size} entries, and {beyond} of the {rows.size} rows have none, "
            "more than padding adds: give one count for each token id, 0 where it does not occur, "
            "or choose the rows that have one with rows= (--rows)"
        )
    return values[kept], kept


def find_untrained(matrix: RowMatrix, norms: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the rows that equal another row, or whose norm is tiny beside the median.

    Rows of zeros are not among them.

    Parameters
    ----------
    matrix : RowMatrix
        Rows.
    norms : ndarray, shape (n,)
        Their norms.

    Examples
    --------
    >>> W = np.array([[3, 4], [4, 3], [5, 0], [1, 1], [1, 1], [0.0, 0.01]])
    >>> find_untrained(RowMatrix(W), np.linalg.norm(W, axis=1))
    array([3, 4, 5])
    """
    tiny = (norms > 0) & (norms < _TINY * np.median(norms))
    # Equal rows have equal norms, up to the order in which squares were added.
    order = np.argsort(norms, kind="stable")
    near = np.diff(norms[order]) <= 1e-6 * norms[order][1:]
    alike = np.zeros(norms.size, dtype=bool)
    alike[order[1:][near]] = alike[order[:-1][near]] = True
    suspects = np.flatnonzero(alike & (norms > 0))
    seen: dict[bytes, list[int]] = {}
    for start in range(0, suspects.size, _BLOCK):
        some = suspects[start : start + _BLOCK]
        for row, entries in zip(some.tolist(), matrix.take(some), strict=True):
            seen.setdefault(_mark(entries), []).append(row)
    equal = [row for rows in seen.values() if len(rows) > 1 for row in rows]
    return np.union1d(np.flatnonzero(tiny), np.array(equal, dtype=np.int64))


def _mark(entries: NDArray[np.float64]) -> bytes:
    return blake2b(entries.tobytes(), digest_size=16).digest()


def describe_rows(rows: NDArray[np.int64]) -> str:
    """Name sorted rows: as a range where they are one, and the first few otherwise.

    Examples
    --------
    >>> describe_rows(np.arange(50277, 50304)), describe_rows(np.array([1, 5, 6, 8]))
    ('50277:50304', '1, 5, 6 and 1 more')
    """
    if rows[-1] - rows[0] + 1 == rows.size:
        return f"{rows[0]}:{rows[-1] + 1}"
    more = f" and {rows.size - 3} more" if rows.size > 3 else ""
    return ", ".join(map(str, rows[:3].tolist())) + more


def describe_untrained(rows: NDArray[np.int64]) -> tuple[str, ...]:
    """Return the note on untrained rows, if there are any.

    Examples
    --------
    >>> print(*describe_untrained(np.array([7, 9])))
    2 rows equal another, or have a norm below 5 % of the median, as untrained ones do: 7, 9; \
rows= (--rows) chooses others
    """
    if not rows.size:
        return ()
    return (
        f"{rows.size} rows equal another, or have a norm below {100 * _TINY:g} % of the median, as "
        f"untrained ones do: {describe_rows(rows)}; rows= (--rows) chooses others",
    )


@dataclass(frozen=True, eq=False)
class ChosenRows:
    """The rows that are measured.

    Attributes
    ----------
    matrix : RowMatrix
        These rows.
    numbers : ndarray of int
        Their numbers in the whole matrix.
    counts : ndarray or None
        Their counts, if there are counts.
    left_out : int
        Rows that have no count.
    notes : tuple of str
        What was chosen, and what was left out.
    """

    matrix: RowMatrix
    numbers: NDArray[np.int64]
    counts: NDArray[np.float64] | None
    left_out: int
    notes: tuple[str, ...]


def choose(
    matrix: RowMatrix, rows: slice | ArrayLike | None, counts: ArrayLike | None
) -> ChosenRows:
    """Return the rows that are asked for and have a count.

    Raises
    ------
    ValueError
        For rows or counts that do not fit the matrix.

    Examples
    --------
    >>> chosen = choose(RowMatrix(np.ones((5, 2))), None, [4, 3, 2, 1])
    >>> chosen.matrix.n, *chosen.notes
    (4, 'the rows beyond the 4 counts (4:5) are left out: padding of the vocabulary')
    """
    numbers = np.arange(matrix.n) if rows is None else choose_rows(rows, matrix.n)
    notes, values, left_out = [], None, 0
    if rows is not None:
        notes.append(f"{numbers.size} of {matrix.n} rows are chosen ({describe_rows(numbers)})")
    if counts is not None:
        values, kept = match_counts(counts, numbers, matrix.n)
        left_out = numbers.size - kept.size
        if left_out:
            notes.append(
                f"the rows beyond the {np.size(counts)} counts "
                f"({describe_rows(np.setdiff1d(numbers, kept))}) are left out: padding of the "
                "vocabulary"
            )
        numbers = kept
    whole = rows is None and not left_out
    return ChosenRows(
        matrix if whole else matrix.select(numbers), numbers, values, left_out, tuple(notes)
    )
