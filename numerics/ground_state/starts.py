"""Where the descents to the ground state begin: the weak state, digons, and random directions."""

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
