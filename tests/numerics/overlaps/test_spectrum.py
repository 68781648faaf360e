import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group

import numerics.overlaps.unit_rows
from numerics.overlaps.spectrum import spectrum
from numerics.overlaps.statistics import TooFewRowsError
from numerics.overlaps.unit_rows import mean_square_overlap

W = np.random.default_rng(0).standard_normal((90, 7)) * np.arange(1, 8) + 0.5


@pytest.mark.parametrize("block", [16, 4096])
@pytest.mark.parametrize("center", [False, True])
def test_singular_values_are_those_of_the_matrix(monkeypatch, block, center):
    monkeypatch.setattr(numerics.overlaps.unit_rows, "_BLOCK", block)
    found = spectrum(W, center=center)
    plain = np.linalg.svd(W - center * W.mean(axis=0), compute_uv=False)
    assert found.singular_values == pytest.approx(plain, rel=1e-10)
    λ = plain**2
    assert found.participation == pytest.approx(λ.sum() ** 2 / np.sum(λ**2), rel=1e-10)
    assert found.share(2) == pytest.approx(λ[:2].sum() / λ.sum(), rel=1e-10)
    single = spectrum(W.astype(np.float32), center=center)
    assert single.singular_values == pytest.approx(plain, rel=1e-5)


def test_known_participation():
    assert spectrum(np.eye(5)).participation == pytest.approx(5)
    # A tight frame reaches the largest value, in any number of copies.
    frame = np.r_[np.eye(5), np.eye(5), -np.eye(5)]
    assert spectrum(frame).participation == pytest.approx(spectrum(frame).largest_participation)
    one = spectrum(np.outer([1.0, -2, 3], [1.0, 2]))
    assert one.participation == pytest.approx(1) and one.share() == pytest.approx(1)
    # Centred unit vectors are a simplex, of rank n - 1.
    simplex = spectrum(np.eye(5), center=True)
    assert simplex.participation == pytest.approx(4) and simplex.largest_participation == 4


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_unit_rows_know_the_mean_squared_overlap(seed):
    rows = np.random.default_rng(seed).standard_normal((12, 5)) + 0.7
    unit = rows / np.linalg.norm(rows, axis=1)[:, None]
    found = spectrum(unit)
    square = (12 / found.participation - 1) / 11
    assert square == pytest.approx(mean_square_overlap(rows), rel=1e-9)
    turned = spectrum(1e-3 * unit @ ortho_group.rvs(5, random_state=seed))
    assert turned.participation == pytest.approx(found.participation, rel=1e-9)
    moved = spectrum(rows + rows[0], center=True)
    assert moved.participation == pytest.approx(spectrum(rows, center=True).participation, rel=1e-9)


def test_random_directions():
    n, m, inverse = 40, 10, []
    for seed in range(400):
        rows = np.random.default_rng(seed).standard_normal((n, m))
        found = spectrum(rows / np.linalg.norm(rows, axis=1)[:, None])
        inverse.append(1 / found.participation)
    mean, stderr = np.mean(inverse), np.std(inverse, ddof=1) / math.sqrt(400)
    assert abs(mean - 1 / found.random_participation) < 4 * stderr
    assert abs(mean - 1 / m) > 20 * stderr  # not the whole dimension
    assert found.random_participation == n * m / (n + m - 1)


def test_sizes_and_zeros():
    large = spectrum(1e200 * W)
    assert large.participation == pytest.approx(spectrum(W).participation)
    assert large.singular_values == pytest.approx(1e200 * spectrum(W).singular_values)
    assert spectrum(np.r_[W, np.zeros((3, 7))], center=True).n == 90
    with pytest.raises(TooFewRowsError, match="centred"):
        spectrum(np.ones((4, 3)), center=True)
    with pytest.raises(ValueError, match="row 1 "):
        spectrum([[1.0], [np.nan]])


def test_table_and_picture():
    from matplotlib.figure import Figure

    found = spectrum(W)
    table = found.to_dataframe()
    assert len(table) == 7 and table["cumulative_share"].iloc[-1] == pytest.approx(1)
    ax = found.plot(Figure().add_subplot())
    assert ax.lines[0].get_ydata() == pytest.approx(found.singular_values)
    assert f"{found.participation:.4g} of 7" in str(found)
