"""Loss at widths that were not trained, and width for a loss, with intervals.

``PowerLawFit.forecast`` and ``PowerLawFit.width_for`` call this. The interval of the law covers the
uncertainty of its parameters; that of a new point also covers the scatter of one measurement.
Neither covers the possibility that the law does not extend that far: at m >= n it cannot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from empirical.scaling_laws.profile_likelihood import LinearQuantity, check_level
from empirical.scaling_laws.resampling import Bootstrap, _percentiles
from empirical.scaling_laws.variable_projection import Solution, VariableProjection
from theory.checks import check_finite, check_integer, check_numbers, check_real
from theory.figures.style import WIDTH, curve, finish, open_axes
from theory.results import result, short_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from empirical.scaling_laws.power_law_fit import PowerLawFit

_WIDEST = 690.0  # largest ln m; exp overflows above 709


@dataclass(frozen=True, eq=False)
@result
class Forecast:
    """The law at new widths.

    Attributes
    ----------
    table : DataFrame
        A row for each group and width: loss; low and high, of the law; new_low and new_high, of a
        new measurement with the mean variance of those given; extrapolation, m over the largest
        width measured in the group; and with n: allowed, whether m < n.
    level : float
        Nominal coverage.
    method : str
        "profile", or the bootstrap.
    notes : tuple of str
        Limits of the forecast.
    """

    table: pd.DataFrame
    level: float
    method: str
    notes: tuple[str, ...] = ()

    def to_dataframe(self) -> pd.DataFrame:
        """Return the table."""
        return self.table.copy()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw loss with both intervals against m."""
        ax = open_axes(ax)
        for k, (group, part) in enumerate(self.table.groupby("group", sort=False)):
            style = curve(k) | {"linestyle": ""}
            for low, high, width in (("new_low", "new_high", 1), ("low", "high", 3)):
                ax.vlines(
                    part["m"], part[low], part[high], color=style["color"], lw=width, alpha=0.5
                )
            ax.plot(part["m"], part["loss"], label=str(group), **style)
        title = f"{self.level:.0%} intervals: thick of the law, thin of a new measurement"
        return finish(ax, WIDTH, "loss", log="x", title=title)

    def __str__(self) -> str:
        table = short_table(self.table, float_format=lambda value: f"{value:.5g}")
        return "\n".join([f"{self.level:.0%} intervals, {self.method}", table, *self.notes])


@dataclass(frozen=True)
@result
class WidthForecast:
    """The width at which a law reaches a loss.

    Attributes
    ----------
    loss, group : float, str
        The loss and group asked for.
    m, low, high : float
        The width and the interval of the law; inf where the loss is never reached.
    level, method : float, str
        Nominal coverage, and "profile" or the bootstrap.
    reason : str
        Why a width is infinite, or not allowed; empty otherwise.
    """

    loss: float
    group: str
    m: float
    low: float
    high: float
    level: float
    method: str
    reason: str = ""

    def to_dataframe(self) -> pd.DataFrame:
        """Return the answer as a table of one row."""
        return pd.DataFrame([vars(self)])

    def __str__(self) -> str:
        why = f"; {self.reason}" if self.reason else ""
        return (
            f"loss {self.loss:g} at m = {self.m:.4g} "
            f"({self.low:.4g} … {self.high:.4g}, {self.level:.0%}, {self.method}){why}"
        )


def forecast_losses(
    fit: PowerLawFit,
    m: ArrayLike,
    groups: list[int],
    level: float,
    bootstrap: Bootstrap | None,
    n: int | None,
) -> Forecast:
    """Forecast losses; see ``PowerLawFit.forecast``."""
    level = check_level(level)
    widths = check_finite("m", np.atleast_1d(check_numbers("m", m)))
    if np.any(widths <= 0):
        raise ValueError(f"m = {widths.min():g} is not allowed: give widths above 0")
    n = None if n is None else check_integer("n", n, 2)
    profile, points, projection = fit.profile, fit.points, fit.projection
    region = profile.region(level) if bootstrap is None else None
    residuals = points.loss - projection.fitted(fit.best)[0]
    extra = float(np.mean(1 / points.weight))
    rows: list[dict[str, Any]] = []
    for group in groups:
        largest = points.m[points.index == group].max()
        for width in widths:
            quantity = LinearQuantity(group, u=math.log(width))
            if region is not None:
                inner = profile.bounds(region, level, quantity)
                outer = profile.bounds(region, level, quantity, extra)
            else:
                assert bootstrap is not None
                laws = quantity.of(projection, bootstrap.laws)
                inner = _percentiles(laws, level)
                # Every law with every residual about the fitted one; nothing more is drawn.
                scatter = residuals * math.sqrt(points.size / max(fit.dof, 1))
                outer = _percentiles((laws[:, None] + scatter).ravel(), level)
            row = {
                "group": points.groups[group],
                "m": width,
                "loss": float(quantity.of(projection, fit.best)[0]),
                "low": inner[0],
                "high": inner[1],
                "new_low": outer[0],
                "new_high": outer[1],
                "extrapolation": width / largest,
            }
            rows.append(row if n is None else row | {"allowed": bool(width < n)})
    notes = []
    if n is not None:
        notes.append(_break_note(n, widths))
    method = "profile" if bootstrap is None else bootstrap.method
    return Forecast(pd.DataFrame(rows), level, method, tuple(notes))


def _break_note(n: int, widths: np.ndarray) -> str:
    text = f"the law cannot hold at m >= n = {n}: no two of n features need to interfere there"
    inside = widths[(widths > 1) & (widths < n)]
    if inside.size:
        # The Welch bound (n - m)/(m (n - 1)) over the mean square 1/m of random directions.
        share = (n - inside.max()) / (n - 1)
        text += (
            f"; at m = {inside.max():g} the least mean squared overlap is {share:.3g} of the 1/m "
            "of random directions"
        )
    return text


def forecast_width(
    fit: PowerLawFit,
    loss: float,
    group: int,
    level: float,
    bootstrap: Bootstrap | None,
    n: int | None,
) -> WidthForecast:
    """Invert the law; see ``PowerLawFit.width_for``."""
    level, loss = check_level(level), check_real("loss", loss, -1e100, 1e100)
    n = None if n is None else check_integer("n", n, 2)
    projection, points = fit.projection, fit.points
    name = points.groups[group]
    if float(fit.best.slope.min()) <= 0:
        raise ValueError("the fitted loss does not fall with m: it is reached at no width")
    at = points.m[points.index == group]

    width = float(_invert(projection, fit.best, loss, group)[0])
    if bootstrap is None:
        region = fit.profile.region(level)
        start = float(np.log(at).mean())

        def bound(u: float, end: int) -> float:
            return fit.profile.bounds(region, level, LinearQuantity(group, u=u))[end] - loss

        low, high = (_find_crossing(lambda u, end=end: bound(u, end), start) for end in (0, 1))
    else:
        low, high = _percentiles(_invert(projection, bootstrap.laws, loss, group), level)
    method = "profile" if bootstrap is None else bootstrap.method
    reason = ""
    if math.isinf(width):
        base = fit.floors.get(name, 0.0)
        reason = f"the loss is not above the floor {base:.4g}: no width reaches it"
    elif math.isinf(high):
        reason = "the loss may be below the floor: the interval has no upper end"
    if n is not None and n <= width < math.inf:
        reason += f"{'; ' if reason else ''}the law cannot hold at m >= n = {n}"
    return WidthForecast(loss, name, width, low, high, level, method, reason)


def _invert(projection: VariableProjection, laws: Solution, loss: float, group: int) -> np.ndarray:
    """Return the width at which each law reaches the loss; inf where it never does."""
    theta = laws.theta
    slope = laws.slope[:, 0 if projection.leveled else group]
    with np.errstate(all="ignore"):
        if projection.leveled:
            h = (loss - laws.level[:, group]) / slope
            u = np.where(theta == 0, -h, -np.log1p(np.maximum(theta * h, -1)) / theta)
        else:
            u = projection.middle[projection.starts[group]] - np.log(loss / slope) / theta
        m = np.exp(u + projection.origin)
    falls = (slope > 0) & ((theta > 0) | projection.leveled)
    return np.where(falls & ~np.isnan(m), m, np.inf)


def _find_crossing(excess: Any, start: float) -> float:
    """Return m where a falling excess(ln m) is zero: 0 or inf where it never is."""
    low, high, step = start, start, 1.0
    while excess(high) > 0:
        high += step
        step *= 2
        if high > _WIDEST:
            if excess(_WIDEST) > 0:
                return math.inf
            high = _WIDEST
            break
    step = 1.0
    while excess(low) < 0:
        low -= step
        step *= 2
        if low < -_WIDEST:
            return 0.0
    if low == high:
        return math.exp(low)
    return math.exp(float(brentq(excess, low, high, xtol=1e-12, rtol=1e-12)))
