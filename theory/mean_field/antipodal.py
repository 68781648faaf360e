"""The loss of features in antipodal pairs, two on each axis, in closed form: ``antipodal_loss``.

``orthogonal_loss`` is the same without pairs.

A model of width m can always represent the most important features, at most 2m, on m orthogonal
axes, with norm 1 and bias 0; two features on one axis have opposite directions. While one of a pair
is active the ReLU silences the other's output; while both are, one output is their difference and
the other 0. The loss of the best model is at most this one. It is 0 with one active feature at a
time and n <= 2m. The mean field cannot represent it: its overlap laws are smooth.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from theory.activation import Activation
from theory.checks import Sampling, check_integer
from theory.estimate import choose_sampling
from theory.features import Features, as_features
from theory.frequencies import Frequencies
from theory.mean_field.groups import rank_features


class Antipodal(NamedTuple):
    """The loss of features in antipodal pairs, its part by lost features, and the number kept."""

    loss: float
    lost: float
    live: int


def antipodal_loss(
    features: Features | Frequencies, m: int, sampling: Sampling = "bernoulli"
) -> Antipodal:
    """Return the loss of features on m axes, the least important of them in antipodal pairs.

    A pair costs (I_a + I_b) ⟨min(v, v')²⟩ p_a p_b, for the paper's v and I = 1 4/3 p_a p_b. In the
    order of I_i p_i the last feature shares an axis with the first that has to share one, and so
    on; for equal importances no other pairing loses less. A feature whose pair would cost more than
    its loss at the best constant output is lost.

    Parameters
    ----------
    features : Features or Frequencies
        Frequencies, the law of v and importances.
    m : int
        Width, 1 <= m <= n.
    sampling : {"bernoulli", "one_hot"}
        Each feature active independently, or exactly one at a time (E <= 1).

    Returns
    -------
    Antipodal
        The loss, summed over features, its part of lost features, and the number of those kept.

    Raises
    ------
    ValueError
        If m is outside 1..n, E > 1 with ``sampling="one_hot"``, or features depend on each other
        otherwise than as one exclusive set.

    Examples
    --------
    >>> equal = Frequencies.power_law(n=30, alpha=0.0)
    >>> round(antipodal_loss(equal, m=15).loss * 30 * 30 / 15, 12)          # 15 pairs, p = 1/30
    1.333333333333
    >>> antipodal_loss(equal, m=15, sampling="one_hot").loss
    0.0
    """
    features = as_features(features)
    sampling = choose_sampling(features, sampling)
    m = check_integer("m", m, 1, features.n)
    ranked = rank_features(features)
    axes = min(m, ranked.n)
    most = min(2 * axes, ranked.n)
    single = 2 * axes - most
    half = (most - single) // 2
    first, second = slice(single, single + half), slice(single + half, most)
    p, activity = ranked.p, ranked.activity
    both = np.zeros(half)
    if sampling == "bernoulli":
        weighted = activity[first][::-1] * p[second] + p[first][::-1] * activity[second]
        both = _smaller_squared(ranked.activation) * weighted
    kept = np.logical_and.accumulate(both <= ranked.lost_losses[second])
    live = axes + int(kept.sum())
    lost = ranked.lost_loss(live)
    unit = ranked.loss_unit
    return Antipodal(unit * (float(both[kept].sum()) + lost), unit * lost, live)


def orthogonal_loss(features: Features | Frequencies, m: int) -> Antipodal:
    """Return the loss of the m most important features alone: an axis each, none interferes.

    It is that of weak superposition, and at least ``antipodal_loss``.

    Examples
    --------
    >>> equal = Frequencies.power_law(n=30, alpha=0.0)
    >>> round(orthogonal_loss(equal, m=15).loss / (4 / 3 / 30 - 1 / 900), 9)     # 15 are lost
    15.0
    """
    ranked = rank_features(features)
    live = min(check_integer("m", m, 1, as_features(features).n), ranked.n)
    lost = ranked.loss_unit * ranked.lost_loss(live)
    return Antipodal(lost, lost, live)


def _smaller_squared(activation: Activation) -> float:
    """Return ⟨min(v, v')²⟩ = ∫ 2 v P(> v)² dv: the integrand is a cubic in each cell of the law."""
    x, weights = np.polynomial.legendre.leggauss(2)
    total, above = 0.0, 1.0
    for cell in activation.cells:
        low, high, density = (float(value) for value in cell)
        v = low + (high - low) * (x + 1) / 2
        total += (high - low) / 2 * float(weights @ (2 * v * (above - density * (v - low)) ** 2))
        above -= density * (high - low)
    return total + float(activation.low) ** 2
