"""Losses from a file: a CSV or TSV table with columns of losses and of what they depend on.

Use ``read_losses(path, x="m", y="loss", group="dataset")`` and hand the result to
``fit_power_law(**columns)``, or ``read_runs(path, "params", "tokens")`` for ``fit_chinchilla``.
``drop_points`` leaves some out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from empirical.number_formats import parse_numbers
from empirical.tables import read_table
from theory.checks import check_finite, check_integer, shown
from theory.computing.argument_kinds import check_kinds


@check_kinds
def read_losses(
    path: str | Path,
    x: str = "m",
    y: str = "loss",
    group: str | None = None,
    label: str | None = None,
    cluster: str | None = None,
    stderr: str | None = None,
    weight: str | None = None,
    *,
    separator: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
) -> dict[str, Any]:
    r"""Read the arguments of ``fit_power_law`` from the columns of a table.

    Parameters
    ----------
    path : path
        Text (UTF-8) separated by commas, semicolons, tabs or blanks, with column names in its first
        line; a file or a pipe.
    x, y : str
        Columns of width and loss.
    group, label, cluster : str, optional
        Columns of names; several with commas ("family,dataset") are joined with "/".
    stderr, weight : str, optional
        Columns of known standard errors, or of relative weights.
    separator : {"tab", "semicolon", "comma", "blank"} or str, optional
        What separates cells; found from the file by default.
    decimal, thousands : str, optional
        Decimal sign and thousands separator; needed only if numbers can be read in two ways.

    Returns
    -------
    dict
        m, loss, and what else was asked for, by the names that ``fit_power_law`` has for it.

    Raises
    ------
    ValueError
        If the file is missing, empty or not text, rows differ in their number of cells, a column is
        missing, a cell is no number (names the line), or numbers can be read in two ways.

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
    table = _read_table(path, separator, thousands)
    wanted = [("m", x), ("loss", y), ("stderr", stderr), ("weights", weight)]
    numeric = {name: given for name, given in wanted if given is not None}
    columns: dict[str, Any] = _numbers(path, table, numeric, decimal, thousands)
    for name, given in (("groups", group), ("labels", label), ("clusters", cluster)):
        if given is not None:
            columns[name] = _names(path, table, given)
    return columns


@check_kinds
def read_runs(
    path: str | Path,
    N: str = "N",
    D: str = "D",
    y: str = "loss",
    m: str | None = None,
    label: str | None = None,
    *,
    separator: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
) -> dict[str, Any]:
    r"""Read the arguments of ``fit_chinchilla`` from the columns of a table.

    Parameters
    ----------
    path : path
        As for ``read_losses``.
    N, D, y : str
        Columns of parameters, training tokens and losses.
    m, label : str, optional
        Columns of widths (for ``width_exponent``) and of names.
    separator, decimal, thousands : str, optional
        As for ``read_losses``.

    Returns
    -------
    dict
        N, D, loss, and m and labels where they were asked for.

    Raises
    ------
    ValueError
        As ``read_losses``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     _ = file.write("params,tokens,loss\n1e8,2e9,3.5\n1e9,2e10,2.6\n")
    ...     file.flush()
    ...     read_runs(file.name, "params", "tokens")["D"]
    array([2.e+09, 2.e+10])
    """
    path = Path(path)
    table = _read_table(path, separator, thousands, "parameters, tokens and losses")
    wanted = [("N", N), ("D", D), ("loss", y), ("m", m)]
    numeric = {name: given for name, given in wanted if given is not None}
    columns: dict[str, Any] = _numbers(path, table, numeric, decimal, thousands)
    if label is not None:
        columns["labels"] = _names(path, table, label)
    return columns


@check_kinds
def read_columns(
    path: str | Path,
    numbers: Iterable[str],
    names: Mapping[str, str] | None = None,
    *,
    separator: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
) -> dict[str, Any]:
    r"""Read columns of a table by their names, as ``fit_axes`` takes them.

    Parameters
    ----------
    path : path
        A table, as for ``read_losses``.
    numbers : iterable of str
        Columns of numbers.
    names : mapping, optional
        Columns of names, by the names that they shall have; several with commas are joined.
    separator, decimal, thousands : str, optional
        As for ``read_losses``.

    Returns
    -------
    dict
        Arrays of numbers and lists of names.

    Raises
    ------
    ValueError
        As ``read_losses``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     _ = file.write("d_model,n_layers,loss\n256,4,3.5\n512,8,2.9\n")
    ...     file.flush()
    ...     read_columns(file.name, ["n_layers", "loss"])["n_layers"]
    array([4., 8.])
    """
    path = Path(path)
    table = _read_table(path, separator, thousands, "models and losses")
    columns: dict[str, Any] = _numbers(path, table, {k: k for k in numbers}, decimal, thousands)
    for name, given in (names or {}).items():
        columns[name] = _names(path, table, given)
    return columns


@check_kinds
def drop_points(
    columns: Mapping[str, Any], highest: int = 0, names: Iterable[str] = ()
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Leave points out of what ``read_losses`` or ``read_runs`` returned.

    Parameters
    ----------
    columns : mapping
        Columns of equal length by name, with "loss".
    highest : int
        Leave out the points whose loss is at least the k-th highest: equal losses go together, so
        that the order of the rows does not matter. Published fits of one table differ by this
        (Besiroglu et al., arXiv 2404.10102).
    names : iterable of str
        Labels of points to leave out.

    Returns
    -------
    kept : dict
        The columns without those points.
    left_out : tuple of str
        The points left out: their labels, or else their places, with their losses.

    Raises
    ------
    ValueError
        If ``highest`` is not from 0 to less than the number of points, points have no labels, or a
        name is the label of none.

    Examples
    --------
    >>> table = {"m": np.array([8, 16, 32]), "loss": np.array([3.0, 2.0, 1.5])}
    >>> drop_points(table, highest=1)
    ({'m': array([16, 32]), 'loss': array([2. , 1.5])}, ('point 1 (loss 3)',))
    """
    if "loss" not in columns:
        raise ValueError(f'columns has no "loss": its keys are {shown(list(columns))}')
    loss = check_finite('columns["loss"]', columns["loss"])
    labels: list[str] | None = columns.get("labels")
    names = list(names)
    highest = check_integer("drop_highest", highest, 0)
    if highest >= loss.size:
        raise ValueError(
            f"drop_highest = {highest} is not allowed: there are {loss.size} points, keep some"
        )
    for name in names:
        if labels is None:
            raise ValueError(
                f"no point is named {name!r}: points have no names, give a column of labels"
            )
        if name not in labels:
            raise ValueError(
                f"names: no point is named {name!r}: there is {labels[0]!r}, for example"
            )
    keep = np.ones(loss.size, dtype=bool)
    if highest:
        keep = loss < np.sort(loss)[-highest]
        if not keep.any():
            raise ValueError(
                f"drop_highest = {highest} is not allowed: too many losses are equal, none is left"
            )
    if labels is not None:
        keep &= np.array([label not in names for label in labels])
    left_out = tuple(
        f"{f'point {k + 1}' if labels is None else labels[k]} (loss {loss[k]:.5g})"
        for k in np.flatnonzero(~keep)
    )
    kept = {
        name: values[keep] if isinstance(values, np.ndarray) else list(compress(values, keep))
        for name, values in columns.items()
    }
    return kept, left_out


def _read_table(
    path: Path, separator: str | None, thousands: str | None, what: str = "widths and losses"
) -> pd.DataFrame:
    found = read_table(path, what, separator, thousands)
    if len(found.rows) < 2:
        raise ValueError(
            f"{path} has no rows below its first line: give a CSV or TSV file of {what}"
        )
    names, *body = found.rows
    return pd.DataFrame(body, columns=list(names), index=list(found.lines[1:]), dtype=object)


def _column(path: Path, table: pd.DataFrame, name: str) -> pd.Series:
    if name not in table.columns:
        raise ValueError(
            f"{path} has no column {name!r}: its columns are {', '.join(table.columns)}"
        )
    found = table[name]
    if isinstance(found, pd.DataFrame):
        raise ValueError(f"{path} has {found.shape[1]} columns named {name!r}: rename one")
    return found


def _numbers(
    path: Path,
    table: pd.DataFrame,
    wanted: dict[str, str],
    decimal: str | None,
    thousands: str | None,
) -> dict[str, NDArray[np.float64]]:
    """Return columns of numbers, all with the same decimal sign and thousands separator."""
    texts = [list(_column(path, table, name)) for name in wanted.values()]
    columns: dict[str, NDArray[np.float64]] = {}
    read = parse_numbers(path, texts, decimal, thousands)
    for (key, name), text, values in zip(wanted.items(), texts, read, strict=True):
        for line, cell, value in zip(table.index, text, values, strict=True):
            if value is None or not math.isfinite(value):
                raise ValueError(f"{path} line {line}: {name} {cell!r} is not a finite number")
        columns[key] = np.array(values, dtype=np.float64)
    return columns


def _names(path: Path, table: pd.DataFrame, given: str) -> list[str]:
    parts = [_column(path, table, name.strip()) for name in given.split(",")]
    for name, part in zip(given.split(","), parts, strict=True):
        empty = np.flatnonzero((part == "").to_numpy())
        if empty.size:
            raise ValueError(f"{path} line {table.index[empty[0]]}: {name.strip()} is empty")
    return ["/".join(row) for row in zip(*parts, strict=True)]
