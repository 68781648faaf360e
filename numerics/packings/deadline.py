"""A time limit that compiled kernels can see: a flag in an array, which a timer sets.

A search passes ``Deadline.flag`` to the kernels, which look at it once an iteration, and asks
``Deadline.passed`` in between.
"""

from __future__ import annotations

import math
import threading
import time
from types import TracebackType

import numpy as np


class Deadline:
    """A time limit, from entering its context on; infinite if no seconds are given.

    Parameters
    ----------
    seconds : float
        Time until the flag is set, >= 0.

    Examples
    --------
    >>> with Deadline(0.0) as deadline:
    ...     deadline.passed
    True
    """

    def __init__(self, seconds: float = math.inf) -> None:
        self.seconds, self._end = seconds, math.inf
        self.flag = np.zeros(1, dtype=np.bool_)
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Deadline:
        if math.isfinite(self.seconds):
            self._end = time.monotonic() + self.seconds
            wait = min(self.seconds, threading.TIMEOUT_MAX)
            self._timer = threading.Timer(wait, self._set)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _set(self) -> None:
        self.flag[0] = True

    @property
    def left(self) -> float:
        """Seconds that are left, 0 once it has passed."""
        return max(self._end - time.monotonic(), 0.0)

    @property
    def passed(self) -> bool:
        """Whether the time is up."""
        if not self.flag[0] and time.monotonic() >= self._end:
            self._set()
        return bool(self.flag[0])


NEVER = Deadline()
