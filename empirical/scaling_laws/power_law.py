"""Fit L = C m^-alpha + floor to losses, to the global optimum and without starting values.

``fit_power_law(m, loss)`` fits losses that level off. With ``groups=`` several curves share C and
alpha and each has its own floor (arXiv 2505.10465, eq. 6); with ``floor=False`` there is none.
``fit_exponent`` is a straight line through logarithms.
"""

from __future__ import annotations

import math
import warnings as messages
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from empirical.scaling_laws.law_comparison import score, score_law
from empirical.scaling_laws.loss_points import LossPoints, read_points
from empirical.scaling_laws.power_law_fit import PowerLawFit
from empirical.scaling_laws.profile_likelihood import LinearQuantity, Profile
from empirical.scaling_laws.variable_projection import Solution, VariableProjection
from theory.checks import check_real
from theory.computing.argument_kinds import check_kinds

_NOT_APART = "floor and exponent cannot be told apart: "
_REMEDY = (
    "give more widths over a wider range, or fit without a floor (floor=False, --no-floor); "
    "see compare()"
)


@check_kinds
def fit_power_law(
    m: ArrayLike,
    loss: ArrayLike,
    groups: Iterable[Any] | None = None,
    floor: bool = True,
    *,
    weights: ArrayLike | None = None,
    stderr: ArrayLike | None = None,
    huber: float | None = None,
    labels: Iterable[Any] | None = None,
    clusters: Iterable[Any] | None = None,
) -> PowerLawFit:
    """Fit L = C m^-alpha + L_0 by least squares of the losses.

    For a given alpha the law is linear in C and the floors, and these are solved exactly. The sum
    of squares as a function of alpha is scanned in steps of 5 % (small enough to bracket every
    local minimum), from 0, where the law is a logarithm, to where only the smallest width differs
    from the others; every local minimum is refined to rounding. C and the floors are not bounded,
    because an active bound makes intervals wrong; a negative floor or C causes a warning.

    Parameters
    ----------
    m, loss : array_like, shape (k,)
        Widths > 0 and losses, in any unit (C and floors are in the same).
    groups : iterable, optional
        Name of the curve that each point belongs to. C and alpha are shared, each group has its
        own floor; without floors alpha is shared and each group has its own C.
    floor : bool
        Whether there are floors.
    weights : array_like, optional
        Relative weights (1/variance up to a factor).
    stderr : array_like, optional
        Known standard errors: intervals then use chi-square, not the scatter.
    huber : float, optional
        Robust fit instead: the sum of Huber's loss, with this threshold, of ln(fitted) - ln(loss)
        (Hoffmann et al., arXiv 2203.15556, use 1e-3). Losses must be positive. At each alpha the
        linear part is found by reweighted fits from the weighted least squares.
    labels : iterable, optional
        Names of the points, for ``influence``.
    clusters : iterable, optional
        The cluster of each point (a model that is measured on several data sets), for errors that
        the points of one cluster share.

    Returns
    -------
    PowerLawFit
        The law. A ``UserWarning`` says, and ``.warnings`` holds, where the data do not determine
        floor and exponent separately.

    Raises
    ------
    ValueError
        For too few points or widths, a value out of range, or lengths that differ.

    Examples
    --------
    >>> m = np.array([8, 16, 32, 64, 128, 256])
    >>> fit = fit_power_law(m, 3 / m**0.9 + 0.5)
    >>> print(f"{fit.alpha:.6f}, {fit.coefficient:.6f}, {fit.floors['all']:.6f}")
    0.900000, 3.000000, 0.500000
    """
    points = read_points(m, loss, groups, weights, stderr, labels, clusters)
    if not isinstance(floor, (bool, np.bool_)):
        raise TypeError(f"floor = {floor!r} is not allowed: give True or False")
    if huber is not None:
        huber = check_real("huber", huber, 1e-12, 1e12)
        if points.loss.min() <= 0:
            raise ValueError(
                f"loss contains {points.loss.min():g}: a robust fit compares logarithms and needs "
                "positive losses"
            )
        if points.known:
            raise ValueError("huber= and stderr= do not go together: give weights= instead")
    projection = VariableProjection(np.log(points.m), points.index, bool(floor), huber)
    parameters = len(points.groups) + (2 if floor else 1)
    _check_enough(points, projection, parameters, bool(floor))
    best = projection.minimise(points.weight, points.loss)
    dof = points.size - parameters
    profile = Profile(projection, points.weight, points.loss, best, dof, points.known)
    fit = _build(points, projection, best, profile, dof, bool(floor))
    for text in fit.warnings:
        messages.warn(text, UserWarning, stacklevel=2)
    return fit


def _check_enough(
    points: LossPoints, projection: VariableProjection, parameters: int, floor: bool
) -> None:
    """Refuse points that do not determine alpha: some group needs enough different widths."""
    what = "with a floor" if floor else "without a floor"
    if points.size < parameters:
        raise ValueError(
            f"{points.size} points cannot tell {parameters} parameters: give more points"
        )
    least = np.minimum.reduceat(points.loss, projection.starts)
    if np.array_equal(points.loss, least[points.index]):
        raise ValueError("all losses of a group are equal: there is nothing that depends on m")
    u = projection.u - projection.middle
    columns = np.stack([u, u**2] if floor else [u], axis=-1)
    means = np.add.reduceat(columns, projection.starts) / np.bincount(points.index)[:, None]
    columns = columns - means[points.index]
    if np.linalg.matrix_rank(columns / (np.abs(columns).max() or 1.0), 1e-9) < columns.shape[1]:
        wanted = "three different widths" if floor else "two different widths"
        hint = ", or fit with floor=False (--no-floor)" if floor else ""
        raise ValueError(f"a fit {what} needs at least {wanted} in a group: give more widths{hint}")


def _build(
    points: LossPoints,
    projection: VariableProjection,
    best: Solution,
    profile: Profile,
    dof: int,
    floor: bool,
) -> PowerLawFit:
    alpha = float(best.theta[0])
    groups = range(len(points.groups))
    coefficients = {
        points.groups[k]: float(LinearQuantity(k, "coefficient").of(projection, best)[0])
        for k in groups
    }
    floors = {
        points.groups[k]: float(LinearQuantity(k, "floor").of(projection, best)[0])
        for k in (groups if floor else ())
    }
    fitted = projection.fitted(best)[0]
    plain = float(points.weight @ (points.loss - fitted) ** 2)
    total = np.bincount(points.index, points.weight)
    means = np.bincount(points.index, points.weight * points.loss) / total
    about = float(points.weight @ (points.loss - means[points.index]) ** 2)
    fit = PowerLawFit(
        alpha=alpha,
        stderr=_standard_error(projection, best, profile, points),
        coefficients=coefficients,
        floors=floors,
        rss=float(best.objective[0]),
        r_squared=1 - plain / about if about > 0 else math.nan,
        dof=dof,
        residual_std=math.sqrt(plain / dof) if dof > 0 else math.nan,
        floor=floor,
        huber=projection.huber,
        warnings=(),
        points=points,
        projection=projection,
        best=best,
        profile=profile,
    )
    object.__setattr__(fit, "warnings", tuple(_warn(fit)))
    return fit


def _standard_error(
    projection: VariableProjection, best: Solution, profile: Profile, points: LossPoints
) -> float:
    """Return the standard error of alpha from the Jacobian, the floors and C left free."""
    if projection.huber is not None or math.isnan(profile.variance):
        return math.nan
    jacobian = projection.jacobian(best) * np.sqrt(points.weight)[:, None]
    rest = jacobian[:, 1:] / np.maximum(np.linalg.norm(jacobian[:, 1:], axis=0), 1e-300)
    own = jacobian[:, 0] - rest @ np.linalg.lstsq(rest, jacobian[:, 0], rcond=None)[0]
    length = float(np.linalg.norm(own))
    return math.sqrt(profile.variance) / length if length > 0 else math.inf


def _warn(fit: PowerLawFit) -> list[str]:
    """Return the warnings about a fit."""
    found = []
    points = fit.points
    if fit.floor and not math.isfinite(fit.coefficient):
        found.append(
            _NOT_APART + "a logarithm fits best, and no exponent above 0 and no floor can be "
            f"named; {_REMEDY}"
        )
    elif float(fit.best.slope.min()) <= 0:
        found.append("the loss does not fall with m: C is not positive")
    elif fit.floors and min(fit.floors.values()) < 0:
        low = min(fit.floors, key=lambda name: fit.floors[name])
        found.append(
            f"the floor {fit.floors[low]:.4g} of {low!r} is below 0, where no loss can go: the "
            "losses do not level off as this law does; see compare()"
        )
    if fit.huber is None:
        if fit.dof <= 0 and not points.known:
            found.append(
                "as many parameters as points: no errors can be given"
                + (f", nor can the floor be told from the exponent; {_REMEDY}" if fit.floor else "")
            )
        else:
            region = fit.interval()
            if fit.floor and region.open_low and fit.alpha > 0:
                found.append(
                    _NOT_APART + "at 95 % a logarithm fits as well, alpha has no lower end above 0 "
                    f"and the floor none at all; {_REMEDY}"
                )
            if region.open_high:
                found.append(
                    "alpha has no upper end at 95 %: only the smallest width differs from the rest"
                )
        found += _doubt_floor(fit)
        if points.known and fit.dof > 0 and fit.rss > fit.dof + 4 * math.sqrt(2 * fit.dof):
            found.append(
                f"chi-square is {fit.rss:.3g} for {fit.dof} degrees of freedom: the law, or the "
                "standard errors, are wrong, and intervals too short"
            )
    counts = np.bincount(points.index)
    if len(counts) > 1 and counts.min() == 1:
        alone = [points.groups[k] for k in np.flatnonzero(counts == 1)]
        found.append(f"groups of one point say nothing about the exponent: {', '.join(alone)}")
    return found


def _doubt_floor(fit: PowerLawFit) -> list[str]:
    """Return a warning where the data do not need a floor."""
    if not fit.floor or fit.alpha == 0 or float(fit.best.slope.min()) <= 0:
        return []
    if len(fit.points.groups) == 1:  # no floor is then a case of this law
        if fit.dof <= 0 and not fit.points.known:
            return []
        low, high = fit.profile.bounds(fit.interval(), 0.95, LinearQuantity(0, "floor"))
        if not low <= 0 <= high or math.isinf(low):  # without an end: said before
            return []
        return [f"{_NOT_APART}at 95 % the floor may be 0 ({low:.3g} … {high:.3g}); {_REMEDY}"]
    own = score(fit.points, fit.rss, len(fit.points.groups) + 2)["AICc"]
    gain = own - score_law(fit.points, "no floor")["AICc"]
    if not gain > -2:  # also where AICc does not exist
        return []
    change = f"{gain:.1f} lower" if gain > 0 else f"only {-gain:.1f} higher"
    return [f"{_NOT_APART}without floors, and a C for each group, AICc is {change}; {_REMEDY}"]
