"""Progress bars: on stderr, on a terminal only, from two seconds of work on.

Use ``with progress("training") as advance:`` and call ``advance(done, total)``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PATIENCE = 2.0  # seconds


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function advance(done, total) that draws a bar with the time left.

    Examples
    --------
    >>> with progress("training") as advance:       # nothing to see: it ends at once
    ...     advance(1, 1)
    """
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

    def advance(done: int, total: int) -> None:
        bar.update(task, completed=done, total=total)
        if console.is_terminal and time.monotonic() - begun > _PATIENCE:
            bar.start()

    try:
        yield advance
    finally:
        if bar.live.is_started:  # stopping prints an empty line even where nothing was drawn
            bar.stop()
