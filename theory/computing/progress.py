"""Progress of a solver on stderr, without a library: one line that is rewritten on a terminal.

``show_progress("predicting")`` yields a function of the text to show. A terminal shows it from two
seconds of work on, with the time; a pipe, a log file or a notebook gets a line every half minute.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_DELAY = 2.0  # seconds of work before anything is shown
_TICK = 0.5  # seconds from one rewriting of the line to the next
_EVERY = 30.0  # seconds from a line to the next where there is no terminal


class _Line:
    """The line: ``text`` is what is to be shown, written by a thread of its own."""

    def __init__(self, text: str) -> None:
        self.text, self._begun, self._shown = text, time.monotonic(), 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        terminal = bool(getattr(sys.stderr, "isatty", bool)())
        wait = _DELAY if terminal else _EVERY
        while not self._done.wait(wait):
            shown = f"{self.text} after {time.monotonic() - self._begun:.0f} s"
            if terminal:
                sys.stderr.write("\r" + shown.ljust(self._shown))
                self._shown, wait = len(shown), _TICK
            else:
                sys.stderr.write(shown + "\n")
            sys.stderr.flush()

    def stop(self) -> None:
        self._done.set()
        self._thread.join()
        if self._shown:
            sys.stderr.write("\r" + " " * self._shown + "\r")
            sys.stderr.flush()


@contextmanager
def show_progress(text: str) -> Iterator[Callable[[object], None]]:
    """Yield a function that takes what is to be shown now; its ``str`` is written.

    Examples
    --------
    >>> with show_progress("predicting") as show:
    ...     show("solving mean_field at m = 25")
    """
    line = _Line(text)

    def show(now: object) -> None:
        line.text = str(now)

    try:
        yield show
    finally:
        line.stop()
