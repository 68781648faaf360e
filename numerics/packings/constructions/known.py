"""Explicit systems of lines with exact overlaps, by n and m.

``construct(n, m)`` builds orthonormal bases, equiangular tight frames (simplices and those of
``numerics.packings.constructions.equiangular_frames``), root systems, mutually unbiased bases, the
600-cell and the Leech lattice.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from numerics.packings.constructions.equiangular_frames import equiangular_frame
from numerics.packings.constructions.finite_fields import golay_words
from numerics.packings.constructions.line_system import LineSystem
from theory.checks import LARGEST, check_integer
from theory.computing.argument_kinds import check_kinds
from theory.computing.memory import check_memory

Forms = list[NDArray[np.int64]]

_HALF = (sp.Integer(0), sp.Rational(1, 2))


@check_kinds
def construct(n: int, m: int) -> LineSystem | None:
    """Build n lines in R^m whose overlaps are known exactly, if a construction is known here.

    Parameters
    ----------
    n, m : int
        Lines and dimension, n >= 1, m >= 1.

    Returns
    -------
    LineSystem or None
        Each of them has the least possible coherence, by one of ``bounds(n, m)``, or, for the
        600-cell and the Leech lattice, by published proofs.

    Raises
    ------
    ValueError
        For n or m below 1.

    Examples
    --------
    >>> print(construct(28, 7))  # doctest: +ELLIPSIS
    28 lines in R^7, |t| of 1/3: quadratic form over F_2^6, non-zeros (Seidel 1976; ...
    >>> construct(36, 6).angles
    (0, 1/2)
    """
    n, m = check_integer("n", n, 1, LARGEST), check_integer("m", m, 1, LARGEST)
    if n <= m:
        check_memory(f"n = {n}, m = {m}", 8.0 * n * m, "these lines are orthonormal vectors")
        return LineSystem("orthonormal basis", np.eye(n, m), (sp.Integer(0),), "classical")
    if m == 1:
        return None
    known = _SPORADIC.get((n, m))
    return known() if known is not None else equiangular_frame(n, m)


def _lines(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return one of each pair of opposite points, as unit vectors of the space that they span."""
    # The one whose first non-zero entry is positive.
    lead = np.argmax(np.abs(points) > 1e-9, axis=1)
    points = points[points[np.arange(len(points)), lead] > 0]
    _, size, axes = np.linalg.svd(points, full_matrices=False)
    inside = points @ axes[size > 1e-9 * size[0]].T
    unit: NDArray[np.float64] = inside / np.linalg.norm(inside, axis=1, keepdims=True)
    return unit


def _signs(k: int) -> NDArray[np.float64]:
    return np.array(list(itertools.product((1.0, -1.0), repeat=k)))


def _d_roots(m: int) -> NDArray[np.float64]:
    """Roots of D_m: ±e_i ± e_j."""
    found = []
    for i, j in itertools.combinations(range(m), 2):
        for a, b in itertools.product((1.0, -1.0), repeat=2):
            root = np.zeros(m)
            root[[i, j]] = a, b
            found.append(root)
    return np.array(found)


def _e_roots(m: int) -> NDArray[np.float64]:
    """Roots of E_8, and those orthogonal to one (E_7) or to two that span an A_2 (E_6)."""
    halves = _signs(8) / 2
    roots = np.concatenate([_d_roots(8), halves[np.prod(halves, axis=1) > 0]])
    for i in range(8 - m):  # e_0 - e_1, and e_1 - e_2
        roots = roots[np.abs(roots[:, i] - roots[:, i + 1]) < 1e-9]
    return roots


def _root_lines(name: str, roots: NDArray[np.float64]) -> LineSystem:
    return LineSystem(f"{name} root lines", _lines(roots), _HALF, "Conway and Sloane 1999, ch. 4")


def _cell_600() -> LineSystem:
    """Return the 120 unit icosians, up to sign."""
    golden = (1 + 5**0.5) / 2
    points: list[Any] = [*np.eye(4), *-np.eye(4), *(_signs(4) / 2)]
    even = [p for p in itertools.permutations(range(4)) if _is_even(p)]
    for signs in _signs(3):
        base = np.array([0.0, *(signs * [1 / golden, 1.0, golden] / 2)])
        points += [base[list(p)] for p in even]
    angles = (0, sp.Rational(1, 2), (sp.sqrt(5) - 1) / 4, (sp.sqrt(5) + 1) / 4)
    return LineSystem("600-cell", _lines(np.array(points)), angles, "Coxeter 1973")


def _is_even(p: tuple[int, ...]) -> bool:
    return sum(p[i] > p[j] for i, j in itertools.combinations(range(len(p)), 2)) % 2 == 0


def _unbiased_bases(k: int) -> LineSystem:
    """Real mutually unbiased bases of R^(2^k), k = 2 or 4, from a Kerdock set of quadratic forms.

    Forms whose alternating parts differ by nonsingular matrices give vectors 2^(-k/2) (-1)^Q(x)
    with |t| = 2^(-k/2) between bases (Calderbank, Cameron, Kantor and Seidel 1997).
    """
    x = np.array(list(itertools.product((0, 1), repeat=k)))
    upper = list(itertools.combinations(range(k), 2))

    def form(bits: tuple[int, ...]) -> NDArray[np.int64]:
        A = np.zeros((k, k), dtype=np.int64)
        for bit, (i, j) in zip(bits, upper, strict=True):
            A[i, j] = bit
        return A

    def singular(A: NDArray[np.int64]) -> bool:
        both = (A + A.T) % 2
        return any(not ((both @ v) % 2).any() for v in x[1:])

    every = [form(bits) for bits in itertools.product((0, 1), repeat=len(upper))]

    def extend(chosen: Forms, rest: Forms) -> Forms | None:
        if len(chosen) == 2 ** (k - 1):
            return chosen
        for place, A in enumerate(rest):
            allowed = [B for B in rest[place + 1 :] if not singular((A + B) % 2)]
            found = extend([*chosen, A], allowed)
            if found is not None:
                return found
        return None

    start = [A for A in every[1:] if not singular(A)]
    kerdock = extend([every[0]], start)
    if kerdock is None:
        raise AssertionError("a Kerdock set exists for k = 2 and 4")
    linear = 1 - 2 * (x @ x.T % 2)
    bases: list[Any] = [np.eye(2**k)]
    for A in kerdock:
        quadratic = 1 - 2 * (np.einsum("ij,jk,ik->i", x, A, x) % 2)
        bases.append(linear * quadratic / 2 ** (k / 2))
    name = f"{len(bases)} mutually unbiased bases"
    angles = (sp.Integer(0), sp.Rational(1, 2 ** (k // 2)))
    return LineSystem(name, np.concatenate(bases), angles, "Calderbank et al. 1997")


def _leech_lines() -> LineSystem:
    """Minimal vectors of the Leech lattice, up to sign: 98280 lines in R^24."""
    words = golay_words()
    octads = words[words.sum(axis=1) == 8]
    points: list[Any] = []
    even = np.array([s for s in _signs(8) if np.prod(s) > 0]) * 2
    for octad in octads:
        block = np.zeros((len(even), 24))
        block[:, octad == 1] = even
        points.append(block)
    # (∓3, ±1^23): the upper signs on a word of the code.
    signs = 1.0 - 2 * words
    for place in range(24):
        turned = signs.copy()
        turned[:, place] *= -3
        points.append(turned)
    points.append(4 * _d_roots(24))
    angles = (0, sp.Rational(1, 4), sp.Rational(1, 2))
    vectors = _lines(np.concatenate(points))
    return LineSystem("Leech lattice, minimal vectors", vectors, angles, "Leech 1967")


_SPORADIC: dict[tuple[int, int], Callable[[], LineSystem]] = {
    (12, 4): lambda: _unbiased_bases(2),
    (144, 16): lambda: _unbiased_bases(4),
    (60, 4): _cell_600,
    (36, 6): lambda: _root_lines("E6", _e_roots(6)),
    (63, 7): lambda: _root_lines("E7", _e_roots(7)),
    (120, 8): lambda: _root_lines("E8", _e_roots(8)),
    (98280, 24): _leech_lines,
}
