"""A power law against other laws of the width, by likelihood.

``PowerLawFit.compare()`` calls this. All laws are fitted to the same points, weights and groups.
AICc (Hurvich and Tsai, Biometrika 76, 297 (1989)) penalises parameters, the variance among them,
with a correction for small samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from empirical.scaling_laws.loss_points import LossPoints
from empirical.scaling_laws.variable_projection import VariableProjection
from theory.figures.style import BLUE, finish, open_axes
from theory.results import result, short_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FORMULAS = {
    "power law": "C m^-alpha + floor",
    "no floor": "C m^-alpha",
    "exponential": "C exp(-m/k) + floor",
    "logarithm": "a - b ln m",
}


@dataclass(frozen=True, eq=False)
@result
class LawComparison:
    """Laws side by side, the best first.

    Attributes
    ----------
    table : DataFrame
        A row for each law: law, formula, parameters (without the variance), value (alpha, k, or
        b), rss, log_likelihood (normal errors; up to a constant of the data), AICc, difference
        from the best, and weight (Akaike weight). With too few points for the AICc of any law,
        AICc, difference and weight are NaN and nothing is ranked.
    """

    table: pd.DataFrame

    @property
    def best(self) -> str | None:
        """Name of the law with the least AICc; None where there are too few points for AICc."""
        ranked = np.isfinite(self.table["weight"]).all()
        return str(self.table["law"].iloc[0]) if ranked else None

    def to_dataframe(self) -> pd.DataFrame:
        """Return the table."""
        return self.table.copy()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the differences of AICc as bars."""
        ax = open_axes(ax)
        ax.barh(self.table["law"], self.table["difference"], color=BLUE)
        ax.invert_yaxis()  # the best above
        return finish(ax, "AICc above that of the best law", "")

    def __str__(self) -> str:
        return short_table(
            self.table.drop(columns="formula"), float_format=lambda value: f"{value:.5g}"
        )


def compare_laws(points: LossPoints) -> LawComparison:
    """Fit every law to the points by least squares, each with its global optimum.

    A law without floor has a C for each group, the others a floor (a) for each. The logarithm has
    one parameter less than the power law.

    Examples
    --------
    >>> from empirical.scaling_laws.loss_points import read_points
    >>> m = np.array([8.0, 16, 32, 64, 128, 256, 512])
    >>> noise = 0.002 * np.array([1, -1, 1, 0, -1, 1, -1])
    >>> compare_laws(read_points(m, 3 / m + 0.5 + noise)).best
    'power law'
    """
    rows = [{"law": law, "formula": _FORMULAS[law], **score_law(points, law)} for law in _FORMULAS]
    return LawComparison(_rank(pd.DataFrame(rows)))


def score_law(points: LossPoints, law: str) -> dict[str, float]:
    """Return parameters, value, rss, log_likelihood and AICc of one law's least-squares fit."""
    u = points.m if law == "exponential" else np.log(points.m)
    projection = VariableProjection(u, points.index, law != "no floor")
    if law == "logarithm":  # the power law's own limit
        best = projection.solve(np.zeros(1), points.weight, points.loss)
    else:
        best = projection.minimise(points.weight, points.loss)
    theta, slope = float(best.theta[0]), float(best.slope[0, 0])
    value = {"exponential": 1 / theta if theta else math.inf, "logarithm": slope}
    linear = len(points.groups) + (0 if law == "no floor" else 1)
    count = linear + (0 if law == "logarithm" else 1)
    rss = float(best.objective[0])
    return {
        "parameters": count,
        "value": value.get(law, theta),
        "rss": rss,
        **score(points, rss, count),
    }


def score(points: LossPoints, rss: float, count: int) -> dict[str, float]:
    """Return log_likelihood and AICc of a fit with ``count`` parameters."""
    size = points.size
    if points.known:
        minus_two = rss
    else:
        count += 1  # the variance
        minus_two = size * math.log(rss / size) if rss > 0 else -math.inf
    spare = size - count - 1
    score = minus_two + 2 * count + 2 * count * (count + 1) / spare if spare > 0 else math.nan
    return {"log_likelihood": -minus_two / 2, "AICc": score}


def _rank(table: pd.DataFrame) -> pd.DataFrame:
    scores = table["AICc"].to_numpy(dtype=np.float64)
    if np.isnan(scores).any():
        return table.assign(difference=math.nan, weight=math.nan)
    # Laws that fit exactly share what evidence there is.
    difference = np.where(scores == scores.min(), 0.0, scores - scores.min())
    share = np.exp(-difference / 2)
    table = table.assign(difference=difference, weight=share / share.sum())
    return table.sort_values("AICc", kind="stable").reset_index(drop=True)
