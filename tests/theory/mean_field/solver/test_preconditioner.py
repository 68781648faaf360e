"""Probed second derivatives, against those of a loss that is known."""

import numpy as np
import pytest

from theory.activation import UNIFORM
from theory.frequencies import Frequencies
from theory.mean_field.groups import FeatureGroups, group_features
from theory.mean_field.interference.overlap_laws import OverlapLaws
from theory.mean_field.solver.augmented_lagrangian import loss_at, rule_at
from theory.mean_field.solver.method_of_multipliers import random_directions
from theory.mean_field.solver.preconditioner import (
    _PENALTY_MARGIN,
    initial_preconditioner,
    probe,
    scaling,
)
from theory.mean_field.solver.problem import Problem

GROUPS = FeatureGroups(np.array([2, 5, 20]), np.array([0.2, 0.1, 0.01]))
LAWS = OverlapLaws(GROUPS.sizes, 8.0, 11)


@pytest.mark.parametrize("coupling", [0.0, 0.3])
def test_probing_finds_derivatives_that_differ_by_orders(coupling):
    rng = np.random.default_rng(0)
    found = initial_preconditioner(GROUPS, LAWS, 8.0)
    known = found.initial * np.array([1.0, 3e-4, 2.0, 0.1, 1e-2, 0.3])
    root = np.sqrt(np.outer(known, LAWS.weights)).ravel()
    mixed = rng.standard_normal((66, 66)) / np.sqrt(66)
    hessian = np.outer(root, root) * (np.eye(66) + coupling * (mixed + mixed.T))

    def gradient(D):
        return (hessian @ D.ravel()).reshape(6, 11)

    for _ in range(3):
        found = probe(found, gradient, rng.standard_normal((6, 11)))
    assert np.all(np.abs(np.log(found.by_overlap / known)) < np.log(2))
    # The first estimate is nothing like it.
    assert np.abs(np.log(found.initial / known)).max() > np.log(1000)


def test_the_scale_is_the_root_of_the_derivatives():
    found = initial_preconditioner(GROUPS, LAWS, 8.0)
    root = scaling(found, LAWS, np.zeros(3), 0.0)  # budgets without multipliers add nothing
    by_D = root[6:].reshape(6, 11) ** 2 / LAWS.weights
    assert by_D == pytest.approx(np.outer(_PENALTY_MARGIN * found.initial, np.ones(11)))
    assert root[:3] ** 2 == pytest.approx(found.by_norm)


def test_probing_finds_what_a_mean_field_loss_has():
    problem = Problem(group_features(Frequencies.power_law(60, 1.5), 4), 12.0, UNIFORM)
    found = initial_preconditioner(problem.groups, problem.laws, problem.m)
    point, _ = random_directions(problem, found)
    rule = rule_at(problem, point, 0)

    def gradient(D):
        return loss_at(problem, rule, point._replace(D=D)).t

    for _ in range(3):
        found = probe(found, gradient, point.D)
    step = 1e-3
    for pair in np.flatnonzero(problem.laws.pairs > 0):
        exact = 0.0
        for node in range(problem.shape[1]):
            move = np.zeros(problem.shape)
            move[pair, node] = step
            up, down = (gradient(point.D + s * move) for s in (1, -1))
            exact += abs(up - down)[pair, node] / (2 * step)
        # Four probes a round: a preconditioner needs the order of magnitude.
        assert exact / 2.5 < found.by_overlap[pair] < 2.5 * exact


def test_a_single_feature_has_no_pairs():
    one = FeatureGroups(np.array([1]), np.array([0.5]))
    laws = OverlapLaws(one.sizes, 8.0, 5)
    found = probe(initial_preconditioner(one, laws, 8.0), lambda D: 0 * D, np.zeros((1, 5)))
    assert np.all(scaling(found, laws, np.zeros(1), 1.0) > 0)
