"""Laws compared on counts whose law is known, and errors for words that come in bursts."""

import math

import numpy as np
import pandas as pd
import pytest

import empirical.counts.zipf as zipf_fits
from empirical.counts.noise import block_covariance, choose_last_rank, dispersions, fit_noise
from empirical.counts.zipf import compare_zipf
from empirical.counts.zipf_comparison import LEAST_SQUARES
from theory.rank_frequency.fits import maximise
from theory.rank_frequency.zipf_exponent import fit_zipf

RANKS = np.arange(1, 2001.0)
TRUTHS = {
    "zipf": 1 / RANKS,
    "zipf_mandelbrot": (RANKS + 2.7) ** -1.1,
    "broken_power_law": np.where(RANKS <= 40, RANKS**-0.9, 40**0.3 * RANKS**-1.2),
}


def draw(law, total, rng):
    return rng.multinomial(total, TRUTHS[law] / TRUTHS[law].sum())


def burst(rng, blocks=24, tokens=60_000, spread=0.5, n=600, alpha=1.0):
    """Counts by block: each word's rate varies from block to block by a gamma factor."""
    rate = tokens * np.arange(1, n + 1) ** -alpha / np.sum(np.arange(1, n + 1) ** -alpha)
    return rng.poisson(rate * rng.gamma(1 / spread, spread, (blocks, n)))


@pytest.mark.parametrize("law", TRUTHS)
def test_the_right_law_is_preferred(law):
    """In at least 9 of 10 draws."""
    rng = np.random.default_rng(2)
    found = [compare_zipf(draw(law, 300_000, rng), (1, 200)).preferred for _ in range(10)]
    assert sum(name == law for name in found) >= 9


def test_ranking_alone_would_make_richer_laws_win(monkeypatch):
    """Zipf's law down to counts of 10: preferred if the excess of the ranks is subtracted."""
    weights = 1 / np.arange(1, 8001)
    rng = np.random.default_rng(5)
    draws = [rng.multinomial(400_000, weights / weights.sum()) for _ in range(2)]
    found = [compare_zipf(counts, (1, 4592)) for counts in draws]
    assert all(
        one.preferred == "zipf" and one.excess[-1] == pytest.approx(0.5, abs=0.1) for one in found
    )
    z = [(one["zipf"].values["alpha"] - 1) / one.errors("zipf")["alpha"] for one in found]
    assert np.abs(z).max() < 4
    monkeypatch.setattr(zipf_fits, "find_excess", lambda c, *rest: np.zeros(c.size))
    assert all(compare_zipf(counts, (1, 4592)).preferred != "zipf" for counts in draws)


def test_errors_of_slowly_falling_counts_hold_in_repetition():
    """The last rank is chosen so that the excess of the ranks is known in every draw.

    Where it is known in some draws and not in others, alpha jumps between two values, and its
    spread is twice the standard error.
    """
    weights = np.arange(1, 301) ** -0.5
    rng, repeats = np.random.default_rng(7), 30
    z = []
    for _ in range(repeats):
        found = compare_zipf(rng.multinomial(12_000, weights / weights.sum()))
        assert found.last > 100 and found.excess[-1] == pytest.approx(1.0, rel=0.5)
        z.append((found["zipf"].values["alpha"] - 0.5) / found.errors("zipf")["alpha"])
    assert abs(np.mean(z)) < 4 / math.sqrt(repeats)
    assert abs(np.var(z, ddof=1) - 1) < 4 * math.sqrt(2 / repeats)


def test_least_squares_is_biased_where_likelihood_is_not():
    weights = 1 / np.arange(1, 3001)
    rng, repeats = np.random.default_rng(4), 5
    ml, ls = [], []
    for _ in range(repeats):
        counts = rng.multinomial(20_000, weights / weights.sum())
        everything = compare_zipf(counts[counts > 0], (1, int(np.sum(counts > 0))))
        ls.append((everything.least_squares[0] - 1) / everything.least_squares[1])
        fit = fit_zipf(counts, ranks=(1, 150))
        ml.append((fit.alpha - fit.rank_bias - 1) / fit.stderr)
    assert abs(np.mean(ml)) < 4 / math.sqrt(repeats)
    assert abs(np.mean(ls)) > 5


@pytest.mark.parametrize("law", ["zipf", "zipf_mandelbrot"])
def test_block_covariance_is_the_delta_method_over_blocks(law):
    """Var θ = k/(k - 1) Σ_b (dθ/dw_b)² with w_b the weight of a block, by steps; k of them."""
    rng = np.random.default_rng(12)
    parts = burst(rng, blocks=10, spread=0.1)[:, :100].astype(float)
    parts = parts[:, np.argsort(-parts.sum(axis=0))]

    def theta(weight):
        return maximise(law, weight @ parts, 1).theta

    slopes = [(theta(1 + e) - theta(1 - e)) / 0.02 for e in 0.01 * np.eye(10)]
    expected = 10 / 9 * np.transpose(slopes) @ np.array(slopes)
    found = block_covariance(maximise(law, parts.sum(axis=0), 1), parts)
    assert found == pytest.approx(expected, rel=2e-3)


def test_block_errors_hold_for_bursts_and_multinomial_ones_do_not():
    """1600 texts tell a spread to 1.8 %: 10 % is more than five standard errors."""
    rng, repeats, blocks = np.random.default_rng(9), 1600, 16
    alphas, squares, multinomial = [], [], []
    for _ in range(repeats):
        parts = burst(rng, blocks, n=150).astype(float)
        total = parts.sum(axis=0)
        fit = maximise("zipf", total, 1)
        alphas.append(fit.values["alpha"])
        squares.append(block_covariance(fit, parts)[0, 0])
        multinomial.append(fit.errors()["alpha"] ** 2)
    variance = np.var(alphas, ddof=1)
    # The estimate over 16 blocks has a spread of about √(2/15) of its mean.
    allowed = 4 * math.sqrt((2 + np.var(squares) / np.mean(squares) ** 2) / repeats)
    assert abs(np.mean(squares) / variance - 1) < allowed < 0.17
    assert np.mean(multinomial) < variance / 20


def test_errors_by_blocks_of_one_length_in_closed_form():
    """The lead is a sum over blocks: √k times the spread of its parts."""
    rng = np.random.default_rng(6)
    weights = RANKS[:300] ** -1.0 * (1 + 2 / RANKS[:300])
    tilt = rng.uniform(-0.3, 0.3, 24)[:, None]
    p = weights * RANKS[:300] ** tilt
    parts = rng.multinomial(20_000, p / p.sum(axis=1, keepdims=True)).astype(float)
    parts[:, -1] += 40_000 - parts.sum(axis=1)  # the last word fills up every block
    found = compare_zipf(parts.sum(axis=0), (1, 300), blocks=parts)
    assert found.errors_from == "blocks" and found.quantile == pytest.approx(2.0687, abs=1e-4)
    one, other = found["zipf_mandelbrot"], found["zipf"]
    each = found.blocks @ (np.log(one.p) - np.log(other.p))
    gap, error = found.lead("zipf_mandelbrot", "zipf")
    assert error == pytest.approx(math.sqrt(24) * np.std(each, ddof=1), rel=1e-9)
    assert gap == one.log_likelihood - other.log_likelihood
    row = found.to_dataframe().set_index("law").loc["zipf"]
    if found.preferred != "zipf":
        assert row["behind_stderr"] == found.lead(found.preferred, "zipf")[1]
    # The printed error of a parameter: by the covariance of its law over the blocks.
    covariance = block_covariance(one, found.blocks)
    q = math.exp(one.theta[1])
    assert found.errors("zipf_mandelbrot") == pytest.approx(
        {"alpha": math.sqrt(covariance[0, 0]), "q": q * math.sqrt(covariance[1, 1])}, rel=1e-9
    )


def test_error_of_least_squares_by_the_normal_equations():
    counts = draw("zipf", 50_000, np.random.default_rng(8))
    found = compare_zipf(counts, (3, 200))
    y, x = np.log(found.window), np.log(np.arange(3, 201))
    X = np.column_stack([np.ones(x.size), -x])
    inverse = np.linalg.inv(X.T @ X)
    best = inverse @ X.T @ y
    error = math.sqrt(np.sum((y - X @ best) ** 2) / (x.size - 2) * inverse[1, 1])
    assert found.least_squares == pytest.approx((best[1], error), rel=1e-8)


def test_dispersion_of_two_blocks_in_closed_form():
    """Of equal length, (a - b)²/(a + b), the chi-square of two counts; 1 where none was seen."""
    parts = np.array([[6.0, 3, 0, 11], [4.0, 7, 0, 9]])
    assert dispersions(parts) == pytest.approx([4 / 10, 16 / 10, 1, 4 / 20])


def test_overdispersion_of_draws_and_of_bursts():
    rng = np.random.default_rng(1)
    weights = 1 / np.arange(1, 301)
    even = rng.multinomial(20_000, weights / weights.sum(), size=20).astype(float)
    values = dispersions(even)
    # Chi-square with 19 degrees of freedom over 19, 300 times: 1.9 % in the mean.
    assert abs(values.mean() - 1) < 4 * math.sqrt(2 / 19 / values.size) < 0.08
    level, growth = fit_noise(even, even.sum(axis=0))
    assert level * 1000**growth == pytest.approx(1, abs=0.2)
    parts = burst(rng, blocks=30, spread=0.5).astype(float)
    total = parts.sum(axis=0)
    # Var = λ + spread λ² in a block, so φ = 1 + spread total / blocks.
    ratio = dispersions(parts) / (1 + 0.5 * total / 30)
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / math.sqrt(ratio.size)
    order = np.argsort(-total)
    level, growth = fit_noise(parts[:, order], total[order])
    assert 0.7 < growth <= 1


def test_default_ranks_end_where_counts_are_noisy():
    rng = np.random.default_rng(0)
    counts = draw("zipf", 30_000, rng)
    found = compare_zipf(counts)
    assert found.first == 1 and found.window[-1] >= 10 > found.counts[found.last + 1]
    parts = burst(rng, n=1000, tokens=5000, spread=2.0)
    by_blocks = compare_zipf(parts.sum(axis=0), blocks=parts)
    assert by_blocks.last < compare_zipf(parts.sum(axis=0)).last and by_blocks.excess[-1] > 0
    # Bursts too large for any rank: as without blocks, with a note that the excess is not known.
    wild = burst(rng, n=1000, tokens=5000, spread=5.0)
    one, other = compare_zipf(wild.sum(axis=0), blocks=wild), compare_zipf(wild.sum(axis=0))
    assert one.last == other.last and one.window[-1] >= 10
    assert any("is not known" in note for note in one.notes)
    # Of counts that are all large the last ones are left out, but not many.
    assert 1500 < choose_last_rank(1e7 / RANKS, (1.0, 0.0)) < 2000


def test_order_does_not_matter():
    rng = np.random.default_rng(3)
    counts = draw("zipf", 50_000, rng)
    one, other = compare_zipf(counts, (1, 150)), compare_zipf(rng.permutation(counts), (1, 150))
    pd.testing.assert_frame_equal(one.to_dataframe(), other.to_dataframe())
    assert one.notes == other.notes


def test_the_table_and_its_information_criteria():
    found = compare_zipf(draw("zipf_mandelbrot", 100_000, np.random.default_rng(0)), (1, 150))
    table = found.to_dataframe().set_index("law")
    assert list(table.index) == [*TRUTHS, LEAST_SQUARES]
    assert list(table["method"]) == ["maximum likelihood"] * 3 + ["least squares"]
    assert np.isnan(table.loc[LEAST_SQUARES, "log_likelihood"])
    for law in TRUTHS:
        row, k = table.loc[law], found[law].theta.size
        assert row["aic"] == 2 * k - 2 * row["log_likelihood"]
        assert row["bic"] == pytest.approx(
            k * math.log(found[law].total) - 2 * row["log_likelihood"], rel=1e-12
        )
        assert row["behind"] == (
            table.loc[found.preferred, "log_likelihood"] - row["log_likelihood"]
        )
        expected = found[law].total * found[law].p
        chi = np.sum((found.window - found.excess - expected) ** 2 / expected)
        assert row["dispersion"] == pytest.approx(chi / (150 - 1 - k))
        # Without blocks the errors are inflated by the misfit.
        inflation = math.sqrt(max(1.0, row["dispersion"]))
        assert row["alpha_stderr"] == pytest.approx(row["alpha_multinomial_stderr"] * inflation)
    assert found.overdispersion == max(1.0, table["dispersion"].min())
    assert found.preferred in str(found) or "preferred" in str(found)
    assert "comparison only" in str(found)


def test_misfit_is_said():
    counts = np.round(1e6 * np.exp(-((np.log(RANKS[:300])) ** 2) / 4))
    found = compare_zipf(counts, (1, 200))
    assert any("no law fits within the noise" in note for note in found.notes)
    parts = np.stack([counts // 3] * 3)
    few = compare_zipf(parts.sum(axis=0), (1, 200), blocks=parts)
    assert few.errors_from == "dispersion" and any("too few" in note for note in few.notes)


def test_plot():
    found = compare_zipf(draw("zipf", 100_000, np.random.default_rng(0)), (1, 150))
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert found.plot(ax) is ax
    labels = ax.get_legend_handles_labels()[1]
    assert "least squares (comparison)" in " ".join(labels)
    # The curve drawn for Zipf's law holds as many occurrences as the counts it was fitted to.
    line = next(line for line in ax.get_lines() if str(line.get_label()).startswith("zipf:"))
    assert line.get_ydata().sum() == pytest.approx(found.window.sum(), rel=2e-3)


@pytest.mark.parametrize(
    ("counts", "options", "message"),
    [
        ([3, 2, 1.5, 1, 1, 1, 1], {}, "counts contain 1.5: likelihoods compare whole numbers"),
        ([3, 2, -1, 1, 1, 1, 1], {}, "counts contain -1"),
        ([3, 2, 1, 1], {}, "4 positive counts from rank 1 to 4 are too few"),
        ([0, 0, 0, 0], {}, "0 positive counts"),
        (np.arange(20, 0, -1), {"ranks": (1, 30)}, "the last rank = 30"),
        (np.arange(20, 0, -1), {"blocks": np.ones((8, 3))}, "blocks have shape \\(8, 3\\)"),
        (np.arange(20, 0, -1), {"blocks": np.ones((8, 20))}, "do not sum to the counts"),
        (
            np.arange(40.0),
            {"ranks": (18, None)},
            "up to rank 21 only: give a lower first rank than",
        ),
    ],
)
def test_bad_input(counts, options, message):
    with pytest.raises(ValueError, match=message):
        compare_zipf(counts, **options)


def test_more_bad_input():
    with pytest.raises(TypeError, match="ranks = 7 is not allowed"):
        compare_zipf(np.arange(20), 7)
    found = compare_zipf(draw("zipf", 10_000, np.random.default_rng(0)), (1, 100))
    with pytest.raises(ValueError, match="law 'zip' is not here: give zipf, zipf_mandelbrot"):
        found["zip"]


def test_a_break_that_is_none_is_said_to_be_none():
    """Of exact Zipf counts, and of ten samples; and not where there is a break."""
    ranks = np.arange(1, 301)
    exact = compare_zipf(np.round(1e6 / ranks))
    assert any("no break is seen" in note for note in exact.notes)
    said = {True: 0, False: 0}
    for seed in range(10):
        rng = np.random.default_rng(seed)
        for is_broken in said:
            law = np.where(is_broken & (ranks > 40), 40**0.5 * ranks**-1.5, 1.0 / ranks)
            found = compare_zipf(rng.poisson(2e5 * law), (1, 200))
            said[is_broken] += any("no break is seen" in note for note in found.notes)
    assert said[True] == 0 and said[False] >= 7
