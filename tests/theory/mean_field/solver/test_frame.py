"""The frame: within all constraints, near the loss of Gaussian overlaps, and above the minimum."""

import numpy as np
import pytest

from theory.activation import UNIFORM
from theory.frequencies import Frequencies
from theory.mean_field.groups import group_features
from theory.mean_field.solve import solve_mean_field
from theory.mean_field.solver.augmented_lagrangian import loss_at, rule_at, violation
from theory.mean_field.solver.frame import frame_minimum
from theory.mean_field.solver.problem import Problem


def pose(n, alpha, m, count=None):
    return Problem(group_features(Frequencies.power_law(n, alpha), count), float(m), UNIFORM)


@pytest.mark.parametrize(
    ("n", "alpha", "m"),
    [(60, 0.0, 12), (60, 1.0, 59), (300, 2.5, 12), (50_000, 1.0, 5000), (1_000_000, 1.5, 1000)],
)
def test_it_keeps_all_constraints(n, alpha, m):
    problem = pose(n, alpha, m)
    found = frame_minimum(problem)
    assert found.violation == violation(problem, found.point) < 1e-6
    assert 0 < found.loss < 4 / 3
    # The control: overlaps that are smaller by another tenth break the Welch bound.
    if alpha == 0:
        D = 0.9 * (problem.z + found.point.D) - problem.z
        assert violation(problem, found.point._replace(D=D)) > 0.1


def test_its_loss_is_that_of_an_isotropic_gaussian_frame():
    """Equal features: no axis of their own; random directions are Gaussian but for terms 1/m."""
    frame = frame_minimum(pose(4000, 0.0, 400))
    gaussian = solve_mean_field(Frequencies.power_law(4000, 0.0), 400, optimised=False)
    assert frame.loss == pytest.approx(gaussian.loss, rel=0.01)


def test_frequent_features_have_axes_of_their_own():
    problem = pose(300, 2.0, 20, count=6)
    found = frame_minimum(problem)
    t = problem.z + found.point.D
    assert np.all(t[0] == 0) and np.any(t[-1] != 0)
    # Without those axes, and with the best norms and biases all the same, it loses more.
    spread = found.point._replace(D=np.zeros(problem.shape))
    rule = rule_at(problem, spread, 2)
    assert loss_at(problem, rule, spread).loss > 1.5 * found.loss


def test_no_norm_or_bias_is_much_better():
    problem = pose(300, 1.0, 20, count=4)
    found = frame_minimum(problem)
    for k in range(problem.groups.count):
        for step in (-0.05, 0.05):
            for name in ("r", "b"):
                value = getattr(found.point, name).copy()
                value[k] += step
                point = found.point._replace(**{name: value})
                assert loss_at(problem, found.rule, point).loss > found.loss * (1 - 1e-4)
