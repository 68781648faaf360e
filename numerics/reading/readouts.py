"""Decoders of superposed states with a given matrix, side by side.

``decode(W, h, active, readout)`` reads states, ``compare_readouts(W, active)`` draws states and
says how often each readout is right, beside the posterior where it can be enumerated. Matching
pursuit and lasso are scikit-learn's: ``pip install 'superscale[sparse]'``.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from numerics.reading.error_rates import draw_supports
from numerics.reading.posterior import (
    LARGEST_ENTRY,
    MOST_ITEMS,
    SupportPosterior,
    check_states,
)
from theory.checks import as_generator, check_choice, check_finite, check_integer, check_real
from theory.computing.argument_kinds import check_kinds
from theory.computing.memory import check_memory
from theory.results import result

Readout = Literal["top_k", "threshold", "matching_pursuit", "lasso", "posterior"]
READOUTS: tuple[Readout, ...] = get_args(Readout)


@dataclass(frozen=True)
@result
class ReadoutComparison:
    """How often each readout reads superposed states correctly.

    Attributes
    ----------
    n, m, active : int
        Items, width, and items on.
    noise : float
        Of each number of the state.
    samples : int
        States drawn; the same for all readouts.
    readouts : tuple of str
        Their names.
    right, stderr : ndarray, shape (readouts,)
        Share of the states that were read without an error, and its standard error.
    false_alarm, miss : ndarray, shape (readouts,)
        Rates an item.
    """

    n: int
    m: int
    active: int
    noise: float
    samples: int
    readouts: tuple[str, ...]
    right: NDArray[np.float64]
    stderr: NDArray[np.float64]
    false_alarm: NDArray[np.float64]
    miss: NDArray[np.float64]

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each readout, with its gap to the best one."""
        return pd.DataFrame(
            {
                "readout": self.readouts,
                "right": self.right,
                "stderr": self.stderr,
                "false alarm": self.false_alarm,
                "miss": self.miss,
                "gap": self.right.max() - self.right,
            }
        )

    def __str__(self) -> str:
        table = self.to_dataframe().to_string(index=False, float_format="{:.4g}".format)
        return f"{self.active} of {self.n} items in {self.m} numbers, noise {self.noise:g}\n{table}"


@check_kinds
def decode(
    W: ArrayLike,
    h: ArrayLike,
    active: int,
    readout: Readout = "top_k",
    *,
    noise: float = 0.0,
    threshold: float = 0.5,
) -> NDArray[np.bool_]:
    """Read which items are on in each state h = Σ_{i on} W_i + noise.

    Parameters
    ----------
    W : array_like, shape (n, m)
        The rows.
    h : array_like, shape (states, m) or (m,)
        The states.
    active : int
        How many items are on (not used by "threshold").
    readout : {"top_k", "threshold", "matching_pursuit", "lasso", "posterior"}
        The highest scores W_j·h; those above a threshold times |W_j|²; orthogonal matching pursuit;
        the largest coefficients of the nonnegative lasso at 1 % of the penalty that sets all to 0;
        or the most probable support (n <= 20).
    noise : float
        For "posterior": the standard deviation of the noise on each number, 0 for hardly any.
    threshold : float
        For "threshold".

    Returns
    -------
    ndarray of bool, shape (states, n)
        What is read as on.

    Examples
    --------
    >>> decode(np.eye(3), [[0.9, 0.1, 0.8]], active=2).tolist()
    [[True, False, True]]
    """
    rows = check_finite("W", W, 2, low=-LARGEST_ENTRY, high=LARGEST_ENTRY)
    states = check_states(h, rows.shape[1])
    active = check_integer("active", active, 1, len(rows))
    noise, threshold = check_real("noise", noise, 0), check_real("threshold", threshold)
    if readout == "threshold":
        return np.asarray(states @ rows.T > threshold * (rows**2).sum(axis=1))
    if readout == "posterior":
        least = 1e-3 * float(np.sqrt((rows**2).mean()))  # enough for no support to be impossible
        return SupportPosterior(rows, active, max(noise, least)).most_likely(states)
    if readout == "top_k":
        return _highest(states @ rows.T, active)
    if readout == "matching_pursuit":
        return _pursue(rows, states, active)
    return _highest(_lasso(rows, states), active)


def _highest(scores: NDArray[np.float64], active: int) -> NDArray[np.bool_]:
    on = np.zeros(scores.shape, dtype=bool)
    chosen = np.argpartition(-scores, active - 1, axis=1)[:, :active]
    np.put_along_axis(on, chosen, True, axis=1)
    return on


def _linear_models() -> Any:
    try:
        from sklearn import linear_model
    except ImportError:
        raise ModuleNotFoundError(
            "matching pursuit and lasso need scikit-learn: pip install 'superscale[sparse]'"
        ) from None
    return linear_model


def _pursue(
    rows: NDArray[np.float64], states: NDArray[np.float64], active: int
) -> NDArray[np.bool_]:
    """Return the items that orthogonal matching pursuit takes; fewer if the residual vanishes."""
    norms = np.linalg.norm(rows, axis=1)
    zeros = np.flatnonzero(norms == 0)
    if zeros.size:
        raise ValueError(f"row {zeros[0]} of W is zero and has no direction: leave it out")
    unit = (rows / norms[:, None]).T
    count = min(active, *rows.shape)
    with warnings.catch_warnings():
        # A residual that vanishes early ends the pursuit.
        warnings.simplefilter("ignore", RuntimeWarning)
        found = _linear_models().orthogonal_mp(unit, states.T, n_nonzero_coefs=count)
    return np.asarray(found.reshape(len(rows), len(states)).T != 0)


def _lasso(rows: NDArray[np.float64], states: NDArray[np.float64]) -> NDArray[np.float64]:
    m = rows.shape[1]
    found = np.empty((len(states), len(rows)))
    Lasso = _linear_models().Lasso
    for index, state in enumerate(states):
        penalty = max(float((rows @ state).max()) / m, 1e-12)  # from here on all are 0
        model = Lasso(
            alpha=0.01 * penalty, positive=True, fit_intercept=False, max_iter=5000, tol=1e-3,
            random_state=0,  # without it numpy's shared generator is drawn from, for nothing
        )  # fmt: skip
        with warnings.catch_warnings():
            # Coefficients that are a little off have the same largest ones.
            warnings.simplefilter("ignore", UserWarning)
            found[index] = model.fit(rows.T, state).coef_
    return found


@check_kinds
def compare_readouts(
    W: ArrayLike,
    active: int,
    *,
    noise: float = 0.0,
    samples: int = 1000,
    readouts: Sequence[Readout] | None = None,
    threshold: float = 0.5,
    seed: int | np.random.Generator = 0,
) -> ReadoutComparison:
    """Draw superposed states, read them by each readout, and say how often each is right.

    Parameters
    ----------
    W : array_like, shape (n, m)
        The rows.
    active : int
        Items on; every support of that size is equally likely.
    noise : float
        Standard deviation of normal noise on each number of the state.
    samples : int
        States.
    readouts : sequence of str, optional
        As in ``decode``; by default all, the posterior only for n <= 20.
    threshold : float
        For "threshold".
    seed : int or Generator
        Seed of supports and noise.

    Returns
    -------
    ReadoutComparison
        The posterior is the best readout there is: its gap to the others is what they lose.

    Examples
    --------
    >>> W = np.random.default_rng(0).standard_normal((12, 6))
    >>> found = compare_readouts(W, 2, noise=0.3, samples=200, readouts=["top_k", "posterior"])
    >>> bool(found.right[0] < found.right[1])
    True
    """
    rows = check_finite("W", W, 2, low=-LARGEST_ENTRY, high=LARGEST_ENTRY)
    n, m = rows.shape
    active = check_integer("active", active, 1, n)
    samples = check_integer("samples", samples)
    noise = check_real("noise", noise, 0, LARGEST_ENTRY)
    check_memory(f"samples = {samples}", 8.0 * samples * (3 * n + 3 * m), "give fewer samples")
    if readouts is None:
        readouts = [one for one in READOUTS if one != "posterior" or n <= MOST_ITEMS]
    for one in readouts:
        check_choice("readouts", one, READOUTS)
    if not len(readouts):
        raise ValueError("readouts is empty: give at least one")
    rng = as_generator(seed)
    on = draw_supports(n, active, samples, rng)
    h = on @ rows + noise * rng.standard_normal((samples, m))
    right, alarms, misses = [], [], []
    for readout in readouts:
        read = decode(rows, h, active, readout, noise=noise, threshold=threshold)
        right.append(np.mean((read == on).all(axis=1)))
        alarms.append((read & ~on).sum() / max((~on).sum(), 1))
        misses.append((~read & on).sum() / on.sum())
    share = np.array(right)
    stderr = np.sqrt(share * (1 - share) / samples)
    return ReadoutComparison(
        n, m, active, noise, samples, tuple(readouts),
        share, stderr, np.array(alarms), np.array(misses),
    )  # fmt: skip
