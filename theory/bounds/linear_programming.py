"""Delsarte's linear programs: the best certificates that a degree allows.

Use ``certify_packing(n, m, kind)`` for how close n lines or points must come,
``certify_energy(n, m, potential)`` for the least energy. A floating-point solver (HiGHS) proposes;
what is returned is repaired, made rational and verified exactly, so the number is a theorem
whatever the solver did.
"""

from __future__ import annotations

import math
from collections import deque
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from theory.bounds.certificates import EnergyCertificate, Kind, PackingCertificate, Potential
from theory.bounds.gegenbauer import evaluate_gegenbauer
from theory.checks import check_integer

_GRID = 600
# Polynomials are kept this far below what they only touch, so that an exact proof exists.
_MARGIN = 1e-13
# Steps back from the cosine that the floating-point solver reaches, until the proof holds.
_BACK = (1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5)


def _nodes(low: float, high: float, count: int) -> NDArray[np.float64]:
    """Chebyshev points, the ends included."""
    angle = np.linspace(0, math.pi, count)
    return low + (high - low) * (1 - np.cos(angle)) / 2


def _solve(
    gain: NDArray[np.float64], rows: NDArray[np.float64], limits: NDArray[np.float64], free: bool
) -> NDArray[np.float64] | None:
    """Maximise gain·a with rows·a <= limits and a >= 0 (the first free, if so)."""
    size = np.maximum(np.abs(rows).max(axis=0), 1e-300)  # columns of one scale
    found = linprog(
        -gain / size,
        A_ub=rows / size,
        b_ub=limits,
        bounds=[(None if free else 0, None)] + [(0, None)] * (gain.size - 1),
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    return found.x / size if found.status == 0 else None


def _peaks(t: NDArray[np.float64], f: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the local maxima of f near 0 or above it, by parabolas through three neighbours."""
    inner = f[1:-1]
    at = np.flatnonzero((inner >= f[:-2]) & (inner >= f[2:]) & (inner > -1e-6)) + 1
    left, top, right = f[at - 1], f[at], f[at + 1]
    bend = np.minimum(left - 2 * top + right, -1e-300)
    shift = np.clip((left - right) / (2 * bend), -0.5, 0.5)
    peaks: NDArray[np.float64] = t[at] + shift * (t[at + 1] - t[at - 1]) / 2
    return peaks


class _PackingProgram:
    """Least f(1)/a_0 over f = Σ a_k P_k <= 0 on [low, cosine], for one cosine after another.

    Constraints stand at places in [0, 1] along the interval, to which each solution adds the places
    where it is above 0 between them.
    """

    def __init__(self, m: int, kind: Kind, degree: int) -> None:
        self.m, self.degree = m, degree
        self.step, self.low = (2, 0.0) if kind == "lines" else (1, -1.0)
        self._grid = _nodes(0.0, 1.0, _GRID)
        self._found: deque[NDArray[np.float64]] = deque(maxlen=12)

    def _places(self) -> NDArray[np.float64]:
        return np.unique(np.concatenate([self._grid, *self._found]))

    def _values(self, cosine: float, places: NDArray[np.float64]) -> NDArray[np.float64]:
        return evaluate_gegenbauer(self.m, self.degree, self.low + (cosine - self.low) * places)

    def solve(self, cosine: float) -> tuple[float, NDArray[np.float64]]:
        """Return f(1)/a_0 and a_k with a_0 = 1; infinity if no polynomial of the degree will do."""
        a = np.zeros(self.degree + 1)
        a[0] = 1.0
        places = self._places()
        values = self._values(cosine, places)[self.step :: self.step]
        found = _solve(-np.ones(len(values)), values.T, -np.ones(places.size), free=False)
        if found is None:
            return math.inf, a
        a[self.step :: self.step] = found
        fine = _nodes(0.0, 1.0, 10 * _GRID)
        self._found.append(_peaks(fine, a @ self._values(cosine, fine)))
        return float(a.sum()), a

    def repair(self, cosine: float, a: NDArray[np.float64], margin: float) -> tuple[Fraction, ...]:
        """Lower a_0 until f < 0 on the interval."""
        places = np.unique(np.r_[self._places(), _nodes(0.0, 1.0, 40 * _GRID)])
        lowered = a.copy()
        lowered[0] -= max(float((a @ self._values(cosine, places)).max()), 0.0) + margin
        return tuple(map(Fraction, lowered))


def certify_packing(
    n: int, m: int, kind: Kind = "lines", degree: int = 16
) -> PackingCertificate | None:
    """Find the largest cosine that n lines or points in R^m are proved to exceed.

    Parameters
    ----------
    n, m : int
        Points and dimension, m >= 2.
    kind : {"lines", "code"}
        Whether t and -t count alike.
    degree : int
        Highest degree of the polynomial.

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
    n, m = check_integer("n", n, 2), check_integer("m", m, 2)
    degree = check_integer("degree", degree, 2)
    program = _PackingProgram(m, kind, degree)
    # The count that a cosine allows grows with it: halve to the largest that allows fewer than n.
    # The second pass knows where the constraints matter, and undoes what the first did not know.
    low, high = program.low, 1.0
    for halvings in (25, 40):
        for _ in range(halvings):
            middle = (low + high) / 2
            allowed, _ = program.solve(middle)
            low, high = (middle, high) if allowed < n else (low, middle)
        low, high = max(low - 1e-3, program.low), min(high + 1e-3, 1.0)
    low += 1e-3
    for back in _BACK:
        cosine = low - back
        if cosine <= program.low:
            return None
        for _ in range(4):  # lets the constraints settle at this cosine
            allowed, a = program.solve(cosine)
        if allowed >= n:
            continue
        coefficients = program.repair(cosine, a, _MARGIN)
        found = PackingCertificate(n, m, kind, Fraction(cosine), coefficients)
        if found.verify():
            return found
    return None


def certify_energy(n: int, m: int, potential: Potential, degree: int = 16) -> EnergyCertificate:
    """Find the largest energy Σ_{i≠j} f(t_ij) that n unit vectors in R^m are proved to have.

    Parameters
    ----------
    n, m : int
        Points and dimension, m >= 2.
    potential : Potential
        The pair energy f >= 0.
    degree : int
        Highest degree of the polynomial.

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
    n, m = check_integer("n", n, 2), check_integer("m", m, 2)
    degree = check_integer("degree", degree, 2)
    step = 2 if potential.even else 1
    ends = sorted({-1.0, *potential.breaks(), 1.0})
    pairs = list(pairwise(ends))
    t = np.unique(np.concatenate([_nodes(a, b, _GRID) for a, b in pairs]))
    fine = np.unique(np.concatenate([_nodes(a, b, 20 * _GRID) for a, b in pairs]))
    f, f_fine = potential(t), potential(fine)
    scale = float(f.max())
    trivial = EnergyCertificate(n, m, potential, (Fraction(0),))
    if scale == 0:
        return trivial
    coefficients, excess = np.zeros(degree + 1), f_fine
    for _ in range(8):
        values = evaluate_gegenbauer(m, degree, t)[::step]
        gain = np.r_[float(n - 1), -np.ones(len(values) - 1)]
        a = _solve(gain, values.T, f / scale, free=True)
        if a is None:
            return trivial
        coefficients[::step] = a * scale
        excess = coefficients @ evaluate_gegenbauer(m, degree, fine) - f_fine
        peaks = _peaks(fine, excess)
        if excess.max() <= 1e-13 * scale or peaks.size == 0:
            break
        t = np.unique(np.r_[t, peaks])
        f = potential(t)
    for margin in (0.0, _MARGIN, 1e-11, 1e-9, 1e-7):
        lowered = coefficients.copy()
        lowered[0] -= max(float(excess.max()), 0.0) + margin * scale
        found = EnergyCertificate(n, m, potential, tuple(map(Fraction, lowered)))
        if found.value > 0 and found.verify():
            return found
    return trivial
