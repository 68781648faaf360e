import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from theory.frequencies import Frequencies
from theory.rank_frequency.zipf_exponent import fit_zipf


@st.composite
def laws(draw, most=400):
    n = draw(st.integers(1, most))
    kind = draw(st.sampled_from(["power", "exponential", "linear", "counts"]))
    density = draw(st.floats(0.01, 1.0))
    if kind == "power":
        return Frequencies.power_law(n, draw(st.floats(0, 5)), density)
    if kind == "exponential":
        return Frequencies.exponential(n, draw(st.floats(2, 1e6)), density)
    if kind == "linear":
        return Frequencies.linear(n, density)
    counts = draw(st.lists(st.integers(1, 10**9), min_size=n, max_size=n))
    return Frequencies.from_counts(counts, density)


@given(laws())
def test_lists_are_sorted_probabilities_that_sum_to_the_density(f):
    assert f.p.shape == (f.n,)
    assert np.all(np.diff(f.p) <= 0)
    assert f.p[0] <= 1 and f.p[-1] >= 0
    assert math.fsum(f.p) == pytest.approx(f.density, rel=1e-12)
    assert f.largest == f.p[0]
    assert not f.p.flags.writeable


@given(laws(), st.data())
@example(Frequencies.power_law(100, 1.0), None)
def test_tail_sums_against_direct_sums(f, data):
    r = np.arange(f.n + 1) if data is None else data.draw(st.integers(0, f.n))
    for power in (1, 2):
        tails = np.atleast_1d(f.tail_sum(r, power))
        direct = [math.fsum(f.p[k:] ** power) for k in np.atleast_1d(r)]
        assert tails == pytest.approx(direct, rel=3e-13, abs=1e-300)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 1.2, 2.0])
def test_tails_at_a_billion_features(alpha):
    n = 10**9
    f = Frequencies.power_law(n, alpha)
    # The last three terms, summed directly, against the tail above n - 3.
    last = math.fsum(f.frequency(np.arange(n - 2, n + 1)))
    assert float(f.tail_sum(n - 3)) == pytest.approx(last, rel=1e-13)
    # Head and tail make the whole.
    head = math.fsum(f.frequency(np.arange(1, 10_001)))
    assert head + float(f.tail_sum(10_000)) == pytest.approx(1, rel=1e-13)


@pytest.mark.parametrize(
    "f",
    [
        Frequencies.exponential(10**9, 1e7),
        Frequencies.exponential(10**9, 400.0),
        Frequencies.linear(10**9),
    ],
    ids=str,
)
def test_other_laws_at_a_billion_features(f):
    head = math.fsum(f.frequency(np.arange(1, 10_001)))
    assert head + float(f.tail_sum(10_000)) == pytest.approx(1, rel=1e-12)
    square = math.fsum(f.frequency(np.arange(1, 1001)) ** 2)
    whole = float(f.tail_sum(0, 2))
    assert square + float(f.tail_sum(1000, 2)) == pytest.approx(whole, rel=1e-12)
    with pytest.raises(ValueError, match="use tail_sum"):
        _ = f.p


@given(laws(most=50), st.floats(0.01, 0.99))
def test_tail_sums_fall_with_r_and_scale_with_density(f, factor):
    tails = f.tail_sum(np.arange(f.n + 1))
    assert np.all(np.diff(tails) <= 0) and tails[-1] == 0
    if f.law == "power_law":
        thinner = Frequencies.power_law(f.n, f.parameter, f.density * factor)
        assert thinner.tail_sum(0, 2) == pytest.approx(f.tail_sum(0, 2) * factor**2, rel=1e-12)


def test_special_exponents():
    assert Frequencies.power_law(4, 0).p == pytest.approx([0.25] * 4)
    h = 1 + 1 / 2 + 1 / 3
    assert Frequencies.power_law(3, 1).p == pytest.approx([1 / h, 1 / (2 * h), 1 / (3 * h)])


@pytest.mark.parametrize(
    "make",
    [
        lambda density: Frequencies.power_law(1000, 1.0, density),
        lambda density: Frequencies.exponential(1000, 30.0, density),
        lambda density: Frequencies.linear(1000, density),
        lambda density: Frequencies.from_counts([5, 3, 2, 2], density),
    ],
)
def test_the_largest_density_that_the_error_names_works_and_no_more(make):
    with pytest.raises(ValueError, match="largest density possible here is") as caught:
        make(1e6)
    largest = float(str(caught.value).rsplit(" ", 1)[1])
    assert make(largest).largest == pytest.approx(1, rel=1e-5)
    assert make(largest).largest <= 1
    with pytest.raises(ValueError):
        make(largest * 1.0001)


def test_counts_are_sorted_cleaned_and_rescaled():
    f = Frequencies.from_counts([1, 0, 6, 3, 0], density=0.5)
    assert f.p == pytest.approx([0.3, 0.15, 0.05])
    assert f.dropped == 2 and "2 zero counts dropped" in str(f)
    assert Frequencies.from_counts([1, 0, 6, 3, 0], top=2).p == pytest.approx([2 / 3, 1 / 3])


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30), st.randoms())
def test_counts_in_any_order_and_any_unit(counts, random):
    if not any(counts):
        return
    f = Frequencies.from_counts(counts)
    shuffled = list(counts)
    random.shuffle(shuffled)
    assert np.array_equal(Frequencies.from_counts(shuffled).p, f.p)
    assert Frequencies.from_counts([7.5 * c for c in counts]).p == pytest.approx(f.p, rel=1e-14)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Frequencies.from_counts([1, -2]), r"counts\[1\] = -2"),
        (lambda: Frequencies.from_counts([1, math.nan]), r"counts\[1\] = nan"),
        (lambda: Frequencies.from_counts([]), "counts is empty"),
        (lambda: Frequencies.from_counts([0, 0]), "every count is 0"),
        (lambda: Frequencies.from_counts([1, 2], top=3), "top = 3"),
        (lambda: Frequencies.from_probabilities([0.5, 1.5]), r"p\[1\] = 1.5"),
        (lambda: Frequencies.from_probabilities([0.5, 0.0]), r"p\[1\] = 0"),
        (lambda: Frequencies.power_law(0, 1.0), "n = 0"),
        (lambda: Frequencies.power_law(10, -1.0), "alpha = -1"),
        (lambda: Frequencies.power_law(10, 1.0, density=0), "density = 0"),
        (lambda: Frequencies.exponential(10, 0.0), "scale = 0"),
        (lambda: Frequencies.linear(10).tail_sum(11), "r = 11"),
        (lambda: Frequencies.linear(10).tail_sum(2.5), "r = 2.5"),
        (lambda: Frequencies.linear(10).tail_sum(1, 3), "power = 3"),
        (lambda: Frequencies.linear(10).frequency(0), "rank i = 0"),
    ],
)
def test_bad_input_names_the_value(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_equality():
    assert Frequencies.power_law(10, 1.0) == Frequencies.power_law(10, 1.0)
    assert Frequencies.power_law(10, 1.0) != Frequencies.power_law(10, 1.1)
    assert Frequencies.from_counts([2, 1]) == Frequencies.from_counts([2, 1, 0])
    # Row i of a matrix belongs to another feature.
    assert Frequencies.from_counts([2, 1]) != Frequencies.from_counts([1, 2])
    assert Frequencies.from_counts([2, 1]) != Frequencies.power_law(2, 1.0)


# ---- the Zipf exponent of counts --------------------------------------------------------


def sample_counts(alpha, n, total, seed):
    p = Frequencies.power_law(n, alpha).p
    return np.random.default_rng(seed).multinomial(total, p / p.sum())


@pytest.mark.parametrize(
    "alpha", [1.0, *(pytest.param(alpha, marks=pytest.mark.slow) for alpha in (0.7, 1.6))]
)
def test_zipf_exponent_and_standard_error_hold_in_repetition(alpha):
    repeats = 1500
    fits = [fit_zipf(sample_counts(alpha, 30, 1_000_000, seed)) for seed in range(repeats)]
    z = np.array([(fit.alpha - alpha) / fit.stderr for fit in fits])
    # Mean of z within 4 / sqrt(repeats); its variance within 4 standard errors of 1.
    assert abs(z.mean()) < 4 / math.sqrt(repeats)
    assert abs(z.var(ddof=1) - 1) < 4 * math.sqrt(2 / repeats)
    # Negative control: one per cent off in alpha is seen.
    wrong = np.array([(fit.alpha - 1.01 * alpha) / fit.stderr for fit in fits])
    assert abs(wrong.mean()) > 4 / math.sqrt(repeats)
    assert np.median([fit.dispersion for fit in fits]) < 1.1


def test_zipf_dispersion_tells_a_law_that_is_none():
    counts = np.round(1e6 * np.exp(-np.arange(200) / 40))
    assert fit_zipf(counts).dispersion > 100


def test_zipf_edge_cases():
    assert fit_zipf([5, 5, 5, 5]).alpha == 0
    assert fit_zipf([0, 9, 4, 0, 2]).n == 5
    assert fit_zipf([2, 9, 4, 1, 1]).alpha == fit_zipf([9, 4, 2, 1, 1]).alpha
    fit = fit_zipf([100, 50, 33, 25])
    p = np.arange(1, 5) ** -fit.alpha / np.sum(np.arange(1, 5) ** -fit.alpha)
    expected = 208 * p
    assert fit.total == 208
    assert fit.dispersion == pytest.approx(
        np.sum((np.array([100, 50, 33, 25]) - expected) ** 2 / expected) / 2
    )
    ranks = np.log(np.arange(1, 5))
    variance = p @ ranks**2 - (p @ ranks) ** 2
    assert fit.stderr == pytest.approx(1 / math.sqrt(208 * variance))
    assert math.isnan(fit_zipf([0.5, 0.3, 0.2]).stderr)
    assert fit_zipf(np.arange(100, 0, -1), top=10).n == 10
    for bad in ([1, 2], [1, 2, -3], [1, math.nan, 2]):
        with pytest.raises(ValueError):
            fit_zipf(bad)
    with pytest.raises(ValueError, match="no power law"):
        fit_zipf([1e300, 1, 1])
    with pytest.raises(ValueError, match="too large to add up"):
        fit_zipf([1e308] * 5)
    assert "Zipf exponent" in str(fit_zipf([4, 2, 1]))
    assert len(fit_zipf([4, 2, 1]).to_dataframe()) == 1


@pytest.mark.parametrize(
    ("alpha", "n", "total", "sign"), [(1.0, 2000, 2000, -1), (0.0, 200, 200_000, 1)]
)
def test_zipf_biases_that_the_docstring_names(alpha, n, total, sign):
    """Unseen features make a tail look flat; ranking makes flat counts look steep."""
    z = []
    for seed in range(20):
        counts = sample_counts(alpha, n, total, seed)
        fit = fit_zipf(counts[counts > 0])
        z.append((fit.alpha - alpha) / fit.stderr)
    assert sign * np.mean(z) > 4


def test_descriptions_bring_tables_back_whole():
    f = Frequencies.from_counts([3, 0, 1, 0, 7], density=0.7)
    back = Frequencies.from_description(f.describe(), f.p_as_given)
    assert back == f and hash(back) == hash(f)
    assert back.p_as_given.tolist() == f.p_as_given.tolist() != f.p.tolist()
    assert (back.density, back.dropped) == (0.7, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Frequencies.linear(10**16), "n = 10000000000000000"),
        (lambda: Frequencies.exponential(10, 1e300), "scale = 1e\\+300"),
        (lambda: Frequencies.linear(10).frequency(2.5), "rank i = 2.5"),
        (lambda: Frequencies.power_law(4, 0, 4 * (1 + 1e-9)), "largest density possible here is 4"),
    ],
)
def test_more_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_whole_ranks_in_any_type():
    assert Frequencies.from_counts([3, 1]).frequency(2.0) == 0.25
    # A density that puts p_1 at 1 up to rounding is allowed, and p_1 is exactly 1.
    assert Frequencies.power_law(1000, 1.0, 7.485470860550345).largest == 1


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30).filter(any), st.data())
def test_the_order_in_which_a_list_was_given_is_kept(counts, data):
    counts = np.array(counts)
    f = Frequencies.from_counts(counts, density=0.5)
    assert np.allclose(f.p_as_given, 0.5 * counts[counts > 0] / counts.sum(), rtol=1e-14)
    assert f.p.tolist() == sorted(f.p_as_given, reverse=True)
    assert Frequencies.from_probabilities(f.p_as_given).p_as_given.tolist() == f.p_as_given.tolist()
    values = np.arange(f.n)
    assert f.by_rank(f.as_given(values)).tolist() == values.tolist()
    assert f.by_rank(f.p_as_given).tolist() == f.p.tolist()
    # The most frequent features, in the order in which they were given.
    top = data.draw(st.integers(1, f.n))
    kept = Frequencies.from_counts(counts, density=0.5, top=top).p_as_given
    places = np.sort(np.argsort(-counts, kind="stable")[:top])
    assert np.allclose(kept, 0.5 * counts[places] / counts[places].sum(), rtol=1e-14)
    assert not f.p_as_given.flags.writeable


def test_laws_and_sorted_lists_have_one_order():
    for f in (Frequencies.linear(5), Frequencies.from_probabilities([0.5, 0.2, 0.2])):
        assert f.p_as_given is f.p and f.by_rank(f.p) is f.p
