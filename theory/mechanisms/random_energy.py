r"""Loss over training time of a softmax that learns a peaked target, by the random-energy model.

The target is softmax(z/T) over n classes, the student softmax(beta z), with z_i Gaussian: the
logits of a random unembedding of width m, z_i ~ N(0, |x|^2/m). The Kullback-Leibler divergence is

    L(beta) = F(beta) - F(1/T) - (beta - 1/T) F'(1/T),   F(beta) = <ln sum_i e^(beta z_i)>,

and beta grows by gradient flow, d beta/dt = -L'(beta) (setting of arXiv 2602.03685). F is the free
energy of a random-energy model; here it is computed for finite n. Beyond sqrt(2 ln n) it freezes,
L ~ 1/beta and L' ~ 1/beta^2, so that L ~ t^(-1/3).

``peaked_loss`` and ``peaked_gradient`` are the numbers, ``flow_of_peaked_loss`` the loss over time,
``simulate_peaked`` the same by sampling.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr
from scipy.stats import chi

from theory.checks import (
    MOST_DRAWS,
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

_TOP, _NODES = 4.5, 4  # end of the variable w of density e^w exp(-e^w), and nodes for each unit
_BELOW = 36.0  # e^-36 is nothing beside 1
_ENERGIES = 40  # nodes in each piece of the integral over u
_PIECES = 13
_LENGTHS = 8  # quantiles of |x|/sqrt(m)
_HERMITE = 64  # nodes of the rule over z where beta is small: to rounding up to _SMALL
_SMALL = 0.5  # beta below which Phi((w - u)/beta) is a step that the rule over w misses
_COLDEST = 1e6  # beta or 1/T beyond which L, a difference of free energies, has no digits left
_MOST_POINTS = 10**5


@lru_cache(maxsize=4)
def _gumbel_nodes(low: float) -> tuple[Array, Array]:
    x, weight = np.polynomial.legendre.leggauss(math.ceil(_NODES * (_TOP - low)))
    w = low + (_TOP - low) * (x + 1) / 2
    mass = weight * np.exp(w - np.exp(w))
    return w, mass / mass.sum()


@lru_cache(maxsize=1)
def _normal_nodes() -> tuple[Array, Array]:
    z, weight = np.polynomial.hermite_e.hermegauss(_HERMITE)
    return z, weight / math.sqrt(2 * math.pi)


def free_energy(beta: float, n: int) -> tuple[float, float]:
    r"""Return F(beta) = <ln sum_i exp(beta z_i)> of n independent standard normal z, and F'(beta).

    By ln Z = -gamma - <u> with u of survival function phi(u)^n, where
    phi(u) = <exp(-e^(u + beta z))> = int e^w exp(-e^w) Phi((w - u)/beta) dw (gamma is Euler's
    constant): integrals of smooth functions at any beta.

    Examples
    --------
    >>> [round(abs(x), 9) for x in free_energy(1.0, 1)]
    [0.0, 0.0]
    >>> round(free_energy(0.0, 8)[0] - math.log(8), 9)
    0.0
    """
    n = check_integer("n", n, 1)
    beta = check_real("beta", beta, 0, 1e300)
    if beta == 0:
        return math.log(n), 0.0
    top = math.sqrt(2 * math.log(n)) + 9
    # u = -beta e - c: e is about the largest energy, from where phi^n is 0 to where it is 1.
    lowest = -math.log(n) - _BELOW
    ends = (lowest - beta * top, beta * 9.0 + _BELOW)
    x, weight = np.polynomial.legendre.leggauss(_ENERGIES)
    found, slope = 0.0, 0.0
    pieces = np.linspace(*ends, _PIECES)
    for low, high in pairwise(pieces):
        u = low + (high - low) * (x + 1) / 2
        step = weight * (high - low) / 2
        fallen, change = _fallen(u, beta, lowest)
        with np.errstate(divide="ignore"):
            log = np.log1p(-fallen)  # of phi, to which n is a power
        found += float(step @ np.exp(n * log))
        slope += float(step @ (n * np.exp((n - 1) * log if n > 1 else 0 * fallen) * change))
    mean = ends[0] + found
    return -np.euler_gamma - mean, -slope


def _fallen(u: Array, beta: float, low: float) -> tuple[Array, Array]:
    """Return 1 - phi(u), phi(u) = <exp(-e^(u + beta z))>, and d phi/d beta."""
    if beta < _SMALL:  # smooth in z itself
        z, weight = _normal_nodes()
        power = np.exp(u[:, None] + beta * z)
        change = -((power * np.exp(-power)) @ (weight * z))
        return np.minimum(-np.expm1(-power) @ weight, 1.0), change
    w, mass = _gumbel_nodes(low)
    z = (w - u[:, None]) / beta
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    # d phi/d beta = -<Phi'(z) z>/beta
    return np.minimum(ndtr(-z) @ mass, 1.0), -((density * z) @ mass) / beta


def _averaged(beta: float, n: int, m: int | None) -> tuple[float, float]:
    """Return F and F' averaged over the length of the hidden state of width m."""
    if m is None:
        return free_energy(beta, n)
    total, slope = 0.0, 0.0
    for length, weight in _lengths(m):
        value, change = free_energy(beta * length, n)
        total, slope = total + weight * value, slope + weight * length * change
    return total, slope


@lru_cache(maxsize=64)
def _lengths(m: int) -> tuple[tuple[float, float], ...]:
    """Return lengths |x|/sqrt(m) and weights of a Gauss rule in the quantile."""
    x, weight = np.polynomial.legendre.leggauss(_LENGTHS)
    found = chi(m).ppf((x + 1) / 2) / math.sqrt(m)
    return tuple(zip(map(float, found), map(float, weight / 2), strict=True))


def _check(
    beta: ArrayLike, n: int, T: float, m: int | None
) -> tuple[Array, int, float, int | None]:
    n, T = check_integer("n", n, 2), check_real("T", T, 1 / _COLDEST)
    values = check_finite("beta", beta, None, low=0, high=_COLDEST).ravel()
    return values, n, T, None if m is None else check_integer("m", m, 1)


def peaked_loss(beta: ArrayLike, n: int, T: float, m: int | None = None) -> Numbers:
    """Return the mean Kullback-Leibler divergence of softmax(beta z) from softmax(z/T).

    Parameters
    ----------
    beta : array_like
        Inverse temperatures of the student, from 0 to 1e6.
    n : int
        Number of classes.
    T : float
        Temperature of the target, at least 1e-6.
    m : int, optional
        Width of the hidden state x, z_i ~ N(0, |x|^2/m); without it z_i ~ N(0, 1).

    Returns
    -------
    float or ndarray
        L, in nats.

    Examples
    --------
    >>> round(peaked_loss(100.0, n=128, T=0.01), 9)
    0.0
    """
    values, n, T, m = _check(beta, n, T, m)
    end, slope = _averaged(1 / T, n, m)
    found = [_averaged(float(x), n, m)[0] - end - (float(x) - 1 / T) * slope for x in values]
    return scalar_like(read_only(np.array(found).reshape(np.shape(beta))), beta)


def peaked_gradient(beta: ArrayLike, n: int, T: float, m: int | None = None) -> Numbers:
    """Return -L'(beta) = F'(1/T) - F'(beta) of ``peaked_loss``.

    Examples
    --------
    >>> bool(peaked_gradient(1.0, n=128, T=0.01) > 0)
    True
    """
    values, n, T, m = _check(beta, n, T, m)
    slope = _averaged(1 / T, n, m)[1]
    found = [slope - _averaged(float(x), n, m)[1] for x in values]
    return scalar_like(read_only(np.array(found).reshape(np.shape(beta))), beta)


def flow_of_peaked_loss(
    n: int, T: float, m: int | None = None, points: int = 60
) -> tuple[Array, Array, Array]:
    """Return training times, beta and losses of gradient flow on beta, from beta = 0.1 to 0.5/T.

    Parameters
    ----------
    n, T, m
        As for ``peaked_loss``.
    points : int
        Number of betas, in equal ratios.

    Returns
    -------
    t, beta, loss : ndarray, shape (points,)
        t = int d beta/(-L'(beta)).

    Examples
    --------
    >>> t, beta, loss = flow_of_peaked_loss(n=50, T=0.01, points=12)
    >>> bool((np.diff(t) > 0).all() and (np.diff(loss) < 0).all())
    True
    """
    points = check_integer("points", points, 2, _MOST_POINTS)
    T = check_real("T", T, 1 / _COLDEST, 1.0)  # 0.5/T is above 0.1
    beta = np.geomspace(0.1, 0.5 / T, points)
    pull = np.asarray(peaked_gradient(beta, n, T, m))
    # Simpson's rule in ln beta would need the middle; in logarithms pull is nearly a power there.
    speed = beta / pull  # d t/d ln beta
    ratio = np.log(speed[1:] / speed[:-1])
    flat = np.abs(ratio) < 1e-8
    mean = np.where(flat, speed[:-1], np.diff(speed) / np.where(flat, 1.0, ratio))
    steps = mean * np.diff(np.log(beta))
    t = np.concatenate([[0.0], np.cumsum(steps)])
    return read_only(t), read_only(beta), read_only(np.asarray(peaked_loss(beta, n, T, m)))


def simulate_peaked(
    beta: ArrayLike,
    n: int,
    T: float,
    m: int,
    seed: np.random.Generator | int,
    samples: int = 4096,
) -> tuple[Array, Array]:
    """Return L and -L' by sampled hidden states and unembeddings, a new one for 256 states.

    Examples
    --------
    >>> loss, pull = simulate_peaked([1.0], n=64, T=0.05, m=16, seed=0)
    >>> bool(abs(loss[0] / peaked_loss(1.0, n=64, T=0.05, m=16) - 1) < 0.1)
    True
    """
    values, n, T, _ = _check(beta, n, T, m)
    m = check_integer("m", m, 1)
    check_memory(f"n = {n}, m = {m}", 8.0 * n * (m + 8 * 256), "give a smaller n or m")
    generator = as_generator(seed)
    loss, pull = np.zeros(values.size), np.zeros(values.size)
    rounds = max(1, check_integer("samples", samples, 1, MOST_DRAWS) // 256)
    for _ in range(rounds):
        W = generator.standard_normal((m, n)) / math.sqrt(m)
        z = generator.standard_normal((256, m)) @ W
        z -= z.max(axis=1, keepdims=True)  # neither L nor L' changes
        target, log_target = _softmax(z / T)
        for k, x in enumerate(values):
            student, log_student = _softmax(x * z)
            loss[k] += float(np.mean(np.sum(target * (log_target - log_student), axis=1)))
            pull[k] += float(np.mean(np.sum((target - student) * z, axis=1)))
    return read_only(loss / rounds), read_only(pull / rounds)


def _softmax(logits: Array) -> tuple[Array, Array]:
    powers = np.exp(logits)
    total = powers.sum(axis=1, keepdims=True)
    return powers / total, np.maximum(logits, -700.0) - np.log(total)


def derive_peaked() -> Derivation:
    """Return the derivation of the exponent 1/3 of training time, in the frozen phase.

    Examples
    --------
    >>> derive_peaked()["exponent"]
    1/3
    """
    beta, t, A = sp.symbols("beta t A", positive=True)
    loss = A / beta
    pull = -sp.diff(loss, beta)
    time = sp.integrate(1 / pull, (beta, 0, beta))
    solved = (3 * A * t) ** sp.Rational(1, 3)
    over_time = sp.simplify(loss.subs(beta, solved))
    steps = (
        Step(
            "levels",
            "For beta above sqrt(2 ln n) the sum over classes is that of the few levels near the "
            "largest logit. Their gaps g have the density c e^(c g), c = sqrt(2 ln n), and levels "
            "with g < 1/beta spoil the target: L = A/beta for 1/beta << 1/c.",
            sp.Eq(sp.Symbol("L"), loss),
        ),
        Step("flow", "Gradient flow on beta: d beta/dt = -dL/d beta.", pull),
        Step("time", "The time to reach beta.", sp.Eq(t, time)),
        Step("loss over time", "Solved for beta, and put into L.", over_time),
        Step("exponent", "Its power of t.", sp.simplify(-sp.diff(sp.log(over_time), t) * t)),
    )
    return Derivation("Loss over training time: a softmax with a peaked target", steps)
