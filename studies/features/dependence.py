"""The mean field for exclusive sets and for topics against trained models: twelve cells.

Run ``python studies/features/dependence.py`` (some fifteen minutes on one core). The cells
were chosen before any of them was trained. Every error is shown: of the first-order mean field, and
of the mean field that takes the features as independent. Results are stored in
studies/features/dependence.json.
"""

import json
import platform
import time
from pathlib import Path

import numpy as np

import superscale as ss
from numerics.dependent.mean_field import first_order_loss

# "sets" and their number, or "topics" and the spread of ln p over them; n, alpha, density, m.
CELLS = [
    ("sets", 20, 100, 0.0, 1.0, 8),
    ("sets", 5, 100, 0.0, 3.0, 12),
    ("sets", 10, 100, 0.5, 3.0, 12),
    ("sets", 4, 100, 1.0, 1.0, 8),
    ("sets", 8, 100, 1.0, 3.0, 16),
    ("sets", 30, 150, 0.5, 1.0, 12),
    ("topics", 1.0, 100, 0.0, 1.0, 8),
    ("topics", 1.0, 100, 0.0, 3.0, 12),
    ("topics", 2.0, 100, 0.5, 1.0, 12),
    ("topics", 1.0, 100, 1.0, 1.0, 8),
    ("topics", 0.5, 100, 1.0, 2.0, 16),
    ("topics", 2.0, 150, 0.5, 2.0, 12),
]
TOPICS = 4


def features_of(kind, amount, n, alpha, density):
    """Return the features of a cell: feature i in set i mod the number, or four equal topics."""
    words = ss.Frequencies.power_law(n, alpha, density)
    if kind == "sets":
        return ss.Features.exclusive(words, [range(k, n, amount) for k in range(amount)])
    tilt = np.exp(amount * np.random.default_rng(n).standard_normal((TOPICS, n)))
    q = np.minimum(words.p * TOPICS * tilt / tilt.sum(axis=0), 0.95)
    return ss.Features.mixture(np.full(TOPICS, 1 / TOPICS), q)


def lowest_loss(features, m, seeds=(0,), late_steps=3000):
    """Return the exact losses of every run and phase, by name, and the model of the lowest.

    The first phase is the fast recipe with weight growth, the second has neither growth nor decay,
    and larger batches.
    """
    found = {}
    for seed in seeds:
        first = ss.train(features, m, seed=seed)
        second = ss.train(
            features, m, seed=seed, model=first.model, weight_decay=0.0, steps=late_steps,
            batch=256, late_batch=512, learning_rate=3e-3,
        )  # fmt: skip
        for phase, run in (("growth", first), ("free", second)):
            loss = ss.population_loss(run.model, features, rtol=1e-5).loss
            found[f"seed {seed}, {phase}"] = (loss, run.model)
    name = min(found, key=lambda x: found[x][0])
    return {key: loss for key, (loss, _) in found.items()}, found[name][1]


def main():
    path = Path(__file__).with_suffix(".json")
    rows = []
    for kind, amount, n, alpha, density, m in CELLS:
        features, began = features_of(kind, amount, n, alpha, density), time.perf_counter()
        found = first_order_loss(features, m)
        losses, model = lowest_loss(features, m)
        trained = min(losses.values())
        rows.append(
            {
                "dependence": kind, "amount": amount, "n": n, "alpha": alpha, "density": density,
                "m": m, "predicted": found.loss, "stderr": found.stderr,
                "independent": found.independent, "trained": trained,
                "trained_shown_independent": ss.population_loss(model, features.frequencies).loss,
                "error": found.loss / trained - 1,
                "error_independent": found.independent / trained - 1,
                "runs": losses, "seconds": round(time.perf_counter() - began, 1),
            }
        )  # fmt: skip
        last = rows[-1]
        print(
            f"{kind} {amount} {n} {alpha} {density} {m}: {last['error']:+.2%} "
            f"(independent {last['error_independent']:+.2%})", flush=True,
        )  # fmt: skip
        record = {
            "command": "python studies/features/dependence.py",
            "python": platform.python_version(),
        }
        for name in ("error", "error_independent"):
            for some in ("sets", "topics", ""):
                sizes = [abs(row[name]) for row in rows if some in row["dependence"]]
                if sizes:
                    record[f"median {name} {some}".strip()] = float(np.median(sizes))
        path.write_text(json.dumps({**record, "cells": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
