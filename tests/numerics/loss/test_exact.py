import itertools
import math

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group

import numerics.loss.exact as module
from numerics.loss.exact import population_loss
from numerics.loss.monte_carlo import monte_carlo_loss
from numerics.toy_model import ToyModel
from theory.frequencies import Frequencies
from theory.regimes.one_active import interference_loss, self_loss
from theory.regimes.weak import weak_loss

PARTS = ["lost", "self", "interference_silent", "interference_active"]


def small_model(n, m, seed, shift=-0.3):
    rng = np.random.default_rng(seed)
    p = np.sort(rng.uniform(0.01, 0.9, n))[::-1]
    W = rng.standard_normal((n, m)) / math.sqrt(m)
    return ToyModel(W, 0.5 * rng.standard_normal(n) + shift), Frequencies.from_probabilities(p)


# ---- all 2ⁿ patterns of active features ----------------------------------------------------


def mean_power(b, a, k):
    """⟨ReLU(b + Σ a_j u_j)^k⟩ over u ~ U(0, 1)^K, by its 2^K corners (divided differences).

    (K + k)!/k! Π a_j times the mean is the alternating sum of ReLU(z)^(K + k) over the corners.
    """
    if not a:
        return mpmath.mpf(max(b, 0)) ** k
    total = mpmath.mpf(0)
    for corner in itertools.product((0, 1), repeat=len(a)):
        z = b + sum(x for x, up in zip(a, corner, strict=True) if up)
        if z > 0:
            total += (-1) ** (len(a) - sum(corner)) * z ** (len(a) + k)
    scale = mpmath.factorial(k) / mpmath.factorial(len(a) + k)
    return scale * total / mpmath.fprod(a)


def test_the_corners_by_quadrature():
    with mpmath.workdps(30):
        for b, a1, a2 in ((-0.3, 1.1, 0.4), (0.2, -0.9, 0.6), (0.1, -0.2, -0.7)):
            b, a1, a2 = mpmath.mpf(b), mpmath.mpf(a1), mpmath.mpf(a2)

            def inner(u, b=b, a1=a1, a2=a2):
                kink = -(b + a1 * u) / a2
                points = [0, kink, 1] if 0 < kink < 1 else [0, 1]
                return mpmath.quad(lambda w: max(b + a1 * u + a2 * w, 0) ** 2, points)

            kinks = sorted(u for u in (-b / a1, -(b + a2) / a1) if 0 < u < 1)
            expected = mpmath.quad(inner, [0, *kinks, 1])
            assert abs(mean_power(b, [a1, a2], 2) - expected) < 1e-20


def enumerate_loss(model, p):
    """The expected loss of each output: every pattern of active features, exactly over v."""
    with mpmath.workdps(60):
        W = [[mpmath.mpf(float(w)) for w in row] for row in model.W]
        G = [[mpmath.fdot(x, y) for y in W] for x in W]
        b = [mpmath.mpf(float(x)) for x in model.b]
        p = [mpmath.mpf(float(x)) for x in p]
        n, losses = model.n, []
        for i in range(n):
            total = mpmath.mpf(0)
            for pattern in itertools.product((0, 1), repeat=n):
                weight = mpmath.fprod(q if on else 1 - q for q, on in zip(p, pattern, strict=True))
                others = [2 * G[i][j] for j in range(n) if pattern[j] and j != i and G[i][j] != 0]
                if not weight:
                    continue
                if not pattern[i] or G[i][i] == 0:
                    total += weight * mean_power(b[i], others, 2)
                    if pattern[i]:  # v is apart from the output: ⟨v²⟩ - 2⟨v⟩⟨y⟩
                        total += weight * (mpmath.mpf(4) / 3 - 2 * mean_power(b[i], others, 1))
                    continue
                own = 2 * G[i][i]
                square = mean_power(b[i], [*others, own], 2)
                # ⟨2u ReLU(z)⟩, z = … + own u, in parts: ReLU(z)² / (2 own) has the slope ReLU(z).
                product = mean_power(b[i] + own, others, 2) / own - square / own
                total += weight * (square - 2 * product + mpmath.mpf(4) / 3)
            losses.append(float(total))
    return np.array(losses)


SIZES = [(1, 1), (2, 1), (3, 2), (4, 2), (5, 2), (6, 3), (7, 3), (8, 3)]
CASES = {f"n = {n}": small_model(n, m, seed) for seed, (n, m) in enumerate(SIZES)}
CASES["biases above zero"] = small_model(6, 2, 8, shift=0.4)
CASES["biases far below"] = small_model(6, 2, 9, shift=-2.0)
_model, _f = small_model(6, 3, 10)
CASES["always active"] = (_model, Frequencies.from_probabilities(np.r_[1.0, 1.0, _f.p[2:]]))
CASES["two, one always active"] = (
    ToyModel([[1.0], [-0.7]], [0.3, -0.2]),
    Frequencies.from_probabilities([1.0, 0.4]),
)
CASES["two, both always active"] = (
    ToyModel([[1.0], [-0.7]], [0.3, -0.2]),
    Frequencies.from_probabilities([1.0, 1.0]),
)
CASES["orthogonal, one always active"] = (
    ToyModel([[1.0, 0.0], [0.7, 0.0], [0.0, 1.0]], [-0.1, -0.2, 0.1]),
    Frequencies.from_probabilities([1.0, 0.4, 0.3]),
)
CASES["all always active"] = (_model, Frequencies.from_probabilities(np.ones(6)))
CASES["rare"] = (_model, Frequencies.from_probabilities(_f.p * 1e-4))
CASES["rows of zeros"] = (ToyModel(_model.W * (np.arange(6) != 2)[:, None], _model.b), _f)
CASES["orthogonal rows"] = (ToyModel(np.eye(6, 4), _model.b), _f)
CASES["large"] = (ToyModel(30 * _model.W, _model.b), _f)
CASES["small"] = (ToyModel(0.01 * _model.W, _model.b / 1000), _f)
CASES["uneven"] = (ToyModel(np.geomspace(0.01, 5, 6)[:, None] * _model.W, _model.b), _f)


@pytest.mark.parametrize("case", CASES)
def test_bernoulli_against_all_patterns(case):
    model, f = CASES[case]
    report = population_loss(model, f, rtol=1e-11)
    expected = enumerate_loss(model, f.p)
    assert report.loss == pytest.approx(expected.sum(), rel=1e-10)
    assert abs(report.loss - expected.sum()) <= report.error_bound + 1e-15 * expected.sum()
    # A feature's own loss is known to the bound of the whole.
    assert report.per_feature == pytest.approx(expected, abs=1e-10 * expected.sum())
    assert sum(report.parts.values()) == pytest.approx(report.loss, rel=1e-13)


@pytest.mark.parametrize("seed", range(3))
def test_one_hot_by_quadrature(seed):
    model, f = small_model(5, 2, seed)
    G, total = model.W @ model.W.T, mpmath.mpf(0)
    for i, j in itertools.product(range(5), range(5)):
        g, b, wanted = G[i, j], model.b[i], float(i == j)
        points = [0, -b / g, 2] if 0 < -b / g < 2 else [0, 2]
        total += f.p[j] * mpmath.quad(
            lambda v, g=g, b=b, wanted=wanted: (max(g * v + b, 0) - wanted * v) ** 2 / 2, points
        )
    assert population_loss(model, f, "one_hot").loss == pytest.approx(float(total), rel=1e-12)


# ---- bounds, limits, invariances -------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
def test_the_error_bound_holds_and_says_something(seed):
    rng = np.random.default_rng(seed)
    n, m = 200, 12
    f = Frequencies.power_law(n, 0.8, density=2.0)
    model = ToyModel(rng.standard_normal((n, m)) / 3, 0.2 * rng.standard_normal(n) - 0.3)
    best = population_loss(model, f, rtol=1e-12)
    errors = []
    for rtol in 10.0 ** -np.arange(1, 10):
        report = population_loss(model, f, rtol=rtol)
        errors.append(abs(report.loss - best.loss))
        assert errors[-1] <= report.error_bound + best.error_bound
        assert report.error_bound <= rtol * report.loss
    # The errors are real ones, that fall as the bounds are lowered: not all rounding.
    assert errors[0] > 1e3 * errors[5] > 0


def test_small_probabilities_lead_to_one_active_feature():
    model, _ = small_model(8, 3, 0)
    model = ToyModel(model.W, -np.abs(model.b))  # a positive bias costs without any feature
    excess = []
    for density in (1e-2, 1e-3, 1e-4):
        f = Frequencies.power_law(8, 1.0, density)
        one_hot = population_loss(model, f, "one_hot").loss
        excess.append(population_loss(model, f, rtol=1e-11).loss / one_hot - 1)
    # The next term is of first order in E.
    orders = np.log10(np.abs(np.array(excess[:-1]) / excess[1:]))
    assert orders == pytest.approx([1, 1], abs=0.03)
    assert abs(excess[2]) < 1e-3


def test_kept_and_lost_features():
    f = Frequencies.power_law(60, 1.3)
    kept = np.arange(60) < 10
    report = population_loss(ToyModel(np.eye(60, 10), np.where(kept, 0.0, f.p)), f)
    assert report.loss == pytest.approx(float(weak_loss(f, 10)), rel=1e-14)
    assert report.parts["lost"] == pytest.approx(report.loss, rel=1e-14)
    assert np.array_equal(report.lost, ~kept)
    zero = population_loss(ToyModel(np.eye(60, 10), np.zeros(60)), f)
    assert np.array_equal(zero.lost, ~kept)
    assert zero.parts["lost"] == pytest.approx(4 / 3 * f.p[10:].sum(), rel=1e-14)
    assert [zero.parts[name] for name in PARTS[1:]] == [0, 0, 0]


def test_what_counts_as_lost():
    f = Frequencies.from_probabilities([0.5, 0.4, 0.3, 0.2])
    norms, b = np.array([0.49, 0.51, 1.0, 1.0]), np.array([0.0, 0.0, -1.99, -2.0])
    # Silent to its own input: b + 2 G <= 0, with G = 1.
    report = population_loss(ToyModel(np.diag(norms), b), f)
    assert report.lost.tolist() == [True, False, False, True]
    alone = f.p * self_loss(norms**2, b)
    assert report.parts_per_feature["lost"] == pytest.approx(alone * report.lost)
    assert report.parts_per_feature["self"] == pytest.approx(alone * ~report.lost)
    assert list(report.to_dataframe()["is_lost"]) == report.lost.tolist()


@pytest.mark.parametrize("sampling", ["one_hot", "bernoulli"])
def test_parts_written_out(sampling):
    model, f = small_model(6, 3, 11, shift=0.2)
    report = population_loss(model, f, sampling, rtol=1e-11)
    G, b, p = model.W @ model.W.T, model.b, f.p
    positive = np.maximum(b, 0) ** 2
    alone = p * np.array([float(self_loss(G[i, i], b[i])) for i in range(6)])
    if sampling == "one_hot":
        leak = positive * (p.sum() - p)
        silent = np.array(
            [
                sum(p[j] * float(interference_loss(G[i, j], b[i])) for j in range(6) if j != i)
                for i in range(6)
            ]
        )
        assert report.parts_per_feature["interference_active"] == pytest.approx(np.zeros(6))
    else:
        leak = positive * (1 - p)
        # With its own input always off, all of the loss is that of the silent output.
        silent = np.empty(6)
        for i in range(6):
            off = p.copy()
            off[i] = 0.0
            silent[i] = (1 - p[i]) * enumerate_loss(model, off)[i]
    own = alone + leak
    assert report.parts_per_feature["lost"] == pytest.approx(np.where(report.lost, own, 0))
    assert report.parts_per_feature["self"] == pytest.approx(np.where(report.lost, 0, own))
    assert report.parts_per_feature["interference_silent"] == pytest.approx(silent - leak)


models = st.tuples(st.integers(1, 12), st.integers(1, 4), st.integers(0, 10**6)).map(
    lambda s: small_model(*s)
)


@given(models, st.integers(0, 10**6), st.sampled_from(["bernoulli", "one_hot"]))
@settings(max_examples=60)
def test_rotation_and_permutation_change_nothing(pair, seed, sampling):
    model, f = pair
    before = population_loss(model, f, sampling, rtol=1e-10)
    turn = ortho_group.rvs(model.m, random_state=seed) if model.m > 1 else -np.eye(1)
    after = population_loss(ToyModel(model.W @ turn, model.b), f, sampling, rtol=1e-10)
    assert after.loss == pytest.approx(before.loss, rel=3e-10)
    # Features of equal frequency may trade places.
    even = Frequencies.from_probabilities(np.full(model.n, 0.3))
    order = np.random.default_rng(seed).permutation(model.n)
    one = population_loss(model, even, sampling, rtol=1e-10)
    two = population_loss(ToyModel(model.W[order], model.b[order]), even, sampling, rtol=1e-10)
    assert two.loss == pytest.approx(one.loss, rel=3e-10)
    assert two.per_feature == pytest.approx(one.per_feature[order], abs=3e-10 * one.loss)


@given(models)
@settings(max_examples=60)
@example(small_model(1, 1, 0))
def test_parts_have_the_signs_of_squares(pair):
    model, f = pair
    report = population_loss(model, f)
    assert report.loss > 0 and np.all(report.per_feature > -report.error_bound)
    parts = report.parts_per_feature
    for name in PARTS[:2]:
        assert np.all(parts[name] >= 0), name
    # Others may push a positive bias down while the feature is off, but not below nothing.
    assert np.all(
        parts["interference_silent"] + parts["self"] + parts["lost"] >= -report.error_bound
    )
    below = model.b <= 0
    assert np.all(parts["interference_silent"][below] >= -report.error_bound)
    assert np.all(report.parts_per_feature["lost"][~report.lost] == 0)


# ---- a trained model, and samples ------------------------------------------------------------


@pytest.fixture(scope="module")
def trained():
    from empirical.training.train import train

    f = Frequencies.power_law(1000, 1.0)
    return train(f, m=40, weight_decay=-1.0, seed=0, batch=256, steps=800).model, f


def test_agrees_with_samples_on_a_trained_model_and_sees_a_wrong_bias(trained):
    model, f = trained
    report = population_loss(model, f)
    assert report.error_bound <= 1e-6 * report.loss
    estimate = monte_carlo_loss(model, f, 400_000, 1)
    assert abs(estimate.loss - report.loss) < 4 * estimate.stderr
    # A bias off by 0.005 everywhere.
    wrong = population_loss(ToyModel(model.W, model.b + 0.005), f)
    assert abs(estimate.loss - wrong.loss) > 4 * estimate.stderr
    # By features: as many beyond two standard errors as there should be.
    error = 1e-12 + np.abs(report.per_feature - estimate.per_feature)
    assert error.max() < 0.05 * report.per_feature.max()


# ---- gradients -------------------------------------------------------------------------------


def differences(model, f, sampling, h):
    def loss(W, b):
        return population_loss(ToyModel(W, b), f, sampling, rtol=1e-12).loss

    by_W, by_b = np.zeros_like(model.W), np.zeros_like(model.b)
    for place in np.ndindex(*model.W.shape):
        step = np.zeros_like(model.W)
        step[place] = h
        by_W[place] = (loss(model.W + step, model.b) - loss(model.W - step, model.b)) / (2 * h)
    for i in range(model.n):
        step = h * np.eye(model.n)[i]
        by_b[i] = (loss(model.W, model.b + step) - loss(model.W, model.b - step)) / (2 * h)
    return by_W, by_b


@pytest.mark.parametrize("sampling", ["one_hot", "bernoulli"])
@pytest.mark.parametrize(
    "case",
    [
        "n = 8",
        "biases above zero",
        "always active",
        "two, one always active",
        "rows of zeros",
        "orthogonal rows",
        "uneven",
    ],
)
def test_gradients_against_differences(sampling, case):
    model, f = CASES[case]
    report = population_loss(model, f, sampling, rtol=1e-9, gradient=True)
    by_W, by_b = differences(model, f, sampling, 1e-5)
    scale = np.abs(by_W).max()
    assert report.gradient_W == pytest.approx(by_W, abs=2e-8 * scale)
    assert report.gradient_b == pytest.approx(by_b, abs=2e-8 * scale)


def test_the_gradient_of_a_large_model_along_a_direction(trained):
    model, f = trained
    rng = np.random.default_rng(0)
    dW, db = rng.standard_normal(model.W.shape) / 200, rng.standard_normal(model.n) / 200
    report = population_loss(model, f, gradient=True)
    h = 3e-3
    ends = [
        population_loss(ToyModel(model.W + s * dW, model.b + s * db), f, rtol=1e-9).loss
        for s in (-h, h)
    ]
    slope = np.sum(report.gradient_W * dW) + np.sum(report.gradient_b * db)
    assert slope == pytest.approx((ends[1] - ends[0]) / (2 * h), rel=2e-5)


def test_blocks_change_nothing(monkeypatch):
    model, f = small_model(40, 5, 1)
    whole = {s: population_loss(model, f, s, gradient=True) for s in ("one_hot", "bernoulli")}
    monkeypatch.setattr(module, "_BLOCK", 7 * 40)
    for sampling, before in whole.items():
        after = population_loss(model, f, sampling, gradient=True)
        assert after.loss == pytest.approx(before.loss, rel=1e-14)
        assert after.gradient_W == pytest.approx(before.gradient_W, abs=1e-13)
        assert after.gradient_b == pytest.approx(before.gradient_b, abs=1e-13)


# ---- extremes, errors, tables ----------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-100, 1e-12, 1e-3, 10.0, 1e6])
@pytest.mark.parametrize("bias", [-1e4, -5.0, 0.0, 5.0, 1e4])
def test_any_scale_agrees_with_samples(scale, bias):
    rng = np.random.default_rng(3)
    f = Frequencies.power_law(40, 1.0, density=2.0)
    model = ToyModel(scale * rng.standard_normal((40, 5)), bias + rng.standard_normal(40))
    report = population_loss(model, f, gradient=True)
    estimate = monte_carlo_loss(model, f, 20_000, 4)
    assert abs(report.loss - estimate.loss) < 4 * estimate.stderr + 1e-9 * report.loss
    assert report.error_bound <= 1e-6 * report.loss
    assert np.isfinite(report.gradient_W).all() and np.isfinite(report.gradient_b).all()


@pytest.mark.parametrize("bad", [1.0, math.nan])
def test_a_bound_that_rounding_keeps_up_is_an_error(monkeypatch, bad):
    def rows(gram, *rest):
        return np.full((len(gram), 4), bad)

    model, f = small_model(8, 3, 0)
    monkeypatch.setattr(module, "expected_rows", rows)
    with pytest.raises(ArithmeticError, match="known to .* only; give a larger rtol"):
        population_loss(model, f, rtol=1e-12)


def test_a_loss_beyond_double_precision():
    model, f = small_model(8, 3, 0)
    with pytest.raises(ArithmeticError, match="W or b is too large"):
        population_loss(ToyModel(model.W * 1e80, model.b), f)


def test_a_dense_model_costs_no_more_accuracy_than_asked():
    rng = np.random.default_rng(0)
    f = Frequencies.power_law(100, 0.0, density=15.0)
    model = ToyModel(rng.standard_normal((100, 20)) / 4, np.full(100, -0.5))
    rough, best = population_loss(model, f, rtol=1e-2), population_loss(model, f, rtol=1e-10)
    assert 1e-7 < rough.error_bound / rough.loss <= 1e-2
    assert abs(rough.loss - best.loss) <= rough.error_bound


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"f": Frequencies.power_law(9, 1.0)}, "n = 8 features and the frequencies n = 9"),
        ({"sampling": "poisson"}, "sampling = 'poisson' is not allowed"),
        ({"rtol": 0.0}, "rtol = 0"),
        ({"rtol": 1e-13}, "rtol = 1e-13"),
        ({"rtol": math.nan}, "rtol = nan"),
    ],
)
def test_bad_input(options, message):
    model, f = small_model(8, 3, 0)
    f = options.pop("f", f)
    with pytest.raises(ValueError, match=message):
        population_loss(model, f, **options)


def test_table_and_picture():
    from matplotlib.figure import Figure

    model, f = small_model(8, 3, 0)
    report = population_loss(model, f)
    table = report.to_dataframe()
    assert list(table) == ["loss", *PARTS, "is_lost"] and len(table) == 8
    assert table["loss"].sum() == pytest.approx(report.loss)
    assert report.plot(Figure().add_subplot()).get_xlabel() == "feature rank i"
    assert f"{report.loss:.10g}" in str(report)
    assert report.gradient_W is None
    with pytest.raises(ValueError, match="read-only"):
        report.per_feature[0] = 0
