"""How to sum a Laplace transform: abscissa, step, ordinates, with error bounds (kernels).

Use through ``numerics.loss.laplace_kernels``, which gives the formulas. All θ are real abscissae.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np

_E2 = math.e**2
# Real abscissae at which bounds are tabulated, in units of 1/(largest overlap).
THETA = np.geomspace(1 / 1024, 256, 32)
# Ordinates beyond which nothing is summed.
_MOST = 4_000_000
# Entries of the table that the abscissa leaves on either side of itself.
_BELOW, _ABOVE = 3, 5


@nb.njit(cache=True, fastmath=True)
def _mgf_v(x: float) -> float:
    """M_v(x) = (e^{2x} - 1)/(2x)."""
    return 1.0 + x if abs(x) < 1e-9 else math.expm1(2 * x) / (2 * x)


@nb.njit(cache=True)
def _log_mgf_v(x):  # type: ignore[no-untyped-def]
    """Return ln M_v(x), where M_v itself may overflow."""
    return math.log(_mgf_v(x)) if x < 20 else 2 * x - math.log(2 * x)


@nb.njit(cache=True, fastmath=True)
def _slope_v(x: float) -> float:
    """N_v(x) = ⟨v e^{xv}⟩."""
    if abs(x) < 0.02:
        return 1 + x * (4 / 3 + x * (1 + x * (8 / 15 + x * (2 / 9))))
    return (math.exp(2 * x) * (2 * x - 1) + 1) / (2 * x * x)


@nb.njit(cache=True)
def _log_bounds(g, p, b, own, theta):  # type: ignore[no-untyped-def]
    """Tabulate ln of Chernoff's bound of ⟨ReLU(z)²⟩, or of ⟨ReLU(z)² + 2 v ReLU(z)⟩, at each θ.

    ReLU(z)² <= 4/(e²θ²) e^{θz}, ReLU(z) <= e^{θz}/(eθ), v <= 2.
    """
    out = np.empty(theta.size)
    for a in range(theta.size):
        t = theta[a]
        total = t * b + _log_mgf_v(t * own)
        total += math.log(4 / (_E2 * t * t) + (4 / (math.e * t) if own != 0 else 0.0))
        for j in range(g.size):
            if p[j] > 0:
                x = t * g[j]
                if x < 300:
                    total += math.log1p(p[j] * (_mgf_v(x) - 1))
                else:
                    total += math.log(p[j]) + _log_mgf_v(x)
        out[a] = total
    return out


@nb.njit(cache=True)
def _period(log_bound, theta, c, tolerance):  # type: ignore[no-untyped-def]
    """Least T at which the images on either side are below tolerance together.

    An image at distance kT is below exp(log_bound(θ) - |θ - c| kT) for every θ on its side.
    """
    period = 0.0
    target = math.log(tolerance / 4)  # half for either side, half again for the images beyond
    for side in (-1, 1):
        best = math.inf
        for a in range(theta.size):
            distance = side * (theta[a] - c)
            if distance > 1e-9 * c:
                best = min(best, max((log_bound[a] - target) / distance, math.log(2.0) / distance))
        period = max(period, best)
    return period


@nb.njit(cache=True)
def _caps(g, p, c):  # type: ignore[no-untyped-def]
    """For each input M_v(cg), and (e^{2cg} + 1)/(2|g|), which over ω bounds |M_v| as well."""
    still, falling = np.ones(g.size), np.full(g.size, math.inf)
    for j in range(g.size):
        if p[j] > 0:
            still[j] = _mgf_v(c * g[j])
            falling[j] = (math.exp(2 * c * g[j]) + 1) / (2 * abs(g[j]))
    return still, falling


@nb.njit(cache=True)
def _bracket(p, still, falling, omega, atom):  # type: ignore[no-untyped-def]
    """Bound of |M - its terms with at most one input active| at ordinates >= omega."""
    product, first = 1.0, 0.0
    for j in range(p.size):
        cap = min(still[j], falling[j] / omega)
        product *= 1 + p[j] * (cap - 1)
        if p[j] < 1:
            first += p[j] / (1 - p[j]) * cap
    # The difference of equals leaves rounding: never claim less than that.
    return max(product - atom * (1 + first), 1e-15 * product)


@nb.njit(cache=True)
def _largest(g, p, b, own):  # type: ignore[no-untyped-def]
    """Largest possible z = b + own v + Σ g x; largest |g|; number of inputs that are felt."""
    top, scale, felt = b + 2 * max(own, 0.0), 0.0, 0
    for j in range(g.size):
        if p[j] > 0:
            top += 2 * max(g[j], 0.0)
            scale = max(scale, abs(g[j]))
            felt += 1
    return top, scale, felt


@nb.njit(cache=True)
def _saddle(log_bound):  # type: ignore[no-untyped-def]
    """Place of the least bound that leaves room on the table on both sides."""
    best = _BELOW
    for a in range(_BELOW, log_bound.size - _ABOVE):
        if log_bound[a] < log_bound[best]:
            best = a
    return best


@nb.njit(cache=True)
def _plan(g, p, b, own, tolerance, atom, unit_theta):  # type: ignore[no-untyped-def]
    """Abscissa, step, number of ordinates (0: nothing to sum) and error bound.

    ``own`` = 0: the mean of ReLU(z)²; otherwise that of ReLU(z)² and ±2 v ReLU(z) together.
    """
    top, scale, felt = _largest(g, p, b, own)
    # Nothing is left if z is never above 0, or if the closed parts have every case: they leave out
    # inputs that are always active (atom = 0).
    if top <= 0 or felt == 0 or (felt == 1 and atom > 0):
        return 0.0, 0.0, 0, 0.0
    theta = unit_theta / max(scale, abs(own))
    log_bound = _log_bounds(g, p, b, own, theta)
    least = log_bound.min()
    if least < math.log(tolerance / 2):
        return 0.0, 0.0, 0, math.exp(least)
    c = theta[_saddle(log_bound)]
    step = 2 * math.pi / _period(log_bound, theta, c, tolerance / 2)
    still, falling = _caps(g, p, c)
    omega, size, bound = max(c, step), math.exp(c * b) / math.pi, 0.0
    grown = math.exp(2 * c * own)
    while omega < _MOST * step:
        kernel = 1 / omega**2
        if own != 0:
            x = omega * abs(own)
            mgf = min(_mgf_v(c * own), (grown + 1) / (2 * x))
            slope = min(_slope_v(c * own), grown / x + (grown + 1) / (2 * x * x))
            kernel = mgf / omega**2 + 2 * slope / omega
        bound = size * kernel * _bracket(p, still, falling, omega, atom)
        if bound <= tolerance / 2:
            return c, step, int(omega / step) + 1, tolerance / 2 + bound
        omega *= 1.25
    return 0.0, 0.0, 0, math.inf  # out of reach: the bound says so


@nb.njit(cache=True, parallel=True)
def plan_rows(gram, felt, atom, own, p, b, reflected, tolerance, theta):  # type: ignore[no-untyped-def]
    """Plan the sums of rows of outputs, for their own input silent and active.

    Parameters
    ----------
    gram, felt : ndarray, shape (rows, n)
        Overlaps, and the frequencies of the other inputs where they are felt, else 0.
    atom, own, p, b : ndarray, shape (rows,)
        P(no other is active), own overlap, own frequency, own bias.
    reflected : ndarray of bool, shape (rows, 2)
        Whether the mean is of -z.
    tolerance : float
        Error allowed in the loss of one output.
    theta : ndarray
        ``THETA``.

    Returns
    -------
    ndarray, shape (rows, 2, 4)
        Abscissa, step, number of ordinates, error bound.
    """
    rows = gram.shape[0]
    out = np.zeros((rows, 2, 4))
    for r in nb.prange(rows):
        for part in range(2):
            weight = 1 - p[r] if part == 0 else p[r]
            sign = -1.0 if reflected[r, part] else 1.0
            if weight > 0:
                c, step, count, bound = _plan(
                    sign * gram[r],
                    felt[r],
                    sign * b[r],
                    0.0 if part == 0 else sign * own[r],
                    tolerance / (2 * weight),
                    atom[r],
                    theta,
                )
                out[r, part, 0], out[r, part, 1] = c, step
                out[r, part, 2], out[r, part, 3] = count, bound
    return out
