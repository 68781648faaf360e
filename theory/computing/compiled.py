"""Compile kernels with numba, cached on disk where a cache can be written.

``@compiled()`` is ``numba.njit(cache=True, error_model="numpy")``, except that without a writable
folder for the cache (a container, a read-only installation) it compiles anew in each process, and
says so once.

What a user waits for at the first use is mostly Python: numba types each operation and writes its
intermediate code. So kernels are loops over numbers: an expression of arrays, a slice that is
assigned, ``np.sum`` or complex arithmetic brings in library code that takes longer to compile than
the loop; so do ``np.sort``, ``np.searchsorted``, draws of a random generator and products that
allocate their result. What a common case does not need depends on an argument that is None: numba
leaves out the branch. A part that is given a literal number is compiled for each of them. A
function whose name begins with an underscore is called by kernels only, and gets no entry point for
callers from Python or C. Where sums may be reordered (``fastmath``) it is inlined: a call could
reach one of two compiled copies, which differ in the last digit, and which one it is depends on
whether the kernel was compiled or loaded.

When kernels are compiled rather than loaded, and that takes more than a second, a line on stderr
says so, once a process.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numba
from numba.core import event
from numba.core.registry import CPUDispatcher

# Seconds of compilation before it is said.
_DELAY = 1.0
# The packages whose kernels are ours.
_OURS = ("theory", "numerics", "empirical")
# Processes that work for another one say nothing.
_QUIET = "SUPERSCALE_WORKER"


class UncachedWarning(UserWarning):
    """Compiled kernels cannot be kept: each process compiles its own."""


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that compiles a function with these options of ``numba.njit``.

    A division by zero gives infinity or nan, as in numpy. A function whose name begins with an
    underscore is compiled only as a part of kernels; called from Python it runs uncompiled.

    Examples
    --------
    >>> @compiled(fastmath=True)
    ... def double(x):
    ...     return 2 * x
    >>> double(1.5)
    3.0
    """
    options = {"error_model": "numpy", "no_cfunc_wrapper": True} | options

    def decorate(function: Callable[..., Any]) -> Any:
        if not function.__name__.startswith("_"):
            return _compile(function, options)
        part_of = {"no_cpython_wrapper": True, "forceinline": bool(options.get("fastmath"))}
        part = _compile(function, options | part_of)
        if isinstance(part, CPUDispatcher):  # not so with NUMBA_DISABLE_JIT
            part.__class__ = _Part
        return part

    return decorate


def _compile(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError as error:
        if "cannot cache function" not in str(error):
            raise
        _say_once()
        return numba.njit(**options)(function)


class _Part(CPUDispatcher):
    """A part of kernels: it has no compiled entry point to call from Python."""

    def __call__(self, *arguments: Any) -> Any:
        return self.py_func(*arguments)


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


class _CompilationLine(event.Listener):
    """Writes one line when kernels of ours take more than a moment to compile."""

    def __init__(self) -> None:
        self._depth, self._spent, self._begun, self._said = 0, 0.0, 0.0, False

    def on_start(self, event: Any) -> None:
        module = str(event.data["dispatcher"].py_func.__module__).partition(".")[0]
        if module not in _OURS and not self._depth:
            return
        if not self._depth:
            self._begun = time.monotonic()
        self._depth += 1

    def on_end(self, event: Any) -> None:
        if not self._depth:
            return
        self._depth -= 1
        now = time.monotonic()
        if now - self._begun + self._spent > _DELAY:
            self._say()
        if not self._depth:
            self._spent += now - self._begun

    def _say(self) -> None:
        if self._said or _QUIET in os.environ:
            return
        self._said = True
        sys.stderr.write(
            "superscale: compiling kernels for this machine, once after installation (seconds)\n"
        )
        sys.stderr.flush()


event.register("numba:compile", _CompilationLine())  # type: ignore[no-untyped-call]
