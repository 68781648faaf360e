"""Fits of several axes again: resampled, without one point, and to the small models alone.

``AxesFit.bootstrap``, ``.influence`` and ``.validate`` call this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from empirical.scaling_laws.axes.law import Array, AxesLaw
from empirical.scaling_laws.axes.parameters import (
    mean_logarithms,
    name_coefficients,
    name_floors,
)
from empirical.scaling_laws.axes.search import descend, find_minima
from empirical.scaling_laws.profile_likelihood import Interval, check_level
from theory.checks import (
    MOST_REPEATS,
    as_generator,
    check_choice,
    check_finite,
    check_integer,
    check_real,
)
from theory.figures.style import finish, open_axes
from theory.results import result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from empirical.scaling_laws.axes.axes_fit import AxesFit

By = Literal["points", "clusters"]


@dataclass(frozen=True, eq=False)
@result
class AxesBootstrap:
    """Laws refitted to resampled points.

    Attributes
    ----------
    by : str
        "points" or "clusters".
    table : DataFrame
        A row for each resample: alpha(axis), c(axis), L_0(group).
    failed : int
        Resamples in which an axis took fewer than three values; they are left out.
    """

    by: str
    table: pd.DataFrame
    failed: int

    def interval(self, name: str, level: float = 0.95) -> Interval:
        """Return the percentile interval of a column of the table, as "alpha(d_model)"."""
        level = check_level(level)
        check_choice("name", name, map(str, self.table))
        tail = (1 - level) / 2
        low, high = np.quantile(self.table[name], [tail, 1 - tail])
        return Interval(float(low), float(high), level, f"bootstrap over {self.by}")

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each resample."""
        return self.table.copy()

    def __str__(self) -> str:
        named = [name for name in map(str, self.table) if name.startswith("alpha")]
        lines = [f"{name} {self.interval(name)}" for name in named]
        lost = f"; {self.failed} had too few values" if self.failed else ""
        return "\n".join([f"{len(self.table)} resamples of {self.by}{lost}", *lines])


@dataclass(frozen=True, eq=False)
@result
class Validation:
    """Losses of large models predicted from small ones.

    Attributes
    ----------
    by : str
        What says which are small.
    limit : float
        Largest value of it among the fitted points.
    exponents : dict
        alpha of each axis, fitted to the small models alone.
    table : DataFrame
        A row for each large model: the axes, loss, predicted, error (predicted/loss - 1).
    """

    by: str
    limit: float
    exponents: dict[str, float]
    table: pd.DataFrame

    @property
    def error(self) -> float:
        """Root mean square of ln(predicted/loss)."""
        ratio = np.log(self.table["predicted"] / self.table["loss"])
        return float(np.sqrt(np.mean(ratio**2)))

    def to_dataframe(self) -> pd.DataFrame:
        """Return the table."""
        return self.table.copy()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the measured losses of the large models against the predicted ones."""
        ax = open_axes(ax)
        ax.plot(self.table["predicted"], self.table["loss"], "o", ms=4)
        ax.axline((float(self.table["loss"].min()),) * 2, slope=1, color="k", lw=1)
        finish(ax, "loss predicted from smaller models", "measured loss")
        return ax

    def __str__(self) -> str:
        worst = float(self.table["error"].abs().max())
        return (
            f"{len(self.table)} models with {self.by} above {self.limit:.4g}, predicted from those "
            f"below: root mean square error {self.error:.2%}, largest {worst:.2%}"
        )


def resample_rows(
    fit: AxesFit, by: By, samples: int, seed: np.random.Generator | int
) -> AxesBootstrap:
    """Refit resampled points or clusters; see ``AxesFit.bootstrap``."""
    samples = check_integer("samples", samples, 2, MOST_REPEATS)
    generator = as_generator(seed)
    origin = mean_logarithms(fit.rows, fit.axes)
    units = _units(fit, by)
    count = int(units.max()) + 1
    rows, failed = [], 0
    for _ in range(samples):
        drawn = generator.multinomial(count, np.full(count, 1 / count))[units]
        law = fit.law.reweight(fit.law.weight * drawn)
        if not _is_determined(law):
            failed += 1
            continue
        x = _refit(fit, law)
        row = {f"alpha({name})": float(x[k]) for k, name in enumerate(fit.axes)}
        row |= {f"c({name})": c for name, c in name_coefficients(law, fit.axes, origin, x).items()}
        row |= {f"L_0({name})": c for name, c in name_floors(law, fit.groups, x).items()}
        rows.append(row)
    if not rows:
        raise ValueError("no resample held enough values of every axis: give more points")
    return AxesBootstrap(by, pd.DataFrame(rows), failed)


def _units(fit: AxesFit, by: By) -> np.ndarray:
    if by == "points":
        return np.arange(len(fit.rows))
    units = np.unique(fit.rows["cluster"].astype(str), return_inverse=True)[1]
    if units.max() < 1:
        raise ValueError("resampling over clusters needs at least two clusters")
    return np.asarray(units)


def _is_determined(law: AxesLaw) -> bool:
    kept = law.weight > 0
    values = [np.unique(column[kept]).size for column in law.u.T]
    return min(values) >= 3 and int(kept.sum()) >= law.parameters


def _refit(fit: AxesFit, law: AxesLaw) -> Array:
    """Return the lowest minimum that is reached from any minimum of the whole data."""
    found = [descend(law, x) for _, x in fit.minima[:4]]
    return min(found, key=lambda pair: pair[0])[1]


def leave_one_out(fit: AxesFit, by: By) -> pd.DataFrame:
    """Return exponents without each unit; see ``AxesFit.influence``."""
    units = _units(fit, by)
    names = (
        [str(k) for k in range(len(fit.rows))]
        if by == "points"
        else list(np.unique(fit.rows["cluster"].astype(str)))
    )
    rows = []
    for unit, name in enumerate(names):
        law = fit.law.reweight(fit.law.weight * (units != unit))
        if not _is_determined(law):
            alpha = np.full(len(fit.axes), math.nan)
        else:
            alpha = _refit(fit, law)[: len(fit.axes)]
        rows.append({"without": name, **dict(zip(fit.axes, map(float, alpha), strict=True))})
    table = pd.DataFrame(rows)
    scale = np.array([value if value > 0 else 1.0 for value in fit.stderr.values()])
    scale = np.where(np.isfinite(scale), scale, 1.0)
    change = (table[list(fit.axes)].to_numpy() - np.array(list(fit.exponents.values()))) / scale
    table["change"] = np.abs(change).max(axis=1)
    return table.sort_values("change", ascending=False, kind="stable").reset_index(drop=True)


def validate_outside(fit: AxesFit, by: str | ArrayLike, share: float) -> Validation:
    """Fit the small models and predict the large ones; see ``AxesFit.validate``."""
    share = check_real("share", share)
    if not 0 < share < 1:
        raise ValueError(f"share = {share!r} is not allowed: give a number between 0 and 1")
    if isinstance(by, str):
        title = check_choice("by", by, fit.axes)
        size = fit.rows[by].to_numpy(dtype=np.float64)
    else:
        title, size = "the given size", check_finite("by", by)
        if size.shape != (len(fit.rows),):
            raise ValueError(f"by has shape {size.shape}: give a number for each point")
    limit = float(np.quantile(size, share, method="lower"))
    small = size <= limit
    law = fit.law.reweight(fit.law.weight * small)
    if small.all() or not _is_determined(law):
        raise ValueError(f"share = {share:g} leaves too few points on one side: give another")
    x = find_minima(law)[0][1]
    large = fit.rows.loc[~small, [*fit.axes, "loss"]].reset_index(drop=True)
    large["predicted"] = fit.law.value(x)[~small]
    large["error"] = large["predicted"] / large["loss"] - 1
    exponents = dict(zip(fit.axes, map(float, x), strict=False))
    return Validation(title, limit, exponents, large)
