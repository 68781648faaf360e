"""The exact loss of a given model on features that depend on each other: ``dependent_loss``.

``population_loss`` calls it. The method is that of independent features
(``numerics.loss.laplace_kernels``) with messages along the forest in place of a product over
features; the bounds on its errors are the same. The cost is of order n² states of the parent: as
for independent features for sets, hierarchies and trees of features, times K for K topics.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from numerics.dependent.few_active import few_rows, spread_rows, unfelt_slopes
from numerics.dependent.plan import THETA, plan_rows
from numerics.dependent.transform import expected_rows, expected_slopes
from numerics.dependent.tree import Tree, tree_of
from numerics.loss.gram_rows import accumulate, gram_rows, make_report, row_blocks, split_alone
from numerics.loss.law_table import law_tables
from numerics.loss.one_active_kernels import pair_rows
from numerics.loss.report import LossReport
from numerics.row_threads import over_rows
from numerics.toy_model import Model, ToyModel
from theory.checks import read_only
from theory.features import Features
from theory.regimes.one_active import self_loss

Array = NDArray[np.float64]

# Entries of a block of Gram rows; some thirty arrays of that size are held at once.
_BLOCK = 500_000
# Passes, each with a smaller tolerance than the last.
_PASSES = 7
# Number of rows from which on the loss is estimated first, rows that are taken for that, the
# tolerance relative to a lower bound of the loss, and the share of the estimate that is relied on.
_MANY, _TAKEN, _ROUGH, _SURE = 200, 25, 0.1, 0.7
# Losses above this are refused, as they overflow.
_HUGE = 1e200
# Rounding of a closed form.
_ROUNDING = 1e-15


class _Setting(NamedTuple):
    """What all blocks of rows share."""

    tree: Tree
    variable: NDArray[np.int64]
    state: NDArray[np.int64]
    law: Array
    general: Array | None
    mean: float
    variance: float


class _Closed(NamedTuple):
    """The closed parts of a block of rows, own feature off and on; arrays of shape (rows, 2).

    ``few`` is the loss with at most one other active input, ``known`` what is known beyond that,
    ``turned`` whether it is the square of z of which the reflected part is still to be taken off;
    ``none`` and ``single`` are the probabilities of no and of one other input.
    """

    gram: Array
    own: Array
    none: Array
    single: Array
    few: Array
    known: Array
    turned: NDArray[np.bool_]


class _Slopes(NamedTuple):
    """Slopes of the closed parts, and what ``unfelt_slopes`` needs."""

    by_gram: Array
    by_own: Array
    by_b: Array
    none: Array
    one: Array


def dependent_loss(model: Model, features: Features, rtol: float, gradient: bool) -> LossReport:
    """Return the exact loss of dependent features; arguments as in ``population_loss``."""
    forest = features.dependence
    assert forest is not None
    v = features.activation
    mean = float(v.moment(1))
    setting = _Setting(
        tree_of(forest),
        np.array(forest.variable),
        np.array(forest.state),
        *law_tables(v),
        mean,
        float(v.moment(2)) - mean**2,
    )
    b, weights, p = model.b, features.weights, features.p
    closed = [_close(model, setting, some)[0] for some in row_blocks(model, _BLOCK)]
    few, known = (np.concatenate([getattr(x, name) for x in closed]) for name in ("few", "known"))
    if not max(np.abs(few).max(), np.abs(known).max()) < _HUGE:
        raise ArithmeticError("the loss is beyond double precision: W or b is too large")
    terms, bound, tolerance = _sum_terms(model, features, setting, few, known, rtol)
    leak = weights * (1 - p) * np.maximum(b, 0) ** 2
    alone = weights * p * self_loss(model.norms**2, b, v)
    parts = split_alone(model, features, alone + leak)
    parts["interference_silent"] = weights * terms[:, 0] - leak
    parts["interference_active"] = weights * terms[:, 1] - alone
    gradients = None
    if gradient:
        assert isinstance(model, ToyModel)
        gradients = _gradient(model, features, setting, tolerance)
    return make_report(
        "bernoulli", bound, model, features, weights * terms.sum(axis=1), parts, gradients
    )


def _sum_terms(
    model: Model, features: Features, setting: _Setting, few: Array, known: Array, rtol: float
) -> tuple[Array, float, float]:
    """Add the transform parts to the closed parts, with smaller and smaller tolerances.

    Returns the two integrals of each output, shape (n, 2), the bound on the error of the loss, and
    the tolerance of one output that was enough.
    """
    n, weights = model.n, features.weights
    below = float(weights @ few.sum(axis=1))
    nothing = float(features.lost_losses.sum())
    floor = 1e-12 * nothing
    target = max(rtol * below, floor)
    if below < 1e-3 * nothing:  # dense: a rough first pass finds the scale
        target = max(target, 1e-3 * nothing)
    if n >= _MANY:
        least = max(below, 1e-3 * nothing)
        rough = _rough_loss(model, weights, setting, few + known, _ROUGH * least / n)
        target = max(target, _SURE * rtol * rough)
    for _ in range(_PASSES):
        terms, errors = few + known, np.empty((n, 2))
        for some in row_blocks(model, _BLOCK):
            means, errors[some] = _transform_rows(model, weights, setting, some, target / n)
            terms[some] += means
        errors += _ROUNDING * (math.sqrt(n) * np.abs(known) + np.abs(terms))
        bound = float(weights @ errors.sum(axis=1))
        loss = float(weights @ terms.sum(axis=1))
        wanted = max(rtol * (loss - bound), floor)
        if bound <= wanted:
            return terms, bound, target / n
        target = min(0.5 * wanted, 0.5 * target)
    raise ArithmeticError(
        f"rtol = {rtol:g} is out of reach here: the loss {loss:.6g} is known to {bound:.2g} only; "
        "give a larger rtol"
    )


def _transform_rows(
    model: Model, weights: Array, setting: _Setting, some: slice, tolerance: float
) -> tuple[Array, Array]:
    """Return the transform parts of a block of rows and their errors, shapes (rows, 2)."""
    closed, _ = _close(model, setting, some)
    plans = _plan(closed, setting, some, weights[some], model.b[some], tolerance)
    variable, state, b = setting.variable[some], setting.state[some], model.b[some]
    means = over_rows(
        len(plans),
        lambda s: expected_rows(
            setting.tree, variable[s], state[s], closed.gram[s], closed.none[s], closed.single[s],
            closed.own[s], b[s], closed.turned[s], setting.law, plans[s],
        ),
    )  # fmt: skip
    return means[:, :2], plans[:, :, 3] + means[:, 2:]


def _rough_loss(
    model: Model, weights: Array, setting: _Setting, terms: Array, tolerance: float
) -> float:
    """Estimate the loss from some rows, so that the first pass is not finer than it need be.

    ``terms`` are the closed parts, ``tolerance`` that of a row. No bound hangs on the estimate.
    """
    total, n = 0.0, model.n
    for k in range(_TAKEN):
        row = (2 * k + 1) * n // (2 * _TAKEN)
        some = slice(row, row + 1)
        means, _ = _transform_rows(model, weights, setting, some, tolerance)
        total += float(weights[row] * (terms[some] + means).sum())
    return total * n / _TAKEN


def _plan(
    closed: _Closed, setting: _Setting, some: slice, weights: Array, b: Array, tolerance: float
) -> Array:
    """Plan the sums of a block of rows, in threads."""
    variable, state = setting.variable[some], setting.state[some]
    planned: Array = over_rows(
        len(b),
        lambda s: plan_rows(
            setting.tree, variable[s], state[s], closed.gram[s], closed.none[s], closed.single[s],
            closed.own[s], weights[s], b[s], closed.turned[s], tolerance, setting.law, THETA,
        ),
    )  # fmt: skip
    return planned


def _close(
    model: Model, setting: _Setting, some: slice, slopes: bool = False
) -> tuple[_Closed, _Slopes | None]:
    """Return the closed parts of a block of rows, and their slopes if asked for."""
    gram, b = gram_rows(model, some), model.b[some]
    tree, mean, variance = setting.tree, setting.mean, setting.variance
    start, rows = some.start, len(b)
    own = gram[np.arange(rows), start + np.arange(rows)].copy()

    def by_rows(kernel: Callable[..., Any], *more: object) -> Any:
        return over_rows(
            rows,
            lambda s: kernel(
                tree, setting.variable, setting.state, gram[s], start + s.start, *more
            ),
        )

    none, single = by_rows(few_rows)
    laws = setting.law, setting.general
    pairs = over_rows(rows, lambda s: pair_rows(gram[s], start + s.start, b[s], *laws))
    mass, centre, spread, joint, given = _moments(by_rows, setting, slopes)
    inside = np.arange(rows), start + np.arange(rows)
    alone = pairs[inside]
    gram[inside] = 0.0
    # Of z - v while the own input is on, and of z while it is off: the factor h of its v.
    h = np.stack([np.zeros(rows), own - 1], axis=1)
    level = b[:, None] + h * mean
    turned = b[:, None] + np.stack([np.zeros(rows), own], axis=1) * mean + centre > 0
    square, push = level**2 + h**2 * variance, gram * mean
    single_square = _square_sum(single, push, gram**2 * variance, level, h, variance)
    few = none * alone[:, [0, 3]] + np.stack(
        [np.einsum("rn,rn->r", single[:, c], pairs[:, :, 3 * c]) for c in (0, 1)], axis=1
    )
    whole = mass * ((level + centre) ** 2 + h**2 * variance + spread)
    several = np.maximum(mass - none - single.sum(axis=2), 0.0)
    beyond = np.array([0.0, mean**2 + variance]) * several
    known = np.where(turned, whole - none * square - single_square, beyond)
    closed = _Closed(gram, own, none, single, few, known, turned)
    if not slopes:
        return closed, None
    return closed, _close_slopes(
        closed, pairs, alone, h, level, (mass, centre, joint, given), setting
    )


def _moments(by_rows: Callable[..., Any], setting: _Setting, shares: bool) -> tuple[Array, ...]:
    """Mass, mean and variance of Σ G x of a block, P(input active) and the mean given that."""
    packed = by_rows(_spread_of, setting.mean, setting.variance, shares)
    size = (packed.shape[2] - 3) // 2
    return (
        packed[:, :, 0], packed[:, :, 1], packed[:, :, 2],
        packed[:, :, 3 : 3 + size], packed[:, :, 3 + size :],
    )  # fmt: skip


def _spread_of(*arguments: object) -> Array:
    out, joint, given = spread_rows(*arguments)
    return np.concatenate([np.moveaxis(out, 0, 2), joint, given], axis=2)


def _square_sum(
    single: Array, push: Array, jitter: Array, level: Array, h: Array, variance: float
) -> Array:
    """Σ_j single_j ⟨(level + h v + g_j v_j)²⟩."""
    return np.stack(
        [
            np.einsum(
                "rn,rn->r",
                single[:, c],
                (level[:, c, None] + push) ** 2 + jitter + (h[:, c, None] ** 2 * variance),
            )
            for c in (0, 1)
        ],
        axis=1,
    )


def _close_slopes(
    closed: _Closed,
    pairs: Array,
    alone: Array,
    h: Array,
    level: Array,
    moments: tuple[Array, Array, Array, Array],
    setting: _Setting,
) -> _Slopes:
    mass, centre, joint, given = moments
    mean, variance, gram = setting.mean, setting.variance, closed.gram
    by_gram, by_own, by_b = np.zeros_like(gram), np.zeros(len(gram)), np.zeros(len(gram))
    none_by_z, one_by_z = np.empty((len(gram), 2)), np.empty((len(gram), 2, gram.shape[1]))
    for c in (0, 1):
        turned, single, none = closed.turned[:, c].astype(float), closed.single[:, c], closed.none
        at = level[:, c, None] + gram * mean
        by_g, by_z = pairs[:, :, 1 if c == 0 else 5], pairs[:, :, 2 if c == 0 else 6]
        one_by_z[:, c] = by_z - turned[:, None] * 2 * at
        none_by_z[:, c] = alone[:, 2 if c == 0 else 6] - turned * 2 * level[:, c]
        by_gram += single * (by_g - turned[:, None] * 2 * (mean * at + variance * gram))
        by_gram += (
            turned[:, None]
            * 2
            * joint[:, c]
            * (mean * (level[:, c, None] + given[:, c]) + variance * gram)
        )
        by_b += none[:, c] * none_by_z[:, c] + (single * one_by_z[:, c]).sum(axis=1)
        by_b += turned * 2 * mass[:, c] * (level[:, c] + centre[:, c])
    by_v = 2 * variance * h[:, 1]  # slope of the variance of (own - 1) v
    one = pairs[:, :, 4] - turned[:, None] * (2 * mean * at + by_v[:, None])
    by_own += none[:, 1] * (alone[:, 4] - turned * (2 * mean * level[:, 1] + by_v))
    by_own += (single * one).sum(axis=1)
    by_own += turned * mass[:, 1] * (2 * mean * (level[:, 1] + centre[:, 1]) + by_v)
    return _Slopes(by_gram, by_own, by_b, none_by_z, one_by_z)


def _gradient(
    model: ToyModel, features: Features, setting: _Setting, tolerance: float
) -> tuple[Array, Array]:
    b, weights, n = model.b, features.weights, model.n
    gradient_W, gradient_b = np.zeros_like(model.W), np.empty(n)
    for some in row_blocks(model, _BLOCK):
        closed, slopes = _close(model, setting, some, slopes=True)
        assert slopes is not None
        plans = _plan(closed, setting, some, weights[some], b[some], tolerance)
        by_gram, by_own, by_b, tails = over_rows(
            len(plans),
            lambda s, c=closed, some=some, plans=plans: expected_slopes(  # type: ignore[misc]
                setting.tree, setting.variable[some][s], setting.state[some][s], c.gram[s],
                c.none[s], c.single[s], c.own[s], b[some][s], c.turned[s], setting.law, plans[s],
            ),
        )  # fmt: skip
        by_gram += slopes.by_gram
        none = setting.mean * (slopes.none - tails[:, :, -1])
        one = setting.mean * (slopes.one - tails[:, :, :-1])
        over_rows(
            len(plans),
            lambda s, c=closed, some=some, none=none, one=one, by_gram=by_gram: _add_unfelt(  # type: ignore[misc]
                setting, c.gram[s], some.start + s.start, none[s], one[s], by_gram[s]
            ),
        )
        inside = np.arange(len(plans))
        by_gram[inside, some.start + inside] = by_own + slopes.by_own
        by_gram *= weights[some, None]
        accumulate(gradient_W, model.W, some, by_gram)
        gradient_b[some] = weights[some] * (by_b + slopes.by_b)
    return read_only(gradient_W), read_only(gradient_b)


def _add_unfelt(
    setting: _Setting, gram: Array, first: int, none: Array, one: Array, slopes: Array
) -> Array:
    unfelt_slopes(setting.tree, setting.variable, setting.state, gram, first, none, one, slopes)
    return slopes
