import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group

from empirical.unembeddings.report import analyze
from empirical.unembeddings.unembedding import open_unembedding
from numerics.overlaps.cross_entropy import estimate_cross_entropy
from numerics.overlaps.spectrum import spectrum
from numerics.overlaps.statistics import overlaps
from numerics.tensors.row_matrix import RowMatrix
from superscale.commands.output import to_json

W = np.random.default_rng(0).standard_normal((80, 12)) * 0.7 + 0.4


def plain_mean_square(W, weights=None, center=False, remove=0):
    """The mean squared overlap from all n² cosines."""
    W = W - W.mean(axis=0) if center or remove else W
    if remove:
        directions = np.linalg.svd(W, full_matrices=False)[2][:remove]
        W = W - W @ directions.T @ directions
    u = W / np.linalg.norm(W, axis=1)[:, None]
    w = np.ones(len(W)) if weights is None else weights
    pairs = np.outer(w, w) * ~np.eye(len(W), dtype=bool)
    return np.sum(pairs * (u @ u.T) ** 2) / pairs.sum()


# ---- known answers -------------------------------------------------------------------------


def test_dense_computation():
    counts = np.random.default_rng(1).random(80)
    report = analyze(W, remove=3, counts=counts)
    cases = [("raw", {}), ("centred", {"center": True}), ("removed", {"remove": 3})]
    for k, (name, treatment) in enumerate(cases):
        expected = plain_mean_square(W, **treatment)
        assert report[name].mean_square == pytest.approx(expected, rel=1e-10)
        weighted = report.weighted_overlaps.results[k].mean_square
        expected = plain_mean_square(W, counts, **treatment)
        assert weighted == pytest.approx(expected, rel=1e-10)
    norms = np.linalg.norm(W, axis=1)
    assert report.norms.mean == pytest.approx(norms.mean())
    assert report.norms.largest == pytest.approx(norms.max())


def test_parts_are_as_measured_alone():
    counts = np.arange(80.0)
    report = analyze(RowMatrix(W), counts=counts, tokens=30, seed=4)
    assert dict(report["raw"].values) == dict(overlaps(W).values)
    assert dict(report["removed"].values) == dict(overlaps(W, remove=1).values)
    for k, center in enumerate((False, True)):
        same = spectrum(W, center=center).singular_values
        assert np.array_equal(report.spectra[k].singular_values, same)
        cost = estimate_cross_entropy(W, center=center, tokens=30, seed=4)
        assert report.cross_entropies[k] == cost
        cost = estimate_cross_entropy(W, center=center, tokens=30, seed=4, weights=counts)
        assert report.weighted_cross_entropies[k] == cost


def test_orthogonal_rows():
    report = analyze(2 * np.eye(9))
    assert report["raw"].mean_square == 0 == report["raw"].welch
    assert report["centred"].mean_square == pytest.approx(1 / 64)  # the simplex, t = -1/8
    assert report.spectra[0].participation == pytest.approx(9)
    assert report.cross_entropies[0].cross_entropy == pytest.approx(math.log(1 + 8 * math.exp(-2)))
    assert report.norms.phi_half == 1 == report.weak_share


def test_equiangular_tight_frame():
    """Six diagonals of the icosahedron: t² = 1/5 for every pair, the Welch bound."""
    g = (1 + math.sqrt(5)) / 2
    frame = np.array([[0, 1, g], [0, 1, -g], [1, g, 0], [1, -g, 0], [g, 0, 1], [-g, 0, 1]])
    report = analyze(frame)
    raw = report["raw"]
    assert raw.mean_square == pytest.approx(0.2) == raw.welch
    assert raw.variance_of_square == pytest.approx(0, abs=1e-14)
    assert raw.coherence == pytest.approx(math.sqrt(0.2))
    assert report.spectra[0].participation == pytest.approx(3)


def test_random_rows_with_a_common_direction():
    """W_i = a e + g_i, g_i uniform across e: ⟨t²⟩ = (a⁴ + 1/(m-1))/(1 + a²)² exactly."""
    n, m, a = 200, 17, 0.8
    raw, centred = [], []
    for seed in range(60):
        g = np.random.default_rng(seed).standard_normal((n, m - 1))
        g /= np.linalg.norm(g, axis=1)[:, None]
        report = analyze(np.c_[np.full(n, a), g], pairs="none", tokens=2, remove=0)
        raw.append(report["raw"].mean_square)
        centred.append(report["centred"].mean_square)
    mean, stderr = np.mean(raw), np.std(raw, ddof=1) / math.sqrt(60)
    expected = (a**4 + 1 / (m - 1)) / (1 + a * a) ** 2
    assert abs(mean - expected) < 4 * stderr
    assert abs(mean - (a**4 + 1 / m) / (1 + a * a) ** 2) > 4 * stderr  # m - 1, not m
    # The mean of n directions is known to 1/√n: centring gives those across e back to 2/n or so.
    assert np.mean(centred) == pytest.approx(1 / (m - 1), abs=2 / n)


def test_counts_on_two_tokens_leave_their_overlap():
    counts = np.zeros(80)
    counts[[3, 11]] = 5, 2
    report = analyze(W, counts=counts)
    u = W / np.linalg.norm(W, axis=1)[:, None]
    assert report.weighted_overlaps.results[0].mean_square == pytest.approx((u[3] @ u[11]) ** 2)
    x = W @ u[[3, 11]].T
    costs = np.log(np.exp(x).sum(axis=0)) - x[[3, 11], [0, 1]]
    found = report.weighted_cross_entropies[0].cross_entropy
    assert found == pytest.approx((5 * costs[0] + 2 * costs[1]) / 7)
    # Equal counts are no weights.
    equal = analyze(W, counts=np.full(80, 7))
    assert equal.weighted_overlaps.results[1].mean_square == pytest.approx(
        equal["centred"].mean_square, rel=1e-12
    )
    assert equal.weighted_cross_entropies[0].cross_entropy == pytest.approx(
        equal.cross_entropies[0].cross_entropy, rel=1e-12
    )
    with pytest.raises(ValueError, match="leave no pair"):
        analyze(W, counts=np.eye(80)[3])


# ---- invariance ----------------------------------------------------------------------------


def numbers(report):
    table = report.to_dataframe()
    return table["value"].to_numpy()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_rotation_and_order_change_nothing(seed):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((30, 5)) * [3, 2, 1, 1, 1] + rng.standard_normal(5)
    counts = rng.random(30) + 0.1
    order = rng.permutation(30)
    found = numbers(analyze(rows, counts=counts))
    turned = analyze(rows @ ortho_group.rvs(5, random_state=seed), counts=counts)
    mixed = analyze(rows[order], counts=counts[order])
    assert numbers(turned) == pytest.approx(found, rel=1e-7, abs=1e-9, nan_ok=True)
    assert numbers(mixed) == pytest.approx(found, rel=1e-7, abs=1e-9, nan_ok=True)
    # Counts that do not follow their rows are seen.
    wrong = numbers(analyze(rows[order], counts=counts))
    assert np.nanmax(np.abs(wrong - found)) > 1e-4


def test_scale_changes_norms_and_cost_only():
    a, b = analyze(W), analyze(4 * W)
    for x, y in zip(a.overlaps.results, b.overlaps.results, strict=True):
        assert dict(x.values) == pytest.approx(dict(y.values), rel=1e-12)
    assert a.spectra[1].participation == pytest.approx(b.spectra[1].participation)
    assert b.norms.mean == pytest.approx(4 * a.norms.mean) and a.norms.phi_half == b.norms.phi_half
    assert b.cross_entropies[0].cross_entropy < 0.5 * a.cross_entropies[0].cross_entropy


def test_sampled_pairs_agree_with_all():
    rows = np.random.default_rng(2).standard_normal((300, 8)) + 0.3
    full = analyze(rows)
    z = []
    for seed in range(100):
        some = analyze(rows, pairs="sample", samples=2000, seed=seed, tokens=50, remove=0)
        for k, one in enumerate(some.overlaps.results):
            exact = full.overlaps.results[k]
            assert one.mean_square == exact.mean_square
            z.append((one.mean_absolute - exact.mean_absolute) / one.stderr["mean_absolute"])
        cost, exact = some.cross_entropies[0], full.cross_entropies[0]
        z.append((cost.size_part - exact.size_part) / cost.stderr)
    z = np.array(z).reshape(100, 3)
    assert np.all(np.abs(z.mean(axis=0)) < 0.4)  # 4 standard errors
    assert np.all(np.abs(z.var(axis=0) - 1) < 4 * math.sqrt(2 / 100) + 0.1)
    assert np.all(np.abs((z + 1).mean(axis=0)) > 0.4)


# ---- what it looks like --------------------------------------------------------------------


def test_small_and_plain():
    counts = np.arange(3000.0)
    report = analyze(np.random.default_rng(3).standard_normal((3000, 6)), counts=counts)

    def sizes(value):
        if isinstance(value, dict):
            return [x for one in value.values() for x in sizes(one)]
        if isinstance(value, list):
            return [len(value), *(x for one in value for x in sizes(one))]
        return []

    record = json.loads(to_json(report.to_dict()))
    assert max(sizes(record)) < 500 and record["n"] == 3000
    assert record["overlaps"][1]["statistics"]["mean_square"]["random"] == pytest.approx(1 / 6)
    assert record["weighted_overlaps"][0]["statistics"]["mean_square"]["value"] > 0
    held = [one.norms.size for one in report.overlaps.results]
    assert held == [0, 0, 0]


def test_table():
    report = analyze(W, counts=np.arange(80.0))
    table = report.to_dataframe().set_index(["quantity", "treatment"])
    assert table.index.is_unique
    row = table.loc[("mean_square", "raw")]
    assert row["value"] == report["raw"].mean_square
    assert row["random"] == pytest.approx(1 / 12) and row["welch"] == report["raw"].welch
    assert table.loc[("mean_square", "top 1 removed"), "random"] == pytest.approx(1 / 11)
    assert table.loc[("participation", "centred"), "welch"] == 12
    assert table.loc[("weighted_mean_square", "raw"), "welch"] != row["welch"]
    cost = report.weighted_cross_entropies[1]
    assert table.loc[("weighted_size_part", "centred"), "value"] == cost.size_part
    assert table.loc[("phi_half", "raw"), "value"] == report.norms.phi_half


def test_text_and_picture():
    from matplotlib.figure import Figure

    report = analyze(W, name="mine", counts=np.arange(80.0))
    text = str(report)
    assert text.startswith("mine: n = 80, m = 12\n") and "weighted mean squared overlap" in text
    assert f"= {report['raw'].mean_square * 12:.4g}/12" in text and "participation" in text
    assert "note: raw: the published form" in text and "strong 1" in text
    ax = report.plot(Figure().add_subplot())
    assert ax.get_title().startswith("mine") and len(ax.get_legend().get_texts()) == 4


def test_treatments_that_leave_nothing():
    report = analyze(np.outer([1.0, 2, -3, 1], [1.0, 2]), remove=1)
    with pytest.raises(KeyError, match="no treatment 'removed': there are 'raw', 'centred'"):
        report["removed"]
    assert report.caveats[0].startswith("left out: ") and "top 1 removed" in report.caveats[0]
    same = analyze(np.ones((4, 3)))
    assert len(same.spectra) == len(same.cross_entropies) == len(same.overlaps.results) == 1
    padded = analyze(np.r_[W, np.zeros((5, 12))])
    assert "5 rows of zeros" in padded.caveats[0] and padded.norms.smallest == 0
    assert padded.n == 85 and padded["raw"].mean_square == analyze(W)["raw"].mean_square
    assert analyze([[1.0], [2.0], [-1.0]])["raw"].mean_square == 1  # m = 1
    assert analyze(1e200 * W)["raw"].mean_square == pytest.approx(analyze(W)["raw"].mean_square)


# ---- sources -------------------------------------------------------------------------------


def test_files(tmp_path):
    path = tmp_path / "small.npy"
    np.save(path, W.astype(np.float32))
    report = analyze(path)
    assert report.name == "small" and report.path == str(path) and report.m == 12
    assert report["raw"].mean_square == analyze(W.astype(np.float32))["raw"].mean_square
    assert analyze(str(path)).path == str(path)
    assert analyze(open_unembedding(path)).path == str(path)
    assert analyze(W).name == "matrix"


def test_tensors_of_torch():
    import torch

    report = analyze(torch.tensor(W, dtype=torch.bfloat16))
    rounded = torch.tensor(W, dtype=torch.bfloat16).float().numpy()
    assert report["raw"].mean_square == analyze(rounded)["raw"].mean_square


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"counts": np.ones(81)}, ValueError, "counts has 81 entries and the matrix 80 rows"),
        ({"counts": -np.arange(80.0)}, ValueError, r"counts\[79\] = -79"),
        ({"counts": np.zeros(80)}, ValueError, "leave no pair"),
        ({"counts": "many"}, TypeError, "counts = 'many' has entries that are no real"),
        ({"remove": 12}, ValueError, "remove = 12"),
        ({"tokens": 1}, ValueError, "tokens = 1"),
        ({"samples": 1}, ValueError, "samples = 1"),
        ({"pairs": "few"}, ValueError, "pairs = 'few'"),
        ({"seed": -3}, ValueError, "seed = -3"),
        ({"tensor": "W"}, ValueError, "goes with a file"),
    ],
)
def test_bad_options(arguments, error, message):
    with pytest.raises(error, match=message):
        analyze(W, **arguments)


def test_bad_matrices(tmp_path):
    broken = W.copy()
    broken[5, 2] = np.nan
    np.save(tmp_path / "broken.npy", broken)
    with pytest.raises(ValueError, match=r"broken\.npy: row 5 of the matrix has NaN"):
        analyze(tmp_path / "broken.npy")
    with pytest.raises(ValueError, match="does not exist"):
        analyze(tmp_path / "no.npy")
    with pytest.raises(ValueError, match="0 rows have a direction"):
        analyze(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="shape"):
        analyze(np.ones(4))
    with pytest.raises(TypeError, match="real numbers"):
        analyze(np.ones((4, 3), dtype=complex))
    with pytest.raises((TypeError, ValueError)):
        analyze(None)
