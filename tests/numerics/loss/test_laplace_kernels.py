import mpmath
import numpy as np
import pytest

from numerics.loss.laplace_kernels import LANES, _block, _complex_v, _products, expected_rows
from numerics.loss.laplace_plan import (
    THETA,
    _caps,
    _falling,
    _log_bounds,
    _log_mgf_v,
    _mgf_v,
    _slope_v,
    plan_rows,
)
from numerics.loss.law_table import law_tables
from theory.activation import Activation

PAPER = law_tables(Activation())
LAWS = {
    "U(0, 2)": Activation(),
    "U(0.5, 1)": Activation(0.5, 1.0),
    "two steps": Activation(0.0, 2.0, (3.0, 1.0)),
    "triangular": Activation(0.5, 1.5, (1.0, 2.0, 3.0, 2.0, 1.0)),
}
law_of_v = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)


def moments_of_v(law, x):
    """⟨e^{xv}⟩, ⟨v e^{xv}⟩, ⟨v² e^{xv}⟩ by quadrature."""
    with mpmath.workdps(25):
        return [
            complex(
                sum(
                    mpmath.quad(lambda v, k=k: v**k * mpmath.exp(x * v), [float(low), float(high)])
                    * float(density)
                    for low, high, density in law.cells
                )
            )
            for k in range(3)
        ]


@law_of_v
@pytest.mark.parametrize("size", [0.0, 1e-12, 1e-4, 0.019, 0.021, 0.051, 0.24, 0.26, 2.0, 9.0])
def test_moments_of_an_input(law, size):
    table, general = law_tables(law)
    for turn in (1, -1, 1j, np.exp(0.7j)):
        x = complex(size * turn)
        wanted = moments_of_v(law, x)
        scale = abs(wanted[0]) + abs(wanted[2])
        assert [*_complex_v(x, table, general)] == pytest.approx(wanted, abs=2e-13 * scale)
        if x.imag == 0:
            assert _mgf_v(x.real, table, general) == pytest.approx(wanted[0].real, rel=1e-9)
            assert _log_mgf_v(x.real, table, general) == pytest.approx(
                np.log(wanted[0].real), abs=1e-9
            )
            assert _slope_v(x.real, table, general) == pytest.approx(
                wanted[1].real, rel=1e-6
            )  # for bounds


@law_of_v
@pytest.mark.parametrize("x", [-300.0, -41.0, -19.9, 19.9, 41.0, 300.0])
def test_the_logarithm_of_large_moments(law, x):
    with mpmath.workdps(30):
        exact = sum(
            density * (mpmath.exp(x * high) - mpmath.exp(x * low)) / x
            for low, high, density in (
                [mpmath.mpf(str(float(c))) for c in cell] for cell in law.cells
            )
        )
        expected = float(mpmath.log(exact))
    assert _log_mgf_v(x, *law_tables(law)) == pytest.approx(expected, rel=1e-12)


@law_of_v
def test_products_written_out(law):
    table, general = law_tables(law)
    rng = np.random.default_rng(0)
    g = rng.standard_normal(30) * np.geomspace(1e-9, 2, 30)
    p = rng.random(30)
    p[::7] = 0
    p[3] = 1
    c, step, count = 0.7, 0.11, 3 * LANES
    work = np.empty((6, count))
    _products(g, p, table, general, c, step, work, np.empty((8, LANES)))
    s = c + 1j * step * np.arange(count)
    mgf = np.array([[_complex_v(one * x, table, general)[0] for x in g] for one in s])
    assert work[0] + 1j * work[1] == pytest.approx(np.prod(1 + p * (mgf - 1), axis=1), rel=1e-10)
    odds = np.where(p < 1, p / np.where(p < 1, 1 - p, 1), 0)
    assert work[2] + 1j * work[3] == pytest.approx(mgf @ odds, rel=1e-10)


@law_of_v
@pytest.mark.parametrize("g", [0.3, -1.2])
def test_a_block_of_moments_and_slopes(law, g):
    """⟨e^{xv}⟩ and x ⟨v e^{xv}⟩ at a whole block, not from its first ordinate on."""
    (table, general), c, step = law_tables(law), 0.7, 0.11
    low, width = table[0, 0], table[1, 0] - table[0, 0]
    s = c + 1j * step * np.arange(2 * LANES)
    x, turn = s * g, 1j * step * g * np.arange(LANES)
    inverse = 1 / (width * s)
    z, f = np.expm1(width * x[LANES]), np.expm1(low * x[LANES])
    t, a = np.expm1(width * turn), np.expm1(low * turn)
    out = np.empty((4, LANES))
    _block(
        z.real, z.imag, t.real.copy(), t.imag.copy(), f.real, f.imag, a.real.copy(), a.imag.copy(),
        inverse.real.copy(), inverse.imag.copy(), 1 / g, table, LANES, out,
    )  # fmt: skip
    wanted = np.array([_complex_v(one, table, general)[:2] for one in x[LANES:]])
    assert out[0] + 1j * out[1] == pytest.approx(wanted[:, 0], rel=1e-10)
    assert out[2] + 1j * out[3] == pytest.approx(x[LANES:] * wanted[:, 1], rel=1e-10)


@pytest.mark.parametrize("reflected", [False, True])
def test_a_mean_against_samples_and_its_bound_against_a_finer_sum(reflected):
    """Either side of zero may be transformed: both come from the same draws."""
    rng = np.random.default_rng(1)
    n, own, p_own, b = 40, 0.8, 0.3, -0.2
    g, p = 0.3 * rng.standard_normal(n), rng.uniform(0.005, 0.08, n)
    atom = np.prod(1 - p)
    rows = g[None], p[None], np.array([atom]), np.array([own])
    sides = np.array([[reflected, reflected]])
    weights, means = np.array([[1 - p_own, p_own]]), []
    for tolerance in (1e-3, 1e-11):
        plans = plan_rows(*rows, weights, np.array([b]), sides, tolerance, *PAPER, THETA)
        means.append(expected_rows(*rows, np.array([b]), sides, *PAPER, plans)[0])
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


@law_of_v
def test_the_caps_bound_the_transform_of_an_input(law):
    table, general = law_tables(law)
    g, c = np.array([0.9, -0.4, 0.05]), 1.3
    still, falling = np.empty(3), np.empty(3)
    _caps(g, np.full(3, 0.5), c, table, general, still, falling)
    omega = np.linspace(0, 400, 8_001)
    moments = np.array(
        [[_complex_v((c + 1j * w) * x, table, general)[:2] for x in g] for w in omega]
    )
    size = np.abs(moments)
    with np.errstate(divide="ignore"):
        cap = np.minimum(still, falling / np.maximum(omega[:, None], 1e-300))
    assert np.all(size[:, :, 0] <= cap * (1 + 1e-12))
    assert size[0, :, 0] == pytest.approx(still)  # attained at omega = 0
    if len(law.shares) == 1:  # e^{cgv} at both ends comes to the same sign at the crests
        crests = (size[:, :, 0] * omega[:, None])[4_000:].max(axis=0)
        assert crests == pytest.approx(falling, rel=5e-3)
    for x, slopes in zip(g, size[:, :, 1].T, strict=True):
        plain, weighted = _falling(c * x, table)
        w = omega[1:] * abs(x)
        assert np.all(slopes[1:] <= (weighted / w + plain / w**2) * (1 + 1e-12))


@law_of_v
@pytest.mark.parametrize("own", [0.0, 0.7, -0.7])
def test_chernoffs_bound_against_samples(own, law):
    rng = np.random.default_rng(5)
    g, p, b = 0.4 * rng.standard_normal(12), rng.uniform(0.05, 0.5, 12), -0.6
    theta = np.geomspace(0.1, 30, 25)
    log_bound = np.empty(25)
    _log_bounds(g, p, b, own, *law_tables(law), theta, log_bound)
    bound = np.exp(log_bound)
    on = rng.random((100_000, 12)) < p
    v, other = law.sample(100_000, rng), law.sample(on.size, rng).reshape(on.shape)
    z = b + own * v + (on * other) @ g
    positive = np.maximum(z, 0)
    mean = np.mean(positive**2 + (2 * v * positive if own else 0))
    assert mean <= bound.min()
    assert bound.min() < 30 * mean  # not idle


def test_chernoffs_bound_is_sharp_for_a_fixed_output():
    """ReLU(z)² = 4/(e²θ²) e^{θz} at z = 2/θ: without inputs the bound is met there."""
    theta, none = np.array([0.5, 2.0, 8.0]), np.zeros(2)
    for t in theta:
        z = 2 / t
        log_bound = np.empty(3)
        _log_bounds(none, none, z, 0.0, *PAPER, theta, log_bound)
        assert np.exp(log_bound).min() == pytest.approx(z**2)


def test_the_bound_of_a_plan_holds_its_parts():
    """Aliasing takes half of the tolerance; what truncation adds is the rest."""
    rng = np.random.default_rng(1)
    g, p = 0.3 * rng.standard_normal(40), rng.uniform(0.005, 0.08, 40)
    rows = g[None], p[None], np.array([np.prod(1 - p)]), np.array([0.8])
    for tolerance in (1e-3, 1e-6, 1e-9):
        plans = plan_rows(
            *rows,
            np.array([[0.7, 0.3]]),
            np.array([-0.2]),
            np.zeros((1, 2), bool),
            tolerance,
            *PAPER,
            THETA,
        )
        share = tolerance / (2 * np.array([0.7, 0.3]))
        assert np.all(plans[0, :, 3] >= share / 2) and np.all(plans[0, :, 3] <= share)


def test_rounding_is_counted():
    rng = np.random.default_rng(2)
    g, p = 0.3 * rng.standard_normal(40), rng.uniform(0.005, 0.08, 40)
    rows = g[None], p[None], np.array([np.prod(1 - p)]), np.array([0.8])
    sides = np.array([[True, True]])
    plans = plan_rows(*rows, np.array([[0.7, 0.3]]), np.array([-0.2]), sides, 1e-9, *PAPER, THETA)
    means = expected_rows(*rows, np.array([-0.2]), sides, *PAPER, plans)[0]
    # A sum of about a hundred terms of the size of the result, each good to 2e-16 √40.
    assert np.all(means[2:] > 1e-16 * np.abs(means[:2]))
    assert np.all(means[2:] < 1e-12)
