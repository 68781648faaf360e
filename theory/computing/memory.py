"""How much memory the machine has, and the refusal of sizes that need more.

``check_memory("batch = 1000000000", needed, "give a smaller batch")`` is called before arrays of
``needed`` bytes in all are made: the system may end a process that asks for too much without a
word.
"""

from __future__ import annotations

import os
from pathlib import Path

_USABLE = 0.8  # the rest is left to the system and to other programs
_UNKNOWN = 16 * 2**30
_ALWAYS = 2**24  # every machine has that: nothing is read to see it


def total_memory() -> int:
    """Return the bytes of memory of the machine, or of the container if that has less.

    Examples
    --------
    >>> total_memory() > 2**20
    True
    """
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # the system does not say
        memory = _UNKNOWN
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except (OSError, ValueError):
        return memory
    return min(memory, int(limit)) if limit.isdigit() else memory


def check_memory(what: str, needed: float, advice: str) -> None:
    """Refuse a size for which the machine has too little memory.

    Examples
    --------
    >>> check_memory("n = 10", 80, "give a smaller n")
    >>> check_memory("n = 10^9", 8e18, "give a smaller n")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: n = 10^9 needs about 7.45e+09 GiB of memory and this machine has ... GiB, of which \
80 % may be used: give a smaller n
    """
    if needed <= _ALWAYS:
        return
    memory = total_memory()
    if needed > _USABLE * memory:
        raise ValueError(
            f"{what} needs about {needed / 2**30:.3g} GiB of memory and this machine has "
            f"{memory / 2**30:.3g} GiB, of which {100 * _USABLE:.0f} % may be used: {advice}"
        )
