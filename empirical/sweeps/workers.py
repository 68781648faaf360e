"""Processes of this machine that train: they leave Ctrl-C to their parent and end with it.

``start_processes(count)`` returns an executor; within ``ending_processes()`` an exception
terminates the processes that were started there. They do not run the caller's script again, so that
a script needs no ``if __name__ == "__main__":``.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.machinery import ModuleSpec
from multiprocessing.context import SpawnContext, SpawnProcess

_STARTING = threading.Lock()

MOST_WORKERS = 4096  # processes of one sweep


def count_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Pool(ProcessPoolExecutor):
    """Processes of this machine, which can be ended before their tasks are."""

    def end(self) -> None:
        """Terminate the processes and wait until nothing of the pool is left.

        Its own thread closes the pipes to the processes. Where it goes on after an exception, it
        races with whatever the caller does next.
        """
        for process in list((self._processes or {}).values()):
            process.terminate()
        self.shutdown(cancel_futures=True)


def start_processes(count: int) -> Pool:
    """Return an executor with ``count`` processes."""
    return Pool(count, _Context(), initializer=_prepare, initargs=(os.getpid(),))


class _Process(SpawnProcess):
    """A process that imports the modules of its tasks, and not the ``__main__`` of its parent.

    A spawned process runs the parent's script again, under another name, so that functions defined
    there can be found. Ours are defined in modules, and a script without a guard would start its
    sweep again in every process. The parent says by ``__main__.__spec__`` what is to be run; a
    module called "__main__" never is (``multiprocessing.spawn``).
    """

    def start(self) -> None:
        main = sys.modules["__main__"]
        with _STARTING:  # two threads may start processes: the second must not keep our name
            spec = getattr(main, "__spec__", None)
            main.__spec__ = ModuleSpec("__main__", None)
            try:
                super().start()
            finally:
                main.__spec__ = spec


class _Context(SpawnContext):
    """Spawns: forking a process that has used threads can hang."""

    Process = _Process


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
    os.environ["SUPERSCALE_WORKER"] = "1"  # it does not say that it compiles

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
