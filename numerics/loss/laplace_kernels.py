r"""Expected loss of one output under many independent inputs, by its Laplace transform (kernels).

``numerics.loss.exact`` calls these. ``law`` is the table of v (``numerics.loss.law_table``), and
``general`` the same, or None where v is uniform from 0 on: numba then compiles less.

Output i sees z = b + S, S = Σ_{j≠i} G_ij x_j. M(s) = ⟨e^{sS}⟩ = Π_j [1 - p_j + p_j M_v(s G_ij)].
For a density of K equal cells of width h that starts at c_0, with probabilities P_l,

    M_v(x) = ⟨e^{xv}⟩ = e^{x c_0} (e^{hx} - 1)/(hx) Σ_l P_l e^{lhx}.

While its own input is silent the output costs ⟨ReLU(z)²⟩, whose transform is 2 e^{sb} M(s)/s³:

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
- truncation at Ω, bounded: |M_v(sg)| <= min(M_v(cg), Σ_l |d_l| e^{cg c_l}/(ω|g|)), d_l the steps
  of the density at the cell ends c_l, and the same polynomial in these bounds is one of the rest of
  the product beyond Ω;
- rounding of the product and of the sum, estimated: 4 units times √n times the sum of sizes.
"""

from __future__ import annotations

import math

import numpy as np

from theory.computing.compiled import compiled

# Ordinates of a block.
LANES = 64
# Columns of the table of the law of v: cell ends, P(cell).
_END, _SHARE = 0, 1


@compiled(fastmath=True)
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


@compiled(fastmath=True)
def _inverses(c, step, width, ir, ii):  # type: ignore[no-untyped-def]
    """1/(width s_k) in (ir, ii), s_k = c + i k step."""
    for k in range(ir.size):
        w = k * step
        d = width * (c * c + w * w)
        ir[k], ii[k] = c / d, -w / d


@compiled(fastmath=True)
def _block(yr, yi, tr, ti, lr, li, ar, ai, ir, ii, inverse, law, start, out):  # type: ignore[no-untyped-def]
    """M_v(x) in out[0:2] and x M_v'(x) in out[2:4] for a block of x = s_k g, for any law.

    y + 1 = e^{h x} and l + 1 = e^{x c_0} at the first ordinate of the block; (tr, ti) and (ar, ai)
    are what an ordinate l further multiplies these by, less 1; ``inverse`` is 1/g.
    """
    cells, low = law.shape[0] - 1, law[0, _END]
    spread = 1 / (law[1, _END] - low)
    for q in range(LANES):
        k = start + q
        # e^{hx} - 1, its quotient by hx, e^{x c_0} and x c_0.
        zr = yr + tr[q] + yr * tr[q] - yi * ti[q]
        zi = yi + ti[q] + yr * ti[q] + yi * tr[q]
        er = inverse * (zr * ir[k] - zi * ii[k])
        ei = inverse * (zr * ii[k] + zi * ir[k])
        fr = 1 + lr + ar[q] + lr * ar[q] - li * ai[q]
        fi = li + ai[q] + lr * ai[q] + li * ar[q]
        norm = spread / (inverse * (ir[k] * ir[k] + ii[k] * ii[k]))
        xr, xi = ir[k] * norm, -ii[k] * norm  # x = s g, from 1/(h s)
        # Σ P_l z^l and z times its derivative, z = e^{hx}, by Horner's rule.
        pr, pi, dr, di = law[cells - 1, _SHARE], 0.0, 0.0, 0.0
        for cell in range(cells - 2, -1, -1):
            nr = dr + dr * zr - di * zi + pr
            di = di + dr * zi + di * zr + pi
            dr = nr
            nr = pr + pr * zr - pi * zi + law[cell, _SHARE]
            pi = pi + pr * zi + pi * zr
            pr = nr
        nr = dr + dr * zr - di * zi
        di = di + dr * zi + di * zr
        dr = nr
        mr, mi = er * pr - ei * pi, er * pi + ei * pr
        out[0, q], out[1, q] = fr * mr - fi * mi, fr * mi + fi * mr
        # (z - (z - 1)/(hx)) Σ P_l z^l + (z - 1) Σ l P_l z^l, and x c_0 M_v.
        gr, gi = 1 + zr - er, zi - ei
        sr = gr * pr - gi * pi + zr * dr - zi * di
        si = gr * pi + gi * pr + zr * di + zi * dr
        out[2, q] = fr * sr - fi * si + low * (xr * out[0, q] - xi * out[1, q])
        out[3, q] = fr * si + fi * sr + low * (xr * out[1, q] + xi * out[0, q])


@compiled(fastmath=True)
def _products(g, p, law, general, c, step, work, tables):  # type: ignore[no-untyped-def]
    """Fill in M(s_k) and Σ_j p_j/(1-p_j) M_v(s_k G_j), s_k = c + i k step, and 1/(h s_k).

    Real and imaginary parts are the rows of ``work``, shape (6, ordinates); ``tables``, shape
    (8, LANES), is workspace. y = e^{hsg} - 1 is carried instead of e^{hsg}, so that small g lose
    nothing. Ordinates come in blocks of 64: within one, y = Y t + (t - 1) with a table of
    t = e^{i l step h g}.
    """
    low, width = law[0, _END], law[1, _END] - law[0, _END]
    pr, pi, qr, qi, ir, ii = work[0], work[1], work[2], work[3], work[4], work[5]
    tr, ti = tables[0], tables[1]
    for k in range(pr.size):
        pr[k], pi[k], qr[k], qi[k] = 1.0, 0.0, 0.0, 0.0
    _inverses(c, step, width, ir, ii)
    for j in range(g.size):
        if p[j] == 0:
            continue
        ur, ui = _turns(width * step * g[j], tr, ti)
        yr, yi = math.expm1(width * c * g[j]), 0.0
        light = 1 / (1 - p[j]) if p[j] < 1 else 0.0
        if general is None:
            base, weight = 1 - p[j], p[j] / g[j]
        else:
            ar, ai, out = tables[2], tables[3], tables[4:8]
            br, bi = _turns(low * step * g[j], ar, ai)
            lr, li = math.expm1(low * c * g[j]), 0.0
        for start in range(0, pr.size, LANES):
            if general is None:
                for q in range(LANES):
                    k = start + q
                    zr = yr + tr[q] + yr * tr[q] - yi * ti[q]
                    zi = yi + ti[q] + yr * ti[q] + yi * tr[q]
                    vr = weight * (zr * ir[k] - zi * ii[k])
                    vi = weight * (zr * ii[k] + zi * ir[k])
                    qr[k] += light * vr
                    qi[k] += light * vi
                    fr, fi = pr[k], pi[k]
                    pr[k] = fr * (base + vr) - fi * vi
                    pi[k] = fr * vi + fi * (base + vr)
            else:
                _block(yr, yi, tr, ti, lr, li, ar, ai, ir, ii, 1 / g[j], law, start, out)
                for q in range(LANES):
                    k = start + q
                    vr, vi = p[j] * out[0, q], p[j] * out[1, q]
                    qr[k] += light * vr
                    qi[k] += light * vi
                    fr, fi = pr[k], pi[k]
                    pr[k] = fr * (1 - p[j] + vr) - fi * vi
                    pi[k] = fr * vi + fi * (1 - p[j] + vr)
                lr, li = lr + br + lr * br - li * bi, li + bi + lr * bi + li * br
            yr, yi = yr + ur + yr * ur - yi * ui, yi + ui + yr * ui + yi * ur


@compiled()
def _quotient(x, y):  # type: ignore[no-untyped-def]
    """x/y for complex numbers of moderate size: numba's own division takes long to compile."""
    norm = 1 / (y.real * y.real + y.imag * y.imag)
    return complex(
        (x.real * y.real + x.imag * y.imag) * norm, (x.imag * y.real - x.real * y.imag) * norm
    )


@compiled()
def _exp(x):  # type: ignore[no-untyped-def]
    """e^x for complex x."""
    size = math.exp(x.real)
    return complex(size * math.cos(x.imag), size * math.sin(x.imag))


@compiled()
def _unit_moments(u):  # type: ignore[no-untyped-def]
    """⟨e^{us}⟩, ⟨s e^{us}⟩, ⟨s² e^{us}⟩ over s ~ U(0, 1) for complex u."""
    size = u.real * u.real + u.imag * u.imag
    if size < 0.25:  # the differences below would lose three powers of u
        term, first, second, third = 1 + 0j, 1 + 0j, 1 / 2 + 0j, 1 / 3 + 0j
        for k in range(1, 16):
            term *= u * (1 / k)
            size = term.real * term.real + term.imag * term.imag
            if size < 1e-34:
                break
            first += term * (1 / (k + 1))
            second += term * (1 / (k + 2))
            third += term * (1 / (k + 3))
        return first, second, third
    e = _exp(u)
    first = _quotient(e - 1, u)
    second = _quotient(e - first, u)
    return first, second, _quotient(e - 2 * second, u)


@compiled()
def _complex_v(x, law, general):  # type: ignore[no-untyped-def]
    """⟨e^{xv}⟩, ⟨v e^{xv}⟩ and ⟨v² e^{xv}⟩ for complex x."""
    width = law[1, _END] - law[0, _END]
    one, first, second = _unit_moments(width * x)
    if general is None:
        return one, width * first, width * width * second
    mgf, slope, curve = 0j, 0j, 0j
    for cell in range(law.shape[0] - 1):
        start = law[cell, _END]
        part = law[cell, _SHARE] * (_exp(x * start) if start != 0 else 1 + 0j)
        mgf += part * one
        slope += part * (start * one + width * first)
        curve += part * (start * start * one + 2 * start * width * first + width * width * second)
    return mgf, slope, curve


@compiled()
def _sum(b, own, turned, c, step, atom, law, general, work, n):  # type: ignore[no-untyped-def]
    """Trapezoidal rule, and its rounding error; own = 0 for the silent part.

    ``turned`` is 1 for the mean of ReLU(z)² + 2 v ReLU(z), -1 for that of ReLU(z)² - 2 v ReLU(z).
    """
    total, size = 0.0, 0.0
    rounding = 4e-16 * math.sqrt(n * (law.shape[0] - 1))  # of a product of n factors of K terms
    for k in range(work.shape[1]):
        s = complex(c, k * step)
        kernel = _quotient(2 * _exp(s * b), s * s * s)
        if own != 0:
            mgf, slope, _ = _complex_v(s * own, law, general)
            kernel *= mgf + turned * s * slope
        product, few = complex(work[0, k], work[1, k]), complex(1 + work[2, k], work[3, k])
        total += (kernel * (product - atom * few)).real * (0.5 if k == 0 else 1.0)
        size += abs(kernel) * (abs(product) + atom * abs(few))
    return total * step / math.pi, size * step / math.pi * rounding


@compiled(fastmath=True)
def _rest_sum(p, alone, ar, ai, pr, pi, start, out):  # type: ignore[no-untyped-def]
    """Σ_k Re a_k (x M_v')_k (M/F - alone)_k over a block, F = 1 - p + p M_v."""
    total = 0.0
    for q in range(LANES):
        k = start + q
        fr, fi = 1 - p + p * out[0, q], p * out[1, q]
        norm = 1 / (fr * fr + fi * fi)
        rest_r = (pr[k] * fr + pi[k] * fi) * norm - alone
        rest_i = (pi[k] * fr - pr[k] * fi) * norm
        wr = out[2, q] * rest_r - out[3, q] * rest_i
        wi = out[2, q] * rest_i + out[3, q] * rest_r
        total += ar[k] * wr - ai[k] * wi
    return total


@compiled(fastmath=True)
def _input_slope(  # type: ignore[no-untyped-def]
    g, p, law, general, c, step, alone, ar, ai, pr, pi, ir, ii, tables
):
    """Σ_k Re a_k p s_k M_v'(s_k g) (M/F - alone)_k, F the factor of this input; not for tiny g."""
    low, width = law[0, _END], law[1, _END] - law[0, _END]
    tr, ti, cr, ci, out = tables[0], tables[1], tables[2], tables[3], tables[4:8]
    ur, ui = _turns(width * step * g, tr, ti)
    yr, yi = math.expm1(width * c * g), 0.0
    if general is not None:
        lr, li = math.expm1(low * c * g), 0.0
        br, bi = _turns(low * step * g, cr, ci)
    inverse, total = 1 / g, 0.0
    for start in range(0, pr.size, LANES):
        if general is None:
            for q in range(LANES):
                k = start + q
                zr = yr + tr[q] + yr * tr[q] - yi * ti[q]
                zi = yi + ti[q] + yr * ti[q] + yi * tr[q]
                mr = inverse * (zr * ir[k] - zi * ii[k])
                mi = inverse * (zr * ii[k] + zi * ir[k])
                out[0, q], out[1, q], out[2, q], out[3, q] = mr, mi, 1 + zr - mr, zi - mi
        else:
            _block(yr, yi, tr, ti, lr, li, cr, ci, ir, ii, inverse, law, start, out)
            lr, li = lr + br + lr * br - li * bi, li + bi + lr * bi + li * br
        total += _rest_sum(p, alone, ar, ai, pr, pi, start, out)
        yr, yi = yr + ur + yr * ur - yi * ui, yi + ui + yr * ui + yi * ur
    return p * inverse * total


@compiled()
def _tiny_slope(g, p, law, general, c, step, alone, ar, ai, pr, pi):  # type: ignore[no-untyped-def]
    """Compute the same where g is so small that M_v needs its series at every ordinate."""
    total = 0.0
    for k in range(pr.size):
        s = complex(c, k * step)
        mgf, slope, _ = _complex_v(s * g, law, general)
        rest = _quotient(complex(pr[k], pi[k]), 1 - p + p * mgf) - alone
        total += (complex(ar[k], ai[k]) * s * slope * rest).real
    return p * total


@compiled()
def _slope_sum(  # type: ignore[no-untyped-def]
    g, p, b, own, turned, c, step, atom, law, general, work, tables, kernels, slopes
):
    """Slopes of ``_sum`` by each g, into ``slopes``; returns its slopes by b and own.

    ``kernels``, shape (2, ordinates), is workspace.
    """
    pr, pi, qr, qi, ir, ii = work[0], work[1], work[2], work[3], work[4], work[5]
    ar, ai = kernels[0], kernels[1]  # kernel and weight of each ordinate
    count = pr.size
    by_b, by_own = 0.0, 0.0
    for k in range(count):
        s = complex(c, k * step)
        weight = step / math.pi * (0.5 if k == 0 else 1.0)
        factor = _quotient(2 * _exp(s * b), s * s * s) * weight
        kernel = factor
        rest = complex(pr[k], pi[k]) - atom * complex(1 + qr[k], qi[k])
        if own != 0:
            mgf, slope, curve = _complex_v(s * own, law, general)
            kernel = factor * (mgf + turned * s * slope)
            by_own += (factor * s * (slope + turned * s * curve) * rest).real
        by_b += (kernel * s * rest).real
        ar[k], ai[k] = kernel.real, kernel.imag
    # Beyond this |g| no series is needed.
    small = 0.04 / (law[law.shape[0] - 1, _END] * math.hypot(c, count * step))
    for j in range(g.size):
        slopes[j] = 0.0
        if p[j] > 0:
            alone = atom / (1 - p[j]) if p[j] < 1 else 0.0
            if abs(g[j]) < small:
                slopes[j] = _tiny_slope(g[j], p[j], law, general, c, step, alone, ar, ai, pr, pi)
            else:
                slopes[j] = _input_slope(
                    g[j], p[j], law, general, c, step, alone, ar, ai, pr, pi, ir, ii, tables
                )
    return by_b, by_own


@compiled(nogil=True)
def expected_rows(gram, felt, atom, own, b, reflected, law, general, plans):  # type: ignore[no-untyped-def]
    """Compute the transform parts of rows of outputs.

    Arguments as in ``numerics.loss.laplace_plan.plan_rows``, and its result. Returns the two means
    of each row (own input silent, active) with at least two other inputs active, to be added to the
    closed parts, and their rounding errors: shape (rows, 4).
    """
    rows, n = gram.shape
    out, tables, g = np.empty((rows, 4)), np.empty((8, LANES)), np.empty(n)
    for r in range(rows):
        for part in range(2):
            out[r, part], out[r, 2 + part] = 0.0, 0.0
            c, step, count = plans[r, part, 0], plans[r, part, 1], int(plans[r, part, 2])
            if count > 0:
                sign = -1.0 if reflected[r, part] else 1.0
                for j in range(n):
                    g[j] = sign * gram[r, j]
                work = np.empty((6, LANES * ((count + LANES - 1) // LANES)))
                _products(g, felt[r], law, general, c, step, work, tables)
                self = 0.0 if part == 0 else sign * own[r]
                value, rounding = _sum(
                    sign * b[r], self, -sign, c, step, atom[r], law, general, work, n
                )
                out[r, part], out[r, 2 + part] = sign * value, rounding
    return out


@compiled(nogil=True)
def expected_slopes(gram, felt, atom, own, p, b, reflected, law, general, plans):  # type: ignore[no-untyped-def]
    """Slopes of the transform parts, weighted by 1 - p and p: by gram, by own and by b."""
    rows, n = gram.shape
    by_gram, by_own, by_b = np.empty((rows, n)), np.empty(rows), np.empty(rows)
    tables, g, slopes = np.empty((8, LANES)), np.empty(n), np.empty(n)
    for r in range(rows):
        by_own[r], by_b[r] = 0.0, 0.0
        for j in range(n):
            by_gram[r, j] = 0.0
        for part in range(2):
            c, step, count = plans[r, part, 0], plans[r, part, 1], int(plans[r, part, 2])
            if count > 0:
                weight = 1 - p[r] if part == 0 else p[r]
                sign = -1.0 if reflected[r, part] else 1.0
                for j in range(n):
                    g[j] = sign * gram[r, j]
                count = LANES * ((count + LANES - 1) // LANES)
                work, kernels = np.empty((6, count)), np.empty((2, count))
                _products(g, felt[r], law, general, c, step, work, tables)
                self = 0.0 if part == 0 else sign * own[r]
                slope_b, slope_own = _slope_sum(
                    g, felt[r], sign * b[r], self, -sign, c, step, atom[r], law, general,
                    work, tables, kernels, slopes,
                )  # fmt: skip
                # A reflected part enters with a minus, and so do its arguments: they cancel.
                by_b[r] += weight * slope_b
                by_own[r] += weight * slope_own
                for j in range(n):
                    by_gram[r, j] += weight * slopes[j]
    return by_gram, by_own, by_b
