"""Tables of text as people have them: CSV, TSV, blank-separated, ``uniq -c``, R's ``write.table``.

``read_table(path)`` finds the separator by which every row has the same number of cells, or says in
one line what it saw and which option decides. ``empirical.number_formats`` reads the numbers in its
cells; ``empirical.counts.table`` and ``empirical.scaling_laws.loss_table`` are built on both.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from numerics.tensors.stored import refuse_pointer

# In this order: a tab or a semicolon is rarely part of a word or a number, a comma often is.
_SEPARATORS = {"tab": "\t", "semicolon": ";", "comma": ",", "blank": " "}
_NAMES = {mark: name for name, mark in _SEPARATORS.items()}
# Lines that a quoted cell may run over.
_LONGEST_CELL = 50
# Lines by which separators that cannot be are ruled out, before all lines are split.
_BEGINNING = 1000


@dataclass(frozen=True, repr=False)
class TextTable:
    """The cells of a table, every row as wide as the others.

    Attributes
    ----------
    path : Path
        The file.
    rows : tuple of tuple of str
        Cells without the blanks around them. The first row may be a header; a header that is one
        name short (R's ``write.table``) has an empty name put before it.
    lines : tuple of int
        The line of the file in which each row begins, from 1.
    separator : str
        What separates cells; " " stands for any run of blanks and tabs.
    has_row_names : bool
        Whether the first column names or numbers the rows and has no name of its own.
    """

    path: Path
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    separator: str
    has_row_names: bool

    @property
    def width(self) -> int:
        """Cells in each row."""
        return len(self.rows[0])

    def __repr__(self) -> str:
        return (
            f"TextTable({self.path.name}: {len(self.rows)} rows of {self.width} cells, "
            f"separated by {_NAMES.get(self.separator, repr(self.separator))})"
        )


def read_table(
    path: str | Path, what: str, separator: str | None = None, thousands: str | None = None
) -> TextTable:
    r"""Read a table of text (UTF-8).

    Parameters
    ----------
    path : path
        A file or a pipe.
    what : str
        What the table should hold, for error messages: "counts".
    separator : str, optional
        "tab", "semicolon", "comma", "blank" (any run of blanks), or the character itself. By
        default the first of these by which all rows have the same number of cells, at least two,
        or, if no separator occurs, a single column.
    thousands : str, optional
        If this is also the separator, groups of three digits are joined where a row has more cells
        than the first line.

    Raises
    ------
    ValueError
        If the file is missing, empty, a directory or not text; if no separator gives rows of one
        width, or two separators give different numbers.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
    ...     _ = file.write("  60 the\n  30 of\n")
    ...     file.flush()
    ...     read_table(file.name, "counts").rows
    (('60', 'the'), ('30', 'of'))
    """
    path = Path(path)
    lines = _read_lines(path, what)
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not numbered:
        raise ValueError(f"{path} is empty: give a CSV or TSV file of {what}")
    if separator is not None:
        mark = _check_separator(separator)
        rows = _counted_lines(_split(numbered, mark), numbered, mark)
        if thousands == mark:
            rows = _join_thousands(path, rows)
        return _finish(path, rows, mark)
    return _guess(path, numbered)


def _read_lines(path: Path, what: str) -> list[str]:
    """Return the lines of a text; only CR, LF and CR LF end one, no other mark of Unicode."""
    if path.is_dir():
        raise ValueError(f"{path} is a directory: give a CSV or TSV file of {what}")
    if not path.exists():
        raise ValueError(f"{path} does not exist: give a CSV or TSV file of {what}")
    data = path.read_bytes()
    refuse_pointer(path, data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 text (byte {error.start}): give a CSV or TSV file of {what}; "
            "iconv -t UTF-8 converts other encodings"
        ) from None
    return re.split("\r\n|\r|\n", text)


def _check_separator(separator: str) -> str:
    mark = _SEPARATORS.get(separator, separator)
    mark = "\t" if mark == "\\t" else mark
    if len(mark) != 1 or mark in '"\r\n' or mark.isalnum():
        raise ValueError(
            f"separator = {separator!r} is not allowed: give {', '.join(_SEPARATORS)}, or one "
            "character that is no letter or digit"
        )
    return mark


Row = tuple[int, tuple[str, ...]]


def _cells(line: str, mark: str) -> tuple[str, ...] | None:
    """Return the cells of a line, or None where its quotation marks are not those of CSV."""
    if mark == " ":
        line = re.sub("[ \t]+", " ", line.strip(" \t"))
    if '"' not in line:
        return tuple(cell.strip(" \t") for cell in line.split(mark))
    try:
        (cells,) = csv.reader([line], delimiter=mark, strict=True)
    except csv.Error:
        return None
    return tuple(cell.strip(" \t") for cell in cells)


def _literal(line: str, mark: str) -> tuple[str, ...]:
    if mark == " ":
        line = re.sub("[ \t]+", " ", line.strip(" \t"))
    return tuple(cell.strip(" \t") for cell in line.split(mark))


def _split(numbered: Sequence[tuple[int, str]], mark: str) -> list[Row]:
    """Split lines into cells: quoted as in CSV, or, where that does not work out, bare.

    A lone quotation mark is a word; one that opens a cell of several lines is seen by the number of
    cells, which must be that of most other rows.
    """
    parsed = [(number, line, _cells(line, mark)) for number, line in numbered]
    widths = Counter(len(cells) for _, _, cells in parsed if cells is not None)
    usual = widths.most_common(1)[0][0] if widths else 0
    rows: list[Row] = []
    k = 0
    while k < len(parsed):
        number, line, cells = parsed[k]
        k += 1
        if cells is None:
            cells = _literal(line, mark)
            if len(cells) != usual:
                longer, extra = _several_lines(parsed, k - 1, mark, usual)
                cells, k = longer or cells, k + extra
        rows.append((number, cells))
    return rows


def _several_lines(
    parsed: Sequence[tuple[int, str, tuple[str, ...] | None]], k: int, mark: str, usual: int
) -> tuple[tuple[str, ...] | None, int]:
    """Return the row that begins in line k and ends in a later one, and how many more it takes."""
    text = parsed[k][1]
    for extra in range(1, min(_LONGEST_CELL, len(parsed) - k)):
        text += "\n" + parsed[k + extra][1]
        try:
            (cells,) = csv.reader([text], delimiter=mark, strict=True)
        except csv.Error:
            continue
        if len(cells) == usual:
            return tuple(cells), extra
    return None, 0


def _guess(path: Path, numbered: Sequence[tuple[int, str]]) -> TextTable:
    """Return the table by the first separator that gives rows of one width."""
    marks = [mark for mark in _NAMES if _fits_the_beginning(path, numbered, mark)] or list(_NAMES)
    tried = {mark: _split(numbered, mark) for mark in marks}
    found: dict[str, TextTable] = {}
    for mark, rows in tried.items():
        try:
            table = _finish(path, _counted_lines(rows, numbered, mark), mark)
        except ValueError:
            continue
        if table.width > 1:
            found[mark] = table
    for mark in ("\t", ";"):
        if mark in found:
            return found[mark]
    by_comma, by_blank = (_numbers_in(found[mark]) if mark in found else [] for mark in ", ")
    if by_comma and by_blank and by_comma != by_blank:
        raise ValueError(
            f"{path} line {numbered[-1][0]}: {numbered[-1][1]!r} has two cells whether they are "
            "separated by commas or by blanks: give separator= (--separator comma or blank)"
        )
    if found:
        return next(iter(found.values()))
    # One column: a header may have blanks in it.
    seen = [
        mark
        for mark, rows in tried.items()
        if any(len(cells) > 1 for _, cells in (rows[1:] if mark == " " else rows))
    ]
    if not seen:
        return _finish(path, [(line, (text.strip(" \t"),)) for line, text in numbered], ",")
    return _finish(path, tried[seen[0]], seen[0])  # raises: says where the rows differ


def _fits_the_beginning(path: Path, numbered: Sequence[tuple[int, str]], mark: str) -> bool:
    """Whether a separator gives rows of one width, at least two, in the first lines."""
    few = numbered[:_BEGINNING]
    try:
        return _finish(path, _counted_lines(_split(few, mark), few, mark), mark).width > 1
    except ValueError:
        return False


def _numbers_in(table: TextTable) -> list[str]:
    """Return the columns that hold numbers only, joined, to compare two readings of a file."""
    return [
        "\n".join(column)
        for column in zip(*table.rows[1:], strict=True)
        if all(re.fullmatch(r"\d([\d.,]*\d)?", cell) for cell in column)
    ]


def _counted_lines(rows: list[Row], numbered: Sequence[tuple[int, str]], mark: str) -> list[Row]:
    """Return rows of ``uniq -c``, a number and the rest of the line, if that is what they are."""
    if mark != " " or len({len(cells) for _, cells in rows}) == 1:
        return rows
    if not all(re.fullmatch(r"\d+", cells[0]) for _, cells in rows):
        return rows
    split = [(number, line.strip(" \t").split(None, 1)) for number, line in numbered]
    return [(number, tuple(cells)) for number, cells in split]


def _finish(path: Path, rows: Sequence[Row], mark: str) -> TextTable:
    """Check that all rows have one width; put right a header that is one short."""
    (first_line, first), *rest = rows
    widths = Counter(len(cells) for _, cells in rest)
    usual = widths.most_common(1)[0][0] if widths else len(first)
    if usual == len(first) + 1:
        if all(not cells[-1] for _, cells in rest if len(cells) == usual):
            rest = [
                (line, cells[:-1] if len(cells) == usual else cells) for line, cells in rest
            ]  # a separator at the end of each row
            usual -= 1
        elif _are_row_names([cells[0] for _, cells in rest]) and not (
            mark in ", " and all(_is_cut_number(cells) for _, cells in rest)
        ):
            first = ("", *first)
    for line, cells in rest:
        if len(cells) != len(first):
            raise ValueError(
                f"{path} line {line} has {_cell_count(cells)} separated by "
                f"{_NAMES.get(mark, mark)}, its first line {len(first)}: say what separates cells "
                "with separator= "
                "(--separator tab, semicolon, comma or blank), and, if numbers hold the same sign, "
                "thousands= (--thousands)"
            )
    rows = [(first_line, first), *rest]
    unnamed = first[0] == "" and len(first) > 1
    return TextTable(
        path, tuple(cells for _, cells in rows), tuple(line for line, _ in rows), mark, unnamed
    )


def _are_row_names(cells: Sequence[str]) -> bool:
    """Whether cells may be R's names of rows: all different, and, if numbers, in order from 1."""
    if all(cell.isdecimal() for cell in cells):
        return [int(cell) for cell in cells] == list(range(1, len(cells) + 1))
    return len(set(cells)) == len(cells)


def _is_cut_number(cells: Sequence[str]) -> bool:
    """Whether the last two cells may be one number with a thousands separator."""
    return bool(re.fullmatch(r"\d{1,3} \d{3}", " ".join(cells[-2:])))


def _cell_count(cells: Sequence[str]) -> str:
    return f"{len(cells)} cell{'s' * (len(cells) != 1)}"


def _join_thousands(path: Path, rows: Sequence[Row]) -> list[Row]:
    """Join groups of three digits that a thousands separator, also the separator, cut apart."""
    width = len(rows[0][1])
    if width == 1 or all(len(cells) == width for _, cells in rows):
        width = min(len(cells) for _, cells in rows)
    joined = []
    for line, cells in rows:
        ways = [way for way in _groupings(cells) if len(way) == width]
        if len(ways) != 1:
            raise ValueError(
                f"{path} line {line}: {len(cells)} cells can be joined to {width} in {len(ways)} "
                "ways: quote the numbers, or write them without thousands separators"
            )
        joined.append((line, ways[0]))
    return joined


def _groupings(cells: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return every way to read cells as such, or as numbers in groups of three digits."""
    if not cells:
        return [()]
    ways = [(cells[0], *rest) for rest in _groupings(cells[1:])]
    if re.fullmatch(r"\d{1,3}", cells[0]):
        end = 1
        while end < len(cells) and re.fullmatch(r"\d{3}", cells[end]):
            end += 1
            ways += [("".join(cells[:end]), *rest) for rest in _groupings(cells[end:])]
    return ways
