import numpy as np
import pytest

from empirical.training.diagnostics import measure
from empirical.training.train import train
from numerics.toy_model import ToyModel
from theory.activation import Activation
from theory.features import Features
from theory.frequencies import Frequencies

F = Frequencies.power_law(12, 1.0, density=2.0)


def built():
    """Two orthogonal strong rows, two opposite ones of norm 0.8, eight dead."""
    W = np.zeros((12, 3))
    W[0, 0], W[1, 1], W[2, 2], W[3, 2] = 1.2, 1.2, 0.8, -0.8
    b = np.full(12, -0.5)
    b[:4] = 0
    return ToyModel(W, b)


def test_a_model_built_by_hand():
    result = measure(built(), F, samples=50_000)
    assert (result.phi_half, result.phi_one) == (4 / 12, 2 / 12)
    assert np.array_equal(result.dead, np.arange(12) >= 4)
    assert result.dead_fraction == 8 / 12
    assert result.dead_loss == pytest.approx(4 / 3 * F.p[4:].sum())
    assert result.lost_rows_loss == pytest.approx(np.sum(4 / 3 * F.p[4:] - F.p[4:] ** 2))
    assert result.lost_ranks_loss == pytest.approx(result.lost_rows_loss)
    assert result.overlap_one == pytest.approx(0, abs=1e-15)
    assert result.overlap_half == pytest.approx(1 / 6)  # one pair of six is antiparallel
    assert result.welch == pytest.approx((4 - 3) / (3 * 3))
    # The kept part, by its own formulas: each output errs by its norm alone, and the pair of
    # opposite rows by both being active at once.
    kept = result.loss - result.dead_loss
    assert kept > 0 and abs(kept - exact_kept_loss()) < 4 * result.stderr
    assert abs(kept - 1.1 * exact_kept_loss()) > 4 * result.stderr


def test_the_error_of_a_loss_whose_variance_is_known():
    """Nothing fires: each sample costs Σ v², of variance Σ (⟨v⁴⟩ p_i - ⟨v²⟩² p_i²)."""
    result = measure(ToyModel(np.zeros((12, 3)), np.full(12, -1.0)), F, samples=50_000)
    variance = np.sum(16 / 5 * F.p - (4 / 3 * F.p) ** 2)
    # Its own spread is 0.4 %.
    assert result.stderr == pytest.approx(np.sqrt(variance / 50_000), rel=0.016)


def exact_kept_loss():
    """Rows of norm² 1.44 err by 0.44 x; of the opposite pair each sees 0.64 (x - x')."""
    p = F.p
    alone = 0.44**2 * 4 / 3 * (p[0] + p[1])
    for own, other in ((2, 3), (3, 2)):
        # Only the own one active: 0.36² v²; both: (ReLU(0.64 (v - w)) - v)², by a fine grid.
        v, w = np.meshgrid(*[(np.arange(2000) + 0.5) / 1000] * 2)
        both = np.mean((np.maximum(0.64 * (v - w), 0) - v) ** 2)
        alone += p[own] * ((1 - p[other]) * 0.36**2 * 4 / 3 + p[other] * both)
    return alone


def test_lost_rows_and_lost_ranks_differ_when_a_frequent_feature_is_lost():
    model = built()
    W, b = model.W.copy(), model.b.copy()
    W[[0, 11]], b[[0, 11]] = W[[11, 0]], b[[11, 0]]  # the most frequent feature is lost instead
    result = measure(ToyModel(W, b), F)
    assert result.phi_half == 4 / 12
    assert result.lost_rows_loss > 1.3 * result.lost_ranks_loss


def test_a_feature_that_others_wake_is_not_dead():
    # Row 1 does not answer to its own input (b = -1 against 0.04 v), but row 0 fires it.
    model = ToyModel(np.array([[3.0, 0.0], [0.2, 0.0]]), np.array([0.0, -0.9]))
    f = Frequencies.from_probabilities([0.5, 0.5])
    assert not measure(model, f).dead.any()
    assert measure(ToyModel(model.W, [0.0, -1.5]), f).dead.tolist() == [False, True]


def test_dead_needs_silence_to_the_own_input_at_its_largest_too():
    """b + 2 |W|²: 0.1 wakes at v = 1.5 and is rare; 0.1 less and it is dead."""
    f = Frequencies.from_probabilities([1e-7, 1e-7])  # too rare to be seen firing
    W = np.array([[1.0, 0.0], [0.5, 0.0]])
    assert measure(ToyModel(W, [-1.5, -0.4]), f, samples=100).dead.tolist() == [False, False]
    assert measure(ToyModel(W, [-2.01, -0.51]), f, samples=100).dead.tolist() == [True, True]
    # With v in (0, 1) half of that is enough.
    half = Activation(0.0, 1.0)
    dead = measure(ToyModel(W, [-1.5, -0.4]), Features(f, half), samples=100).dead
    assert dead.tolist() == [True, True]


def test_thresholds_are_where_they_are_said_to_be():
    norms = [1.2, 1.0, 0.95, 0.65, 0.55, 0.5, 0.45, 0.2, 0.1, 0.0, 0.0, 0.0]
    angles = np.arange(12) * 0.7
    W = np.array(norms)[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    result = measure(ToyModel(W, np.zeros(12)), F, samples=100)
    assert result.phi_half == 5 / 12 and result.phi_one == 1 / 12
    squares = np.cos(np.subtract.outer(angles[:5], angles[:5])) ** 2
    assert result.overlap_half == pytest.approx((squares.sum() - 5) / 20)
    assert np.isnan(result.overlap_one)
    assert result.welch == pytest.approx((5 - 2) / (2 * 4))
    assert result.lost_rows_loss == pytest.approx(np.sum(4 / 3 * F.p[5:] - F.p[5:] ** 2))


def test_other_activations_change_what_is_lost():
    v = Activation(0.0, 1.0)
    result = measure(built(), Features(F, v), samples=100)
    assert result.dead_loss == pytest.approx(F.p[4:].sum() / 3)
    assert result.lost_rows_loss == pytest.approx(np.sum(F.p[4:] / 3 - F.p[4:] ** 2 / 4))
    assert result.lost_ranks_loss == pytest.approx(result.lost_rows_loss)


def test_trained_models_print_and_plot():
    from matplotlib.figure import Figure

    run = train(F, 3, batch=32, steps=50, evaluation_samples=100)
    result = measure(run.model, F, samples=100)
    frame = result.to_dataframe()
    assert len(frame) == 1 and {"phi_half", "dead_fraction", "welch"} <= set(frame)
    kinds = {bool(value) for value in result.dead}
    assert len(result.plot(Figure().add_subplot()).lines) == len(kinds)


def test_shares_of_dimensions():
    # A triangle, a digon, a feature of its own and a lost one, in four dimensions.
    angle = 2 * np.pi * np.arange(3) / 3
    W = np.zeros((7, 4))
    W[:3, :2] = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    W[3, 2], W[4, 2], W[5, 3] = 0.9, -0.9, 1.2
    found = measure(ToyModel(W, np.zeros(7)), Frequencies.power_law(7, 1.0), samples=200)
    assert found.dimensionalities == pytest.approx([2 / 3] * 3 + [1 / 2] * 2 + [1, 0])
    assert [found.represented(share) for share in (0.4, 0.6, 0.9)] == [6, 4, 1]
    assert found.dimensionality == pytest.approx(4)
    assert found.to_dataframe()["dimensionality"][0] == pytest.approx(4)
    with pytest.raises(ValueError, match="share = 2"):
        found.represented(2)
