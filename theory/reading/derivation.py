"""The recall law derived by symbols: means and covariances of scores, and the widths that follow.

``derive_recall()`` returns the steps; ``theory.reading.score_law`` evaluates the joint law in them,
``theory.reading.combinations.asymptotic_width`` the last one.
"""

from __future__ import annotations

from functools import lru_cache

import sympy as sp

from theory.derivation import Derivation, Step, m, n

k = sp.Symbol("k", positive=True, integer=True)
_t, _r = sp.symbols("t r", positive=True)
_on, _off, _w = sp.symbols("lambda_1 lambda_0 w", positive=True)
_R, _Y = sp.Symbol("R", positive=True), sp.Symbol("Y", real=True)
# Entries of two directions of variance 1/m, and of the rest of the state.
_a, _b, _c = sp.symbols("a b c", real=True)


def _mean(expression: sp.Expr, variances: dict[sp.Symbol, sp.Expr]) -> sp.Expr:
    """Return the mean of a polynomial in independent normal variables of mean 0."""
    polynomial = sp.Poly(sp.expand(expression), *variances)
    total = sp.S.Zero
    for powers, coefficient in polynomial.terms():
        term = coefficient
        for power, variance in zip(powers, variances.values(), strict=True):
            odd = power % 2
            term *= 0 if odd else sp.factorial2(power - 1) * variance ** sp.Rational(power, 2)
        total += term
    return sp.factor(total)


@lru_cache(maxsize=1)
def derive_recall() -> Derivation:
    """Derive the moments of the scores, the law of their joint success and the asymptotic widths.

    Returns
    -------
    Derivation
        Steps with expressions in k, m, n, t, r.

    Examples
    --------
    >>> steps = derive_recall()
    >>> steps["variance, on"], steps["covariance, on"]
    ((k + 1)/m, 1/m)
    >>> steps["width"]
    Eq(m, k*(lambda_0*(2*r - 2*t + 1) + lambda_1*(2*t - 1))**2)
    """
    # One entry of each direction: s_1 = Σ_entries a (a + b + c), with c the sum of k - 2 others.
    entry = {_a: 1 / m, _b: 1 / m, _c: (k - 2) / m}
    first, second = _a * (_a + _b + _c), _b * (_a + _b + _c)
    mean_on = m * _mean(first, entry)
    variance_on = sp.factor(m * (_mean(first**2, entry) - _mean(first, entry) ** 2))
    covariance = sp.factor(
        m * (_mean(first * second, entry) - _mean(first, entry) * _mean(second, entry))
    )
    other = {_a: 1 / m, _c: k / m}
    variance_off = sp.factor(m * _mean((_a * _c) ** 2, other))
    normal = sp.Function("Phi")
    density = sp.exp(-(_Y**2) / 2) / sp.sqrt(2 * sp.pi)
    member = normal(_R / sp.sqrt(k) - _w + sp.I * _Y / sp.sqrt(k))
    above = sp.Integral(density * member**k, (_Y, -sp.oo, sp.oo))
    sigma = sp.sqrt(variance_off)
    lowest = _t - sigma * (_t * _on + (_r - _t) * _off)
    highest = (_t - 1) + sigma * ((_t - 1) * _on + (_r - _t + 1) * _off)
    root = sp.Symbol("x", positive=True)  # √m
    gap = sp.expand((lowest - highest).subs(m, root**2))
    width = sp.solve(gap, root)[0]
    factored = k * sp.collect(sp.expand(width / sp.sqrt(k)), (_on, _off)) ** 2
    return Derivation(
        "Reading k of n items from a superposed state of m numbers",
        (
            Step(
                "mean, on",
                "h = Σ u_i over the k items that are on, with independent normal entries of "
                "variance 1/m; the score of one that is on, s_i = u_i·h, has the mean",
                mean_on,
            ),
            Step(
                "variance, on",
                "and the variance (k - 1)/m from the others, 2/m from its own length:",
                variance_on,
            ),
            Step("covariance, on", "Two items that are on share their overlap:", covariance),
            Step(
                "variance, off",
                "An item that is off has the mean 0, and given h independent normal scores of "
                "variance |h|²/m, on average",
                variance_off,
            ),
            Step(
                "joint law",
                "Given h, a direction that is on is h/k plus its deviation from the mean of k "
                "normal vectors. With σ = |h|/√m and R = √m |h|/√k, which is chi-distributed with "
                "m degrees of freedom, s_i/σ = R/√k + Z_i - mean(Z). Its covariance δ_ij - 1/k is "
                "that of Z_i + √-1 Y/√k with Y ~ N(0, 1), so all k exceed σ w with probability",
                above,
            ),
            Step(
                "all above",
                "Averaged over R and over the largest w of the n - k others, of distribution",
                normal(_w) ** (n - k),
            ),
            Step(
                "extremes",
                "For large k and n - k the lowest score that is on lies λ_1 σ below 1, the highest "
                "of the others λ_0 σ above 0, and those next to them as far, with",
                sp.Tuple(
                    sp.Eq(_on, sp.sqrt(2 * sp.log(k))), sp.Eq(_off, sp.sqrt(2 * sp.log(n - k)))
                ),
            ),
            Step(
                "lowest sum",
                "Sums of r scores: the lowest with t items on is",
                lowest,
            ),
            Step("highest sum", "the highest with t - 1 on", highest),
            Step("width", "They are equal at the width", sp.Eq(m, factored)),
            Step("single items", "t = r = 1:", sp.Eq(m, factored.subs({_t: 1, _r: 1}))),
            Step("AND", "t = r = 2:", sp.Eq(m, factored.subs({_t: 2, _r: 2}))),
        ),
        {("width", "asymptotic"): factored},
    )
