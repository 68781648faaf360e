"""The Zipf exponent over a range of ranks, and what ranking by the same counts does to it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.rank_frequency.zipf_exponent import estimate_rank_excess, fit_zipf, select_ranks


def draw_counts(alpha, n, total, rng):
    weights = np.arange(1, n + 1) ** -float(alpha)
    return rng.multinomial(total, weights / weights.sum())


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.6])
@pytest.mark.parametrize("ranks", [(1, 40), (6, 30)])
def test_standard_error_is_the_delta_method_over_counts(alpha, ranks):
    """Var alpha = Σ c_i g_i² - (Σ c_i g_i)²/N for multinomial counts, g_i = d alpha/d c_i."""
    counts = np.round(1e9 * np.arange(1, 41) ** -alpha)
    fit = fit_zipf(counts, ranks=ranks)

    def slope(i):
        step = 1e-4 * counts[i] * np.eye(40)[i]
        up, down = (fit_zipf(counts + sign * step, ranks=ranks).alpha for sign in (1, -1))
        return (up - down) / (2e-4 * counts[i])

    window = range(ranks[0] - 1, ranks[1])
    c, g = counts[list(window)], np.array([slope(i) for i in window])
    variance = c @ g**2 - (c @ g) ** 2 / c.sum()
    assert fit.stderr == pytest.approx(math.sqrt(variance), rel=1e-4)


@pytest.mark.parametrize(("alpha", "ranks"), [(0.5, (1, 900)), (1.0, (1, 600)), (1.4, (5, 150))])
def test_rank_bias_is_what_the_excess_does_to_the_fit(alpha, ranks):
    """Half an occurrence over alpha at every rank, taken off the counts."""
    counts = np.round(1e4 * (np.arange(1, 3001) / ranks[1]) ** -alpha)
    fit = fit_zipf(counts, ranks=ranks)
    moved = fit.alpha - fit_zipf(counts - 0.5 / alpha, ranks=ranks).alpha
    # First order: excess / count is 1e-4 at the last rank.
    assert fit.rank_bias == pytest.approx(moved, rel=1e-3)


@pytest.mark.parametrize(
    ("alpha", "ranks"), [pytest.param(0.5, (1, 2000), marks=pytest.mark.slow), (1.0, (1, 2000))]
)
def test_rank_bias_and_standard_error_hold_in_repetition(alpha, ranks):
    rng, repeats = np.random.default_rng(3), 900
    fits = [fit_zipf(draw_counts(alpha, 6000, 400_000, rng), ranks=ranks) for _ in range(repeats)]
    z = np.array([(fit.alpha - fit.rank_bias - alpha) / fit.stderr for fit in fits])
    assert abs(z.mean()) < 4 / math.sqrt(repeats)
    assert abs(z.var(ddof=1) - 1) < 4 * math.sqrt(2 / repeats)
    # Negative controls: a bias of ranks 10 % off, and one per cent off in alpha, are seen.
    for factor in (0.9, 1.1):
        wrong = [(fit.alpha - factor * fit.rank_bias - alpha) / fit.stderr for fit in fits]
        assert abs(np.mean(wrong)) > 4 / math.sqrt(repeats)
    wrong = [(fit.alpha - fit.rank_bias - 1.01 * alpha) / fit.stderr for fit in fits]
    assert abs(np.mean(wrong)) > 4 / math.sqrt(repeats)


@pytest.mark.parametrize(
    ("alpha", "spread", "growth"),
    [(1.0, 1.0, 0.0), (0.7, 1.0, 0.0), (1.5, 1.0, 0.0), (1.0, 4.0, 0.0), (0.7, 0.05, 0.9)],
)
def test_the_excess_of_ranked_counts(alpha, spread, growth):
    """Counts with variance φ λ, φ = spread λ^growth (at least 1): sorted, they lie above λ."""
    rng, repeats = np.random.default_rng(8), 300
    expected = 4e4 * np.arange(1, 4001) ** -alpha
    band = slice(150, 250)
    phi = np.maximum(spread * expected**growth, 1.0)
    rows = []
    for _ in range(repeats):
        more = np.maximum(phi - 1, 1e-9)
        counts = rng.poisson(rng.gamma(expected / more, more) if np.any(phi > 1) else expected)
        rows.append(float(np.mean(np.sort(counts)[::-1][band] - expected[band])))
    mean, error = np.mean(rows), np.std(rows, ddof=1) / math.sqrt(repeats)
    predicted = float(np.mean(estimate_rank_excess(alpha, phi, growth)[band]))
    # Second order: (excess / count) of itself, some per cent here.
    assert abs(mean - predicted) < 4 * error + 0.05 * predicted
    assert abs(mean) > 4 * error
    if growth:
        assert abs(mean - float(np.mean(estimate_rank_excess(alpha, phi)[band]))) > 4 * error


def test_rank_bias_is_nan_where_it_is_not_known():
    counts = draw_counts(1.0, 500, 10_000, np.random.default_rng(0))
    assert math.isfinite(fit_zipf(counts, ranks=(1, 60)).rank_bias)
    assert math.isnan(fit_zipf(counts, ranks=(1, 400)).rank_bias)  # small counts
    assert math.isnan(fit_zipf(1000 * counts).rank_bias)  # the list ends
    assert math.isnan(fit_zipf(counts / 7, ranks=(1, 60)).rank_bias)  # no counts at all


def test_top_is_a_range_from_the_first_rank():
    counts = draw_counts(1.0, 300, 100_000, np.random.default_rng(1))
    assert fit_zipf(counts, 50) == fit_zipf(counts, ranks=(1, 50))
    fit = fit_zipf(counts, ranks=(11, 60))
    assert (fit.first, fit.last, fit.n) == (11, 60, 50)
    assert fit.total == np.sort(counts)[::-1][10:60].sum()
    assert "ranks 11 to 60" in str(fit) and "50 ranks" in str(fit_zipf(counts, 50))


@given(st.lists(st.integers(0, 1000), min_size=8, max_size=40), st.randoms())
def test_the_order_of_counts_does_not_matter(counts, random):
    counts = [c + 1 for c in counts]
    shuffled = list(counts)
    random.shuffle(shuffled)
    assert fit_zipf(counts, ranks=(2, 7)) == fit_zipf(shuffled, ranks=(2, 7))


@pytest.mark.parametrize(
    ("ranks", "error", "message"),
    [
        ((0, 5), ValueError, "the first rank = 0"),
        ((1, 99), ValueError, "the last rank = 99"),
        ((4, 5), ValueError, "the last rank = 5"),
        ((1.5, 5), ValueError, "the first rank = 1.5"),
        (7, TypeError, "ranks = 7 is not allowed"),
        ((1, 2, 3), TypeError, "give \\(first, last\\)"),
        ((1, "9"), TypeError, "the last rank"),
    ],
)
def test_bad_ranges(ranks, error, message):
    with pytest.raises(error, match=message):
        fit_zipf(np.arange(10, 0, -1), ranks=ranks)


def test_more_bad_input():
    with pytest.raises(ValueError, match="top or ranks, not both"):
        fit_zipf([3, 2, 1], top=3, ranks=(1, 3))
    with pytest.raises(ValueError, match="too few"):
        select_ranks([5, 4, 3, 0, 0, 0], (3, 6))
