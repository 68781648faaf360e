"""The compiled averages against plain sums over drawn samples and numerical integrals."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from theory.dead_features.kernels import (
    average_active,
    average_silent,
    jump_densities,
    rectified,
)


@pytest.mark.parametrize(("a", "s"), [(0.3, 0.5), (-1.0, 0.4), (2.0, 0.1), (-0.1, 0.0)])
def test_rectified_means(a, s):
    found = rectified(a, s)
    if s == 0:
        assert found == (max(a, 0), max(a, 0) ** 2, float(a > 0))
        return
    for power, value in zip((1, 2, 0), found, strict=True):
        wanted = quad(lambda z, k=power: (a + s * z) ** k * norm.pdf(z), -a / s, 12)[0]
        assert value == pytest.approx(wanted, rel=1e-6, abs=1e-9)


def test_jump_densities_hold_all_jumps():
    c, q, often = np.array([0.5, -0.3, 0.0]), np.array([0.5, 1.0, 0.7]), np.array([1.0, 2.0, 0.5])
    jumps, squares = jump_densities(c, q, often, 10, -2.05, 0.1, 41)
    h = -2.05 + 0.1 * (np.arange(41) + 0.5)
    assert jumps.sum() == pytest.approx(often.sum())
    assert jumps @ h == pytest.approx(often @ c, abs=0.01)
    assert squares.sum() == pytest.approx(often @ q**2 / 10 * 4 / 3)


def test_silent_means_against_plain_sums():
    rng = np.random.default_rng(0)
    c, q, b, weight = np.array([0.4, -0.5]), np.array([0.7, 0.6]), np.array([-0.3, 0.2]), np.ones(2)
    h, share, s2 = np.array([0.0, 0.8]), np.array([0.5, 0.2]), np.array([0.02, 0.05])
    means, sent = average_silent(c, q, b, weight, 10, 0.3, h, share, s2)
    z = rng.standard_normal(200_000)
    for k in range(2):
        first = 0.3 * max(b[k], 0)
        for j in range(2):
            y = np.maximum(b[k] + c[k] * h[j] + q[k] * np.sqrt(s2[j]) * z, 0)
            first += share[j] * y.mean()
        assert means[0, k] == pytest.approx(first, abs=2e-3)
    y = [np.maximum(b + c * h[1] + q * np.sqrt(s2[1]) * x, 0) for x in z[:20_000]]
    assert sent[0, 1] == pytest.approx(np.mean(y, axis=0) @ c, abs=3e-3)


def test_an_active_output_without_interference():
    """One node at h = s² = 0: y = b + r² v exactly where it is above 0."""
    v, share = np.linspace(0.05, 1.95, 20), np.full(20, 0.05)
    c, q, b = np.array([0.6]), np.array([0.8]), np.array([-0.5])
    zero, one = np.zeros(1), np.ones(1)
    means = average_active(c, q, b, 10, zero, one, zero, v, share)
    on = v > 0.5
    assert means[0, 0] == pytest.approx(np.mean(np.where(on, -0.5, 0)))
    assert means[7, 0] == pytest.approx(np.mean(np.where(on, -0.5 * v, 0)))
    assert means[5, 0] == pytest.approx(on.mean())
