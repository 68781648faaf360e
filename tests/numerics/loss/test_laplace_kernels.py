import mpmath
import numpy as np
import pytest

from numerics.loss.laplace_kernels import (
    LANES,
    _complex_curve,
    _complex_v,
    _products,
    expected_rows,
)
from numerics.loss.laplace_plan import THETA, _caps, _log_bounds, _mgf_v, _slope_v, plan_rows


def moments_of_v(x):
    """⟨e^{xv}⟩, ⟨v e^{xv}⟩, ⟨v² e^{xv}⟩ over v ~ U(0, 2), by quadrature."""
    with mpmath.workdps(30):
        return [
            complex(mpmath.quad(lambda v, k=k: v**k * mpmath.exp(x * v) / 2, [0, 0.5, 1, 1.5, 2]))
            for k in range(3)
        ]


@pytest.mark.parametrize("size", [0.0, 1e-12, 1e-4, 0.0199, 0.0201, 0.049, 0.051, 0.3, 2.0, 9.0])
def test_moments_of_an_input(size):
    for turn in (1, -1, 1j, np.exp(0.7j)):
        x = complex(size * turn)
        wanted = moments_of_v(x)
        scale = abs(wanted[0]) + abs(wanted[2])
        found = [*_complex_v(1 + 0j, x), _complex_curve(1 + 0j, x)]
        assert found == pytest.approx(wanted, abs=2e-11 * scale)
        if x.imag == 0:
            assert _mgf_v(x.real) == pytest.approx(wanted[0].real, rel=1e-9)
            assert _slope_v(x.real) == pytest.approx(wanted[1].real, rel=1e-6)  # for bounds only


def test_products_written_out():
    rng = np.random.default_rng(0)
    g = rng.standard_normal(30) * np.geomspace(1e-9, 2, 30)
    p = rng.random(30)
    p[::7] = 0
    p[3] = 1
    c, step, count = 0.7, 0.11, 3 * LANES
    work = np.empty((4, count))
    _products(g, p, c, step, count, *work)
    s = c + 1j * step * np.arange(count)
    x = s[:, None] * g
    mgf = np.where(np.abs(x) < 1e-5, 1 + x + 2 / 3 * x**2, np.expm1(2 * x) / (2 * x))
    felt = p > 0
    assert work[0] + 1j * work[1] == pytest.approx(np.prod(1 + p * (mgf - 1), axis=1), rel=1e-10)
    odds = np.where(p < 1, p / np.where(p < 1, 1 - p, 1), 0) * felt
    assert work[2] + 1j * work[3] == pytest.approx(mgf @ odds, rel=1e-10)


@pytest.mark.parametrize("reflected", [False, True])
def test_a_mean_against_samples_and_its_bound_against_a_finer_sum(reflected):
    """Either side of zero may be transformed: both come from the same draws."""
    rng = np.random.default_rng(1)
    n, own, p_own, b = 40, 0.8, 0.3, -0.2
    g, p = 0.3 * rng.standard_normal(n), rng.uniform(0.005, 0.08, n)
    atom = np.prod(1 - p)
    rows = g[None], p[None], np.array([atom]), np.array([own])
    sides = np.array([[reflected, reflected]])
    means = []
    for tolerance in (1e-3, 1e-11):
        plans = plan_rows(*rows, np.array([p_own]), np.array([b]), sides, tolerance, THETA)
        means.append(expected_rows(*rows, np.array([b]), sides, plans)[0])
        bounds = plans[0, :, 3] + means[-1][2:]
        # Each part may take half of the tolerance, over its probability.
        allowed = tolerance / (2 * np.array([1 - p_own, p_own]))
        assert np.all(bounds <= allowed * (1 + 1e-6) + 1e-13)
    rough, fine = np.array(means)[:, :2]
    assert np.all(np.abs(rough - fine) <= 1e-3 / (2 * np.array([1 - p_own, p_own])))
    on = rng.random((400_000, n)) < p
    S = (on * rng.uniform(0, 2, on.shape)) @ g
    v, several = rng.uniform(0, 2, len(S)), on.sum(axis=1) >= 2
    off_z, on_z = b + S, b + own * v + S
    relu = np.maximum
    if reflected:
        wanted = [-(relu(-off_z, 0) ** 2), -(relu(-on_z, 0) ** 2) - 2 * v * relu(-on_z, 0)]
    else:
        wanted = [relu(off_z, 0) ** 2, relu(on_z, 0) ** 2 - 2 * v * relu(on_z, 0)]
    for found, values in zip(fine, wanted, strict=True):
        counted = np.where(several, values, 0)
        error = counted.std() / np.sqrt(len(S))
        assert abs(found - counted.mean()) < 4 * error
        assert abs(found - values.mean()) > 4 * error  # those with fewer active are left out


# ---- the bounds themselves: never below what they bound, and met where they can be ------------


def test_the_caps_bound_the_transform_of_an_input():
    g, c = np.array([0.9, -0.4, 0.05]), 1.3
    still, falling = _caps(g, np.full(3, 0.5), c)
    omega = np.linspace(0, 400, 40_001)[:, None]
    x = (c + 1j * omega) * g
    size = np.abs(np.expm1(2 * x) / (2 * x))
    with np.errstate(divide="ignore"):
        cap = np.minimum(still, falling / np.maximum(omega, 1e-300))
    assert np.all(size <= cap * (1 + 1e-12))
    assert size[0] == pytest.approx(still)  # attained at omega = 0
    # |e^{2x} - 1| comes up to e^{2cg} + 1 at the crests.
    assert (size * omega)[20_000:].max(axis=0) == pytest.approx(falling, rel=1e-3)


@pytest.mark.parametrize("own", [0.0, 0.7, -0.7])
def test_chernoffs_bound_against_samples(own):
    rng = np.random.default_rng(5)
    g, p, b = 0.4 * rng.standard_normal(12), rng.uniform(0.05, 0.5, 12), -0.6
    theta = np.geomspace(0.1, 30, 25)
    bound = np.exp(_log_bounds(g, p, b, own, theta))
    on = rng.random((100_000, 12)) < p
    v = rng.uniform(0, 2, 100_000)
    z = b + own * v + (on * rng.uniform(0, 2, on.shape)) @ g
    positive = np.maximum(z, 0)
    mean = np.mean(positive**2 + (2 * v * positive if own else 0))
    assert mean <= bound.min()
    assert bound.min() < 30 * mean  # not idle


def test_chernoffs_bound_is_sharp_for_a_fixed_output():
    """ReLU(z)² = 4/(e²θ²) e^{θz} at z = 2/θ: without inputs the bound is met there."""
    theta, none = np.array([0.5, 2.0, 8.0]), np.zeros(2)
    for t in theta:
        z = 2 / t
        assert np.exp(_log_bounds(none, none, z, 0.0, theta)).min() == pytest.approx(z**2)


def test_the_bound_of_a_plan_holds_its_parts():
    """Aliasing takes half of the tolerance; what truncation adds is the rest."""
    rng = np.random.default_rng(1)
    g, p = 0.3 * rng.standard_normal(40), rng.uniform(0.005, 0.08, 40)
    rows = g[None], p[None], np.array([np.prod(1 - p)]), np.array([0.8])
    for tolerance in (1e-3, 1e-6, 1e-9):
        plans = plan_rows(
            *rows, np.array([0.3]), np.array([-0.2]), np.zeros((1, 2), bool), tolerance, THETA
        )
        share = tolerance / (2 * np.array([0.7, 0.3]))
        assert np.all(plans[0, :, 3] >= share / 2) and np.all(plans[0, :, 3] <= share)


def test_rounding_is_counted():
    rng = np.random.default_rng(2)
    g, p = 0.3 * rng.standard_normal(40), rng.uniform(0.005, 0.08, 40)
    rows = g[None], p[None], np.array([np.prod(1 - p)]), np.array([0.8])
    sides = np.array([[True, True]])
    plans = plan_rows(*rows, np.array([0.3]), np.array([-0.2]), sides, 1e-9, THETA)
    means = expected_rows(*rows, np.array([-0.2]), sides, plans)[0]
    # A sum of about a hundred terms of the size of the result, each good to 2e-16 √40.
    assert np.all(means[2:] > 1e-16 * np.abs(means[:2]))
    assert np.all(means[2:] < 1e-12)
