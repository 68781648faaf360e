"""How far trained overlaps are moved, against the budget that the mean field gives them.

Run ``python benchmarks/budgets.py`` (ten minutes on one core). Models of 300 features, equal and
exponential, are trained as the references of benchmarks/mean_field_references.py are; the squared
Wasserstein distance of their overlaps, group by group, from those of random directions is what a
law must have moved, at least. Over all pairs it is compared with n m/2, and the loss with the
prediction. Results are stored in benchmarks/budgets.json.
"""

import itertools
import json
import platform
from pathlib import Path

import numpy as np
from mean_field_cells import frequencies
from mean_field_references import RATES, STEPS, train_twice
from scipy.special import betaincinv

import superscale as ss
from theory.mean_field.groups import group_features
from theory.mean_field.solve import solve_mean_field

N = 300
WIDTHS = (150, 100, 75, 60, 50, 40, 30, 20)
LAWS = (("0", 1.0), ("exponential", 0.3))


def distance(t, m):
    """Return W₂² of a sample of scaled overlaps from √m u·v of random directions in R^m."""
    middle = (np.arange(t.size) + 0.5) / t.size
    half = (m - 1) / 2
    random = np.sqrt(m) * (2 * betaincinv(half, half, middle) - 1)
    return float(np.mean((np.sort(t) - random) ** 2))


def share_of_budget(W, frequencies):
    """Return what rows have moved among all pairs, over n m/2."""
    n, m = W.shape
    u = W / np.linalg.norm(W, axis=1)[:, None]
    t = np.sqrt(m) * u @ u.T
    edges = np.cumsum([0, *group_features(frequencies).sizes])
    moved = 0.0
    groups = itertools.pairwise(edges)
    for (a, b), (c, d) in itertools.combinations_with_replacement(groups, 2):
        block = t[a:b, c:d]
        pairs = block[np.triu_indices(b - a, 1)] if a == c else block.ravel()
        if pairs.size:
            moved += pairs.size * distance(pairs, m)
    return moved / (n * m / 2)


def main():
    rows = []
    for law, E in LAWS:
        f = frequencies(law, N, E)
        for m in WIDTHS:
            _, run = train_twice(f, m, 0, RATES[N], STEPS)
            found = solve_mean_field(f, m)
            row = {
                "law": law, "E": E, "m": m,
                "kept": int((np.linalg.norm(run.model.W, axis=1) > 0.5).sum()),
                "loss": ss.population_loss(run.model, f).loss,
                "predicted": found.loss,
                "gained_by_budget": float(found.prices.sum() / found.loss),
                "share": share_of_budget(run.model.W, f),
            }  # fmt: skip
            rows.append(row)
            print(
                f"{law}, m = {m}: loss {row['loss']:.4g}, predicted {row['predicted']:.4g} "
                f"({row['predicted'] / row['loss'] - 1:+.1%}), share of the budget "
                f"{row['share']:.2f}, d ln L/d ln budget {-row['gained_by_budget']:.2f}",
                flush=True,
            )
    record = {
        "command": "python benchmarks/budgets.py",
        "python": platform.python_version(),
        "n": N,
        "models": rows,
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
