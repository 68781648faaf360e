"""The Bayes posterior over supports, enumerated: the best that any readout can do.

``SupportPosterior(W, active, noise)`` takes states h and gives the probability of every support.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.checks import check_integer, check_real
from theory.computing.memory import check_memory

MOST_ITEMS = 20
Values = NDArray[np.float64]


class SupportPosterior:
    """P(support | h) for h = Σ_{i on} W_i + normal noise, every support of a size equally likely.

    Parameters
    ----------
    W : array_like, shape (n, m)
        The rows, n <= 20.
    active : int or None
        Items on; None: each item is on with probability ``p``, independently.
    noise : float
        Standard deviation of the noise on each number of h, > 0.
    p : float
        For ``active=None``.

    Raises
    ------
    ValueError
        For more than 20 rows, or values out of range.

    Examples
    --------
    >>> posterior = SupportPosterior(np.eye(3), active=1, noise=0.5)
    >>> posterior.probabilities([[1.0, 0.0, 0.0]]).round(3)
    array([[0.965, 0.018, 0.018]])
    """

    def __init__(self, W: ArrayLike, active: int | None, noise: float, p: float = 0.5) -> None:
        rows = np.asarray(W, dtype=np.float64)
        if rows.ndim != 2 or not np.all(np.isfinite(rows)):
            raise ValueError(f"W of shape {rows.shape} is not allowed: give n x m finite numbers")
        n = check_integer("n", rows.shape[0], 1, MOST_ITEMS)
        self.noise = check_real("noise", noise, 0, strict=True)
        if active is None:
            p = check_real("p", p, 0, 1)
            on = np.array(list(itertools.product((False, True), repeat=n)))
            count = on.sum(axis=1)
            with np.errstate(divide="ignore"):
                log = np.where(count > 0, count * np.log(p), 0.0)
                log = log + np.where(count < n, (n - count) * np.log1p(-p), 0.0)
        else:
            active = check_integer("active", active, 0, n)
            chosen = itertools.combinations(range(n), active)
            on = np.zeros((math.comb(n, active), n), dtype=bool)
            for row, support in zip(on, chosen, strict=True):
                row[list(support)] = True
            log = np.full(len(on), -math.log(len(on)))
        self.supports: NDArray[np.bool_] = on
        self._log_prior: Values = np.asarray(log)
        self._centres: Values = on @ rows

    def probabilities(self, h: ArrayLike) -> Values:
        """Return P(support | h) of each state, shape (states, supports)."""
        states = np.atleast_2d(np.asarray(h, dtype=np.float64))
        check_memory(
            f"{len(states)} states", 16.0 * len(states) * len(self._centres), "give fewer states"
        )
        squares = (
            (states**2).sum(axis=1)[:, None]
            - 2 * states @ self._centres.T
            + (self._centres**2).sum(axis=1)
        )
        log = self._log_prior - squares / (2 * self.noise**2)
        weights = np.exp(log - log.max(axis=1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))

    def most_likely(self, h: ArrayLike) -> NDArray[np.bool_]:
        """Return the most probable support of each state: the fewest states read wrongly."""
        return np.asarray(self.supports[self.probabilities(h).argmax(axis=1)])

    def marginals(self, h: ArrayLike) -> Values:
        """Return P(item is on | h); above 1/2 read as on it errs in the fewest items."""
        return np.asarray(self.probabilities(h) @ self.supports)

    def probability_of(self, h: ArrayLike, read: Any) -> Values:
        """Return the probability that each state was read correctly, given what was read."""
        place = {row.tobytes(): index for index, row in enumerate(self.supports)}
        index = [place.get(np.asarray(row, dtype=bool).tobytes(), -1) for row in read]
        chosen = np.array(index)
        found = self.probabilities(h)[np.arange(len(chosen)), chosen]
        return np.asarray(np.where(chosen >= 0, found, 0.0))
