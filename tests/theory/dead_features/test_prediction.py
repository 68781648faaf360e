"""The reduced model of training: exact averages, limits, symmetries, and who dies in training."""

import numpy as np
import pytest
from scipy import stats

from theory.activation import Activation
from theory.dead_features import classes as module
from theory.dead_features import dynamics
from theory.dead_features.background import given_frequent, make_background, weigh_senders
from theory.dead_features.classes import make_classes
from theory.dead_features.dynamics import State, begin, decay, find_slopes, run
from theory.dead_features.loss import predict_recipe_loss
from theory.dead_features.prediction import predict_dead_features
from theory.dead_features.recipe import Recipe
from theory.features import Features
from theory.frequencies import Frequencies
from theory.mean_field.solve import solve_mean_field
from theory.registry import predict

WORDS = Frequencies.power_law(200, alpha=1.0)
SHORT = Recipe(steps=2000, weight_decay=-0.5)


@pytest.fixture(scope="module")
def found():
    return predict_dead_features(WORDS, 20, SHORT)


def test_dead_features_are_those_of_low_biases(found):
    frame = found.to_dataframe()
    rare = frame.iloc[40:]
    below = rare.bias < rare.threshold - 0.1
    above = rare.bias > rare.threshold + 0.1
    assert 0.05 < found.share < 0.6
    assert rare.dead[below].all() and not rare.dead[above].any()


def test_a_lower_bias_never_revives_a_feature(found):
    """Monotone in b(0): one rare feature alone is moved, which changes the others by 1/n."""
    at = 150
    dead = []
    for value in (-3.0, -0.7, 1.0):
        bias = found.bias.copy()
        bias[at] = value
        dead.append(predict_dead_features(WORDS, 20, SHORT, bias=bias).dead[at])
    assert dead[0] and not dead[-1]
    assert dead == sorted(dead, reverse=True)


def test_equal_features_may_be_permuted():
    equal = Frequencies.power_law(120, alpha=0.0)
    rng = np.random.default_rng(1)
    bias = rng.standard_normal(120)
    order = rng.permutation(120)
    one = predict_dead_features(equal, 15, SHORT, bias=bias)
    other = predict_dead_features(equal, 15, SHORT, bias=bias[order])
    assert one.dead.sum() == other.dead.sum() > 0
    # Strata of rank hold other features now: classes move a little.
    assert np.mean(one.dead[order] != other.dead) < 0.03


def test_no_feature_dies_without_random_biases():
    """The negative control: with b = 0 at the start almost none die."""
    found = predict_dead_features(WORDS, 20, SHORT, bias=np.zeros(200))
    assert found.share < 0.02


@pytest.mark.slow
def test_no_feature_dies_without_random_biases_when_wide():
    """Steps of 25 once made common components swing here, until all had died."""
    many = Frequencies.power_law(1000, alpha=1.0)
    recipe = Recipe(weight_decay=-0.55555556)
    assert predict_dead_features(many, 100, recipe, bias=np.zeros(1000)).share < 0.02


def test_shorter_steps_give_the_same(monkeypatch):
    """Half the step: classes move by a few hundredths, and steps of 200 are noticed."""
    classes = make_classes(WORDS.p, np.random.default_rng(5).standard_normal(200))
    recipe = Recipe(steps=600, weight_decay=-0.5)
    ends = []
    for scale in (0.5, 1, 20):
        for name, steps in (("_FIRST", 2), ("_EARLY", 5), ("_LATE", 10)):
            monkeypatch.setattr(dynamics, name, max(1, int(steps * scale)))
        ends.append(run(classes, 20, recipe))
    moved = [np.sqrt(np.average((one.b - ends[0].b) ** 2, weights=classes.weight)) for one in ends]
    assert moved[1] < 0.04 < moved[2]


def test_finer_classes_give_the_same(monkeypatch):
    """Classes of half the width; those of one bias for all features are noticed."""
    many = Frequencies.power_law(600, alpha=0.0)
    bias = np.random.default_rng(6).standard_normal(600)
    shares = []
    for width in (0.0625, 0.03125, 10.0):
        monkeypatch.setattr(module, "_EDGES", np.arange(-2.75, 2.1, width))
        shares.append(predict_dead_features(many, 30, SHORT, bias=bias).share)
    assert abs(shares[1] - shares[0]) < 0.03 < abs(shares[2] - shares[0])


def test_the_start_is_the_projection_on_signs():
    """c at the start against rows drawn at random; the start from C alone is rejected."""
    rng = np.random.default_rng(4)
    n, m = 60, 200
    p = Frequencies.power_law(n, alpha=0.5).p
    bias = rng.standard_normal(n)
    classes = make_classes(p, bias)
    above = np.maximum(bias, 0)
    found = np.zeros((400, n))
    for k in range(400):
        W = rng.standard_normal((n, m)) / np.sqrt(m)
        found[k] = W @ np.sign(p @ W / p.sum() - above @ W / above.sum()) / np.sqrt(m)
    mean, error = found.mean(axis=0), stats.sem(found, axis=0)
    mine = begin(classes, m).c[classes.label]
    single = classes.side[classes.label] == 0
    assert np.max(np.abs(mine - mean)[single] / error[single]) < 4.5
    alone = -np.sqrt(2 / np.pi) * above / np.linalg.norm(above)
    assert np.max(np.abs(alone - mean)[single] / error[single]) > 10
    # Rows of one weight differ by 1/√m; halves of a class begin that much above and below the mean.
    spread = found.std(axis=0)
    level = begin(classes._replace(side=np.zeros_like(classes.side)), m).c[classes.label]
    assert (mine - level)[~single].std() == pytest.approx(spread.mean(), rel=0.1)
    assert np.all(mine[single] == level[single]) and (~single).sum() > 10


def test_wide_models_lose_little_more_than_what_starts_silent():
    """The wider, the less interference; in the end b(0) < -2 dies, at norm 1, and little else."""
    many = Frequencies.power_law(2000, alpha=1.0)
    shares = [predict_dead_features(many, m, SHORT).share for m in (20, 200)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 3 * shares[-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"m": 1}, "m = 1"),
        ({"bias": np.zeros(3)}, "give one for each of 200"),
        ({"bias": np.full(200, np.nan)}, "bias"),
        ({"features": Features(WORDS, Activation(1.0, 1.5))}, "activation"),
    ],
)
def test_what_it_cannot_do(change, message):
    given = {"features": WORDS, "m": 20} | change
    with pytest.raises(ValueError, match=message):
        predict_dead_features(**given)


@pytest.mark.parametrize("name", ["batch", "steps", "learning_rate", "warmup_steps"])
def test_a_recipe_says_what_is_wrong(name):
    with pytest.raises(ValueError, match=name):
        Recipe(**{name: -1})


def test_the_background_is_the_law_of_samples():
    rng = np.random.default_rng(0)
    c, q, often = np.array([0.5, -0.2]), np.array([0.6, 0.9]), np.array([0.8, 1.5])
    law = make_background(c, q, often, 20)
    counts = rng.poisson(often, size=(40_000, 2))
    x = [[rng.uniform(0, 2, k).tolist() for k in row] for row in counts]
    h = np.array([sum(c[k] * v for k in range(2) for v in row[k]) for row in x])
    s2 = np.array([sum(q[k] ** 2 * v * v / 20 for k in range(2) for v in row[k]) for row in x])
    assert law.share.sum() + law.empty == pytest.approx(1, abs=1e-5)
    for power in (1, 2):
        mine, error = law.share @ law.h**power, stats.sem(h**power)
        assert abs(mine - np.mean(h**power)) < 4 * error + 2e-3
    assert abs(law.share @ law.s2 - s2.mean()) < 4 * stats.sem(s2) + 1e-4
    assert abs(law.share @ (law.s2 * law.h) - (s2 * h).mean()) < 4 * stats.sem(s2 * h) + 1e-3


def test_frequent_features_given_h_have_the_moments_of_a_poisson_sum():
    """Of x and y = Σ x_k² given h: mean, and mean of the product with h, by Campbell's formula."""
    c, q, often = np.array([0.6, 0.3, -0.2]), np.array([0.7, 0.8, 0.9]), np.array([0.2, 0.6, 1.0])
    law = make_background(c, q, often, 20)
    x, squares = given_frequent(law, often[:2], c[:2], q[:2], 20)
    mean = often @ c  # ⟨v⟩ = 1
    for k in range(2):
        scale = q[k] ** 2 / 20
        # ⟨v²⟩ = 4/3, ⟨v³⟩ = 2
        for found, first, second in (
            (x[k], often[k], often[k] * c[k] * 4 / 3),
            (squares[k] / scale, often[k] * 4 / 3, often[k] * c[k] * 2),
        ):
            assert found @ law.share == pytest.approx(first, rel=0.02)
            together = first * mean + second
            assert found @ (law.share * law.h) == pytest.approx(
                together, rel=0.05
            )  # at most 2 a feature
            assert together != pytest.approx(first * mean, rel=0.5)  # without what h tells
    # Weights of senders: the mean of h given a sender is its own part more.
    size = np.array([0.0, 2.0, 0.0])
    weights = weigh_senders(law, c, size)
    assert weights.sum() == pytest.approx(2 * 4 / 3, rel=1e-3)
    own = c[1] * 1.5  # ⟨v³⟩/⟨v²⟩
    assert weights @ law.h / weights.sum() == pytest.approx(mean + own, abs=0.02)


# Rows of four kinds: what each has along the common direction, of its own, and as bias.
KINDS = State(
    np.array([0.4, -0.3, 0.1, 0.0]),
    np.array([0.6, 0.7, 0.9, 0.8]),
    np.array([-0.4, 0.4, -0.2, 0.1]),
)


def draw_rows(values, m, rng):
    """Return rows W = c e + q u with e the first axis and u random."""
    W = rng.standard_normal((values.q.size, m))
    W[:, 0] = 0
    W *= (values.q / np.linalg.norm(W, axis=1))[:, None]
    W[:, 0] = values.c
    return W


def draw_gradients(W, b, p, samples, rng):
    """Return the mean gradients of half the summed loss by W and b over drawn samples."""
    x = (rng.random((samples, p.size)) < p) * rng.uniform(0, 2, (samples, p.size))
    hidden = x @ W
    y = np.maximum(hidden @ W.T + b, 0)
    error = np.where(y > 0, y - x, 0)
    return (error.T @ hidden + x.T @ (error @ W)) / samples, error.mean(axis=0)


def of_classes(values, classes):
    """Return the means over classes."""
    return State(*(np.bincount(classes.label, v) / classes.weight for v in values))


def test_slopes_are_those_of_random_rows():
    """Against real rows W = c e + q u with random u, samples drawn: means over rows of a class."""
    rng = np.random.default_rng(2)
    n, m = 400, 60
    p = np.full(n, 2.0 / n)
    kinds = np.arange(n) % 4
    values = State(*(v[kinds] for v in KINDS))
    W = draw_rows(values, m, rng)
    gradient, by_bias = draw_gradients(W, values.b, p, 4000, rng)
    classes = make_classes(p, values.b)
    slopes = find_slopes(of_classes(values, classes), classes, m)
    private = np.einsum("ij,ij->i", gradient[:, 1:], W[:, 1:]) / values.q
    for mine, theirs in (
        (slopes.b, by_bias),
        (slopes.c, gradient[:, 0]),
        (slopes.q, private),
    ):
        for kind in range(4):
            here = kinds == kind
            spread = theirs[here].std() / np.sqrt(here.sum())
            mean = mine[classes.label][here].mean()
            scale = np.abs(theirs).max()
            assert abs(mean - theirs[here].mean()) < 4 * spread + 0.03 * scale


def test_the_mean_gradient_of_one_row_is_larger_than_that_of_its_class():
    """Against drawn rows; without what rows of frequent features add it is too small.

    The product of two independent estimates of the mean gradient has no part from their noise.
    """
    rng = np.random.default_rng(7)
    n, m, frequent = 400, 60, 8
    p = np.concatenate([np.full(frequent, 0.1), np.full(n - frequent, 1.2 / (n - frequent))])
    kinds = np.arange(n) % 4
    values = State(*(v[kinds] for v in KINDS._replace(c=np.array([0.4, -0.3, 0.1, 0.02]))))
    W = draw_rows(values, m, rng)
    drawn = np.prod([draw_gradients(W, values.b, p, 8000, rng)[0] for _ in range(2)], axis=0).sum(1)
    classes = make_classes(p, values.b)
    away = np.zeros((classes.p.size, frequent))
    slopes = find_slopes(of_classes(values, classes), classes, m, away)
    received = slopes.b**2 * np.sum((p * values.q)[:frequent] ** 2)
    here = [(kinds == kind) & (np.arange(n) >= frequent) for kind in (1, 3)]  # they err often
    found = {
        name: [v[classes.label][one].mean() for one in here]
        for name, v in (
            ("mine", slopes.row_mean),
            ("less", slopes.row_mean - received),
            ("of the class", slopes.c**2 + slopes.q**2),
        )
    }
    ratios = {name: v / np.array([drawn[one].mean() for one in here]) for name, v in found.items()}
    # The mean across c and q is taken as the mean of a size, which is more than the size of a mean.
    assert np.all((ratios["mine"] > 0.85) & (ratios["mine"] < 1.3))
    # Kind 1 errs at every sample, so that frequent rows add most there.
    assert ratios["less"][0] < 0.75
    assert np.all(ratios["of the class"] < 0.5)


def test_decay_goes_where_the_recipe_says():
    state = State(np.array([0.3, 0.0]), np.array([0.4, 2.0]), np.zeros(2))
    c, q = decay(state, -0.1, 200)
    assert np.hypot(c, q) == pytest.approx([1.0, 1.0])
    c, q = decay(state, 0.1, 200)
    assert np.hypot(c, q).max() < 1e-6


def test_classes_keep_features_and_frequency():
    rng = np.random.default_rng(3)
    f = Frequencies.power_law(5000, alpha=1.2)
    bias = rng.standard_normal(5000)
    classes = make_classes(f.p, bias)
    assert classes.weight.sum() == 5000 and classes.weight @ classes.p == pytest.approx(1.0)
    assert classes.weight @ classes.bias == pytest.approx(bias.sum())
    assert len(classes.p) < 1000
    many = classes.side != 0
    halves = [classes.weight[classes.side == side].sum() for side in (1, -1)]
    assert abs(halves[0] - halves[1]) <= classes.stratum[many].size / 2


def test_the_loss_is_that_of_the_dead_and_of_the_rest():
    """Between the mean field of all features and the loss of a model that learns nothing."""
    found = predict_recipe_loss(WORDS, 20, SHORT)
    best = solve_mean_field(WORDS, 20).loss
    assert best < found.loss < 4 / 3 * WORDS.density
    p, probability = found.dead.p, found.dead.probability
    assert found.dead.expected_loss == pytest.approx(4 / 3 * p @ probability)
    assert 0 < found.live.live <= (1 - probability).sum() + 1


def test_a_recipe_is_predicted_as_a_theory():
    """``predict`` gives both parts, and for given biases in the order of the frequencies."""
    few = Frequencies.power_law(60, alpha=1.0)
    rising = Frequencies.from_probabilities(np.array(few.p[::-1]))
    bias = np.random.default_rng(4).standard_normal(60)
    found = predict(rising, 8, recipe=SHORT, bias=bias[::-1])
    own = predict_recipe_loss(few, 8, SHORT, bias=bias)
    assert found.theories == ("paper_recipe",)
    assert found.loss["paper_recipe"] == own.loss
    assert found.parts["paper_recipe"]["dead"] == own.dead.loss == own.dead_loss
    assert sum(found.parts["paper_recipe"].values()) == pytest.approx(own.loss)
    dearer = predict_recipe_loss(few, 10, SHORT, bias=bias)
    slope = -np.log(dearer.loss / own.loss) / np.log(10 / 8)
    assert found.exponent["paper_recipe"] == pytest.approx(slope)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": "fast"}, "recipe = 'fast'"),
        ({"recipe": "paper", "weight_decay": 0.1}, "weight_decay = 0.1 is not allowed"),
        ({"recipe": Recipe(weight_decay=0.3)}, "weight_decay = 0.3 is not allowed"),
        ({"recipe": SHORT, "weight_decay": -1.0}, "weight_decay = .* without a recipe"),
        ({"bias": np.zeros(200)}, "bias is where a recipe begins"),
        ({"recipe": SHORT, "bias": np.zeros(3)}, "give one for each of 200"),
        ({"recipe": SHORT, "theory": "weak"}, "recipe is for the theory 'paper_recipe'"),
    ],
)
def test_recipes_that_predict_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        predict(WORDS, 20, **change)
