"""Delsarte's linear programs: the best certificates that a degree allows.

``certify_packing(n, m, kind)`` bounds how close n lines or points must come,
``certify_energy(n, m, potential)`` the least energy. A floating-point solver (HiGHS) proposes a
polynomial; it is lowered by its violation, made rational and verified exactly, so that the number
is proved whatever the solver did.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, linprog

from theory.bounds.certificates import EnergyCertificate, Kind, PackingCertificate, Potential
from theory.bounds.gegenbauer import evaluate_gegenbauer
from theory.checks import LARGEST, check_integer
from theory.computing.argument_kinds import check_kinds
from theory.computing.one_thread import one_thread

Array = NDArray[np.float64]


# Chebyshev nodes at which a first program has constraints, and at which its solution is examined.
_FIRST, _FINE = 100, 12_000
# New constraints about a local maximum, in units of the distance between its two neighbours: the
# place where the next solution touches zero lies close by.
_OFFSETS = np.r_[0.0, [sign * 4.0**-k for k in range(1, 7) for sign in (-1, 1)]]
# Width to which the largest cosine is found with the first constraints only.
_ROUGH = 1e-3
# Programs solved one after another, and the violation (relative to the size) that ends it sooner.
_PROGRAMS, _FEASIBLE = 8, 1e-11
# Relative loss of a proved energy that ends it, too.
_NEGLIGIBLE = 1e-7
# Polynomials are kept this far below what they only touch, relative to their size, so that an
# exact proof exists: the least margin that succeeds is kept.
_MARGINS = (0.0, 1e-13, 1e-11, 1e-9, 1e-7)
# Steps back from the cosine that the floating-point solver reaches, until the proof holds.
_STEPS_BACK = (1e-12, 1e-10, 1e-8, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
# The exact proofs of higher degrees take minutes.
MAX_DEGREE = 60


def _nodes(low: float, high: float, count: int) -> Array:
    """Chebyshev points, the ends included."""
    angle = np.linspace(0, math.pi, count)
    return low + (high - low) * (1 - np.cos(angle)) / 2


def _solve(gain: Array, rows: Array, limits: Array, free: bool) -> Array | None:
    """Maximise gain·a with rows·a <= limits and a >= 0 (the first free, if so)."""
    size = np.maximum(np.abs(rows).max(axis=0), 1e-300)  # columns of one scale
    for method in ("highs", "highs-ipm"):  # the second where the first ends undecided
        found = linprog(
            -gain / size,
            A_ub=rows / size,
            b_ub=limits,
            bounds=[(None if free else 0, None)] + [(0, None)] * (gain.size - 1),
            method=method,
            options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
        )
        if found.status == 0:
            solution: Array = found.x / size
            return solution
        if found.status in (2, 3):  # infeasible or unbounded
            return None
    return None


def _peaks(t: Array, f: Array) -> Array:
    """Return the local maxima of f near 0 or above it, by parabolas through three neighbours."""
    inner = f[1:-1]
    at = np.flatnonzero((inner >= f[:-2]) & (inner >= f[2:]) & (inner > -1e-6)) + 1
    left, top, right = f[at - 1], f[at], f[at + 1]
    bend = np.minimum(left - 2 * top + right, -1e-300)
    shift = np.clip((left - right) / (2 * bend), -0.5, 0.5)
    peaks: Array = t[at] + shift * (t[at + 1] - t[at - 1]) / 2
    return peaks


def _refine(places: Array, violation: Array, t: Array) -> Array:
    """Return new constraints about the local maxima of a violation that was examined at t."""
    peaks = _peaks(t, violation)
    after = np.clip(np.searchsorted(places, peaks), 1, places.size - 1)
    gap = places[after] - places[after - 1]
    new = (peaks[:, None] + gap[:, None] * _OFFSETS).ravel()
    return np.unique(np.clip(np.r_[places, new], places[0], places[-1]))


def _largest(f: Callable[[Array], Array], t: Array, values: Array) -> float:
    """Return the largest value of a smooth function whose values at t are known."""
    return max(float(values.max()), float(f(_peaks(t, values)).max(initial=-math.inf)))


class _PackingProgram:
    """Least f(1)/a_0 over f = Σ a_k P_k <= 0 on [low, cosine], for one cosine after another."""

    def __init__(self, m: int, kind: Kind, degree: int) -> None:
        self.m, self.degree = m, degree
        self.step, self.low = (2, 0.0) if kind == "lines" else (1, -1.0)

    def solve(self, cosine: float, programs: int = _PROGRAMS) -> tuple[float, Array]:
        """Return f(1)/a_0 and a_k with a_0 = 1; infinity if no polynomial of the degree will do.

        After few programs f may still exceed 0 between the constraints, and f(1)/a_0 is too small.
        """
        a = np.zeros(self.degree + 1)
        a[0] = 1.0
        t, fine = _nodes(self.low, cosine, _FIRST), _nodes(self.low, cosine, _FINE)
        fine_values = evaluate_gegenbauer(self.m, self.degree, fine)
        for _ in range(programs):
            values = evaluate_gegenbauer(self.m, self.degree, t)[self.step :: self.step]
            found = _solve(-np.ones(len(values)), values.T, -np.ones(t.size), free=False)
            if found is None:
                return math.inf, a
            a[self.step :: self.step] = np.maximum(found, 0.0)
            f = a @ fine_values
            if f.max() <= _FEASIBLE * a.sum():
                break
            t = _refine(t, f, fine)
        return float(a.sum()), a

    def repair(self, cosine: float, a: Array) -> Iterator[tuple[Fraction, ...]]:
        """Lower a_0 until f < 0 on the interval, by one margin after another."""

        def f(t: Array) -> Array:
            return a @ evaluate_gegenbauer(self.m, self.degree, t)

        fine = _nodes(self.low, cosine, 4 * _FINE)
        most = max(_largest(f, fine, f(fine)), 0.0)
        for margin in _MARGINS:
            lowered = a.copy()
            lowered[0] -= most + margin * a.sum()
            yield tuple(map(Fraction, lowered))

    def largest_cosine(self, n: int) -> float:
        """Return the cosine from which on n points are allowed, as the solver finds it."""

        def excess(cosine: float, programs: int) -> float:
            return math.log(min(self.solve(cosine, programs)[0], 1e300) / n)

        # More points are allowed as the cosine grows, up to infinitely many.
        low, high = self.low, 1.0
        while high - low > _ROUGH:
            middle = (low + high) / 2
            low, high = (middle, high) if excess(middle, 1) < 0 else (low, middle)
        low, high = max(low - _ROUGH, self.low), min(high + _ROUGH, 1.0)
        if low == self.low or high == 1 or not excess(low, 4) < 0 < excess(high, 4):
            return high
        return float(brentq(excess, low, high, args=(4,), xtol=1e-10))


@one_thread()
@check_kinds
def certify_packing(
    n: int, m: int, kind: Kind = "lines", degree: int = 16
) -> PackingCertificate | None:
    """Find the largest cosine that n lines or points in R^m are proved to exceed.

    Parameters
    ----------
    n, m : int
        Points and dimension, at least 2 each.
    kind : {"lines", "code"}
        Whether t and -t count alike.
    degree : int
        Highest degree of the polynomial, 2 to 60.

    Returns
    -------
    PackingCertificate or None
        Verified; None where the method proves nothing (n <= m lines, say).

    Examples
    --------
    >>> certificate = certify_packing(28, 7)
    >>> certificate.verify(), round(float(certificate.cosine), 6)   # the lines have exactly 1/3
    (True, 0.333333)
    """
    n, m = check_integer("n", n, 2, LARGEST), check_integer("m", m, 2, LARGEST)
    degree = check_integer("degree", degree, 2, MAX_DEGREE)
    if kind not in ("lines", "code"):
        raise ValueError(f"kind = {kind!r} is not allowed: give 'lines' or 'code'")
    program = _PackingProgram(m, kind, degree)
    reached = program.largest_cosine(n)
    for back in _STEPS_BACK:
        cosine = reached - back
        if cosine <= program.low:
            return None
        allowed, a = program.solve(cosine)
        if allowed >= n:
            continue
        for coefficients in program.repair(cosine, a):
            found = PackingCertificate(n, m, kind, Fraction(cosine), coefficients)
            if found.verify():
                return found
    return None


@one_thread()
@check_kinds
def certify_energy(n: int, m: int, potential: Potential, degree: int = 16) -> EnergyCertificate:
    """Find the largest energy Σ_{i≠j} f(t_ij) that n unit vectors in R^m are proved to have.

    Parameters
    ----------
    n, m : int
        Points and dimension, m >= 2.
    potential : Potential
        The pair energy f >= 0.
    degree : int
        Highest degree of the polynomial, 2 to 60.

    Returns
    -------
    EnergyCertificate
        Verified; where nothing better is found it is h = 0, whose value 0 says nothing.

    Examples
    --------
    >>> from theory.bounds.certificates import PowerPotential
    >>> certificate = certify_energy(28, 7, PowerPotential(2))
    >>> certificate.verify(), round(float(certificate.value), 6)   # n²/m - n
    (True, 84.0)
    """
    n, m = check_integer("n", n, 2, LARGEST), check_integer("m", m, 2, LARGEST)
    degree = check_integer("degree", degree, 2, MAX_DEGREE)
    for name in ("even", "breaks", "conditions"):
        if not hasattr(potential, name):
            raise TypeError(
                f"potential = {potential!r} has no {name}: give a PowerPotential or a ReluPotential"
            )
    step = 2 if potential.even else 1
    pairs = list(pairwise(sorted({-1.0, *potential.breaks(), 1.0})))
    t = np.unique(np.concatenate([_nodes(a, b, _FIRST) for a, b in pairs]))
    fine = np.unique(np.concatenate([_nodes(a, b, _FINE) for a, b in pairs]))
    with np.errstate(all="ignore"):
        f_fine = np.asarray(potential(fine))
        fine_values = evaluate_gegenbauer(m, degree, fine)
    if not np.all(np.isfinite(f_fine)):
        raise ValueError(f"{potential} is not finite on [-1, 1] in float64: give smaller numbers")
    scale = float(f_fine.max())
    trivial = EnergyCertificate(n, m, potential, (Fraction(0),))
    if scale == 0:
        return trivial
    coefficients, excess = np.zeros(degree + 1), f_fine
    for _ in range(_PROGRAMS):
        values = evaluate_gegenbauer(m, degree, t)[::step]
        gain = np.r_[float(n - 1), -np.ones(len(values) - 1)]
        a = _solve(gain, values.T, np.asarray(potential(t)) / scale, free=True)
        if a is None:
            break
        coefficients[::step] = np.r_[a[0], np.maximum(a[1:], 0.0)] * scale
        excess = coefficients @ fine_values - f_fine
        proved = n * (n * coefficients[0] - coefficients.sum())
        loss = n * (n - 1) * max(float(excess.max()), 0.0)  # of lowering h by the violation
        if loss <= max(_NEGLIGIBLE * proved, _FEASIBLE * n * (n - 1) * scale):
            break
        t = _refine(t, excess / scale, fine)

    def violation(t: Array) -> Array:
        return coefficients @ evaluate_gegenbauer(m, degree, t) - potential(t)

    most = max(0.0, _largest(violation, fine, excess))
    for margin in _MARGINS:
        lowered = coefficients.copy()
        lowered[0] -= most + margin * scale
        found = EnergyCertificate(n, m, potential, tuple(map(Fraction, lowered)))
        if found.value > 0 and found.verify():
            return found
    return trivial
