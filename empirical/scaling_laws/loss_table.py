"""Losses from a file: a CSV or TSV table with a column of widths and one of losses.

Use ``read_losses(path, x="m", y="loss", group="dataset")`` and hand the result to
``fit_power_law(**columns)``.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def read_losses(
    path: str | Path,
    x: str = "m",
    y: str = "loss",
    group: str | None = None,
    label: str | None = None,
    cluster: str | None = None,
    stderr: str | None = None,
    weight: str | None = None,
) -> dict[str, Any]:
    r"""Read the arguments of ``fit_power_law`` from the columns of a table.

    Parameters
    ----------
    path : path
        Comma-, semicolon- or tab-separated text (UTF-8) with column names in its first line.
    x, y : str
        Columns of width and loss.
    group, label, cluster : str, optional
        Columns of names; several with commas ("family,dataset") are joined with "/".
    stderr, weight : str, optional
        Columns of known standard errors, or of relative weights.

    Returns
    -------
    dict
        m, loss, and what else was asked for, by the names that ``fit_power_law`` has for it.

    Raises
    ------
    ValueError
        If the file is missing, empty or not text, a column is missing, or a cell is no number
        (names the line).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     _ = file.write("m,loss,family,data\n8,2.0,a,x\n16,1.5,a,x\n")
    ...     file.flush()
    ...     read_losses(file.name, group="family,data")["groups"]
    ['a/x', 'a/x']
    """
    path = Path(path)
    table = _read_table(path)
    columns: dict[str, Any] = {"m": _numbers(path, table, x), "loss": _numbers(path, table, y)}
    for name, given in (("groups", group), ("labels", label), ("clusters", cluster)):
        if given is not None:
            columns[name] = _names(path, table, given)
    for name, given in (("stderr", stderr), ("weights", weight)):
        if given is not None:
            columns[name] = _numbers(path, table, given)
    return columns


def _read_table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        problem = "is a directory" if path.is_dir() else "does not exist"
        raise ValueError(f"{path} {problem}: give a CSV or TSV file of widths and losses")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text: give a CSV or TSV file") from None
    first = next((line for line in lines if line.strip()), "")
    separator = next((mark for mark in "\t;," if mark in first), ",")
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    rows = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    if len(rows) < 2:
        problem = "has no rows below its first line" if rows else "is empty"
        raise ValueError(f"{path} {problem}: give a CSV or TSV file of widths and losses")
    names = [cell.strip() for cell in rows[0][1]]
    for line, cells in rows[1:]:
        if len(cells) != len(names):
            raise ValueError(
                f"{path} line {line} has {len(cells)} cells and its first line {len(names)}"
            )
    body = [[cell.strip() for cell in cells] for _, cells in rows[1:]]
    return pd.DataFrame(body, columns=names, index=[line for line, _ in rows[1:]], dtype=object)


def _column(path: Path, table: pd.DataFrame, name: str) -> pd.Series:
    if name not in table.columns:
        raise ValueError(
            f"{path} has no column {name!r}: its columns are {', '.join(table.columns)}"
        )
    found = table[name]
    if isinstance(found, pd.DataFrame):
        raise ValueError(f"{path} has {found.shape[1]} columns named {name!r}: rename one")
    return found


def _numbers(path: Path, table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    text = _column(path, table, name)
    values = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        line = table.index[bad[0]]
        raise ValueError(f"{path} line {line}: {name} {text.iloc[bad[0]]!r} is not a finite number")
    return values


def _names(path: Path, table: pd.DataFrame, given: str) -> list[str]:
    parts = [_column(path, table, name.strip()) for name in given.split(",")]
    for name, part in zip(given.split(","), parts, strict=True):
        empty = np.flatnonzero((part == "").to_numpy())
        if empty.size:
            raise ValueError(f"{path} line {table.index[empty[0]]}: {name.strip()} is empty")
    return ["/".join(row) for row in zip(*parts, strict=True)]
