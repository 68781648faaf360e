"""Ground states: the known ones, invariants, and the phase boundary of a brute-force grid."""

import copy
from itertools import pairwise

import numpy as np
import pytest
import threadpoolctl
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics.ground_state.search import ground_state
from numerics.ground_state.starts import weak_state
from numerics.loss.exact import population_loss
from numerics.loss.monte_carlo import monte_carlo_loss
from numerics.toy_model import ToyModel
from theory.activation import Activation
from theory.features import Features
from theory.frequencies import Frequencies
from theory.regimes.weak import weak_loss


def alike(n, p, importance=None):
    return Features(Frequencies.from_probabilities(np.full(n, p)), Activation(0, 1), importance)


def test_five_sparse_features_in_the_plane_are_a_pentagon():
    state = ground_state(alike(5, 0.05), 2, starts=10)
    assert state.shapes == ("pentagon",)
    assert state.dimensionalities == pytest.approx(np.full(5, 2 / 5), abs=1e-6)
    cosines = np.sort((state.gram / np.diag(state.gram))[~np.eye(5, dtype=bool)])
    assert cosines[:10] == pytest.approx(np.cos(4 * np.pi / 5), abs=1e-6)
    assert cosines[10:] == pytest.approx(np.cos(2 * np.pi / 5), abs=1e-6)
    assert state.gradient < 1e-8 and state.curvature > 1e-3
    assert state.counts[0] >= 5 and state.counts.sum() == state.starts == 10
    drawn = monte_carlo_loss(state.model, state.features, 2**18, 1)
    assert abs(drawn.loss - state.loss) < 4 * drawn.stderr


def test_dense_features_keep_the_most_important_with_the_loss_of_pca():
    importance = 0.9 ** np.arange(5)
    state = ground_state(alike(5, 1.0, importance), 2, starts=10)
    variance = 1 / 12
    # PCA of the weighted features √I_i x_i keeps the two directions of largest variance.
    spectrum = np.linalg.eigvalsh(np.diag(importance * variance))
    assert state.loss == pytest.approx(spectrum[:3].sum(), rel=1e-9)
    assert state.dimensionalities == pytest.approx([1, 1, 0, 0, 0], abs=1e-6)
    assert state.model.norms == pytest.approx([1, 1, 0, 0, 0], abs=1e-5)


def test_the_same_seed_gives_the_same_state_and_results_are_values():
    one, two = (ground_state(alike(4, 0.1), 2, starts=4, seed=3) for _ in range(2))
    assert one == two and copy.deepcopy(one) == one
    assert len(one.to_dataframe()) == 4 and "digon" in str(one)


@settings(max_examples=8)
@given(
    st.integers(2, 4),
    st.floats(0.02, 1.0),
    st.lists(st.floats(0.2, 1.0), min_size=4, max_size=4),
    st.integers(0, 1000),
)
def test_never_above_weak_or_a_given_model(n, p, importance, seed):
    features = alike(n, p, importance[:n])
    m = 1 + seed % (n - 1)
    rng = np.random.default_rng(seed)
    model = ToyModel(rng.normal(size=(n, m)), 0.1 * rng.normal(size=n))
    finished = ground_state(features, start=model)
    assert finished.starts == 1
    assert finished.loss <= population_loss(model, features).loss * (1 + 1e-6)
    assert finished.loss <= weak_loss(features, m) * (1 + 1e-6)
    # A rotated model is the same model.
    turn = np.linalg.qr(rng.normal(size=(m, m)))[0]
    turned = ToyModel(finished.W @ turn, finished.b)
    assert population_loss(turned, features).loss == pytest.approx(finished.loss, rel=1e-5)


def test_order_of_features_does_not_matter():
    importance = np.array([1.0, 0.5, 0.8, 0.3])
    state = ground_state(alike(4, 0.1, importance), 2, starts=20)
    order = np.array([2, 0, 3, 1])
    other = ground_state(alike(4, 0.1, importance[order]), 2, starts=20)
    assert other.loss == pytest.approx(state.loss, rel=1e-8)
    assert other.model.norms == pytest.approx(state.model.norms[order], abs=1e-4)


def test_weak_state_has_the_weak_loss():
    features = Features(Frequencies.power_law(6, alpha=1.0), importance=[1, 1, 9, 1, 1, 1])
    loss = population_loss(ToyModel(*weak_state(features, 2)), features).loss
    assert loss == pytest.approx(weak_loss(features, 2), rel=1e-12)


def test_finish_a_model():
    features = alike(5, 0.05)
    angle = 2 * np.pi * np.arange(5) / 5 + 0.05 * np.arange(5)
    rough = ToyModel(np.stack([np.cos(angle), np.sin(angle)], axis=1), np.full(5, -0.1))
    done = ground_state(features, start=rough)
    assert done.starts == 1 and done.minima.size == 1
    assert done.loss == pytest.approx(ground_state(features, 2, starts=3).loss, rel=1e-8)


@pytest.mark.slow
def test_changes_of_the_lowest_minimum_find_a_lower_one():
    # Forty starts alone end at 0.0093308 at best; a trained model was lower.
    state = ground_state(alike(10, 0.05, 0.9 ** np.arange(10)), 4)
    assert state.loss < 0.009320 and state.counts.sum() == 40


def test_a_search_holds_blas_to_one_thread():
    def threads():
        pools = threadpoolctl.threadpool_info()
        return {pool["num_threads"] for pool in pools if pool["user_api"] == "blas"}

    seen = []
    with threadpoolctl.threadpool_limits(2):
        ground_state(alike(3, 0.1), 2, starts=2, progress=lambda *_: seen.append(threads()))
        assert threads() == {2}
    assert seen == [{1}, {1}]


def test_a_saddle_is_left():
    # W = 0 is stationary, and a saddle.
    features = alike(3, 0.1)
    start = ToyModel(np.zeros((3, 2)), features.p / 2)
    assert ground_state(features, start=start).loss < 0.9 * weak_loss(features, 2)


def test_exclusive_features_cost_nothing_in_half_as_many_dimensions():
    # Four features, one at a time, in two dimensions: antipodal pairs without bias (Rankin).
    together = Features.exclusive(Frequencies.from_probabilities([0.2] * 4), [range(4)])
    state = ground_state(together, 2, starts=2)
    assert state.loss < 1e-12 and state.shapes == ("digon", "digon")
    assert state.minima.size == 1  # losses of 0 are one minimum
    apart = ground_state(Frequencies.from_probabilities([0.2] * 4), 2, starts=2)
    assert apart.loss > 0.05


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "m is missing"),
        ({"m": 6}, "m = 6 is not allowed"),
        ({"m": 2, "starts": 0}, "starts = 0"),
        ({"m": 2, "start": ToyModel(np.ones((5, 1)), np.zeros(5))}, "a start of width 1"),
        ({"start": ToyModel(np.ones((4, 1)), np.zeros(4))}, "they must agree"),
        ({"m": 2, "sampling": "two"}, "give 'bernoulli' or 'one_hot'"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        ground_state(alike(5, 0.1), **arguments)


def brute_force(p, importance, digon, zooms=9, points=7, nodes=8):
    """Least loss of n = 2, m = 1 on grids that close in, by nothing but the model and quadrature.

    ``digon``: W_1 > 0 > W_2; otherwise W_1 > 0 = W_2. The loss of output i depends on W only
    through its two overlaps, and on b_i alone, so that each b_i has a grid of its own.
    """
    x, weight = np.polynomial.legendre.leggauss(nodes)
    # Panels, so that a kink of the ReLU costs one of them only.
    edges = np.linspace(0, 1, 9)
    v = np.concatenate([(a + c) / 2 + (c - a) / 2 * x for a, c in pairwise(edges)])
    weight = np.tile(weight, 8) / 16

    def output_loss(own, other, b):
        """Over a grid of own overlaps, other overlaps and biases."""
        own, other, b = own[:, None, None], other[:, None, None], b[None, :, None]

        def relu(z):
            return np.maximum(z, 0)

        silent = relu(b[..., 0]) ** 2
        theirs = (relu(other * v + b) ** 2) @ weight
        mine = ((relu(own * v + b) - v) ** 2) @ weight
        both = np.zeros_like(mine)
        for vj in (np.arange(48) + 0.5) / 48:  # the midpoint rule
            both += ((relu(own * v + other * vj + b) - v) ** 2) @ weight / 48
        q = 1 - p
        return q * q * silent + q * p * theirs + p * q * mine + p * p * both

    centre = np.array([1.0, -0.8 if digon else 0.0, 0.1, 0.2])
    size = np.array([0.3, 0.5 if digon else 0.0, 0.3, 0.4])
    best = np.inf
    for _ in range(zooms):
        grids = [c + s * np.linspace(-1, 1, points) for c, s in zip(centre, size, strict=True)]
        w1, w2 = (g.ravel() for g in np.meshgrid(grids[0], grids[1] if digon else [0.0]))
        first = output_loss(w1 * w1, w1 * w2, grids[2])
        second = importance * output_loss(w2 * w2, w1 * w2, grids[3])
        total = first.min(axis=1) + second.min(axis=1)
        at = int(total.argmin())
        best = min(best, float(total[at]))
        centre = np.array(
            [w1[at], w2[at], grids[2][first[at].argmin()], grids[3][second[at].argmin()]]
        )
        size *= 0.45
    return best


def boundary(importance):
    """Density at which the second feature leaves the dimension of the first."""
    low, high = 0.1, 0.9
    while high - low > 1e-4:
        middle = (low + high) / 2
        state = ground_state(alike(2, middle, [1, importance]), 1, starts=8)
        low, high = (middle, high) if state.model.norms.min() > 0.1 else (low, middle)
    return (low + high) / 2


@pytest.mark.parametrize("importance", [0.2, 0.5])
def test_phase_boundary_of_two_features_is_that_of_a_brute_force_grid(importance):
    edge = boundary(importance)
    for p, digon_wins in ((edge - 1e-3, True), (edge + 1e-3, False)):
        digon, alone = (brute_force(p, importance, digon) for digon in (True, False))
        assert (digon < alone) == digon_wins
