"""Progress on stderr: a bar on a terminal, from two seconds of work on, elsewhere lines.

A pipe, a log file or a notebook gets a line every half minute.

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
    begun = shown = time.monotonic()

    def advance(done: int, total: int) -> None:
        nonlocal shown
        now = time.monotonic()
        bar.update(task, completed=done, total=total)
        if console.is_terminal:
            if now - begun > _DELAY:
                bar.start()
        elif now - shown >= _EVERY:
            shown = now
            sys.stderr.write(f"{label}: {done} of {total} after {now - begun:.0f} s\n")

    try:
        yield advance
    finally:
        if bar.live.is_started:  # stopping prints an empty line even where nothing was drawn
            bar.stop()


@contextmanager
def report_rounds(label: str) -> Iterator[Callable[[int], None]]:
    """Yield a function of the rounds done, for work of which nobody knows how many it takes.

    Shows them with the time on a terminal, also while the first round lasts.

    Examples
    --------
    >>> with report_rounds("solving") as advance:
    ...     advance(1)
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda rounds: None
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
