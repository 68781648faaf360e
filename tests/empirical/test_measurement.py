import numpy as np
import pytest

from empirical.measurement import measure
from empirical.training import train
from numerics.toy_model import ToyModel
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


def exact_kept_loss():
    rng = np.random.default_rng(5)
    x = (rng.random((1_000_000, 4)) < F.p[:4]) * rng.uniform(0, 2, (1_000_000, 4))
    y = np.empty_like(x)
    y[:, :2] = 1.44 * x[:, :2]
    y[:, 2] = np.maximum(0.64 * (x[:, 2] - x[:, 3]), 0)
    y[:, 3] = np.maximum(0.64 * (x[:, 3] - x[:, 2]), 0)
    return float(np.mean(np.sum((y - x) ** 2, axis=1)))


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


def test_trained_models_print_and_plot():
    from matplotlib.figure import Figure

    run = train(F, 3, batch=32, steps=50, evaluation_samples=100)
    result = measure(run.model, F, samples=100)
    frame = result.to_dataframe()
    assert len(frame) == 1 and {"phi_half", "dead_fraction", "welch"} <= set(frame)
    assert len(result.plot(Figure().add_subplot()).lines) == 2
