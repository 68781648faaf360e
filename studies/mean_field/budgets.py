"""How far training moves overlaps, against the budget of the mean field.

Run ``python studies/mean_field/budgets.py`` (ten minutes on one core). Models of 300 features with
equal and with exponential frequencies are trained as those of studies/mean_field/references.py
(rates and steps in studies/mean_field/two_phases.json). The squared Wasserstein distance between
the overlaps of two groups and those of random directions is a lower bound of their mean squared
displacement. Its sum over all pairs is compared with n m/2, and the loss with the prediction.
Results are stored in studies/mean_field/budgets.json; with the word print they are printed again.
"""

import itertools
import json
import platform
import sys
from pathlib import Path

import numpy as np
from scipy.special import betaincinv

import superscale as ss
from theory.mean_field.groups import group_features
from theory.mean_field.solve import solve_mean_field

N = 300
WIDTHS = (150, 100, 75, 60, 50, 40, 30, 20)
LAWS = {
    ("0", 1.0): ss.Frequencies.power_law(N, 0.0, 1.0),
    ("exponential", 0.3): ss.Frequencies.exponential(N, N / 5, 0.3),
}
PHASES = json.loads(Path(__file__).with_name("two_phases.json").read_text())


def distance(t, m):
    """Return W₂² of a sample of scaled overlaps from √m u·v of random directions in R^m."""
    middle = (np.arange(t.size) + 0.5) / t.size
    half = (m - 1) / 2
    random = np.sqrt(m) * (2 * betaincinv(half, half, middle) - 1)
    return float(np.mean((np.sort(t) - random) ** 2))


def share_of_budget(W, frequencies):
    """Return the squared displacement of the overlaps of all pairs, over n m/2."""
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


def show(row):
    """Print one model."""
    print(
        f"{row['law']}, E = {row['density']:g}, m = {row['m']}, n/m = {N / row['m']:.1f}: loss "
        f"{row['loss']:.4g}, predicted {row['predicted']:.4g} "
        f"({row['predicted'] / row['loss'] - 1:+.1%}), share of the budget {row['share']:.2f}, "
        f"d ln L/d ln budget {-row['gained_by_budget']:.2f}",
        flush=True,
    )


def main():
    rows = []
    growth_rate, rate = PHASES["rates"][str(N)]
    second = {"steps": PHASES["steps"], "learning_rate": rate, **PHASES["second"]}
    for (law, E), f in LAWS.items():
        for m in WIDTHS:
            grown = ss.train(f, m, recipe="fast", seed=0, learning_rate=growth_rate)
            run = ss.train(f, m, recipe="fast", seed=0, model=grown.model, **second)
            found = solve_mean_field(f, m)
            row = {
                "law": law, "density": E, "m": m,
                "kept": int((np.linalg.norm(run.model.W, axis=1) > 0.5).sum()),
                "loss": ss.population_loss(run.model, f).loss,
                "predicted": found.loss,
                "gained_by_budget": float(found.multipliers.sum() / found.loss),
                "share": share_of_budget(run.model.W, f),
            }  # fmt: skip
            rows.append(row)
            show(row)
    record = {
        "command": "python studies/mean_field/budgets.py",
        "python": platform.python_version(),
        "n": N,
        "models": rows,
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["print"]:
        for model in json.loads(Path(__file__).with_suffix(".json").read_text())["models"]:
            show(model)
    else:
        main()
