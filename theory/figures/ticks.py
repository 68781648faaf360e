"""Ticks of logarithmic axes that can be read, over a fraction of a decade as over twenty.

Matplotlib's own labels overlap over less than a decade. ``set_logarithmic`` makes one axis
logarithmic, with these.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib import ticker

# Numbers of each decade that have ticks: the first that gives enough ticks is taken.
_STEPS = ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7))
_FEWEST = 3  # ticks, below which equal steps are taken
_MOST = 7  # decades with a label each
_PLAIN = (0.999e-3, 1e5)  # between these, numbers are written out


class LogTicks(ticker.Locator):
    """Ticks at round numbers, about three to seven of them."""

    def __call__(self) -> Any:
        """Return the ticks of the axis."""
        axis: Any = self.axis
        return self.tick_values(*axis.get_view_interval())

    def tick_values(self, vmin: float, vmax: float) -> Any:
        """Return the ticks between two numbers, as an array.

        Examples
        --------
        >>> LogTicks().tick_values(10, 100).tolist()
        [10.0, 20.0, 50.0, 100.0]
        >>> LogTicks().tick_values(30, 42).tolist()
        [30.0, 32.0, 34.0, 36.0, 38.0, 40.0, 42.0]
        """
        low, high = sorted((vmin, vmax))
        if not (low > 0 and math.isfinite(high)):
            return np.array([])
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        stride = max(1, math.ceil((last - first) / _MOST))
        decades = range(first - first % stride, last + 1, stride)
        # Labels such as 2×10⁻⁵ are wide: two of them do.
        fewest = _FEWEST if _PLAIN[0] <= low and high < _PLAIN[1] else _FEWEST - 1
        for steps in _STEPS:
            ticks = _within([k * 10.0**d for d in decades for k in steps], low, high)
            if ticks.size >= fewest:
                return ticks
        equal = ticker.MaxNLocator(6, steps=[1, 2, 2.5, 5, 10])
        return _within(equal.tick_values(low, high), low, high)


def _within(ticks: Any, low: float, high: float) -> Any:
    ticks = np.asarray(ticks, dtype=float)
    return ticks[(ticks >= low * (1 - 1e-9)) & (ticks <= high * (1 + 1e-9))]


class LogNumbers(ticker.Formatter):
    """Labels of ``LogTicks``: all written out, or all as powers of ten."""

    _ticks: tuple[float, ...] = ()

    def format_ticks(self, values: Any) -> list[str]:
        """Return the labels of all ticks."""
        self._ticks = tuple(float(value) for value in values)
        return [self(value) for value in values]

    def __call__(self, x: float, pos: Any = None) -> str:
        """Return the label of a tick."""
        shown = [value for value in self._ticks if value > 0] or [x]
        if _PLAIN[0] <= min(shown) and max(shown) < _PLAIN[1]:
            return f"{x:.6g}"
        return power_of_ten(x)


def power_of_ten(x: float) -> str:
    r"""Return a positive number as a power of ten, in mathtext.

    Examples
    --------
    >>> power_of_ten(1e-5), power_of_ten(2e-5)
    ('$10^{-5}$', '$2{\\times}10^{-5}$')
    """
    exponent = math.floor(math.log10(x) + 1e-9)
    factor = x / 10.0**exponent
    front = "" if abs(factor - 1) < 1e-6 else rf"{factor:.3g}{{\times}}"
    return f"${front}10^{{{exponent}}}$"


def set_logarithmic(ax: Any, axis: str) -> None:
    """Make the "x" or "y" axis logarithmic, with readable ticks."""
    if axis == "x":
        ax.set_xscale("log")
    else:
        ax.set_yscale("log")
    scale = ax.xaxis if axis == "x" else ax.yaxis
    scale.set_major_locator(LogTicks())
    scale.set_major_formatter(LogNumbers())
    scale.set_minor_locator(ticker.LogLocator(subs="auto", numticks=50))
    scale.set_minor_formatter(ticker.NullFormatter())
