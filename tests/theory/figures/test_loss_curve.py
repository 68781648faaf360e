"""The smooth curve between solved widths, against the solver and against exact power laws."""

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from theory.figures.loss_curve import interpolate_loss
from theory.frequencies import Frequencies
from theory.regimes.weak import weak_exponent, weak_loss


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.5])
def test_between_exact_losses(alpha):
    """The weak loss is known at every width: with its exponents the curve is within 1e-3."""
    f, m = Frequencies.power_law(1000, alpha), np.array([10, 25, 63, 160])
    widths, loss = interpolate_loss(m, weak_loss(f, m), weak_exponent(f, m))
    inside = np.arange(10, 161)
    exact = weak_loss(f, inside)
    drawn = np.exp(np.interp(np.log(inside), np.log(widths), np.log(loss)))
    assert np.abs(drawn / exact - 1).max() < 1e-3
    # Without the exponents it is further off: they are used.
    _, plain = interpolate_loss(m, weak_loss(f, m))
    assert np.abs(plain / loss - 1).max() > 1e-3
    assert np.allclose(
        plain, np.exp(PchipInterpolator(np.log(m), np.log(weak_loss(f, m)))(np.log(widths)))
    )


def test_gaps_order_and_single_points():
    m, loss = interpolate_loss([40, 10, 20, 80], [np.nan, 4.0, 2.0, 0.0], [1.0, 1.0, 1.0, 1.0])
    assert np.all(np.diff(m) > 0) and np.isnan(loss[m > 20]).all()
    assert np.allclose(loss[m <= 20], 40 / m[m <= 20])
    assert np.allclose(interpolate_loss([5], [2.0]), [[5.0], [2.0]])
