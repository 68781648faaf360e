"""Adam on three numbers a class: component along the common direction, private norm, bias.

Outputs whose bias is above 0 err by it at every sample. Every active row is therefore pushed along
minus C = Σ ReLU(b_k) W_k, and the row of every such output along minus P = Σ p_k W_k: C and P turn
against each other and grow along one direction e, that of P - C at the start. A row is W = c e +
q u with u private and isotropic. Means and variances of the gradients of c, q and b over batches
follow from ``kernels``. Adam divides the mean by the root of the mean square, which is the same for
all entries of a row, because e becomes a vector of entries ± 1/√m.

The mean gradient of a row has a part across e and u: it turns away from outputs that its feature
makes fire. For the most frequent features this is followed class by class: their rows turn, by as
much as an output errs, away from its row, and their overlap with that row falls with it. For the
others the part adds in quadrature to q, until the overlaps with the N outputs that fire are undone:
a turn by s lowers each overlap by s q_k/√N if it lowers all alike, and an overlap is q q_k/√m, so
that s² <= q² N/m. This bound is an estimate; nothing in it is fitted.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from theory.dead_features.background import (
    V_NODES,
    V_SHARE,
    given_frequent,
    make_background,
    weigh_senders,
)
from theory.dead_features.classes import Classes
from theory.dead_features.kernels import (
    average_active,
    average_pairs,
    average_sent,
    average_silent,
)
from theory.dead_features.recipe import BETAS, EPS, Recipe

Array = NDArray[np.float64]

# Steps of training that one step of the model stands for: at the start, in the first eighth of
# training, when classes are decided, and later, when it grows as the learning rate falls. Steps of
# 25 right after the first eighth are unstable: common components then swing, and features die.
_FIRST, _EARLY, _LATE, _LONGEST = 2, 5, 10, 40
_FREQUENT = 20  # features whose turning is followed class by class
_FEW_V, _FEW_SHARE = np.polynomial.legendre.leggauss(3)
_FEW_V, _FEW_SHARE = 1 + _FEW_V, _FEW_SHARE / 2  # v ~ U(0, 2)
_SQUARE = 4 / 3  # ⟨v²⟩


class State(NamedTuple):
    """Component along the common direction, private norm and bias of each class."""

    c: Array
    q: Array
    b: Array


class Slopes(NamedTuple):
    """Mean gradients of a sample by c, q and b, their mean squares, and curvatures.

    ``row_square`` is the mean of the squared gradient of the whole row, ``row_mean`` the square of
    its mean, ``across`` the part of ``row_square`` that is not along c, ``turn`` the size of the
    mean across c and q, and ``events`` the shares of samples with a gradient of the row and of the
    bias. ``firing`` is the number of other outputs that are on when the feature is active.
    ``turns`` and ``turn_bends`` (class, frequent feature) are the mean gradient of a frequent row
    along the private rows of a class, and its curvature. The gradients are those of half the
    summed loss.
    """

    c: Array
    q: Array
    b: Array
    row_mean: Array
    row_square: Array
    across: Array
    b_square: Array
    bends: tuple[Array, Array, Array]
    turn: Array
    firing: Array
    events: tuple[Array, Array]
    turns: Array
    turn_bends: Array


def begin(classes: Classes, m: int) -> State:
    """Return the mean state at the start, W ~ N(0, 1/m), given the biases.

    Adam moves an entry of all rows at one speed: P_j falls by Σ p a step and C_j by Σ ReLU(b), if
    they have one sign, and the first to cross 0 gives e its sign there. So e has the signs of
    P/Σp - C/Σ ReLU(b), along which a row of weight a_i has √(2/π) a_i/|a|, give or take 1/√m: one
    half of a class begins above the mean, one below.
    """
    p, bias, weight = classes.p, classes.bias, classes.weight
    above = np.maximum(bias, 0)
    along = p / (weight @ p)
    if above.any():
        along = along - above / (weight @ above)
    c = math.sqrt(2 / math.pi) * along / math.sqrt(weight @ along**2) + classes.side / math.sqrt(m)
    q = np.sqrt(np.maximum(1 - c**2, 0.3))  # a few frequent features may have more than norm 1
    return State(c, q, bias.copy())


def find_slopes(state: State, classes: Classes, m: int, away: Array | None = None) -> Slopes:
    """Return the gradients' means and mean squares over samples.

    ``away`` (class, frequent feature) says how far the row of each of the first features has
    turned from the private rows of a class; without it all rows are isotropic.
    """
    c, q, b = state
    p, weight = classes.p, classes.weight
    away = np.zeros((p.size, 0)) if away is None else away
    first = np.arange(away.shape[1])
    law = make_background(c, q, weight * p, m)
    h, share, s2 = law.few
    x, squares = given_frequent(law, p[first], c[first], q[first], m)
    # Frequent features make others turn too, but along one direction of m each.
    rest = np.maximum(law.s2 - squares.sum(axis=0), 0.02 * law.s2)
    few_x, few_squares = (_at(h, law.h, given) for given in (x, squares))
    few_rest = np.maximum(s2 - few_squares.sum(axis=0), 0.02 * s2)
    senders = weigh_senders(law, c[first.size :], (weight * (p * q) ** 2)[first.size :])
    silent, sent = average_silent(
        c, q, b, weight, m, law.empty, law.h, law.share, law.s2, rest, senders, away @ x
    )
    down = away @ few_x
    active = average_active(c, q, b, m, h, share, s2, few_rest, down, V_NODES, V_SHARE)
    sent[0] += (weight * p * c) @ (active[0] - silent[0])  # some outputs are active
    back = average_sent(c, q, m, sent, law.low, law.width, h, share, s2, V_NODES, V_SHARE)
    error, spread, on_square, back[:, first] = average_pairs(
        c, q, b, weight, m, first, away, h, share, s2, down, _FEW_V, _FEW_SHARE
    )
    both = (1 - p) * silent[:7] + p * active[:7]
    own = p * active[7]
    slope_c = both[2] + p * back[0] + own * c
    slope_q = q * (both[4] + 2 * own + p * back[2] / m)
    row_square = both[3] + p * back[3] + p * active[1] * _SQUARE * (c**2 + q**2)
    across = (1 - p) * silent[7] + p * (active[9] + back[5])
    turn = p * back[4]
    # Means of all rows together, P and C, move a row, but no class of them, and so does each
    # frequent row whose feature makes it err; overlaps with each sender move it too.
    own_size = weight * (p * q) ** 2
    received = both[0] ** 2 * own_size[first.size :].sum() + error**2 @ own_size[first]
    collective = received + p**2 * (weight @ (both[0] * q) ** 2)
    quenched = silent[8] + spread @ (p[first] * q[first]) ** 2
    bends = (
        (both[6] + p * np.maximum(back[1], 0)) * (1 + weight @ p) + 4 * p * active[8] * c**2,
        both[4] + p * back[2] / m + 4 * p * active[8] * q**2,
        both[5],
    )
    row_mean = slope_c**2 + slope_q**2 + collective + quenched + turn**2
    firing = back[2] / _SQUARE * weight.sum() / (weight @ q**2)
    events = np.minimum(p + both[5], 1), both[5]
    turns, turn_bends = p[first] * error * q[:, None], p[first] * on_square * q[:, None] ** 2
    return Slopes(
        slope_c, slope_q, both[0], row_mean, row_square, across, both[1], bends, turn, firing,
        events, turns, turn_bends,
    )  # fmt: skip


def _at(h: Array, grid: Array, given: Array) -> Array:
    """Return rows at other nodes; the first node is the empty sample, where they are 0."""
    found = np.zeros((given.shape[0], h.size))
    for k in range(given.shape[0]):
        found[k, 1:] = np.interp(h[1:], grid, given[k])
    return found


def run(classes: Classes, m: int, recipe: Recipe) -> State:
    """Train the classes by the recipe, and return where they end."""
    state = begin(classes, m)
    rates = recipe.schedule()
    tiny = EPS * classes.weight.sum() / 2 / recipe.loss_scale
    moments = np.zeros((3, classes.p.size))
    row_size, b_size = np.zeros_like(classes.p), np.zeros_like(classes.p)
    step = 0
    turned = np.zeros_like(classes.p)
    frequent = np.flatnonzero(np.cumsum(classes.weight) <= min(_FREQUENT, m // 2))
    away = np.zeros((classes.p.size, frequent.size))
    while step < recipe.steps:
        late = min(round(_LATE / max(float(rates[step]), 1e-3)), _LONGEST)
        count = _EARLY if step < recipe.steps // 8 else late
        count = min(_FIRST if step < 20 else count, recipe.steps - step)
        rate = float(rates[step : step + count].mean())
        step += count
        slopes = find_slopes(state, classes, m, away)
        noise = np.maximum(slopes.row_square - slopes.row_mean, 0) / recipe.batch / m
        b_noise = np.maximum(slopes.b_square - slopes.b**2, 0) / recipe.batch
        keep, keep_square = (beta**count for beta in BETAS)
        gradients = np.array([slopes.c, slopes.q, slopes.b])
        moments = keep * moments + (1 - keep) * gradients
        row_size = keep_square * row_size + (1 - keep_square) * (slopes.row_mean / m + noise)
        b_size = keep_square * b_size + (1 - keep_square) * (slopes.b**2 + b_noise)
        first, second = (1 - beta**step for beta in BETAS)
        # Adam has forgotten the last event where events are rarer than its memory is long: one then
        # moves a number as far as that many events would.
        seen = [recipe.batch * x * second / (1 - BETAS[1]) for x in slopes.events]
        row, bias = (
            speed * rate * np.sqrt(np.minimum(events, 1)) / (np.sqrt(size / second) + tiny)
            for speed, events, size in zip(
                (recipe.learning_rate, recipe.bias_learning_rate or 0.0),
                seen,
                (row_size, b_size),
                strict=True,
            )
        )
        speeds = np.array([row, row, bias])
        # One step for several: implicit in each number's own curvature.
        moves = count * speeds * moments / first / (1 + count * speeds * np.array(slopes.bends))
        c, q = decay(state, recipe.weight_decay * recipe.learning_rate * rate, count)
        before = np.maximum(q, 1e-9)
        q = np.maximum(q - moves[1], 0)
        turned *= q / before
        away *= (q / before)[frequent]
        speed = (count * row)[frequent]
        away += speed * slopes.turns / (1 + speed * slopes.turn_bends)
        room = np.maximum(1 - m * turned**2 / np.maximum(q**2 * slopes.firing, 1e-12), 0)
        more = turned + count * row * slopes.turn * room
        more[frequent] = np.maximum(np.sqrt(classes.weight @ away**2), turned[frequent])
        q = np.sqrt(q**2 + more**2 - turned**2)
        turned = np.minimum(more, q)
        # Batches differ: a random walk. Noise along e does not add to q.
        noise = slopes.across / recipe.batch / m
        q = np.sqrt(q**2 + (m - 1) * count * row**2 * noise)
        state = State(c - moves[0], q, state.b - moves[2])
    return state


def decay(state: State, amount: float, count: int) -> tuple[Array, Array]:
    """Return c and q after weight decay: towards 0, or, where negative, to norm 1.

    Examples
    --------
    >>> c, q = decay(State(np.array([0.3]), np.array([0.4]), np.zeros(1)), -0.1, 1)
    >>> c.round(3), q.round(3)
    (array([0.33]), array([0.44]))
    """
    norm = np.hypot(state.c, state.q)
    if amount >= 0:
        factor = np.full_like(norm, (1 - amount) ** count)
    else:
        factor = (1 - (1 - norm) * (1 + amount) ** count) / np.maximum(norm, 1e-9)
    return state.c * factor, state.q * factor
