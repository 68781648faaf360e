"""Numbers in text: a decimal point or comma, with or without thousands separators.

``parse_numbers`` finds the convention that reads the most cells, and refuses numbers that could be
read in two ways.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

_SIGNS = frozenset(",.'_ ")


def parse_numbers(
    path: Path,
    columns: Sequence[Sequence[str]],
    decimal: str | None = None,
    thousands: str | None = None,
    *,
    whole: bool = False,
) -> list[list[float | None]]:
    """Return the numbers in columns of text, None for a cell that is none.

    The convention (decimal point or comma, with or without thousands separators) is the one that
    reads the most cells, the same for all columns.

    Parameters
    ----------
    path : Path
        Named in errors.
    columns : sequence of sequence of str
        Cells, without a header.
    decimal : str, optional
        "." or ",": decides instead.
    thousands : str, optional
        ",", ".", "'", "_" or " ": decides instead; "" says that there is none.
    whole : bool
        Whether numbers are mostly whole (counts): then "1.234" is refused unless other cells say
        whether it is 1.234 or 1234. Otherwise a point is a decimal point.

    Raises
    ------
    ValueError
        If the numbers can be read in two ways, and for separators that cannot be used.

    Examples
    --------
    >>> parse_numbers(Path("a.txt"), [["4,000,000", "907,519"]])
    [[4000000.0, 907519.0]]
    >>> parse_numbers(Path("a.txt"), [["1,5", "2,25"]])
    [[1.5, 2.25]]
    >>> parse_numbers(Path("a.txt"), [["907,519", "12"]])
    Traceback (most recent call last):
        ...
    ValueError: a.txt: '907,519' can be read as 907.519 or as 907519: give decimal="," or \
thousands="," (--decimal, --thousands)
    """
    _check_marks(decimal, thousands)
    conventions = [
        (point, group)
        for point, groups in ((".", ("", ",", "'", "_", " ")), (",", ("", ".", "'", " ")))
        for group in groups
        if decimal in (None, point) and thousands in (None, group)
    ]
    if not conventions:  # an unusual pair that was asked for
        conventions = [(decimal or ".", thousands or "")]
    every = [cell.strip() for column in columns for cell in column]
    # A number without such a sign is the same by every convention.
    cells = list(dict.fromkeys(cell for cell in every if _SIGNS.intersection(cell)))
    read = {
        convention: [_number(cell, *convention) for cell in cells] for convention in conventions
    }
    counts = {pair: sum(value is not None for value in values) for pair, values in read.items()}
    most = max(counts.values())
    best = [pair for pair in conventions if counts[pair] == most]
    chosen = best[0]
    _refuse_either(path, cells, {pair: read[pair] for pair in best}, chosen, whole)
    known = dict(zip(cells, read[chosen], strict=True))
    values = iter([known[cell] if cell in known else _plain_number(cell) for cell in every])
    return [[next(values) for _ in column] for column in columns]


def _number(cell: str, point: str, group: str) -> float | None:
    """Return the number in a cell by one convention; a plain number is one by each."""
    if group and group in cell:
        mark = re.escape(group)
        if not re.fullmatch(rf"[+-]?[1-9]\d{{0,2}}({mark}\d{{3}})+({re.escape(point)}\d*)?", cell):
            return None
        cell = cell.replace(group, "")
    if point != ".":
        if "." in cell:
            return None
        cell = cell.replace(point, ".")
    return _plain_number(cell)


def _plain_number(cell: str) -> float | None:
    if "_" in cell:  # Python would read it
        return None
    try:
        return float(cell)
    except ValueError:
        return None


def _refuse_either(
    path: Path,
    cells: Sequence[str],
    read: dict[tuple[str, str], list[float | None]],
    chosen: tuple[str, str],
    whole: bool,
) -> None:
    """Raise if another convention reads as many cells, but not as the same numbers."""
    for values in read.values():
        for cell, first, other in zip(cells, read[chosen], values, strict=True):
            if first is None or other is None or first == other or math.isnan(first):
                continue
            if not whole and chosen[0] == "." and "," not in cell:
                continue  # a decimal point, as usual
            mark = next(sign for sign in ",." if sign in cell)
            small, large = sorted((first, other))
            raise ValueError(
                f"{path}: {cell!r} can be read as {small:.15g} or as {large:.15g}: give "
                f'decimal="{mark}" or thousands="{mark}" (--decimal, --thousands)'
            )


def _check_marks(decimal: str | None, thousands: str | None) -> None:
    if decimal not in (None, ".", ","):
        raise ValueError(f"decimal = {decimal!r} is not allowed: give '.' or ','")
    if thousands not in (None, "", ",", ".", "'", "_", " "):
        raise ValueError(
            f"thousands = {thousands!r} is not allowed: give ',', '.', \"'\", '_', ' ', or '' for "
            "none"
        )
    if thousands and thousands == decimal:
        raise ValueError(f"decimal and thousands are both {thousands!r}: give two different signs")
