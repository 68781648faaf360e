"""Abscissa, step and number of ordinates of the transforms of dependent features (kernels).

``numerics.loss.laplace_plan`` has the same for independent features, and
``numerics.loss.laplace_kernels`` the three errors. Bounds of the transform come from messages of
positive numbers along the forest, at many abscissae, or many truncations, at once; each message
carries the logarithm of its size.
"""

from __future__ import annotations

import math

import numpy as np

from theory.computing.compiled import compiled

_E2 = math.e**2
# Real abscissae at which bounds are tabulated, in units of 1/(largest overlap).
THETA = np.geomspace(1 / 1024, 256, 32)
# Truncations that are tried at once, each larger than the last by this factor.
_RATIO = 1.25
# Largest number of ordinates.
_MOST = 4_000_000
# Least number of entries of the table on either side of the abscissa.
_BELOW, _ABOVE = 3, 5
# Sizes beyond which messages are divided, what stays of the smallest then, and the largest ln M_v
# that is carried in a message.
_LARGE, _TINY, _LOG_MOST = 1e100, 1e-250, 200.0
# Columns of the table of the law of v: cell ends, P(cell), step of the density.
_END, _SHARE, _FALL = 0, 1, 2
# Rows of the workspace of one entry a lane: the product at a state and of the whole forest, the
# places θ or ω, what is added to the logarithm or the terms of one input, the logarithm, the bound.
_HERE, _TOTAL, _THETA, _EXCESS, _LOG, _BOUND, _LINES = 0, 1, 2, 3, 4, 5, 6


@compiled(fastmath=True)
def _unit_mgf(u):  # type: ignore[no-untyped-def]
    """(e^u - 1)/u, the mean of e^{us} over s ~ U(0, 1)."""
    return 1.0 + u / 2 if abs(u) < 2e-9 else math.expm1(u) / u


@compiled(fastmath=True)
def _mgf_v(x, law):  # type: ignore[no-untyped-def]
    """M_v(x) = ⟨e^{xv}⟩ for real x: e^{x low} (e^u - 1)/u Σ_l P_l e^{lu}, u = x times a width."""
    u = (law[1, _END] - law[0, _END]) * x
    mgf, cells = _unit_mgf(u), law.shape[0] - 1
    if cells > 1:
        total, turn = 0.0, math.exp(u)
        for cell in range(cells - 1, -1, -1):
            total = total * turn + law[cell, _SHARE]
        mgf *= total
    return mgf if law[0, _END] == 0 else mgf * math.exp(law[0, _END] * x)


@compiled()
def _log_mgf_v(x, law):  # type: ignore[no-untyped-def]
    """Return ln M_v(x), where M_v itself may overflow."""
    cells = law.shape[0] - 1
    high = law[cells, _END]
    if abs(x) * high < 40:
        return math.log(_mgf_v(x, law))
    # With the largest exponential taken out.
    u = (law[1, _END] - law[0, _END]) * abs(x)
    total, turn = 0.0, math.exp(-u)
    for cell in range(cells):
        total = total * turn + law[cell if x > 0 else cells - 1 - cell, _SHARE]
    largest = x * high if x > 0 else x * law[0, _END]
    return largest + math.log(-math.expm1(-u)) - math.log(u) + math.log(max(total, 1e-300))


@compiled()
def _slope_v(x, law):  # type: ignore[no-untyped-def]
    """N_v(x) = ⟨v e^{xv}⟩ for real x."""
    width = law[1, _END] - law[0, _END]
    u = width * x
    if abs(u) < 0.04:
        mgf = 1 + u * (1 / 2 + u * (1 / 6 + u * (1 / 24 + u / 120)))
        slope = 1 / 2 + u * (1 / 3 + u * (1 / 8 + u * (1 / 30 + u / 144)))
    else:
        mgf = math.expm1(u) / u
        slope = (math.exp(u) * (u - 1) + 1) / (u * u)
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
def _saddle(log_bound, below, above):  # type: ignore[no-untyped-def]
    """Place of the least bound, but for the first and the last few entries of the table."""
    best = below
    for a in range(below, log_bound.size - above):
        if log_bound[a] < log_bound[best]:
            best = a
    return best


@compiled()
def _allow(tree, variable, state, is_on, allow):  # type: ignore[no-untyped-def]
    """Fill in 1 at the states in which the own feature is on (off), and at those of others."""
    start = tree.state_start
    for s in range(allow.size):
        allow[s] = 1.0
    for s in range(start[variable], start[variable + 1]):
        allow[s] = 1.0 if (s - start[variable] == state) == is_on else 0.0


@compiled()
def _extremes(tree, g, allow, low, high, most, top):  # type: ignore[no-untyped-def]
    """Return how many felt inputs can be active together at most, and the largest Σ g x.

    ``most`` and ``top``, one entry a state, are workspace.
    """
    for state in range(most.size):
        most[state], top[state] = 0.0, 0.0
    all_most, all_top = 0.0, 0.0
    for k in range(tree.order.size):
        a = tree.order[k]
        first = tree.state_start[a]
        for state in range(first, tree.state_start[a + 1]):
            for at in range(tree.feature_start[state], tree.feature_start[state + 1]):
                weight = g[tree.features[at]]
                most[state] += 1.0 if weight != 0 else 0.0
                top[state] += max(weight * low, weight * high)
        for above in range(tree.rows[a]):
            entry = tree.table_start[a] + above * tree.size[a]
            here, largest = -math.inf, -math.inf
            for s in range(tree.size[a]):
                if tree.table[entry + s] * allow[first + s] > 0:
                    here, largest = max(here, most[first + s]), max(largest, top[first + s])
            if tree.parent[a] < 0:
                all_most, all_top = all_most + here, all_top + largest
            else:
                to = tree.state_start[tree.parent[a]] + above
                most[to] += here
                top[to] += largest
    return all_most, all_top


@compiled(fastmath=True)
def _rescale(rows, scale):  # type: ignore[no-untyped-def]
    """Divide rows (several, lanes) by their largest where that is large or tiny; note its log.

    Entries above 0 stay so: a bound from above remains one.
    """
    for q in range(rows.shape[1]):
        top = 0.0
        for k in range(rows.shape[0]):
            top = max(top, rows[k, q])
        if top > _LARGE or (0 < top < 1 / _LARGE):
            scale[q] += math.log(top)
            for k in range(rows.shape[0]):
                if rows[k, q] > 0:
                    rows[k, q] = max(rows[k, q] / top, _TINY)


@compiled(fastmath=True)
def _log_transform(tree, g, allow, work, out):  # type: ignore[no-untyped-def]
    """Log of the polynomial of the forest at factors (n, lanes), above 0, of the felt inputs."""
    values, messages, products, seen, lines = work
    here, total, lanes = lines[_HERE], lines[_TOTAL : _TOTAL + 1], out.size
    for a in range(seen.size):
        seen[a] = 0.0
    for q in range(lanes):
        out[q], total[0, q] = 0.0, 1.0
    for k in range(tree.order.size):
        a = tree.order[k]
        rows, inner = messages[: tree.rows[a]], tree.inner[a]
        for above in range(rows.shape[0]):
            for q in range(lanes):
                rows[above, q] = 0.0
        for s in range(tree.size[a]):
            state = tree.state_start[a] + s
            if allow[state] == 0:
                continue
            for q in range(lanes):
                here[q] = 1.0
            if inner:
                for q in range(lanes):
                    here[q] = products[tree.slot[a] + s, q]
            for at in range(tree.feature_start[state], tree.feature_start[state + 1]):
                j = tree.features[at]
                if g[j] != 0:
                    for q in range(lanes):
                        here[q] *= values[j, q]
            for above in range(rows.shape[0]):
                weight = tree.table[tree.table_start[a] + above * tree.size[a] + s]
                if weight != 0:
                    for q in range(lanes):
                        rows[above, q] += weight * here[q]
        _rescale(rows, out)
        parent = tree.parent[a]
        if parent < 0:
            for q in range(lanes):
                total[0, q] *= rows[0, q]
            _rescale(total, out)
            continue
        kept = products[tree.slot[parent] : tree.slot[parent] + tree.size[parent]]
        for s in range(kept.shape[0]):
            if seen[parent] > 0:
                for q in range(lanes):
                    kept[s, q] *= rows[s, q]
            else:
                for q in range(lanes):
                    kept[s, q] = rows[s, q]
        if seen[parent] > 0:
            _rescale(kept, out)
        seen[parent] = 1.0
    for q in range(lanes):
        out[q] += math.log(max(total[0, q], 1e-300))


@compiled()
def _log_bounds(tree, g, allow, b, own, law, work, out, bound):  # type: ignore[no-untyped-def]
    """Tabulate ln M, and ln of Chernoff's bound of ⟨ReLU(z)²⟩ or ⟨ReLU(z)² + 2 v ReLU(z)⟩.

    ReLU(z)² <= 4/(e²θ²) e^{θz}, ReLU(z) <= e^{θz}/(eθ), v <= high.
    """
    values, _, _, _, lines = work
    theta, excess = lines[_THETA], lines[_EXCESS]
    lanes, high = theta.size, law[law.shape[0] - 1, _END]
    plain, width = law.shape[0] == 2 and law[0, _END] == 0, law[1, _END] - law[0, _END]
    for q in range(lanes):
        excess[q] = 0.0
    for state in range(allow.size):
        together = tree.feature_start[state + 1] - tree.feature_start[state]
        for at in range(tree.feature_start[state], tree.feature_start[state + 1]):
            j = tree.features[at]
            if g[j] == 0 or allow[state] == 0:
                continue
            limit = _LOG_MOST / together
            for q in range(lanes):
                x = theta[q] * g[j]
                if x * high < limit:
                    values[j, q] = _unit_mgf(width * x) if plain else _mgf_v(x, law)
                else:  # M is at most linear in each factor: the rest multiplies the whole
                    size = _log_mgf_v(x, law)
                    values[j, q] = math.exp(min(size, limit))
                    excess[q] += max(size - limit, 0.0)
    _log_transform(tree, g, allow, work, out)
    for q in range(lanes):
        t = theta[q]
        out[q] += excess[q]
        size = math.log(4 / (_E2 * t * t) + (2 * high / (math.e * t) if own != 0 else 0.0))
        bound[q] = out[q] + t * b + _log_mgf_v(t * own, law) + size


@compiled()
def _truncate(  # type: ignore[no-untyped-def]
    tree, g, allow, b, own, tolerance, none, single, law, c, step, still, falling, work
):
    """Return the number of ordinates, and a bound of what is left out beyond them."""
    values, _, _, _, lines = work
    places, first, out = lines[_THETA], lines[_EXCESS], lines[_LOG]
    n, lanes = g.size, places.size
    for j in range(n):
        if g[j] != 0:
            still[j] = _mgf_v(c * g[j], law)
            falling[j] = _falling(c * g[j], law)[0] / abs(g[j])
    own_mgf, own_slope = _mgf_v(c * own, law), _slope_v(c * own, law)
    plain, weighted = _falling(c * own, law)
    omega, size = max(c, step), math.exp(c * b) / math.pi
    while omega < _MOST * step:
        for q in range(lanes):
            places[q], first[q] = omega * math.pow(_RATIO, q), none
        for j in range(n):
            if g[j] != 0:
                for q in range(lanes):
                    values[j, q] = min(still[j], falling[j] / places[q])
                    first[q] += single[j] * values[j, q]
        _log_transform(tree, g, allow, work, out)
        for q in range(lanes):
            place = places[q]
            kernel = 1 / (place * place)
            if own != 0:
                x = place * abs(own)
                mgf = min(own_mgf, plain / x)
                slope = min(own_slope, weighted / x + plain / (x * x))
                kernel = mgf / (place * place) + 2 * slope / place
            product = math.exp(out[q])
            # The difference of equals leaves rounding: never claim less than that.
            rest = max(product - first[q], 1e-15 * product)
            if size * kernel * rest <= tolerance:
                return int(place / step) + 1, size * kernel * rest
        omega = places[lanes - 1] * _RATIO
    return 0, math.inf


@compiled()
def _plan(  # type: ignore[no-untyped-def]
    tree, g, allow, b, own, tolerance, none, single, law, unit_theta, of_states, of_inputs, work,
    out,
):  # fmt: skip
    """Abscissa, step, number of ordinates (0: nothing to sum), error bound and M(abscissa).

    ``of_states``, ``of_inputs`` and ``work`` are workspace.
    """
    for k in range(out.size):
        out[k] = 0.0
    low, high = law[0, _END], law[law.shape[0] - 1, _END]
    most, top = _extremes(tree, g, allow, low, high, of_states[0], of_states[1])
    top += b + max(own * low, own * high)
    if top <= 0 or most <= 1:  # z is never above 0, or the closed parts have every case
        return
    scale, lines = abs(own), work[4]
    for j in range(g.size):
        scale = max(scale, abs(g[j]))
    theta, log_transform, log_bound = lines[_THETA], lines[_LOG], lines[_BOUND]
    for q in range(theta.size):
        theta[q] = unit_theta[q] / scale
    _log_bounds(tree, g, allow, b, own, law, work, log_transform, log_bound)
    least = log_bound[_saddle(log_bound, 0, 0)]
    if least < math.log(tolerance / 2):
        out[3] = math.exp(least)
        return
    best = _saddle(log_bound, _BELOW, _ABOVE)
    c, transform = theta[best], math.exp(log_transform[best])
    step = 2 * math.pi / _period(log_bound, theta, c, tolerance / 2)
    count, bound = _truncate(
        tree, g, allow, b, own, tolerance / 2, none, single, law, c, step, of_inputs[0],
        of_inputs[1], work,
    )  # fmt: skip
    out[0], out[1], out[2] = c, step, count
    out[3], out[4] = tolerance / 2 + bound, transform


@compiled(nogil=True)
def plan_rows(  # type: ignore[no-untyped-def]
    tree, variable, state, gram, none, single, own, weight, b, reflected, tolerance, law, theta
):
    """Plan the sums of rows of outputs, for their own input silent and active.

    Parameters
    ----------
    tree : Tree
        The forest.
    variable, state : ndarray, shape (rows,)
        Where the own feature of each row is on.
    gram : ndarray, shape (rows, n)
        Overlaps with the other inputs; that with the own one is 0 here.
    none, single : ndarray, shapes (rows, 2) and (rows, 2, n)
        P(no other felt input is active), P(that one only is), own feature off and on.
    own, weight, b : ndarray, shape (rows,)
        Own overlap, importance and bias; rows of importance 0 are left out.
    reflected : ndarray of bool, shape (rows, 2)
        Whether the mean is of -z.
    tolerance : float
        Error allowed in the weighted loss of one output.
    law, theta : ndarray
        ``law_table`` of the law of v, and ``THETA``.

    Returns
    -------
    ndarray, shape (rows, 2, 5)
        Abscissa, step, number of ordinates, error bound, transform at the abscissa.
    """
    rows, n = gram.shape
    states, lanes, largest = tree.state_start[tree.order.size], theta.size, 1
    for a in range(tree.order.size):
        largest = max(largest, tree.rows[a])
    out, g, allow = np.empty((rows, 2, 5)), np.empty(n), np.empty(states)
    of_states, of_inputs = np.empty((2, states)), np.empty((2, n))
    work = (
        np.empty((n, lanes)),
        np.empty((largest, lanes)),
        np.empty((tree.slot[tree.order.size], lanes)),
        np.empty(tree.order.size),
        np.empty((_LINES, lanes)),
    )
    for r in range(rows):
        for part in range(2):
            if weight[r] == 0:
                for k in range(5):
                    out[r, part, k] = 0.0
                continue
            _allow(tree, variable[r], state[r], part == 1, allow)
            sign = -1.0 if reflected[r, part] else 1.0
            for j in range(n):
                g[j] = sign * gram[r, j]
            _plan(
                tree, g, allow, sign * b[r], 0.0 if part == 0 else sign * own[r],
                tolerance / (2 * weight[r]), none[r, part], single[r, part], law, theta,
                of_states, of_inputs, work, out[r, part],
            )  # fmt: skip
    return out
