"""No loss above a point that keeps the constraints: by construction, and over grids of widths."""

from itertools import pairwise

import numpy as np
import pytest

import theory.mean_field.solver.method_of_multipliers as method
import theory.mean_field.upper_bounds as upper_bounds
from theory.activation import UNIFORM
from theory.frequencies import Frequencies
from theory.mean_field.antipodal import antipodal_loss, orthogonal_loss
from theory.mean_field.groups import group_features, rank_features
from theory.mean_field.solve import solve_mean_field
from theory.mean_field.solver.frame import frame_minimum
from theory.mean_field.solver.method_of_multipliers import minimise
from theory.mean_field.solver.problem import Problem
from theory.mean_field.solver.state import ConvergenceError
from theory.mean_field.upper_bounds import check_below, frame_bounds, minimise_below
from theory.regimes.weak import weak_loss

SKEWED = Frequencies.power_law(60, alpha=1.0)


def references(f, m):
    """Return the loss of the m most frequent features alone, and that of a frame of all."""
    problem = Problem(group_features(f), float(m), UNIFORM)
    return {"weak": orthogonal_loss(f, m).loss, "frame": frame_minimum(problem).loss}


def falls_below_the_references(f, widths):
    losses = []
    for m in widths:
        found = solve_mean_field(f, m)
        for name, bound in references(f, m).items():
            assert found.loss <= bound * (1 + 5e-3), (m, name)
        assert found.uncertainty < 0.03 * found.loss
        losses.append(found.loss)
    assert all(one > two for one, two in pairwise(losses)), losses
    # The logarithmic slope of a loss between neighbouring widths is never steep without reason.
    slopes = -np.diff(np.log(losses)) / np.diff(np.log(widths))
    assert np.all(slopes > 0.1) and np.all(slopes < 3)


def test_losses_fall_with_width_below_the_references():
    """At m = 2000 a search that left the range of its quadrature once ended 400 times too high."""
    falls_below_the_references(Frequencies.power_law(20_000, alpha=1.0), (200, 2000))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("f", "widths"),
    [
        (Frequencies.power_law(50_000, 1.0), (50, 500, 1500, 5000, 15_000)),
        (Frequencies.power_law(50_000, 0.5), (500, 5000)),
        (Frequencies.linear(10_240), (128, 512, 2048)),
        (Frequencies.power_law(1000, 1.5), (10, 30, 100, 300)),
    ],
)
def test_so_they_do_over_wide_grids(f, widths):
    falls_below_the_references(f, widths)


@pytest.mark.parametrize("m", [15, 30, 60])
def test_features_alone_on_axes_are_weak_superposition(m):
    alone = orthogonal_loss(SKEWED, m)
    assert alone.loss == pytest.approx(weak_loss(SKEWED, m), rel=1e-12, abs=1e-15)
    assert alone.live == m and antipodal_loss(SKEWED, m).loss <= alone.loss


def posed(m=12):
    ranked = rank_features(SKEWED)
    problem = Problem(group_features(ranked, 4), float(m), UNIFORM)
    return ranked, problem, frame_bounds(ranked, problem, 4)


def test_a_wrong_minimum_is_searched_again_from_the_bound(monkeypatch):
    ranked, problem, bounds = posed()
    right = minimise(problem)

    def astray(given, near=None):
        found = minimise(given, near)
        return found._replace(lagrangian=100.0) if near is right else found

    monkeypatch.setattr(upper_bounds, "minimise", astray)
    _, found = minimise_below(ranked, problem, right, bounds)
    assert found.lagrangian == pytest.approx(right.lagrangian, rel=3e-3)


def test_a_search_that_fails_is_made_again_from_the_bound(monkeypatch):
    ranked, problem, bounds = posed()
    right = minimise(problem)

    def failing(given, near=None):
        if near is right:
            raise ConvergenceError("lost")
        return minimise(given, near)

    monkeypatch.setattr(upper_bounds, "minimise", failing)
    _, found = minimise_below(ranked, problem, right, bounds)
    assert found.lagrangian == pytest.approx(right.lagrangian, rel=3e-3)


def test_a_loss_above_a_bound_is_an_error_that_says_so(monkeypatch):
    ranked, problem, bounds = posed()
    high = bounds[0].found._replace(lagrangian=2 * bounds[0].total)
    monkeypatch.setattr(upper_bounds, "minimise", lambda *_: high)
    with pytest.raises(ConvergenceError, match="an isotropic frame loses .* another number of gr"):
        minimise_below(ranked, problem, high, bounds)
    check_below(problem, bounds[0].total, bounds[0].total, "itself")


def test_no_error_of_linear_algebra_reaches_the_user(monkeypatch):
    def broken(*_):
        raise np.linalg.LinAlgError("Eigenvalues did not converge")

    monkeypatch.setattr(method, "step", broken)
    with pytest.raises(ConvergenceError, match="left the range of numbers .* another number of gr"):
        solve_mean_field(SKEWED, 12, groups=3)


def test_all_features_are_a_bound_where_few_are_live():
    ranked = rank_features(Frequencies.power_law(200, alpha=1.0))
    problem = Problem(group_features(ranked, 4, 60), 20.0, UNIFORM)
    bounds = frame_bounds(ranked, problem, 4)
    assert sorted(bound.problem.groups.n for bound in bounds) == [60, 200]
    assert bounds[0].total <= bounds[1].total
    lost = ranked.lost_loss(60)
    few = next(bound for bound in bounds if bound.problem.groups.n == 60)
    assert few.total == pytest.approx(few.found.loss + lost)
