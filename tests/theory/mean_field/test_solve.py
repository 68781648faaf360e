"""The mean field: its limits, its geometry, and the invariants of a minimum."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import theory.mean_field.augmented_lagrangian as constrained
from theory.activation import UNIFORM, Activation
from theory.features import Features
from theory.frequencies import Frequencies
from theory.mean_field.augmented_lagrangian import Problem
from theory.mean_field.groups import FeatureGroups, group_features, merge_groups
from theory.mean_field.interference.expected_loss import InterferenceLoss
from theory.mean_field.interference.overlap_laws import random_nodes
from theory.mean_field.prolongation import prolong, split_groups
from theory.mean_field.solve import solve_mean_field
from theory.mean_field.state import ConvergenceError, Multipliers
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
        assert found.violation <= constrained.TOLERANCE
        assert found.residual < constrained._SLOW
        assert np.all(found.budget <= 1 + constrained.TOLERANCE)
        assert found.loss == pytest.approx(found.lost + found.self_error + found.interference)
        assert np.all(np.abs(found.t) <= np.sqrt(found.m) + 1e-9)
        # Welch: no n vectors overlap less.
        n = found.live
        assert found.mean_square_overlap >= (n - found.m) / (found.m * (n - 1)) - 1e-3
        values, shares = found.histogram()
        assert shares.sum() == pytest.approx(1) and np.all(np.diff(values) >= 0)
        assert found.uncertainty < 1e-2 * found.loss


def test_it_is_a_minimum(skewed):
    """No other norm or bias of any group costs less at the same overlaps."""
    found = skewed[12]
    loss = InterferenceLoss(found.groups, found.m, found.weights, UNIFORM, fine=2)
    t = found.t[np.triu_indices(found.groups.count)]
    best = loss(found.r, found.b, t).loss
    for k in range(found.groups.count):
        for name in ("r", "b"):
            for step in (-0.03, 0.03):
                other = {"r": found.r.copy(), "b": found.b.copy()}
                other[name][k] += step
                assert loss(other["r"], other["b"], t).loss > best


def test_the_best_spends_its_budget(skewed):
    found = skewed[12]
    assert found.multipliers.max() > 0  # a larger budget would gain
    problem = Problem(found.groups, found.m, UNIFORM, False, True)
    D = found.t[problem.laws.first, problem.laws.second] - problem.z
    spent, _ = problem.limits(D)
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


def test_so_it_is_where_features_are_lost():
    """The number of live features is the best: what it changes with m enters to second order."""
    f = Frequencies.power_law(200, alpha=1.0)
    below, found, above = (solve_mean_field(f, m, groups=5) for m in (8, 9, 10))
    assert below.live < found.live < above.live < 200
    slope = -np.log(above.loss / below.loss) / np.log(10 / 8)
    assert found.exponent == pytest.approx(slope, abs=0.04)


def test_arranged_overlaps_never_cost_more_than_gaussian_ones(even, skewed):
    for f, group, solved in ((EVEN, None, even), (SKEWED, 5, skewed)):
        for m, found in solved.items():
            isotropic = solve_mean_field(f, m, groups=group, optimised=False)
            assert found.loss < isotropic.loss


def test_parts_of_a_group_are_the_group():
    """Equal features in one group, or in three."""
    whole, parts = (
        Problem(
            FeatureGroups(np.array(sizes), np.full(len(sizes), 1 / 60)), 12.0, UNIFORM, False, True
        )
        for sizes in ([60], [10, 20, 30])
    )
    one, three = whole.lagrangian(whole.minimise()), parts.lagrangian(parts.minimise())
    assert three == pytest.approx(one, rel=0.01)


def test_splitting_a_group_changes_little(skewed):
    more = solve_mean_field(SKEWED, 16, groups=9)
    assert more.loss == pytest.approx(skewed[16].loss, rel=0.03)


SOLVE = """
from theory.frequencies import Frequencies
from theory.mean_field.solve import solve_mean_field
print(repr(solve_mean_field(Frequencies.power_law(60, alpha=1.0), 16, groups=5).loss))
"""


@pytest.mark.parametrize("threads", ["1", "2"])
def test_the_same_whatever_the_threads_and_what_was_solved_before(skewed, threads, monkeypatch):
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.setenv(name, threads)
    done = subprocess.run([sys.executable, "-c", SOLVE], capture_output=True, text=True, check=True)
    assert float(done.stdout) == pytest.approx(skewed[16].loss, rel=1e-9)


def test_other_starts_lead_to_the_same_minimum(skewed):
    """From overlaps of random directions, and from the minimum of merged groups."""
    groups, parent = merge_groups(skewed[16].groups)
    merged = Problem(groups, 16.0, UNIFORM, False, True)
    problem = Problem(skewed[16].groups, 16.0, UNIFORM, False, True)
    losses = [problem.lagrangian(problem.minimise())]
    problem = Problem(skewed[16].groups, 16.0, UNIFORM, False, True)
    start = prolong(merged, merged.minimise(), problem, parent)
    losses.append(problem.lagrangian(problem.minimise(start)))
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    # Features that differ within their groups lose a little less.
    assert skewed[16].loss < losses[0] + skewed[16].lost < 1.1 * skewed[16].loss


def test_the_number_of_groups_hardly_matters():
    """With interpolation between them, not without."""
    f = Frequencies.power_law(300, alpha=2.0)
    few, many = (solve_mean_field(f, 16, groups=count) for count in (8, 14))
    assert few.loss == pytest.approx(many.loss, rel=8e-3)
    assert abs(few.loss - many.loss) < few.uncertainty
    plain = []
    for found in (few, many):
        loss = InterferenceLoss(found.groups, found.m, found.weights, UNIFORM, fine=3)
        t = found.t[np.triu_indices(found.groups.count)]
        plain.append(loss(found.r, found.b, t).loss + found.lost)
    assert plain[0] > 1.03 * few.loss and few.loss < plain[1] < plain[0] / 1.02


def test_as_wide_as_there_are_features_nothing_is_lost():
    for f in (EVEN, SKEWED):
        found = solve_mean_field(f, 60)
        # Below that share of learning nothing a loss counts as 0.
        assert 0 <= found.loss < 1e-6 * NOTHING and found.live == 60 and np.isnan(found.exponent)
        assert found.mean_square_overlap < 1e-6


@pytest.mark.parametrize(("m", "alpha"), [(55, 0.0), (55, 1.0), (59, 0.0)])
def test_nearly_as_wide_as_there_are_features(m, alpha):
    found = solve_mean_field(Frequencies.power_law(60, alpha), m)
    assert found.live == 60 and found.loss < 2e-3 * NOTHING


@pytest.mark.parametrize(("n", "m", "alpha"), [(12, 3, 0.0), (16, 4, 0.5)])
def test_the_number_of_live_features_is_the_best(n, m, alpha):
    """Against every number there is."""
    f = Frequencies.power_law(n, alpha)
    losses = []
    for live in range(m + 1, n + 1):
        problem = Problem(group_features(f, None, live), float(m), UNIFORM, False, True)
        tail = f.tail_sum(live) * 4 / 3 - f.tail_sum(live, power=2)
        losses.append(float(problem.lagrangian(problem.minimise()) + tail))
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
    assert found.lost == pytest.approx(tail[0])


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


def test_another_law_of_v(skewed):
    """v near 2, its square near 4 instead of 4/3; and other sizes of v."""
    sure = solve_mean_field(Features(SKEWED, Activation(1.9, 2.0)), 16, groups=5)
    assert 2 * skewed[16].loss < sure.loss < 4 * skewed[16].loss
    for size in (0.01, 100.0):
        scaled = solve_mean_field(Features(SKEWED, Activation(0.0, 2 * size)), 16, groups=5)
        assert scaled.loss == pytest.approx(size**2 * skewed[16].loss)
        assert scaled.b == pytest.approx(size * skewed[16].b)


def test_features_that_fell_dead_on_the_way_are_revived():
    groups = group_features(Frequencies.power_law(300, alpha=1.0), 5)

    def pose():
        return Problem(groups, 30.0, UNIFORM, False, True)

    best = pose().minimise()
    r, b = best.state.r.copy(), best.state.b.copy()
    r[-1], b[-1] = 0.75, -1.6
    fallen = best._replace(state=best.state._replace(r=r, b=b))
    problem = pose()
    stuck = problem._settle(fallen)
    assert problem.lagrangian(stuck) > 2 * problem.lagrangian(best)
    assert list(np.flatnonzero(problem.loss.dead_groups(stuck.state.r, stuck.state.b))) == [
        len(b) - 1
    ]
    problem = pose()
    assert problem.lagrangian(problem.minimise(fallen)) == pytest.approx(
        problem.lagrangian(best), rel=6e-3
    )


def test_not_settling_is_an_error_that_says_what_to_try(monkeypatch):
    monkeypatch.setattr(constrained, "_OUTER", (1, 1))
    with pytest.raises(ConvergenceError, match="did not settle .* try another number of groups"):
        solve_mean_field(SKEWED, 12)


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


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 2), st.integers(8, 300), st.integers(1, 14))
def test_merged_groups_hold_the_same_features(alpha, n, count):
    groups = group_features(Frequencies.power_law(n, alpha), count)
    merged, parent = merge_groups(groups)
    assert merged.n == n and np.all(np.diff(parent) >= 0)
    assert merged.sizes @ merged.p == pytest.approx(groups.sizes @ groups.p)
    assert merged.count == parent[-1] + 1 <= groups.count


def test_refined_state_is_that_of_the_merged_groups():
    groups = group_features(SKEWED, 7)
    merged, parent = merge_groups(groups)
    coarse = Problem(merged, 12.0, UNIFORM, False, True)
    found = coarse.minimise()
    problem = Problem(groups, 12.0, UNIFORM, False, True)
    fine = prolong(coarse, found, problem, parent)
    best = problem.lagrangian(problem.minimise())
    assert problem.lagrangian(fine) == pytest.approx(best, rel=0.1)
    assert fine.multipliers.budget.sum() == pytest.approx(found.multipliers.budget.sum())


def test_split_groups_hold_the_same_features():
    f = Frequencies.power_law(100, alpha=1.5)
    groups = group_features(f, 6, live=80)
    parts, parent = split_groups(f, groups, 4)
    assert np.bincount(parent, parts.sizes) == pytest.approx(groups.sizes)
    assert np.bincount(parent, parts.sizes * parts.p) == pytest.approx(groups.sizes * groups.p)
    assert parts.count > 3 * groups.count - 6 and np.all(parts.sizes >= 1)


def test_what_is_linear_in_the_logarithm_of_p_is_interpolated_exactly():
    groups = group_features(SKEWED, 6)
    coarse = Problem(groups, 12.0, UNIFORM, False, True)
    found = coarse.minimise()
    x = np.log(groups.p)
    D = np.outer(x[coarse.laws.first] + x[coarse.laws.second], 0.01 * coarse.z)
    found = found._replace(state=found.state._replace(r=1 - 0.01 * x, b=0.1 * x, D=D))
    parts, parent = split_groups(SKEWED, groups, 3)
    problem = Problem(parts, 12.0, UNIFORM, False, True)
    state = prolong(coarse, found, problem, parent).state
    y = np.log(parts.p)
    pairs = problem.laws.pairs > 0
    sums = y[problem.laws.first] + y[problem.laws.second]
    assert state.r == pytest.approx(1 - 0.01 * y) and state.b == pytest.approx(0.1 * y)
    first = problem.laws.first > 0  # the most frequent feature has no law with itself
    assert state.D[pairs & first] == pytest.approx(np.outer(sums, 0.01 * problem.z)[pairs & first])


def test_gradient_of_the_augmented_lagrangian():
    groups = FeatureGroups(np.array([1, 5, 20]), np.array([0.3, 0.1, 0.01]))
    problem = Problem(groups, 6.0, UNIFORM, False, True)
    rng = np.random.default_rng(0)
    state, prices = problem.start()
    rough = [rng.standard_normal((3, 3)) * 0.1 for _ in range(6)]
    multipliers = Multipliers(prices + 0.1, np.array([a @ a.T for a in rough]))
    problem._scale = problem._curvatures.scale(prices, 0.1)
    x = problem.join(state) + 0.01 * rng.standard_normal(problem.join(state).size)
    way = rng.standard_normal(x.size)
    _, slope = problem.augmented(x, multipliers, 0.5)
    step = 1e-5
    ends = [problem.augmented(x + s * step * way, multipliers, 0.5)[0] for s in (-1, 1)]
    assert slope @ way == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=1e-5)


def test_start_keeps_its_budgets():
    """It would spend the dearest whole, but that it goes a part of the way only."""
    problem = Problem(group_features(SKEWED, 5), 12.0, UNIFORM, False, True)
    state, prices = problem.start()
    spent = (problem.limits(state.D)[0] + 1) / constrained._INITIAL_SHRINKAGE**2
    assert spent.max() == pytest.approx(1, abs=1e-3)
    assert np.all(prices >= 0)
    assert prices @ (spent - 1) == pytest.approx(0, abs=1e-3 * prices.sum())


def test_random_nodes_have_the_moments_of_random_directions():
    for m in (2, 3, 10, 100):
        z, weights = random_nodes(m, 15)
        assert weights @ z**2 == pytest.approx(1)
        assert weights @ z**4 == pytest.approx(3 * m / (m + 2))
        assert weights @ z**3 == pytest.approx(0, abs=1e-12)
        assert np.abs(z).max() <= np.sqrt(m)
