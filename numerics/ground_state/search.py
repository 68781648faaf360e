"""The lowest loss over W and b: ``ground_state``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from numerics.ground_state.descent import DENSE, descend, polish
from numerics.ground_state.objective import LossFunction
from numerics.ground_state.starts import draw_start, hop, weak_state
from numerics.ground_state.state import GroundState
from numerics.loss.exact import population_loss
from numerics.loss.report import LossReport
from numerics.toy_model import ToyModel, check_same_n
from theory.checks import (
    MOST_REPEATS,
    Sampling,
    as_generator,
    check_integer,
    check_sampling,
)
from theory.computing.argument_kinds import check_kinds
from theory.computing.one_thread import one_thread
from theory.features import Features, as_features
from theory.frequencies import Frequencies

Array = NDArray[np.float64]

# Tolerances of the loss, relative to that of a model that learns nothing: first and second part of
# the descents, Hessian, polish.
_COARSE, _ROUGH, _MIDDLE, _FINE = 1e-4, 1e-6, 1e-7, 1e-8
# Number of features beyond which descents begin with the coarse tolerance.
_MANY = 30
# Losses closer than this, relative to the lower one or to a model that learns nothing, count as one
# minimum.
_SAME, _NOTHING = 1e-5, 1e-7
# Minima that are descended further before they are compared, and by how many steps where many
# features make them long.
_CONTINUED, _SOME_STEPS = 3, 100
# Relative errors asked of the final loss, the first that can be reached.
_FINAL = (1e-9, 1e-7, 1e-5)


@check_kinds
@one_thread()  # thousands of products of small matrices, for which threads only wait
def ground_state(
    features: Features | Frequencies,
    m: int | None = None,
    *,
    starts: int | None = None,
    seed: int | np.random.Generator = 0,
    start: ToyModel | None = None,
    sampling: Sampling = "bernoulli",
    progress: Callable[[int, float], None] | None = None,
) -> GroundState:
    """Find the lowest exact loss over W and b, without training.

    Many starts (the weak state, antipodal pairs, random directions) are brought to local minima by
    L-BFGS on the exact gradient. As many descents again start beside the lowest minimum so far: two
    features change places, or some are drawn anew. The lowest is polished by Newton's method. The
    result is a local minimum to the digits shown, and the lowest of those found: how many starts
    ended there, and the next minima, say how far to trust that it is the lowest of all. It is never
    above the loss of weak superposition or of ``start``.

    Parameters
    ----------
    features : Features or Frequencies
        What the model is shown.
    m : int, optional
        Width, 1 <= m <= n; that of ``start`` if left out.
    starts : int, optional
        Number of descents; by default 40 up to n = 10, 20 up to n = 30, 6 beyond. With ``start``
        and without ``starts`` that model is finished and nothing else is tried.
    seed : int or Generator
        Seed, or source of randomness, of the random starts: the same seed gives the same state.
    start : ToyModel, optional
        A model, trained say, that is a start as well.
    sampling : {"bernoulli", "one_hot"}
        Whether features are active independently or exactly one at a time (E <= 1).
    progress : callable, optional
        Called as progress(descents done, lowest loss so far).

    Returns
    -------
    GroundState
        Model, loss, minima, dimensionalities, groups, picture.

    Raises
    ------
    ValueError
        For a width outside 1..n, no width, or a model that does not fit the features or the width.

    Examples
    --------
    >>> from theory.activation import Activation
    >>> five = Features(Frequencies.from_probabilities([0.05] * 5), Activation(0, 1))
    >>> state = ground_state(five, 2, starts=6)
    >>> state.shapes, state.dimensionalities.round(3)
    (('pentagon',), array([0.4, 0.4, 0.4, 0.4, 0.4]))
    """
    features = as_features(features)
    check_sampling(sampling, features.density)
    m = _check_width(features, m, start)
    f = LossFunction(features, m, sampling)
    number = _count_starts(starts, start, features.n)
    rng = as_generator(seed)
    points = [] if start is None else [f.pack(start.W, start.b)]
    points += [f.pack(*draw_start(features, m, k, rng)) for k in range(number)]
    ends: list[tuple[float, Array]] = []
    for point in points:
        if features.n > _MANY:
            point, _ = descend(f, point, _COARSE, gradient=1e-4)
        x, loss = descend(f, point, _ROUGH)
        ends.append((loss, x))
        if progress is not None:
            progress(len(ends), min(loss for loss, _ in ends) * f.scale)
    descended = [loss for loss, _ in ends]
    ends = _continue_lowest(f, [*ends, *_hop(f, ends, number, rng)])
    best, curvature = _settle(f, ends, start)
    report, slope = _certify(f, best)
    minima, counts = _cluster([loss for loss, _ in ends], descended)
    return GroundState(
        features,
        _onto_axes(f.model(best)),
        report.loss,
        report.error_bound,
        slope,
        curvature * f.scale,
        len(points),
        minima * f.scale,
        counts,
        sampling,
        -1 if isinstance(seed, np.random.Generator) else int(seed),
    )


def _check_width(features: Features, m: int | None, start: ToyModel | None) -> int:
    if start is None:
        if m is None:
            raise ValueError("m is missing: give a width, as ground_state(features, m=2)")
        return check_integer("m", m, 1, features.n)
    check_same_n(start, features)
    if m is not None and m != start.m:
        raise ValueError(f"m = {m} and a start of width {start.m}: leave m out")
    return start.m


def _count_starts(starts: int | None, start: ToyModel | None, n: int) -> int:
    if starts is not None:
        return check_integer("starts", starts, 1 if start is None else 0, MOST_REPEATS)
    if start is not None:
        return 0
    return 40 if n <= 10 else 20 if n <= 30 else 6


def _hop(
    f: LossFunction, ends: list[tuple[float, Array]], number: int, rng: np.random.Generator
) -> list[tuple[float, Array]]:
    """Return the ends of descents from beside the lowest end, each lower than those before it."""
    loss, x = min(ends, key=lambda end: end[0])
    found = []
    for _ in range(number if f.n > 2 else 0):
        trial, new_loss = descend(f, f.pack(*hop(f.features, *f.unpack(x), rng)), _ROUGH)
        if _differ(new_loss, loss):
            loss, x = new_loss, trial
            found.append((loss, x))
    return found


def _continue_lowest(f: LossFunction, ends: list[tuple[float, Array]]) -> list[tuple[float, Array]]:
    """Descend further from the lowest end of each of the lowest minima; sorted by loss."""
    ends = sorted(ends, key=lambda end: end[0])
    leaders: list[int] = []
    for place, (loss, _) in enumerate(ends):
        if not leaders or _differ(ends[leaders[-1]][0], loss):
            leaders.append(place)
    # Where there is no Newton's method the lowest is descended to the end by ``polish``.
    rtol, steps = (_FINE, 1000) if f.size <= DENSE else (_MIDDLE, _SOME_STEPS)
    for place in leaders[:_CONTINUED]:
        x, loss = descend(f, ends[place][1], rtol, steps=steps, gradient=1e-8)
        if loss < ends[place][0]:
            ends[place] = loss, x
    return sorted(ends, key=lambda end: end[0])


def _settle(
    f: LossFunction, ends: list[tuple[float, Array]], start: ToyModel | None
) -> tuple[Array, float]:
    """Return the polished lowest end and its curvature, or a given model that is lower still."""
    x, loss, curvature = polish(f, ends[0][1], _FINE, _MIDDLE)
    ends[0] = loss, x
    given = [f.pack(*weak_state(f.features, f.m))]
    given += [] if start is None else [f.pack(start.W, start.b)]
    for other in given:  # stationary, say, and lower by rounding
        other_loss = f(other, _FINE)[0]
        if other_loss < loss:
            x, loss, curvature = polish(f, other, _FINE, _MIDDLE)
            ends[0] = loss, x
    return x, curvature


def _certify(f: LossFunction, x: Array) -> tuple[LossReport, float]:
    """Return the exact loss, to the smallest error within reach, and the largest slope."""
    for rtol in _FINAL:
        try:
            report = population_loss(
                f.model(x), f.features, f.sampling, rtol=rtol, gradient=rtol == _FINAL[-1]
            )
        except ArithmeticError:
            if rtol == _FINAL[-1]:
                raise
            continue
        break
    return report, float(np.abs(f(x, _FINE)[1]).max()) * f.scale


def _differ(low: float, high: float) -> bool:
    """Return whether two losses, in units of a model that learns nothing, are two minima."""
    return high > low + _SAME * abs(low) + _NOTHING


def _cluster(losses: list[float], descended: list[float]) -> tuple[Array, NDArray[np.int64]]:
    """Return the different losses, lowest first, and how many descents from starts led to each."""
    minima: list[float] = []
    for loss in sorted(losses):
        if not minima or _differ(minima[-1], loss):
            minima.append(loss)
    places = np.searchsorted(minima, descended, side="right") - 1
    counts = np.bincount(np.maximum(places, 0), minlength=len(minima))
    return np.array(minima), counts.astype(np.int64)


def _onto_axes(model: ToyModel) -> ToyModel:
    """Rotate W onto its principal axes; signs so that the largest entry of a column is positive."""
    _, _, axes = np.linalg.svd(model.W, full_matrices=False)
    if axes.shape != (model.m, model.m):
        return model
    W = model.W @ axes.T
    signs = np.sign(W[np.abs(W).argmax(axis=0), np.arange(model.m)])
    return ToyModel(W * np.where(signs == 0, 1.0, signs), model.b)
