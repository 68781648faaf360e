import itertools
import sys

import numpy as np
import pytest
from hypothesis import settings
from matplotlib.backends.backend_agg import FigureCanvasAgg

# Reproducible: a failure seen once is seen again.
settings.register_profile("suite", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("suite")


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu"):
        import torch  # slow to import, and most tests do without

        if not torch.cuda.is_available():
            pytest.skip("needs a GPU that torch can use: torch.cuda.is_available() is False")


def global_generators():
    """Return the states of the generators that a process shares, of numpy and torch.

    That of Python is left out: dask draws its waiting times from it.
    """
    _, words, place, *_ = np.random.get_state()  # noqa: NPY002
    states = [words.tobytes(), place]
    if "torch" in sys.modules:
        states.append(sys.modules["torch"].get_rng_state().numpy().tobytes())
    return states


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Fail a test that draws from a shared generator: its result depends on the tests before it."""
    before = global_generators()
    result = yield
    # torch may be imported by the test: then there is nothing to compare it with
    if global_generators()[: len(before)] != before:
        pytest.fail("a generator shared by the process was used; give a seed or a Generator")
    return result


@pytest.fixture(scope="session")
def overlapping_labels():
    """Return a function of axes and "x" or "y": labels of ticks that overlap, and how many are."""

    def find(ax, axis):
        FigureCanvasAgg(ax.figure).draw()
        labels = (ax.get_xticklabels if axis == "x" else ax.get_yticklabels)(which="both")
        low, high = ("x0", "x1") if axis == "x" else ("y0", "y1")
        whole = ax.get_window_extent()
        boxes = []
        for one in labels:
            box = one.get_window_extent()
            middle = (getattr(box, low) + getattr(box, high)) / 2
            # Ticks beyond the ends of the axis are not drawn.
            if one.get_text() and getattr(whole, low) - 1 <= middle <= getattr(whole, high) + 1:
                boxes.append(box)
        boxes.sort(key=lambda box: getattr(box, low))
        pairs = itertools.pairwise(boxes)
        bad = [k for k, (a, b) in enumerate(pairs) if getattr(a, high) > getattr(b, low)]
        return bad, len(boxes)

    return find
