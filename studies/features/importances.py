"""The mean field with importances against trained models: twelve cells, every error shown.

Run ``python studies/features/importances.py`` (some ten minutes on one core). The cells were
chosen before any of them was trained. Results are stored in studies/features/importances.json.
"""

import json
import platform
import time
from pathlib import Path

import numpy as np

import superscale as ss

# (importances, n, alpha, density, m); "0.9" is I_i = 0.9^i, a number the seed of exp(N(0, 1)).
CELLS = [
    ("0.9", 100, 0.0, 1.0, 8),
    ("0.9", 100, 0.0, 3.0, 12),
    ("0.9", 100, 0.5, 1.0, 12),
    ("0.9", 100, 1.0, 1.0, 8),
    ("0.9", 100, 1.0, 2.0, 6),
    ("0.9", 60, 0.0, 0.5, 6),
    (1, 100, 0.0, 1.0, 8),
    (2, 100, 0.0, 1.0, 16),
    (3, 100, 0.5, 1.0, 12),
    (4, 100, 1.0, 1.0, 8),
    (5, 100, 1.0, 2.0, 12),
    (6, 200, 0.5, 1.0, 16),
]


def features_of(kind, n, alpha, density):
    """Return the features of a cell."""
    if kind == "0.9":
        importance = 0.9 ** np.arange(n)
    else:
        importance = np.exp(np.random.default_rng(kind).standard_normal(n))
    return ss.Features(ss.Frequencies.power_law(n, alpha, density), importance=importance)


def lowest_loss(features, m, seeds=(0, 1), late_steps=8000):
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
    for kind, n, alpha, density, m in CELLS:
        features, began = features_of(kind, n, alpha, density), time.perf_counter()
        predicted = ss.solve_mean_field(features, m)
        losses, _ = lowest_loss(features, m)
        trained = min(losses.values())
        rows.append(
            {
                "importances": kind, "n": n, "alpha": alpha, "density": density, "m": m,
                "predicted": predicted.loss, "live": predicted.live, "trained": trained,
                "error": predicted.loss / trained - 1, "runs": losses,
                "seconds": round(time.perf_counter() - began, 1),
            }
        )  # fmt: skip
        print(f"{kind} {n} {alpha} {density} {m}: {rows[-1]['error']:+.2%}", flush=True)
        sizes = np.abs([row["error"] for row in rows])
        record = {
            "median": float(np.median(sizes)), "worst": float(sizes.max()),
            "command": "python studies/features/importances.py",
            "python": platform.python_version(), "cells": rows,
        }  # fmt: skip
        path.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
