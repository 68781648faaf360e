import numpy as np
import pytest

from numerics.toy_model import ToyModel


def test_values():
    W = np.arange(6.0).reshape(3, 2)
    model = ToyModel(W, [0, 0, 1])
    assert (model.n, model.m) == (3, 2)
    assert model.norms == pytest.approx(np.linalg.norm(W, axis=1))
    W[0, 0] = 9  # the caller's array is not the model's
    assert model.W[0, 0] == 0
    with pytest.raises(ValueError):
        model.W[0, 0] = 1


@pytest.mark.parametrize(
    ("W", "b", "message"),
    [
        (np.zeros(3), np.zeros(3), "W has shape"),
        (np.zeros((0, 2)), np.zeros(0), "W has shape"),
        (np.zeros((3, 2)), np.zeros(2), "b has shape"),
        (np.full((3, 2), np.nan), np.zeros(3), "W has 6 entries that are NaN"),
        (np.zeros((3, 2)), [0, 0, np.inf], "b has 1 entries"),
    ],
)
def test_bad_input(W, b, message):
    with pytest.raises(ValueError, match=message):
        ToyModel(W, b)
