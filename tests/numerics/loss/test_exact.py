import itertools
import math

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group

import numerics.loss.exact as module
from numerics.loss import gram_rows
from numerics.loss.exact import population_loss
from numerics.loss.monte_carlo import monte_carlo_loss
from numerics.toy_model import ToyModel
from theory.activation import Activation
from theory.features import Features, as_features
from theory.frequencies import Frequencies
from theory.regimes.one_active import interference_loss, self_loss
from theory.regimes.weak import weak_loss

LAWS = {
    "U(0, 2)": Activation(),
    "U(0.5, 1)": Activation(0.5, 1.0),
    "two steps": Activation(0.0, 2.0, (3.0, 1.0)),
    "triangular": Activation(0.5, 1.5, (1.0, 2.0, 3.0, 2.0, 1.0)),
}
PARTS = ["lost", "self", "interference_silent", "interference_active"]


def small_model(n, m, seed, shift=-0.3):
    rng = np.random.default_rng(seed)
    p = np.sort(rng.uniform(0.01, 0.9, n))[::-1]
    W = rng.standard_normal((n, m)) / math.sqrt(m)
    return ToyModel(W, 0.5 * rng.standard_normal(n) + shift), Frequencies.from_probabilities(p)


# ---- all 2ⁿ patterns of active features ----------------------------------------------------


def enumerated(enumeration, model, features, sampling="bernoulli", p=None):
    losses = enumeration(model.W, model.b, as_features(features), sampling, p)
    return np.array([float(loss) for loss in losses])


def gauss_pieces(function, points):
    """∫ of a piecewise polynomial of degree below 12 between given points."""
    nodes, weights = np.polynomial.legendre.leggauss(6)
    total = 0.0
    for low, high in itertools.pairwise(points):
        v = low + (high - low) * (nodes + 1) / 2
        total += (high - low) / 2 * sum(w * function(x) for w, x in zip(weights, v, strict=True))
    return total


def mean_over_v(function, law, kinks):
    total = 0.0
    for low, high, density in law.cells:
        low, high = float(low), float(high)
        inside = sorted({k for k in kinks if low < k < high})
        total += float(density) * gauss_pieces(function, [low, *inside, high])
    return total


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_the_enumeration_by_quadrature(enumeration, law):
    """Two features, so that at most two are active: nested Gauss rules between the kinks."""
    W, b, p = np.array([[1.0, 0.3], [-0.5, 0.4]]), np.array([-0.4, 0.5]), [0.6, 0.3]
    G, ends = W @ W.T, [law.low, *(float(cell[1]) for cell in law.cells)]
    found = enumerated(
        enumeration, ToyModel(W, b), Features(Frequencies.from_probabilities(p), law)
    )
    for i in range(2):
        own, other, p_own, p_other, bias = G[i, i], G[i, 1 - i], p[i], p[1 - i], b[i]

        def error(v, rest, own=own, bias=bias):
            return (max(bias + own * v + rest, 0.0) - v) ** 2

        def over_own(rest, own=own, bias=bias, error=error):
            return mean_over_v(lambda v: error(v, rest), law, [-(bias + rest) / own])

        kinks = [-(bias + own * c) / other for c in (0.0, *ends)]
        silent = mean_over_v(lambda v: error(0.0, other * v), law, kinks[:1])  # noqa: B023
        both = mean_over_v(lambda v: over_own(other * v), law, kinks)  # noqa: B023
        expected = (1 - p_own) * ((1 - p_other) * error(0.0, 0.0) + p_other * silent)
        expected += p_own * ((1 - p_other) * over_own(0.0) + p_other * both)
        assert found[i] == pytest.approx(expected, rel=1e-12)


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
def test_bernoulli_against_all_patterns(enumeration, case):
    model, f = CASES[case]
    report = population_loss(model, f, rtol=1e-11)
    expected = enumerated(enumeration, model, f)
    assert report.loss == pytest.approx(expected.sum(), rel=1e-10)
    assert abs(report.loss - expected.sum()) <= report.error_bound + 1e-15 * expected.sum()
    # A feature's own loss is known to the bound of the whole.
    assert report.per_feature == pytest.approx(expected, abs=1e-10 * expected.sum())
    parts = sum(report.parts_per_feature.values())
    assert parts == pytest.approx(report.per_feature, abs=1e-13 * report.loss)


# n and the law, so that the enumeration is short: it has (2 + cells)^(n - 1) terms an output.
SHOWN = {"U(0.5, 1)": 7, "two steps": 5, "triangular": 4}


def shown(law, n, seed):
    """A model and the features that it is shown, importances from 0.2 to 3."""
    model, f = small_model(n, 3, seed, shift=0.1)
    importance = np.random.default_rng(seed).permutation(np.geomspace(0.2, 3, n))
    return model, Features(f, LAWS[law], importance)


@pytest.mark.parametrize("sampling", ["bernoulli", "one_hot"])
@pytest.mark.parametrize("law", SHOWN)
def test_laws_and_importances_against_all_patterns(enumeration, law, sampling):
    model, features = shown(law, SHOWN[law], 21)
    report = population_loss(model, features, sampling, rtol=1e-11)
    expected = enumerated(enumeration, model, features, sampling)
    assert report.loss == pytest.approx(expected.sum(), rel=1e-10)
    assert abs(report.loss - expected.sum()) <= report.error_bound + 1e-15 * expected.sum()
    assert report.per_feature == pytest.approx(expected, abs=1e-10 * expected.sum())
    # Negative controls: importances reversed, each 10 % off in turn, and another law of v.
    importance = features.importance
    wrong = [Features(features.frequencies, features.activation, importance[::-1])]
    for i in range(features.n):
        off = importance * np.where(np.arange(features.n) == i, 1.1, 1.0)
        wrong.append(Features(features.frequencies, features.activation, off))
    low, high = features.activation.low, features.activation.high
    wrong.append(Features(features.frequencies, Activation(low, 1.01 * high), importance))
    for other in wrong:
        loss = population_loss(model, other, sampling, rtol=1e-11).loss
        assert loss != pytest.approx(expected.sum(), rel=1e-6)


@pytest.mark.parametrize("sampling", ["bernoulli", "one_hot"])
@pytest.mark.parametrize("law", SHOWN)
def test_gradients_of_laws_and_importances_along_a_direction(enumeration, law, sampling):
    """Differences of the enumerated loss in 60 digits: exact to far below the tolerance."""
    model, features = shown(law, 4 if law == "U(0.5, 1)" else 3, 22)
    report = population_loss(model, features, sampling, rtol=1e-10, gradient=True)
    rng, h = np.random.default_rng(0), mpmath.mpf(10) ** -20
    dW, db = rng.standard_normal(model.W.shape), rng.standard_normal(model.n)

    def moved(values, step):
        return [mpmath.mpf(x) + h * d for x, d in zip(values, step, strict=True)]

    with mpmath.workdps(60):
        W = [moved(row, step) for row, step in zip(model.W, dW, strict=True)]
        rise = mpmath.fsum(enumeration(W, moved(model.b, db), features, sampling))
        slope = float((rise - mpmath.fsum(enumeration(model.W, model.b, features, sampling))) / h)
    found = np.sum(report.gradient_W * dW) + np.sum(report.gradient_b * db)
    size = np.linalg.norm(report.gradient_W) + np.linalg.norm(report.gradient_b)
    assert found == pytest.approx(slope, abs=1e-9 * size)


@pytest.mark.parametrize("law", SHOWN)
def test_laws_and_importances_against_samples(law):
    """n = 300, with the loss of wrong importances or another law out of reach of the samples."""
    rng = np.random.default_rng(5)
    f = Frequencies.power_law(300, 1.0, density=2.0)
    model = ToyModel(rng.standard_normal((300, 20)) / 6, 0.1 * rng.standard_normal(300) - 0.1)
    importance = 0.99 ** np.arange(300)
    features = Features(f, LAWS[law], importance)
    report = population_loss(model, features)
    assert report.error_bound <= 1e-6 * report.loss
    estimate = monte_carlo_loss(model, features, 60_000, 7)
    assert abs(estimate.loss - report.loss) < 4 * estimate.stderr
    wrong = (Features(f, LAWS[law], importance[::-1]), Features(f, LAWS[law]))
    for other in (*wrong, Features(f, Activation(), importance)):
        assert (
            abs(estimate.loss - population_loss(model, other, rtol=1e-3).loss)
            > 20 * estimate.stderr
        )


# ---- bounds, limits, invariances -------------------------------------------------------------


@pytest.mark.parametrize("law", ["U(0, 2)", "triangular"])
def test_the_error_bound_holds_and_says_something(law):
    rng = np.random.default_rng(0)
    n, m = 50, 8
    importance = None if law == "U(0, 2)" else np.geomspace(5, 0.2, n)
    f = Features(Frequencies.power_law(n, 0.8, density=2.0), LAWS[law], importance)
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
def test_parts_written_out(enumeration, sampling):
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
        active = np.zeros(6)
    else:
        leak = positive * (1 - p)
        # With its own input always off, all of the loss is that of the silent output.
        silent, active = np.empty(6), np.empty(6)
        for i in range(6):
            off, on = p.copy(), p.copy()
            off[i], on[i] = 0.0, 1.0
            active[i] = p[i] * enumerated(enumeration, model, f, p=on)[i] - alone[i]
            silent[i] = (1 - p[i]) * enumerated(enumeration, model, f, p=off)[i]
    own = alone + leak
    assert report.parts_per_feature["lost"] == pytest.approx(np.where(report.lost, own, 0))
    assert report.parts_per_feature["self"] == pytest.approx(np.where(report.lost, 0, own))
    assert report.parts_per_feature["interference_silent"] == pytest.approx(silent - leak)
    assert report.parts_per_feature["interference_active"] == pytest.approx(active, abs=1e-12)


models = st.tuples(st.integers(1, 12), st.integers(1, 4), st.integers(0, 10**6)).map(
    lambda s: small_model(*s)
)


@given(models, st.integers(0, 10**6), st.sampled_from(["bernoulli", "one_hot"]))
@settings(max_examples=25)
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


@given(models, st.integers(0, 10**6), st.sampled_from(["bernoulli", "one_hot"]))
@settings(max_examples=15)
def test_importances_scale_and_move_with_their_features(pair, seed, sampling):
    model, f = pair
    rng = np.random.default_rng(seed)
    importance, scale = rng.uniform(0.1, 2, model.n), rng.uniform(0.1, 10)
    plain = population_loss(model, f, sampling, rtol=1e-10)
    ones = population_loss(model, Features(f, importance=np.ones(model.n)), sampling, rtol=1e-10)
    assert ones.loss == plain.loss
    weighted = population_loss(model, Features(f, importance=importance), sampling, rtol=1e-10)
    assert weighted.per_feature == pytest.approx(
        importance * plain.per_feature, abs=3e-10 * plain.loss * importance.max()
    )
    scaled = Features(f, importance=scale * importance)
    larger = population_loss(model, scaled, sampling, rtol=1e-10)
    assert larger.loss == pytest.approx(scale * weighted.loss, rel=3e-10)
    # Features of equal frequency trade places with their importances.
    even = Frequencies.from_probabilities(np.full(model.n, 0.3))
    order = rng.permutation(model.n)
    one = population_loss(model, Features(even, importance=importance), sampling, rtol=1e-10)
    moved = ToyModel(model.W[order], model.b[order])
    two = population_loss(moved, Features(even, importance=importance[order]), sampling, rtol=1e-10)
    assert two.loss == pytest.approx(one.loss, rel=3e-10)


@given(
    models,
    st.floats(0.05, 20),
    st.sampled_from(["bernoulli", "one_hot"]),
    st.sampled_from(sorted(LAWS)),
)
@settings(max_examples=15)
def test_the_size_of_v_is_a_unit(pair, c, sampling, law):
    """c v and c b in place of v and b: c² times the loss, and other laws are other losses."""
    (model, f), law = pair, LAWS[law]
    before = population_loss(model, Features(f, law), sampling, rtol=1e-10)
    larger = Activation(c * law.low, c * law.high, law.shares)
    after = population_loss(
        ToyModel(model.W, c * model.b), Features(f, larger), sampling, rtol=1e-10
    )
    assert after.loss == pytest.approx(c**2 * before.loss, rel=3e-10)
    assert after.per_feature == pytest.approx(c**2 * before.per_feature, abs=3e-10 * after.loss)


def test_one_law_in_one_and_in_many_cells():
    """Splitting the cells of a law changes nothing but rounding."""
    model, f = small_model(12, 4, 3)
    for law in (Activation(0.5, 1.0), Activation(0.0, 2.0, (3.0, 1.0))):
        split = Activation(law.low, law.high, tuple(np.repeat(law.shares, 7)))
        for sampling in ("bernoulli", "one_hot"):
            one, many = (
                population_loss(model, Features(f, v), sampling, rtol=1e-9, gradient=True)
                for v in (law, split)
            )
            assert many.loss == pytest.approx(one.loss, rel=1e-9)
            assert many.gradient_W == pytest.approx(one.gradient_W, abs=1e-8)
            assert many.gradient_b == pytest.approx(one.gradient_b, abs=1e-8)


def test_an_importance_of_zero_leaves_a_feature_out():
    model, f = small_model(8, 3, 2)
    importance = np.where(np.arange(8) == 3, 0.0, 1.0)
    all_of_them = population_loss(model, f, rtol=1e-10, gradient=True)
    report = population_loss(model, Features(f, importance=importance), rtol=1e-10, gradient=True)
    assert report.per_feature[3] == 0 and report.gradient_b[3] == 0
    expected = np.delete(all_of_them.per_feature, 3).sum()
    assert report.loss == pytest.approx(expected, rel=1e-9)


# ---- a trained model, and samples ------------------------------------------------------------


@pytest.fixture(scope="module")
def trained():
    from empirical.training.train import train

    f = Frequencies.power_law(300, 1.0)
    return train(f, m=20, recipe="paper", seed=0, batch=256, steps=400).model, f


def test_agrees_with_samples_on_a_trained_model_and_sees_a_wrong_bias(trained):
    model, f = trained
    report = population_loss(model, f)
    assert report.error_bound <= 1e-6 * report.loss
    estimate = monte_carlo_loss(model, f, 200_000, 1)
    assert abs(estimate.loss - report.loss) < 4 * estimate.stderr
    # A bias off by 0.005 everywhere.
    wrong = population_loss(ToyModel(model.W, model.b + 0.005), f)
    assert abs(estimate.loss - wrong.loss) > 4 * estimate.stderr
    # By features: as many beyond two standard errors as there should be.
    error = 1e-12 + np.abs(report.per_feature - estimate.per_feature)
    assert error.max() < 0.05 * report.per_feature.max()


# ---- gradients -------------------------------------------------------------------------------


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
    scale = np.abs(report.gradient_W).max()
    rng, h = np.random.default_rng(0), 1e-5

    def loss(dW, db):
        return population_loss(ToyModel(model.W + dW, model.b + db), f, sampling, rtol=1e-12).loss

    for k in range(6):  # directions among all W and b together: every entry has a share
        dW, db = rng.standard_normal(model.W.shape), rng.standard_normal(model.n)
        if case == "orthogonal rows":  # many tiny overlaps at once would be out of reach
            dW *= (np.arange(model.n) == k)[:, None] & (np.arange(model.m) == k % model.m)
        size = math.hypot(np.linalg.norm(dW), np.linalg.norm(db))
        dW, db = dW / size, db / size
        slope = (loss(h * dW, h * db) - loss(-h * dW, -h * db)) / (2 * h)
        found = np.sum(report.gradient_W * dW) + np.sum(report.gradient_b * db)
        assert found == pytest.approx(slope, abs=2e-8 * scale)


def test_the_gradient_of_a_large_model_along_a_direction(trained):
    model, f = trained
    rng = np.random.default_rng(0)
    dW, db = rng.standard_normal(model.W.shape) / 200, rng.standard_normal(model.n) / 200
    report = population_loss(model, f, gradient=True)
    h = 3e-3
    ends = [
        population_loss(ToyModel(model.W + s * dW, model.b + s * db), f, rtol=1e-8).loss
        for s in (-h, h)
    ]
    slope = np.sum(report.gradient_W * dW) + np.sum(report.gradient_b * db)
    assert slope == pytest.approx((ends[1] - ends[0]) / (2 * h), rel=2e-5)


def test_blocks_change_nothing(monkeypatch):
    model, f = small_model(40, 5, 1)
    whole = {s: population_loss(model, f, s, gradient=True) for s in ("one_hot", "bernoulli")}
    monkeypatch.setattr(gram_rows, "_BLOCK", 7 * 40)
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
