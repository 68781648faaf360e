"""The style of all figures: ``open_axes`` before drawing, ``finish`` after it.

Colors are those of Okabe and Ito (2008), which color-blind readers tell apart; ``curve`` gives the
k-th curve a marker and a line of its own as well. Matplotlib is imported when a figure is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLACK, GREY, BROWN = "#000000", "#767676", "#8c510a"
ORANGE, SKY, GREEN, BLUE = "#e69f00", "#56b4e9", "#009e73", "#0072b2"
VERMILION, PURPLE = "#d55e00", "#cc79a7"
# Color map of figures in which color means a number.
COLOR_MAP = "viridis"
# Curves in this order; yellow is left out, which white paper swallows.
_COLORS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BROWN, GREY)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))

# Inches; as the command line writes it, with 150 dots to an inch.
SIZE = (6.4, 4.4)

# Labels that several figures share.
WIDTH = "width m"
LOSS = "loss L, summed over features"
RANK = "feature rank i"
DENSITY = "activation density E"
OVERLAP = "overlap t = u·v"


def open_axes(ax: Any = None, size: tuple[float, float] = SIZE) -> Any:
    """Return axes in the style, those given or ones of a new figure.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> open_axes(Figure().add_subplot()).spines["top"].get_visible()
    False
    """
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=size, layout="constrained")[1]
    ax.grid(color="0.9", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def open_row(panels: int, size: tuple[float, float] = (4.8, 4.2)) -> Any:
    """Return an array of axes side by side in a new figure, each in the style.

    ``size`` is that of one panel.
    """
    import matplotlib.pyplot as plt

    axes = plt.subplots(
        1, panels, figsize=(size[0] * panels, size[1]), squeeze=False, layout="constrained"
    )[1]
    for ax in axes[0]:
        open_axes(ax)
    return axes[0]


def curve(k: int) -> dict[str, Any]:
    """Return color, marker and line of the k-th curve, as keyword arguments of ``Axes.plot``.

    Examples
    --------
    >>> curve(0)["marker"], curve(1)["marker"]
    ('o', 's')
    """
    return {
        "color": _COLORS[k % len(_COLORS)],
        "marker": _MARKERS[k % len(_MARKERS)],
        "linestyle": _LINES[k % len(_LINES)],
    }


def gradient(count: int) -> list[Any]:
    """Return so many colors of the color map, dark to light, for curves ordered by a number."""
    import matplotlib as mpl

    colors = mpl.colormaps[COLOR_MAP]
    return [colors(0.9 * k / max(count - 1, 1)) for k in range(count)]


def finish(
    ax: Any,
    x: str,
    y: str,
    *,
    log: str = "",
    title: str = "",
    legend: bool = True,
    legend_title: str = "",
    place: str = "best",
) -> Axes:
    """Label the axes, set their scales and ticks, and show the legend if there is one to show.

    Parameters
    ----------
    ax : Axes
        What was drawn on.
    x, y : str
        Labels, with units where there are any.
    log : {"", "x", "y", "xy"}
        Which axes are logarithmic.
    title : str
        Shown above.
    legend : bool
        Whether labelled lines are listed.
    legend_title : str
        Shown above the list.
    place : str
        Where the list is, as ``loc`` of matplotlib's ``legend``.

    Returns
    -------
    Axes
        ``ax``.
    """
    from theory.figures.ticks import set_logarithmic

    ax.set(xlabel=x, ylabel=y)
    for axis in log:
        set_logarithmic(ax, axis)
    if title:
        ax.set_title(title, fontsize="medium")
    handles, labels = ax.get_legend_handles_labels()
    if legend and handles:
        many = len(labels) > 9
        ax.legend(
            handles,
            labels,
            loc=place,
            title=legend_title or None,
            fontsize="x-small" if many else "small",
            title_fontsize="small",
            ncols=2 if many else 1,
            frameon=True,
            framealpha=0.85,
            edgecolor="none",
        )
    finished: Axes = ax
    return finished


def add_color_bar(ax: Any, shown: Any, label: str) -> Any:
    """Add a color bar with a label to the figure of the axes; return it."""
    bar = ax.figure.colorbar(shown, ax=ax, label=label)
    bar.outline.set_visible(False)
    return bar


def shorten(names: Sequence[str], most: int = 24) -> list[str]:
    """Return names of at most so many characters, for places where long ones would overlap.

    Examples
    --------
    >>> shorten(["a", "a very long name"], 8)
    ['a', 'a very …']
    """
    return [name if len(name) <= most else name[: most - 1].rstrip() + " …" for name in names]
