"""Threads over the rows of a block, for compiled kernels that release the interpreter's lock.

``over_rows(rows, task)`` calls a task on slices of the rows, in threads that end with the call.
numba's own parallel loops keep an OpenMP pool alive, after which a forked child dies ("fork()
called from a process already using GNU OpenMP"), and fork is how multiprocessing starts on Linux.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np

# Slices for each thread, so that one with much work does not keep the others waiting.
_SLICES = 4


def thread_count() -> int:
    """Return how many threads to use: NUMBA_NUM_THREADS, but no more than there are cores.

    Examples
    --------
    >>> thread_count() >= 1
    True
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    config: Any = numba.config
    return max(1, min(int(config.NUMBA_NUM_THREADS), cores or 1))


def in_threads(count: int, task: Callable[[int], Any]) -> list[Any]:
    """Return ``task(0)``, …, ``task(count - 1)``, computed in threads.

    Examples
    --------
    >>> in_threads(3, lambda k: k * k)
    [0, 1, 4]
    """
    threads = min(thread_count(), count)
    if threads <= 1:
        return [task(k) for k in range(count)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(task, range(count)))


def over_rows(rows: int, task: Callable[[slice], Any]) -> Any:
    """Return the arrays, or tuples of arrays, that a task gives for slices of rows, joined.

    Examples
    --------
    >>> over_rows(5, lambda some: np.arange(5)[some] ** 2)
    array([ 0,  1,  4,  9, 16])
    """
    threads = thread_count()
    count = 1 if threads == 1 else max(1, min(_SLICES * threads, rows))
    ends = np.linspace(0, rows, count + 1).astype(int).tolist()
    found = in_threads(count, lambda k: task(slice(ends[k], ends[k + 1])))
    if isinstance(found[0], tuple):
        return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))
    return np.concatenate(found)
