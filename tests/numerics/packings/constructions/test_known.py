import csv
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

from numerics.packings.constructions.equiangular_frames import (
    conference,
    equiangular_frame,
    frames_of,
    hadamard,
    quadric,
    steiner,
)
from numerics.packings.constructions.finite_fields import (
    FiniteField,
    factor_prime_power,
    golay_words,
)
from numerics.packings.constructions.known import construct
from theory.bounds.packing_bounds import bounds, equiangular_conditions, frame_potential

with (Path(__file__).parents[3] / "data" / "known_optimal.csv").open() as _file:
    KNOWN = [(int(r["n"]), int(r["m"]), r["coherence_exact"]) for r in csv.DictReader(_file)]


@pytest.mark.parametrize(("n", "m", "exact"), KNOWN)
def test_every_known_optimal_system(n, m, exact):
    lines = construct(n, m)
    assert (lines.n, lines.m) == (n, m)
    assert sp.simplify(lines.coherence - sp.sympify(exact)) == 0
    gram = lines.vectors @ lines.vectors.T
    assert np.abs(np.diag(gram) - 1).max() < 1e-13
    # Every overlap is one of those that are claimed, and each of them occurs.
    t = np.abs(gram[~np.eye(n, dtype=bool)])
    distance = np.abs(t[:, None] - np.array([float(x) for x in lines.angles]))
    assert distance.min(axis=1).max() < 1e-12
    assert np.all(distance.min(axis=0) < 1e-12)
    assert np.linalg.matrix_rank(lines.vectors) == m
    assert lines.exact_overlap(0, 0) == 1 and abs(lines.exact_overlap(0, 1)) in lines.angles


def test_nothing_is_built_that_cannot_be():
    for n, m in ((27, 7), (8, 3), (22, 11), (2, 1), (61, 4)):
        assert construct(n, m) is None
    for n in range(3, 60):
        for m in range(2, n):
            frame = equiangular_frame(n, m)
            if frame is not None:
                assert all(equiangular_conditions(n, m).values())
                assert frame.coherence == bounds(n, m, degree=0)["welch_1"].exact


def test_frames_are_tight():
    for n, m in ((28, 7), (126, 21), (176, 22), (26, 13), (120, 35)):
        V = construct(n, m).vectors
        assert V.T @ V == pytest.approx(n / m * np.eye(m), abs=1e-10)
        assert np.sum((V @ V.T) ** 2) == pytest.approx(float(frame_potential(n, m)))


@pytest.mark.parametrize(("k", "v"), [(2, 4), (2, 8), (2, 12), (2, 20), (3, 7), (3, 15)])
def test_steiner_frames(k, v):
    vectors = steiner(k, v)
    n, m = vectors.shape
    r = (v - 1) // (k - 1)
    t = np.abs((vectors @ vectors.T)[~np.eye(n, dtype=bool)])
    assert t == pytest.approx(1 / r, abs=1e-14)
    assert vectors.T @ vectors == pytest.approx(n / m * np.eye(m), abs=1e-12)
    assert construct(n, m).coherence == sp.Rational(1, r)


def test_steiner_frames_that_nothing_else_gives():
    assert construct(144, 66).name == "Steiner frame of the pairs of 12 points"
    assert steiner(2, 10) is None and steiner(3, 9) is None


@pytest.mark.parametrize("order", [1, 2, 4, 8, 12, 20, 24, 28, 32, 48])
def test_hadamard_matrices(order):
    H = hadamard(order)
    assert np.array_equal(H @ H.T, order * np.eye(order)) and np.all(H[:, 0] == 1)


def test_signs_that_are_no_frame_are_refused():
    S = conference(13)
    S[0, 1] = S[1, 0] = -S[0, 1]
    with pytest.raises(ValueError, match="no tight frame"):
        frames_of(S, "broken", "")
    with pytest.raises(ValueError, match="no tight frame"):
        frames_of(quadric(3, 1)[:-1, :-1], "short", "")


def test_overlaps_that_are_not_as_claimed_are_refused():
    from numerics.packings.constructions.line_system import LineSystem

    wrong = LineSystem("wrong", np.eye(3) + 0.1, (sp.Rational(1, 3),))
    with pytest.raises(ArithmeticError, match="none of"):
        wrong.exact_overlap(0, 1)


@pytest.mark.parametrize("q", [2, 3, 4, 5, 7, 8, 9, 16, 25, 27, 49])
def test_fields(q):
    field = FiniteField(q)
    every = np.arange(q)
    a, b = np.meshgrid(every, every)
    product = field.multiply(a, b)
    # Each row of the tables is a permutation; 0 and 1 are neutral.
    assert np.array_equal(np.sort(field.add(a, b)[3 % q]), every)
    assert np.array_equal(np.sort(product[1:, 1:], axis=1), np.tile(every[1:], (q - 1, 1)))
    assert np.array_equal(field.add(every, 0), every)
    assert np.array_equal(field.multiply(every, 1), every)
    rng = np.random.default_rng(q)
    x, y, z = rng.integers(q, size=(3, 200))
    left = field.multiply(x, field.add(y, z))
    assert np.array_equal(left, field.add(field.multiply(x, y), field.multiply(x, z)))
    assert np.array_equal(field.subtract(field.add(x, y), y), x)
    assert np.array_equal(field.power(x, 3), field.multiply(x, field.multiply(x, x)))
    assert np.array_equal(field.power(every, q), every)
    if q % 2:
        squares = set(field.multiply(every[1:], every[1:]).tolist())
        assert squares == set(np.flatnonzero(field.character == 1).tolist())
        assert field.character.sum() == 0


def test_no_field_has_six_elements():
    with pytest.raises(ValueError, match="q = 6 is not allowed"):
        FiniteField(6)
    assert factor_prime_power(1) is None and factor_prime_power(97) == (97, 1)


def test_golay_words_are_a_code():
    words = golay_words()
    assert words.shape == (4096, 24)
    distances = (words[:50, None] ^ words[None]).sum(axis=2)
    assert set(np.unique(distances)) == {0, 8, 12, 16, 24}


@pytest.mark.slow
def test_the_leech_lattice():
    lines = construct(98280, 24)
    assert lines.n == 98280
    t = np.abs(lines.vectors[:200] @ lines.vectors.T)
    assert set(np.unique(t.round(9))) == {0, 0.25, 0.5, 1}


def test_bad_input():
    with pytest.raises(ValueError, match="n = 0"):
        construct(0, 3)
