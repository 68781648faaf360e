import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import ortho_group, skew

import numerics.overlaps.statistics as module
from numerics.overlaps import unit_rows
from numerics.overlaps.result import random_values
from numerics.overlaps.statistics import overlaps, random_overlaps
from numerics.overlaps.unit_rows import mean_square_overlap
from numerics.tensors.row_matrix import RowMatrix
from theory.directions import RandomOverlap, welch_mean_square
from theory.frequencies import Frequencies

LEVELS = (0.0, 0.2, -0.1)


def unit(W):
    return W / np.linalg.norm(W, axis=1, keepdims=True)


def plain(W, weights=None, rows=None, against=None):
    """Every statistic from all pairs, written out."""
    U = unit(np.asarray(W, dtype=np.float64))
    n = len(U)
    w = np.ones(n) if weights is None else np.asarray(weights)
    left = np.arange(n) if rows is None else np.asarray(rows)
    right = left if against is None else np.asarray(against)
    pairs = [(i, j) for i in left for j in right if i != j]
    t = np.array([U[i] @ U[j] for i, j in pairs])
    p = np.array([w[i] * w[j] for i, j in pairs])
    p = p / p.sum()
    mean, square = p @ t, p @ t**2
    spread = np.sqrt(square - mean**2)
    values = {
        "mean": mean,
        "mean_absolute": p @ np.abs(t),
        "mean_square": square,
        "variance_of_square": p @ t**4 - square**2,
        "skewness": p @ ((t - mean) / spread) ** 3,
        "largest": t.max(),
        "smallest": t.min(),
        "coherence": np.abs(t).max(),
    }
    values |= {f"one_sided({h:g})": p @ np.maximum(t - h, 0) ** 2 for h in LEVELS}
    return values, t, pairs


def gaussian(n, m, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal((n, m)).astype(dtype)


def agree(found, values, rel):
    assert set(found) == set(values)
    for name, value in values.items():
        assert found[name] == pytest.approx(value, rel=rel, abs=rel * 0.1), name


@pytest.mark.parametrize(("dtype", "rel"), [(np.float64, 1e-12), (np.float32, 2e-5)])
@pytest.mark.parametrize("block", [7, 20, 64, 2048])
def test_against_all_pairs_in_blocks_of_any_size(monkeypatch, dtype, rel, block):
    monkeypatch.setattr(module, "_BLOCK", block)
    monkeypatch.setattr(unit_rows, "_BLOCK", block + 3)
    W = gaussian(60, 9, 1, dtype) + dtype(0.3)
    result = overlaps(W, thresholds=LEVELS)
    values, t, pairs = plain(W)
    agree(result.values, values, rel)
    for ends, best in ((result.closest, t.max()), (result.most_opposed, t.min())):
        assert unit(W.astype(float))[ends[0]] @ unit(W.astype(float))[ends[1]] == pytest.approx(
            best
        )
    assert result.histogram.sum() == 60 * 59 / 2
    if dtype == np.float64:
        upper = [t[k] for k, (i, j) in enumerate(pairs) if i < j]
        expected = np.histogram(upper, result.edges)[0]
        # An overlap within rounding of an edge may fall on either side of it.
        assert np.abs(np.cumsum(result.histogram - expected)).max() <= 1


def test_weighted_by_frequencies():
    W = gaussian(40, 6, 2)
    f = Frequencies.power_law(40, 1.2)
    agree(overlaps(W, weights=f, thresholds=LEVELS).values, plain(W, f.p)[0], 1e-12)
    agree(overlaps(W, weights=f.p * 7, thresholds=LEVELS).values, plain(W, f.p)[0], 1e-12)
    # A weight of 0 takes a row out.
    gone = np.r_[np.ones(30), np.zeros(10)]
    assert overlaps(W, weights=gone).mean_square == pytest.approx(mean_square_overlap(W[:30]))


@pytest.mark.parametrize("block", [5, 2048])
def test_among_some_rows_and_between_two_groups(monkeypatch, block):
    monkeypatch.setattr(module, "_BLOCK", block)
    W = gaussian(30, 5, 3)
    some, others = np.array([3, 4, 5, 11, 20, 29]), np.array([0, 4, 20, 21])
    agree(overlaps(W, rows=some, thresholds=LEVELS).values, plain(W, rows=some)[0], 1e-12)
    between = overlaps(W, rows=some, against=others, thresholds=LEVELS)
    values, t, _ = plain(W, rows=some, against=others)
    agree(between.values, values, 1e-12)
    assert between.histogram.sum() == t.size == 6 * 4 - 2
    w = np.linspace(1, 2, 30)
    weighted = overlaps(W, rows=some, against=others, weights=w, thresholds=LEVELS)
    agree(weighted.values, plain(W, w, some, others)[0], 1e-12)
    assert overlaps(W, against=others, pairs="none").mean == pytest.approx(
        plain(W, rows=np.arange(30), against=others)[0]["mean"]
    )


@pytest.mark.parametrize("remove", [0, 1, 3])
def test_centred_and_with_directions_removed(remove):
    W = gaussian(50, 8, 4) * np.r_[9, 5, 3, np.ones(5)] + np.r_[4, np.zeros(7)]
    X = W - W.mean(axis=0)
    _, _, directions = np.linalg.svd(X, full_matrices=False)
    X = X - X @ directions[:remove].T @ directions[:remove]
    result = overlaps(W, center=True, remove=remove, thresholds=LEVELS)
    agree(result.values, plain(X)[0], 1e-10)
    assert result.m == 8 - remove
    assert result.norms == pytest.approx(np.linalg.norm(X, axis=1))
    assert result.welch == pytest.approx(float(welch_mean_square(50, 8 - remove)))
    assert (
        overlaps(W, remove=remove or 1).values
        == overlaps(W, center=True, remove=remove or 1).values
    )


def test_centring_leaves_out_the_row_that_is_the_mean():
    W = np.array([[0.1, 0.2], [1.1, 0.2], [-0.9, 0.2]])
    result = overlaps(W, center=True)
    assert result.rows_of_zeros.tolist() == [0] and result.n == 2
    assert result.smallest == pytest.approx(-1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_centring_keeps_a_small_direction_that_is_real(dtype):
    W = np.array([[1, 0.2], [-1, -0.2], [1e-4, -2e-4]]) + np.array([3, 5])
    result = overlaps(W.astype(dtype), center=True)
    assert result.n == 3
    t = unit(W - W.mean(axis=0))
    assert result.smallest == pytest.approx((t @ t.T).min(), abs=5e-3)


def test_rows_of_zeros_are_reported_and_left_out():
    W = gaussian(20, 4, 5)
    W[[0, 7, 19]] = 0
    result = overlaps(W, thresholds=LEVELS)
    assert result.rows_of_zeros.tolist() == [0, 7, 19] and result.n == 17
    kept = np.setdiff1d(np.arange(20), [0, 7, 19])
    agree(result.values, plain(W[kept])[0], 1e-12)
    assert set(result.closest) <= set(kept.tolist())
    assert "3 rows of zeros left out" in str(result)
    assert mean_square_overlap(W) == pytest.approx(result.mean_square)
    assert math.isnan(mean_square_overlap([[1, 0], [0, 0]]))


# ---- invariances and bounds --------------------------------------------------------------

matrices = st.tuples(st.integers(2, 30), st.integers(1, 10), st.integers(0, 10**6)).map(
    lambda s: np.random.default_rng(s[2]).standard_normal(s[:2])
)


@given(matrices, st.integers(0, 1000))
def test_invariances(W, seed):
    n, m = W.shape
    rng = np.random.default_rng(seed)
    before = overlaps(W, thresholds=LEVELS).values
    order, sizes = rng.permutation(n), rng.uniform(0.1, 10, n)
    turned = W @ ortho_group.rvs(m, random_state=seed) if m > 1 else -W
    for other in (W[order], W * sizes[:, None], turned):
        after = overlaps(other, thresholds=LEVELS).values
        for name, value in before.items():
            if name != "skewness" or before["variance_of_square"] > 1e-6:
                assert after[name] == pytest.approx(value, abs=1e-9), name
    signs = rng.choice([-1, 1], n)
    flipped = overlaps(W * signs[:, None]).values
    for name in ("mean_square", "mean_absolute", "coherence", "variance_of_square"):
        assert flipped[name] == pytest.approx(before[name], abs=1e-12)


@given(matrices)
@example(np.array([[0.12573022, -0.13210486], [0.64042265, 0.10490012]]))  # one pair: all equal
def test_bounds_and_order(W):
    result = overlaps(W)
    n, m = W.shape
    assert result.mean_square >= float(welch_mean_square(n, m)) - 1e-12
    assert result.coherence**2 >= result.mean_square - 1e-12
    assert result.smallest - 1e-12 <= result.mean <= result.largest + 1e-12
    assert result.mean >= -1 / (n - 1) - 1e-12
    assert result.mean_absolute**2 <= result.mean_square + 1e-12


def test_the_least_mean_square_for_weights():
    # Three directions at 120° with weights 1, 1, 1 attain it; other weights do not beat theirs.
    angles = 2 * np.pi * np.arange(3) / 3
    W = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert overlaps(W).welch == pytest.approx(float(welch_mean_square(3, 2)))
    assert overlaps(W).mean_square == pytest.approx(overlaps(W).welch)
    # Two rows along one axis with weight 1/2 each balance one of weight 1 along the other.
    tight = overlaps([[1, 0], [1, 0], [0, 1]], weights=[1, 1, 2])
    assert tight.mean_square == pytest.approx(tight.welch) and tight.welch == pytest.approx(0.2)
    w = np.r_[3, 2, np.ones(18)]
    for seed in range(20):
        result = overlaps(gaussian(20, 4, seed), weights=w)
        assert result.welch < result.mean_square < result.welch + 0.2
    assert result.weighted and math.isnan(overlaps(W, rows=[0], against=[1, 2]).welch)


def test_pairs_that_are_compared_set_the_expected_largest():
    W = gaussian(30, 6, 1)
    result = overlaps(W, rows=np.arange(10), against=np.arange(5, 25))
    assert result.pair_count == 10 * 20 - 5 - 5 * 4 // 2
    table = result.to_dataframe().set_index("statistic")
    found = [
        overlaps(gaussian(30, 6, seed), rows=np.arange(10), against=np.arange(5, 25)).coherence
        for seed in range(300)
    ]
    error = np.std(found) / np.sqrt(300)
    assert abs(np.mean(found) - table.loc["coherence", "random"]) < 4 * error
    assert abs(np.mean(found) - RandomOverlap(6).expected_maximum(25)) > 4 * error


# ---- samples and chance -------------------------------------------------------------------


def test_sampled_pairs_estimate_all_pairs_with_honest_errors():
    W = gaussian(80, 6, 6) + 0.4
    exact = overlaps(W, thresholds=LEVELS).values
    z, wrong = {}, []
    for seed in range(200):
        sample = overlaps(W, pairs="sample", samples=2000, seed=seed, thresholds=LEVELS)
        for name, error in sample.stderr.items():
            z.setdefault(name, []).append((sample.values[name] - exact[name]) / error)
        gap = sample.mean_absolute - 1.05 * exact["mean_absolute"]
        wrong.append(gap / sample.stderr["mean_absolute"])
        assert sample.mean_square == pytest.approx(exact["mean_square"], rel=1e-10)
        assert sample.coherence <= exact["coherence"] + 1e-12
    assert set(z) == {"mean_absolute", "variance_of_square", "skewness"} | {
        f"one_sided({h:g})" for h in LEVELS
    }
    for name, values in z.items():
        # Skewed estimates: allow a bias of a quarter of the standard error, and 30 % in its size.
        assert abs(np.mean(values)) < 0.25 + 4 / np.sqrt(200), name
        assert abs(np.var(values) - 1) < 0.3 + 4 * np.sqrt(2 / 200), name
    # Negative control: 5 % off is seen in the mean of two hundred.
    assert abs(np.mean(wrong)) > 0.25 + 4 / np.sqrt(200)


@pytest.mark.parametrize("weighted", [False, True])
def test_errors_of_sampled_pairs_are_those_of_the_population_of_pairs(weighted):
    """Every statistic as a function of the shares of all pairs, and its derivative by a step.

    The pairs are drawn with replacement: the variance is Σ share_k (dT/d share_k)²/samples.
    """
    W = np.abs(gaussian(40, 4, 6)) + gaussian(40, 4, 7)
    w = np.linspace(0.2, 2, 40) if weighted else np.ones(40)
    i, j = np.triu_indices(40, 1)
    t = (unit(W) @ unit(W).T)[i, j]
    share = w[i] * w[j] / np.sum(w[i] * w[j])

    def statistics(p):
        mean, square = p @ t, p @ t**2
        values = {
            "mean_absolute": p @ np.abs(t),
            "variance_of_square": p @ (t**2 - square) ** 2,
            "skewness": p @ (t - mean) ** 3 / (p @ (t - mean) ** 2) ** 1.5,
        }
        return values | {f"one_sided({h:g})": p @ np.maximum(t - h, 0) ** 2 for h in LEVELS}

    step, slopes = 1e-5, {name: [] for name in statistics(share)}
    for k in range(t.size):
        toward = np.eye(t.size)[k] - share
        up, down = statistics(share + step * toward), statistics(share - step * toward)
        for name in slopes:
            slopes[name].append((up[name] - down[name]) / (2 * step))
    samples = 400_000
    weights = w if weighted else None
    sample = overlaps(W, weights=weights, pairs="sample", samples=samples, thresholds=LEVELS)
    assert set(sample.stderr) == set(slopes)
    for name, slope in slopes.items():
        error = math.sqrt(share @ np.square(slope) / samples)
        # The spread of the squared slopes is about one: 0.2 % is a standard error here.
        assert sample.stderr[name] == pytest.approx(error, rel=0.01), name


@pytest.mark.parametrize("name", ["skewness", "mean_absolute"])
def test_sampled_errors_on_skewed_overlaps(name):
    W = np.abs(gaussian(60, 3, 8)) ** 2
    exact = overlaps(W).values[name]
    z = [
        (one.values[name] - exact) / one.stderr[name]
        for one in (overlaps(W, pairs="sample", samples=4000, seed=seed) for seed in range(300))
    ]
    assert abs(np.mean(z)) < 0.2 + 4 / np.sqrt(300)
    assert abs(np.var(z) - 1) < 0.15 + 4 * np.sqrt(2 / 300)


def test_one_heavy_row_is_no_trap_for_sampling():
    W = gaussian(50, 4, 3)
    w = np.r_[1, np.full(49, 1e-10)]
    sample = overlaps(W, weights=w, pairs="sample", samples=20_000, seed=2)
    # Nearly every pair has row 0 on one side.
    t = unit(W)[1:] @ unit(W)[0]
    assert abs(sample.mean_absolute - np.abs(t).mean()) < 4 * sample.stderr["mean_absolute"]


def test_equal_rows_by_either_way():
    W = np.repeat(gaussian(4, 3, 1, np.float32), 3, axis=0)
    for pairs in ("all", "sample"):
        result = overlaps(W, pairs=pairs, samples=5000)
        assert result.coherence <= 1 and result.largest == pytest.approx(1, abs=1e-6)
        assert result.histogram.sum() == result.pair_count
    assert overlaps(np.ones((3, 2)), pairs="sample", samples=10).skewness == 0


def test_opposite_rows_fall_into_the_first_bin():
    result = overlaps([[1.0, 0], [-1.0, 0], [0, 1]])
    assert result.histogram[0] == 1 and result.histogram[-1] == 0
    assert overlaps([[1.0, 0], [2.0, 0]]).histogram[-1] == 1


def test_sampled_pairs_follow_the_weights_and_groups():
    W = gaussian(30, 5, 7)
    w = np.linspace(0, 3, 30)
    some, others = np.arange(0, 12), np.arange(8, 30)
    exact = overlaps(W, weights=w, rows=some, against=others).values
    sample = overlaps(
        W, weights=w, rows=some, against=others, pairs="sample", samples=100_000, seed=1
    )
    for name, error in sample.stderr.items():
        assert abs(sample.values[name] - exact[name]) < 4 * error
    unweighted = overlaps(W, rows=some, against=others).values
    assert (
        abs(sample.mean_absolute - unweighted["mean_absolute"]) > 4 * sample.stderr["mean_absolute"]
    )


@pytest.mark.parametrize(("n", "m"), [(200, 10), (300, 50)])
def test_random_directions_by_formula_and_by_sampling(n, m):
    levels = (0.0, 0.1, 0.3)
    table = random_overlaps(n, m, repeats=60, seed=n, thresholds=levels).set_index("statistic")
    known = random_values(n, m, [*table.index])
    assert set(known) == set(table.index)
    for name, value in known.items():
        allowed = 4 * table.loc[name, "stderr"]
        if name in ("coherence", "largest", "smallest"):
            allowed += 0.004 * abs(value)  # its stated validity
        assert abs(table.loc[name, "mean"] - value) < allowed, name
    # Negative control: the law of a neighbouring dimension.
    wrong = random_values(n, m + 1, ["mean_square", "mean_absolute", "one_sided(0)"])
    for name, value in wrong.items():
        assert abs(table.loc[name, "mean"] - value) > 4 * table.loc[name, "stderr"], name


def test_errors_of_random_directions_are_those_of_repeated_matrices():
    rng = np.random.default_rng(3)
    each = [overlaps(rng.standard_normal((40, 5))).values["mean_absolute"] for _ in range(12)]
    row = random_overlaps(40, 5, repeats=12, seed=3).set_index("statistic").loc["mean_absolute"]
    spread = math.sqrt(sum((x - sum(each) / 12) ** 2 for x in each) / 11)
    assert row["mean"] == pytest.approx(sum(each) / 12, rel=1e-12)
    assert row["std"] == pytest.approx(spread, rel=1e-12)
    assert row["stderr"] == pytest.approx(spread / math.sqrt(12), rel=1e-12)


def test_skewness_of_a_known_shape():
    W = np.abs(gaussian(400, 3, 8))
    t = (unit(W) @ unit(W).T)[np.triu_indices(400, 1)]
    assert overlaps(W).skewness == pytest.approx(skew(t), rel=1e-9)


# ---- types, errors, tables ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "rel"),
    [
        (lambda W: W.astype(np.float16), 2e-3),
        (lambda W: W.astype(np.float32), 1e-6),
        (lambda W: W.tolist(), 1e-12),
        (lambda W: np.round(W * 1000).astype(np.int32), 2e-3),
        (
            lambda W: RowMatrix(
                (W.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16), True
            ),
            1e-2,
        ),
    ],
)
def test_types(make, rel):
    W = gaussian(50, 12, 9)
    assert overlaps(make(W)).mean_square == pytest.approx(overlaps(W).mean_square, rel=rel)
    assert mean_square_overlap(make(W)) == pytest.approx(mean_square_overlap(W), rel=rel)


def test_memory_maps(tmp_path):
    W = gaussian(50, 12, 9, np.float32)
    np.save(tmp_path / "W.npy", W)
    mapped = np.load(tmp_path / "W.npy", mmap_mode="r")
    assert dict(overlaps(mapped).values) == dict(overlaps(W).values)


@pytest.mark.parametrize(
    ("dtype", "scale"), [("f4", 1e-30), ("f4", 1e30), ("f8", 1e-290), ("f8", 1e290), (">f8", 1e290)]
)
@pytest.mark.parametrize("remove", [0, 1])
def test_extreme_norms(dtype, scale, remove):
    W = gaussian(30, 5, 1)
    scaled = (W * scale).astype(dtype)
    found, plain_size = overlaps(scaled, remove=remove), overlaps(W, remove=remove)
    assert found.mean_square == pytest.approx(plain_size.mean_square, rel=1e-5)
    assert found.norms / scale == pytest.approx(plain_size.norms, rel=1e-5)


@pytest.mark.parametrize(("dtype", "least"), [("f4", 1e-42), ("f8", 1e-320)])
def test_the_ends_of_a_type(dtype, least):
    W = gaussian(30, 5, 1)
    if dtype == "f4":  # entries that are in range, of rows whose norm is not
        large = W * (np.finfo(dtype).max / np.abs(W).max())
        found = mean_square_overlap(large.astype(dtype))
        assert found == pytest.approx(mean_square_overlap(W), rel=1e-5)
    # A row with no digits left beside the others has no direction.
    small = W.copy()
    small[3] *= least
    result = overlaps(small.astype(dtype))
    assert result.rows_of_zeros.tolist() == [3]
    assert result.mean_square == pytest.approx(mean_square_overlap(np.delete(W, 3, 0)), rel=1e-5)


def test_wide_types_stay_wide():
    W = gaussian(9, 4)
    for dtype in (">f8", np.longdouble, ">i8"):
        assert RowMatrix(W.astype(dtype)).dtype == np.float64
    assert RowMatrix(W.astype(">f4")).dtype == np.float32


def test_tensors_and_what_is_no_array():
    torch = pytest.importorskip("torch")
    from scipy.sparse import csr_array

    W = gaussian(9, 4)
    parameter = torch.nn.Parameter(torch.from_numpy(W))
    assert overlaps(parameter).mean_square == overlaps(W).mean_square
    half = torch.from_numpy(W).to(torch.bfloat16)
    assert overlaps(half).mean_square == pytest.approx(overlaps(W).mean_square, rel=1e-2)
    for wrong in (csr_array(W), np.ma.masked_array(W, W > 1)):
        with pytest.raises(TypeError, match="dense array without a mask"):
            overlaps(wrong)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"W": np.zeros(3)}, "give n rows and m columns"),
        ({"W": [[1.0, np.nan], [0, 1]]}, "row 0 of the matrix has NaN"),
        ({"W": [[1.0, 0], [np.inf, 1]]}, "row 1 of the matrix has NaN"),
        ({"W": np.zeros((3, 2))}, "0 rows have a direction"),
        ({"W": [[1.0, 0.0]]}, "1 rows have a direction"),
        ({"remove": 5}, "remove = 5"),
        ({"pairs": "some"}, "pairs = 'some'"),
        ({"pairs": "sample", "samples": 1}, "samples = 1"),
        ({"weights": [1, 2]}, "one number of at least 0 for each of the 10 rows"),
        ({"weights": -np.ones(10)}, "at least 0"),
        ({"weights": np.eye(10)[0]}, "leave no pair"),
        ({"rows": [0, 10]}, "rows: give numbers of rows from 0 to 9"),
        ({"against": [0.5]}, "against: give numbers"),
        ({"thresholds": [np.nan]}, "thresholds"),
        ({"rows": [[0, 1], [2, 3]]}, "rows: give numbers"),
        ({"bins": 0}, "bins = 0"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        overlaps(**({"W": gaussian(10, 5)} | arguments))


def test_text_is_no_matrix():
    with pytest.raises(TypeError, match="give real numbers"):
        overlaps(np.array([["a", "b"]]))


def test_table_and_picture():
    from matplotlib.figure import Figure

    simplex = overlaps(np.eye(8), center=True)  # 8 directions in R^8 that span 7 dimensions
    table = simplex.to_dataframe().set_index("statistic")
    assert table.loc["mean_square", "welch"] == 0.0  # R^8 has room for 8 orthogonal ones
    result = overlaps(gaussian(100, 10))
    table = result.to_dataframe().set_index("statistic")
    assert table.loc["mean_square", "random"] == 0.1
    assert table.loc["mean_square", "welch"] == pytest.approx(90 / 990)
    assert table.loc["coherence", "welch"] == pytest.approx(math.sqrt(90 / 990))
    assert table["equiangular"].isna().all()  # 100 > 10 · 11/2
    small = overlaps(gaussian(20, 10)).to_dataframe().set_index("statistic")
    assert small.loc["mean_absolute", "equiangular"] == pytest.approx(math.sqrt(10 / 190))
    assert small.loc["variance_of_square", "equiangular"] == 0
    assert result.plot(Figure().add_subplot()).get_yscale() == "log"
    assert result.coherence == result.values["coherence"]
    with pytest.raises(AttributeError, match="no 'variance'"):
        _ = result.variance
    groups = overlaps(gaussian(50, 6), rows=np.arange(10), against=np.arange(5, 20))
    assert groups.to_dataframe()["equiangular"].isna().all()
    sampled = overlaps(gaussian(3000, 16), pairs="sample", samples=500)
    largest = sampled.to_dataframe().set_index("statistic").loc["largest"]
    assert abs(largest["value"] - largest["random"]) < 0.15  # that of 500 pairs, not of all
    none = overlaps(gaussian(20, 4), pairs="none")
    with pytest.raises(ValueError, match="no overlaps to draw"):
        none.plot()
    assert set(none.values) == {"mean", "mean_square"} and none.closest is None
    assert RandomOverlap(10).mean_square == 0.1


@pytest.mark.parametrize(
    ("offset", "dtype", "digits"),
    [(0, "f8", 1e-11), (3, "f8", 1e-11), (1000, "f8", 1e-8), (0, "f4", 1e-5), (10, "f4", 1e-4)],
)
def test_nothing_cancels_where_the_mean_overlap_is_near_one(offset, dtype, digits):
    W = (np.random.default_rng(0).standard_normal((300, 64)) + offset).astype(dtype)
    # Written out in 80 bits, in two passes: the mean first.
    U = W.astype(np.longdouble)
    U /= np.sqrt((U * U).sum(axis=1))[:, None]
    t = (U @ U.T)[np.triu_indices(300, 1)]
    d, e = t - t.mean(), t**2 - (t**2).mean()
    skewness = float((d**3).mean() / (d**2).mean() ** 1.5)
    exact = overlaps(W)
    assert exact.skewness == pytest.approx(skewness, rel=digits, abs=digits)
    assert exact.variance_of_square == pytest.approx(float((e**2).mean()), rel=digits)
    sampled = overlaps(W, pairs="sample", samples=2**15)
    for name, value in (("skewness", skewness), ("variance_of_square", float((e**2).mean()))):
        assert abs(sampled.values[name] - value) < 4 * sampled.stderr[name]
    # Two groups: a pair within both counts twice, so that all against all is the same.
    both = overlaps(W, rows=np.arange(300), against=np.arange(300))
    assert both.skewness == pytest.approx(skewness, rel=digits, abs=digits)


def test_a_matrix_with_features_in_columns_is_suspected():
    W = gaussian(40, 8)
    assert "transpose=True" in str(overlaps(W.T)) and "transpose" not in str(overlaps(W))
