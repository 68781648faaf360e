"""The Bayes posterior over supports, enumerated: the best that any readout can do.

``SupportPosterior(W, active, noise)`` takes states h and gives the probability of every support.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.checks import check_finite, check_integer, check_numbers, check_real
from theory.computing.memory import check_memory

MOST_ITEMS = 20
LARGEST_ENTRY = 1e100  # squares are finite
Values = NDArray[np.float64]


def check_states(h: ArrayLike, m: int) -> Values:
    """Return one state or several as an array of finite numbers, shape (states, m)."""
    states = check_finite("h", h, None, low=-LARGEST_ENTRY, high=LARGEST_ENTRY)
    if states.ndim not in (1, 2) or states.shape[-1] != m:
        raise ValueError(f"h has shape {states.shape}: give states of {m} numbers, as W's rows")
    return np.atleast_2d(states)


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
        rows = check_finite("W", W, 2, low=-LARGEST_ENTRY, high=LARGEST_ENTRY)
        n = len(rows)
        if n > MOST_ITEMS:
            raise ValueError(f"W has {n} rows: all supports are enumerated up to {MOST_ITEMS}")
        self.noise = check_real("noise", noise, 0, strict=True)
        p = check_real("p", p, 0, 1)
        if active is None:
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
        states = check_states(h, self._centres.shape[1])
        check_memory(
            f"{len(states)} states", 16.0 * len(states) * len(self._centres), "give fewer states"
        )
        squares = (
            (states**2).sum(axis=1)[:, None]
            - 2 * states @ self._centres.T
            + (self._centres**2).sum(axis=1)
        )
        possible = np.isfinite(self._log_prior)
        squares -= squares[:, possible].min(axis=1, keepdims=True)
        with np.errstate(over="ignore"):  # exp(-inf) = 0
            log = self._log_prior - squares / self.noise / self.noise / 2
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
        chosen = check_numbers("read", read)
        if chosen.ndim != 2 or chosen.shape[1] != self.supports.shape[1]:
            raise ValueError(
                f"read has shape {chosen.shape}: give a row of {self.supports.shape[1]} True or "
                "False for each state"
            )
        place = {row.tobytes(): index for index, row in enumerate(self.supports)}
        index = [place.get(np.asarray(row, dtype=bool).tobytes(), -1) for row in chosen]
        supports = np.array(index)
        all_of = self.probabilities(h)
        if len(all_of) != len(supports):
            raise ValueError(f"read has {len(supports)} rows and h {len(all_of)}: give one each")
        found = all_of[np.arange(len(supports)), supports]
        return np.asarray(np.where(supports >= 0, found, 0.0))
