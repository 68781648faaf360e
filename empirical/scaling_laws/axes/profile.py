"""Profile-likelihood intervals and tests of the exponents and floors of a law over several axes.

``AxesFit.interval`` and ``AxesFit.test`` call this. A parameter is held, all others are minimised
over, and the rise of the sum of squares is compared with the quantile of F(1, dof) (Bates and
Watts, Nonlinear Regression Analysis and Its Applications, 1988, section 6.1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import f as f_law

from empirical.scaling_laws.axes.law import Array, AxesLaw
from empirical.scaling_laws.axes.search import descend
from empirical.scaling_laws.profile_likelihood import Interval
from theory.results import result

Minima = Sequence[tuple[float, Array]]

_STEPS = 60  # outward steps at most, each 1.3 times the last
_GROWTH = 1.3


@dataclass(frozen=True)
@result
class AxesTest:
    """A test of given exponents.

    Attributes
    ----------
    values : mapping
        The exponent tested of each axis.
    statistic, p_value : float
        F with (number of exponents, dof) degrees of freedom, and its upper tail.
    dof : int
        Points less parameters of the fit.
    """

    values: Mapping[str, float]
    statistic: float
    p_value: float
    dof: int

    def to_dataframe(self) -> pd.DataFrame:
        """Return the test as a table of one row."""
        tested = ", ".join(f"alpha({name}) = {value:g}" for name, value in self.values.items())
        return pd.DataFrame(
            [{"tested": tested, "F": self.statistic, "p_value": self.p_value, "dof": self.dof}]
        )

    def __str__(self) -> str:
        tested = ", ".join(f"alpha({name}) = {value:g}" for name, value in self.values.items())
        return f"{tested}: p = {self.p_value:.3g} (F({len(self.values)}, {self.dof}))"


def floor_form(law: AxesLaw, x: Array) -> tuple[AxesLaw, Array]:
    """Return the law and its parameters with levels that are the floors."""
    first = law.axes + law.levels
    moved = x.copy()
    moved[law.axes : first] -= np.sum(x[first : first + law.axes] / x[: law.axes])
    return replace(law, shift=0.0), moved


def held_minimum(law: AxesLaw, starts: Sequence[Array], held: dict[int, float]) -> float:
    """Return the least objective over all parameters but those held at given values."""
    return min(_held(law, start, held)[0] for start in starts)


def _held(law: AxesLaw, start: Array, held: dict[int, float]) -> tuple[float, Array]:
    x = start.copy()
    for index, value in held.items():
        x[index] = value
    if all(index < law.axes for index in held):
        # The linear part for the held exponents: closer to the minimum than that of the start.
        linear, objective = law.linear_fit(x[None, : law.axes])
        if math.isfinite(objective[0]):
            x[law.axes :] = linear[0]
    return descend(law, x, tuple(held))


def f_rise(objective: float, dof: int, level: float, count: int = 1) -> float:
    """Return by how much the sum of squares may rise at a level, for ``count`` held parameters."""
    return float(f_law.ppf(level, count, dof)) * count * objective / dof


def profile_interval(
    law: AxesLaw, minima: Minima, index: int, dof: int, level: float, scale: float
) -> Interval:
    """Return the interval of one parameter; ends at the bounds of the search are open.

    Parameters
    ----------
    law, minima
        The law, and its local minima, the lowest first.
    index
        Which parameter: an exponent, or with ``shift`` 0 a floor.
    dof, level
        Degrees of freedom, and nominal coverage.
    scale
        First step outward: a standard error, or any guess of one.
    """
    least, best = minima[0]
    rise = f_rise(least, dof, level)
    low, high = -math.inf, math.inf
    if index < law.axes:
        low, high = (float(bound[index]) for bound in law.bounds)
    value = float(best[index])
    if least <= 1e-26 * float(law.weight @ law.y**2):
        return Interval(value, value, level, "profile")
    ends = []
    for side, limit in ((-1.0, low), (1.0, high)):
        ends.append(_cross(law, minima, index, side, limit, rise, scale))
    return Interval(
        0.0 if math.isinf(ends[0]) and index < law.axes else ends[0],
        ends[1],
        level,
        "profile",
        math.isinf(ends[0]),
        math.isinf(ends[1]),
    )


def _cross(
    law: AxesLaw, minima: Minima, index: int, side: float, limit: float, rise: float, scale: float
) -> float:
    """Return where the profile exceeds its minimum by ``rise`` on one side; infinite if nowhere."""
    least, best = minima[0]
    rivals = [x for objective, x in minima[1:] if objective <= least + 4 * rise]
    path = best

    def excess(value: float) -> float:
        nonlocal path
        found, path = _held(law, path, {index: value})
        others = [_held(law, x, {index: value})[0] for x in rivals]
        return min([found, *others]) - least - rise

    inside, step = float(best[index]), scale
    for _ in range(_STEPS):
        trial = inside + side * step
        if side * (trial - limit) >= 0:
            if not math.isfinite(limit) or excess(limit) <= 0:
                return side * math.inf
            trial = limit
        if excess(trial) > 0:
            return _root(excess, inside, trial)
        inside, step = trial, step * _GROWTH
    return side * math.inf


def _root(excess: Callable[[float], float], inside: float, outside: float) -> float:
    if excess(inside) >= 0:
        return inside
    return float(brentq(excess, inside, outside, xtol=1e-9, rtol=1e-7))
