"""Arguments of public functions are of the kind that their annotations say.

``@check_kinds`` goes above a function or a method that users call. Before the call it compares
each argument that has a simple annotation: ``bool``, ``Literal[...]``, a class,
``str | Path``, an iterable, a mapping, a function, or several of these. Numbers and arrays are left
to the function, which knows what range it takes (``theory/checks.py``).
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar, Union

import numpy as np

from theory.checks import shown

# Numbers and arrays: the function itself knows their range.
UNCHECKED = (int, float, object, np.ndarray)
P = ParamSpec("P")
R = TypeVar("R")


def _is_list(value: object, entry: Any) -> bool:
    """Tell whether a value can be gone over, and its entries are of a class, where one is said."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        return False
    if getattr(value, "ndim", 1) == 0:
        return False
    known = isinstance(entry, type) and entry is not Any and entry not in UNCHECKED
    # What can be gone over only once is left to the function.
    return not (known and isinstance(value, Sized)) or all(isinstance(e, entry) for e in value)


def _members(hint: Any) -> Iterator[Any]:
    """Yield what a union allows; a hint of one kind is a union of one."""
    if typing.get_origin(hint) in (Union, types.UnionType):
        for member in typing.get_args(hint):
            yield from _members(member)
    else:
        yield hint


def _kind(hint: Any) -> tuple[str, Callable[[object], bool]] | None:
    """Return the words for a hint and a function that tells its values, or ``None`` if unknown."""
    origin = typing.get_origin(hint) or hint
    if hint is None or hint is type(None):
        return "None", lambda value: value is None
    if hint is bool:
        return "True or False", lambda value: isinstance(value, bool | np.bool_)
    if hint is str:
        return "a string", lambda value: isinstance(value, str)
    if hint is Path:
        return "a path", lambda value: isinstance(value, os.PathLike)
    if origin is Literal:
        choices = typing.get_args(hint)
        *most, last = map(repr, choices)
        words = f"{', '.join(most)} or {last}" if most else last
        return words, lambda value: any(type(value) is type(c) and value == c for c in choices)
    if hint is Any or not isinstance(origin, type) or origin in UNCHECKED:
        return None
    if origin.__module__.startswith("numpy.") and origin is not np.random.Generator:
        return None  # a part of ArrayLike
    if origin.__module__ == "collections.abc":
        if issubclass(origin, Mapping):
            return "a mapping", lambda value: isinstance(value, Mapping)
        if origin.__name__ == "Callable":
            return "a function", callable
        entry = (typing.get_args(hint) or (Any,))[0]
        if entry is Any:
            return None
        return ("a list of strings" if entry is str else "a list"), lambda v: _is_list(v, entry)
    if getattr(origin, "_is_protocol", False):
        return None
    if origin.__name__ == "Features":
        return None  # as_features says what to make of other values
    article = "an" if origin.__name__[0] in "AEIOU" else "a"
    return f"{article} {origin.__name__}", lambda value: isinstance(value, origin)


@functools.cache
def _checks(function: Callable[..., Any]) -> dict[str, tuple[Any, str, tuple[Any, ...]]]:
    """Return, for each argument of a simple kind, its hint, the words for it and what tells it."""
    known = {}
    scope = {**vars(typing), **vars(sys.modules[function.__module__])}
    for name, parameter in inspect.signature(function).parameters.items():
        hint = parameter.annotation
        if (
            parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            or hint is parameter.empty
        ):
            continue
        try:
            hint = eval(hint, scope) if isinstance(hint, str) else hint
        except NameError:  # imported for types only: looked at by the function itself
            continue
        kinds = [_kind(member) for member in _members(hint)]
        if kinds and all(kinds):
            words, tests = zip(*(kind for kind in kinds if kind), strict=True)
            *most, last = dict.fromkeys(words)
            known[name] = hint, f"{', '.join(most)} or {last}" if most else last, tests
    return known


def check_kinds(function: Callable[P, R]) -> Callable[P, R]:
    """Compare the arguments of a call with the annotations of the function.

    Raises
    ------
    TypeError
        If an argument is of another kind.
    ValueError
        If an argument that is one of some names is another name.

    Examples
    --------
    >>> @check_kinds
    ... def double(name: str, twice: bool = True, kind: Literal["a", "b"] = "a") -> str:
    ...     return name * (2 if twice else 1)
    >>> double("x")
    'xx'
    >>> double("x", twice=1)
    Traceback (most recent call last):
        ...
    TypeError: twice = 1 is not allowed: give True or False
    >>> double("x", kind="c")
    Traceback (most recent call last):
        ...
    ValueError: kind = 'c' is not allowed: give 'a' or 'b'
    """
    names = tuple(inspect.signature(function).parameters)

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        checks = _checks(function)
        for name, value in (*zip(names, args, strict=False), *kwargs.items()):
            if name in checks:
                hint, words, tests = checks[name]
                if not any(test(value) for test in tests):
                    one_of = any(typing.get_origin(one) is Literal for one in _members(hint))
                    wrong = ValueError if one_of else TypeError
                    raise wrong(f"{name} = {shown(value)} is not allowed: give {words}")
        return function(*args, **kwargs)

    return checked
