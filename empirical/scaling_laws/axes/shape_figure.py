"""Figure of a planned shape: the loss over width and depth at the budget."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from theory.figures.style import BLUE, WIDTH, curve, finish, gradient, open_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from empirical.scaling_laws.axes.shape import Shape, Shapes

_RANGE = math.log(4)  # of width and depth on either side of the best
_LEVELS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)  # shares of the loss above its least


def plot_shape(shape: Shape, ax: Axes | None = None) -> Axes:
    """Draw contours of the loss above its least, the best shape, and that of each resample.

    At a budget of parameters the loss is a line over the width.
    """
    ax = open_axes(ax)
    problem = shape.problem
    width = shape.width * np.exp(np.linspace(-_RANGE, _RANGE, 81))
    if shape.kind == "parameters":
        loss = [problem.loss(m, problem.depth_of(m), shape.tokens) for m in width]
        ax.plot(width, loss, color=BLUE, label="at this number of parameters")
        ax.plot(shape.width, shape.loss, "k*", ms=11, label="least loss")
        finish(ax, WIDTH, "loss of the fit", log="x")
        return ax
    depth = shape.depth * np.exp(np.linspace(-_RANGE, _RANGE, 81))
    excess = np.array(
        [[problem.loss(m, k, problem.complete(m, k)) / shape.loss - 1 for m in width]
         for k in depth]
    )  # fmt: skip
    lines = ax.contour(width, depth, excess, levels=_LEVELS,
                       colors=gradient(len(_LEVELS))[::-1])  # fmt: skip
    ax.clabel(lines, fmt=lambda value: f"{100 * value:g} %", fontsize=8)
    ax.plot(shape.samples["width"], shape.samples["depth"], ".", color="0.6", ms=3,
            label="refits to resampled points")  # fmt: skip
    ax.plot(shape.width, shape.depth, "k*", ms=11, label="least loss")
    ax.set_xlim(width[0], width[-1])
    ax.set_ylim(depth[0], depth[-1])
    finish(ax, WIDTH, "depth (layers)", log="xy")
    return ax


def plot_budgets(shapes: Shapes, ax: Axes | None = None) -> Axes:
    """Draw width and depth, with their intervals, against the budget."""
    ax = open_axes(ax)
    table = shapes.to_dataframe()
    for k, name in enumerate(("width", "depth")):
        part = table[table["quantity"] == name].sort_values("budget")
        look = curve(k)
        ax.plot(part["budget"], part["value"], label=name, **look)
        # An interval of few resamples need not hold the value itself.
        ax.vlines(part["budget"], part["low"], part["high"], color=look["color"])
    unit = "compute (FLOP)" if shapes.shapes[0].kind == "compute" else "parameters"
    finish(ax, unit, "width m, depth (layers)", log="xy")
    # From a power of ten: the axis starts with a label, over whichever widths and depths.
    ax.set_ylim(bottom=10 ** math.floor(math.log10(ax.get_ylim()[0])))
    return ax
