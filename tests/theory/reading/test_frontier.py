"""Attention mass on a frontier against drawn codes; searches against breadth-first search."""

import math

import numpy as np
import pytest

import superscale as ss

N, F = 1000, 6


def sampled_mass(m, betas, draws, rng, codes="random"):
    """Return the mean mass for each β over drawn codes, and the standard errors."""
    masses = []
    for _ in range(draws):
        U = rng.standard_normal((F, m)) / math.sqrt(m)
        if codes == "unit":
            U /= np.linalg.norm(U, axis=1, keepdims=True)
            V = rng.standard_normal((N - F, m))
            V /= np.linalg.norm(V, axis=1, keepdims=True)
            scores = np.r_[U, V] @ U.sum(axis=0) / math.sqrt(F)
        else:  # given t, the others' scores are normal
            t = U.sum(axis=0) / math.sqrt(F)
            off = rng.standard_normal(N - F) * np.linalg.norm(t) / math.sqrt(m)
            scores = np.r_[U @ t, off]
        weights = np.exp(np.outer(betas, scores - scores.max()))
        masses.append(weights[:, :F].sum(axis=1) / weights.sum(axis=1))
    return np.mean(masses, axis=0), np.std(masses, axis=0) / math.sqrt(draws)


@pytest.mark.parametrize("m", [32, 64, 128, 256])
def test_mass_against_drawn_codes(m):
    betas = (10.0, 20.0, 40.0)
    sampled, stderr = sampled_mass(m, betas, 4000, np.random.default_rng(m))
    for value, error, beta in zip(sampled, stderr, betas, strict=True):
        found = ss.reading.frontier_mass(N, F, m, beta)
        assert abs(found.mass - value) < 4 * error + 0.003  # 512 points of the average over A
        assert abs(found.mass - value) < 0.02
        other = ss.reading.frontier_mass(N, F + 1, m, beta)
        assert abs(other.mass - value) > min(4 * error, 0.003) or value > 0.99
    if m == 32:  # the annealed form is wrong by far
        assert abs(ss.reading.frontier_mass(N, F, m, 20.0).annealed - sampled[1]) > 0.4


def test_mass_of_unit_codes():
    sampled, stderr = sampled_mass(64, (20.0,), 600, np.random.default_rng(1), "unit")
    found = ss.reading.frontier_mass(N, F, 64, 20.0, codes="unit")
    assert abs(found.mass - sampled[0]) < 4 * stderr[0] + 0.003


def test_limits_of_the_mass():
    wide = ss.reading.frontier_mass(N, F, 10**7, 12.0)
    assert wide.mass == pytest.approx(wide.orthonormal, abs=1e-3)
    assert wide.annealed == pytest.approx(wide.orthonormal, abs=1e-3)
    assert ss.reading.frontier_mass(N, F, 64, 0.0).mass == pytest.approx(F / N, rel=1e-3)
    assert wide.freezing == pytest.approx(math.sqrt(2e7 * math.log(N)))
    # Frozen: more inverse temperature hardly changes what the largest term takes.
    frozen = [ss.reading.frontier_mass(N, F, 16, beta).mass for beta in (60.0, 90.0)]
    assert frozen[1] == pytest.approx(frozen[0], abs=0.03) and frozen[1] < 0.6
    with pytest.raises(ValueError, match="active = 5"):
        ss.reading.frontier_mass(5, 5, 10, 1.0)
    with pytest.raises(ValueError, match="beta"):
        ss.reading.frontier_mass(5, 2, 10, -1.0)


def draw_graph(n, rng):
    return np.c_[np.repeat(np.arange(n), 2), rng.integers(n, size=2 * n)]


@pytest.mark.parametrize("m", [120, 200, 300, 450, 700])
def test_searches_of_random_graphs(m):
    """From failure to success, on 200 graphs with two edges from each of 60 nodes."""
    rng, n, steps = np.random.default_rng(m), 60, 2
    right, predicted, other = [], [], []
    for _ in range(200):
        edges = draw_graph(n, rng)
        codes = rng.standard_normal((n, m)) / math.sqrt(m)
        right.append(ss.reading.search_graph(edges, codes, 0, steps).right)
        strengths = ss.reading.search_strengths(edges, n, 0, steps)
        predicted.append(ss.reading.search_success(strengths, n, m))
        other.append(ss.reading.search_success([1, *(len(x) for x in strengths[1:])], n, m))
    p = np.array(predicted)
    stderr = math.sqrt(np.sum(p * (1 - p))) / 200
    assert abs(np.mean(right) - p.mean()) < 4 * stderr
    if 200 <= m <= 300:  # without the nodes that several edges reach
        assert abs(np.mean(right) - np.mean(other)) > 4 * stderr


def test_wide_searches_are_breadth_first():
    rng = np.random.default_rng(0)
    edges = draw_graph(40, rng)
    strengths = ss.reading.search_strengths(edges, 40, 3, 4)
    m = ss.reading.search_width(strengths, 40, 0.01)
    assert ss.reading.search_success(strengths, 40, m) >= 0.99
    assert ss.reading.search_success(strengths, 40, m - 1) < 0.99
    codes = rng.standard_normal((40, 3 * m)) / math.sqrt(3 * m)
    found = ss.reading.search_graph(edges, codes, 3, 4)
    assert found.right and found.mass == pytest.approx(1)
    # Plainly, with a queue.
    distance, queue = {3: 0}, [3]
    for node in queue:
        for source, target in edges:
            if source == node and target not in distance:
                distance[target] = distance[node] + 1
                queue.append(target)
    for step, nodes in enumerate(ss.reading.breadth_first(edges, 40, 3, 4)):
        assert nodes.tolist() == sorted(k for k, d in distance.items() if d <= step)
    table = found.to_dataframe()
    assert table["missing"].sum() == table["wrong"].sum() == 0
    # A state too narrow says so.
    narrow = ss.reading.search_graph(edges, codes[:, :8] * math.sqrt(m / 8), 3, 4)
    assert not narrow.right and "not as breadth-first" in str(narrow)


def test_softmax_attention_leaks_as_the_formula_says():
    """One step from F sources, each with one edge: the mass on them over drawn codes."""
    rng, n, m, beta = np.random.default_rng(2), 200, 150, 4.0
    edges = np.c_[np.arange(n), rng.permutation(n)]
    masses = []
    for _ in range(150):
        codes = rng.standard_normal((n, m)) / math.sqrt(m)
        found = ss.reading.search_graph(edges, codes, 0, 1, beta=beta)
        masses.append(found.mass[0])
    law = ss.reading.frontier_mass(n, 1, m, beta)
    assert abs(np.mean(masses) - law.mass) < 4 * np.std(masses) / math.sqrt(150) + 0.003
    with pytest.raises(ValueError, match="pairs of node numbers"):
        ss.reading.search_graph([[0, 9]], np.eye(4), 0, 1)
    with pytest.raises(ValueError, match="root"):
        ss.reading.search_graph([[0, 1]], np.eye(4), 7, 1)
