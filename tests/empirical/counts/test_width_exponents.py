"""What the fits predict for the loss, beside what the counts themselves predict."""

import dataclasses
import itertools

import numpy as np
import pytest

import empirical.counts.width_exponents as module
from empirical.counts.width_exponents import COUNTS, predict_width_exponents
from empirical.counts.zipf import compare_zipf
from theory.frequencies import Frequencies
from theory.rank_frequency.laws import rank_frequencies
from theory.regimes.weak import weak_exponent

N = 1500


def burst(rng, blocks=20, tokens=40_000, spread=0.2, alpha=1.05):
    i = np.arange(1, N + 1)
    rate = np.where(i <= 20, 20.0**-alpha * (i / 20) ** -0.6, i**-alpha)
    return rng.poisson(tokens * rate / rate.sum() * rng.gamma(1 / spread, spread, (blocks, N)))


@pytest.fixture(scope="module")
def bursts():
    parts = burst(np.random.default_rng(0))
    return compare_zipf(parts.sum(axis=0), (1, 300), blocks=parts)


def test_a_power_law_comes_back():
    counts = np.random.default_rng(1).poisson(3e6 / np.arange(1, N + 1) ** 1.1)
    found = predict_width_exponents(compare_zipf(counts, (1, 400)), [10, 100, 500])
    listed = Frequencies.from_probabilities(Frequencies.power_law(N, 1.1).p)
    truth = weak_exponent(listed, [10, 100, 500])
    for law in ("zipf", "zipf_mandelbrot", "broken_power_law"):
        z = (found.exponent[law] - truth) / found.stderr[law]
        assert np.all(np.abs(z) < 4), law
        assert np.allclose(found.exponent[law], truth, rtol=0.02)
    assert np.allclose(found.exponent[COUNTS], truth, rtol=0.02)
    assert np.isnan(found.stderr[COUNTS]).all()
    # The exponent of an infinite list is far from what holds here.
    assert found.tail["zipf"][0] - 1 == pytest.approx(0.1, abs=0.01)
    assert truth[1] > 0.3


def test_the_counts_exponent_is_that_of_their_frequencies(bursts):
    found = predict_width_exponents(bursts, [50, 200])
    f = Frequencies.from_counts(bursts.counts)
    assert found.n == f.n
    assert np.array_equal(found.exponent[COUNTS], weak_exponent(f, [50, 200]))


def test_errors_of_laws_by_steps_along_a_root_of_the_covariance(bursts):
    """Var f = Σ_j (df/dz_j)² with θ = θ_0 + L z, L Lᵀ the covariance."""
    widths = [30, 300]
    found = predict_width_exponents(bursts, widths)
    for law in ("zipf", "zipf_mandelbrot", "broken_power_law"):
        fit, step = bursts[law], 0.02

        def value(theta, fit=fit):
            return weak_exponent(rank_frequencies(fit.law, theta, found.n, 1), widths)

        root = np.linalg.cholesky(bursts.covariance[law]).T
        slopes = [(value(fit.theta + step * d) - value(fit.theta - step * d)) / 2 for d in root]
        expected = np.sqrt(np.sum(np.square(slopes), axis=0)) / step
        assert found.stderr[law] == pytest.approx(expected, rel=5e-3), law
        name = "alpha_tail" if law == "broken_power_law" else "alpha"
        assert found.tail[law] == (fit.values[name], bursts.errors(law)[name])


def test_errors_of_the_counts_by_all_draws_of_blocks(bursts, monkeypatch):
    """Four blocks: all 256 draws, against 2500 random ones, which tell a spread to 1.4 %."""
    widths = [30, 300]
    monkeypatch.setattr(module, "_SAMPLES", 2500)
    few = dataclasses.replace(bursts, blocks=bursts.blocks[::5])
    found = predict_width_exponents(few, widths, seed=1)
    table = {}
    for draw in itertools.product(range(4), repeat=4):
        key = tuple(sorted(draw))
        if key not in table:
            f = Frequencies.from_counts(few.blocks[list(key)].sum(axis=0))
            table[key] = weak_exponent(f, widths)
    values = [table[tuple(sorted(draw))] for draw in itertools.product(range(4), repeat=4)]
    assert found.stderr[COUNTS] == pytest.approx(np.std(values, axis=0), rel=0.05)


def test_resamples_are_the_same_however_many_are_formed_at_once(bursts, monkeypatch):
    wanted = predict_width_exponents(bursts, [30, 300], seed=3).stderr[COUNTS]
    monkeypatch.setattr(module, "_AT_ONCE", 1)
    found = predict_width_exponents(bursts, [30, 300], seed=3).stderr[COUNTS]
    other = predict_width_exponents(bursts, [30, 300], seed=4).stderr[COUNTS]
    assert np.array_equal(found, wanted) and not np.array_equal(other, wanted)


def test_errors_of_the_counts_hold_in_repetition(bursts):
    found = predict_width_exponents(bursts, [30, 300])
    rng = np.random.default_rng(3)
    texts = [Frequencies.from_counts(burst(rng).sum(axis=0)) for _ in range(100)]
    spread = np.std([weak_exponent(f, [30, 300]) for f in texts], axis=0)
    # 100 texts, 200 resamples and 20 blocks: 7, 5 and 16 per cent.
    assert np.allclose(found.stderr[COUNTS], spread, rtol=0.4)
    again = predict_width_exponents(bursts, [30, 300], seed=0)
    other = predict_width_exponents(bursts, [30, 300], seed=1)
    assert np.array_equal(found.stderr[COUNTS], again.stderr[COUNTS])
    assert not np.array_equal(found.stderr[COUNTS], other.stderr[COUNTS])


def test_table_plot_and_notes(bursts):
    found = predict_width_exponents(bursts, 100, n=5000)
    table = found.to_dataframe().set_index("law")
    assert list(table.index) == [COUNTS, "zipf", "zipf_mandelbrot", "broken_power_law"]
    row = table.loc["zipf"]
    for end in (row["exponent"] - row["low"], row["high"] - row["exponent"]):
        assert end == pytest.approx(2.0930 * row["stderr"], rel=1e-4)  # Student's t with 19
    assert row["asymptotic"] == pytest.approx(bursts["zipf"].values["alpha"] - 1)
    assert table.loc["broken_power_law", "asymptotic"] == pytest.approx(
        bursts["broken_power_law"].values["alpha_tail"] - 1
    )
    assert found.n == 5000 and "ranks 1 to 300 and go on" in str(found)
    # More features that are never seen: the loss falls more slowly.
    assert row["exponent"] < predict_width_exponents(bursts, 100).exponent["zipf"][0]
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert found.plot(ax) is ax and len(ax.get_legend_handles_labels()[1]) == 5
    drawn = ax.containers[1].lines[2][0].get_segments()[0][:, 1]  # the error bar of Zipf's law
    assert drawn == pytest.approx([row["low"], row["high"]])
    assert row["asymptotic_stderr"] == bursts.errors("zipf")["alpha"]


def test_a_law_that_does_not_reach_the_first_rank_is_left_out():
    counts = np.round(np.concatenate([np.full(49, 2e6), 1e6 / (np.arange(50, 300.0) - 49.5)]))
    found = predict_width_exponents(compare_zipf(counts, (50, 250)), 100)
    assert "zipf_mandelbrot" not in found.exponent
    assert any("zipf_mandelbrot left out" in note for note in found.notes)


def test_bad_widths(bursts):
    for m in (0, N, 10**6):
        with pytest.raises(ValueError, match=f"m = {m} is not allowed"):
            predict_width_exponents(bursts, m)
    with pytest.raises(ValueError, match="n = 1 "):
        predict_width_exponents(bursts, 10, n=1)
