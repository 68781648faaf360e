"""Abscissa, step and number of ordinates of a numerical inverse Laplace transform (kernels).

``numerics.loss.laplace_kernels`` has the formulas and the three errors. All θ are real abscissae;
``law`` is the table of the law of v (``numerics.loss.law_table``).
"""

from __future__ import annotations

import math

import numpy as np

from theory.computing.compiled import compiled

_E2 = math.e**2
# Real abscissae at which bounds are tabulated, in units of 1/(largest overlap).
THETA = np.geomspace(1 / 1024, 256, 32)
# Largest number of ordinates.
_MOST = 4_000_000
# Least number of entries of the table on either side of the abscissa.
_BELOW, _ABOVE = 3, 5


# Columns of the table of the law of v: cell ends, P(cell), step of the density.
_END, _SHARE, _FALL = 0, 1, 2


@compiled(fastmath=True)
def _unit_mgf(u):  # type: ignore[no-untyped-def]
    """(e^u - 1)/u, the mean of e^{us} over s ~ U(0, 1)."""
    return 1.0 + u / 2 if abs(u) < 2e-9 else math.expm1(u) / u


@compiled(fastmath=True)
def _mgf_v(x, law, general):  # type: ignore[no-untyped-def]
    """M_v(x) = ⟨e^{xv}⟩ for real x: e^{x low} (e^u - 1)/u Σ_l P_l e^{lu}, u = x times a width."""
    u = (law[1, _END] - law[0, _END]) * x
    if general is None:
        return _unit_mgf(u)
    mgf, cells = _unit_mgf(u), law.shape[0] - 1
    if cells > 1:
        total, turn = 0.0, math.exp(u)
        for cell in range(cells - 1, -1, -1):
            total = total * turn + law[cell, _SHARE]
        mgf *= total
    return mgf if law[0, _END] == 0 else mgf * math.exp(law[0, _END] * x)


@compiled()
def _log_mgf_v(x, law, general):  # type: ignore[no-untyped-def]
    """Return ln M_v(x), where M_v itself may overflow."""
    cells = law.shape[0] - 1
    high = law[cells, _END]
    if abs(x) * high < 40:
        return math.log(_mgf_v(x, law, general))
    # With the largest exponential taken out.
    u = (law[1, _END] - law[0, _END]) * abs(x)
    largest = x * high if x > 0 else x * law[0, _END]
    found = largest + math.log(-math.expm1(-u)) - math.log(u)
    if general is None:
        return found
    total, turn = 0.0, math.exp(-u)
    for cell in range(cells):
        total = total * turn + law[cell if x > 0 else cells - 1 - cell, _SHARE]
    return found + math.log(max(total, 1e-300))


@compiled()
def _slope_v(x, law, general):  # type: ignore[no-untyped-def]
    """N_v(x) = ⟨v e^{xv}⟩ for real x."""
    width = law[1, _END] - law[0, _END]
    u = width * x
    if abs(u) < 0.04:
        mgf = 1 + u * (1 / 2 + u * (1 / 6 + u * (1 / 24 + u / 120)))
        slope = 1 / 2 + u * (1 / 3 + u * (1 / 8 + u * (1 / 30 + u / 144)))
    else:
        mgf = math.expm1(u) / u
        slope = (math.exp(u) * (u - 1) + 1) / (u * u)
    if general is None:
        return width * slope
    total = 0.0
    for cell in range(law.shape[0] - 1):
        start = law[cell, _END]
        total += law[cell, _SHARE] * math.exp(x * start) * (start * mgf + width * slope)
    return total


@compiled()
def _falling(x, law):  # type: ignore[no-untyped-def]
    """Bounds of |x' M_v(x')| and of |x' ⟨v e^{x'v}⟩| + … on Re x' = x, from the density's steps.

    With steps d_l at c_l: x' M_v(x') = Σ d_l e^{x' c_l} and x' N_v(x') = Σ d_l c_l e^{x' c_l} -
    M_v(x'). Returns Σ |d_l| e^{x c_l} and Σ |d_l| c_l e^{x c_l}.
    """
    plain, weighted = 0.0, 0.0
    for end in range(law.shape[0]):
        size = law[end, _FALL] * math.exp(x * law[end, _END])
        plain += size
        weighted += size * law[end, _END]
    return plain, weighted


@compiled()
def _log_bounds(g, p, b, own, law, general, theta, out):  # type: ignore[no-untyped-def]
    """Tabulate ln of Chernoff's bound of ⟨ReLU(z)²⟩, or of ⟨ReLU(z)² + 2 v ReLU(z)⟩, at each θ.

    ReLU(z)² <= 4/(e²θ²) e^{θz}, ReLU(z) <= e^{θz}/(eθ), v <= high. Returns the least.
    """
    high, least = law[law.shape[0] - 1, _END], math.inf
    for a in range(theta.size):
        t = theta[a]
        total = t * b + _log_mgf_v(t * own, law, general)
        total += math.log(4 / (_E2 * t * t) + (2 * high / (math.e * t) if own != 0 else 0.0))
        for j in range(g.size):
            if p[j] > 0:
                x = t * g[j]
                if x * high < 600:
                    total += math.log1p(p[j] * (_mgf_v(x, law, general) - 1))
                else:
                    total += math.log(p[j]) + _log_mgf_v(x, law, general)
        out[a] = total
        least = min(least, total)
    return least


@compiled()
def _period(log_bound, theta, c, tolerance):  # type: ignore[no-untyped-def]
    """Least T at which the images on either side are below tolerance together.

    An image at distance kT is below exp(log_bound(θ) - |θ - c| kT) for every θ on its side.
    """
    period = 0.0
    target = math.log(tolerance / 4)  # half for either side, half again for the images beyond
    for k in range(2):
        side, best = 2 * k - 1, math.inf
        for a in range(theta.size):
            distance = side * (theta[a] - c)
            if distance > 1e-9 * c:
                best = min(best, max((log_bound[a] - target) / distance, math.log(2.0) / distance))
        period = max(period, best)
    return period


@compiled()
def _caps(g, p, c, law, general, still, falling):  # type: ignore[no-untyped-def]
    """Two bounds of |M_v((c + iω) g)| for each input: M_v(cg), and another to be divided by ω."""
    for j in range(g.size):
        still[j], falling[j] = 1.0, math.inf
        if p[j] > 0:
            still[j] = _mgf_v(c * g[j], law, general)
            falling[j] = _falling(c * g[j], law)[0] / abs(g[j])


@compiled()
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


@compiled()
def _largest(g, p, b, own, law):  # type: ignore[no-untyped-def]
    """Upper bound of z = b + own v + Σ g x; largest |g|; number of inputs that are felt."""
    low, high = law[0, _END], law[law.shape[0] - 1, _END]
    top, scale, felt = b + max(own * low, own * high), 0.0, 0
    for j in range(g.size):
        if p[j] > 0:
            top += high * max(g[j], 0.0)
            scale = max(scale, abs(g[j]))
            felt += 1
    return top, scale, felt


@compiled()
def _saddle(log_bound):  # type: ignore[no-untyped-def]
    """Place of the least bound, but for the first and the last few entries of the table."""
    best = _BELOW
    for a in range(_BELOW, log_bound.size - _ABOVE):
        if log_bound[a] < log_bound[best]:
            best = a
    return best


@compiled(inline="always")
def _plan(  # type: ignore[no-untyped-def]
    g, p, b, own, tolerance, atom, law, general, unit_theta, theta, log_bound, still, falling, plan
):
    """Fill in abscissa, step, number of ordinates (0: nothing to sum) and error bound.

    ``own`` = 0: the mean of ReLU(z)²; otherwise that of ReLU(z)² and ±2 v ReLU(z) together. The
    four arrays before ``plan`` are workspace.
    """
    plan[0], plan[1], plan[2], plan[3] = 0.0, 0.0, 0.0, 0.0
    top, scale, felt = _largest(g, p, b, own, law)
    # Nothing is left if z is never above 0, or if the closed parts have every case: they leave out
    # inputs that are always active (atom = 0).
    if top <= 0 or felt == 0 or (felt == 1 and atom > 0):
        return
    scale = max(scale, abs(own))
    for a in range(theta.size):
        theta[a] = unit_theta[a] / scale
    least = _log_bounds(g, p, b, own, law, general, theta, log_bound)
    if least < math.log(tolerance / 2):
        plan[3] = math.exp(least)
        return
    c = theta[_saddle(log_bound)]
    step = 2 * math.pi / _period(log_bound, theta, c, tolerance / 2)
    _caps(g, p, c, law, general, still, falling)
    omega, size, bound = max(c, step), math.exp(c * b) / math.pi, 0.0
    own_mgf, own_slope = _mgf_v(c * own, law, general), _slope_v(c * own, law, general)
    plain, weighted = _falling(c * own, law)
    while omega < _MOST * step:
        kernel = 1 / (omega * omega)
        if own != 0:
            x = omega * abs(own)
            mgf = min(own_mgf, plain / x)
            slope = min(own_slope, weighted / x + plain / (x * x))
            kernel = mgf / (omega * omega) + 2 * slope / omega
        bound = size * kernel * _bracket(p, still, falling, omega, atom)
        if bound <= tolerance / 2:
            plan[0], plan[1], plan[2] = c, step, int(omega / step) + 1
            plan[3] = tolerance / 2 + bound
            return
        omega *= 1.25
    plan[3] = math.inf  # out of reach: the bound says so


@compiled(nogil=True)
def plan_rows(  # type: ignore[no-untyped-def]
    gram, felt, atom, own, weights, b, reflected, tolerance, law, general, theta
):
    """Plan the sums of rows of outputs, for their own input silent and active.

    Parameters
    ----------
    gram, felt : ndarray, shape (rows, n)
        Overlaps, and the frequencies of the other inputs where they are felt, else 0.
    atom, own, b : ndarray, shape (rows,)
        P(no other is active), own overlap, own bias.
    weights : ndarray, shape (rows, 2)
        Weights in the loss of the means with the own input silent and active, I (1 - p) and I p;
        a mean of weight 0 is left out.
    reflected : ndarray of bool, shape (rows, 2)
        Whether the mean is of -z.
    tolerance : float
        Error allowed in the weighted loss of one output.
    law, general : ndarray, ndarray or None
        ``law_tables`` of the law of v.
    theta : ndarray
        ``THETA``.

    Returns
    -------
    ndarray, shape (rows, 2, 4)
        Abscissa, step, number of ordinates, error bound.
    """
    rows, n = gram.shape
    out = np.empty((rows, 2, 4))
    g, still, falling = np.empty(n), np.empty(n), np.empty(n)
    scaled, log_bound = np.empty(theta.size), np.empty(theta.size)
    for r in range(rows):
        for part in range(2):
            plan, weight = out[r, part], weights[r, part]
            if weight <= 0:
                plan[0], plan[1], plan[2], plan[3] = 0.0, 0.0, 0.0, 0.0
                continue
            sign = -1.0 if reflected[r, part] else 1.0
            for j in range(n):
                g[j] = sign * gram[r, j]
            self = 0.0 if part == 0 else sign * own[r]
            _plan(
                g, felt[r], sign * b[r], self, tolerance / (2 * weight), atom[r], law, general,
                theta, scaled, log_bound, still, falling, plan,
            )  # fmt: skip
    return out
