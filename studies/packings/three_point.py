"""Whether a three-point bound proves more of the interference than linear programming: hardly.

Needs two packages that superscale does not: ``pip install cvxpy clarabel``. Then
``python studies/packings/three_point.py`` (a minute) minimises the interference energy per vector,
(1/n) Σ_{i≠j} A(t_ij, -2h), over distributions of pairs (Delsarte) and of pairs and triples (Bachoc
and Vallentin, J. Amer. Math. Soc. 21, 909, 2008) on a grid of overlaps, at r = 1. A grid can only
raise the minimum: the values are estimates of what either bound can reach, not proofs. Results are
stored in studies/packings/three_point.json.
"""

import itertools
import json
from pathlib import Path

import clarabel
import cvxpy as cp
import numpy as np

from theory.bounds.gegenbauer import evaluate_gegenbauer
from theory.regimes.one_active import interference_loss

# n, m, and walls h √m on both sides of where linear programming proves nothing.
CASES = (
    (20, 4, (0.6, 0.8, 0.9)),
    (30, 5, (0.8, 0.9)),
    (100, 10, (0.6, 0.8, 0.95)),
    (100, 20, (0.3, 0.45, 0.6)),
)
DEGREE, TRIPLE_DEGREE = 16, 4


def triple_matrices(k, m, u, v, t):
    """Return the matrices S_k of Bachoc and Vallentin, one for each triple of overlaps."""
    total = 0.0
    size = np.arange(TRIPLE_DEGREE - k + 1)
    for a, b, c in itertools.permutations((u, v, t)):
        scale = np.sqrt(np.clip((1 - a * a) * (1 - b * b), 0.0, None))
        safe = np.where(scale > 1e-12, scale, 1.0)
        cosine = np.clip((c - a * b) / safe, -1, 1)
        inner = scale**k * evaluate_gegenbauer(m - 1, k, cosine)[k] if k else np.ones_like(a)
        total = (
            total
            + inner[:, None, None]
            * (a[:, None] ** size)[:, :, None]
            * (b[:, None] ** size)[:, None, :]
        )
    return total / 6


def minimise(n, m, h):
    """Return the least energy per vector on the grid: by pairs, and by pairs and triples."""
    wide, near = np.linspace(-0.95, 0.95, 8), np.linspace(-4, 4, 25) / np.sqrt(m)
    g = np.unique(np.r_[wide, near, h])
    g = g[np.abs(g) < 1]
    x = cp.Variable(g.size, nonneg=True)
    values = evaluate_gegenbauer(m, DEGREE, g)[1:]
    constraints = [cp.sum(x) == n - 1, 1 + values @ x >= 0]
    energy = cp.Minimize(interference_loss(g, -2 * h) @ x)
    pairs = cp.Problem(energy, constraints).solve(solver=cp.CLARABEL)
    triples = np.array(
        [
            (i, j, k)
            for i, j, k in itertools.combinations_with_replacement(range(g.size), 3)
            if 1 + 2 * g[i] * g[j] * g[k] >= g[i] ** 2 + g[j] ** 2 + g[k] ** 2
        ]
    )
    y = cp.Variable(len(triples), nonneg=True)
    sides = np.zeros((g.size, len(triples)))
    for column in range(3):
        np.add.at(sides, (triples[:, column], np.arange(len(triples))), 1 / 3)
    constraints.append(sides @ y == (n - 2) * x)
    one = np.ones(g.size)
    for k in range(TRIPLE_DEGREE + 1):
        same = triple_matrices(k, m, one[:1], one[:1], one[:1])[0]
        two = triple_matrices(k, m, g, g, one)
        three = triple_matrices(k, m, *(g[triples[:, column]] for column in range(3)))
        size = len(same)
        sums = 3 * (two.reshape(g.size, -1).T @ x) + three.reshape(len(triples), -1).T @ y
        constraints.append(cp.reshape(same.ravel() + sums, (size, size), order="C") >> 0)
    problem = cp.Problem(energy, constraints)
    return pairs, problem.solve(solver=cp.CLARABEL), problem.status


def main():
    rows = []
    for n, m, walls in CASES:
        for wall in walls:
            pairs, triples, status = minimise(n, m, wall / np.sqrt(m))
            rows.append(
                {"n": n, "m": m, "wall": wall, "pairs": pairs, "triples": triples, "status": status}
            )
            print(n, m, wall, f"pairs {pairs:.6f}, pairs and triples {triples:.6f}", status)
    record = {
        "command": "python studies/packings/three_point.py",
        "cvxpy": cp.__version__,
        "clarabel": clarabel.__version__,
        "rows": rows,
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
