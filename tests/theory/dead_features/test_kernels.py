"""The compiled averages against plain sums over drawn samples and numerical integrals."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from theory.dead_features.kernels import (
    average_active,
    average_pairs,
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
    senders, down = np.array([0.1, 0.4]), np.array([[0.0, 0.3], [0.0, -0.2]])
    means, sent = average_silent(c, q, b, weight, 10, 0.3, h, share, s2, s2 / 2, senders, down)
    z = rng.standard_normal(200_000)
    for k in range(2):
        first, on_rest, variance = 0.3 * max(b[k], 0), 0.0, 0.0
        for j in range(2):
            y = np.maximum(b[k] + c[k] * h[j] + q[k] * (np.sqrt(s2[j]) * z - down[k, j]), 0)
            first += share[j] * y.mean()
            on_rest += share[j] * (y > 0).mean() * s2[j] / 2
            variance += senders[j] * y.var()
        assert means[0, k] == pytest.approx(first, abs=2e-3)
        assert means[4, k] == pytest.approx(on_rest, abs=1e-4)
        assert means[8, k] == pytest.approx(variance, abs=1e-4)
    y = [np.maximum(b + c * h[1] + q * (np.sqrt(s2[1]) * x - down[:, 1]), 0) for x in z[:20_000]]
    assert sent[0, 1] == pytest.approx(np.mean(y, axis=0) @ c, abs=3e-3)
    assert sent[4, 1] == pytest.approx(np.mean(np.square(y), axis=0) @ q**2, abs=3e-3)


def test_an_active_output_without_interference():
    """One node at h = s² = 0: y = b + r² v exactly where it is above 0."""
    v, share = np.linspace(0.05, 1.95, 20), np.full(20, 0.05)
    c, q, b = np.array([0.6]), np.array([0.8]), np.array([-0.5])
    zero, one = np.zeros(1), np.ones(1)
    means = average_active(c, q, b, 10, zero, one, zero, zero, np.zeros((1, 1)), v, share)
    on = v > 0.5
    assert means[0, 0] == pytest.approx(np.mean(np.where(on, -0.5, 0)))
    assert means[7, 0] == pytest.approx(np.mean(np.where(on, -0.5 * v, 0)))
    assert means[5, 0] == pytest.approx(on.mean())
    square = np.where(on, 0.25 * 4 * v**2 * 0.64, 0)
    assert means[9, 0] == pytest.approx(square.mean())


def test_pairs_against_drawn_rows():
    """One frequent sender at v = 1.5, and rows of two classes of which it has turned away."""
    rng = np.random.default_rng(3)
    c, q, b = np.array([0.5, 0.3, -0.2]), np.array([0.8, 0.7, 0.6]), np.array([-0.2, -0.3, 0.1])
    weight, away, m = np.array([1.0, 30.0, 50.0]), np.array([[0.0], [0.2], [0.1]]), 25
    zero, one = np.zeros(1), np.ones(1)
    error, spread, on_square, back = average_pairs(
        c, q, b, weight, m, np.zeros(1, dtype=np.int64), away, zero, one, zero,
        np.zeros((3, 1)), np.array([1.5]), one,
    )  # fmt: skip
    z = rng.standard_normal(100_000)
    pull = across = 0.0
    for k in (1, 2):
        overlap = c[0] * c[k] + q[0] * q[k] * z / np.sqrt(m) - q[k] * away[k, 0]
        y = np.maximum(b[k] + 1.5 * overlap, 0)
        assert error[k, 0] == pytest.approx(1.5 * y.mean(), rel=0.03)
        assert spread[k, 0] == pytest.approx(1.5**2 * y.var(), rel=0.04)
        assert on_square[k, 0] == pytest.approx(1.5**2 * (y > 0).mean(), rel=0.03)
        pull += 1.5 * weight[k] * c[k] * y.mean()
        across += weight[k] * q[k] ** 2 * (y**2).mean()
    assert error[0, 0] == 0
    assert back[0, 0] == pytest.approx(pull, rel=0.03, abs=0.1)
    assert back[4, 0] == pytest.approx(1.5 * np.sqrt(across), rel=0.03)
