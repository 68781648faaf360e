"""What a command shows and writes: tables for people, JSON and CSV for machines, figures.

A command calls ``check_outputs`` before the work, ``write_outputs``, ``show_for_machines`` and
``show_table`` after it.
"""

from __future__ import annotations

import io
import json
import math
import os
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from superscale.commands.terminal import as_shown, lay_out, line_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from empirical.comparisons.comparison import Comparison

FIGURES = (".png", ".svg", ".pdf")
DATA = (".csv", ".json")


def check_outputs(paths: Iterable[Path], allowed: tuple[str, ...] = FIGURES + DATA) -> None:
    """Refuse, before any work, a path that cannot be written or whose ending is not known.

    Examples
    --------
    >>> check_outputs([Path("result.docx")])
    Traceback (most recent call last):
        ...
    ValueError: cannot write result.docx: give a name that ends in .png, .svg, .pdf, .csv, .json
    """
    from numerics.files import check_writable

    for path in paths:
        if path.suffix.lower() not in allowed:
            raise ValueError(f"cannot write {path}: give a name that ends in {', '.join(allowed)}")
        check_writable(path)


def write_outputs(paths: Iterable[Path], result: Any, record: Mapping[str, Any]) -> None:
    """Write a result to each path: a figure by its ``plot``, CSV by its table, JSON by record."""
    from numerics.files import write_atomically

    figure = None
    for path in paths:
        suffix = path.suffix.lower()
        if suffix == ".json":
            data = to_json(record).encode()
        elif suffix == ".csv":
            data = result.to_dataframe().to_csv(index=False).encode()
        else:
            figure = figure or draw(result)
            data = save_figure(figure, suffix)
        write(path, partial(write_atomically, data=data))


def write(path: Path, save: Callable[[Path], None]) -> None:
    """Write a file by ``save(path)``; where that fails, keep it in the temporary folder."""
    try:
        save(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        kept = Path(tempfile.gettempdir()) / f"superscale-{os.getpid()}-{path.name}"
        try:
            save(kept)
        except (OSError, ValueError):
            raise OSError(f"cannot write {path}, nor {kept}: {reason}") from None
        raise OSError(f"cannot write {path}: {reason}; what it should hold is in {kept}") from None
    print(f"wrote {path}", file=sys.stderr)


def draw(result: Any) -> Figure:
    """Draw a result by its ``plot``, in a figure that needs no display and no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from theory.figures.style import SIZE

    panels = len(getattr(result, "panels", ())) or 1
    figure = Figure(figsize=(SIZE[0] * panels**0.85, SIZE[1]), layout="constrained")
    FigureCanvasAgg(figure)
    result.plot(figure.add_subplot() if panels == 1 else figure.subplots(1, panels))
    return figure


def save_figure(figure: Figure, suffix: str) -> bytes:
    """Return a figure in the format of a file ending."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix.lstrip("."), dpi=150)
    return buffer.getvalue()


def to_json(record: Mapping[str, Any]) -> str:
    """Return one JSON object; numbers that are not finite become null.

    Examples
    --------
    >>> print(to_json({"loss": float("nan"), "m": [1]}))
    {
      "loss": null,
      "m": [
        1
      ]
    }
    """
    return json.dumps(_plain(record), indent=2, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def show_for_machines(json: bool, csv: bool, record: Mapping[str, Any], result: Any) -> bool:
    """Print JSON or CSV, if either is wanted; return whether it was."""
    if json:
        print_data(to_json(record) + "\n")
    elif csv:
        print_data(result.to_dataframe().to_csv(index=False))
    return json or csv


def print_data(text: str) -> None:
    """Print what a program reads: in UTF-8, whatever the encoding of a pipe."""
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None or sys.stdout.isatty():
        print(text, end="")
    else:
        sys.stdout.flush()
        buffer.write(text.encode())


def show_table(
    title: str,
    columns: list[str],
    rows: Iterable[Iterable[str]],
    justify: Literal["left", "right"] = "right",
    lead: int = 1,
) -> None:
    """Print a table for people; where it is too wide, several, each with its first columns."""
    width = line_width()
    lines = lay_out(columns, [list(row) for row in rows], width, lead, justify)
    titles = textwrap.wrap(as_shown(title), width)
    print("\n".join([*titles, *[""] * bool(titles), *lines, ""]))


def show_undefined(names: Iterable[str]) -> None:
    """Say beneath a table why theories have a dash in it."""
    from theory.registry import THEORIES

    reasons = {one.name: one.undefined for one in THEORIES}
    for name in names:
        if reasons.get(name):
            say(f"–: {name}: {reasons[name]}")


def say(text: str) -> None:
    """Print a line of text beneath a table, wrapped to the terminal."""
    print("\n".join(textwrap.wrap(as_shown(text), line_width(), break_on_hyphens=False)))


def number(value: float | None, digits: int = 4) -> str:
    """Write a number for a table; a dash where there is none.

    Examples
    --------
    >>> number(0.123456), number(float("nan")), number(float("inf"))
    ('0.1235', '–', 'inf')
    """
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}g}"


def with_error(value: float | None, stderr: float, digits: int = 4) -> str:
    """Write a number, and its standard error where that is known (not NaN).

    Examples
    --------
    >>> with_error(0.91013, 0.0591), with_error(0.91013, float("nan"))
    ('0.9101 ± 0.059', '0.9101')
    """
    error = "" if math.isnan(stderr) else f" ± {number(stderr, 2)}"
    return number(value, digits) + error


def show_comparison(comparison: Comparison) -> None:
    """Print a comparison for people: settings that do not vary go into the title."""
    rows = comparison.rows
    theories = comparison.theories
    varying: dict[str, list[Any]] = {
        "curve": [row.curve for row in rows],
        "m": [row.m for row in rows],
        "density": [row.density for row in rows],
        "alpha": [row.alpha for row in rows],
    }
    fixed = {name: values[0] for name, values in varying.items() if len(set(values)) == 1}
    lead = [name for name in varying if name not in fixed or name == comparison.x]
    # Of the details, those that say something here.
    details = [
        name
        for name in (rows[0].details if rows else ())
        if any(row.details[name] not in (0.0, 1.0) for row in rows)
    ]
    body = []
    for k, row in enumerate(rows):
        cells = [
            str(value) if isinstance(value, (str, int)) else number(value)
            for value in (varying[name][k] for name in lead)
        ]
        cells += [number(row.predicted.get(name)) for name in theories]
        cells.append(with_error(row.measured, row.stderr))
        cells += [number(row.ratio(x) if x in row.predicted else None, 3) for x in theories]
        cells += [number(row.details[name], 3) for name in details]
        body.append(cells)
    title = ", ".join(
        str(value) if name == "curve" else f"{name} = {value:g}"
        for name, value in fixed.items()
        if value is not None and name != comparison.x
    )
    heads = [*lead, *theories, f"measured {comparison.quantity}".replace("_", " ")]
    heads += [f"measured/{name}" for name in theories]
    details = [name.replace("_", " ") for name in details]
    show_table(title, [*heads, *details], body, lead=len(lead))
    show_undefined(
        name
        for name in theories
        if any(math.isnan(row.predicted.get(name, math.nan)) for row in rows)
    )
    for curve, fits in comparison.exponents.items():
        shown = ", ".join(f"{name} {fit}" for name, fit in fits.items())
        say(f"exponents, {curve}: {shown}")
    for note in comparison.notes:
        say(f"note: {note}")
    if comparison.finding:
        say(comparison.finding)
