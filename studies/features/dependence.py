"""The mean field for exclusive sets and for topics against trained models: twelve cells.

Run ``nice python studies/features/dependence.py`` (some fifteen minutes on one core). The cells
were chosen before any of them was trained. Every error is shown: of the first-order mean field, and
of the mean field that takes the features as independent. Results go to
studies/features/dependence.json.
"""

import json
import platform
import time
from pathlib import Path

import numpy as np
from trained import lowest_loss

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


def main():
    path = Path(__file__).with_suffix(".json")
    rows = []
    for kind, amount, n, alpha, density, m in CELLS:
        features, began = features_of(kind, amount, n, alpha, density), time.perf_counter()
        found = first_order_loss(features, m)
        losses, model = lowest_loss(features, m, seeds=(0,), late_steps=3000)
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
        record = {"python": platform.python_version()}
        for name in ("error", "error_independent"):
            for some in ("sets", "topics", ""):
                sizes = [abs(row[name]) for row in rows if some in row["dependence"]]
                if sizes:
                    record[f"median {name} {some}".strip()] = float(np.median(sizes))
        path.write_text(json.dumps({**record, "cells": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
