"""Hold BLAS and OpenMP to one thread: a result then has the same bits whatever threads there are.

Use ``with one_thread():`` around what must not depend on the caller's number of threads.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
from collections.abc import Iterator

import scipy.linalg  # noqa: F401  (numba's BLAS is its: loaded before the pools are looked for)
from threadpoolctl import ThreadpoolController


@functools.cache
def _pools(with_torch: bool) -> ThreadpoolController:
    """Return the loaded pools: looking for them takes long, and torch may bring another."""
    return ThreadpoolController()


class _OneThread:
    """How many are inside ``one_thread``, and what restores the pools after the last."""

    def __init__(self) -> None:
        self.lock, self.inside, self.limit = threading.Lock(), 0, contextlib.ExitStack()

    def enter(self) -> None:
        with self.lock:
            if self.inside == 0:
                pools = _pools("torch" in sys.modules)
                self.limit.enter_context(pools.limit(limits=1))
            self.inside += 1

    def leave(self) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                self.limit.close()


_ONE_THREAD = _OneThread()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Hold BLAS and OpenMP to one thread; the limits are the process's, so threads share them.

    Examples
    --------
    >>> with one_thread():
    ...     pass
    """
    _ONE_THREAD.enter()
    try:
        yield
    finally:
        _ONE_THREAD.leave()
