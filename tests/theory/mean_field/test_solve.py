"""The mean field: its limits, its geometry, and the invariants of a minimum."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.optimize

from numerics.loss.exact import population_loss
from numerics.toy_model import ToyModel
from theory.activation import UNIFORM, Activation
from theory.features import Features
from theory.frequencies import Frequencies
from theory.mean_field.antipodal import antipodal_loss
from theory.mean_field.evaluation import report_minimum
from theory.mean_field.groups import group_features, rank_features, split_groups
from theory.mean_field.interference.expected_loss import InterferenceModel, expected_loss
from theory.mean_field.interference.quadrature import choose_rule
from theory.mean_field.prolongation import prolong
from theory.mean_field.solve import solve_mean_field
from theory.mean_field.solver.augmented_lagrangian import constraints
from theory.mean_field.solver.method_of_multipliers import minimise
from theory.mean_field.solver.options import DEFAULTS, SolverOptions
from theory.mean_field.solver.problem import Problem
from theory.mean_field.solver.state import ConvergenceError, Point
from theory.registry import predict

EVEN = Frequencies.power_law(60, alpha=0.0)
SKEWED = Frequencies.power_law(60, alpha=1.0)
NOTHING = 4 / 3  # the loss of E = 1 where nothing is learnt


@pytest.fixture(scope="module")
def even():
    return {m: solve_mean_field(EVEN, m) for m in (6, 12, 20)}


@pytest.fixture(scope="module")
def skewed():
    return {m: solve_mean_field(SKEWED, m, groups=5) for m in (12, 16)}


def test_the_limits_hold_and_the_parts_add_up(even, skewed):
    for found in (*even.values(), *skewed.values()):
        assert found.violation <= DEFAULTS.violation
        assert found.residual < 2 * DEFAULTS.stalled
        assert np.all(found.budget <= 1 + DEFAULTS.violation)
        assert found.loss == pytest.approx(found.lost + found.self_error + found.interference)
        assert np.all(np.abs(found.t) <= np.sqrt(found.m) + 1e-9)
        # Welch: no n vectors overlap less.
        n = found.live
        assert found.mean_square_overlap >= (n - found.m) / (found.m * (n - 1)) - 1e-3
        values, shares = found.histogram()
        assert shares.sum() == pytest.approx(1) and np.all(np.diff(values) >= 0)
        assert found.uncertainty < 1e-2 * found.loss


def loss_of(found, r, b, level=2):
    """Return the loss of whole groups at the overlaps found."""
    model = InterferenceModel(found.groups, found.m, found.weights, UNIFORM)
    t = found.t[np.triu_indices(found.groups.count)]
    return expected_loss(model, choose_rule(model, level, r, b, t), r, b, t).loss


def test_it_is_a_minimum(skewed):
    """No other norm or bias of any group costs less at the same overlaps."""
    found = skewed[12]
    best = loss_of(found, found.r, found.b)
    for k in range(found.groups.count):
        for name in ("r", "b"):
            for step in (-0.03, 0.03):
                other = {"r": found.r.copy(), "b": found.b.copy()}
                other[name][k] += step
                assert loss_of(found, **other) > best


def test_the_best_spends_its_budget(skewed):
    found = skewed[12]
    assert found.multipliers.max() > 0  # a larger budget would gain
    problem = Problem(found.groups, found.m, UNIFORM)
    D = found.t[problem.laws.first, problem.laws.second] - problem.z
    spent, _ = constraints(problem, Point(found.r, found.b, D))
    assert spent.max() == pytest.approx(0, abs=2e-3)


def test_losses_fall_with_width_and_rise_with_density(even):
    losses = [found.loss for found in even.values()]
    assert losses[0] > losses[1] > losses[2]
    denser = solve_mean_field(Frequencies.power_law(60, alpha=0.0, density=2.0), 12)
    assert denser.loss > 1.5 * even[12].loss


def test_the_exponent_is_the_slope_of_the_loss(even, skewed):
    """The derivative of the optimum against a refitted difference."""
    for found, f, groups in ((even[12], EVEN, None), (skewed[16], SKEWED, 5)):
        m = int(found.m)
        around = [solve_mean_field(f, m + k, groups=groups).loss for k in (-1, 1)]
        slope = -np.log(around[1] / around[0]) / np.log((m + 1) / (m - 1))
        assert found.exponent == pytest.approx(slope, abs=0.05)


@pytest.mark.parametrize(
    ("f", "groups"),
    [
        (Frequencies.power_law(400, alpha=0.0), None),
        pytest.param(Frequencies.power_law(200, alpha=1.0), 5, marks=pytest.mark.slow),
    ],
)
def test_so_it_is_where_features_are_lost(f, groups):
    """The number of live features is the best: what it changes with m enters to second order."""
    below, found, above = (solve_mean_field(f, m, groups=groups) for m in (8, 9, 10))
    assert below.live < found.live < above.live < f.n
    slope = -np.log(above.loss / below.loss) / np.log(10 / 8)
    assert found.exponent == pytest.approx(slope, abs=0.04)


def test_arranged_overlaps_never_cost_more_than_gaussian_ones(even, skewed):
    for f, group, solved in ((EVEN, None, even), (SKEWED, 5, skewed)):
        for m, found in solved.items():
            isotropic = solve_mean_field(f, m, groups=group, optimised=False)
            assert found.loss < isotropic.loss


def test_splitting_a_group_changes_little(skewed):
    more = solve_mean_field(SKEWED, 16, groups=9)
    assert more.loss == pytest.approx(skewed[16].loss, rel=0.03)


SOLVE = """
from theory.frequencies import Frequencies
from theory.mean_field.solve import solve_mean_field
print(repr(solve_mean_field(Frequencies.power_law(60, alpha=1.0), 16, groups=5).loss))
"""


@pytest.mark.parametrize("threads", [pytest.param("1", marks=pytest.mark.slow), "2"])
def test_the_same_whatever_the_threads_and_what_was_solved_before(skewed, threads, monkeypatch):
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.setenv(name, threads)
    done = subprocess.run([sys.executable, "-c", SOLVE], capture_output=True, text=True, check=True)
    assert float(done.stdout) == pytest.approx(skewed[16].loss, rel=1e-9)


def test_the_number_of_groups_hardly_matters():
    """With interpolation between them, not without."""
    f = Frequencies.power_law(100, alpha=1.5)
    few, many = (solve_mean_field(f, 10, groups=count) for count in (3, 8))
    assert few.loss == pytest.approx(many.loss, rel=8e-3)
    assert abs(few.loss - many.loss) < few.uncertainty < 0.03 * few.loss
    plain = [loss_of(found, found.r, found.b, level=3) + found.lost for found in (few, many)]
    assert plain[0] > 1.08 * few.loss and few.loss < plain[1] < plain[0] / 1.05


def test_as_wide_as_there_are_features_nothing_is_lost():
    for f in (EVEN, SKEWED):
        found = solve_mean_field(f, 60, groups=3)
        # Below that share of learning nothing a loss counts as 0.
        assert 0 <= found.loss < 1e-6 * NOTHING and found.live == 60 and np.isnan(found.exponent)
        assert found.mean_square_overlap < 1e-6


@pytest.mark.parametrize(
    ("m", "alpha"),
    [(55, 0.0), (59, 0.0), pytest.param(55, 1.0, marks=pytest.mark.slow)],
)
def test_nearly_as_wide_as_there_are_features(m, alpha):
    found = solve_mean_field(Frequencies.power_law(60, alpha), m)
    assert found.live == 60 and found.loss < 2e-3 * NOTHING


@pytest.mark.parametrize(
    ("n", "m", "alpha"),
    [(10, 3, 0.0), pytest.param(16, 4, 0.5, marks=pytest.mark.slow)],
)
def test_the_number_of_live_features_is_the_best(n, m, alpha):
    """Against every number there is."""
    f = Frequencies.power_law(n, alpha)
    losses = []
    for live in range(m + 1, n + 1):
        problem = Problem(group_features(f, None, live), float(m), UNIFORM)
        tail = f.tail_sum(live) * 4 / 3 - f.tail_sum(live, power=2)
        losses.append(float(minimise(problem).lagrangian + tail))
    assert solve_mean_field(f, m).loss == pytest.approx(min(losses), rel=1.5e-2)


def test_never_worse_than_keeping_m_features():
    """Features that are nearly always active cost little when lost."""
    for f in (Frequencies.from_probabilities([p] * 10) for p in (0.9, 1.0)):
        weak = 6 * (4 / 3 * f.p[0] - f.p[0] ** 2)
        assert solve_mean_field(f, 4).loss <= weak * (1 + 1e-3)


def test_one_feature_alone_is_learnt():
    """Frequencies that fall at once: the loss goes to what is left, nothing."""
    found = solve_mean_field(Frequencies.power_law(60, alpha=20.0), 6)
    assert found.loss < 2e-6 * NOTHING
    only = solve_mean_field(Frequencies.power_law(60, alpha=40.0), 6)
    assert only.live == 1 and only.mean_square_overlap == 0 and np.isnan(only.skewness)
    assert np.all(only.histogram()[1] == 0)


def test_two_dimensions_keep_few():
    """Of many equal features in the plane nearly all are lost."""
    found = solve_mean_field(Frequencies.power_law(300, alpha=0.0), 2)
    assert found.live < 20 and 0.95 * NOTHING < found.loss < NOTHING
    # Each lost feature costs what the best constant costs, at which weak superposition loses it.
    tail = predict(Frequencies.power_law(300, alpha=0.0), found.live, theory="weak").loss["weak"]
    assert found.lost == pytest.approx(tail)


def test_one_active_feature(even):
    """One feature alone costs less than several at once; 2m of them lose nothing (antipodal)."""
    found = solve_mean_field(EVEN, 12, sampling="one_hot")
    assert 0 < found.loss < even[12].loss
    for m in (30, 40, 60):
        assert solve_mean_field(EVEN, m, sampling="one_hot").loss == 0
    assert solve_mean_field(EVEN, 29, sampling="one_hot").loss > 1e-4 * NOTHING
    with pytest.raises(ValueError, match="E = 2 with one active feature"):
        solve_mean_field(Frequencies.power_law(60, 0.0, density=2.0), 12, sampling="one_hot")


def test_two_features_to_a_dimension_are_antipodal_pairs():
    """Trained models of 300 equal features: studies/mean_field/budgets.json."""
    f = Frequencies.power_law(300, alpha=0.0)
    found = solve_mean_field(f, 150)
    assert found.loss == pytest.approx(0.002225, rel=5e-3)
    # L goes as the number of pairs, n - m; overlaps are -1 once per feature.
    assert found.exponent == pytest.approx(150 / 150)
    assert found.mean_square_overlap == pytest.approx(1 / 299)
    assert solve_mean_field(f, 100).loss == pytest.approx(0.0173, rel=0.08)
    assert solve_mean_field(f, 150, optimised=False).loss > 2 * found.loss
    assert 2 * found.loss < solve_mean_field(f, 150, antipodal=False).loss < 4 * found.loss


def test_the_errors_are_what_they_are_defined_as():
    """Each recomputed from the solver's pieces, so that a factor on one of them is noticed."""
    f = Frequencies.power_law(40, alpha=1.0)
    ranked, m = rank_features(f), 8
    problem = Problem(group_features(f, 3, live=30), float(m), UNIFORM)
    found = minimise(problem)
    solved = report_minimum(ranked, problem, found)
    parts, parent = split_groups(f, problem.groups, 4)
    apart = problem.at(parts)
    point, multipliers = prolong(problem, found, apart, parent)
    t = apart.z + point.D
    budget, matrices = constraints(apart, point)
    paid = multipliers.budget @ budget - np.sum(multipliers.positivity * matrices)
    plain, finer = (
        expected_loss(apart.model, choose_rule(apart.model, level, point.r, point.b, t), point.r,
                      point.b, t).loss + paid
        for level in (found.rule.level, found.rule.level + 1)
    )  # fmt: skip
    lost = (4 / 3 * f.p[30:] - f.p[30:] ** 2).sum()
    assert solved.loss == pytest.approx(finer + lost, rel=1e-12)
    assert solved.lost == pytest.approx(lost, rel=1e-12)
    whole = found.loss + found.multipliers.budget @ constraints(problem, found.point)[0]
    whole -= np.sum(found.multipliers.positivity * constraints(problem, found.point)[1])
    budget, matrices = constraints(problem, found.point)
    products = np.einsum("kgh,kgh->k", found.multipliers.positivity, matrices)
    expected = {
        "quadrature": abs(finer - plain),
        "grouping": (whole - plain) / 5,
        "constraints": np.abs(found.multipliers.budget * budget).sum() + np.abs(products).sum(),
        "convergence": (2e-4 + found.residual) * solved.loss,
    }
    assert solved.errors._asdict() == pytest.approx(expected, rel=1e-9, abs=1e-15)
    assert solved.uncertainty == pytest.approx(sum(expected.values()), rel=1e-9)
    assert min(expected.values()) > 0 and expected["grouping"] > 0.1 * solved.uncertainty


def test_equal_importances_only_scale_the_loss():
    f = Frequencies.power_law(30, alpha=1.0)
    plain = solve_mean_field(f, 6, groups=3)
    scaled = solve_mean_field(Features(f, importance=np.full(30, 7.0)), 6, groups=3)
    for name in ("loss", "lost", "self_error", "uncertainty"):
        assert getattr(scaled, name) == pytest.approx(7 * getattr(plain, name), rel=1e-12)
    assert scaled.exponent == pytest.approx(plain.exponent, rel=1e-12)
    assert np.array_equal(scaled.r, plain.r) and scaled.groups.importance == pytest.approx(7)


def test_features_of_importance_0_are_as_if_they_were_not_there():
    f = Frequencies.power_law(30, alpha=1.0, density=0.4)
    p = np.sort([*f.p, *np.full(10, 0.05)])[::-1]
    weighted = Features(Frequencies.from_probabilities(p), importance=np.where(p == 0.05, 0.0, 1.0))
    found, plain = (solve_mean_field(each, 6, groups=3) for each in (weighted, f))
    assert found.loss == pytest.approx(plain.loss, rel=1e-12)
    assert found.live == plain.live
    for one_hot in (False, True):
        how = {"sampling": "one_hot" if one_hot else "bernoulli"}
        pairs = [antipodal_loss(each, 15, **how).loss for each in (weighted, f)]
        assert pairs[0] == pytest.approx(pairs[1], rel=1e-12, abs=1e-15)


def test_importances_decide_what_is_lost():
    """Equal frequencies, importances 1 and 0.05: the live features are the important ones."""
    importance = np.where(np.arange(40) % 2, 0.05, 1.0)
    f = Frequencies.power_law(40, alpha=0.0)
    found = solve_mean_field(Features(f, importance=importance), 4)
    few = solve_mean_field(Frequencies.power_law(20, alpha=0.0, density=0.5), 4)
    lost = 0.05 * 20 * (4 / 3 / 40 - 1 / 1600)
    assert found.live <= 20 and found.groups.importance == pytest.approx(1)
    # No better than without the others at all, no worse than with these at their best constant.
    assert few.loss < found.loss <= (few.loss + lost) * (1 + 5e-3)


def best_of_exact(features, m, starts):
    """Return the least exact loss that L-BFGS finds over W and b, and its number of live rows."""
    n, best = features.n, (np.inf, 0)

    def objective(x):
        model = ToyModel(x[: n * m].reshape(n, m), x[n * m :])
        report = population_loss(model, features, rtol=1e-4, gradient=True)
        return report.loss, np.concatenate([report.gradient_W.ravel(), report.gradient_b])

    for seed in range(starts):
        W = np.random.default_rng(seed).standard_normal(n * m) / np.sqrt(m)
        found = scipy.optimize.minimize(
            objective,
            np.concatenate([W, np.full(n, -0.05)]),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 150, "ftol": 1e-5},
        )
        live = np.sum(np.linalg.norm(found.x[: n * m].reshape(n, m), axis=1) > 0.5)
        best = min(best, (found.fun, int(live)))
    return best


@pytest.mark.slow
def test_importances_against_the_best_model():
    """24 features in 5 dimensions: the exact loss, minimised over W and b without a sample."""
    f, importance = Frequencies.power_law(24, alpha=1.0), np.arange(1.0, 25) ** 0.5
    features = Features(f, importance=importance)
    exact, live = best_of_exact(features, 5, starts=1)
    found = solve_mean_field(features, 5, groups=4)
    assert found.loss == pytest.approx(exact, rel=0.03)
    assert abs(found.live - live) <= 2
    # The control: importances in the reverse order.
    other = Features(f, importance=importance[::-1])
    assert solve_mean_field(other, 5, groups=4).loss < 0.95 * exact


@pytest.mark.slow
def test_importances_that_do_not_follow_the_rank_against_the_best_model():
    importance = np.random.default_rng(1).lognormal(0, 1, 24)
    features = Features(Frequencies.power_law(24, alpha=1.0), importance=importance)
    exact, live = best_of_exact(features, 5, starts=6)
    found = solve_mean_field(features, 5, groups=4)
    assert found.groups.has_tiers
    assert found.loss == pytest.approx(exact, rel=0.06)
    assert abs(found.live - live) <= 3
    equal = solve_mean_field(features.frequencies, 5, groups=4)
    assert abs(equal.loss * (importance @ features.p) / exact - 1) > 0.2


def test_a_result_is_shown_in_a_few_lines(skewed):
    import matplotlib.pyplot as plt

    found = skewed[16]
    assert repr(found) == str(found) and len(repr(found)) < 400
    assert max(map(len, repr(found).splitlines())) <= 90
    assert f"{found.loss:.5g}" in repr(found) and "<table" in found._repr_html_()
    table = found.to_dataframe()
    assert len(table) == found.groups.count and table["features"].sum() == 60
    for name in ("r", "b", "z", "weights", "t", "budget", "multipliers"):
        assert not getattr(found, name).flags.writeable
    ax = found.plot()
    assert ax.lines[0].get_ydata()[-1] == pytest.approx(1)
    plt.close(ax.figure)


def test_another_law_of_v(skewed):
    """v near 2, its square near 4 instead of 4/3."""
    sure = solve_mean_field(Features(SKEWED, Activation(1.9, 2.0)), 16, groups=5)
    assert 2 * skewed[16].loss < sure.loss < 4 * skewed[16].loss


@pytest.mark.parametrize("size", [0.01, pytest.param(100.0, marks=pytest.mark.slow)])
def test_the_size_of_v_is_a_unit(skewed, size):
    scaled = solve_mean_field(Features(SKEWED, Activation(0.0, 2 * size)), 16, groups=5)
    assert scaled.loss == pytest.approx(size**2 * skewed[16].loss)
    assert scaled.b == pytest.approx(size * skewed[16].b)


def test_not_converging_is_an_error_that_says_what_to_try():
    with pytest.raises(ConvergenceError, match="did not converge .* try another number of groups"):
        solve_mean_field(SKEWED, 12, options=SolverOptions(rounds=1))


@pytest.mark.parametrize("m", [1, 61, 2.5])
def test_bad_widths(m):
    with pytest.raises((ValueError, TypeError), match=r"^m = "):
        solve_mean_field(EVEN, m)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: solve_mean_field([0.5, 0.5], 2),
            TypeError,
            "is neither a Features nor a Frequencies",
        ),
        (lambda: solve_mean_field(EVEN, 12, groups=0), ValueError, "groups = 0"),
        (lambda: solve_mean_field(Frequencies.power_law(1, 0.0), 1), ValueError, "n = 1"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.slow
def test_a_loss_far_below_its_parts_converges():
    """With two octaves fewer the sums changed by 1 % between rounds, and 11 rounds were taken."""
    found = solve_mean_field(Frequencies.power_law(1000, 2.0), 155)
    assert found.rounds <= 8 and found.uncertainty < 0.006 * found.loss
