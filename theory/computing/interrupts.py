"""Hold Ctrl-C back while a compiled kernel takes a random generator.

``with interrupts_held():`` goes around a call of a compiled kernel that takes a
``numpy.random.Generator``. numba reads the generator by Python code and does not look for an
exception: a KeyboardInterrupt there is a segmentation fault.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold back SIGINT inside, and pass it on to its handler when the block ends.

    Nothing is changed in other threads than the main one, where Python raises no KeyboardInterrupt,
    nor where SIGINT has no handler written in Python.

    Examples
    --------
    >>> with interrupts_held():
    ...     pass
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):
        yield
        return
    held: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: held.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if held:
            handler(*held[-1])
