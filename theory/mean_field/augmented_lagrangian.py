r"""The least mean-field loss of given live features, within the limits on overlaps.

Use ``Problem(groups, m, …).minimise()`` inside theory/mean_field/solve.py: an augmented Lagrangian,
whose inner minima L-BFGS finds in a metric in which every direction curves about equally,

    L(r, b, z + D) + Σ_s [(λ_s + ϱ c_s)₊² - λ_s²]/2ϱ + Σ_k [‖(S_k - ϱ B_k)₊‖² - ‖S_k‖²]/2ϱ,

c_s = spent_s - 1 the budgets, B_k the positivity matrices
(theory/mean_field/interference/overlap_laws.py), λ and S their multipliers, (·)₊ the positive part
(of a matrix: its projection on the positive cone).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, minimize

from theory.activation import Activation
from theory.mean_field.groups import FeatureGroups
from theory.mean_field.interference.expected_loss import Cost, InterferenceLoss
from theory.mean_field.interference.overlap_laws import DEGREES, OverlapLaws
from theory.mean_field.preconditioner import Curvatures
from theory.mean_field.state import ConvergenceError, Minimum, Multipliers, State

Array = NDArray[np.float64]
# Nodes of the overlap laws between several groups, and of a single one; in a rough search.
_NODES, _NODES_ALONE, _NODES_ROUGH = 11, 25, 7
# |t| <= √m; where that is far beyond the law of random directions no pair would be so far.
_MOST = 5.5
# Live features have norms near 1 and fire at times: those of one that does neither count as dead.
_NORMS, _BIASES = (0.7, 1.5), (-2.4, 1.0)
# At the start overlaps shrink by no more than this: at t = 0 no limit has a slope to follow.
_INITIAL_SHRINKAGE = 0.8
# Rounds in which all have norm 1: rare features would die while overlaps are still random.
_FROZEN = 3
# Iterations of a round while norms are frozen and after, and the relative gain of one that ends it;
# in a rough search; rounds; the largest penalty over the loss.
_INNER, _INNER_ROUGH = (50, 100, 1e-11), (30, 60, 1e-8)
# After so many rounds multipliers are nearly right, and rounds longer by this factor.
_LATE, _LONGER = 8, 2.5
_OUTER, _OUTER_ROUGH, _PENALTY = (60, 20), 6, 10.0
# Steps that the optimizer remembers: limits make its valleys narrow.
_MEMORY = 40
# By what multipliers fall that would pay more than the loss for limits nobody touches.
_DEAR = 0.1
# What a rough search puts up with after its rounds; if it misses that it goes on.
_ROUGHLY = 1e-2
# The last relative change of the loss at which it can be decided on.
_NEARLY = 0.1
# What counts as settled: the largest violation of a limit, and the last relative change of the
# loss, to first order corrected for the violation, and what a Newton step would gain of it.
TOLERANCE, STILL, _GAIN = 1e-3, 2e-4, 1e-4
# Or: all limits hold, and these last rounds have changed the loss by less than this.
_LATELY, _SLOW = 4, 2e-3
# How far the multipliers may still move, of their sum: derivatives hang on them to first order.
_MOVED = 0.02
# How much looser a rough search is.
_LOOSE = 3.0
# After the last round: what violations are worth, the last change and that gain together.
_AT_LAST = 2e-2
# By how much of the loss a finer rule may change it; the finest that is searched with, and roughly.
_PRECISE, FINEST, _FINEST_ROUGH = (3e-3, 1e-2), 3, 2
# Share of the loss of learning nothing below which a loss is 0.
_LEAST = 1e-6


class Problem:
    """The loss and its limits at one width, for one choice of live features.

    Parameters
    ----------
    groups, m, activation, one_hot
        As in ``InterferenceLoss``; m > 1.
    optimised : bool
        Whether overlaps can be moved; if not they are Gaussian with the Welch variance.
    fine, rough : int, bool
        How finely to integrate, 0 to 4; whether overlap laws have few nodes, to search quickly.
    """

    def __init__(
        self,
        groups: FeatureGroups,
        m: float,
        activation: Activation,
        one_hot: bool,
        optimised: bool,
        fine: int = 0,
        rough: bool = False,
    ) -> None:
        self.groups, self.m, self.optimised = groups, m, optimised
        self.activation = activation
        self.rough = rough
        self._how: dict[str, Any] = {
            "activation": activation, "one_hot": one_hot, "optimised": optimised, "rough": rough,
        }  # fmt: skip
        nodes = _NODES_ALONE if groups.count == 1 else _NODES_ROUGH if self.rough else _NODES
        self.laws = OverlapLaws(groups.sizes, m, nodes)
        self.z, weights = self.laws.z, self.laws.weights
        if not optimised:
            self.z, weights = np.polynomial.hermite_e.hermegauss(nodes)
            weights = weights / weights.sum()
            n = max(float(np.sum(groups.sizes)), m, 2.0)
            self.z = self.z * np.sqrt((n - m) / (n - 1))  # m times the Welch mean square
        self.fine = fine
        self.loss = InterferenceLoss(groups, m, weights, activation, one_hot, fine)
        K = groups.count
        self.shape = (len(self.laws.first), len(self.z))
        low = [np.full(K, _NORMS[0]), np.full(K, _BIASES[0])]
        high = [np.full(K, _NORMS[1]), np.full(K, _BIASES[1])]
        if optimised:
            most = min(np.sqrt(m), _MOST)
            low.append(np.broadcast_to(-most - self.z, self.shape).ravel())
            high.append(np.broadcast_to(most - self.z, self.shape).ravel())
        self._low, self._high = np.concatenate(low), np.concatenate(high)
        self._scale = np.ones_like(self._low)
        self._curvatures = Curvatures(groups, self.laws, m)

    @property
    def least(self) -> float:
        """What no loss is told from 0 below."""
        return _LEAST * self.loss.raw[2] * float(self.groups.sizes @ self.groups.p)

    def like(
        self,
        groups: FeatureGroups | None = None,
        m: float | None = None,
        fine: int | None = None,
    ) -> Problem:
        """Return the same problem of other groups (as many) or at another width, or more finely.

        The first integrate alike, so that losses differ by groups and width alone.
        """
        finer = self.fine if fine is None else fine
        other = Problem(groups or self.groups, self.m if m is None else m, **self._how, fine=finer)
        if fine is None:
            self.loss.share_rule(other.loss)
        return other

    def split(self, x: Array) -> State:
        """Return what the optimizer's variables stand for."""
        K = self.groups.count
        plain = x / self._scale
        D = plain[2 * K :].reshape(self.shape) if self.optimised else np.zeros(self.shape)
        return State(plain[:K], plain[K : 2 * K], D)

    def join(self, state: State) -> Array:
        """Return the optimizer's variables of a state."""
        parts = (state.r, state.b, state.D.ravel()) if self.optimised else (state.r, state.b)
        return np.clip(np.concatenate(parts), self._low, self._high) * self._scale

    def start(self) -> tuple[State, Array]:
        """Return directions of norm 1 whose overlaps shrink as their budgets allow, and prices.

        The least Σ c_gh (1 - θ_gh)² for t = (1 - θ) z: its dual is concave, θ = c/(c + price).
        """
        K, laws = self.groups.count, self.laws
        b = np.full(K, -min(0.3, 1 / np.sqrt(self.m)))
        if not self.optimised:
            return State(np.ones(K), b, np.zeros(self.shape)), np.zeros(K)
        cost = self._curvatures.assumed / 2 + np.finfo(float).tiny
        unit = cost.sum()

        def dual(force: Array) -> tuple[float, Array]:
            price = unit * (force @ laws.charge)
            share = cost / (cost + price)
            return (unit * force.sum() - (share * price).sum()) / unit, 1 - laws.charge @ share**2

        force = minimize(
            dual, np.full(K, 1 / K), jac=True, method="L-BFGS-B", bounds=[(0, None)] * K
        ).x
        share = _INITIAL_SHRINKAGE * cost / (cost + unit * (force @ laws.charge))
        return State(np.ones(K), b, -share[:, None] * self.z), unit * force

    def _bounds(self, frozen: bool, root: float) -> Bounds:
        low, high = self._low.copy(), self._high.copy()
        if frozen:
            low[: self.groups.count] = high[: self.groups.count] = 1.0
        return Bounds(low * self._scale / root, high * self._scale / root)

    def cost(self, state: State) -> Cost:
        """Return the loss without its limits."""
        return self.loss(state.r, state.b, self.z + state.D)

    def _slope_by_overlaps(self, state: State, D: Array) -> Array:
        return self.cost(state._replace(D=D)).t

    def limits(self, D: Array) -> tuple[Array, Array]:
        """Return budgets spent less 1 (K,), and the positivity matrices."""
        return self.laws.spent(D) - 1, self.laws.positivity(self.z + D)[0]

    def lagrangian(self, found: Minimum) -> float:
        """Return the loss less what its multipliers pay for the limits: level in the state."""
        value = self.cost(found.state).loss
        if self.optimised:
            budget, matrices = self.limits(found.state.D)
            prices = found.multipliers
            value += float(prices.budget @ budget)
            value -= float(np.sum(prices.positivity * matrices))
        return value

    def augmented(self, x: Array, multipliers: Multipliers, penalty: float) -> tuple[float, Array]:
        """Return the augmented Lagrangian and its gradient."""
        state = self.split(x)
        cost = self.cost(state)
        if not self.optimised:
            return cost.loss, np.concatenate([cost.r, cost.b]) / self._scale
        laws, prices = self.laws, multipliers.budget
        force = np.maximum(prices + penalty * (laws.spent(state.D) - 1), 0.0)
        value = cost.loss + (force @ force - prices @ prices) / (2 * penalty)
        matrices, slopes = laws.positivity(self.z + state.D)
        pushes = _positive_part(multipliers.positivity - penalty * matrices)
        value += (np.sum(pushes**2) - np.sum(multipliers.positivity**2)) / (2 * penalty)
        by_D = cost.t + laws.spent_slope(state.D, force) - laws.pull(pushes, slopes)
        return float(value), np.concatenate([cost.r, cost.b, by_D.ravel()]) / self._scale

    def minimise(
        self, near: Minimum | None = None, decided: Callable[[Minimum], bool] | None = None
    ) -> Minimum:
        """Return the constrained minimum, from random directions or from that of a like problem.

        With ``decided`` the search ends early, where the loss is still a few per cent off, if that
        says of what has been found that it will do.

        Raises
        ------
        ConvergenceError
            If it does not settle.
        """
        found = self._settle(near, decided)
        if near is not None and not self.rough and self.has_dead_group(found):
            # A step from elsewhere that was too long: rare features do not return from there.
            found = min(found, self._settle(None, decided), key=self.lagrangian)
        return found

    def has_dead_group(self, found: Minimum) -> bool:
        """Return whether some group hardly answers to its own features."""
        return bool(np.any(self.loss.dead_groups(found.state.r, found.state.b)))

    def _settle(
        self, near: Minimum | None, decided: Callable[[Minimum], bool] | None = None
    ) -> Minimum:
        """Return the constrained minimum downhill from the start."""
        K = self.groups.count
        if near is None:
            state, prices = self.start()
            multipliers = Multipliers(prices, np.zeros((len(DEGREES), K, K)))
            x = self.join(state)
        else:
            multipliers = Multipliers(near.multipliers.budget, near.multipliers.positivity)
            x = self.join(near.state)
        least, raised = self.least, 1.0  # raised tenfold whenever violations stay
        penalty = max(self.cost(self.split(x)).loss, least)
        worst_before, worst, change, history = np.inf, np.inf, np.inf, [np.inf]
        frozen = 0 if near else _FROZEN if self.optimised else 1
        for round_ in range(_OUTER[self.rough]):
            state = self.split(x)
            unit = max(self.cost(state).loss, least)
            if self.optimised:
                if round_ >= frozen:
                    by_D = partial(self._slope_by_overlaps, state)
                    self._curvatures.probe(by_D, state.D)
                self._scale = self._curvatures.scale(multipliers.budget, unit)
                x = self.join(state)
            x = self._descend(x, multipliers, penalty, unit, round_, frozen)
            state = self.split(x)
            self.loss.look_again(state.r, state.b, self.z + state.D)
            plain = max(self._sharpen(state, least), least)
            if round_ == 0:
                penalty = plain
            worst, moved = self._update(x, multipliers, penalty) if self.optimised else (0.0, 0.0)
            found = Minimum(state, replace(multipliers), worst, 0.0, round_ + 1)
            loss = self.lagrangian(found)
            history.append(loss)
            change = abs(loss - history[-2]) / max(loss, least)
            found = found._replace(residual=self._residual(found) / max(loss, least))
            lately = history[-_LATELY:]
            drift = (max(lately) - min(lately)) / max(loss, least)
            loose = _LOOSE if self.rough else 1.0
            slow = len(lately) == _LATELY and worst < TOLERANCE and drift < _SLOW
            paid = self.slack(found) < _AT_LAST * loose * max(loss, least)
            settled = worst < TOLERANCE * loose and change < STILL * loose
            settled &= paid and moved < _MOVED * loose
            enough = self.rough and round_ + 1 >= _OUTER_ROUGH
            enough &= max(worst, change, found.residual) < _ROUGHLY
            if round_ > frozen and ((settled and found.residual < _GAIN * loose) or enough):
                return found
            if decided and round_ > frozen and change < _NEARLY and decided(found):
                return found
            if slow and paid:
                return found._replace(residual=max(found.residual, drift))
            idle = worst == 0 and worst_before == 0 and not paid
            if idle or (worst < TOLERANCE and self.slack(found) > plain):
                # Prices for what nobody wants: steps of the penalty would take them down slowly.
                multipliers.budget = _DEAR * multipliers.budget
                multipliers.positivity = _DEAR * multipliers.positivity
            if worst > max(0.9 * worst_before, TOLERANCE):
                raised *= 10  # up to what random overlaps would cost
            elif worst < TOLERANCE:  # a lower penalty is easier to descend
                raised = max(raised / 10, 1.0)
            most = _PENALTY * max(min(raised * plain, float(self._curvatures.assumed.sum())), plain)
            if worst > max(0.3 * worst_before, TOLERANCE):
                penalty *= 3
            penalty = min(penalty, most)
            worst_before = worst
        unsure = self.slack(found) + (change + found.residual) * max(loss, least)
        if self.rough or unsure < max(_AT_LAST * loss, least):
            return found
        raise ConvergenceError(
            f"the mean field at m = {self.m:g} with {K} groups did not settle in {_OUTER[0]} "
            f"rounds (violation {worst:.1g}, last change {change:.1g}, "
            f"residual {found.residual:.1g}): try another number of groups"
        )

    def _sharpen(self, state: State, least: float) -> float:
        """Return the loss; integrate more finely from here on if that changes it much."""
        plain = self.cost(state).loss
        if self.fine == (_FINEST_ROUGH if self.rough else FINEST):
            return plain
        finer = self.like(fine=self.fine + 1)
        better = finer.cost(state).loss
        if abs(better - plain) <= _PRECISE[self.rough] * max(better, least):
            return plain
        self.fine, self.loss = finer.fine, finer.loss
        return better

    def _descend(
        self,
        x: Array,
        multipliers: Multipliers,
        penalty: float,
        unit: float,
        round_: int,
        frozen: int,
    ) -> Array:
        """Minimise the augmented Lagrangian, in units in which the loss is about 1."""
        first, inner, gain = _INNER_ROUGH if self.rough and self.groups.count > 1 else _INNER
        if round_ >= _LATE:
            inner = round(inner * _LONGER)
        root = np.sqrt(unit)

        def scaled(y: Array) -> tuple[float, Array]:
            value, slope = self.augmented(y * root, multipliers, penalty)
            return value / unit, slope / root

        found = minimize(
            scaled,
            x / root,
            jac=True,
            method="L-BFGS-B",
            bounds=self._bounds(round_ < frozen, root),
            options={
                "maxiter": first if round_ < frozen else inner,
                "maxcor": _MEMORY,
                "ftol": gain,
                "gtol": 1e-12,
            },
        )
        y: Array = found.x * root
        return y

    def _update(self, x: Array, multipliers: Multipliers, penalty: float) -> tuple[float, float]:
        """Move the multipliers; return the largest violation, and how far they moved."""
        budget, matrices = self.limits(self.split(x).D)
        before = [multipliers.budget, multipliers.positivity]
        multipliers.budget = np.maximum(multipliers.budget + penalty * budget, 0.0)
        multipliers.positivity = _positive_part(multipliers.positivity - penalty * matrices)
        worst = max(0.0, float(budget.max()), -float(np.linalg.eigvalsh(matrices).min()))
        after = [multipliers.budget, multipliers.positivity]
        far = sum(float(np.abs(a - b).sum()) for a, b in zip(after, before, strict=True))
        size = sum(float(np.abs(a).sum()) for a in after)
        return worst, far / max(size, 1e-300)

    def slack(self, found: Minimum) -> float:
        """Return what the multipliers pay for what limits are missed by."""
        if not self.optimised:
            return 0.0
        budget, matrices = self.limits(found.state.D)
        prices = found.multipliers
        paid = np.abs((prices.positivity * matrices).sum((1, 2)))
        return float(prices.budget @ np.abs(budget) + paid.sum())

    def _residual(self, found: Minimum) -> float:
        """Return what a Newton step in the metric would gain of the Lagrangian."""
        state, multipliers = found.state, found.multipliers
        cost = self.cost(state)
        slope = [cost.r, cost.b]
        if self.optimised:
            laws = self.laws
            pull = laws.pull(multipliers.positivity, laws.positivity(self.z + state.D)[1])
            by_D = cost.t + laws.spent_slope(state.D, multipliers.budget) - pull
            slope.append(by_D.ravel())
        g = np.concatenate(slope) / self._scale
        x = self.join(state)
        low, high = self._low * self._scale, self._high * self._scale
        g[((x <= low) & (g > 0)) | ((x >= high) & (g < 0))] = 0.0
        return float(g @ g) / 2


def _positive_part(matrices: Array) -> Array:
    """Return the projections of symmetric matrices (…, K, K) on the positive cone."""
    values, vectors = np.linalg.eigh(matrices)
    part: Array = (vectors * np.maximum(values, 0.0)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    return part
