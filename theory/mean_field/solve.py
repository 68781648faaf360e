r"""The loss of strong superposition, nothing fitted: a mean field over optimised overlaps.

Use ``solve_mean_field(frequencies, m)``. The loss of independent overlaps
(theory/mean_field/interference/expected_loss.py) is minimised over norms r_g, biases b_g and the
overlap laws that the geometry allows (theory/mean_field/interference/overlap_laws.py):

    L(m) = min over r, b, D of Σ_i ⟨(y_i - x_i)²⟩,   budgets <= 1,   B^(k) ⪰ 0,   |t| <= √m.

Features so rare that they cost more alive than lost (⟨v²⟩ p_i - ⟨v⟩² p_i²) are left out: how many
is found from the derivative of the minimum with respect to their number, on few merged groups
first. Where features cost less in antipodal pairs (theory/mean_field/antipodal.py; of use at n <
3m) they are kept so: no smooth law is like that. With ``optimised=False`` the overlaps are Gaussian
with the Welch variance: an isotropic frame that nobody arranged, which loses more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.activation import Activation
from theory.checks import Sampling, check_integer, check_sampling, read_only
from theory.features import Features, as_features
from theory.frequencies import Frequencies
from theory.mean_field.antipodal import Antipodal, antipodal_loss
from theory.mean_field.augmented_lagrangian import STILL, Problem
from theory.mean_field.groups import FeatureGroups, group_features, merge_groups
from theory.mean_field.interference.overlap_laws import DEGREES
from theory.mean_field.prolongation import prolong, split_groups
from theory.mean_field.solution import MeanField
from theory.mean_field.state import ConvergenceError, Minimum
from theory.one_thread import one_thread
from theory.regimes.weak import tail_loss

__all__ = ["ConvergenceError", "solve_mean_field"]

Array = NDArray[np.float64]
# The search for the number of live features begins at so many times m, goes up by such factors,
# and ends at this relative error.
_FIRST, _JUMP, _CLOSE = 2, 3, 0.03
# Of what a lost feature costs, by so much one that is clearly live, or not, costs less or more; and
# by no more than that, or the search has a way to go.
_CLEARLY, _AT_MOST = 0.25, 1.1
# Where features died on the way up steps are halved, until they are so small.
_SMALL = 1.15
# The rarest features that are active in so small a share of E are lost.
_NEVER = 1e-7
# Rough minima are told apart by so much.
_ALIKE = 2e-3
# Into how many parts groups are split for the loss, and what of the difference may be wrong.
_PARTS, _UNEVEN = 4, 0.2
# A relative step in a group's size or in m, for derivatives.
_STEP = 1e-3


def solve_mean_field(
    features: Features | Frequencies,
    m: int,
    *,
    groups: int | None = None,
    sampling: Sampling = "bernoulli",
    optimised: bool = True,
    antipodal: bool = True,
) -> MeanField:
    """Minimise the mean-field loss at one width.

    Parameters
    ----------
    features : Features or Frequencies
        Frequencies and the law of v.
    m : int
        Width, 2 <= m <= n.
    groups : int, optional
        How many groups of features share norms, biases and overlap laws (see ``group_features``);
        the loss is that of four parts of each, interpolated.
    sampling : {"bernoulli", "one_hot"}
        Each feature active independently, or exactly one at a time (E <= 1).
    optimised : bool
        Whether overlaps are optimised; if not they are Gaussian with the Welch variance.
    antipodal : bool
        Whether features are kept in antipodal pairs where that costs less; not without
        ``optimised``.

    Returns
    -------
    MeanField
        Loss, parts, norms, biases, overlap laws and how well the limits hold.

    Raises
    ------
    TypeError
        If ``features`` is neither, or m or groups no whole number.
    ValueError
        For a single feature, a width outside 2..n, groups below 1, E > 1 with
        ``sampling="one_hot"``, or importances that differ.
    ConvergenceError
        If the minimum is not found; the message says what to try.

    Examples
    --------
    >>> found = solve_mean_field(Frequencies.power_law(100, alpha=0.0), m=20)
    >>> found.live, 0.05 < found.loss < 0.2
    (100, True)
    """
    features = as_features(features)
    frequencies, activation = features.frequencies, features.activation
    if not features.has_equal_importance:
        raise ValueError("importance: the mean field takes equal importances only, for now")
    if frequencies.n < 2:
        raise ValueError("n = 1: a single feature overlaps with none; give at least two")
    m = check_integer("m", m, 2, frequencies.n)
    if groups is not None:
        groups = check_integer("groups", groups)
    one_hot = check_sampling(sampling, frequencies.density)
    # Solved for v up to 2: if v is c times as large, so are biases, and losses are c² times.
    size = activation.high / 2
    if size != 1:
        activation = Activation(activation.low / size, 2.0, activation.shares)
    how: dict[str, Any] = {"activation": activation, "one_hot": one_hot, "optimised": optimised}
    with one_thread():
        live, coarse = _search_live(frequencies, m, groups, how)
        problem = Problem(group_features(frequencies, groups, live), float(m), **how)
        merged = merge_groups(problem.groups)[1]
        found = problem.minimise(prolong(*coarse, problem, merged))
        smooth = _report(problem, found, frequencies, live, size)
        if not (optimised and antipodal):
            return smooth
        pairs = antipodal_loss(Features(frequencies, activation), m, sampling)
        if size * size * pairs.loss < (1 - _ALIKE) * smooth.loss - problem.least:
            scaled = Features(frequencies, activation)
            return _report_pairs(pairs, m, scaled, groups, sampling, size)
        return smooth


def _search_live(
    frequencies: Frequencies, m: int, groups: int | None, how: dict[str, Any]
) -> tuple[int, tuple[Problem, Minimum]]:
    """Return how many features are best kept alive, and a minimum of merged groups nearby.

    Minima are followed from few features upwards: from there on all are alive. Of all that were
    seen it is the best, should the derivative have led elsewhere.
    """
    seen: list[tuple[float, int, Problem, Minimum]] = []

    def solve(live: int, below: tuple[Problem, Minimum] | None) -> tuple[float, Problem, Minimum]:
        fine = group_features(frequencies, groups, live)
        problem = Problem(merge_groups(fine)[0], float(m), rough=True, **how)
        alike = below is not None and below[0].groups.count == problem.groups.count
        rarest = float(frequencies.p[live - 1])
        nothing = problem.loss.raw[2] - problem.loss.raw[1] ** 2 * rarest

        def worth(found: Minimum) -> float:
            return _worth(problem, found, rarest) / rarest

        found = problem.minimise(
            below[1] if alike and below is not None else None,
            lambda found: _CLEARLY * nothing < abs(worth(found)) < _AT_MOST * nothing,
        )
        lost = float(tail_loss(Features(frequencies, how["activation"]), live))
        seen.append((problem.lagrangian(found) + lost, live, problem, found))
        return worth(found), problem, found

    n = _worth_a_look(frequencies)
    low, high = min(max(m, 2), n), min(_FIRST * m, n)
    at_low, below = -1.0, None
    while True:
        worth, problem, found = solve(high, below)
        if problem.has_dead_group(found) and high > _SMALL**2 * low:
            high = round(np.sqrt(low * high))
            continue
        if worth > 0:
            break
        low, at_low, below = high, worth, (problem, found)
        if high == n:
            break
        high = min(_JUMP * high, n)
    at_high = worth
    while high - low > max(1, _CLOSE * low):
        # Where a line through both ends is 0, in the logarithm, but well inside.
        share = min(max(at_low / (at_low - at_high), 0.2), 0.8)
        middle = round(low * (high / low) ** share)
        middle = min(max(middle, low + 1), high - 1)
        worth, problem, found = solve(middle, below)
        if worth > 0:
            high, at_high = middle, worth
        else:
            low, at_low, below = middle, worth, (problem, found)
    total, live, problem, found = min(seen, key=lambda one: one[0])
    if below is not None and total > (1 - _ALIKE) * next(x[0] for x in seen if x[1] == low):
        return low, below
    return live, (problem, found)


def _worth_a_look(frequencies: Frequencies) -> int:
    """Return how many features there are but for those that are all but never active."""
    tails = np.concatenate([np.cumsum(frequencies.p[::-1])[::-1][1:], [0.0]])
    return int(np.argmax(tails <= _NEVER * frequencies.density)) + 1


def _worth(problem: Problem, found: Minimum, rarest: float) -> float:
    """Return what leaving out a feature as frequent as the rarest would gain."""
    groups = problem.groups
    step = _STEP * float(groups.sizes[-1])
    ends = []
    for change in (-step, step):
        sizes, p = groups.sizes.astype(np.float64), groups.p.copy()
        p[-1] = (sizes[-1] * p[-1] + change * rarest) / (sizes[-1] + change)
        sizes[-1] += change
        ends.append(problem.like(FeatureGroups(sizes, p)).lagrangian(found))
    dead = problem.loss.raw[2] * rarest - (problem.loss.raw[1] * rarest) ** 2
    gain: float = (ends[1] - ends[0]) / (2 * step) - dead
    return gain


def _report(
    problem: Problem, found: Minimum, frequencies: Frequencies, live: int, size: float
) -> MeanField:
    """Return all that is known of a minimum, for v of the given size."""
    groups, m, state, prices = problem.groups, problem.m, found.state, found.multipliers
    lost = float(tail_loss(Features(frequencies, problem.activation), live))
    together = problem.lagrangian(found)
    # The envelope theorem: at the optimum only what depends on m itself changes L.
    step = _STEP * m
    below, above = (problem.like(m=m + change).lagrangian(found) for change in (-step, step))
    slope = np.nan
    if together + lost > problem.least:
        slope = -(above - below) / (2 * step) * m / (together + lost)
    # Features that differ within their groups lose less; where these are so small that nothing
    # lies between them, not.
    parts, parent = split_groups(frequencies, groups, _PARTS if groups.count > 1 else 1)
    apart = problem.like(parts, fine=problem.fine)
    spread = prolong(problem, found, apart, parent)
    plain = apart.lagrangian(spread)
    if plain > together:
        apart, spread, plain = problem, found, together
    fine = apart.like(fine=problem.fine + 1)
    cost = fine.cost(spread.state)
    level = max(fine.lagrangian(spread), 0.0)
    loss = level + lost
    uncertainty = abs(level - plain) + _UNEVEN * abs(plain - together) + problem.slack(found)
    uncertainty += (STILL + found.residual) * loss
    pairs = problem.z + state.D
    t = np.empty((groups.count, groups.count, pairs.shape[1]))
    laws = problem.laws
    t[laws.first, laws.second] = t[laws.second, laws.first] = pairs
    used = [k for k, S in zip(DEGREES, prices.positivity, strict=True) if np.trace(S) > 0]
    optimised, square = problem.optimised, size * size
    spent = laws.spent(state.D) if optimised else np.zeros(groups.count)
    return MeanField(
        m=m,
        loss=square * loss,
        lost=square * lost,
        self_error=square * cost.self_error,
        exponent=slope,
        uncertainty=square * uncertainty,
        groups=groups,
        r=read_only(state.r),
        b=read_only(size * state.b),
        z=read_only(problem.z),
        weights=read_only(problem.loss.weights),
        t=read_only(t),
        budget=read_only(spent),
        multipliers=read_only(square * prices.budget),
        active=tuple(used) if optimised else (),
        violation=found.violation,
        residual=found.residual,
        rounds=found.rounds,
    )


def _report_pairs(
    pairs: Antipodal,
    m: int,
    features: Features,
    groups: int | None,
    sampling: Sampling,
    size: float,
) -> MeanField:
    """Return what is known of features in antipodal pairs, for v of the given size."""
    kept = group_features(features.frequencies, groups, pairs.live)
    share = (pairs.live - m) / (pairs.live * (pairs.live - 1) / 2)
    z, weights = np.array([-np.sqrt(m), 0.0]), np.array([share, 1 - share])
    slope = np.nan
    if m < features.n and pairs.loss > 0:
        # Upwards: at the least width that holds all in pairs the loss has a step below.
        wider = antipodal_loss(features, m + 1, sampling)
        slope = m * (1 - wider.loss / pairs.loss)
    none = np.zeros(kept.count)
    return MeanField(
        m=m,
        loss=size * size * pairs.loss,
        lost=size * size * pairs.lost,
        self_error=0.0,
        exponent=slope,
        uncertainty=0.0,
        groups=kept,
        r=read_only(np.ones(kept.count)),
        b=read_only(none.copy()),
        z=read_only(z),
        weights=read_only(weights),
        t=read_only(np.broadcast_to(z, (kept.count, kept.count, 2)).copy()),
        budget=read_only(np.full(kept.count, np.nan)),
        multipliers=read_only(none.copy()),
        active=(),
        violation=0.0,
        residual=0.0,
        rounds=0,
    )
