"""The result of a power-law fit: the law, its errors, tests and forecasts.

The methods of ``PowerLawFit`` give them: ``interval``, ``bootstrap``, ``influence``,
``test_alpha``, ``compare``, ``forecast`` and ``width_for``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from empirical.scaling_laws.forecast import Forecast, WidthForecast, forecast_losses, forecast_width
from empirical.scaling_laws.law_comparison import LawComparison, compare_laws
from empirical.scaling_laws.loss_points import LossPoints
from empirical.scaling_laws.profile_likelihood import Interval, LinearQuantity, Profile
from empirical.scaling_laws.resampling import (
    Bootstrap,
    ExponentTest,
    Influence,
    measure_influence,
    resample,
)
from empirical.scaling_laws.variable_projection import Solution, VariableProjection
from theory.checks import Numbers, check_finite, check_numbers, check_real, scalar_like
from theory.computing.argument_kinds import check_kinds
from theory.figures.style import BLACK, WIDTH, curve, finish, open_axes
from theory.results import result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

By = Literal["points", "residuals", "clusters"]


@dataclass(frozen=True, eq=False)
@result
class PowerLawFit:
    """L = C m^-alpha + floor at the global optimum.

    Attributes
    ----------
    alpha : float
        The exponent; 0 where a logarithm fits best (then C and the floors are infinite).
    stderr : float
        Standard error of alpha from the curvature at the best law, for independent errors; NaN
        for a robust fit or as many parameters as points. ``interval`` also holds for few points.
    coefficients : mapping
        C of each group: the same for all if there are floors.
    floors : mapping
        Floor of each group; empty if there are none.
    rss : float
        Weighted sum of squares; for a robust fit the sum of Huber's losses of the log residuals.
    r_squared : float
        1 - RSS/(sum of squares about the groups' means): the share that m explains.
    dof : int
        Number of points less number of parameters.
    residual_std : float
        Estimated standard deviation of a point of weight 1; NaN if dof is 0.
    floor : bool
        Whether the law has floors.
    huber : float or None
        Threshold of a robust fit.
    warnings : tuple of str
        Limits of these numbers.
    points : LossPoints
        The data.

    Examples
    --------
    >>> from empirical.scaling_laws.power_law import fit_power_law
    >>> fit = fit_power_law([8, 16, 32, 64, 128], [2.52, 1.49, 1.01, 0.74, 0.63])
    >>> print(f"{fit.alpha:.2f}, floor {fit.floors['all']:.2f}")
    1.02, floor 0.51
    """

    alpha: float
    stderr: float
    coefficients: Mapping[str, float]
    floors: Mapping[str, float]
    rss: float
    r_squared: float
    dof: int
    residual_std: float
    floor: bool
    huber: float | None
    warnings: tuple[str, ...]
    points: LossPoints = field(repr=False)
    projection: VariableProjection = field(repr=False, compare=False)
    best: Solution = field(repr=False, compare=False)
    profile: Profile = field(repr=False, compare=False)

    @property
    def coefficient(self) -> float:
        """C, if all groups share it."""
        values = set(self.coefficients.values())
        if len(values) > 1:
            raise ValueError("each group has a C of its own without floors: see coefficients")
        return values.pop()

    @check_kinds
    def predict(self, m: ArrayLike, group: object = None) -> Numbers:
        """Return the loss of the law at widths m > 0, in one group."""
        number = self.points.find_group(group)
        widths = check_finite("m", np.atleast_1d(check_numbers("m", m)))
        if np.any(widths <= 0):
            raise ValueError(f"m = {widths.min():g} is not allowed: give widths above 0")
        losses = [self.projection.predict(self.best, math.log(x), number)[0] for x in widths]
        return scalar_like(np.array(losses), m)

    @check_kinds
    def interval(self, level: float = 0.95) -> Interval:
        """Return the profile-likelihood interval of alpha, for independent errors.

        An end that the data do not determine is 0 (a logarithm fits as well, and there is no finite
        floor) or inf (only the smallest width differs), and is marked open. Where points of one
        cluster share errors, use ``bootstrap(by="clusters")``.

        Raises
        ------
        ValueError
            For a robust fit, or as many parameters as points.

        Examples
        --------
        >>> from empirical.scaling_laws.power_law import fit_power_law
        >>> m, loss = [8, 16, 32, 64, 128, 256], [1.08, 0.82, 0.69, 0.60, 0.56, 0.53]
        >>> fit = fit_power_law(m, loss)
        >>> print(fit.interval())
        0.7272 … 0.935 (95%, profile)
        """
        return self.profile.region(level)

    @check_kinds
    def floor_interval(self, group: object = None, level: float = 0.95) -> Interval:
        """Return the profile-likelihood interval of a group's floor."""
        number = self.points.find_group(group)
        if not self.floor:
            raise ValueError("the law was fitted without floors: fit with floor=True")
        region = self.interval(level)
        low, high = self.profile.bounds(region, level, LinearQuantity(number, "floor"))
        return Interval(low, high, level, "profile", math.isinf(low), math.isinf(high))

    @check_kinds
    def bootstrap(
        self,
        by: By = "points",
        samples: int = 999,
        seed: np.random.Generator | int = 0,
    ) -> Bootstrap:
        """Fit again to resampled data.

        Parameters
        ----------
        by : {"points", "residuals", "clusters"}
            Resample points within each group; residuals about the best law (equal variances); or
            whole clusters, so that errors shared within a cluster are kept.
        samples : int
            Number of resamples.
        seed : int or numpy.random.Generator
            Of the resamples.

        Returns
        -------
        Bootstrap
            The refitted exponents, with ``interval(level)`` and ``stderr``.

        Raises
        ------
        ValueError
            For another value of ``by``, or clusters that were not given.

        Examples
        --------
        >>> from empirical.scaling_laws.power_law import fit_power_law
        >>> m, loss = [8, 16, 32, 64, 128, 256], [1.08, 0.82, 0.69, 0.60, 0.56, 0.53]
        >>> fit = fit_power_law(m, loss)
        >>> print(fit.bootstrap(samples=99, seed=0))
        alpha 0.5305 … 0.9607 (95%, bootstrap over points), standard error 0.0961
        """
        return resample(self.projection, self.points, self.best, self.dof, by, samples, seed)

    @check_kinds
    def influence(self, by: Literal["points", "clusters"] = "points") -> Influence:
        """Fit again without each point or cluster, with the standard error of the jackknife.

        Examples
        --------
        >>> from empirical.scaling_laws.power_law import fit_power_law
        >>> m, loss = [8, 16, 32, 64, 128, 256], [1.08, 0.82, 0.69, 0.60, 0.56, 0.53]
        >>> fit = fit_power_law(m, loss)
        >>> fit.influence().to_dataframe()["name"][0]  # the point that moves alpha most
        'm = 8'
        """
        return measure_influence(self.projection, self.points, self.best, self.stderr, by)

    @check_kinds
    def test_alpha(
        self, value: float = 1.0, by: Literal["points", "clusters"] = "points"
    ) -> ExponentTest:
        """Test alpha = ``value``, two-sided.

        By points: the profile-likelihood F test (chi-square if errors are known). By clusters: t
        from the jackknife over clusters.

        Examples
        --------
        >>> from empirical.scaling_laws.power_law import fit_power_law
        >>> m, loss = [8, 16, 32, 64, 128, 256], [1.08, 0.82, 0.69, 0.60, 0.56, 0.53]
        >>> fit = fit_power_law(m, loss)
        >>> round(fit.test_alpha(1.0).p_value, 3)
        0.015
        """
        value = check_real("value", value)
        if self.floor and value < 0:
            raise ValueError(f"value = {value:g} is not allowed: with a floor alpha is at least 0")
        if by == "clusters":
            return self.influence("clusters").test(value, self.alpha)
        if by != "points":
            raise ValueError(f"by = {by!r} is not allowed: give points or clusters")
        statistic, p = self.profile.statistic(value), self.profile.p_value(value)
        method = "chi-square of the profile" if self.points.known else "F of the profile"
        return ExponentTest(value, self.alpha, statistic, p, None if self.points.known else
                            self.dof, method)  # fmt: skip

    def compare(self) -> LawComparison:
        """Compare with no floor, an exponential and a logarithm, by AICc.

        Examples
        --------
        >>> from empirical.scaling_laws.power_law import fit_power_law
        >>> m, loss = [8, 16, 32, 64, 128, 256], [1.08, 0.82, 0.69, 0.60, 0.56, 0.53]
        >>> fit = fit_power_law(m, loss)
        >>> fit.compare().to_dataframe()["law"].tolist()
        ['power law', 'no floor', 'logarithm', 'exponential']
        """
        return compare_laws(self.points)

    @check_kinds
    def forecast(
        self,
        m: ArrayLike,
        group: object = None,
        level: float = 0.95,
        bootstrap: Bootstrap | None = None,
        n: int | None = None,
    ) -> Forecast:
        """Forecast the loss at widths that were not trained.

        Parameters
        ----------
        m : array_like
            Widths.
        group : optional
            Name of a group; all groups by default.
        level : float
            Nominal coverage of the intervals.
        bootstrap : Bootstrap, optional
            Take the intervals from its laws rather than from the profile likelihood.
        n : int, optional
            Number of features (vocabulary): at m >= n no features need to interfere, and the law
            cannot hold.

        Returns
        -------
        Forecast
            Loss, the interval of the law, and the wider one of a new point.

        Examples
        --------
        >>> from empirical.scaling_laws.power_law import fit_power_law
        >>> m, loss = [8, 16, 32, 64, 128, 256], [1.08, 0.82, 0.69, 0.60, 0.56, 0.53]
        >>> fit = fit_power_law(m, loss)
        >>> fit.forecast(512).to_dataframe()["loss"].round(3).tolist()
        [0.518]
        """
        groups = self.points.groups if group is None else (str(group),)
        numbers = [self.points.find_group(name) for name in groups]
        return forecast_losses(self, m, numbers, level, bootstrap, n)

    @check_kinds
    def width_for(
        self,
        loss: float,
        group: object = None,
        level: float = 0.95,
        bootstrap: Bootstrap | None = None,
        n: int | None = None,
    ) -> WidthForecast:
        """Return the width at which the law reaches a loss, with an interval.

        The width is inf, with the reason, where the loss is not above the floor.

        Examples
        --------
        >>> from empirical.scaling_laws.power_law import fit_power_law
        >>> m, loss = [8, 16, 32, 64, 128, 256], [1.08, 0.82, 0.69, 0.60, 0.56, 0.53]
        >>> fit = fit_power_law(m, loss)
        >>> round(fit.width_for(0.54).m)
        198
        """
        number = self.points.find_group(group)
        return forecast_width(self, loss, number, level, bootstrap, n)

    def residuals(self) -> pd.DataFrame:
        """Return the points in the order given, with fitted losses and residuals."""
        points, fitted = self.points, self.projection.fitted(self.best)[0]
        columns = {
            "label": points.labels,
            "group": [points.groups[k] for k in points.index],
            "m": points.m,
            "loss": points.loss,
            "fitted": fitted,
            "residual": points.loss - fitted,
        }
        return points.in_given_order(columns)

    @check_kinds
    def to_dataframe(self, level: float = 0.95) -> pd.DataFrame:
        """Return a row for each parameter, with its profile-likelihood interval (NaN if none)."""
        rows: list[dict[str, Any]] = []
        names = self.points.groups

        def add(name: str, group: str, value: float, quantity: LinearQuantity | None) -> None:
            low, high = math.nan, math.nan
            if region is not None:
                low, high = region.low, region.high
                if quantity is not None:
                    low, high = self.profile.bounds(region, level, quantity)
            rows.append(
                {"parameter": name, "group": group, "value": value, "low": low, "high": high}
            )

        try:
            region = self.interval(level)
        except ValueError:
            region = None
        add("alpha", "", self.alpha, None)
        shared = names[:1] if self.floor else names
        for k, name in enumerate(shared):
            group = "" if self.floor else name
            add("C", group, self.coefficients[name], LinearQuantity(k, "coefficient"))
        for k, name in enumerate(self.floors):
            add("floor", name, self.floors[name], LinearQuantity(k, "floor"))
        return pd.DataFrame(rows)

    def __str__(self) -> str:
        law = "C m^-alpha + floor" if self.floor else "C m^-alpha"
        count = f", {len(self.points.groups)} groups" if len(self.points.groups) > 1 else ""
        lines = [f"L = {law}: alpha = {self.alpha:.4f} ± {self.stderr:.2g}"]
        if self.huber is not None:
            lines = [f"L = {law}, Huber {self.huber:g}: alpha = {self.alpha:.4f}"]
        lines[0] += f" ({self.points.size} points{count}, R² = {self.r_squared:.4f})"
        try:
            shared = self.points.clusters is not None
            hint = '; where clusters share errors, see bootstrap("clusters")' if shared else ""
            lines.append(f"alpha {self.interval()}, for independent errors{hint}")
        except ValueError as error:
            lines.append(f"no interval: {error}")
        return "\n".join(lines + [f"warning: {text}" for text in self.warnings])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the part of the loss above the floor against m, on logarithmic axes."""
        ax = open_axes(ax)
        points, finite = self.points, math.isfinite(self.best.slope[0, 0]) and self.alpha > 0
        span = np.geomspace(points.m.min(), points.m.max(), 100)
        below = 0
        for k, name in enumerate(points.groups):
            base = self.floors.get(name, 0.0) if finite else 0.0
            part = points.index == k
            height = points.loss[part] - base
            below += int(np.sum(height <= 0))
            style = curve(k)
            line = style.pop("linestyle")
            ax.plot(points.m[part], np.where(height > 0, height, np.nan), ls="", ms=5,
                    label=name if len(points.groups) > 1 else "measured", **style)  # fmt: skip
            if k == 0 or not (self.floor and finite):
                one = finite and self.floor
                color = BLACK if one else style["color"]
                label = "law" if one else None
                ax.plot(span, self.predict(span, name) - base, color=color, lw=1, label=label,
                        ls="-" if one else line)  # fmt: skip
        shown = "loss − floor" if self.floor and finite else "loss"
        title = f"exponent alpha = {self.alpha:.3f}"
        if below:
            title += f"; not drawn, at or below the floor: {below}"
        return finish(ax, WIDTH, shown, log="xy", title=title)
