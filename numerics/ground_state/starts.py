"""Where descents to the ground state begin: the weak state, digons, random directions, hops."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from theory.features import Features

Array = NDArray[np.float64]

# Size of the noise that takes a start off a saddle, relative to a represented feature.
_NOISE = 0.05


def weak_state(features: Features, m: int) -> tuple[Array, Array]:
    """Return W and b of weak superposition: the m features that cost most, each on its own axis.

    Its loss is ``theory.regimes.weak.weak_loss`` at r = m.

    Examples
    --------
    >>> from theory.frequencies import Frequencies
    >>> weak_state(Features(Frequencies.power_law(3, alpha=1.0)), 2)[0]
    array([[1., 0.],
           [0., 1.],
           [0., 0.]])
    """
    kept = np.argsort(-features.lost_losses, kind="stable")[:m]
    W, b = np.zeros((features.n, m)), features.p * float(features.activation.moment(1))
    W[kept, np.arange(kept.size)], b[kept] = 1.0, 0.0
    return W, b


def draw_start(
    features: Features, m: int, number: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return the start of this number: 0 is the weak state, 1 the digons, others are random.

    A random start represents between m and n of the features that cost most, in random
    directions, half of the time all of them.
    """
    n = features.n
    order = np.argsort(-features.lost_losses, kind="stable")
    W, b = weak_state(features, m)
    if number == 1:
        pairs = order[: min(2 * m, n)]
        W[pairs], b[pairs] = 0.0, 0.0
        W[pairs, np.arange(pairs.size) % m] = np.where(np.arange(pairs.size) < m, 1.0, -1.0)
    elif number > 1:
        live = n if rng.random() < 0.5 else int(rng.integers(min(m, n), n + 1))
        W = rng.normal(size=(n, m))
        W *= rng.uniform(0.7, 1.1, size=(n, 1)) / np.linalg.norm(W, axis=1, keepdims=True)
        W[order[live:]] *= 0.1
        high = features.activation.high
        b[order[:live]] = -high * rng.uniform(0.0, 0.2) * rng.random(live)
    return W + _NOISE * rng.normal(size=(n, m)) / np.sqrt(m), b


def hop(features: Features, W: Array, b: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return a start beside a state: two features change places, or one or two are drawn anew.

    Local minima differ mostly in which features share dimensions, a choice that descents keep.
    """
    W, b = W.copy(), b.copy()
    i, j = rng.choice(features.n, 2, replace=False)
    p, weights = features.p, features.weights
    if rng.random() < 0.6 and (p[i], weights[i]) != (p[j], weights[j]):
        W[[i, j]], b[[i, j]] = W[[j, i]], b[[j, i]]
    else:
        some = [i] if rng.random() < 0.5 else [i, j]
        rows = rng.normal(size=(len(some), W.shape[1]))
        W[some], b[some] = rows / np.linalg.norm(rows, axis=1, keepdims=True), 0.0
    return W + _NOISE * rng.normal(size=W.shape) / np.sqrt(W.shape[1]), b
