"""What each mechanism predicts from the same frequencies: one table over all axes.

``compare_mechanisms(frequencies)`` gives, for width, parameters, data, training time and depth, the
exponent that a fit over the given range would find, the asymptotic one where there is a power law,
and which measurement would tell the mechanism from the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from theory.checks import check_numbers, check_widths
from theory.computing.argument_kinds import check_kinds
from theory.frequencies import Frequencies
from theory.mechanisms.averaging import averaging_loss
from theory.mechanisms.gradient_flow import flow_exponent, flow_loss
from theory.mechanisms.occurrences import memorised_loss, quanta_loss, shares
from theory.mechanisms.random_energy import flow_of_peaked_loss
from theory.registry import predict
from theory.results import result, short_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

_POINTS = 12  # amounts on an axis other than the width
_DEPTHS = (4, 64)  # layers
_PEAKED = (200.0, 0.01)  # most classes that the peaked target has here, and its temperature

# What would tell each from the others.
_TESTS = {
    "superposition": "losses over width at fixed depth and data, below and above n = m",
    "kept features": "losses over width; and whether rare features are lost whole",
    "quanta": "losses of single items against parameters: each falls at once",
    "memory": "losses of items that the data hold once, twice, … : known after one",
    "gradient flow": "losses of single items against time: each falls at its own rate",
    "peaked targets": "losses at fixed rate against time: the same exponent for any frequencies",
    "averaging": "losses over depth at fixed width: the same exponent for any frequencies",
}


@dataclass(frozen=True, eq=False)
@result
class Mechanisms:
    """What each mechanism predicts from one set of frequencies.

    Attributes
    ----------
    table : DataFrame
        A row for each: mechanism, axis, from, to (the range), exponent (minus the slope of ln L
        against ln of the axis over the range), asymptotic (the exponent for n to infinity; NaN
        where none is known), told_by (what would tell it from the others).
    curves : mapping
        For each mechanism the amounts and the losses, as two rows of an array.
    """

    table: pd.DataFrame
    curves: dict[str, Array] = field(repr=False)

    def to_dataframe(self) -> pd.DataFrame:
        """Return the table."""
        return self.table.copy()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw each loss, over its first value, against its axis, over the first amount."""
        from theory.figures.style import curve, finish, open_axes

        ax = open_axes(ax)
        for k, (name, (x, loss)) in enumerate(self.curves.items()):
            axis = self.table.loc[self.table["mechanism"] == name, "axis"].iloc[0]
            ax.plot(x / x[0], loss / loss[0], label=f"{name} ({axis})", markersize=3, **curve(k))
        finish(ax, "axis / its first value", "loss / its first value", log="xy")
        return ax

    def __str__(self) -> str:
        return short_table(
            self.table.drop(columns="told_by"), float_format=lambda value: f"{value:.3g}"
        )


@check_kinds
def compare_mechanisms(
    frequencies: Frequencies, m: ArrayLike | None = None, *, solve: bool = True
) -> Mechanisms:
    """Return what the mechanisms behind every axis predict from the same frequencies.

    Parameters
    ----------
    frequencies : Frequencies
        Of the features, items or tokens; from counts by ``Frequencies.from_counts``.
    m : array_like, optional
        Widths; five from n/100 to n/5 by default.
    solve : bool
        Whether the mean field is solved (some seconds a width).

    Returns
    -------
    Mechanisms
        A table and a figure.

    Examples
    --------
    >>> found = compare_mechanisms(Frequencies.power_law(n=10_000, alpha=1.5), solve=False)
    >>> rows = found.table.set_index("mechanism")
    >>> print(f"{rows.loc['memory', 'exponent']:.3f}, {rows.loc['memory', 'asymptotic']:.3f}")
    0.413, 0.333
    """
    theta = shares(frequencies)
    n = theta.size
    if n < 20:
        raise ValueError(f"n = {n} is not allowed: a range of an axis needs 20 features or more")
    if m is None:
        m = np.unique(np.geomspace(max(2, n / 100), n / 5, 5).astype(int))
    widths = check_widths(np.atleast_1d(check_numbers("m", m)), n)
    if widths.size < 2:
        raise ValueError(f"m = {m!r} is not allowed: an exponent needs two widths or more")
    alpha = frequencies.exponent
    rows: list[dict[str, Any]] = []
    curves: dict[str, Array] = {}

    def add(name: str, axis: str, x: Array, loss: Array, asymptotic: float) -> None:
        slope = float(np.polyfit(np.log(x), np.log(loss), 1)[0])
        curves[name] = np.stack([x, loss])
        rows.append(
            {
                "mechanism": name,
                "axis": axis,
                "from": float(x[0]),
                "to": float(x[-1]),
                "exponent": -slope,
                "asymptotic": asymptotic,
                "told_by": _TESTS[name],
            }
        )

    steep = alpha is not None and alpha > 1
    tail = alpha - 1 if steep and alpha is not None else math.nan
    theories = ["mean_field", "weak"] if solve else ["weak"]
    told = predict(frequencies, widths, theory=theories)
    x = widths.astype(np.float64)
    if solve and np.isfinite(told.loss["mean_field"]).all():
        add("superposition", "width m", x, np.asarray(told.loss["mean_field"]), math.nan)
    add("kept features", "width m", x, np.asarray(told.loss["weak"]), tail)
    add("quanta", "parameters N", x, np.asarray(quanta_loss(frequencies, x)), tail)
    data = np.geomspace(n / 10, 10 * n, _POINTS)
    add("memory", "data D", data, np.asarray(memorised_loss(frequencies, data)), _share(alpha))
    times = np.geomspace(10 / theta[0], 0.1 / theta[-1], _POINTS)
    if times[-1] > 4 * times[0]:
        add("gradient flow", "time t", times, np.asarray(flow_loss(times, theta, theta)),
            flow_exponent(alpha, 0.0) if steep and alpha is not None else math.nan)  # fmt: skip
    classes, temperature = int(min(n, _PEAKED[0])), _PEAKED[1]
    t, beta, loss = flow_of_peaked_loss(classes, temperature, points=24)
    frozen = (beta > math.sqrt(2 * math.log(classes))) & (beta < 0.25 / temperature)
    add("peaked targets", "time t", t[frozen], loss[frozen], 1 / 3)
    layers = np.geomspace(*_DEPTHS, 5)
    add("averaging", "depth", layers, np.asarray(averaging_loss(layers)), 1.0)
    return Mechanisms(pd.DataFrame(rows), curves)


def _share(alpha: float | None) -> float:
    """Return (alpha - 1)/alpha, the exponent of data; NaN unless alpha > 1."""
    return (alpha - 1) / alpha if alpha is not None and alpha > 1 else math.nan
