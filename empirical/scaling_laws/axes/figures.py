"""Figure of a fit over several axes: what each axis explains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from theory.figures.style import curve, finish, open_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from empirical.scaling_laws.axes.axes_fit import AxesFit


def plot_axes(fit: AxesFit, ax: Axes | None = None) -> Axes:
    """Draw the part of the loss that falls with each axis, beside the points without the rest.

    Each axis is scaled by its smallest value, so that all fit in one picture. The picture ends a
    factor of two below and above the lines: points further off are not drawn.
    """
    ax = open_axes(ax)
    fitted = fit.fitted()
    rest = fit.law.y - fitted
    lines = []
    for number, name in enumerate(fit.axes):
        x = fit.rows[name].to_numpy(dtype=np.float64)
        alpha, c = fit.exponents[name], fit.coefficients[name]
        line = np.geomspace(x.min(), x.max(), 100)
        look = curve(number)
        ax.plot(x / x.min(), c * x**-alpha + rest, look["marker"], color=look["color"], ms=3,
                alpha=0.5)  # fmt: skip
        look.pop("marker")
        label = f"{c:.3g} / {name}^{alpha:.3g}"
        ax.plot(line / x.min(), c * line**-alpha, label=label, **look)
        lines.append(c * line**-alpha)
    finish(ax, "axis / its smallest value", "part of the loss that falls with the axis", log="xy")
    drawn = np.concatenate(lines)
    drawn = drawn[drawn > 0]
    if drawn.size:  # where a part is smaller than the noise, points near 0 would stretch the axis
        ax.set_ylim(drawn.min() / 2, 2 * drawn.max())
    return ax
