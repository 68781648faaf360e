"""Which solved models agree with given losses: frequencies, density and size, with scale and floor.

``fit_solved_model(m, loss, n=…, alpha=…, density=…)`` computes the predicted curve of every
combination, fits a scale and a floor to each, and says which combinations the losses admit. For a
power law in m alone take ``fit_power_law``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import f as f_law

from empirical.scaling_laws.profile_likelihood import Interval, check_level
from theory.checks import check_finite, check_integer, check_real
from theory.frequencies import Frequencies
from theory.registry import predict
from theory.results import result, short_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

_NAMES = ("n", "alpha", "density")
# Residuals below this share of the losses are rounding, and every other candidate is excluded.
_EXACT = 1e-12


@dataclass(frozen=True, eq=False)
@result
class SolvedModelFit:
    """Combinations of n, alpha and E beside given losses.

    Attributes
    ----------
    theory : str
        Theory that the curves come from.
    best : mapping
        n, alpha, density, scale and floor of the combination with the smallest residuals.
    table : DataFrame
        A row for each combination: n, alpha, density, scale, floor, rss (sum of squared relative
        residuals), compatible.
    intervals : mapping
        Smallest and largest value of each parameter among the compatible combinations; an end is
        open where it is the end of what was tried.
    notes : tuple of str
        What the losses cannot say, and what was left out.
    m, loss : ndarray
        The data.
    """

    theory: str
    best: Mapping[str, float]
    table: pd.DataFrame
    intervals: Mapping[str, Interval]
    notes: tuple[str, ...]
    m: Array
    loss: Array
    curves: Array = field(repr=False)

    def to_dataframe(self) -> pd.DataFrame:
        """Return the table, the smallest residuals first."""
        return self.table.sort_values("rss", kind="stable").reset_index(drop=True)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the losses and the curves of all compatible combinations."""
        from theory.figures.style import BLACK, BLUE, GREY, WIDTH, finish, open_axes

        ax = open_axes(ax)
        order = np.argsort(self.m)
        fits = self.table["scale"].to_numpy()[:, None] * self.curves
        fits = fits + self.table["floor"].to_numpy()[:, None]
        for k in np.flatnonzero(self.table["compatible"]):
            ax.plot(self.m[order], fits[k, order], color=GREY, lw=0.8)
        lowest = int(self.table["rss"].argmin())
        label = ", ".join(f"{name} = {self.best[name]:g}" for name in _NAMES)
        ax.plot(self.m[order], fits[lowest, order], color=BLUE, label=label)
        ax.plot(self.m, self.loss, "o", color=BLACK, ms=4, label="losses")
        finish(ax, WIDTH, "loss", log="xy")
        return ax

    def __str__(self) -> str:
        shown = self.to_dataframe().drop(columns="compatible")
        lines = [f"{name} {self.intervals[name]}" for name in self.intervals]
        lines += [f"note: {text}" for text in self.notes]
        return "\n".join([short_table(shown, rows=6, float_format=lambda x: f"{x:.4g}"), *lines])


def fit_solved_model(
    m: ArrayLike,
    loss: ArrayLike,
    *,
    n: ArrayLike,
    alpha: ArrayLike,
    density: ArrayLike = 1.0,
    theory: str = "mean_field",
    floor: bool = True,
    level: float = 0.95,
    progress: Callable[[int, int], None] | None = None,
) -> SolvedModelFit:
    """Say which n, alpha and E of a solved model agree with losses, up to a scale and a floor.

    For each combination of power-law frequencies the theory gives a curve L(m), and
    scale L(m) + floor is fitted by least squares of the relative residuals; the scale is positive
    and the floor not negative. A combination is compatible if its sum of squares is at most
    (1 + q F/dof) times the smallest, F the quantile of F(q, dof) and q the number of parameters
    of which several values are tried.

    Parameters
    ----------
    m, loss : array_like, shape (k,)
        Widths and losses, k at least 4.
    n, alpha, density : array_like
        Values to try: number of features, exponent, E.
    theory : str
        Theory of ``predict``; the mean field takes some seconds a combination and width.
    floor : bool
        Whether there is a floor.
    level : float
        Nominal coverage.
    progress : callable, optional
        Called with the number of combinations done, and of all.

    Returns
    -------
    SolvedModelFit
        The combinations, and what the losses say.

    Raises
    ------
    ValueError
        For too few widths, losses that are not positive, or if no combination can be computed.

    Examples
    --------
    >>> from theory.registry import predict
    >>> m = np.array([4, 8, 16, 32, 64])
    >>> truth = predict(Frequencies.power_law(200, 1.5), m, theory="weak").loss["weak"]
    >>> fit = fit_solved_model(m, 3 * truth + 0.5, n=[100, 200], alpha=[1, 1.5, 2], theory="weak")
    >>> [fit.best[name] for name in ("n", "alpha")], round(fit.best["scale"], 6)
    ([200.0, 1.5], 3.0)
    """
    level = check_level(level)
    widths, losses = check_finite("m", m), check_finite("loss", loss)
    if widths.size != losses.size:
        raise ValueError(f"m has {widths.size} entries and loss has {losses.size}")
    if losses.min() <= 0:
        raise ValueError(f"loss contains {losses.min():g}: give losses above 0")
    if np.unique(widths).size < 4:
        raise ValueError(f"m takes {np.unique(widths).size} values: give four widths or more")
    values = {
        "n": [float(check_integer("n", x, 2)) for x in np.atleast_1d(np.asarray(n)).tolist()],
        "alpha": [check_real("alpha", x, 0) for x in np.atleast_1d(np.asarray(alpha)).tolist()],
        "density": [
            check_real("density", x, 0, strict=True)
            for x in np.atleast_1d(np.asarray(density)).tolist()
        ],
    }
    rows, curves, refused = [], [], []
    combinations = list(itertools.product(*values.values()))
    distinct = np.unique(widths)
    for done, (size, exponent, active) in enumerate(combinations, 1):
        try:
            words = Frequencies.power_law(int(size), exponent, active)
            told = predict(words, distinct, theory=theory)
        except ValueError as error:
            refused.append(f"n = {size:g}, alpha = {exponent:g}, E = {active:g}: {error}")
            continue
        curve = np.asarray(told.loss[theory], dtype=np.float64)[np.searchsorted(distinct, widths)]
        if not (np.isfinite(curve).all() and curve.max() > 0):
            refused.append(f"n = {size:g}, alpha = {exponent:g}, E = {active:g}: no loss")
            continue
        scale, level_of, rss = _fit_scale(curve, losses, floor)
        rows.append(
            {"n": size, "alpha": exponent, "density": active, "scale": scale, "floor": level_of,
             "rss": rss}
        )  # fmt: skip
        curves.append(curve)
        if progress is not None:
            progress(done, len(combinations))
    if not rows:
        raise ValueError(f"no combination can be computed; the first: {refused[0]}")
    table = pd.DataFrame(rows)
    varied = [name for name in _NAMES if table[name].nunique() > 1]
    dof = widths.size - (2 if floor else 1) - len(varied)
    if dof < 1:
        raise ValueError(
            f"{widths.size} losses cannot tell {len(varied)} parameters, a scale and a floor: give "
            "more widths, or try one value of some"
        )
    least = max(float(table["rss"].min()), _EXACT * losses.size)
    q = max(len(varied), 1)
    limit = least * (1 + q * float(f_law.ppf(level, q, dof)) / dof)
    table["compatible"] = table["rss"] <= limit
    best = table.iloc[int(np.argmin(table["rss"]))]
    return SolvedModelFit(
        theory,
        {str(name): float(best[name]) for name in [*_NAMES, "scale", "floor"]},
        table,
        {name: _range_of(table, name, level) for name in varied},
        tuple(_describe(table, varied, refused)),
        widths,
        losses,
        np.array(curves),
    )


def _fit_scale(curve: Array, loss: Array, floor: bool) -> tuple[float, float, float]:
    """Return scale, floor and sum of squares of the relative residuals."""
    x, one = curve / loss, 1 / loss
    if floor:
        columns = np.stack([x, one], axis=1)
        scale, level = np.linalg.lstsq(columns, np.ones_like(loss), rcond=None)[0]
        if scale > 0 and level >= 0:
            return float(scale), float(level), float(np.sum((columns @ [scale, level] - 1) ** 2))
    scale = max(float(x.sum() / (x @ x)), 0.0)
    return scale, 0.0, float(np.sum((scale * x - 1) ** 2))


def _range_of(table: pd.DataFrame, name: str, level: float) -> Interval:
    inside = table.loc[table["compatible"], name]
    low, high = float(inside.min()), float(inside.max())
    return Interval(
        low, high, level, "combinations tried", low == table[name].min(), high == table[name].max()
    )


def _describe(table: pd.DataFrame, varied: list[str], refused: list[str]) -> list[str]:
    found = []
    kept = table[table["compatible"]]
    for name in varied:
        if kept[name].nunique() == table[name].nunique():
            found.append(f"the losses do not say {name}: every value that was tried agrees")
    best = table.iloc[int(np.argmin(table["rss"]))]
    if best["scale"] == 0:
        found.append("no curve falls as the losses do: the scale is 0")
    spread = math.sqrt(float(best["rss"]) / max(len(table.columns), 1))
    if spread > 0.1:
        found.append("no combination is near the losses: try others, or another theory")
    if refused:
        found.append(f"{len(refused)} combinations were left out; the first: {refused[0]}")
    return found
