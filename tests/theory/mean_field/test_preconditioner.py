"""Curvatures that are probed, against those of a loss that is known."""

import numpy as np
import pytest

from theory.activation import UNIFORM
from theory.frequencies import Frequencies
from theory.mean_field.augmented_lagrangian import Problem
from theory.mean_field.groups import FeatureGroups, group_features
from theory.mean_field.interference.overlap_laws import OverlapLaws
from theory.mean_field.preconditioner import _CAREFUL, Curvatures

GROUPS = FeatureGroups(np.array([2, 5, 20]), np.array([0.2, 0.1, 0.01]))
LAWS = OverlapLaws(GROUPS.sizes, 8.0, 11)


def probed(curvatures):
    """Return the curvatures by overlaps that a scale stands for, where budgets cost nothing."""
    root = curvatures.scale(np.zeros(3), 0.0)[6:].reshape(6, 11)
    return (root**2 / LAWS.weights).mean(1) / _CAREFUL


@pytest.mark.parametrize("coupling", [0.0, 0.3])
def test_probing_finds_curvatures_that_differ_by_orders(coupling):
    rng = np.random.default_rng(0)
    curvatures = Curvatures(GROUPS, LAWS, 8.0)
    known = curvatures.assumed * np.array([1.0, 3e-4, 2.0, 0.1, 1e-2, 0.3])
    root = np.sqrt(np.outer(known, LAWS.weights)).ravel()
    mixed = rng.standard_normal((66, 66)) / np.sqrt(66)
    hessian = np.outer(root, root) * (np.eye(66) + coupling * (mixed + mixed.T))

    def slope(D):
        return (hessian @ D.ravel()).reshape(6, 11)

    assert probed(curvatures) == pytest.approx(curvatures.assumed)
    for _ in range(3):
        curvatures.probe(slope, rng.standard_normal((6, 11)))
    assert np.all(np.abs(np.log(probed(curvatures) / known)) < np.log(2))
    # What was assumed is nothing like it.
    assert np.abs(np.log(curvatures.assumed / known)).max() > np.log(1000)


def test_probing_finds_what_a_mean_field_loss_curves_by():
    problem = Problem(group_features(Frequencies.power_law(60, 1.5), 4), 12.0, UNIFORM, False, True)
    state, prices = problem.start()
    for _ in range(3):
        problem._curvatures.probe(lambda D: problem.cost(state._replace(D=D)).t, state.D)
    found = problem._curvatures.scale(0 * prices, 0.0)[2 * problem.groups.count :]
    found = (found.reshape(problem.shape) ** 2 / problem.laws.weights).mean(1) / _CAREFUL
    step = 1e-3
    for pair in np.flatnonzero(problem.laws.pairs > 0):
        exact = 0.0
        for node in range(problem.shape[1]):
            move = np.zeros(problem.shape)
            move[pair, node] = step
            up, down = (problem.cost(state._replace(D=state.D + s * move)).t for s in (1, -1))
            exact += abs(up - down)[pair, node] / (2 * step)
        # Four probes a round: a metric needs the order of magnitude.
        assert exact / 2.5 < found[pair] < 2.5 * exact


def test_a_single_feature_has_no_pairs():
    one = FeatureGroups(np.array([1]), np.array([0.5]))
    laws = OverlapLaws(one.sizes, 8.0, 5)
    curvatures = Curvatures(one, laws, 8.0)
    curvatures.probe(lambda D: 0 * D, np.zeros((1, 5)))
    assert np.all(curvatures.scale(np.zeros(1), 1.0) > 0)
