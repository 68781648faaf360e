"""Equiangular tight frames from Seidel matrices, the signs of their overlaps.

``equiangular_frame(n, m)`` returns the frame of n lines in R^m where a construction here gives one.
A Seidel matrix S (0 on the diagonal, ±1 off it) with S² = (n - 1) I + a S has two eigenvalues
λ_1 > 0 > λ_2; I - S/λ_2 and I - S/λ_1 are the Gram matrices of frames with |t| = 1/|λ_2| and 1/λ_1.
The equation is checked in integers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from numerics.packings.constructions.finite_fields import (
    LARGEST_FIELD,
    Elements,
    factor_prime_power,
    field,
    golay_words,
)
from numerics.packings.constructions.line_system import LineSystem


def frames_of(S: NDArray[np.int64], name: str, source: str) -> list[LineSystem]:
    """Return both equiangular frames of a Seidel matrix.

    Raises
    ------
    ValueError
        If S² is not (n - 1) I + a S.

    Examples
    --------
    >>> simplex, single = frames_of(np.eye(4, dtype=int) - 1, "simplex", "classical")
    >>> simplex.m, simplex.coherence, single.m
    (3, 1/3, 1)
    """
    n = len(S)
    # BLAS products of whole numbers are exact here: the entries stay far below 2^53.
    real = S.astype(np.float64)
    square = np.rint(real @ real).astype(np.int64)
    a = int(square[0, 1] * S[0, 1])
    if not np.array_equal(square, (n - 1) * np.eye(n, dtype=S.dtype) + a * S):
        raise ValueError(f"{name}: S² is not (n - 1) I + a S, so the lines are no tight frame")
    root = sp.sqrt(sp.Integer(a * a + 4 * (n - 1)))
    top, bottom = (a + root) / 2, (a - root) / 2
    found = []
    for kept, other in ((top, bottom), (bottom, top)):
        # The multiplicities follow from the trace, which is 0.
        m = int(sp.nsimplify(n * other / (other - kept)))
        vectors = _factor(np.eye(n) - S / float(other), m)
        found.append(LineSystem(name, vectors, (abs(1 / other),), source))
    return found


def _factor(gram: NDArray[np.float64], m: int) -> NDArray[np.float64]:
    """Return n unit vectors in R^m with this Gram matrix (n/m times a projection)."""
    _, basis = np.linalg.eigh(gram)
    vectors = basis[:, -m:]
    unit: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def simplex(m: int) -> NDArray[np.int64]:
    """Signs of m + 1 lines in R^m: all overlaps negative."""
    return np.eye(m + 1, dtype=np.int64) - 1


def simplex_vectors(n: int) -> NDArray[np.float64]:
    """Return n unit vectors in R^(n-1) with overlaps -1/(n-1), the columns of a Helmert matrix.

    Examples
    --------
    >>> (simplex_vectors(4) @ simplex_vectors(4).T).round(6)[0]
    array([ 1.      , -0.333333, -0.333333, -0.333333])
    """
    k = np.arange(1.0, n)
    vectors = np.tril(np.ones((n - 1, n)))
    vectors[np.arange(n - 1), np.arange(1, n)] = -k
    vectors /= np.sqrt(k * (k + 1) * (n - 1) / n)[:, None]
    return np.ascontiguousarray(vectors.T)


def conference(q: int) -> NDArray[np.int64]:
    """Paley's symmetric conference matrix of order q + 1, for prime powers q = 1 modulo 4."""
    finite = field(q)
    every = np.arange(q)
    S = np.ones((q + 1, q + 1), dtype=np.int64)
    S[1:, 1:] = finite.character[finite.subtract(every[:, None], every[None, :])]
    S[0, 0] = 0
    return S


def _quadratic_form(k: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Q(x) = x_1 x_2 + x_3 x_4 + … on F_2^2k, and its bilinear form, over all points."""
    x = np.array(list(itertools.product((0, 1), repeat=2 * k)))
    form = (x[:, ::2] * x[:, 1::2]).sum(axis=1) % 2
    turned = x.reshape(-1, k, 2)[:, :, ::-1].reshape(-1, 2 * k)
    return form, x @ turned.T % 2


def symplectic(k: int) -> NDArray[np.int64]:
    """Signs (-1)^Q(x + y) of all points of F_2^2k."""
    form, bilinear = _quadratic_form(k)
    # Q(x + y) = Q(x) + Q(y) + B(x, y).
    S = 1 - 2 * ((form[:, None] + form[None, :] + bilinear) % 2)
    np.fill_diagonal(S, 0)
    return S


def quadric(k: int, value: int) -> NDArray[np.int64]:
    """Signs (-1)^B(x, y) of the points with Q(x) = value."""
    form, bilinear = _quadratic_form(k)
    chosen = np.flatnonzero(form == value)
    S = 1 - 2 * bilinear[np.ix_(chosen, chosen)]
    np.fill_diagonal(S, 0)
    return S


def unitary(q: int) -> NDArray[np.int64]:
    """Taylor's two-graph: characters of the Hermitian products of isotropic points, odd q."""
    finite = field(q * q)
    points = []
    for lead in range(3):
        for rest in itertools.product(range(q * q), repeat=2 - lead):
            points.append([*[0] * lead, 1, *rest])
    x = np.array(points)
    bar = finite.power(x, q)

    def product(a: Elements, b: Elements) -> Elements:
        terms = finite.multiply(a, b)
        return finite.add(finite.add(terms[..., 0], terms[..., 1]), terms[..., 2])

    isotropic = product(x, bar) == 0
    x, bar = x[isotropic], bar[isotropic]
    signs: NDArray[np.int64] = finite.character[product(x[:, None], bar[None, :])]
    return signs


def _blocks(through: int | None) -> NDArray[np.int64]:
    """Blocks of the Steiner system S(4, 7, 23); without those through one point, if asked."""
    words = golay_words()
    chosen = (words.sum(axis=1) == 8) & (words[:, 23] == 1)
    octads: NDArray[np.int64] = words[chosen][:, :23].astype(np.int64)
    return octads if through is None else octads[octads[:, through] == 0]


def blocks_176() -> NDArray[np.int64]:
    """Signs of the 176 blocks of S(4, 7, 23) that miss one point: they meet in 1 or 3 points."""
    blocks = _blocks(0)
    S = blocks @ blocks.T - 2  # 1 → -1, 3 → 1
    np.fill_diagonal(S, 0)
    return S


def blocks_276() -> NDArray[np.int64]:
    """Signs of the 23 points and 253 blocks of S(4, 7, 23)."""
    blocks = _blocks(None)
    inner = blocks @ blocks.T - 2
    np.fill_diagonal(inner, 0)
    across = 1 - 2 * blocks
    points = 1 - np.eye(23, dtype=np.int64)
    return np.block([[points, across.T], [across, inner]])


def hadamard(order: int) -> NDArray[np.int64] | None:
    """Return a Hadamard matrix with a first column of ones, by Paley's construction and doubling.

    Examples
    --------
    >>> H = hadamard(12)
    >>> np.array_equal(H @ H.T, 12 * np.eye(12)), hadamard(10) is None
    (True, True)
    """
    if order == 1:
        return np.array([[1]])
    if order % 4 == 0 and factor_prime_power(order - 1) is not None:
        finite, every = field(order - 1), np.arange(order - 1)
        H = np.ones((order, order), dtype=np.int64)
        H[1:, 1:] = finite.character[finite.subtract(every[:, None], every[None, :])] - np.eye(
            order - 1, dtype=np.int64
        )
        return H
    half = hadamard(order // 2) if order % 2 == 0 else None
    return None if half is None else np.block([[half, half], [half, -half]])


def steiner(k: int, v: int) -> NDArray[np.float64] | None:
    """Return the Steiner frame of v points, |t| = 1/r with r blocks through each point.

    The blocks are all pairs (k = 2), or the lines of a projective space over F_2 (k = 3). Each
    point's r blocks carry the columns of a Hadamard matrix of order r + 1 but its constant one
    (Fickus, Mixon and Tremain 2012); None where there is none.
    """
    pairs = list(itertools.combinations(range(1, v + 1), 2))
    blocks: list[tuple[int, ...]]
    if k == 2:
        blocks, r = list(pairs), v - 1
    elif (v + 1) & v:
        return None
    else:
        blocks, r = [(a, b, a ^ b) for a, b in pairs if a ^ b > b], (v - 1) // 2
    signs = hadamard(r + 1)
    if signs is None:
        return None
    vectors, used = np.zeros((v, r + 1, len(blocks))), [0] * (v + 1)
    for place, block in enumerate(blocks):
        for point in block:
            used[point] += 1
            vectors[point - 1, :, place] = signs[:, used[point]]
    frame: NDArray[np.float64] = vectors.reshape(-1, len(blocks)) / np.sqrt(r)
    return frame


_TAYLOR = "Taylor, Regular 2-graphs (1977)"
_STEINER_SYSTEM = "Lemmens and Seidel 1973; Goethals and Seidel 1975"


Source = tuple[int, str, str, Callable[..., NDArray[np.int64]], tuple[int, ...]]


def _sources() -> Iterator[Source]:
    """Yield order, name, source, function and arguments of each Seidel matrix known here."""
    for k in range(2, 6):
        half = 2 ** (k - 1)
        quadratic = f"quadratic form over F_2^{2 * k}"
        source = "Seidel 1976; Fickus and Mixon, arXiv 1504.00253"
        yield 4**k, f"{quadratic}, symplectic", source, symplectic, (k,)
        yield half * (2**k + 1), f"{quadratic}, zeros", source, quadric, (k, 0)
        yield half * (2**k - 1), f"{quadratic}, non-zeros", source, quadric, (k, 1)
    for q in (3, 5, 7):
        yield q**3 + 1, f"unitary two-graph, q = {q}", _TAYLOR, unitary, (q,)
    yield 176, "176 blocks of S(4, 7, 23)", _STEINER_SYSTEM, blocks_176, ()
    yield 276, "points and blocks of S(4, 7, 23)", _STEINER_SYSTEM, blocks_276, ()


@cache
def equiangular_frame(n: int, m: int) -> LineSystem | None:
    """Return an equiangular tight frame of n lines in R^m, where one is known here.

    Examples
    --------
    >>> equiangular_frame(28, 7).coherence, equiangular_frame(6, 3).coherence
    (1/3, sqrt(5)/5)
    >>> equiangular_frame(27, 7) is None
    True
    """
    if n == m + 1:
        return LineSystem("simplex", simplex_vectors(n), (sp.Rational(1, m),), "classical")
    sources = [source for source in _sources() if source[0] == n]
    if n == 2 * m and n % 4 == 2 and n <= LARGEST_FIELD and factor_prime_power(n - 1) is not None:
        paley = f"Paley conference matrix, q = {n - 1}"
        where = "Paley 1933; Lemmens and Seidel 1973"
        sources.insert(0, (n, paley, where, conference, (n - 1,)))
    for _, name, where, make, arguments in sources:
        for frame in frames_of(make(*arguments), name, where):
            if frame.m == m:
                return frame
    return _steiner_frame(n, m)


def _steiner_frame(n: int, m: int) -> LineSystem | None:
    # n = v (r + 1) and m = v r/k, with r = v - 1 for pairs and (v - 1)/2 for lines.
    for k in (2, 3):
        v = round((n * (k - 1)) ** 0.5) if k == 2 else round(((8 * n + 1) ** 0.5 - 1) / 2)
        r = (v - 1) // (k - 1)
        if v >= 4 and n == v * (r + 1) and k * m == v * r:
            vectors = steiner(k, v)
            if vectors is not None:
                name = f"Steiner frame of the {'pairs' if k == 2 else 'lines'} of {v} points"
                where = "Fickus, Mixon and Tremain 2012"
                return LineSystem(name, vectors, (sp.Rational(1, r),), where)
    return None
