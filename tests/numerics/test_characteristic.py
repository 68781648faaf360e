import mpmath
import numpy as np
import pytest

from numerics.characteristic import LANES, _complex_curve, _complex_v, _products, expected_rows
from numerics.transform_plan import THETA, _mgf_v, _slope_v, plan_rows


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
