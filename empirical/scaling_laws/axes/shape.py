"""The best width, depth and number of tokens for a budget, from a fit over these axes.

``plan_shape(fit, compute=1e21)`` minimises L_0 + sum_k c_k/x_k^alpha_k at fixed compute C = 6 N D
with N = 12 m^2 l + V m parameters (Kaplan et al., arXiv 2001.08361, section 2.1);
``plan_shape(fit, parameters=1e9, tokens=2e10)`` at fixed N. In the logarithms of the axes the loss
is convex, so that there is one minimum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from empirical.scaling_laws.axes.axes_fit import AxesFit
from empirical.scaling_laws.axes.budget import (
    BudgetedLaw,
    Count,
    Transformer,
    find_flat_directions,
    six_per_parameter,
)
from empirical.scaling_laws.axes.resampling import By
from empirical.scaling_laws.profile_likelihood import Interval, check_level
from theory.checks import (
    LARGEST,
    MOST_REPEATS,
    check_integer,
    check_real,
    shown,
)
from theory.computing.argument_kinds import check_kinds
from theory.results import result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SAMPLES = 199
# FLOP, or parameters: beyond it the axes leave the range that is searched.
_LARGEST_BUDGET = 1e40
_STEP = 0.05  # in ln budget, for the move of the optimum


@dataclass(frozen=True, eq=False)
@result
class Shape:
    """The shape of least loss for a budget.

    Attributes
    ----------
    budget : float
        Compute in FLOP, or parameters.
    kind : {"compute", "parameters"}
        Which of the two.
    width, depth, tokens : float
        The best m, l and D (real numbers: round them, the optimum is flat); ``tokens`` is NaN where
        the fit has no such axis.
    parameters, compute : float
        N and C there; C is NaN without tokens.
    loss : float
        What the fit predicts there.
    intervals : mapping
        Interval of width, depth, tokens and loss over the resampled fits.
    growth : mapping
        d ln(width, depth, tokens)/d ln budget.
    flat : DataFrame
        The principal directions of the optimum, the flatter first: the factors of width, depth and
        tokens that together raise the loss by ``tolerance`` of itself (their inverses do too).
    tolerance : float
        That share of the loss.
    samples : DataFrame
        The best shape of each resampled fit.
    """

    budget: float
    kind: str
    width: float
    depth: float
    tokens: float
    parameters: float
    compute: float
    loss: float
    intervals: Mapping[str, Interval]
    growth: Mapping[str, float]
    flat: pd.DataFrame
    tolerance: float
    samples: pd.DataFrame = field(repr=False)
    problem: BudgetedLaw = field(repr=False, compare=False)

    def to_dataframe(self) -> pd.DataFrame:
        """Return a row for width, depth, tokens and loss: value, interval, power of the budget."""
        return pd.DataFrame(
            [
                {
                    "quantity": name,
                    "value": getattr(self, name),
                    "low": self.intervals[name].low,
                    "high": self.intervals[name].high,
                    "power of the budget": self.growth.get(name, math.nan),
                }
                for name in ("width", "depth", "tokens", "loss")
                if name in self.intervals
            ]
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw by how much the loss exceeds its least over width and depth."""
        from empirical.scaling_laws.axes.shape_figure import plot_shape

        return plot_shape(self, ax)

    def __str__(self) -> str:
        unit = "FLOP" if self.kind == "compute" else "parameters"
        tokens = "" if math.isnan(self.tokens) else f", {self.tokens:.4g} tokens"
        flattest = self.flat.iloc[0]
        return (
            f"{self.budget:.4g} {unit}: width {self.width:.4g}, depth {self.depth:.4g}{tokens}: "
            f"loss {self.loss:.4f}\n"
            f"width {self.intervals['width']}; depth {self.intervals['depth']}\n"
            f"the loss rises by {self.tolerance:.1%} where width is {flattest['width']:.3g} times "
            f"and depth {flattest['depth']:.3g} times that, or the inverse"
        )


@dataclass(frozen=True, eq=False)
@result
class Shapes:
    """The shapes of several budgets, as one table and one figure.

    Attributes
    ----------
    shapes : tuple of Shape
        One for each budget.

    Examples
    --------
    >>> from empirical.scaling_laws.axes.fit import fit_axes
    >>> grid = np.meshgrid([256, 512, 1024], [4, 8, 16], [1e9, 1e10, 1e11])
    >>> m, l, D = (x.ravel() for x in grid)
    >>> loss = 1.75 + 270 / m**0.95 + 6.7 / l**1.3 + 530 / D**0.3
    >>> fit = fit_axes({"m": m, "l": l, "D": D, "loss": loss}, ["m", "l", "D"])
    >>> plans = Shapes(tuple(plan_shape(fit, compute=c, samples=2) for c in (1e20, 1e21)))
    >>> plans.to_dataframe()["budget"].unique().tolist()
    [1e+20, 1e+21]
    """

    shapes: tuple[Shape, ...]

    def to_dataframe(self) -> pd.DataFrame:
        """Return the rows of each shape, with its budget."""
        parts = [one.to_dataframe().assign(budget=one.budget, of=one.kind) for one in self.shapes]
        return pd.concat(parts, ignore_index=True)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw width and depth against the budget."""
        from empirical.scaling_laws.axes.shape_figure import plot_budgets

        return plot_budgets(self, ax)

    def __str__(self) -> str:
        return "\n".join(str(one).splitlines()[0] for one in self.shapes)


@check_kinds
def plan_shape(
    fit: AxesFit,
    *,
    compute: float | None = None,
    parameters: float | None = None,
    tokens: float | None = None,
    axes: Sequence[str] | None = None,
    group: str | None = None,
    vocabulary: float = 0,
    count_parameters: Count | None = None,
    count_compute: Count | None = None,
    samples: int = _SAMPLES,
    by: By = "points",
    level: float = 0.95,
    tolerance: float = 0.001,
    seed: np.random.Generator | int = 0,
) -> Shape:
    """Return the width, depth and number of tokens of least loss for a budget.

    Parameters
    ----------
    fit : AxesFit
        A fit over width, depth and, for a budget of compute, tokens; without interactions.
    compute, parameters : float
        The budget: C in FLOP, or N. Give one of the two.
    tokens : float, optional
        D that the model of N parameters is trained on, if the fit has that axis.
    axes : tuple of str, optional
        Which axes of the fit are width, depth and tokens; its own order by default.
    group : str, optional
        Group whose floor is meant, where there are several.
    vocabulary : float
        V in N = 12 m^2 l + V m.
    count_parameters, count_compute : callable, optional
        N of width and depth, and C of N and D (growing with each), in place of these and of 6 N D;
        functions of a module, not lambdas, if the result is to be pickled.
    samples, by, seed
        Resampled fits that the intervals come from, as for ``AxesFit.bootstrap``.
    level : float
        Nominal coverage of the intervals.
    tolerance : float
        Rise of the loss, as a share of it, that the flat directions are measured by.

    Returns
    -------
    Shape
        The optimum, its intervals, how it moves with the budget, and how flat it is.

    Raises
    ------
    ValueError
        If the budget is missing or given twice, an axis is missing, or a coefficient of the law is
        not positive, so that there is no best shape.

    Examples
    --------
    >>> from empirical.scaling_laws.axes.fit import fit_axes
    >>> grid = np.meshgrid([256, 512, 1024], [4, 8, 16], [1e9, 1e10, 1e11])
    >>> m, l, D = (x.ravel() for x in grid)
    >>> loss = 1.75 + 270 / m**0.95 + 6.7 / l**1.3 + 530 / D**0.3
    >>> fit = fit_axes({"m": m, "l": l, "D": D, "loss": loss}, ["m", "l", "D"])
    >>> best = plan_shape(fit, compute=1e21, samples=2)
    >>> print(f"m = {best.width:.0f}, l = {best.depth:.1f}, D = {best.tokens:.2e}")
    m = 2216, l = 35.2, D = 8.04e+10
    """
    if fit.law.pairs:
        raise ValueError("a shape is planned from a law without interactions: fit one")
    names = _check_roles(fit, axes, compute is not None)
    kind, budget = _check_budget(compute, parameters, tokens, len(names) == 3)
    given = None if tokens is None else check_real("tokens", tokens, 0, strict=True)
    V = check_real("vocabulary", vocabulary, 0, LARGEST)
    if kind == "parameters" and budget <= V:
        raise ValueError(f"vocabulary = {V:g} is not allowed: {budget:g} parameters hold no width")
    level, tolerance = check_level(level), check_real("tolerance", tolerance, 0, 1, strict=True)
    samples = check_integer("samples", samples, 2, MOST_REPEATS)
    counts: tuple[Count, Count] = (
        count_parameters or Transformer(V),
        count_compute or six_per_parameter,
    )
    floor = fit.floors.get(fit._find_group(group), 0.0)

    def pose(values: Mapping[str, float], floor: float, budget: float) -> BudgetedLaw:
        return BudgetedLaw(
            kind,
            budget,
            given,
            tuple(values[f"alpha({name})"] for name in names),
            tuple(values[f"c({name})"] for name in names),
            floor,
            *counts,
        )

    own = {f"alpha({name})": value for name, value in fit.exponents.items()}
    own |= {f"c({name})": value for name, value in fit.coefficients.items()}
    for name in names:
        if own[f"c({name})"] <= 0:
            raise ValueError(f"the fitted loss does not fall with {name}: there is no best shape")
    problem = pose(own, floor, budget)
    width, depth, D = problem.solve()
    resampled = fit.bootstrap(by, samples, seed).table
    column = f"L_0({fit._find_group(group)})"
    rows = []
    for row in ({str(k): v for k, v in r.items()} for r in resampled.to_dict("records")):
        if min(row[f"c({name})"] for name in names) <= 0:
            continue
        other = pose(row, row.get(column, 0.0), budget)
        try:
            at = other.solve()
        except ValueError:
            continue
        rows.append(dict(zip(("width", "depth", "tokens", "loss"), (*at, other.loss(*at)),
                             strict=True)))  # fmt: skip
    if len(rows) < 2:
        raise ValueError("no resampled fit has a best shape: the points say too little")
    table = pd.DataFrame(rows)
    N = counts[0](width, depth)
    return Shape(
        budget=budget,
        kind=kind,
        width=width,
        depth=depth,
        tokens=D,
        parameters=N,
        compute=math.nan if math.isnan(D) else counts[1](N, D),
        loss=problem.loss(width, depth, D),
        intervals=_intervals(table, level, by),
        growth=_measure_growth(pose, own, floor, budget, kind),
        flat=find_flat_directions(problem, width, depth, tolerance),
        tolerance=tolerance,
        samples=table,
        problem=problem,
    )


def _check_roles(fit: AxesFit, axes: Sequence[str] | None, compute: bool) -> tuple[str, ...]:
    names = fit.axes if axes is None else tuple(axes)
    if any(name not in fit.axes for name in names) or len(set(names)) < len(names):
        raise ValueError(
            f"axes = {shown(list(names))} is not allowed: give axes of the fit, which are "
            f"{', '.join(fit.axes)}"
        )
    if len(names) != len(fit.axes) or len(names) not in ((3,) if compute else (2, 3)):
        what = "compute" if compute else "parameters"
        raise ValueError(
            f"axes = {shown(list(names))}: a budget of {what} needs a fit over width and depth"
            + (" and tokens" if compute else ", and tokens if they are an axis")
        )
    return names


def _check_budget(
    compute: float | None, parameters: float | None, tokens: float | None, has_tokens: bool
) -> tuple[str, float]:
    if (compute is None) == (parameters is None):
        raise ValueError("give either compute= or parameters=, the budget")
    if compute is not None:
        if tokens is not None:
            raise ValueError("tokens= goes with parameters=: a budget of compute decides them")
        return "compute", check_real("compute", compute, 1, _LARGEST_BUDGET)
    if has_tokens and tokens is None:
        raise ValueError("the fit has tokens for an axis: give tokens= with parameters=")
    if tokens is not None and not has_tokens:
        raise ValueError("the fit has no axis for tokens: leave tokens= out")
    return "parameters", check_real("parameters", parameters, 1, _LARGEST_BUDGET)


def _intervals(table: pd.DataFrame, level: float, by: str) -> dict[str, Interval]:
    tail = (1 - level) / 2
    found = {}
    for name in table:
        values = table[name].to_numpy(dtype=np.float64)
        if np.isnan(values).all():
            continue
        low, high = np.quantile(values, [tail, 1 - tail])
        found[str(name)] = Interval(float(low), float(high), level, f"bootstrap over {by}")
    return found


def _measure_growth(
    pose: Callable[[Mapping[str, float], float, float], BudgetedLaw],
    own: Mapping[str, float],
    floor: float,
    budget: float,
    kind: str,
) -> dict[str, float]:
    low = pose(own, floor, budget * math.exp(-_STEP)).solve()
    high = pose(own, floor, budget * math.exp(_STEP)).solve()
    return {
        name: math.log(b / a) / (2 * _STEP)
        for name, a, b in zip(("width", "depth", "tokens"), low, high, strict=True)
        if not math.isnan(a) and not (kind == "parameters" and name == "tokens")
    }
