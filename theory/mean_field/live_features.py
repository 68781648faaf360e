"""How many features are best kept live: a search on few merged groups.

The loss as a function of the number of live features s is followed by its derivative, from few
features upwards; the derivative is that of the minimum with respect to the size of the last group
(envelope theorem: everything else stays).
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from theory.mean_field.groups import FeatureGroups, RankedFeatures, group_features, merge_groups
from theory.mean_field.prolongation import interpolation_weights, prolong
from theory.mean_field.solver.augmented_lagrangian import lagrangian_of
from theory.mean_field.solver.method_of_multipliers import has_dead_group, minimise
from theory.mean_field.solver.problem import Problem
from theory.mean_field.solver.state import Minimum

# The search brackets the number between m and 2 m, then 3 times that, and so on, and ends when the
# bracket is 3 % wide: the loss is flat at its minimum, so that 3 % changes it by less than 1e-3.
_FIRST_BRACKET, _BRACKET_GROWTH, _BRACKET_WIDTH = 2, 3, 0.03
# A coarse minimum is good enough where the marginal gain, relative to the loss of a lost feature,
# is above the first (its sign is trusted) and below the second (larger ones are not yet settled).
_TRUSTED_GAIN, _LARGEST_GAIN = 0.25, 1.1
# Where groups died on the way up the upper end is halved (in ln), unless this near the lower one.
_SMALLEST_JUMP = 1.15
# The least important features with this share of Σ I p together are lost without a search.
_NEGLIGIBLE = 1e-7
# Losses of coarse minima that differ by less than this are taken as equal.
EQUAL_LOSSES = 2e-3
# Relative step of derivatives by a group's size.
_STEP = 1e-3


class Trial(NamedTuple):
    """A coarse minimum for one number of live features.

    ``marginal_gain`` is what leaving out the least important live feature would gain, over I p of
    it; ``total`` the whole loss, lost features included.
    """

    live: int
    problem: Problem
    found: Minimum
    marginal_gain: float
    total: float


def search_live(
    features: RankedFeatures, m: int, groups: int | None, like: Problem
) -> tuple[int, Problem, Minimum]:
    """Return the best number of live features, and a coarse problem nearby with its minimum.

    Parameters
    ----------
    features : RankedFeatures
        The features, most important first.
    m, groups : int
        Width, and number of groups as in ``group_features``.
    like : Problem
        Gives the law of v, sampling, whether overlaps are optimised, and options.
    """
    trials: list[Trial] = []

    def attempt(live: int, below: Trial | None) -> Trial:
        trials.append(_try_live(features, live, groups, like, below))
        return trials[-1]

    n = non_negligible(features)
    low, high = min(max(m, 2), n), min(_FIRST_BRACKET * m, n)
    gain_low, below = -1.0, None
    while True:
        trial = attempt(high, below)
        if has_dead_group(trial.problem, trial.found) and high > _SMALLEST_JUMP**2 * low:
            high = round(np.sqrt(low * high))
            continue
        if trial.marginal_gain > 0:
            break
        low, gain_low, below = high, trial.marginal_gain, trial
        if high == n:
            break
        high = min(_BRACKET_GROWTH * high, n)
    gain_high = trial.marginal_gain
    while high - low > max(1, _BRACKET_WIDTH * low):
        trial = attempt(_between(low, high, gain_low, gain_high), below)
        # The gain at the end that stays counts half from then on, so that the other end does not
        # creep towards it (nearly the Illinois rule of regula falsi).
        if trial.marginal_gain > 0:
            high, gain_high, gain_low = trial.live, trial.marginal_gain, gain_low / 2
        else:
            low, gain_low, below = trial.live, trial.marginal_gain, trial
            gain_high /= 2
    # Should the derivative have led elsewhere, the least loss that was seen counts.
    best = min(trials, key=lambda one: one.total)
    if below is not None:
        at_low = next(one for one in trials if one.live == low)
        if best.total > (1 - EQUAL_LOSSES) * at_low.total:
            best = below
    return best.live, best.problem, best.found


def _try_live(
    features: RankedFeatures, live: int, groups: int | None, like: Problem, below: Trial | None
) -> Trial:
    """Return the coarse minimum for one number of live features."""
    merged = merge_groups(group_features(features, groups, live))[0]
    problem = replace(like, groups=merged, options=like.options.coarse())
    p, importance = float(features.p[live - 1]), float(features.importance[live - 1])
    activity = importance * p
    nothing = problem.model.moments[2] - problem.model.moments[1] ** 2 * p

    def gain(found: Minimum) -> float:
        return _marginal_gain(problem, found, p, importance) / activity

    def is_clear(found: Minimum) -> bool:
        return bool(_TRUSTED_GAIN * nothing < abs(gain(found)) < _LARGEST_GAIN * nothing)

    same = below is not None and below.problem.groups.count == problem.groups.count
    found = minimise(problem, below.found if same and below is not None else None, is_clear)
    if below is not None and not same and has_dead_group(problem, found):
        # From a cold start a group may die that need not: start from the fewer live features too.
        other = minimise(problem, _carry_over(below, problem), is_clear)
        found = min(found, other, key=lambda one: one.lagrangian)
    return Trial(live, problem, found, gain(found), found.lagrangian + features.lost_loss(live))


def _carry_over(below: Trial, problem: Problem) -> Minimum:
    """Return the minimum of fewer live features as a start of a problem with other groups."""
    near = interpolation_weights(problem.groups, below.problem.groups).argmax(axis=1)
    point, multipliers = prolong(below.problem, below.found, problem, np.maximum.accumulate(near))
    return below.found._replace(point=point, multipliers=multipliers)


def _marginal_gain(problem: Problem, found: Minimum, p: float, importance: float) -> float:
    """Return what leaving out one feature of the last bin, of this p and importance, would gain."""
    groups = problem.groups
    last = np.flatnonzero(groups.bins == groups.bins[-1])
    far = np.abs(np.log(groups.p[last] / groups.importance[last]) - np.log(p / importance))
    g = int(last[np.argmin(far)])
    step = _STEP * float(groups.sizes[g])
    ends = []
    for change in (-step, step):
        sizes = groups.sizes.astype(np.float64)
        frequency, weight = groups.p.copy(), groups.importance.copy()
        active = sizes[g] * frequency[g]
        weighted = active * weight[g] + change * p * importance
        sizes[g] += change
        frequency[g] = (active + change * p) / sizes[g]
        weight[g] = weighted / (active + change * p)
        changed = FeatureGroups(sizes, frequency, weight, groups.bins, groups.ranks)
        ends.append(lagrangian_of(problem.at(changed), found))
    first, second = problem.model.moments[1:3]
    lost = importance * (second * p - (first * p) ** 2)
    gain: float = (ends[1] - ends[0]) / (2 * step) - lost
    return gain


def _between(low: int, high: int, gain_low: float, gain_high: float) -> int:
    """Return where a line through both ends is 0, in ln of the number, but well inside."""
    share = min(max(gain_low / (gain_low - gain_high), 0.2), 0.8)
    middle = int(np.rint(low * (high / low) ** share))
    return min(max(middle, low + 1), high - 1)


def non_negligible(features: RankedFeatures) -> int:
    """Return how many features there are without those that are all but never active."""
    activity = features.activity
    tails = np.concatenate([np.cumsum(activity[::-1])[::-1][1:], [0.0]])
    return int(np.argmax(tails <= _NEGLIGIBLE * activity.sum())) + 1
