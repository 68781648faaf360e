"""Processes of this machine that train: they leave Ctrl-C to their parent and end with it.

``start_processes(count)`` returns an executor; within ``ending_processes()`` an exception
terminates the processes that were started there. Scripts must call what uses them under
``if __name__ == "__main__":``.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor


def count_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start_processes(count: int) -> ProcessPoolExecutor:
    """Return an executor with ``count`` processes."""
    # Forking a process that has used threads can hang: spawn.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, context, initializer=_prepare, initargs=(os.getpid(),))


@contextlib.contextmanager
def ending_processes() -> Iterator[None]:
    """Terminate the processes started within, and no others, when an exception ends it."""
    others = set(multiprocessing.active_children())
    try:
        yield
    except BaseException:
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise


def _prepare(parent: int) -> None:
    """Leave Ctrl-C to the parent, which stops its workers; end with it if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
