"""Loss over data and over parameters, where a model knows some items and not the others.

``memorised_loss``: an item is known once it has occurred in the data (Hutter, arXiv 2102.04074,
section 3). ``quanta_loss``: the most frequent items are known, as many as there are parameters for
(Michaud, Liu, Girit and Tegmark, arXiv 2303.13506, section 2). Losses are shares of what a model
that knows nothing loses.
"""

from __future__ import annotations

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from theory.checks import (
    Numbers,
    as_generator,
    check_finite,
    check_integer,
    read_only,
    scalar_like,
)
from theory.computing.memory import check_memory
from theory.derivation import Derivation, Step, alpha
from theory.frequencies import Frequencies

Array = NDArray[np.float64]

_AT_ONCE = 1 << 22  # entries of a table of items and amounts of data, to bound memory


def shares(frequencies: Frequencies) -> Array:
    """Return theta_i = p_i/E, the share of all occurrences that feature i has, by rank.

    Raises
    ------
    TypeError
        For anything but frequencies.

    Examples
    --------
    >>> shares(Frequencies.power_law(n=3, alpha=1.0)).round(4).tolist()
    [0.5455, 0.2727, 0.1818]
    """
    if not isinstance(frequencies, Frequencies):
        raise TypeError(
            f"frequencies is a {type(frequencies).__name__}: give a Frequencies, as "
            "Frequencies.power_law(n=1000, alpha=1.5)"
        )
    p = frequencies.p
    theta: Array = p / p.sum()
    return theta


def memorised_loss(frequencies: Frequencies, D: ArrayLike) -> Numbers:
    """Return the share of new occurrences that did not occur among D: sum theta_i (1 - theta_i)^D.

    Parameters
    ----------
    frequencies : Frequencies
        Of the items; theta_i = p_i/E.
    D : array_like
        Numbers of occurrences in the data, >= 0.

    Returns
    -------
    float or ndarray
        The expected loss (Hutter, arXiv 2102.04074, eq. 4), exactly.

    Examples
    --------
    >>> round(memorised_loss(Frequencies.power_law(n=2, alpha=0.0), 3), 12)
    0.125
    """
    theta = shares(frequencies)
    amounts = check_finite("D", D, None, low=0).ravel()
    rate = np.log1p(-np.minimum(theta, 1 - 1e-16))
    found = np.empty(amounts.size)
    step = max(1, _AT_ONCE // theta.size)
    for first in range(0, amounts.size, step):
        part = amounts[first : first + step, None]
        with np.errstate(over="ignore"):  # never seen: exp(-inf) = 0
            found[first : first + step] = np.exp(part * rate) @ theta
    if theta.size == 1:
        found[amounts > 0] = 0.0
    return scalar_like(read_only(found.reshape(np.shape(D))), D)


def quanta_loss(frequencies: Frequencies, N: ArrayLike) -> Numbers:
    """Return the share of occurrences outside the N most frequent items: sum_{i > N} theta_i.

    Parameters
    ----------
    frequencies : Frequencies
        Of the items (quanta).
    N : array_like
        Numbers of items known, >= 0; a part of an item counts as that part.

    Returns
    -------
    float or ndarray
        The loss (Michaud et al., arXiv 2303.13506, eq. 1), with one parameter, or one dimension of
        a model without superposition, for each item.

    Examples
    --------
    >>> quanta_loss(Frequencies.power_law(n=4, alpha=0.0), [1, 2.5])
    array([0.75 , 0.375])
    """
    theta = shares(frequencies)
    amounts = check_finite("N", N, None, low=0).ravel()
    tail = np.append(np.cumsum(theta[::-1])[::-1], 0.0)
    found = np.interp(amounts, np.arange(tail.size), tail)
    return scalar_like(read_only(found.reshape(np.shape(N))), N)


def simulate_memory(
    frequencies: Frequencies, D: int, seed: np.random.Generator | int, samples: int = 200
) -> tuple[float, float]:
    """Draw D occurrences and return the share of the others that is new, with its standard error.

    Parameters
    ----------
    frequencies : Frequencies
        Of the items.
    D : int
        Occurrences in the data.
    seed : int or Generator
        What the draws start from.
    samples : int
        Sets of data that are drawn.

    Examples
    --------
    >>> loss, error = simulate_memory(Frequencies.power_law(n=50, alpha=1.5), 100, seed=0)
    >>> abs(loss - memorised_loss(Frequencies.power_law(n=50, alpha=1.5), 100)) < 4 * error
    True
    """
    theta = shares(frequencies)
    D, samples = check_integer("D", D, 0), check_integer("samples", samples, 2)
    check_memory(f"samples = {samples}", 17.0 * samples * theta.size, "give fewer samples")
    drawn = as_generator(seed).multinomial(D, theta, samples)
    missed = (drawn == 0) @ theta
    return float(missed.mean()), float(missed.std(ddof=1) / np.sqrt(samples))


def derive_memory() -> Derivation:
    """Return the derivation of the exponent of data, for theta_i = i^-alpha/zeta(alpha).

    Examples
    --------
    >>> derive_memory()["exponent"]
    (alpha - 1)/alpha
    """
    D, i, u = sp.symbols("D i u", positive=True)
    theta = i**-alpha
    loss = sp.Integral(theta * sp.exp(-D * theta), (i, 1, sp.oo))
    value = D ** (1 / alpha - 1) / alpha * sp.gamma(1 - 1 / alpha)
    exponent = sp.simplify(-sp.diff(sp.log(value), D) * D)
    steps = (
        Step(
            "loss",
            "An item is lost until it has occurred. For theta_i << 1 the chance of that after D "
            "occurrences is exp(-D theta_i); the sum over ranks is an integral.",
            sp.Eq(sp.Symbol("L"), loss),
        ),
        Step(
            "substitution",
            "With u = D i^-alpha, i = (D/u)^(1/alpha); for large D the upper end is infinite.",
            D ** (1 / alpha - 1)
            / alpha
            * sp.Integral(u ** (-1 / alpha) * sp.exp(-u), (u, 0, sp.oo)),
        ),
        Step("asymptote", "The integral is a gamma function, for alpha > 1.", value),
        Step("exponent", "Its power of D, with the sign turned.", exponent),
    )
    return Derivation("Loss over data: an item is known once it has occurred", steps)


def derive_quanta() -> Derivation:
    """Return the derivation of the exponent of parameters, for theta_i = i^-alpha/zeta(alpha).

    Examples
    --------
    >>> derive_quanta()["exponent"]
    alpha - 1
    """
    N, i = sp.symbols("N i", positive=True)
    excess = sp.Symbol("a", positive=True)  # alpha - 1
    tail = sp.integrate(i ** -(excess + 1), (i, N, sp.oo)).subs(excess, alpha - 1)
    exponent = sp.simplify(-sp.diff(sp.log(tail), N) * N)
    steps = (
        Step(
            "loss",
            "The N most frequent items are known; the others are lost, for alpha > 1.",
            sp.Eq(sp.Symbol("L"), sp.Integral(i**-alpha, (i, N, sp.oo))),
        ),
        Step("asymptote", "The integral.", tail),
        Step("exponent", "Its power of N. n, the number of items, must be far above N.", exponent),
    )
    return Derivation("Loss over parameters: the most frequent items are known", steps)
