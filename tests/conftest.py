import itertools

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
