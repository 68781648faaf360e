r"""The loss of strong superposition, nothing fitted: a mean field over optimised overlaps.

Use ``solve_mean_field(frequencies, m)``. The loss of independent overlaps (theory/interference.py)
is minimised over norms r_g, biases b_g and the overlap laws that the geometry allows
(theory/overlap_laws.py):

    L(m) = min over r, b, A of Σ_i ⟨(y_i - x_i)²⟩,   budget <= 1,   B^(k) ⪰ 0,   |t| <= √m.

Features so rare that they cost more alive than dead (4/3 p_i) are left out. With
``optimised=False`` the overlaps are Gaussian with the Welch variance: an isotropic frame that
nobody arranged, which loses more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, minimize

from theory.activation import UNIFORM, Activation
from theory.checks import check_integer, read_only
from theory.feature_groups import FeatureGroups, group_features
from theory.frequencies import Frequencies
from theory.interference import Cost, InterferenceLoss
from theory.mean_field_solution import MeanField
from theory.overlap_laws import DEGREES, OverlapLaws

Array = NDArray[np.float64]
State = tuple[Array, Array, Array]  # r, b and the displacements A
_NODES = 15
# Norms and biases count this much more than displacements in the optimizer's metric.
_METRIC = 3.0
_NORMS, _BIASES = (0.2, 1.5), (-2.5, 1.0)
_INNER, _OUTER = 50, 40
# Largest violation of a limit, and largest relative change of the loss at the last multipliers.
TOLERANCE, _STILL = 5e-4, 1e-4
# Share of the loss of learning nothing below which a loss is 0.
_LEAST = 3e-4


class ConvergenceError(ArithmeticError):
    """The constrained minimum was not found to the tolerance."""


@dataclass
class _Multipliers:
    """Of the budgets (K,), and of each positivity matrix."""

    budget: Array
    positivity: list[Array]


class _Problem:
    """The loss and its limits at one width, for one choice of live features."""

    def __init__(
        self,
        groups: FeatureGroups,
        m: float,
        activation: Activation,
        one_hot: bool,
        optimised: bool,
        fine: bool = False,
    ) -> None:
        self.groups, self.m, self.optimised = groups, m, optimised
        self.laws = OverlapLaws(groups.sizes, m, _NODES)
        self.z, weights = self.laws.z, self.laws.weights
        if not optimised:
            self.z, weights = np.polynomial.hermite_e.hermegauss(_NODES)
            weights = weights / weights.sum()
            n = max(float(np.sum(groups.sizes)), m, 2.0)
            self.z = self.z * np.sqrt((n - m) / (n - 1))  # m times the Welch mean square
        self.loss = InterferenceLoss(groups, m, weights, activation, one_hot, fine)
        self.evaluations = 0
        K, Z = groups.count, len(self.z)
        self.shape = (K, K, Z)
        others = np.maximum(self.laws.others, 0.5)
        scale = np.sqrt(4 / m * others[:, :, None] * weights)
        self._scale = np.concatenate([np.full(2 * K, _METRIC), scale.ravel() if optimised else []])
        low = [np.full(K, _NORMS[0]), np.full(K, _BIASES[0])]
        high = [np.full(K, _NORMS[1]), np.full(K, _BIASES[1])]
        if optimised:  # each side of a pair may use half of what |t| <= √m leaves
            low.append(np.broadcast_to(-(np.sqrt(m) + self.z) / 2, self.shape).ravel())
            high.append(np.broadcast_to((np.sqrt(m) - self.z) / 2, self.shape).ravel())
        self._low, self._high = np.concatenate(low), np.concatenate(high)

    def split(self, x: Array) -> State:
        """Return r, b and A of the optimizer's variables."""
        K = self.groups.count
        plain = x / self._scale
        A = plain[2 * K :].reshape(self.shape) if self.optimised else np.zeros(self.shape)
        return plain[:K], plain[K : 2 * K], A

    def start(self) -> Array:
        K = self.groups.count
        b = -min(0.3, 1 / np.sqrt(self.m))
        x = np.concatenate([np.ones(K), np.full(K, b), np.zeros(len(self._scale) - 2 * K)])
        return x * self._scale

    def bounds(self, frozen: bool) -> Bounds:
        low, high = self._low.copy(), self._high.copy()
        if frozen:  # rare features would fall into r = 0 while overlaps are still random
            low[: self.groups.count] = high[: self.groups.count] = 1.0
        return Bounds(low * self._scale, high * self._scale)

    def overlaps(self, A: Array) -> Array:
        if self.optimised:
            return self.laws.overlaps(A)
        return np.tile(self.z, (len(self.laws.first), 1))

    def cost(self, r: Array, b: Array, A: Array) -> Cost:
        self.evaluations += 1
        return self.loss(r, b, self.overlaps(A))

    def limits(self, A: Array) -> tuple[Array, list[Array]]:
        """Return budgets spent less 1 (K,), and the positivity matrices."""
        return self.laws.spent(A)[0] - 1, self.laws.positivity(self.laws.overlaps(A))[0]

    def lagrangian(self, state: State, multipliers: _Multipliers) -> float:
        value = self.cost(*state).loss
        if self.optimised:
            budget, matrices = self.limits(state[2])
            value += float(multipliers.budget @ budget)
            value -= sum(
                float(np.sum(S * B)) for S, B in zip(multipliers.positivity, matrices, strict=True)
            )
        return value

    def augmented(self, x: Array, multipliers: _Multipliers, penalty: float) -> tuple[float, Array]:
        """Return the augmented Lagrangian and its gradient."""
        r, b, A = self.split(x)
        cost = self.cost(r, b, A)
        if not self.optimised:
            return cost.loss, np.concatenate([cost.r, cost.b]) / self._scale
        share, by_share = self.laws.spent(A)
        force = np.maximum(multipliers.budget + penalty * (share - 1), 0.0)
        value = cost.loss + (force @ force - multipliers.budget @ multipliers.budget) / (
            2 * penalty
        )
        by_t = cost.t.copy()
        matrices, slopes = self.laws.positivity(self.laws.overlaps(A))
        twice = np.where(self.laws.same, 1.0, 2.0)
        for S, B, slope in zip(multipliers.positivity, matrices, slopes, strict=True):
            push = _positive_part(S - penalty * B)
            value += (np.sum(push**2) - np.sum(S**2)) / (2 * penalty)
            by_t -= (twice * push[self.laws.first, self.laws.second])[:, None] * slope
        by_A = self.laws.gather(by_t) + force[:, None, None] * by_share
        return float(value), np.concatenate([cost.r, cost.b, by_A.ravel()]) / self._scale

    def minimise(self) -> tuple[State, _Multipliers, float]:
        """Return the constrained minimum, its multipliers and the largest violation."""
        K = self.groups.count
        multipliers = _Multipliers(np.zeros(K), [np.zeros((K, K)) for _ in DEGREES])
        x = self.start()
        penalty = 0.1 * self.cost(*self.split(x)).loss
        # What no loss is told from 0 below, since integrals have an error.
        least = _LEAST * self.loss.square * float(self.loss.sizes @ self.loss.p)
        before, worst_before = np.inf, np.inf
        for round_ in range(_OUTER):
            found = minimize(
                self.augmented,
                x,
                args=(multipliers, penalty),
                jac=True,
                method="L-BFGS-B",
                bounds=self.bounds(frozen=round_ == 0),
                options={
                    "maxiter": _INNER if self.optimised else 500,
                    "maxcor": 20,
                    "ftol": 1e-10,
                    "gtol": 1e-10,
                },
            )
            x = found.x
            loss = self.cost(*self.split(x)).loss
            if not self.optimised:
                if round_:
                    return self.split(x), multipliers, 0.0
                continue
            if round_ == 0:
                penalty = max(loss, least)
            worst = self._update(x, multipliers, penalty)
            if worst < TOLERANCE and abs(loss - before) < _STILL * max(loss, least) and round_ > 1:
                return self.split(x), multipliers, worst
            if worst > 0.3 * worst_before:
                penalty *= 3
            before, worst_before = loss, worst
        raise ConvergenceError(
            f"the mean field at m = {self.m:g} with {K} groups did not settle in {_OUTER} rounds "
            f"(violation {worst_before:.1g}): try another number of groups"
        )

    def _update(self, x: Array, multipliers: _Multipliers, penalty: float) -> float:
        """Move the multipliers; return the largest violation."""
        budget, matrices = self.limits(self.split(x)[2])
        multipliers.budget = np.maximum(multipliers.budget + penalty * budget, 0.0)
        worst = max(0.0, float(budget.max()))
        for k, B in enumerate(matrices):
            multipliers.positivity[k] = _positive_part(multipliers.positivity[k] - penalty * B)
            worst = max(worst, -float(np.linalg.eigvalsh(B)[0]))
        return worst


def _positive_part(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    part: Array = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return part


def solve_mean_field(
    frequencies: Frequencies,
    m: int,
    *,
    groups: int | None = None,
    activation: Activation = UNIFORM,
    one_hot: bool = False,
    optimised: bool = True,
) -> MeanField:
    """Minimise the mean-field loss at one width.

    Parameters
    ----------
    frequencies : Frequencies
        How often features occur.
    m : int
        Width, 2 <= m <= n.
    groups : int, optional
        How many groups of features (see ``group_features``).
    activation : Activation
        The law of v.
    one_hot : bool
        Whether exactly one feature is active at a time (E <= 1), rather than each independently.
    optimised : bool
        Whether overlaps are optimised; if not they are Gaussian with the Welch variance.

    Returns
    -------
    MeanField
        Loss, parts, norms, biases, overlap laws and how well the limits hold.

    Raises
    ------
    ValueError
        For a width outside 2..n, or E > 1 with ``one_hot``.
    ConvergenceError
        If the minimum is not found; the message says what to try.

    Examples
    --------
    >>> found = solve_mean_field(Frequencies.power_law(100, alpha=0.0), m=20)
    >>> found.live, 0.05 < found.loss < 0.2
    (100, True)
    """
    m = check_integer("m", m, 2, frequencies.n)
    if one_hot and frequencies.density > 1 + 1e-12:
        raise ValueError(
            f"E = {frequencies.density:g} with one active feature at a time: E is at most 1"
        )

    how: dict[str, Any] = {"activation": activation, "one_hot": one_hot, "optimised": optimised}

    @cache
    def solve(live: int) -> tuple[_Problem, State, _Multipliers, float]:
        problem = _Problem(group_features(frequencies, groups, live), m, **how)
        return (problem, *problem.minimise())

    def worth(live: int) -> float:
        """Return what leaving out the last feature would gain."""
        problem, state, multipliers, _ = solve(live)
        sizes = problem.groups.sizes.astype(np.float64)
        step = np.zeros_like(sizes)
        step[-1] = 1e-3 * sizes[-1]
        ends = [
            _Problem(FeatureGroups(sizes + sign * step, problem.groups.p), m, **how).lagrangian(
                state, multipliers
            )
            for sign in (-1, 1)
        ]
        dead = float(activation.moment(2)) * float(problem.groups.p[-1])
        return (ends[1] - ends[0]) / (2 * step[-1]) - dead

    live = _search_live(worth, m, frequencies.n)
    problem, state, multipliers, violation = solve(live)
    cost = problem.cost(*state)
    fine = _Problem(problem.groups, m, **how, fine=True).cost(*state)
    # The envelope theorem: at the optimum only what depends on m itself changes L.
    step = 1e-3 * m
    below, above = (
        _Problem(problem.groups, m + sign * step, **how).lagrangian(state, multipliers)
        for sign in (-1, 1)
    )
    lost = float(activation.moment(2)) * float(frequencies.tail_sum(live))
    loss = fine.loss + lost
    budget, matrices = problem.limits(state[2])
    slack = float(multipliers.budget @ np.abs(budget)) + sum(
        abs(float(np.sum(S * B))) for S, B in zip(multipliers.positivity, matrices, strict=True)
    )
    K = problem.groups.count
    t = np.empty(problem.shape)
    pairs = problem.overlaps(state[2])
    t[problem.laws.first, problem.laws.second] = pairs
    t[problem.laws.second, problem.laws.first] = pairs
    used = [k for k, S in zip(DEGREES, multipliers.positivity, strict=True) if np.trace(S) > 0]
    return MeanField(
        m=m,
        loss=loss,
        lost=lost,
        alone=fine.alone,
        exponent=-(above - below) / (2 * step) * m / loss,
        uncertainty=abs(fine.loss - cost.loss) + slack + _STILL * loss,
        groups=problem.groups,
        r=read_only(state[0]),
        b=read_only(state[1]),
        z=read_only(problem.z),
        weights=read_only(problem.loss.weights),
        t=read_only(t),
        budget=read_only(budget + 1 if optimised else np.zeros(K)),
        prices=read_only(multipliers.budget),
        active=tuple(used) if optimised else (),
        violation=violation,
        evaluations=problem.evaluations,
    )


def _search_live(worth: Any, m: int, n: int) -> int:
    """Return how many of the most frequent features to keep, by bisection."""
    if worth(n) <= 0:
        return n
    low, high = m, n
    while high - low > max(1, low // 100):
        middle = round(float(np.sqrt(low * high)))
        middle = min(max(middle, low + 1), high - 1)
        if worth(middle) > 0:
            high = middle
        else:
            low = middle
    return low
