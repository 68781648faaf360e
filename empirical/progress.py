"""Progress on stderr: a bar on a terminal, from two seconds of work on, elsewhere text.

A pipe or a log file gets a line every half minute, a notebook one line that is written anew.

A function that takes ``progress`` calls ``report(progress, "training")``: True shows progress, a
function of (done, total) is called instead, False does neither.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[int, int], None]

_DELAY = 2.0  # seconds of work before a bar is shown
_EVERY = 30.0  # seconds from a line to the next
_ANEW = 1.0  # seconds after which the line of a notebook is written anew


class _Text:
    """Progress where there is no terminal."""

    def __init__(self, notebook: bool) -> None:
        self._notebook = notebook
        self._begun = self._shown = time.monotonic()
        self._length = 0

    def tell(self, text: str) -> None:
        """Write a text with the time since the start, unless the last was written just now."""
        now = time.monotonic()
        if now - self._shown < (_ANEW if self._notebook else _EVERY):
            return
        self._shown = now
        line = f"{text} after {now - self._begun:.0f} s"
        if self._notebook:
            line, self._length = f"\r{line:{self._length}}", len(line)
        else:
            line += "\n"
        sys.stderr.write(line)
        sys.stderr.flush()

    def end(self) -> None:
        """End the line of a notebook."""
        if self._length:
            sys.stderr.write("\n")


@contextmanager
def report(progress: bool | Report, label: str) -> Iterator[Report]:
    """Yield a function of (done, total) that reports as ``progress`` says.

    Examples
    --------
    >>> with report(print, "training") as advance:
    ...     advance(1, 2)
    1 2
    """
    if not isinstance(progress, bool):
        yield progress
        return
    if not progress:
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task(label, total=None)
    begun = time.monotonic()
    text = _Text(console.is_jupyter)

    def advance(done: int, total: int) -> None:
        if not console.is_terminal:
            text.tell(f"{label}: {done} of {total}" if total else f"{label}: {done}")
            return
        bar.update(task, completed=done, total=total)
        if time.monotonic() - begun > _DELAY:
            bar.start()

    try:
        yield advance
    finally:
        text.end()
        if bar.live.is_started:  # stopping prints an empty line even where nothing was drawn
            bar.stop()


@contextmanager
def report_rounds(label: str) -> Iterator[Callable[[int], None]]:
    """Yield a function of the rounds done, for work of which nobody knows how many it takes.

    Shows them with the time on a terminal, also while the first round lasts; elsewhere as text.

    Examples
    --------
    >>> with report_rounds("solving") as advance:
    ...     advance(1)
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        lines = _Text(console.is_jupyter)
        try:
            yield lambda rounds: lines.tell(f"{label}: {rounds} rounds")
        finally:
            lines.end()
        return
    text = TextColumn("{task.description}: {task.completed} rounds")
    bar = Progress(SpinnerColumn(), text, TimeElapsedColumn(), console=console, transient=True)
    task = bar.add_task(label)
    timer = threading.Timer(_DELAY, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda rounds: bar.update(task, completed=rounds)
    finally:
        timer.cancel()
        timer.join()
        if bar.live.is_started:
            bar.stop()
