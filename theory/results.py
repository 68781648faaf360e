"""What results have in common: read-only values, a short text, a table in notebooks, true copies.

``result`` goes under ``dataclass``; it adds methods and no base class. ``short_table`` makes the
part of a data frame that fits a terminal.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from theory.checks import read_only

T = TypeVar("T")
Key = TypeVar("Key")
Value = TypeVar("Value", covariant=True)

WIDTH, LINES = 100, 25  # of a terminal that a text fits
_ROWS = 16  # rows of a table that leave room for a headline and notes
_HTML_ROWS = 30  # rows of a table in a notebook
_ITEMS = 4  # entries of a tuple or a mapping that are shown


class ReadOnlyMapping(Mapping[Key, Value]):
    """A mapping that cannot be changed and, unlike a mappingproxy, can be pickled and copied.

    Examples
    --------
    >>> ReadOnlyMapping({"a": 1})["a"]
    1
    """

    __slots__ = ("_entries",)

    def __init__(self, entries: Mapping[Key, Value]) -> None:
        self._entries: dict[Key, Value] = {key: frozen(entries[key]) for key in entries}

    def __getitem__(self, key: Key) -> Value:
        return self._entries[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return repr(self._entries)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._entries,)


def frozen(value: Any) -> Any:
    """Return the value with its arrays, lists and mappings read-only.

    Examples
    --------
    >>> frozen({"a": [1, 2]})
    {'a': (1, 2)}
    """
    if isinstance(value, np.ndarray):
        return read_only(value)
    if isinstance(value, dict | MappingProxyType):
        return ReadOnlyMapping(value)
    if type(value) in (list, tuple):
        return tuple(frozen(entry) for entry in value)
    return value


def same(a: Any, b: Any) -> bool:
    """Tell whether two results, or two values of their fields, agree in type and content.

    NaN equals NaN here: a copy equals what it was copied from.

    Examples
    --------
    >>> same((1, np.array([np.nan])), (1, np.array([np.nan])))
    True
    """
    if isinstance(a, Mapping):
        return isinstance(b, Mapping) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    if isinstance(a, pd.DataFrame | pd.Series):
        return bool(a.equals(b))
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and math.isnan(a):
        return math.isnan(b)
    return bool(a == b)


def result(cls: type[T]) -> type[T]:
    """Give a frozen dataclass what every result has; goes below ``@dataclass(frozen=True)``.

    - Arrays, lists and mappings in its fields become read-only, and stay so in a copy or when
      unpickled.
    - ``repr`` is ``str``: that of the class, or its fields in short, arrays by their shape. It fits
      a terminal: long lines are broken, and what is too many of them left out.
    - In a notebook, a class that has ``to_dataframe`` shows that table.
    - Two are equal if their fields are.

    What the class itself defines stays.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... @result
    ... class Losses:
    ...     m: int
    ...     loss: np.ndarray
    >>> losses = Losses(2, np.zeros(3))
    >>> losses
    Losses(m=2, loss=<array of 3>)
    >>> losses.loss.flags.writeable
    False
    """
    own = vars(cls)
    finish = own.get("__post_init__")

    def __post_init__(self: Any) -> None:
        if finish is not None:
            finish(self)
        _freeze(self, vars(self))

    write = own.get("__str__") or own.get("__repr__") or _show_fields

    def text(self: Any) -> str:
        return _fit_terminal(write(self))

    methods: dict[str, Any] = {
        "__post_init__": __post_init__,
        "__setstate__": _freeze,
        "__str__": text,
        "__repr__": text,
    }
    if "__eq__" not in own:
        methods |= {"__eq__": _equal, "__hash__": _hash}
    if hasattr(cls, "to_dataframe") and "_repr_html_" not in own:
        methods["_repr_html_"] = _show_html
    for name, method in methods.items():
        setattr(cls, name, method)
    return cls


def short_table(frame: pd.DataFrame, rows: int = _ROWS, **options: Any) -> str:
    """Return a data frame as text that fits a terminal.

    Rows and columns from the middle give way to dots.

    Parameters
    ----------
    frame
        The table, of which the index is left out.
    rows
        How many rows are shown at most.
    options
        Passed to ``DataFrame.to_string``.

    Examples
    --------
    >>> print(short_table(pd.DataFrame({"m": range(100)}), rows=4))
     m
     0
     1
    ..
    98
    99
    """
    for columns in range(max(frame.shape[1], 1), 0, -1):
        text = str(frame.to_string(index=False, max_rows=rows, max_cols=columns, **options))
        if max(map(len, text.splitlines())) <= WIDTH:
            break
    return text


def _fit_terminal(text: str) -> str:
    lines = [
        part
        for line in text.splitlines()
        for part in (
            [line]
            if len(line) <= WIDTH
            else textwrap.wrap(line, WIDTH, subsequent_indent="    ", break_on_hyphens=False)
        )
    ]
    if len(lines) > LINES:
        lines[LINES - 1 :] = [f"… {len(lines) - LINES + 1} lines more"]
    return "\n".join(lines)


def _freeze(self: Any, state: Mapping[str, Any]) -> None:
    for name, value in [*state.items()]:
        object.__setattr__(self, name, frozen(value))


def _equal(self: Any, other: Any) -> Any:
    if type(self) is not type(other):
        return NotImplemented
    names = (field.name for field in fields(self) if field.compare)
    return all(same(getattr(self, name), getattr(other, name)) for name in names)


def _hash(self: Any) -> int:
    values = (getattr(self, field.name) for field in fields(self) if field.compare)
    return hash((type(self), *(value for value in values if isinstance(value, int | str))))


def _show_html(self: Any) -> str:
    return str(self.to_dataframe().to_html(index=False, max_rows=_HTML_ROWS))


def _show_fields(self: Any) -> str:
    shown = (f"{field.name}={_show_value(getattr(self, field.name))}" for field in fields(self))
    return f"{type(self).__name__}({', '.join(shown)})"


def _show_value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, np.ndarray):
        return f"<array of {' × '.join(map(str, value.shape))}>"
    if isinstance(value, tuple | Mapping) and len(value) > _ITEMS:
        return f"<{len(value)} entries>"
    if isinstance(value, tuple):
        return f"({', '.join(map(_show_value, value))}{',' * (len(value) == 1)})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key!r}: {_show_value(value[key])}' for key in value)}}}"
    text = repr(value) if isinstance(value, str) else str(value)
    if is_dataclass(value) or isinstance(value, pd.DataFrame):
        return text if len(text) <= WIDTH // 2 else f"<{type(value).__name__}>"
    return textwrap.shorten(text, WIDTH // 2, placeholder=" …")
