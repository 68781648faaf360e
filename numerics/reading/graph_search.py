"""A search of a graph in a superposed state, step by step, with given codes of the nodes.

``search_graph(edges, codes, root, steps)`` is the construction of arXiv 2505.12514: a thought is
the normalised sum of the codes of all nodes reached so far; in each step it attends to the edges
whose source it holds, adds the codes of their targets, and a threshold cleans the sum. Sums are
kept without the factor F^(-1/2), on which nothing depends.
``breadth_first(edges, n, root, steps)`` is the search that it should equal, and
``theory.reading.frontier.search_success`` how often it does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from theory.checks import check_finite, check_integer, check_numbers, check_real
from theory.computing.memory import check_memory
from theory.results import result

_MOST_STEPS = 10**5  # a search is a loop of Python
_LARGEST = 1e100  # products are finite


@dataclass(frozen=True)
@result
class GraphSearch:
    """What a superposed search held after each step.

    Attributes
    ----------
    reached : tuple of ndarray of int
        Nodes read from the thought at the start and after each step, sorted.
    expected : tuple of ndarray of int
        Those of a breadth-first search.
    mass : ndarray
        Attention weight, in each step, on edges whose source breadth-first search had reached; 1 or
        0 over the attended ones without ``beta``.
    """

    reached: tuple[NDArray[np.int64], ...]
    expected: tuple[NDArray[np.int64], ...]
    mass: NDArray[np.float64]

    @property
    def right(self) -> bool:
        """Whether the nodes after every step are those of a breadth-first search."""
        return all(map(np.array_equal, self.reached, self.expected))

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row for each thought."""
        return pd.DataFrame(
            {
                "step": np.arange(len(self.reached)),
                "reached": [one.size for one in self.reached],
                "breadth first": [one.size for one in self.expected],
                "missing": [
                    np.setdiff1d(b, a).size
                    for a, b in zip(self.reached, self.expected, strict=True)
                ],
                "wrong": [
                    np.setdiff1d(a, b).size
                    for a, b in zip(self.reached, self.expected, strict=True)
                ],
            }
        )

    def __str__(self) -> str:
        verdict = "as breadth-first search" if self.right else "not as breadth-first search"
        sizes = ", ".join(str(one.size) for one in self.reached)
        return f"{len(self.reached) - 1} steps, {verdict}; nodes held: {sizes}"


def breadth_first(edges: ArrayLike, n: int, root: int, steps: int) -> tuple[NDArray[np.int64], ...]:
    """Return the nodes reached within 0, 1, …, ``steps`` edges from the root.

    Parameters
    ----------
    edges : array_like of int, shape (e, 2)
        Source and target of each edge.
    n, root, steps : int
        Nodes, the first node, and steps.

    Examples
    --------
    >>> [one.tolist() for one in breadth_first([[0, 1], [1, 2]], 3, 0, 2)]
    [[0], [0, 1], [0, 1, 2]]
    """
    n = _check_nodes(n)
    pairs, steps = _check_edges(edges, n), check_integer("steps", steps, 0, _MOST_STEPS)
    held = np.zeros(n, dtype=bool)
    held[check_integer("root", root, 0, n - 1)] = True
    found = [np.flatnonzero(held)]
    for _ in range(steps):
        held[pairs[held[pairs[:, 0]], 1]] = True
        found.append(np.flatnonzero(held))
    return tuple(found)


def search_graph(
    edges: ArrayLike,
    codes: ArrayLike,
    root: int,
    steps: int,
    *,
    threshold: float = 0.5,
    beta: float | None = None,
) -> GraphSearch:
    """Search a graph from a root in a superposed state.

    Parameters
    ----------
    edges : array_like of int, shape (e, 2)
        Source and target of each edge, e >= 1.
    codes : array_like, shape (n, m)
        Codes u_j of the nodes, of length about 1.
    root, steps : int
        The first node, and steps.
    threshold : float
        A node is read from a sum of codes h if u_j·h is above it.
    beta : float, optional
        Softmax attention to edges with weights ∝ exp(β u_source·h), scaled by the number of edges
        from the nodes held. By default an edge has the weight 1 if its source is held, else 0: the
        limit in which attention is even and leaks nothing.

    Returns
    -------
    GraphSearch
        The nodes after each step, beside breadth-first search.

    Raises
    ------
    ValueError
        For edges, codes or a root that do not go together.

    Notes
    -----
    With t = h/√F the score u_j·h is √F u_j·t: a given β here is β/√F for t. Softmax attention to
    random codes is even over the frontier only for β √(F/m) << 1 and leaks little only for
    β >> ln n, so that it needs m >> F (ln n)².

    Examples
    --------
    >>> codes = np.random.default_rng(0).standard_normal((6, 200)) / 200**0.5
    >>> print(search_graph([[0, 1], [0, 2], [2, 3]], codes, root=0, steps=2))
    2 steps, as breadth-first search; nodes held: 1, 3, 4
    """
    U = check_finite("codes", codes, 2, low=-_LARGEST, high=_LARGEST)
    n = len(U)
    pairs = _check_edges(edges, n)
    threshold = check_real("threshold", threshold)
    if beta is not None:
        beta = check_real("beta", beta, 0, _LARGEST)
    root, steps = check_integer("root", root, 0, n - 1), check_integer("steps", steps, 0)
    expected = breadth_first(pairs, n, root, steps)
    source, target = pairs.T
    h = U[root]
    reached, masses = [], []
    for step in range(steps + 1):
        held = U @ h > threshold
        reached.append(np.flatnonzero(held))
        if step == steps:
            break
        h = U[held].sum(axis=0)  # cleaned: each node once
        weights = held[source].astype(np.float64)
        if beta is not None:
            logits = beta * (U @ h)[source]
            weights = weights.sum() * np.exp(logits - np.logaddexp.reduce(logits))
        total = weights.sum()
        inside = np.isin(source, expected[step])
        masses.append(float(weights[inside].sum() / total) if total else 0.0)
        h = h + weights @ U[target]
    return GraphSearch(tuple(reached), expected, np.array(masses))


def search_strengths(
    edges: ArrayLike, n: int, root: int, steps: int
) -> tuple[NDArray[np.int64], ...]:
    """Return how often each node's code is in the sum that is read at the start and in each step.

    A node that was held has 1, and each edge from a node that was held adds 1 to its target. This
    is what ``superscale.reading.search_success`` takes.

    Examples
    --------
    >>> [x.tolist() for x in search_strengths([[0, 1], [0, 2], [1, 2]], 3, 0, 2)]
    [[1], [1, 1, 1], [1, 2, 3]]
    """
    n = _check_nodes(n)
    pairs = _check_edges(edges, n)
    found = [np.ones(1, dtype=np.int64)]
    for nodes in breadth_first(pairs, n, root, steps)[:-1]:
        strength = np.zeros(n, dtype=np.int64)
        strength[nodes] = 1
        np.add.at(strength, pairs[np.isin(pairs[:, 0], nodes), 1], 1)
        found.append(strength[strength > 0])
    return tuple(found)


def _check_edges(edges: ArrayLike, n: int) -> NDArray[np.int64]:
    pairs = check_numbers("edges", edges)
    whole = pairs.ndim == 2 and pairs.shape[0] > 0 and pairs.shape[1] == 2
    whole = whole and not (np.asarray(edges).dtype.kind == "b" or (pairs % 1).any())
    if not whole or not (pairs.min() >= 0 and pairs.max() < n):
        raise ValueError(
            f"edges must be pairs of node numbers from 0 to {n - 1} (one less than n, or than the "
            "rows of codes), at least one"
        )
    return pairs.astype(np.int64)


def _check_nodes(n: int) -> int:
    n = check_integer("n", n)
    check_memory(f"n = {n}", 32.0 * n, "give fewer nodes")
    return n
