"""Loss over depth where the layers average estimates of one thing: variance/layers.

``averaging_loss`` is the mechanism that arXiv 2602.05970 finds in residual language models, whose
loss falls as 1/depth: layers that each add an independent estimate, not a composition of functions.
"""

from __future__ import annotations

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from theory.checks import (
    Numbers,
    as_generator,
    check_finite,
    check_integer,
    check_real,
    read_only,
    scalar_like,
)
from theory.computing.memory import check_memory
from theory.derivation import Derivation, Step


def averaging_loss(layers: ArrayLike, correlation: float = 0.0) -> Numbers:
    """Return the variance of the mean of so many estimates, each of variance 1.

    Parameters
    ----------
    layers : array_like
        Numbers of layers, >= 1.
    correlation : float
        Correlation of two estimates, from 0 to 1: what does not average out.

    Returns
    -------
    float or ndarray
        correlation + (1 - correlation)/layers.

    Examples
    --------
    >>> averaging_loss([1, 4], correlation=0.2)
    array([1. , 0.4])
    """
    amounts = check_finite("layers", layers, None, low=1)
    correlation = check_real("correlation", correlation, 0, 1)
    found = np.asarray(correlation + (1 - correlation) / amounts)
    return scalar_like(read_only(found), layers)


def simulate_averaging(
    layers: int, correlation: float, seed: np.random.Generator | int, samples: int = 20000
) -> tuple[float, float]:
    """Return the mean squared error of averaged normal estimates, with its standard error.

    Examples
    --------
    >>> loss, error = simulate_averaging(8, 0.1, seed=0)
    >>> abs(loss - averaging_loss(8, 0.1)) < 4 * error
    True
    """
    layers, samples = check_integer("layers", layers, 1), check_integer("samples", samples, 2)
    correlation = check_real("correlation", correlation, 0, 1)
    check_memory(
        f"layers = {layers} with samples = {samples}", 16.0 * layers * samples, "give fewer"
    )
    generator = as_generator(seed)
    shared = generator.standard_normal(samples) * np.sqrt(correlation)
    own = generator.standard_normal((samples, layers)) * np.sqrt(1 - correlation)
    squares = (shared + own.mean(axis=1)) ** 2
    return float(squares.mean()), float(squares.std(ddof=1) / np.sqrt(samples))


def derive_averaging() -> Derivation:
    """Return the derivation of the exponent of depth for independent estimates.

    Examples
    --------
    >>> derive_averaging()["exponent"]
    1
    """
    layers, variance = sp.symbols("l sigma", positive=True)
    k = sp.Symbol("k", integer=True, positive=True)
    total = sp.summation(variance**2 / layers**2, (k, 1, layers))
    steps = (
        Step(
            "loss",
            "The output is the mean of l independent estimates of variance sigma^2, so that its "
            "squared error is the sum of their variances over l^2.",
            sp.Eq(sp.Symbol("L"), total),
        ),
        Step(
            "exponent",
            "Its power of l.",
            sp.simplify(-sp.diff(sp.log(total), layers) * layers),
        ),
    )
    return Derivation("Loss over depth: layers that average", steps)
