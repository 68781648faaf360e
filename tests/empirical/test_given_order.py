"""Row i of a matrix belongs to feature i of the list that was given, sorted or not."""

import numpy as np
import pytest

import superscale as ss

W = np.array([[1, 0], [0, 1], [0.6, 0.8]])
P, IMPORTANCE = np.array([0.3, 0.2, 0.5]), np.array([1.0, 4.0, 2.0])
RANKS = np.argsort(-P)
MODEL = ss.ToyModel(W, np.array([0.0, -0.1, 0.05]))


def features(order=slice(None), importance=True):
    frequencies = ss.Frequencies.from_probabilities(P[order])
    return ss.Features(frequencies, importance=IMPORTANCE[order] if importance else None)


def test_the_one_active_loss_of_three_features():
    """(4/3) Σ_j p_j (Σ_{i≠j} G_ij²) by hand: overlaps 0.6 and 0.8 with the third, norms 1."""
    found = ss.population_loss(
        ss.ToyModel(W, np.zeros(3)), features(importance=False), sampling="one_hot"
    )
    pairs = (0.3 + 0.5) * 0.6**2 + (0.2 + 0.5) * 0.8**2
    assert found.loss == pytest.approx(4 / 3 * pairs, rel=1e-12)
    assert found.loss == pytest.approx(0.9813, abs=5e-5)
    paired_by_rank = (0.5 + 0.2) * 0.6**2 + (0.3 + 0.2) * 0.8**2
    assert found.loss != pytest.approx(4 / 3 * paired_by_rank, rel=0.01)


@pytest.mark.parametrize("sampling", ["bernoulli", "one_hot"])
def test_sorting_features_and_rows_alike_changes_nothing(sampling):
    ranked = ss.ToyModel(W[RANKS], MODEL.b[RANKS])
    given = ss.population_loss(MODEL, features(), sampling=sampling, gradient=True)
    sorted_ = ss.population_loss(ranked, features(RANKS), sampling=sampling, gradient=True)
    assert given.loss == pytest.approx(sorted_.loss, rel=1e-6)
    assert np.allclose(given.gradient_W[RANKS], sorted_.gradient_W, rtol=1e-5, atol=1e-9)
    assert np.allclose(given.gradient_b[RANKS], sorted_.gradient_b, rtol=1e-5, atol=1e-9)
    assert np.allclose(given.per_feature[RANKS], sorted_.per_feature, rtol=1e-5, atol=1e-9)


def test_samples_are_of_the_order_given():
    exact = ss.population_loss(MODEL, features()).loss
    found = ss.monte_carlo_loss(MODEL, features(), samples=100_000, seed=0)
    assert abs(found.loss - exact) < 4 * found.stderr
    wrong = ss.population_loss(ss.ToyModel(W[RANKS], MODEL.b[RANKS]), features()).loss
    assert abs(found.loss - wrong) > 4 * found.stderr


def test_overlaps_weigh_rows_by_the_order_given():
    frequencies = features().frequencies
    assert ss.overlaps(W, weights=frequencies).mean_square == pytest.approx(
        ss.overlaps(W, weights=P).mean_square, rel=1e-12
    )


@pytest.mark.parametrize("backend", ["fused", "torch"])
def test_training_gives_rows_in_the_order_given(backend):
    p = np.random.default_rng(0).permutation(ss.Frequencies.power_law(40, 1.0).p)
    ranks = np.argsort(-p, kind="stable")
    importance = np.linspace(1, 2, 40)
    given = ss.Features(ss.Frequencies.from_probabilities(p), importance=importance)
    ranked = ss.Features(ss.Frequencies.from_probabilities(p[ranks]), importance=importance[ranks])
    settings = {"steps": 200, "batch": 32, "backend": backend, "evaluation_samples": 20_000}
    one, other = ss.train(given, 8, **settings), ss.train(ranked, 8, **settings)
    assert np.array_equal(one.model.W[ranks], other.model.W)
    exact = ss.population_loss(one.model, given).loss
    assert abs(one.loss - exact) < 4 * one.stderr
    # A second phase begins at the model as it is.
    again = ss.train(given, 8, model=one.model, **{**settings, "steps": 1, "learning_rate": 1e-9})
    assert np.allclose(again.model.W, one.model.W, atol=1e-6)


def test_theories_do_not_ask_for_the_order():
    for theory, importance in (("weak", True), ("weak", False), ("gaussian", False)):
        losses = [
            ss.predict(features(order, importance), m=2, theory=theory).loss[theory]
            for order in (slice(None), RANKS)
        ]
        assert losses[0] == pytest.approx(losses[1], rel=1e-12)


def test_a_saved_run_keeps_the_order(tmp_path):
    run = ss.train(features(), 2, steps=20, batch=8)
    run.save(tmp_path / "run.safetensors")
    back = ss.TrainingRun.load(tmp_path / "run.safetensors")
    assert back.features == features() and back.features.p.tolist() == P.tolist()
