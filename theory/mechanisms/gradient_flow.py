"""Loss over training time by gradient flow: a diagonal teacher and student, and narrow ones.

``flow_loss``: each feature i is learned at the rate of its own eigenvalue lambda_i, so that
L(t) = sum w_i exp(-2 lambda_i t), by gradient flow on half the loss. For lambda_i = i^-a and
w_i = i^-(a + 2b) the loss falls as t^-(a + 2b - 1)/a (the setting of arXiv 2602.01045 without
superposition, derived here).
``narrow_flow_loss``: the student sees the features through m random directions only.
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
    check_real,
    read_only,
    scalar_like,
)
from theory.computing.memory import check_memory
from theory.derivation import Derivation, Step

Array = NDArray[np.float64]

_MOST_STEPS = 10**7  # of a simulation: some seconds
_LARGEST = 1e100  # coefficients of a teacher: their squares are finite


def flow_loss(t: ArrayLike, rates: ArrayLike, weights: ArrayLike) -> Numbers:
    """Return L(t) = sum_i w_i exp(-2 lambda_i t).

    Parameters
    ----------
    t : array_like
        Training times, >= 0.
    rates : array_like, shape (n,)
        lambda_i > 0, the second moment of input i.
    weights : array_like, shape (n,)
        w_i = lambda_i (teacher's coefficient)^2, the loss of i at t = 0.

    Examples
    --------
    >>> flow_loss(0.0, [1.0, 0.5], [1.0, 2.0])
    3.0
    """
    times = check_finite("t", t, None, low=0).ravel()
    speed, size = check_finite("rates", rates, low=0), check_finite("weights", weights, low=0)
    if speed.shape != size.shape:
        raise ValueError(f"rates has {speed.size} entries and weights has {size.size}")
    with np.errstate(over="ignore"):  # learnt: exp(-inf) = 0
        found = np.array([float(np.exp(-2 * speed * time) @ size) for time in times])
    return scalar_like(read_only(found.reshape(np.shape(t))), t)


def flow_exponent(a: float, b: float) -> float:
    """Return (a + 2b - 1)/a, the exponent of flow_loss for lambda = i^-a, w = i^-(a + 2b).

    Examples
    --------
    >>> flow_exponent(1.0, 0.5)
    1.0
    """
    a = check_real("a", a, 0, strict=True)
    b = check_real("b", b)
    if a + 2 * b <= 1:
        raise ValueError(
            f"a = {a:g}, b = {b:g} is not allowed: the loss is finite for a + 2b > 1 only"
        )
    return (a + 2 * b - 1) / a


def simulate_flow(t: float, rates: ArrayLike, teacher: ArrayLike, rate: float = 1e-3) -> float:
    """Train a diagonal student by small steps on half the loss up to time t; return its loss.

    Parameters
    ----------
    t : float
        Training time: the number of steps times the learning rate.
    rates, teacher : array_like, shape (n,)
        Second moments of the inputs, and the teacher's coefficients.
    rate : float
        Learning rate.

    Examples
    --------
    >>> loss = simulate_flow(2.0, [1.0, 0.5], [1.0, 2.0], rate=1e-4)
    >>> abs(loss / flow_loss(2.0, [1.0, 0.5], [1.0, 2.0]) - 1) < 1e-3
    True
    """
    t = check_real("t", t, 0)
    rate = check_real("rate", rate, 0, strict=True)
    speed, target = _check_teacher(rates, teacher)
    if rate * speed.max() >= 2:
        raise ValueError(
            f"rate = {rate:g} is not allowed: steps diverge from 2 over the largest of rates on, "
            f"{2 / speed.max():g}"
        )
    if t / rate > _MOST_STEPS:
        raise ValueError(
            f"t = {t:g} takes {t / rate:.3g} steps of rate = {rate:g}: give at most 1e7, by a "
            "shorter time or a larger rate"
        )
    student = np.zeros_like(target)
    for _ in range(round(t / rate)):
        student -= rate * speed * (student - target)
    return float(speed @ (student - target) ** 2)


def narrow_flow_loss(
    t: ArrayLike, rates: ArrayLike, teacher: ArrayLike, m: int, seed: np.random.Generator | int
) -> Numbers:
    """Return the loss of a linear student that sees the features through m random directions.

    The teacher is y = sum_i c_i x_i e_i (an output for each feature), the student y = B P x with P
    fixed, m x n, of unit columns, and B trained from 0 by gradient flow.

    Parameters
    ----------
    t : array_like
        Training times.
    rates, teacher : array_like, shape (n,)
        lambda_i and c_i.
    m : int
        Number of directions.
    seed : int or Generator
        What P is drawn from.

    Returns
    -------
    float or ndarray
        The loss, exactly, by the eigenvalues of P Lambda P^T.

    Examples
    --------
    >>> rates = np.arange(1.0, 31.0) ** -1.0
    >>> bool(narrow_flow_loss(1e6, rates, np.ones(30), 10, seed=0) > 0.1)
    True
    """
    times = check_finite("t", t, None, low=0).ravel()
    speed, target = _check_teacher(rates, teacher)
    m = check_integer("m", m, 1)
    check_memory(f"m = {m}", 8.0 * m * (3 * m + 4 * speed.size), "give a smaller m")
    top = speed.max() or 1.0
    speed, times = speed / top, times * top  # products of rates neither overflow nor vanish
    P = as_generator(seed).standard_normal((m, speed.size))
    P /= np.linalg.norm(P, axis=0)
    values, vectors = np.linalg.eigh((P * speed) @ P.T)
    values = np.where(values > 1e-12, values, 0.0)  # by rounding
    # Output i of the best student is c_i lambda_i P_i^T (P Lambda P^T)^-1. On half the loss, as in
    # flow_loss, its distance in eigendirection k falls as exp(-mu_k t).
    inside = ((P * (speed * target)).T @ vectors) ** 2  # (n, m)
    gain = np.divide(inside, values, out=np.zeros_like(inside), where=values > 0).sum(axis=0)
    start = float(speed @ target**2)
    with np.errstate(over="ignore"):  # learnt: expm1(-inf) = -1
        found = np.array([start + float(gain @ np.expm1(-2 * values * time)) for time in times])
    found *= top
    return scalar_like(read_only(found.reshape(np.shape(t))), t)


def _check_teacher(rates: ArrayLike, teacher: ArrayLike) -> tuple[Array, Array]:
    """Return rates and a teacher's coefficients of one length."""
    speed = check_finite("rates", rates, low=0)
    target = check_finite("teacher", teacher, low=-_LARGEST, high=_LARGEST)
    if target.shape != speed.shape:
        raise ValueError(f"teacher has {target.size} entries and rates has {speed.size}")
    return speed, target


def derive_flow() -> Derivation:
    """Return the derivation of the exponent of training time for power laws.

    Examples
    --------
    >>> derive_flow()["exponent"]
    (a + 2*b - 1)/a
    """
    a, b, i, t, u = sp.symbols("a b i t u", positive=True)
    loss = sp.Integral(i ** -(a + 2 * b) * sp.exp(-2 * t * i**-a), (i, 1, sp.oo))
    power = (a + 2 * b - 1) / a
    value = (2 * t) ** -power / a * sp.gamma(power)
    exponent = sp.simplify(-sp.diff(sp.log(value), t) * t)
    steps = (
        Step(
            "flow",
            "On half the loss, each coefficient approaches the teacher's at the rate of its own "
            "eigenvalue, and its loss at twice that; the sum over many is an integral.",
            sp.Eq(sp.Symbol("L"), loss),
        ),
        Step(
            "substitution",
            "With u = 2 t i^-a; for large t the upper end is infinite.",
            (2 * t) ** -power / a * sp.Integral(u ** (power - 1) * sp.exp(-u), (u, 0, sp.oo)),
        ),
        Step("asymptote", "The integral is a gamma function.", value),
        Step("exponent", "Its power of t.", exponent),
    )
    return Derivation("Loss over training time: diagonal teacher and student", steps)
