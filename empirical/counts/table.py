"""Counts from a file: one number a line, or a table of words and counts.

``read_counts(path)`` reads one; hand the result to ``Frequencies.from_counts``.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from empirical.number_formats import parse_numbers
from empirical.tables import TextTable, read_table
from theory.computing.argument_kinds import check_kinds

# A column that counts 1, 2, 3 … over this many rows is taken for ranks.
_FEWEST_RANKS = 3


@check_kinds
def read_counts(
    path: str | Path,
    column: str | int | None = None,
    *,
    separator: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
) -> NDArray[np.float64]:
    r"""Read a column of counts from a table of text (UTF-8, with or without a header).

    Parameters
    ----------
    path : path
        CSV, TSV, blank-separated, or what ``uniq -c`` prints; a file or a pipe.
    column : str or int, optional
        Header name, or number from 1. Needed only if several columns hold numbers, or the only one
        looks like ranks; "count" in a table of ``TokenCounts.save`` (``superscale count``).
    separator : {"tab", "semicolon", "comma", "blank"} or str, optional
        What separates cells; found from the file by default.
    decimal, thousands : str, optional
        Decimal sign and thousands separator; needed only if numbers can be read in two ways.

    Returns
    -------
    ndarray, shape (rows,)
        Counts in the order of the file, each finite and at least 0.

    Raises
    ------
    ValueError
        If the file is missing, empty, a directory or not text; if rows differ in their number of
        cells; if no column or more than one holds numbers, or the only one looks like ranks; if
        numbers can be read in two ways; if an entry is not a finite number of at least 0 (names the
        line).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     _ = file.write("word,count\nthe,60\nof,30\n")
    ...     file.flush()
    ...     read_counts(file.name)
    array([60., 30.])
    """
    table = read_table(path, "counts", separator, thousands)
    if column is None and table.rows[0][:3] == ("id", "token", "count"):
        column = "count"  # a table that TokenCounts.save wrote
    numbers = {
        k: parse_numbers(
            table.path, [[row[k] for row in table.rows]], decimal, thousands, whole=True
        )[0]
        for k in _candidates(table, column, decimal, thousands)
    }
    if column is None:
        index = _the_only(table, numbers)
    else:
        (index,) = numbers
    found = numbers[index]
    cells = [row[index] for row in table.rows]
    named = str(column) == cells[0] and not str(column).isdecimal()
    # A number that went wrong is no header: it must not be left out.
    first = 1 if named or (found[0] is None and not cells[0][:1].isdigit()) else 0
    values = []
    for line, cell, value in list(zip(table.lines, cells, found, strict=True))[first:]:
        if value is None or not math.isfinite(value):
            raise ValueError(f"{table.path} line {line}: {cell!r} is not a finite number")
        if value < 0:
            raise ValueError(f"{table.path} line {line}: the count {cell} is negative")
        values.append(value)
    if not values:
        raise ValueError(f"{table.path} has a header but no counts")
    if column is None and _are_ranks(values):
        raise ValueError(
            f"{table.path}: its only column of numbers goes {values[0]:g}, {values[1]:g}, "
            f"{values[2]:g} … and looks like ranks: if these are the counts, say so with column= "
            f"(--column {index + 1})"
        )
    return np.array(values)


def _candidates(
    table: TextTable, column: str | int | None, decimal: str | None, thousands: str | None
) -> list[int]:
    """Return the columns that may hold the counts: the one named, or all of numbers."""
    names = table.rows[0]
    if column is None:
        first = 1 if table.has_row_names else 0
        return [k for k in range(first, table.width) if _is_numeric(table, k)]
    if str(column) in names:
        if names.count(str(column)) > 1:
            raise ValueError(f"{table.path} has several columns named {column!r}: give a number")
        return [names.index(str(column))]
    if str(column).isdecimal() and 1 <= int(column) <= table.width:
        return [int(column) - 1]
    raise ValueError(
        f"{table.path} has no column {column!r}: give a name from its first line "
        f"({', '.join(names)}) or a number from 1 to {table.width}"
    )


def _is_numeric(table: TextTable, k: int) -> bool:
    """Whether most cells of a column begin as numbers do; words may look so too ("1984", "nan")."""
    body = table.rows[1:] or table.rows
    return 2 * sum(any(map(str.isdigit, row[k])) and _may_be(row[k]) for row in body) > len(body)


def _may_be(cell: str) -> bool:
    return all(sign in "0123456789.,'_ +-eE\u00a0" for sign in cell)


def _the_only(table: TextTable, numbers: dict[int, list[float | None]]) -> int:
    if not numbers:
        raise ValueError(f"{table.path} has no column of numbers: give a CSV or TSV file of counts")
    if len(numbers) > 1:
        raise ValueError(
            f"{table.path} has {len(numbers)} columns of numbers: name the one that holds the "
            "counts with column= (--column), a name from its first line "
            f"({', '.join(name or 'unnamed' for name in table.rows[0])}) or a number from 1 to "
            f"{table.width}"
        )
    return next(iter(numbers))


def _are_ranks(values: list[float]) -> bool:
    steps = np.diff(values)
    return len(values) >= _FEWEST_RANKS and values[0] in (0, 1) and bool((steps == 1).all())
