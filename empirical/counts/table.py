"""Counts from a file: one number a line, or a table of words and counts.

Use ``read_counts(path)`` and hand the result to ``Frequencies.from_counts``.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def read_counts(path: str | Path, column: str | int | None = None) -> NDArray[np.float64]:
    r"""Read a column of counts from a CSV or TSV file (UTF-8, with or without a header).

    Parameters
    ----------
    path : path
        Comma-, semicolon- or tab-separated; the separator is seen from the first line.
    column : str or int, optional
        Header name, or number from 1. Needed only if several columns hold numbers.

    Returns
    -------
    ndarray
        Counts in the order of the file, each finite and at least 0.

    Raises
    ------
    ValueError
        If the file is missing, empty, a directory or not text; if no column or more than one holds
        numbers; if an entry is not a finite number of at least 0 (names the line).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     _ = file.write("word,count\nthe,60\nof,30\n")
    ...     file.flush()
    ...     read_counts(file.name)
    array([60., 30.])
    """
    path = Path(path)
    rows = _read_rows(path)
    width = max(len(cells) for _, cells in rows)
    index = _choose_column(path, rows, width, column)
    header = _parse(rows[0][1], index) is None
    values = []
    for line, cells in rows[1:] if header else rows:
        value = _parse(cells, index)
        shown = cells[index] if index < len(cells) else ""
        if value is None or not math.isfinite(value):
            raise ValueError(f"{path} line {line}: {shown!r} is not a finite number")
        if value < 0:
            raise ValueError(f"{path} line {line}: the count {shown} is negative")
        values.append(value)
    if not values:
        raise ValueError(f"{path} has a header but no counts")
    return np.array(values)


def _read_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return (line number, cells) of every line that is not blank."""
    if path.is_dir():
        raise ValueError(f"{path} is a directory: give a CSV or TSV file of counts")
    if not path.exists():
        raise ValueError(f"{path} does not exist: give a CSV or TSV file of counts")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text: give a CSV or TSV file of counts") from None
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise ValueError(f"{path} is empty: give a CSV or TSV file of counts")
    separator = next((mark for mark in "\t;," if mark in first), ",")
    # Word lists in TSV hold bare quotation marks; only CSV quotes with them.
    reader = csv.reader(
        lines,
        delimiter=separator,
        quoting=csv.QUOTE_NONE if separator == "\t" else csv.QUOTE_MINIMAL,
    )
    return [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]


def _parse(cells: list[str], index: int) -> float | None:
    try:
        return float(cells[index])
    except (ValueError, IndexError):
        return None


def _choose_column(
    path: Path, rows: list[tuple[int, list[str]]], width: int, column: str | int | None
) -> int:
    names = [cell.strip() for cell in rows[0][1]]
    if column is not None:
        if str(column) in names:
            return names.index(str(column))
        if str(column).isdigit() and 1 <= int(column) <= width:
            return int(column) - 1
        raise ValueError(
            f"{path} has no column {column!r}: give a name from its first line "
            f"({', '.join(names)}) or a number from 1 to {width}"
        )
    # A word may look like a number ("1984", "nan"): a column counts if most entries do.
    body = rows[1:] or rows
    numeric = [
        k
        for k in range(width)
        if 2 * sum(_parse(cells, k) is not None for _, cells in body) > len(body)
    ]
    if not numeric:
        raise ValueError(f"{path} has no column of numbers: give a CSV or TSV file of counts")
    if len(numeric) > 1:
        raise ValueError(
            f"{path} has {len(numeric)} columns of numbers: name the one that holds the counts "
            f"with column= (--column), a name from its first line or a number from 1 to {width}"
        )
    return numeric[0]
