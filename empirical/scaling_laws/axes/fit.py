"""Fit L = L_0 + sum_k c_k/x_k^alpha_k to losses against several axes: width, depth, tokens.

``fit_axes(table, axes=["d_model", "n_layers", "num_tokens"])`` fits it to the global optimum,
without starting values. For the width alone take ``fit_power_law``; for parameters and tokens also
``fit_chinchilla``, whose law this is with axes N and D.
"""

from __future__ import annotations

import math
import warnings as messages
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from empirical.scaling_laws.axes.apart import describe_inseparable
from empirical.scaling_laws.axes.axes_fit import AxesFit
from empirical.scaling_laws.axes.law import Array, AxesLaw, Residuals
from empirical.scaling_laws.axes.profile import Minima
from empirical.scaling_laws.axes.search import find_minima
from theory.checks import check_finite, check_integer, check_real, shown
from theory.computing.argument_kinds import check_kinds

_MOST_AXES = 5
_EXACT = 1e-26  # objective over the sum of squares below which residuals are rounding errors


@check_kinds
def fit_axes(
    table: pd.DataFrame | Mapping[str, ArrayLike],
    axes: Sequence[str],
    loss: str = "loss",
    *,
    groups: str | None = None,
    clusters: str | None = None,
    weights: str | None = None,
    interactions: Iterable[tuple[str, str]] = (),
    floor: bool = True,
    residuals: Residuals = "log",
    huber: float = 1e-3,
    drop_highest: int = 0,
) -> AxesFit:
    """Fit L = L_0 + sum_k c_k/x_k^alpha_k.

    For given exponents the law is linear in L_0 and c_k (variable projection). The exponents are
    scanned over a grid, and Newton's method descends from every node that is below its neighbours.

    Parameters
    ----------
    table : DataFrame or mapping of arrays
        A row for each model that was trained.
    axes : sequence of str
        Columns of the axes x_k > 0, such as width, depth and tokens; one to five.
    loss : str
        Column of losses, in any unit; c_k and L_0 are in the same.
    groups : str, optional
        Column of data sets or families: each has its own floor L_0.
    clusters : str, optional
        Column that names the model of each point, for ``bootstrap(by="clusters")``.
    weights : str, optional
        Column of relative weights of the residuals.
    interactions : iterable of pairs of str
        Pairs of axes with a term c_jk x_j^-alpha_j x_k^-alpha_k.
    floor : bool
        Whether there is an L_0.
    residuals : {"log", "squared", "huber"}
        What is summed: squares of ln(fitted) - ln(loss); squares of fitted - loss; Huber's loss of
        ln(fitted) - ln(loss), with threshold ``huber`` (Hoffmann et al., arXiv 2203.15556).
    huber : float
        That threshold.
    drop_highest : int
        Leave out the points whose loss is at least the k-th highest; equal losses go together.

    Returns
    -------
    AxesFit
        The law, with intervals, tests, resampling and comparisons. A ``UserWarning`` says, and
        ``.warnings`` holds, what the data cannot determine, such as axes that cannot be told apart.

    Raises
    ------
    ValueError
        For a column that is missing, values that are not positive and finite, an axis with fewer
        than three different values, or fewer points than parameters.

    Examples
    --------
    >>> m, depth = np.meshgrid([256, 512, 1024, 2048], [4, 8, 16, 32])
    >>> rows = {"m": m.ravel(), "depth": depth.ravel()}
    >>> rows["loss"] = 1.7 + 90 / rows["m"]**0.95 + 3 / rows["depth"]**1.2
    >>> fit = fit_axes(rows, ["m", "depth"])
    >>> print(f"{fit.exponents['m']:.4f} {fit.exponents['depth']:.4f} {fit.floors['all']:.4f}")
    0.9500 1.2000 1.7000
    """
    huber = check_real("huber", huber, 0, strict=True)
    names = _check_axes(axes)
    rows = _read_rows(table, names, loss, groups, clusters, weights)
    rows = _leave_out(rows, check_integer("drop_highest", drop_highest, 0))
    pairs = _check_pairs(interactions, names)
    law = _build_law(rows, names, pairs, floor, residuals, huber)
    _check_enough(law, names, rows)
    fit = _build_fit(law, find_minima(law), names, rows)
    for text in fit.warnings:
        messages.warn(text, UserWarning, stacklevel=2)
    return fit


def _check_axes(axes: Sequence[str]) -> tuple[str, ...]:
    names = tuple(axes)
    if not 1 <= len(names) <= _MOST_AXES or len(set(names)) < len(names):
        raise ValueError(f"axes = {list(names)!r} is not allowed: give one to five different names")
    return names


def _check_pairs(
    interactions: Iterable[tuple[str, str]], names: tuple[str, ...]
) -> tuple[tuple[int, int], ...]:
    found = []
    for pair in interactions:
        if (
            not isinstance(pair, tuple | list)
            or len(pair) != 2
            or any(x not in names for x in pair)
        ):
            raise ValueError(
                f"interactions holds {shown(pair)}: give pairs of axes, as "
                f"({names[0]!r}, {names[-1]!r})"
            )
        j, k = sorted(names.index(name) for name in pair)
        if j == k:
            raise ValueError(f"interactions holds {pair!r}: give two different axes")
        found.append((j, k))
    if len(set(found)) < len(found):
        raise ValueError("interactions holds a pair twice")
    return tuple(found)


def _read_rows(
    table: Any, names: tuple[str, ...], loss: str, groups: Any, clusters: Any, weights: Any
) -> pd.DataFrame:
    """Return the points with columns of the axes, loss, group, cluster and weight."""
    wanted = [(name, "axes", name) for name in names] + [("loss", "loss", loss)]
    if "loss" in names or loss in names:
        raise ValueError(f"loss = {loss!r} is also an axis: give another column")
    rows: dict[str, Any] = {}
    for name, argument, column in wanted:
        values = _numbers(table, argument, column)
        if rows and values.size != next(iter(rows.values())).size:
            raise ValueError(f"{column} has {values.size} entries where others have another number")
        rows[name] = values
    count = rows["loss"].size
    for argument, column in (("groups", groups), ("clusters", clusters)):
        rows[argument.removesuffix("s")] = np.array(
            ["all" if argument == "groups" else str(k) for k in range(count)]
            if column is None
            else [str(entry) for entry in _column(table, argument, column)],
            dtype=object,
        )
    rows["weight"] = np.ones(count) if weights is None else _numbers(table, "weights", weights)
    for column, values in rows.items():
        if len(values) != count:
            raise ValueError(f"{column} has {len(values)} entries, and loss has {count}")
    return pd.DataFrame(rows)


def _column(table: Any, argument: str, name: str) -> Any:
    if name not in table:
        columns = ", ".join(map(str, table))
        raise ValueError(f"{argument}: the table has no column {name!r}: its columns are {columns}")
    return table[name]


def _numbers(table: Any, argument: str, name: str) -> Array:
    return check_finite(f"column {name!r}", _column(table, argument, name), low=0, strict=True)


def _leave_out(rows: pd.DataFrame, highest: int) -> pd.DataFrame:
    if highest == 0:
        return rows
    if highest >= len(rows):
        raise ValueError(
            f"drop_highest = {highest} leaves none of {len(rows)} points: give a smaller number"
        )
    limit = np.sort(rows["loss"])[-highest]
    return pd.DataFrame(rows[rows["loss"] < limit]).reset_index(drop=True)


def _build_law(
    rows: pd.DataFrame,
    names: tuple[str, ...],
    pairs: tuple[tuple[int, int], ...],
    floor: bool,
    residuals: Residuals,
    huber: float,
) -> AxesLaw:
    u = np.log(rows[list(names)].to_numpy(dtype=np.float64))
    groups = list(dict.fromkeys(rows["group"]))
    member = np.equal.outer(rows["group"].to_numpy(), np.array(groups, dtype=object))
    return AxesLaw(
        u=u - u.mean(axis=0),
        y=rows["loss"].to_numpy(dtype=np.float64),
        weight=rows["weight"].to_numpy(dtype=np.float64),
        member=member.astype(np.float64),
        pairs=pairs,
        residuals=residuals,
        delta=huber,
        shift=1.0 if floor else 0.0,
        floor=floor,
    )


def _check_enough(law: AxesLaw, names: tuple[str, ...], rows: pd.DataFrame) -> None:
    if law.y.size < law.parameters:
        raise ValueError(
            f"{law.y.size} points cannot tell {law.parameters} parameters: give more points, or "
            "fewer axes"
        )
    for name in names:
        values = np.unique(rows[name])
        if values.size < 3:
            raise ValueError(
                f"{name} takes {values.size} different value{'s' * (values.size > 1)}: an exponent "
                "needs three or more"
            )
    if np.ptp(law.y) == 0:
        raise ValueError("all losses are equal: there is nothing that depends on the axes")


def _build_fit(law: AxesLaw, minima: Minima, names: tuple[str, ...], rows: pd.DataFrame) -> AxesFit:
    objective = minima[0][0]
    dof = law.y.size - law.parameters
    fit = AxesFit(
        axes=names,
        groups=tuple(dict.fromkeys(rows["group"])),
        objective=objective,
        residuals=law.residuals,
        dof=dof,
        warnings=(),
        rows=rows,
        law=law,
        minima=tuple(minima),
    )
    object.__setattr__(fit, "warnings", tuple(_warn(fit)))
    return fit


def _warn(fit: AxesFit) -> list[str]:
    found = []
    low, high = fit.law.bounds
    for name, value, least, most in zip(fit.axes, fit.exponents.values(), low, high, strict=True):
        if value <= least * (1 + 1e-6):
            found.append(
                f"alpha of {name} cannot be told from 0: a logarithm fits as well as a power"
            )
        elif value >= most * (1 - 1e-6):
            found.append(f"alpha of {name} has no upper end: only its smallest values differ")
        elif fit.coefficients[name] <= 0:
            found.append(f"the loss does not fall with {name}: its coefficient is not positive")
    for group, value in fit.floors.items():
        if value < 0:
            found.append(
                f"the floor {value:.4g} of {group!r} is below 0, where no loss can go: the range "
                "is too short to see it"
            )
    if fit.residuals == "huber":
        return found
    if fit.dof <= 0:
        return [*found, "as many parameters as points: no errors can be given"]
    exact = fit.objective <= _EXACT * float(fit.law.weight @ fit.law.y**2)
    if not exact and math.isfinite(fit.objective):
        intervals = {name: fit.interval(name) for name in fit.axes}
        found += describe_inseparable(fit.law, fit.minima, fit.dof, fit.axes, intervals)
    return found
