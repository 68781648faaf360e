"""The engine of the fits: the linear part, the gradient, and that no valley hides in the grid."""

import numpy as np
import pytest

from empirical.scaling_laws.variable_projection import VariableProjection


def points(rng, groups=3, size=6, spread=3.0):
    u = np.concatenate(
        [np.sort(rng.uniform(0, spread, size)) + rng.uniform() for _ in range(groups)]
    )
    return u, np.repeat(np.arange(groups), size)


def plain_rss(u, index, y, weight, theta, leveled):
    """The same sum of squares by a design matrix and a general solver."""
    x = np.exp(-theta * (u - u.min()))
    member = np.equal.outer(index, np.arange(index.max() + 1)).astype(float)
    X = np.column_stack([x, member]) if leveled else member * x[:, None]
    root = np.sqrt(weight)
    best = np.linalg.lstsq(X * root[:, None], y * root, rcond=None)[0]
    return float(np.sum(weight * (y - X @ best) ** 2))


@pytest.mark.parametrize("leveled", [True, False])
@pytest.mark.parametrize("theta", [0.3, 1.0, 4.0])
def test_linear_part_is_that_of_a_design_matrix(leveled, theta):
    rng = np.random.default_rng(3)
    u, index = points(rng)
    y, weight = rng.standard_normal(u.size), rng.uniform(0.5, 2, u.size)
    found = VariableProjection(u, index, leveled).solve(np.array([theta]), weight, y)
    expected = plain_rss(u, index, y, weight, theta, leveled)
    assert found.objective[0] == pytest.approx(expected, rel=1e-9)


def test_theta_zero_is_a_logarithm():
    rng = np.random.default_rng(4)
    u, index = points(rng)
    y = rng.standard_normal(u.size)
    X = np.column_stack([u, np.equal.outer(index, np.arange(3))])
    residual = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    found = VariableProjection(u, index, True).solve(np.zeros(1), np.ones(u.size), y)
    assert found.objective[0] == pytest.approx(residual @ residual, rel=1e-10)


@pytest.mark.parametrize(("leveled", "huber"), [(True, None), (False, None), (True, 0.05)])
@pytest.mark.parametrize("theta", [0.002, 0.05, 0.7, 3.0])
def test_gradient_is_that_of_finite_differences(leveled, huber, theta):
    rng = np.random.default_rng(5)
    u, index = points(rng)
    y = 1 + np.exp(-u) + 0.05 * rng.uniform(size=u.size)
    projection, weight = VariableProjection(u, index, leveled, huber), np.ones(u.size)
    step = 1e-4 * theta
    low, high = projection.solve(np.array([theta - step, theta + step]), weight, y).objective
    exact = projection.solve(np.array([theta]), weight, y).gradient[0]
    assert (high - low) / (2 * step) == pytest.approx(exact, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize(
    "m",
    [[8, 16, 32, 64], [100, 101, 5000], np.arange(1, 200), [1, 1e2, 1e4, 1e8], [1, 100, 101, 102]],
)
def test_neighbours_on_the_grid_are_nearly_the_same_curve(m):
    u = np.log(np.asarray(m, dtype=float))
    projection = VariableProjection(u, np.zeros(u.size, dtype=int), True)
    shape = projection.shape(projection.grid[:, None], projection.u)
    shape = shape - shape.mean(axis=1, keepdims=True)
    shape /= np.linalg.norm(shape, axis=1, keepdims=True)
    angle = np.arccos(np.clip(np.sum(shape[1:] * shape[:-1], axis=1), -1, 1))
    assert angle.max() < 0.05
    # The last curve is that of a law that only the smallest width is not flat under.
    only = np.where(u == u.min(), 1.0, 0.0) - np.mean(u == u.min())
    assert shape[-1] @ only / np.linalg.norm(only) > 1 - 1e-5


def test_optimum_is_never_above_a_fine_search():
    """Noise alone, where the curve over theta has several valleys; all data sets at once."""
    rng = np.random.default_rng(6)
    u, index = points(rng, groups=1, size=12)
    y = rng.standard_normal((40, u.size))
    projection, weight = VariableProjection(u, index, True), np.ones(u.size)
    found = projection.minimise(weight, y).objective
    fine = np.concatenate([[0.0], np.geomspace(1e-3, projection.grid[-1], 2000)])
    valleys = []
    for row, least in zip(y, found, strict=True):
        curve = projection.solve(fine, weight, row).objective
        assert least <= curve.min() * (1 + 1e-12)
        padded = np.pad(curve, 1, constant_values=np.inf)
        valleys.append(np.sum((curve < padded[:-2]) & (curve < padded[2:])))
    assert max(valleys) >= 2  # a descent from one start would not do


def test_many_data_sets_at_once_are_those_one_by_one():
    rng = np.random.default_rng(7)
    u, index = points(rng)
    y = 1 + np.exp(-u) + 0.02 * rng.standard_normal((20, u.size))
    weight = rng.multinomial(u.size, np.full(u.size, 1 / u.size), 20) * 1.0
    weight[:, [0, 1, 6, 7, 12, 13]] += 0.1
    for leveled in (True, False):
        projection = VariableProjection(u, index, leveled)
        together = projection.minimise(weight, y)
        one = [projection.minimise(w, row) for w, row in zip(weight, y, strict=True)]
        assert together.theta == pytest.approx(np.array([x.theta[0] for x in one]), rel=1e-7)
        assert together.objective == pytest.approx(
            np.array([x.objective[0] for x in one]), rel=1e-9
        )


def test_weights_are_repetitions():
    rng = np.random.default_rng(8)
    u, index = points(rng, groups=2)
    y = 1 + np.exp(-u) + 0.05 * rng.standard_normal(u.size)
    times = rng.integers(1, 4, u.size)
    weighted = VariableProjection(u, index, True).minimise(times * 1.0, y)
    repeated = VariableProjection(np.repeat(u, times), np.repeat(index, times), True).minimise(
        np.ones(times.sum()), np.repeat(y, times)
    )
    assert weighted.theta[0] == pytest.approx(repeated.theta[0], rel=1e-9)


def test_jacobian_is_that_of_finite_differences():
    rng = np.random.default_rng(9)
    u, index = points(rng)
    for leveled in (True, False):
        projection = VariableProjection(u, index, leveled)
        y = 1 + np.exp(-u) + 0.02 * rng.standard_normal(u.size)
        best = projection.minimise(np.ones(u.size), y)
        jacobian = projection.jacobian(best)

        def fitted(x, projection=projection, best=best, leveled=leveled):
            count = best.slope.size
            moved = best.take(np.array([0]))
            level = x[None, 1 + count :] if leveled else best.level
            return projection.fitted(
                type(moved)(x[:1], moved.objective, moved.gradient, x[None, 1 : 1 + count], level)
            )[0]

        x = np.concatenate([best.theta, best.slope[0], best.level[0] if leveled else []])
        steps = 1e-6 * np.eye(x.size)
        numeric = np.stack([(fitted(x + h) - fitted(x - h)) / 2e-6 for h in steps], axis=-1)
        assert jacobian == pytest.approx(numeric, abs=1e-8)
