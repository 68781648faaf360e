"""Limit BLAS and OpenMP to one thread, so that results do not depend on the number of threads.

``with one_thread():`` goes around computations whose bits must not depend on the caller's setting,
and around products of small matrices, where the threads of several processes wait for each other.
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
    """Return the loaded thread pools, once: a search is slow. Loading torch may add another."""
    return ThreadpoolController()


class _OneThread:
    """Number of callers inside ``one_thread``; the limits are lifted when the last one leaves."""

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
    """Limit BLAS and OpenMP to one thread; the limit holds for the whole process.

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
