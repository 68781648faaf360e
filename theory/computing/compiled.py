"""Compile kernels with numba, cached on disk where a cache can be written.

``@compiled()`` is ``numba.njit(cache=True)``, except that without a writable folder for the cache
(a container, a read-only installation) it compiles anew in each process, and says so once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numba


class UncachedWarning(UserWarning):
    """Compiled kernels cannot be kept: each process compiles its own."""


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that compiles a function with these options of ``numba.njit``.

    Examples
    --------
    >>> @compiled(fastmath=True)
    ... def double(x):
    ...     return 2 * x
    >>> double(1.5)
    3.0
    """

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError as error:
            if "cannot cache function" not in str(error):
                raise
            _say_once()
            return numba.njit(**options)(function)

    return decorate


def _say_once() -> None:
    if not _SAID:
        _SAID.append(True)
        warnings.warn(
            "no folder for compiled kernels can be written: each process compiles them anew, which "
            "takes up to a minute (set NUMBA_CACHE_DIR to a folder that can be written)",
            UncachedWarning,
            stacklevel=3,
        )


_SAID: list[bool] = []
