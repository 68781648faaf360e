import numpy as np
import pytest
from scipy.optimize import minimize

from numerics.packings.deadline import NEVER
from numerics.packings.descent import descend
from numerics.packings.energies import p_frame, relu_energy, soft_maximum
from numerics.packings.interior_point import largest_overlap, polish
from numerics.packings.kernels import add_newton_terms, descend_orbits, descend_soft_maximum
from numerics.packings.starts import kick, random_start, symmetric_start
from numerics.packings.symmetric import SymmetricSearch


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_descent_ends_where_scipy_ends(precision):
    U = random_start(30, 4, np.random.default_rng(0)).astype(precision)
    ones = np.ones(30)

    def energy(V):
        return relu_energy(V, ones, -0.3 * ones, ones / 30)

    found = descend(U, energy, 2000)
    assert found.dtype == precision

    def plain(x):
        X = x.reshape(30, 4)
        size = np.linalg.norm(X, axis=1, keepdims=True)
        value, slope = energy(X / size)
        return value, (
            (slope - X / size * np.sum(slope * X / size, 1, keepdims=True)) / size
        ).ravel()

    x = minimize(plain, found.astype(np.float64).ravel(), jac=True, method="BFGS").x
    assert energy(found)[0] == pytest.approx(
        plain(x)[0], rel=1e-4 if precision == np.float32 else 1e-7
    )
    assert energy(found)[0] < 0.7 * energy(U)[0]


def test_descent_lowers_and_stays_on_the_sphere():
    U = random_start(12, 4, np.random.default_rng(9))
    for iterations in (1, 5, 50):
        lower = descend(U, lambda V: p_frame(V, 6.0), iterations)
        assert p_frame(lower, 6.0)[0] < p_frame(U, 6.0)[0]
        assert np.linalg.norm(lower, axis=1) == pytest.approx(np.ones(12), abs=1e-12)
    # An energy that reaches 0, in single precision: nothing to divide by.
    U, ones = random_start(6, 4, np.random.default_rng(0)).astype(np.float32), np.ones(6)
    free = descend(U, lambda V: relu_energy(V, ones, -0.5 * ones, ones), 500)
    assert relu_energy(free, ones, -0.5 * ones, ones)[0] == 0
    tight = descend(np.eye(4), lambda V: p_frame(V, 2.0), 10)  # nothing to gain
    assert np.array_equal(tight, np.eye(4))


@pytest.mark.parametrize("lines", [True, False])
def test_compiled_descent_against_the_general_one(lines):
    U = random_start(14, 5, np.random.default_rng(1))
    for p in (15.0, 100.0):
        found, estimate = descend_soft_maximum(U, p, lines, 3000, 1e-9, NEVER.flag)
        plain = descend(found, lambda V, p=p: soft_maximum(V, p, lines), 3000)
        assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(14))
        value, slope = soft_maximum(found, p, lines)
        assert soft_maximum(plain, p, lines)[0] == pytest.approx(value, abs=1e-8)
        # The estimate is the mean overlap under the weights: half of Σ u · slope.
        assert estimate == pytest.approx(np.sum(found * slope) / 2, abs=1e-9)


def test_newton_matrix_against_differences():
    """Σ λ σ t along great circles: second differences are the quadratic form of the matrix."""
    rng = np.random.default_rng(2)
    n, m = 6, 4
    U = random_start(n, m, rng)
    first, second = np.triu_indices(n, 1)
    sign, dual = rng.choice([-1.0, 1.0], 15), rng.random(15)
    matrix, pull = np.empty((n * m, n * m)), np.empty((n, m))
    add_newton_terms(U, first, second, sign, dual, np.zeros(15), matrix, pull)
    assert np.array_equal(pull, np.zeros((n, m)))
    move = rng.standard_normal((n, m))
    move -= U * np.sum(U * move, axis=1, keepdims=True)
    speed = np.linalg.norm(move, axis=1, keepdims=True)

    def lagrangian(h):
        V = U * np.cos(speed * h) + move / speed * np.sin(speed * h)
        return np.sum(dual * sign * np.sum(V[first] * V[second], axis=1))

    h = 1e-4
    bend = (lagrangian(h) - 2 * lagrangian(0) + lagrangian(-h)) / h**2
    assert move.ravel() @ matrix @ move.ravel() == pytest.approx(bend, rel=1e-5)
    stiff = rng.random(15)
    stiffer = np.empty_like(matrix)
    add_newton_terms(U, first, second, sign, dual, stiff, stiffer, pull)
    change = sign * np.sum(move[first] * U[second] + U[first] * move[second], axis=1)
    extra = move.ravel() @ (stiffer - matrix) @ move.ravel()
    assert extra == pytest.approx(np.sum(stiff * change**2))
    assert np.sum(pull * move) == pytest.approx(np.sum(stiff * change))
    # Along each vector itself nothing moves: 1 there, and nothing mixes with the rest.
    own = np.zeros((n, m))
    own[2] = U[2]
    assert matrix @ own.ravel() == pytest.approx(own.ravel(), abs=1e-12)


def test_starts_are_unit_vectors_of_what_they_promise():
    rng = np.random.default_rng(3)
    for n, m in ((2, 2), (5, 3), (16, 8), (7, 2)):
        for _ in range(20):
            U = random_start(n, m, rng)
            for V in (U, kick(U, True, rng)):
                assert V.shape == (n, m)
                assert np.linalg.norm(V, axis=1) == pytest.approx(np.ones(n))
            assert not np.array_equal(U, V)


def as_matrix(turn):
    m = len(turn)
    R = np.diag(turn[:, 0])
    for k in range(m):
        if k ^ 1 < m:
            R[k, k ^ 1] = turn[k, 1]
    return R


@pytest.mark.parametrize("lines", [True, False])
@pytest.mark.parametrize(("n", "m"), [(2, 2), (7, 2), (12, 5), (20, 6), (33, 7)])
def test_orbits_are_closed_under_their_rotation(n, m, lines):
    rng = np.random.default_rng(n)
    for _ in range(20):
        orbits = symmetric_start(n, m, lines, rng)
        U, R = orbits.images(), as_matrix(orbits.turn)
        assert pytest.approx(np.eye(m), abs=1e-12) == R @ R.T
        assert n <= len(U) == orbits.order.sum() <= n + n // 8
        assert np.linalg.norm(U, axis=1) == pytest.approx(np.ones(len(U)))
        t = U @ R.T @ U.T  # each turned vector is one of them (lines: or the opposite of one)
        assert (np.abs(t) if lines else t).max(axis=1) == pytest.approx(np.ones(len(U)))


@pytest.mark.parametrize("lines", [True, False])
def test_descent_of_orbits_against_the_descent_of_all(lines):
    rng = np.random.default_rng(4)
    for _ in range(10):
        orbits = symmetric_start(20, 6, lines, rng)
        V, estimate = descend_orbits(
            orbits.vectors, 20.0, lines, 3000, 1e-10, orbits.turn, orbits.order, NEVER.flag
        )
        U = orbits._replace(vectors=V).images()
        value, slope = soft_maximum(U, 20.0, lines)
        assert value < soft_maximum(orbits.images(), 20.0, lines)[0]
        assert estimate == pytest.approx(np.sum(U * slope) / 2, abs=1e-9)
        # Stationary among all packings, not only among symmetric ones.
        slope -= U * np.sum(slope * U, axis=1, keepdims=True)
        assert np.linalg.norm(slope) < 1e-3
        short, _ = descend_orbits(
            orbits.vectors, 20.0, lines, 2, 1e-10, orbits.turn, orbits.order, NEVER.flag
        )
        short = orbits._replace(vectors=short).images()
        assert value < soft_maximum(short, 20.0, lines)[0]


def test_symmetric_search_finds_what_has_a_symmetry():
    search, best = SymmetricSearch(16, 6, True, np.random.default_rng(0)), 1.0
    for _ in range(300):
        U = search.draw()
        if U is not None:
            assert U.shape == (16, 6)
            assert np.linalg.norm(U, axis=1) == pytest.approx(np.ones(16))
            best = min(best, largest_overlap(polish(U, True), True))
    assert best == pytest.approx(1 / 3, abs=1e-12)
