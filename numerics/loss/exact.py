"""The exact expected loss of a given model, with a bound on its error: ``population_loss``.

No samples are drawn. Features are independent, or exactly one is active at a time (arXiv
2505.10465, eq. 8), or they depend on each other (``numerics.dependent``); v follows any law with a
density in steps. The cost is of order n²; ``monte_carlo_loss`` samples larger models, and is an
independent check.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.dependent.loss import dependent_loss
from numerics.loss.gram_rows import (
    accumulate,
    gram_rows,
    make_report,
    row_blocks,
    split_alone,
)
from numerics.loss.laplace_kernels import expected_rows, expected_slopes
from numerics.loss.laplace_plan import THETA, plan_rows
from numerics.loss.law_table import law_tables
from numerics.loss.one_active_kernels import few_active_rows, one_hot_rows
from numerics.loss.report import LossReport
from numerics.row_threads import over_rows
from numerics.toy_model import GramModel, Model, ToyModel, check_same_n
from theory.checks import Sampling, check_real
from theory.computing.argument_kinds import check_kinds
from theory.features import Features, as_features
from theory.frequencies import Frequencies
from theory.regimes.one_active import self_loss

Array = NDArray[np.float64]
Laws = tuple[Array, Array | None]  # ``law_tables``

# Passes, each with a smaller tolerance than the last.
_PASSES = 7
# Losses above this are refused, as they overflow.
_HUGE = 1e200


@check_kinds
def population_loss(
    model: Model,
    features: Features | Frequencies,
    sampling: Sampling = "bernoulli",
    *,
    rtol: float = 1e-6,
    gradient: bool = False,
) -> LossReport:
    """Compute the expected loss Σ_i I_i ⟨(y_i - x_i)²⟩ of a model exactly.

    Features that depend on each other (``Features.dependence``) are taken as they are.

    Parameters
    ----------
    model : ToyModel
        The model, n x m; or a ``GramModel``, overlaps and biases only, without a gradient.
    features : Features or Frequencies
        What it is shown; of the same n.
    sampling : {"bernoulli", "one_hot"}
        Independent features, as in training; or exactly one active feature, L = Σ_j p_j [Σ_{i≠j}
        I_i A(G_ij, b_i) + I_j B(G_jj, b_j)] (``theory.regimes.one_active`` has A and B): one
        exclusive set of all features, ``Features.exclusive(frequencies, [range(n)])``. For E < 1
        that set also has samples without any active feature; they cost (1 - E) Σ_i I_i ReLU(b_i)²,
        which "one_hot" leaves out.
    rtol : float
        Wanted bound on the relative error of the Bernoulli loss, at least 1e-12. (A loss below
        1e-12 of that of a model that learns nothing is known to that absolute error only.)
    gradient : bool
        Also return the gradient by W and b, by the same rule at the same tolerance. No bound is
        given for it; benchmarks/population_loss.py measures its error.

    Returns
    -------
    LossReport
        Loss, error bound, loss per feature and its parts.

    Raises
    ------
    ValueError
        If the model and the features differ in n, or for an unknown sampling or an rtol out of
        range.
    ArithmeticError
        If rounding keeps the bound above rtol; the message names the bound reached.

    Notes
    -----
    The method and the three errors of the Bernoulli loss (two bounded, rounding estimated) are in
    ``numerics.loss.laplace_kernels``. The cost is O(n² K); K, the number of ordinates, grows as
    rtol^(-1/4).

    Examples
    --------
    >>> words = Frequencies.power_law(20, alpha=1.0)
    >>> keep_five = ToyModel(np.eye(20, 5), np.where(np.arange(20) < 5, 0, words.p))
    >>> report = population_loss(keep_five, words)
    >>> from theory.regimes.weak import weak_loss
    >>> abs(report.loss - weak_loss(words, 5)) < 1e-12
    True
    >>> first_only = Features(words, importance=np.arange(20) == 5)
    >>> report = population_loss(keep_five, first_only)
    >>> abs(report.loss - first_only.lost_losses[5]) < 1e-12
    np.True_
    """
    features = as_features(features)
    check_same_n(model, features)
    rtol = check_real("rtol", rtol, 1e-12, 0.5)
    if gradient and isinstance(model, GramModel):
        raise ValueError("overlaps without a W have no gradient by W: leave gradient out")
    if sampling not in ("bernoulli", "one_hot"):
        raise ValueError(f"sampling = {sampling!r} is not allowed: give 'bernoulli' or 'one_hot'")
    forest = features.dependence
    if forest is None and sampling == "bernoulli":
        return _bernoulli(model, features, rtol, gradient)
    if forest is None or forest.is_one_exclusive_set:
        empty = 0.0 if forest is None else max(1 - features.density, 0.0)
        return _one_hot(model, features, gradient, empty)
    if sampling == "one_hot":
        raise ValueError(
            "sampling = 'one_hot' makes one exclusive set of all features, but they depend on each "
            "other in another way: leave sampling out"
        )
    return dependent_loss(model, features, rtol, gradient)


def _in_slices(
    kernel: Any, gram: Array, some: slice, p: Array, b: Array, law: Laws, slopes: Array | None
) -> Any:
    """Call a kernel of closed forms on slices of Gram rows, in threads; it fills ``slopes``."""
    return over_rows(
        len(gram),
        lambda s: kernel(
            gram[s], some.start + s.start, p, b, *law, None if slopes is None else slopes[s]
        ),
    )


def _plan(
    rows: tuple[Any, ...], share: Array, where: tuple[Any, ...], tolerance: float, law: Laws
) -> Array:
    """Plan the sums of a block of rows, in threads."""
    by_row = (*rows, share, *where)
    plan: Any = plan_rows
    planned: Array = over_rows(
        len(share), lambda s: plan(*(x[s] for x in by_row), tolerance, *law, THETA)
    )
    return planned


def _follow(kernel: Any, by_row: tuple[Any, ...], law: Laws, plans: Array) -> Any:
    """Compute the sums that were planned for a block of rows, in threads."""
    return over_rows(len(plans), lambda s: kernel(*(x[s] for x in by_row), *law, plans[s]))


def _one_hot(model: Model, features: Features, gradient: bool, empty: float) -> LossReport:
    """Return the loss with one active feature, or with none in a share ``empty`` of the samples."""
    b, p, weights = model.b, features.p, features.weights
    law = law_tables(features.activation)
    silent, own, by_b = np.empty(model.n), np.empty(model.n), np.empty(model.n)
    W = model.W if gradient and isinstance(model, ToyModel) else np.empty((0, 0))
    gradient_W = np.zeros_like(W) if gradient else None
    for some in row_blocks(model):
        gram = gram_rows(model, some)
        slopes = np.empty_like(gram) if gradient else None
        closed = _in_slices(one_hot_rows, gram, some, p, b, law, slopes)
        silent[some], own[some], by_b[some] = closed
        if gradient_W is not None and slopes is not None:
            slopes *= weights[some, None]
            accumulate(gradient_W, W, some, slopes)
    silent += empty * np.maximum(b, 0) ** 2
    by_b += empty * 2 * np.maximum(b, 0)
    leak = np.maximum(b, 0) ** 2 * (p.sum() - p + empty)
    alone = p * self_loss(model.norms**2, b, features.activation)
    parts = split_alone(model, features, weights * (alone + leak))
    parts["interference_silent"] = weights * (silent - leak)
    parts["interference_active"] = np.zeros(model.n)
    per_feature = weights * (silent + p * own)
    # Closed forms, each good to a few units of rounding.
    bound = 1e-15 * math.sqrt(model.n) * float(np.sum(per_feature))
    gradients = None if gradient_W is None else (gradient_W, weights * by_b)
    return make_report("one_hot", bound, model, features, per_feature, parts, gradients)


def _rows(model: Model, p: Array) -> Iterator[tuple[slice, tuple[Array, Array, Array, Array]]]:
    """Yield blocks of rows: Gram rows, frequencies of the inputs felt, P(none active), own G_ii."""
    for some in row_blocks(model):
        gram = gram_rows(model, some)
        inside = np.arange(len(gram))
        # Frequencies of the other inputs, 0 where there is no overlap with them.
        felt = np.where(gram == 0, 0.0, p)
        felt[inside, some.start + inside] = 0.0
        with np.errstate(divide="ignore"):
            atom = np.exp(np.log1p(-felt).sum(axis=1))
        yield some, (gram, felt, atom, gram[inside, some.start + inside])


def _bernoulli(model: Model, features: Features, rtol: float, gradient: bool) -> LossReport:
    b, p, n, weights = model.b, features.p, model.n, features.weights
    law = law_tables(features.activation)
    closed = np.empty((n, 7))
    for some in row_blocks(model):
        closed[some] = _in_slices(few_active_rows, gram_rows(model, some), some, p, b, law, None)
    if not np.abs(closed).max() < _HUGE:
        raise ArithmeticError("the loss is beyond double precision: W or b is too large")
    # Weights in the loss of the means with the own input silent and active.
    share = weights[:, None] * np.stack([1 - p, p], axis=1)
    terms, bound, tolerance = _sum_terms(model, features, closed, share, rtol)
    per_feature = (share * terms).sum(axis=1)
    leak = share[:, 0] * np.maximum(b, 0) ** 2
    alone = share[:, 1] * self_loss(model.norms**2, b, features.activation)
    parts = split_alone(model, features, alone + leak)
    parts["interference_silent"] = share[:, 0] * terms[:, 0] - leak
    parts["interference_active"] = share[:, 1] * terms[:, 1] - alone
    gradients = None
    if gradient:
        assert isinstance(model, ToyModel)
        gradients = _bernoulli_gradient(model, features, closed[:, 4:6] > 0, share, tolerance)
    return make_report("bernoulli", bound, model, features, per_feature, parts, gradients)


def _sum_terms(
    model: Model, features: Features, closed: Array, share: Array, rtol: float
) -> tuple[Array, float, float]:
    """Add the transform parts to the closed parts, with smaller and smaller tolerances.

    Returns the two means of each output, shape (n, 2), the bound on the error of the loss, and the
    tolerance of one output that was enough.
    """
    b, n, law = model.b, model.n, law_tables(features.activation)
    reflected, known = closed[:, 4:6] > 0, closed[:, :2] + closed[:, 2:4]
    # All terms are squares: the loss with few active inputs is below it, and sets the first scale.
    below = float(np.sum(share * closed[:, :2]))
    nothing = float(features.lost_losses.sum())
    floor = 1e-12 * nothing
    target = max(rtol * below, floor)
    if below < 1e-3 * nothing:  # dense: a rough first pass finds the scale
        target = max(target, 1e-3 * nothing)
    for _ in range(_PASSES):
        terms, errors = known.copy(), np.empty((n, 2))
        for some, rows in _rows(model, features.p):
            where = b[some], reflected[some]
            plans = _plan(rows, share[some], where, target / n, law)
            means = _follow(expected_rows, (*rows, *where), law, plans)
            terms[some] += means[:, :2]
            errors[some] = plans[:, :, 3] + means[:, 2:]
        errors += 1e-15 * math.sqrt(n) * np.abs(closed[:, 2:4]) + 1e-15 * np.abs(terms)
        bound, loss = float(np.sum(share * errors)), float(np.sum(share * terms))
        wanted = max(rtol * (loss - bound), floor)
        if bound <= wanted:
            return terms, bound, target / n
        target = min(0.5 * wanted, 0.5 * target)
    raise ArithmeticError(
        f"rtol = {rtol:g} is out of reach here: the loss {loss:.6g} is known to {bound:.2g} "
        "only; give a larger rtol, or, for very rare features, sampling='one_hot'"
    )


def _bernoulli_gradient(
    model: ToyModel,
    features: Features,
    reflected: NDArray[np.bool_],
    share: Array,
    tolerance: float,
) -> tuple[Array, Array]:
    p, weights, law = features.p, features.weights, law_tables(features.activation)
    mean = float(features.activation.moment(1))
    gradient_W, gradient_b = np.zeros_like(model.W), np.empty(model.n)
    for some, rows in _rows(model, p):
        where, gram = (model.b[some], reflected[some]), rows[0]
        plans = _plan(rows, share[some], where, tolerance, law)
        by_gram, by_own, by_b = _follow(expected_slopes, (*rows, p[some], *where), law, plans)
        slopes = np.empty_like(gram)
        by_b += _in_slices(few_active_rows, gram, some, p, model.b, law, slopes)[:, 6]
        slopes += by_gram
        # An overlap of 0 that grows moves z by the mean of its input, whatever else is active.
        unfelt = gram == 0
        slopes[unfelt] = (by_b[:, None] * (mean * p))[unfelt]
        inside = np.arange(len(gram))
        slopes[inside, some.start + inside] += by_own
        slopes *= weights[some, None]
        accumulate(gradient_W, model.W, some, slopes)
        gradient_b[some] = weights[some] * by_b
    return gradient_W, gradient_b
