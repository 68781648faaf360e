"""The mean field with importances against trained models: twelve cells, every error shown.

Run ``nice python studies/features/importances.py`` (some ten minutes on one core). The cells were
chosen before any of them was trained. Results go to studies/features/importances.json.
"""

import json
import platform
import time
from pathlib import Path

import numpy as np
from trained import lowest_loss

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
            "python": platform.python_version(), "cells": rows,
        }  # fmt: skip
        path.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
