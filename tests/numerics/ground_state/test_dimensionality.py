import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from numerics.ground_state.dimensionality import (
    POLYTOPES,
    feature_dimensionalities,
    name_group,
    overlap_groups,
)

SHAPES = st.tuples(st.integers(1, 8), st.integers(1, 4))
MATRICES = SHAPES.flatmap(lambda shape: arrays(np.float64, shape, elements=st.floats(-10, 10)))


def circle(points):
    angle = 2 * np.pi * np.arange(points) / points
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def antiprism():
    # Two squares turned by 45 degrees at heights ±h: a tight frame if h² = 1/3 of 1.
    h, flat = np.sqrt(1 / 3), np.sqrt(2 / 3)
    turned = flat * circle(8)
    return np.concatenate([np.c_[turned[::2], np.full(4, h)], np.c_[turned[1::2], np.full(4, -h)]])


TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
KNOWN = {
    "digon": (np.array([[1.0], [-1.0]]), 1 / 2),
    "triangle": (circle(3), 2 / 3),
    "tetrahedron": (TETRAHEDRON, 3 / 4),
    "pentagon": (circle(5), 2 / 5),
    "square antiprism": (antiprism(), 3 / 8),
    "dedicated dimension": (np.array([[1.0]]), 1),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_polytopes(name):
    W, share = KNOWN[name]
    assert feature_dimensionalities(1.7 * W) == pytest.approx(np.full(len(W), share))
    assert name_group(1.7 * W) == name
    assert set(POLYTOPES.values()) == KNOWN.keys()
    assert share == pytest.approx(W.shape[1] / W.shape[0])


@given(MATRICES)
def test_shares_of_the_dimensions_there_are(W):
    found = feature_dimensionalities(W)
    assert np.all((found >= 0) & (found <= 1 + 1e-12))
    assert found.sum() <= np.linalg.matrix_rank(W) + 1e-6


@given(MATRICES, st.integers(0, 2**32 - 1))
def test_rotation_scale_and_order(W, seed):
    rng = np.random.default_rng(seed)
    turn, order = np.linalg.qr(rng.normal(size=(W.shape[1],) * 2))[0], rng.permutation(len(W))
    found = feature_dimensionalities(W)
    assert feature_dimensionalities(3 * W @ turn) == pytest.approx(found, abs=1e-6)
    assert feature_dimensionalities(W[order]) == pytest.approx(found[order], abs=1e-9)


def test_capacity_of_scherlis_is_the_same_number():
    W = np.random.default_rng(0).normal(size=(7, 3))
    gram = W @ W.T
    capacity = np.diag(gram) ** 2 / (gram**2).sum(axis=1)
    assert feature_dimensionalities(W) == pytest.approx(capacity)


def test_groups():
    W = np.zeros((7, 4))
    W[[0, 3], 0], W[[1, 4, 5], 1:3], W[6, 3] = [1, -1], circle(3), 0.01
    assert overlap_groups(W).tolist() == [0, 1, -1, 0, 1, 1, -1]
    assert overlap_groups(np.zeros((3, 2))).tolist() == [-1, -1, -1]


def test_uneven_shares_have_no_name():
    assert name_group([[1, 0], [0.2, 1], [-0.2, 1]]) == "3 features in 2 dimensions"
    assert name_group([[1, 0], [-0.9, 0]]) == "digon"
    assert name_group([[1, 0], [-0.5, 0]]) == "2 features in 1 dimension"


def test_bad_input():
    with pytest.raises(ValueError, match="give a matrix"):
        feature_dimensionalities([1.0, 2.0])
