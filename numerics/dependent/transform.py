r"""Expected loss of one output under dependent inputs, by its Laplace transform (kernels).

``numerics.loss.laplace_kernels`` has the integrals and their errors. Here the transform of
S = Σ_{j≠i} G_ij x_j, jointly with the state of the own feature i, comes from messages along the
forest of the features, from the leaves to the roots:

    M_a(s'; s) = Σ_state P(state | s') [Π_{j on in state} M_v(s G_ij)] Π_{children c} M_c(state; s),

M = Π_roots M_a. For the own feature on (or off) only the states in which it is on (off) are kept:
``allow`` is 0 at the others. So M is the transform of a measure of mass p_i (1 - p_i).

What no other active input (``none``) or one (``single``) contributes is taken out of M. Derivatives
by the factor of each input go back from the roots to the leaves; a factor enters once, so that its
derivative is what multiplies it.
"""

from __future__ import annotations

import math

import numpy as np

from theory.computing.compiled import compiled

# Ordinates between two exact values of a factor, and those held at once with all messages kept.
LANES = 64
# Columns of the table of the law of v: cell ends, P(cell).
_END, _SHARE = 0, 1
# Largest |x v| at which M_v is summed as a series, and terms that are exact there.
_SMALL, _TERMS = 0.05, 9


@compiled(fastmath=True)
def _turns(angle, tr, ti):  # type: ignore[no-untyped-def]
    """Table of e^{il angle} - 1 for l = 0..63 in (tr, ti); returns the same at l = 64."""
    tr[0], ti[0] = 0.0, 0.0
    half = math.sin(angle / 2)
    ur, ui = -2 * half * half, math.sin(angle)
    h = 1
    while h < LANES:
        for q in range(h):  # (1 + t)(1 + u) - 1 = t + u + t u
            tr[h + q] = tr[q] + ur + tr[q] * ur - ti[q] * ui
            ti[h + q] = ti[q] + ui + tr[q] * ui + ti[q] * ur
        wr = 2 * ur + ur * ur - ui * ui
        ui = 2 * ui + 2 * ur * ui
        ur = wr
        h *= 2
    return ur, ui


@compiled()
def _moments_of(law):  # type: ignore[no-untyped-def]
    """⟨v^k⟩/k!, k = 0, 1, …."""
    out = np.zeros(_TERMS + 1)
    for cell in range(law.shape[0] - 1):
        low, high = law[cell, _END], law[cell + 1, _END]
        factorial = 1.0
        for k in range(_TERMS + 1):
            factorial *= max(k, 1)
            whole = (high ** (k + 1) - low ** (k + 1)) / ((k + 1) * (high - low))
            out[k] += law[cell, _SHARE] * whole / factorial
    return out


@compiled(fastmath=True)
def _series(g, series, sr, si, fr, fi, nr, ni, slopes):  # type: ignore[no-untyped-def]
    """``_factor`` where g is so small that its closed form would cancel."""
    for q in range(sr.size):
        xr, xi = g * sr[q], g * si[q]
        mr, mi, dr, di = series[_TERMS], 0.0, 0.0, 0.0
        for k in range(_TERMS - 1, -1, -1):
            wr = dr * xr - di * xi + mr
            di = dr * xi + di * xr + mi
            dr = wr
            wr = mr * xr - mi * xi + series[k]
            mi = mr * xi + mi * xr
            mr = wr
        fr[q], fi[q] = mr, mi
        if slopes:
            nr[q], ni[q] = sr[q] * dr - si[q] * di, sr[q] * di + si[q] * dr


@compiled(fastmath=True)
def _expm1(x, angle):  # type: ignore[no-untyped-def]
    """e^{x + i angle} - 1."""
    grow, half = math.expm1(x), math.sin(angle / 2)
    return grow * math.cos(angle) - 2 * half * half, (grow + 1) * math.sin(angle)


@compiled(fastmath=True)
def _factor(g, law, series, c, step, start, sr, si, ir, ii, table, fr, fi, nr, ni, slopes):  # type: ignore[no-untyped-def]
    """M_v(s g) in (fr, fi) and, if ``slopes``, its derivative by g in (nr, ni).

    At s = sr + i si, from the ordinate ``start`` on, in whole blocks of 64; 1/s is in (ir, ii).
    """
    count = sr.size
    cells, low = law.shape[0] - 1, law[0, _END]
    width = law[1, _END] - low
    largest = abs(g) * law[cells, _END] * math.hypot(c, (start + count) * step)
    if largest < _SMALL:
        _series(g, series, sr, si, fr, fi, nr, ni, slopes)
        return
    tr, ti, ar, ai = table[0], table[1], table[2], table[3]
    ur, ui = _turns(width * step * g, tr, ti)
    yr, yi = _expm1(width * c * g, width * step * start * g)
    plain = cells == 1 and low == 0
    br, bi, lr, li = 0.0, 0.0, 0.0, 0.0
    if not plain:
        br, bi = _turns(low * step * g, ar, ai)
        lr, li = _expm1(low * c * g, low * step * start * g)
    inverse, by_g = 1 / (width * g), 1 / g
    for first in range(0, count, LANES):
        if plain:  # in loops of few arrays each: those are the ones that are vectorised
            for t in range(LANES):
                ar[t] = yr + tr[t] + yr * tr[t] - yi * ti[t]
                ai[t] = yi + ti[t] + yr * ti[t] + yi * tr[t]
            for t in range(LANES):
                fr[first + t] = inverse * (ar[t] * ir[first + t] - ai[t] * ii[first + t])
            for t in range(LANES):
                fi[first + t] = inverse * (ar[t] * ii[first + t] + ai[t] * ir[first + t])
            if slopes:
                for t in range(LANES):
                    nr[first + t] = (1 + ar[t] - fr[first + t]) * by_g
                    ni[first + t] = (ai[t] - fi[first + t]) * by_g
        else:
            for t in range(LANES):
                q = first + t
                zr = yr + tr[t] + yr * tr[t] - yi * ti[t]
                zi = yi + ti[t] + yr * ti[t] + yi * tr[t]
                er, ei = inverse * (zr * ir[q] - zi * ii[q]), inverse * (zr * ii[q] + zi * ir[q])
                hr = 1 + lr + ar[t] + lr * ar[t] - li * ai[t]
                hi = li + ai[t] + lr * ai[t] + li * ar[t]
                # Σ P_l z^l and z times its derivative, z = e^{hx}, by Horner's rule.
                pr, pi, dr, di = law[cells - 1, _SHARE], 0.0, 0.0, 0.0
                for cell in range(cells - 2, -1, -1):
                    wr = dr + dr * zr - di * zi + pr
                    di = di + dr * zi + di * zr + pi
                    dr = wr
                    wr = pr + pr * zr - pi * zi + law[cell, _SHARE]
                    pi = pi + pr * zi + pi * zr
                    pr = wr
                mr, mi = er * pr - ei * pi, er * pi + ei * pr
                fr[q], fi[q] = hr * mr - hi * mi, hr * mi + hi * mr
                if slopes:  # x M_v' = e^{x c_0} [(z - e) P + (z - 1) z P'] + x c_0 M_v
                    wr = dr + dr * zr - di * zi
                    di = di + dr * zi + di * zr
                    dr = wr
                    gr, gi = 1 + zr - er, zi - ei
                    wr = gr * pr - gi * pi + zr * dr - zi * di
                    wi = gr * pi + gi * pr + zr * di + zi * dr
                    xr, xi = sr[q] * low, si[q] * low
                    nr[q] = (hr * wr - hi * wi) * by_g + xr * fr[q] - xi * fi[q]
                    ni[q] = (hr * wi + hi * wr) * by_g + xr * fi[q] + xi * fr[q]
            lr, li = lr + br + lr * br - li * bi, li + bi + lr * bi + li * br
        yr, yi = yr + ur + yr * ur - yi * ui, yi + ui + yr * ui + yi * ur


@compiled(fastmath=True)
def _multiply(ar, ai, br, bi):  # type: ignore[no-untyped-def]
    """Multiply a by b."""
    for q in range(ar.size):
        wr = ar[q] * br[q] - ai[q] * bi[q]
        ai[q] = ar[q] * bi[q] + ai[q] * br[q]
        ar[q] = wr


@compiled(fastmath=True)
def _add(ar, ai, weight, br, bi):  # type: ignore[no-untyped-def]
    """Add weight b to a."""
    for q in range(ar.size):
        ar[q] += weight * br[q]
        ai[q] += weight * bi[q]


@compiled(fastmath=True)
def _join(ar, ai, off, on, fr, fi, fresh):  # type: ignore[no-untyped-def]
    """Multiply a by off + on f, or write that over it."""
    if fresh:
        for q in range(ar.size):
            ar[q], ai[q] = off + on * fr[q], on * fi[q]
    elif on != 0:
        for q in range(ar.size):
            br, bi = off + on * fr[q], on * fi[q]
            wr = ar[q] * br - ai[q] * bi
            ai[q] = ar[q] * bi + ai[q] * br
            ar[q] = wr
    elif off != 1:
        for q in range(ar.size):
            ar[q] *= off
            ai[q] *= off


@compiled(fastmath=True)
def _upward(  # type: ignore[no-untyped-def]
    tree, place, keep, g, allow, single, law, series, c, step, start, lanes,
    factors, messages, products, seen, total, once,
):  # fmt: skip
    """Pass messages from the leaves to the roots at a chunk of ordinates.

    M goes to ``total``, Σ_j single_j M_v(s g_j) to ``once``. With ``keep`` the factors, messages
    and products of all variables stay in their arrays, else each is written over the last.
    """
    (order, parent, size, rows, table_start, table, state_start, feature_start, features, inner,
     leaf, lit, message, _, _) = tree  # fmt: skip
    sr, si, ir, ii, turns, vr, vi = lanes
    seen[:] = False
    total[0, :], total[1, :], once[:, :] = 1.0, 0.0, 0.0
    for a in order:
        base, entry, j = message[a] * keep, table_start[a], leaf[a]
        if j >= 0 and g[j] != 0 and allow[state_start[a]] * allow[state_start[a] + 1] != 0:
            f = factors[j * keep]
            _factor(
                g[j], law, series, c, step, start, sr, si, ir, ii, turns,
                f[0], f[1], f[2 * keep], f[3 * keep], keep == 1,
            )  # fmt: skip
            if single[j] != 0:
                _add(once[0], once[1], single[j], f[0], f[1])
            for above in range(rows[a]):
                on, off = table[entry + 2 * above + lit[a]], table[entry + 2 * above + 1 - lit[a]]
                if parent[a] < 0:
                    _join(total[0], total[1], off, on, f[0], f[1], False)
                else:
                    kept = products[place[parent[a]] + above]
                    _join(kept[0], kept[1], off, on, f[0], f[1], not seen[parent[a]])
            if parent[a] >= 0:
                seen[parent[a]] = True
            continue
        messages[base : base + rows[a]] = 0.0
        for s in range(size[a]):
            state = state_start[a] + s
            if allow[state] == 0:
                continue
            one = not inner[a]
            if inner[a]:
                vr[:], vi[:] = products[place[a] + s, 0], products[place[a] + s, 1]
            for at in range(feature_start[state], feature_start[state + 1]):
                j = features[at]
                if g[j] == 0:
                    continue
                f = factors[j * keep]
                _factor(
                    g[j], law, series, c, step, start, sr, si, ir, ii, turns,
                    f[0], f[1], f[2 * keep], f[3 * keep], keep == 1,
                )  # fmt: skip
                if single[j] != 0:
                    _add(once[0], once[1], single[j], f[0], f[1])
                if one:
                    vr[:], vi[:] = f[0], f[1]
                    one = False
                else:
                    _multiply(vr, vi, f[0], f[1])
            for above in range(rows[a]):
                weight = table[entry + above * size[a] + s]
                if weight == 0:
                    continue
                if one:
                    messages[base + above, 0] += weight
                else:
                    _add(messages[base + above, 0], messages[base + above, 1], weight, vr, vi)
        if parent[a] < 0:
            _multiply(total[0], total[1], messages[base, 0], messages[base, 1])
            continue
        to = place[parent[a]]
        for above in range(rows[a]):
            sent, kept = messages[base + above], products[to + above]
            if seen[parent[a]]:
                _multiply(kept[0], kept[1], sent[0], sent[1])
            else:
                kept[:] = sent
        seen[parent[a]] = True


@compiled(fastmath=True)
def _divide(ar, ai, br, bi):  # type: ignore[no-untyped-def]
    """Replace b by a/b, and by 0 where b is 0: there a whole subtree has underflowed."""
    for q in range(ar.size):
        norm = br[q] * br[q] + bi[q] * bi[q]
        norm = 1 / norm if norm > 0 else 0.0
        wr = (ar[q] * br[q] + ai[q] * bi[q]) * norm
        bi[q] = (ai[q] * br[q] - ar[q] * bi[q]) * norm
        br[q] = wr


@compiled(fastmath=True)
def _leaf_slope(ar, ai, br, bi, off, on, fr, fi, nr, ni):  # type: ignore[no-untyped-def]
    """Σ_k Re a_k b_k on f'_k/(off + on f_k), f' in (nr, ni)."""
    total = 0.0
    for q in range(ar.size):
        dr, di = off + on * fr[q], on * fi[q]
        norm = dr * dr + di * di
        norm = 1 / norm if norm > 0 else 0.0
        xr, xi = ar[q] * br[q] - ai[q] * bi[q], ar[q] * bi[q] + ai[q] * br[q]
        yr, yi = nr[q] * dr + ni[q] * di, ni[q] * dr - nr[q] * di
        total += (xr * yr - xi * yi) * norm
    return on * total


@compiled(fastmath=True)
def _real_sum(ar, ai, br, bi):  # type: ignore[no-untyped-def]
    """Σ_k Re a_k b_k."""
    total = 0.0
    for q in range(ar.size):
        total += ar[q] * br[q] - ai[q] * bi[q]
    return total


@compiled(fastmath=True)
def _downward(  # type: ignore[no-untyped-def]
    tree, g, allow, single, mean, factors, messages, products, total, sr, si, ar, ai, slopes, work
):
    """Add to ``slopes`` those of Σ_k Re a_k (M_k - Σ_j single_j M_v) by each g_j.

    Where g_j = 0, that of Σ_k Re a_k M_k only. Messages become the derivatives by themselves.
    """
    (order, parent, size, rows, table_start, table, state_start, feature_start, features, inner,
     leaf, lit, message, product, _) = tree  # fmt: skip
    outer, inside = work[0], work[1]
    for at in range(order.size - 1, -1, -1):
        a = order[at]
        base, entry, j = message[a], table_start[a], leaf[a]
        if j >= 0 and g[j] != 0 and allow[state_start[a]] * allow[state_start[a] + 1] != 0:
            f = factors[j]
            if single[j] != 0:
                slopes[j] -= single[j] * _real_sum(ar, ai, f[2], f[3])
            for above in range(rows[a]):
                on, off = table[entry + 2 * above + lit[a]], table[entry + 2 * above + 1 - lit[a]]
                whole = total if parent[a] < 0 else products[product[parent[a]] + above]
                if on != 0:
                    slopes[j] += _leaf_slope(
                        ar, ai, whole[0], whole[1], off, on, f[0], f[1], f[2], f[3]
                    )
            continue
        for above in range(rows[a]):  # the derivative by a message is what multiplies it
            whole = total if parent[a] < 0 else products[product[parent[a]] + above]
            sent = messages[base + above]
            _divide(whole[0], whole[1], sent[0], sent[1])
        for s in range(size[a]):
            state = state_start[a] + s
            if allow[state] == 0:
                if inner[a]:
                    products[product[a] + s] = 0.0
                continue
            first, last = feature_start[state], feature_start[state + 1]
            if first == last and not inner[a]:
                continue  # nothing hangs on it
            # Derivative by what this state contributes.
            outer[:] = 0.0
            for above in range(rows[a]):
                weight = table[entry + above * size[a] + s]
                if weight != 0:
                    _add(outer[0], outer[1], weight, messages[base + above, 0],
                         messages[base + above, 1])  # fmt: skip
            for here in range(first, last):
                j = features[here]
                inside[:] = outer
                if inner[a]:
                    kept = products[product[a] + s]
                    _multiply(inside[0], inside[1], kept[0], kept[1])
                for other in range(first, last):
                    k = features[other]
                    if other != here and g[k] != 0:
                        _multiply(inside[0], inside[1], factors[k, 0], factors[k, 1])
                slopes[j] += _slope(g[j], single[j], mean, inside, factors[j], sr, si, ar, ai)
            if inner[a]:  # for the children: the derivative by the product of their messages
                kept = products[product[a] + s]
                for here in range(first, last):
                    j = features[here]
                    if g[j] != 0:
                        _multiply(outer[0], outer[1], factors[j, 0], factors[j, 1])
                _multiply(kept[0], kept[1], outer[0], outer[1])


@compiled(fastmath=True)
def _slope(g, single, mean, inside, factor, sr, si, ar, ai):  # type: ignore[no-untyped-def]
    """Σ_k Re a_k (∂M/∂g - single ∂M_v/∂g) from the derivative by the factor; see ``_downward``."""
    total = 0.0
    if g == 0:
        for q in range(sr.size):
            wr = inside[0, q] * sr[q] - inside[1, q] * si[q]
            wi = inside[0, q] * si[q] + inside[1, q] * sr[q]
            total += ar[q] * wr - ai[q] * wi
        return mean * total
    for q in range(sr.size):
        rest = inside[0, q] - single
        wr = rest * factor[2, q] - inside[1, q] * factor[3, q]
        wi = rest * factor[3, q] + inside[1, q] * factor[2, q]
        total += ar[q] * wr - ai[q] * wi
    return total


@compiled()
def _unit_moments(u):  # type: ignore[no-untyped-def]
    """⟨e^{us}⟩, ⟨s e^{us}⟩, ⟨s² e^{us}⟩ over s ~ U(0, 1) for complex u."""
    size = u.real * u.real + u.imag * u.imag
    if size < 0.25:  # the differences below would lose three powers of u
        term, first, second, third = 1 + 0j, 1 + 0j, 1 / 2 + 0j, 1 / 3 + 0j
        for k in range(1, 16):
            term *= u / k
            first += term / (k + 1)
            second += term / (k + 2)
            third += term / (k + 3)
        return first, second, third
    e = np.exp(u)
    first = (e - 1) / u
    second = (e - first) / u
    return first, second, (e - 2 * second) / u


@compiled()
def _complex_v(x, law):  # type: ignore[no-untyped-def]
    """⟨e^{xv}⟩, ⟨v e^{xv}⟩ and ⟨v² e^{xv}⟩ for complex x."""
    width = law[1, _END] - law[0, _END]
    one, first, second = _unit_moments(width * x)
    mgf, slope, curve = 0j, 0j, 0j
    for cell in range(law.shape[0] - 1):
        start = law[cell, _END]
        part = law[cell, _SHARE] * np.exp(x * start)
        mgf += part * one
        slope += part * (start * one + width * first)
        curve += part * (start * start * one + 2 * start * width * first + width * width * second)
    return mgf, slope, curve


@compiled()
def _kernel(s, b, own, turned, law):  # type: ignore[no-untyped-def]
    """Return what multiplies the rest of M, and its slope by ``own``, 0 for the silent part."""
    factor = 2 * np.exp(s * b) / (s * s * s)
    if own == 0:
        return factor, 0j
    mgf, slope, curve = _complex_v(s * own, law)
    return factor * (mgf + turned * s * slope), factor * s * (slope + turned * s * curve)


@compiled()
def _allowed(tree, variable, state, is_on):  # type: ignore[no-untyped-def]
    """1 at the states in which the own feature is on (off), and at all of other variables."""
    start = tree.state_start
    allow = np.ones(start[-1])
    for s in range(start[variable], start[variable + 1]):
        allow[s] = 1.0 if (s - start[variable] == state) == is_on else 0.0
    return allow


@compiled()
def _turn(part, reflected, own):  # type: ignore[no-untyped-def]
    """Sign of z, sign of 2 v ReLU, and the own overlap, for part 0 (silent) and 1 (active)."""
    sign = -1.0 if reflected else 1.0
    return sign, -sign, 0.0 if part == 0 else sign * own


@compiled()
def _lanes(count):  # type: ignore[no-untyped-def]
    """Arrays for a chunk of ordinates: s, 1/s, tables of turns, a product."""
    return (
        np.empty(count), np.empty(count), np.empty(count), np.empty(count),
        np.empty((4, LANES)), np.empty(count), np.empty(count),
    )  # fmt: skip


@compiled()
def _place(c, step, start, lanes):  # type: ignore[no-untyped-def]
    """Fill the ordinates s = c + i k step from k = start on, and 1/s."""
    sr, si, ir, ii = lanes[0], lanes[1], lanes[2], lanes[3]
    for q in range(sr.size):
        w = (start + q) * step
        size = c * c + w * w
        sr[q], si[q], ir[q], ii[q] = c, w, c / size, -w / size


@compiled(nogil=True)
def expected_rows(tree, variable, state, gram, none, single, own, b, reflected, law, plans):  # type: ignore[no-untyped-def]
    """Compute the transform parts of rows of outputs.

    Arguments as in ``numerics.dependent.plan.plan_rows``, and its result. Returns the integrals of
    each row over the states with its own input silent and active and at least two others active, to
    be added to the closed parts, and their rounding errors: shape (rows, 4).
    """
    rows, n = gram.shape
    out = np.zeros((rows, 4))
    series, depth = _moments_of(law), math.sqrt(n * (law.shape[0] - 1))
    seen, most = np.zeros(tree.order.size, np.bool_), np.max(tree.rows)
    for r in range(rows):
        for part in range(2):
            c, step, needed, _, size = plans[r, part]
            if needed == 0:
                continue
            count = LANES * ((int(needed) + LANES - 1) // LANES)
            sign, turned, self = _turn(part, reflected[r, part], own[r])
            lanes = _lanes(count)
            _place(c, step, 0, lanes)
            total, once = np.empty((2, count)), np.empty((2, count))
            allow = _allowed(tree, variable[r], state[r], part == 1)
            _upward(
                tree, tree.slot, 0, sign * gram[r], allow,
                single[r, part], law, series, c, step, 0, lanes, np.empty((1, 2, count)),
                np.empty((most, 2, count)), np.empty((tree.slot[-1], 2, count)), seen, total, once,
            )  # fmt: skip
            value, rounding = 0.0, 0.0
            for k in range(count):
                kernel, _ = _kernel(complex(c, k * step), sign * b[r], self, turned, law)
                rest = complex(total[0, k] - none[r, part] - once[0, k], total[1, k] - once[1, k])
                value += (kernel * rest).real * (0.5 if k == 0 else 1.0)
                rounding += abs(kernel)
            out[r, part] = sign * value * step / math.pi
            out[r, 2 + part] = 4e-16 * depth * size * rounding * step / math.pi
    return out


@compiled(nogil=True)
def expected_slopes(tree, variable, state, gram, none, single, own, b, reflected, law, plans):  # type: ignore[no-untyped-def]
    """Slopes of the transform parts by the overlaps with other inputs, by own and by b.

    Also, for each row and part, T_j = Σ_k Re a_k s_k M_v(s_k g_j) and, in the last column, that of
    1: what ``few_active.unfelt_slopes`` takes off the slopes where g_j = 0.
    """
    rows, n = gram.shape
    by_gram, by_own, by_b = np.zeros((rows, n)), np.zeros(rows), np.zeros(rows)
    tails = np.zeros((rows, 2, n + 1))
    series, mean = _moments_of(law), _moments_of(law)[1]
    seen = np.zeros(tree.order.size, np.bool_)
    factors, messages = np.empty((n, 4, LANES)), np.empty((tree.message[-1], 2, LANES))
    products, work = np.empty((tree.product[-1], 2, LANES)), np.empty((2, 2, LANES))
    total, once, a = np.empty((2, LANES)), np.empty((2, LANES)), np.empty((2, LANES))
    lanes = _lanes(LANES)
    for r in range(rows):
        for part in range(2):
            c, step, needed, _, _ = plans[r, part]
            sign, turned, self = _turn(part, reflected[r, part], own[r])
            g, allow = sign * gram[r], _allowed(tree, variable[r], state[r], part == 1)
            for start in range(0, int(needed), LANES):
                _place(c, step, start, lanes)
                _upward(
                    tree, tree.product, 1, g, allow, single[r, part], law, series, c, step, start,
                    lanes, factors, messages, products, seen, total, once,
                )  # fmt: skip
                for q in range(LANES):
                    s = complex(lanes[0][q], lanes[1][q])
                    kernel, slope = _kernel(s, sign * b[r], self, turned, law)
                    weight = step / math.pi * (0.5 if start + q == 0 else 1.0)
                    rest = complex(
                        total[0, q] - none[r, part] - once[0, q], total[1, q] - once[1, q]
                    )
                    by_own[r] += weight * (slope * rest).real
                    by_b[r] += weight * (kernel * s * rest).real
                    a[0, q], a[1, q] = weight * kernel.real, weight * kernel.imag
                _downward(
                    tree, g, allow, single[r, part], mean, factors, messages, products, total,
                    lanes[0], lanes[1], a[0], a[1], by_gram[r], work,
                )  # fmt: skip
                _add_tails(g, factors, lanes[0], lanes[1], a[0], a[1], tails[r, part])
    return by_gram, by_own, by_b, tails


@compiled(fastmath=True)
def _add_tails(g, factors, sr, si, ar, ai, tails):  # type: ignore[no-untyped-def]
    """Add Σ_k Re a_k s_k M_v(s_k g_j) where an overlap is 0 and others are not."""
    some = False
    for j in range(g.size):
        some = some or g[j] == 0
    if not some:
        return
    for j in range(g.size + 1):
        if j < g.size and g[j] == 0:
            continue
        for q in range(sr.size):
            wr, wi = ar[q] * sr[q] - ai[q] * si[q], ar[q] * si[q] + ai[q] * sr[q]
            if j < g.size:
                tails[j] += wr * factors[j, 0, q] - wi * factors[j, 1, q]
            else:
                tails[j] += wr
