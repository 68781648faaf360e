"""Quadrature rules: kept while they fit, chosen again where not, and safe where they do not fit."""

from dataclasses import replace

import numpy as np
import pytest

from theory.activation import UNIFORM
from theory.mean_field.groups import FeatureGroups
from theory.mean_field.interference.expected_loss import InterferenceModel, expected_loss
from theory.mean_field.interference.overlap_laws import random_nodes
from theory.mean_field.interference.quadrature import choose_rule, nodes_of, update_rule

Z, WEIGHTS = random_nodes(8.0, 7)
GROUPS = FeatureGroups(np.array([2, 6, 20]), np.array([0.3, 0.1, 0.02]))
MODEL = InterferenceModel(GROUPS, 8.0, WEIGHTS, UNIFORM)
R, B, T = np.ones(3), np.array([-0.1, -0.2, -0.3]), np.tile(0.7 * Z, (6, 1))


def test_a_rule_is_kept_where_it_fits():
    rule = choose_rule(MODEL, 1, R, B, T)
    assert np.all(rule.scale >= np.abs(B)) and rule.coupled.all()
    near = update_rule(MODEL, rule, R, B, 0.9 * T)
    assert np.array_equal(near.scale, rule.scale) and near.level == 1
    # Interference that is ten times as large needs a larger scale.
    far = update_rule(MODEL, rule, R, B, 10 * T)
    assert np.all(far.scale > rule.scale)
    assert np.array_equal(far.scale, choose_rule(MODEL, 1, R, B, 10 * T).scale)


def test_groups_that_are_orthogonal_are_not_coupled():
    apart = T.copy()
    apart[1] *= 1e-6  # groups 0 and 1
    coupled = choose_rule(MODEL, 0, R, B, apart).coupled
    assert not coupled[0, 1] and not coupled[1, 0] and coupled.sum() == 7


def test_a_scale_that_is_too_small_is_doubled_until_it_fits():
    right = choose_rule(MODEL, 2, R, B, T)
    best = expected_loss(MODEL, choose_rule(MODEL, 4, R, B, T), R, B, T)
    for factor in (4, 30):
        found = expected_loss(MODEL, replace(right, scale=right.scale / factor), R, B, T)
        assert found.loss == pytest.approx(best.loss, rel=1e-3)
        assert found.t == pytest.approx(best.t, abs=1e-2 * np.abs(best.t).max())


def test_biases_far_above_the_scale_do_not_magnify_errors():
    """A line search may try biases a hundred times as low: e^{cb} would be e^400."""
    small = FeatureGroups(np.array([3, 100, 5000]), np.array([0.1, 1e-3, 1e-5]))
    model = InterferenceModel(small, 5000.0, WEIGHTS, UNIFORM)
    b = np.full(3, -0.005)
    rule = choose_rule(model, 1, R, b, T)
    for factor in (3, 10, 100):
        found = expected_loss(model, rule, R, factor * b, T)
        best = expected_loss(model, choose_rule(model, 4, R, factor * b, T), R, factor * b, T)
        assert found.loss == pytest.approx(best.loss, rel=2e-2)
        assert found.b == pytest.approx(best.b, abs=2e-2 * np.abs(best.b).max())
    assert np.all(update_rule(model, rule, R, 30 * b, T).scale > rule.scale)


def test_a_million_rare_features_do_not_magnify_errors():
    """Silent features outnumber active ones by 1/p: the line of integration moves with ln(1/p)."""
    z, weights = random_nodes(1000.0, 11)
    rare = FeatureGroups(np.array([3, 1000, 1_000_000]), np.array([0.1, 1e-4, 1e-9]))
    model = InterferenceModel(rare, 1000.0, weights, UNIFORM)
    t, b = np.tile(0.9 * z, (6, 1)), np.array([-0.02, -0.2, -0.4])
    best = expected_loss(model, choose_rule(model, 4, R, b, t), R, b, t)
    # With c|b| = 4 for all, as for the frequent group, the coarsest level is 24 % too high.
    for level, within in ((0, 2e-2), (1, 5e-3), (2, 1e-3)):
        found = expected_loss(model, choose_rule(model, level, R, b, t), R, b, t)
        assert best.loss > 0 and found.loss == pytest.approx(best.loss, rel=within)
    reach = 4 * np.abs(b) / choose_rule(model, 2, R, b, t).scale
    assert reach[2] > reach[0] and np.all(reach <= 8 * (1 + 1e-12))


def test_coupling_does_not_change_to_and_fro():
    """Groups are coupled at a larger overlap than that at which coupled ones part."""

    def at(share):
        t = T.copy()
        t[1] *= share  # groups 0 and 1
        return t

    apart, together = (choose_rule(MODEL, 0, R, B, at(share)) for share in (1e-6, 1.0))
    assert not apart.coupled[0, 1] and together.coupled[0, 1]
    shares = np.geomspace(1e-3, 1, 40)
    up = [update_rule(MODEL, apart, R, B, at(s)).coupled[0, 1] for s in shares]
    down = [update_rule(MODEL, together, R, B, at(s)).coupled[0, 1] for s in shares]
    assert up == sorted(up) and down == sorted(down)
    assert 0 < sum(up) < sum(down) < len(shares)


def test_nodes_integrate_what_decays():
    """∫ dω/π of 1/(1 + ω²)² is 1/4; finer levels leave a smaller tail."""
    errors = []
    for level in range(5):
        inner, omega, domega = nodes_of(level)
        assert np.array_equal(omega[: len(inner)], inner)
        errors.append(abs(domega @ (1 + omega**2) ** -2.0 - 0.25))
    assert errors[0] < 1e-4 and errors == sorted(errors, reverse=True)
