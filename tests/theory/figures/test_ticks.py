"""Ticks of logarithmic axes: enough of them, at round numbers, and none over another."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from theory.figures.style import finish, open_axes
from theory.figures.ticks import LogTicks, power_of_ten

RANGES = [
    (30, 42),
    (10, 100),
    (8, 1024),
    (0.3, 0.9),
    (1e-5, 3),
    (1e-12, 1e3),
    (2e-5, 9e-5),
    (1, 1e9),
]


@pytest.mark.parametrize("ends", RANGES)
@pytest.mark.parametrize("size", [(6.4, 4.4), (3.2, 2.6)])
def test_labels_do_not_overlap(ends, size, overlapping_labels):
    ax = open_axes(Figure(figsize=size, layout="constrained").add_subplot())
    ax.plot(ends, ends)
    finish(ax, "x", "y", log="xy", legend=False)
    for axis in "xy":
        bad, count = overlapping_labels(ax, axis)
        assert not bad and 2 <= count <= 10, (axis, bad, count)


def test_the_default_labels_do_overlap(overlapping_labels):
    """A control: without the style, labels over less than a decade lie over each other."""
    ax = Figure(figsize=(3.2, 2.6)).add_subplot()
    ax.plot((2e-5, 9e-5), (1, 2))
    ax.set_xscale("log")
    assert overlapping_labels(ax, "x")[0]


@settings(max_examples=60, deadline=None)
@given(st.floats(-9, 9), st.floats(0.05, 12))
def test_ticks_lie_inside_and_are_few(start, decades):
    low, high = 10.0**start, 10.0 ** (start + decades)
    ticks = LogTicks().tick_values(low, high)
    assert 2 <= ticks.size <= 14 and np.all(np.diff(ticks) > 0)
    assert low * (1 - 1e-6) <= ticks[0] and ticks[-1] <= high * (1 + 1e-6)


def test_powers():
    assert power_of_ten(1e-5) == "$10^{-5}$" and power_of_ten(3e8) == r"$3{\times}10^{8}$"
    assert LogTicks().tick_values(0, 1).size == 0
