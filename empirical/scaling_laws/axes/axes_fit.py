"""The result of a fit over several axes: the law, its errors, tests and comparisons.

Made by ``fit_axes``; ``plan_shape`` takes it further, to the best model for a budget.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import f as f_law

from empirical.scaling_laws.axes.apart import without_axes
from empirical.scaling_laws.axes.law import Array, AxesLaw, Residuals
from empirical.scaling_laws.axes.parameters import (
    mean_logarithms,
    name_coefficients,
    name_floors,
)
from empirical.scaling_laws.axes.profile import (
    AxesTest,
    Minima,
    floor_form,
    held_minimum,
    profile_interval,
)
from empirical.scaling_laws.axes.resampling import (
    AxesBootstrap,
    By,
    Validation,
    leave_one_out,
    resample_rows,
    validate_outside,
)
from empirical.scaling_laws.axes.search import find_minima
from empirical.scaling_laws.profile_likelihood import Interval, check_level
from theory.checks import (
    Numbers,
    broadcast_numbers,
    check_choice,
    check_finite,
    check_numbers,
    check_real,
    scalar_like,
    shown,
)
from theory.computing.argument_kinds import check_kinds
from theory.results import result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Exponent times a distance in ln x up to which sums of squares of powers are finite.
_LARGEST_LOGARITHM = 150.0


@dataclass(frozen=True, eq=False)
@result
class AxesFit:
    """L = L_0 + sum_k c_k/x_k^alpha_k at the global optimum.

    Attributes
    ----------
    axes : tuple of str
        Names of the axes.
    groups : tuple of str
        Names of the groups that have a floor of their own.
    objective : float
        What was minimised: the weighted sum of squares, or of Huber's losses.
    residuals : str
        "log", "squared" or "huber".
    dof : int
        Number of points less number of parameters.
    warnings : tuple of str
        What the data do not determine.
    rows : DataFrame
        The points: axes, loss, group, cluster, weight.
    """

    axes: tuple[str, ...]
    groups: tuple[str, ...]
    objective: float
    residuals: Residuals
    dof: int
    warnings: tuple[str, ...]
    rows: pd.DataFrame = field(repr=False)
    law: AxesLaw = field(repr=False, compare=False)
    minima: Minima = field(repr=False, compare=False)

    @property
    def parameters(self) -> Array:
        """The parameters in the law's own form."""
        return self.minima[0][1]

    @property
    def _origin(self) -> Array:
        """Mean logarithm of each axis."""
        return mean_logarithms(self.rows, self.axes)

    @property
    def exponents(self) -> dict[str, float]:
        """Exponent alpha of each axis."""
        return dict(zip(self.axes, map(float, self.parameters), strict=False))

    @property
    def coefficients(self) -> dict[str, float]:
        """Coefficient c of each axis and interaction (named "a*b"), in the unit of the loss."""
        return name_coefficients(self.law, self.axes, self._origin, self.parameters)

    @property
    def floors(self) -> dict[str, float]:
        """L_0 of each group; empty without floors."""
        return name_floors(self.law, self.groups, self.parameters)

    @cached_property
    def stderr(self) -> dict[str, float]:
        """Standard error of each exponent by the curvature; NaN for a robust fit."""
        if self.residuals == "huber" or self.dof <= 0:
            return dict.fromkeys(self.axes, math.nan)
        gauss = self.law.curvature(self.parameters)[3]
        scale = np.sqrt(np.diag(gauss))
        covariance = np.linalg.pinv(gauss / np.outer(scale, scale), rcond=1e-13)
        variance = np.diag(covariance) / scale**2 * 2 * self.objective / self.dof
        return dict(zip(self.axes, map(float, np.sqrt(variance)), strict=False))

    @check_kinds
    def predict(self, group: str | None = None, **axes: ArrayLike) -> Numbers:
        """Return the loss at given values of all axes (they broadcast), in one group.

        Raises
        ------
        ValueError
            If an axis is missing or unknown, a value is not above 0, or the group is not named
            where there are several.
        """
        if set(axes) != set(self.axes):
            raise ValueError(f"axes {sorted(axes)} were given: give each of {', '.join(self.axes)}")
        for name, value in axes.items():
            check_finite(name, value, None, low=0, strict=True)
        values = broadcast_numbers(**{name: axes[name] for name in self.axes})
        floor = self.floors.get(self._find_group(group), 0.0)
        with np.errstate(over="ignore"):
            terms = {
                name: value ** -self.exponents[name]
                for name, value in zip(self.axes, values, strict=True)
            }
            loss = floor + sum(
                c * math.prod((terms[part] for part in name.split("*")), start=np.ones(()))
                if name not in terms
                else c * terms[name]
                for name, c in self.coefficients.items()
            )
        if not np.all(np.isfinite(loss)):
            raise ValueError(
                f"{', '.join(self.axes)}: the law is not finite there: give larger values"
            )
        return scalar_like(np.asarray(loss), *(axes[name] for name in self.axes))

    def _find_group(self, group: str | None) -> str:
        if group is None and len(self.groups) > 1:
            raise ValueError(f"group is missing: give one of {', '.join(self.groups)}")
        return self.groups[0] if group is None else check_choice("group", group, self.groups)

    @check_kinds
    def interval(self, name: str, level: float = 0.95) -> Interval:
        """Return the profile-likelihood interval of an exponent, or of a floor.

        Parameters
        ----------
        name : str
            An axis, "floor", or "floor of GROUP".
        level : float
            Nominal coverage, for independent errors.
        """
        self._check_profile()
        level = check_level(level)
        if name in self.axes:
            law, minima, index = self.law, self.minima, self.axes.index(name)
            scale = self.stderr[name]
        else:
            index = self.law.axes + self._floor_number(name)
            pairs = [(value, floor_form(self.law, x)) for value, x in self.minima]
            law, minima = pairs[0][1][0], [(value, moved) for value, (_, moved) in pairs]
            scale = 0.02 * max(abs(float(minima[0][1][index])), float(np.ptp(self.law.y)))
        if not (math.isfinite(scale) and scale > 0):
            scale = 0.05
        return profile_interval(law, minima, index, self.dof, level, scale)

    def _floor_number(self, name: str) -> int:
        known = ["floor"] if len(self.groups) == 1 else []
        known += [f"floor of {group}" for group in self.groups]
        if not self.law.floor or name not in known:
            shown = [*self.axes, *(known if self.law.floor else [])]
            raise ValueError(f"name = {name!r} is unknown: give one of {', '.join(shown)}")
        return 0 if name == "floor" else self.groups.index(name.removeprefix("floor of "))

    def _check_profile(self) -> None:
        if self.residuals == "huber":
            raise ValueError("a robust fit has no profile likelihood: use bootstrap()")
        if self.dof <= 0:
            raise ValueError("as many parameters as points: give more points")

    def _check_exponents(self, axis: str, name: str, values: ArrayLike) -> Array:
        """Return exponents that an axis may be held at: its powers stay in the range of floats."""
        reach = float(np.abs(self.law.u[:, self.axes.index(axis)]).max())
        return check_finite(name, values, low=0, high=_LARGEST_LOGARITHM / reach, strict=True)

    @check_kinds
    def profile(self, name: str, values: ArrayLike) -> pd.DataFrame:
        """Return the rise of the objective over its minimum, in units of its variance.

        Parameters
        ----------
        name : str
            An axis.
        values : array_like
            Exponents of it that are held, one after the other.
        """
        self._check_profile()
        check_choice("name", name, self.axes)
        held = self._check_exponents(name, "values", np.atleast_1d(check_numbers("values", values)))
        starts = [x for _, x in self.minima]
        found = [
            held_minimum(self.law, starts, {self.axes.index(name): float(value)}) for value in held
        ]
        rise = (np.array(found) - self.objective) / (self.objective / self.dof)
        return pd.DataFrame({f"alpha({name})": held, "objective": found, "rise": rise})

    def test(self, **exponents: float) -> AxesTest:
        """Test given exponents together, as ``fit.test(d_model=1, n_layers=1)``.

        Examples
        --------
        >>> from empirical.scaling_laws.axes.fit import fit_axes
        >>> m, depth = (x.ravel() for x in np.meshgrid([256, 512, 1024, 2048], [4, 8, 16, 32]))
        >>> noise = 1 + 0.001 * np.random.default_rng(0).standard_normal(16)
        >>> loss = (1.7 + 90 / m**0.95 + 3 / depth**1.2) * noise
        >>> fit = fit_axes({"m": m, "depth": depth, "loss": loss}, ["m", "depth"])
        >>> fit.test(m=2).p_value < 0.001
        True
        """
        self._check_profile()
        if not exponents or not set(exponents) <= set(self.axes):
            raise ValueError(f"give exponents of {', '.join(self.axes)}, as {self.axes[0]}=1")
        values = {
            name: float(self._check_exponents(name, name, [check_real(name, x)])[0])
            for name, x in exponents.items()
        }
        held = {self.axes.index(name): value for name, value in values.items()}
        least = held_minimum(self.law, [x for _, x in self.minima], held)
        variance = self.objective / self.dof
        rise = max(least - self.objective, 0.0)
        statistic = rise / len(held) / variance if variance > 0 else math.inf * (rise > 0)
        p = float(f_law.sf(statistic, len(held), self.dof))
        return AxesTest(values, float(statistic), p, self.dof)

    @check_kinds
    def bootstrap(
        self, by: By = "points", samples: int = 199, seed: np.random.Generator | int = 0
    ) -> AxesBootstrap:
        """Refit resampled points, or clusters whose points share errors.

        Examples
        --------
        >>> from empirical.scaling_laws.axes.fit import fit_axes
        >>> m, depth = (x.ravel() for x in np.meshgrid([256, 512, 1024, 2048], [4, 8, 16, 32]))
        >>> noise = 1 + 0.001 * np.random.default_rng(0).standard_normal(16)
        >>> loss = (1.7 + 90 / m**0.95 + 3 / depth**1.2) * noise
        >>> fit = fit_axes({"m": m, "depth": depth, "loss": loss}, ["m", "depth"])
        >>> fit.bootstrap(samples=9).by
        'points'
        """
        return resample_rows(self, by, samples, seed)

    @check_kinds
    def influence(self, by: By = "points") -> pd.DataFrame:
        """Return the exponents without each point or cluster, the largest change first."""
        return leave_one_out(self, by)

    def validate(self, by: str | ArrayLike, share: float = 0.7) -> Validation:
        """Fit the smallest models alone and predict the others.

        Parameters
        ----------
        by : str or array_like
            The axis, or a value for each point (such as compute), that says which are small.
        share : float
            Share of the points that are fitted: those with the smallest values.

        Examples
        --------
        >>> from empirical.scaling_laws.axes.fit import fit_axes
        >>> m, depth = (x.ravel() for x in np.meshgrid([256, 512, 1024, 2048], [4, 8, 16, 32]))
        >>> noise = 1 + 0.001 * np.random.default_rng(0).standard_normal(16)
        >>> loss = (1.7 + 90 / m**0.95 + 3 / depth**1.2) * noise
        >>> fit = fit_axes({"m": m, "depth": depth, "loss": loss}, ["m", "depth"])
        >>> print(fit.validate("m"))  # doctest: +ELLIPSIS
        4 models with m above 1024, predicted from those below: root mean square error ...
        """
        return validate_outside(self, by, share)

    @check_kinds
    def compare(self, rivals: Mapping[str, AxesFit] | None = None) -> pd.DataFrame:
        """Return laws of the same points by AICc, the best first.

        Each axis is left out in turn, and the floor; ``rivals`` holds other fits of the same points
        with the same residuals, such as L(N, D).
        """
        self._check_profile()
        laws = {"all axes": self.law}
        for k, name in enumerate(self.axes):
            if len(self.axes) > 1:
                laws[f"without {name}"] = without_axes(self.law, [k])
        if self.law.floor:
            laws["without floor"] = replace(self.law, floor=False, shift=0.0)
        for title, rival in (rivals or {}).items():
            if not isinstance(rival, AxesFit):
                raise TypeError(f"rivals[{title!r}] = {shown(rival)}: give what fit_axes returns")
            if rival.residuals != self.residuals or not np.array_equal(rival.law.y, self.law.y):
                raise ValueError(f"{title!r} has other points or residuals: fit the same to both")
            laws[title] = rival.law
        table = pd.DataFrame(
            [{"law": title, **_score(law, find_minima(law)[0][0])} for title, law in laws.items()]
        )
        table["difference"] = table["AICc"] - table["AICc"].min()
        share = np.exp(-table["difference"] / 2)
        table["weight"] = share / share.sum()
        return table.sort_values("AICc", kind="stable").reset_index(drop=True)

    def fitted(self) -> NDArray[np.float64]:
        """Return the law at the points."""
        return self.law.value(self.parameters)

    def to_dataframe(self) -> pd.DataFrame:
        """Return a row for each parameter."""
        rows = [
            {"parameter": f"alpha({name})", "value": value, "stderr": self.stderr[name]}
            for name, value in self.exponents.items()
        ]
        rows += [
            {"parameter": f"c({name})", "value": value, "stderr": math.nan}
            for name, value in self.coefficients.items()
        ]
        rows += [
            {"parameter": f"L_0({name})", "value": value, "stderr": math.nan}
            for name, value in self.floors.items()
        ]
        return pd.DataFrame(rows)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the loss above its floor that each axis explains, against that axis."""
        from empirical.scaling_laws.axes.figures import plot_axes

        return plot_axes(self, ax)

    def __str__(self) -> str:
        errors = self.stderr
        shown = [
            f"alpha({name}) = {value:.4g}"
            + (f" ± {errors[name]:.2g}" if math.isfinite(errors[name]) else "")
            for name, value in self.exponents.items()
        ]
        shown += [
            f"L_0{'' if len(self.floors) == 1 else f'({name})'} = {value:.4g}"
            for name, value in self.floors.items()
        ]
        lines = [f"{', '.join(shown)} ({self.law.y.size} points, {self.residuals} residuals)"]
        return "\n".join(lines + [f"note: {text}" for text in self.warnings])


def _score(law: AxesLaw, objective: float) -> dict[str, float]:
    """Return the number of parameters and AICc (Hurvich and Tsai 1989), the variance counted."""
    size, count = law.y.size, law.parameters + 1
    spare = size - count - 1
    minus_two = size * math.log(objective / size) if objective > 0 else -math.inf
    penalty = 2 * count + 2 * count * (count + 1) / spare if spare > 0 else math.nan
    return {"parameters": law.parameters, "objective": objective, "AICc": minus_two + penalty}
