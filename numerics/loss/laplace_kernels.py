r"""Expected loss of one output under many independent inputs, by its Laplace transform (kernels).

Use through ``numerics.loss.exact``. Everything here is arrays in, arrays out.

Output i sees z = b + S, S = Σ_{j≠i} G_ij x_j. M(s) = ⟨e^{sS}⟩ = Π_j [1 - p_j + p_j M_v(s G_ij)],
with M_v(x) = (e^{2x} - 1)/(2x). While its own input is silent the output costs ⟨ReLU(z)²⟩, whose
transform is 2 e^{sb} M(s)/s³:

    ⟨ReLU(z)²⟩ = (1/π) ∫_0^∞ Re F(c + iω) dω,    F(s) = 2 e^{sb} M(s)/s³,  any c > 0.

With its own input active, z = b + g v + S with g = G_ii, and (ReLU(z) - v)² is v² plus
ReLU(z)² - 2 v ReLU(z), with the transform e^{sb} [2 M_v(sg)/s³ - 2 N_v(sg)/s²] M(s),
N_v(x) = ⟨v e^{xv}⟩ = M_v'(x). Either mean also follows from its reflection, z to -z, and a square
with known moments: ReLU(z)² = z² - ReLU(-z)² and ReLU(z) = z + ReLU(-z). The side on which z lies
less of the time is the one that is transformed.

Of both, what no or one other active input contributes is taken out of M, and added elsewhere in
closed form; what is left of F falls as ω^-5 and is summed by the trapezoidal rule with step 2π/T.
Three errors:

- aliasing, bounded: the sum gives Σ_k f(b + kT) e^{-ckT} instead of f(b);
  ReLU(y)² <= 4/(e²θ²) e^{θy} and ReLU(y) <= e^{θy}/(eθ) bound every image by M(θ) at real θ on
  either side of c;
- truncation at Ω, bounded: |M_v(sg)| <= min(M_v(cg), (e^{2cg} + 1)/(2ω|g|)), and the same
  polynomial in these caps bounds the rest of the product beyond Ω;
- rounding of the product and of the sum, estimated: 4 units times √n times the sum of sizes.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np

# Ordinates that are worked on together.
LANES = 64


@nb.njit(cache=True, fastmath=True)
def _turns(angle, tr, ti):  # type: ignore[no-untyped-def]
    """Table of e^{il angle} - 1 for l = 0..63 in (tr, ti); returns the same at l = 64."""
    tr[0], ti[0] = 0.0, 0.0
    h = 1
    while h < LANES:
        half = math.sin(angle * h / 2)
        ur, ui = -2 * half * half, math.sin(angle * h)
        for q in range(h):  # (1 + t)(1 + u) - 1 = t + u + t u
            tr[h + q] = tr[q] + ur + tr[q] * ur - ti[q] * ui
            ti[h + q] = ti[q] + ui + tr[q] * ui + ti[q] * ur
        h *= 2
    half = math.sin(angle * LANES / 2)
    return -2 * half * half, math.sin(angle * LANES)


@nb.njit(cache=True, fastmath=True)
def _products(g, p, c, step, count, pr, pi, qr, qi):  # type: ignore[no-untyped-def]
    """M(s_k) in (pr, pi) and Σ_j p_j/(1-p_j) M_v(s_k G_j) in (qr, qi), s_k = c + i k step.

    y = e^{2sg} - 1 is carried instead of e^{2sg}, so that small g lose nothing. Ordinates come in
    blocks of 64: within one, y = Y t + (t - 1) with a table of t = e^{2i l step g}.
    """
    tr, ti = np.empty(LANES), np.empty(LANES)  # t - 1
    ir, ii = np.empty(count), np.empty(count)  # 1/(2s)
    for k in range(count):
        w = k * step
        d = 2 * (c * c + w * w)
        ir[k], ii[k] = c / d, -w / d
        pr[k], pi[k], qr[k], qi[k] = 1.0, 0.0, 0.0, 0.0
    for j in range(g.size):
        if p[j] == 0:
            continue
        ur, ui = _turns(2 * step * g[j], tr, ti)
        yr, yi = math.expm1(2 * c * g[j]), 0.0
        base, weight = 1 - p[j], p[j] / g[j]
        light = 1 / (1 - p[j]) if p[j] < 1 else 0.0
        for start in range(0, count, LANES):
            for q in range(LANES):
                k = start + q
                zr = yr + tr[q] + yr * tr[q] - yi * ti[q]
                zi = yi + ti[q] + yr * ti[q] + yi * tr[q]
                vr = weight * (zr * ir[k] - zi * ii[k])
                vi = weight * (zr * ii[k] + zi * ir[k])
                qr[k] += light * vr
                qi[k] += light * vi
                ar, ai = pr[k], pi[k]
                pr[k] = ar * (base + vr) - ai * vi
                pi[k] = ar * vi + ai * (base + vr)
            wr = yr + ur + yr * ur - yi * ui
            yi = yi + ui + yr * ui + yi * ur
            yr = wr


@nb.njit(cache=True)
def _complex_v(s, g):  # type: ignore[no-untyped-def]
    """M_v(s g) and N_v(s g) for complex s."""
    x = s * g
    if abs(x) < 0.02:
        mgf = 1 + x * (1 + x * (2 / 3 + x * (1 / 3 + x * (2 / 15 + x * (2 / 45)))))
        slope = 1 + x * (4 / 3 + x * (1 + x * (8 / 15 + x * (2 / 9 + x * (8 / 105)))))
        return mgf, slope
    e = np.exp(2 * x)
    return (e - 1) / (2 * x), (e * (2 * x - 1) + 1) / (2 * x * x)


@nb.njit(cache=True)
def _complex_curve(s, g):  # type: ignore[no-untyped-def]
    """⟨v² e^{xv}⟩ at x = s g for complex s."""
    x = s * g
    if abs(x) < 0.05:
        term, total = 4.0 + 0j, 4 / 3 + 0j  # Σ_k (2^(k+2) / (k! (k+3))) x^k
        for k in range(1, 12):
            term *= 2 * x / k
            total += term / (k + 3)
        return total
    return (np.exp(2 * x) * (2 * x * x - 2 * x + 1) - 1) / (x * x * x)


@nb.njit(cache=True)
def _sum(b, own, turned, c, step, atom, pr, pi, qr, qi, n):  # type: ignore[no-untyped-def]
    """Trapezoidal rule, and its rounding error; own = 0 for the silent part.

    ``turned`` is 1 for the mean of ReLU(z)² + 2 v ReLU(z), -1 for that of ReLU(z)² - 2 v ReLU(z).
    """
    total, size = 0.0, 0.0
    for k in range(pr.size):
        s = complex(c, k * step)
        kernel = 2 * np.exp(s * b) / (s * s * s)
        if own != 0:
            mgf, slope = _complex_v(s, own)
            kernel *= mgf + turned * s * slope
        rest = complex(pr[k], pi[k]) - atom * complex(1 + qr[k], qi[k])
        total += (kernel * rest).real * (0.5 if k == 0 else 1.0)
        size += abs(kernel) * (math.hypot(pr[k], pi[k]) + atom * math.hypot(1 + qr[k], qi[k]))
    return total * step / math.pi, size * step / math.pi * 4e-16 * math.sqrt(n)


@nb.njit(cache=True, fastmath=True)
def _input_slope(g, p, c, step, alone, ar, ai, pr, pi, ir, ii, tr, ti):  # type: ignore[no-untyped-def]
    """Σ_k Re a_k p M_v'(s_k g) (M/F - alone)_k, F the factor of this input; not for tiny g."""
    ur, ui = _turns(2 * step * g, tr, ti)
    yr, yi = math.expm1(2 * c * g), 0.0
    base, inverse, total = 1 - p, 1 / g, 0.0
    for start in range(0, pr.size, LANES):
        for q in range(LANES):
            k = start + q
            zr = yr + tr[q] + yr * tr[q] - yi * ti[q]
            zi = yi + ti[q] + yr * ti[q] + yi * tr[q]
            mr = inverse * (zr * ir[k] - zi * ii[k])
            mi = inverse * (zr * ii[k] + zi * ir[k])
            fr, fi = base + p * mr, p * mi
            norm = 1 / (fr * fr + fi * fi)
            rest_r = (pr[k] * fr + pi[k] * fi) * norm - alone
            rest_i = (pi[k] * fr - pr[k] * fi) * norm
            sr, si = 1 + zr - mr, zi - mi
            wr, wi = sr * rest_r - si * rest_i, sr * rest_i + si * rest_r
            total += ar[k] * wr - ai[k] * wi
        wr = yr + ur + yr * ur - yi * ui
        yi = yi + ui + yr * ui + yi * ur
        yr = wr
    return p * inverse * total


@nb.njit(cache=True)
def _tiny_slope(g, p, c, step, alone, ar, ai, pr, pi):  # type: ignore[no-untyped-def]
    """Compute the same where g is so small that M_v needs its series at every ordinate."""
    total = 0.0
    for k in range(pr.size):
        s = complex(c, k * step)
        mgf, slope = _complex_v(s, g)
        rest = complex(pr[k], pi[k]) / (1 - p + p * mgf) - alone
        total += (complex(ar[k], ai[k]) * s * slope * rest).real
    return p * total


@nb.njit(cache=True)
def _slope_sum(  # type: ignore[no-untyped-def]
    g, p, b, own, turned, c, step, atom, pr, pi, qr, qi, slopes
):
    """Slopes of ``_sum`` by each g, into ``slopes``; returns its slopes by b and own."""
    count = pr.size
    ar, ai = np.empty(count), np.empty(count)  # kernel and weight of each ordinate
    ir, ii = np.empty(count), np.empty(count)  # 1/(2s)
    tr, ti = np.empty(LANES), np.empty(LANES)
    by_b, by_own = 0.0, 0.0
    for k in range(count):
        s = complex(c, k * step)
        half = 0.5 / s
        ir[k], ii[k] = half.real, half.imag
        factor = 2 * np.exp(s * b) / (s * s * s) * (step / math.pi) * (0.5 if k == 0 else 1.0)
        kernel = factor
        rest = complex(pr[k], pi[k]) - atom * complex(1 + qr[k], qi[k])
        if own != 0:
            mgf, slope = _complex_v(s, own)
            kernel = factor * (mgf + turned * s * slope)
            by_own += (factor * s * (slope + turned * s * _complex_curve(s, own)) * rest).real
        by_b += (kernel * s * rest).real
        ar[k], ai[k] = kernel.real, kernel.imag
    largest = math.hypot(c, count * step)
    for j in range(g.size):
        slopes[j] = 0.0
        if p[j] > 0:
            alone = atom / (1 - p[j]) if p[j] < 1 else 0.0
            if abs(g[j]) * largest < 0.02:
                slopes[j] = _tiny_slope(g[j], p[j], c, step, alone, ar, ai, pr, pi)
            else:
                slopes[j] = _input_slope(g[j], p[j], c, step, alone, ar, ai, pr, pi, ir, ii, tr, ti)
    return by_b, by_own


@nb.njit(cache=True)
def _work(g, p, plan):  # type: ignore[no-untyped-def]
    """Ordinates in whole blocks, and the products there."""
    c, step = plan[0], plan[1]
    count = LANES * ((int(plan[2]) + LANES - 1) // LANES)
    work = np.empty((4, count))
    _products(g, p, c, step, count, work[0], work[1], work[2], work[3])
    return c, step, work


@nb.njit(cache=True)
def _turn(part, reflected, own):  # type: ignore[no-untyped-def]
    """Sign of z, sign of 2 v ReLU, and the own overlap, for part 0 (silent) and 1 (active)."""
    sign = -1.0 if reflected else 1.0
    return sign, -sign, 0.0 if part == 0 else sign * own


@nb.njit(cache=True, parallel=True)
def expected_rows(gram, felt, atom, own, b, reflected, plans):  # type: ignore[no-untyped-def]
    """Compute the transform parts of rows of outputs.

    Arguments as in ``numerics.loss.laplace_plan.plan_rows``, and its result. Returns the two
    means of each row (own input silent, active) with at least two other inputs active, to be
    added to the closed parts, and their rounding errors: shape (rows, 4).
    """
    rows = gram.shape[0]
    out = np.zeros((rows, 4))
    for r in nb.prange(rows):
        for part in range(2):
            plan = plans[r, part]
            if plan[2] > 0:
                sign, turned, self = _turn(part, reflected[r, part], own[r])
                g = sign * gram[r]
                c, step, work = _work(g, felt[r], plan)
                value, rounding = _sum(
                    sign * b[r], self, turned, c, step, atom[r],
                    work[0], work[1], work[2], work[3], g.size,
                )  # fmt: skip
                out[r, part], out[r, 2 + part] = sign * value, rounding
    return out


@nb.njit(cache=True, parallel=True)
def expected_slopes(gram, felt, atom, own, p, b, reflected, plans):  # type: ignore[no-untyped-def]
    """Slopes of the transform parts, weighted as in the loss: by gram, by own and by b."""
    rows, n = gram.shape
    by_gram, by_own, by_b = np.zeros((rows, n)), np.zeros(rows), np.zeros(rows)
    for r in nb.prange(rows):
        slopes = np.empty(n)
        for part in range(2):
            plan = plans[r, part]
            if plan[2] > 0:
                weight = 1 - p[r] if part == 0 else p[r]
                sign, turned, self = _turn(part, reflected[r, part], own[r])
                g = sign * gram[r]
                c, step, work = _work(g, felt[r], plan)
                slope_b, slope_own = _slope_sum(
                    g, felt[r], sign * b[r], self, turned, c, step, atom[r],
                    work[0], work[1], work[2], work[3], slopes,
                )  # fmt: skip
                # A reflected part enters with a minus, and so do its arguments: they cancel.
                by_b[r] += weight * slope_b
                by_own[r] += weight * slope_own
                for j in range(n):
                    by_gram[r, j] += weight * slopes[j]
    return by_gram, by_own, by_b
