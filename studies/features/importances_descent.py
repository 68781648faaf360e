"""How low the references of the two worst cells of ``importances.py`` are: descents beside them.

Run ``python studies/features/importances_descent.py`` (some three minutes on one core). The first
features, more than the mean field keeps, go through ``ss.ground_state``; the others have W = 0 and
their best constant output, so that their loss is exact and the sum is the loss of a model of all
features. Results are stored in studies/features/importances_descent.json.
"""

import json
from pathlib import Path

import numpy as np

import superscale as ss

# (density, m, features that are searched); n = 100, alpha = 0, I_i = 0.9^i.
CELLS = [(1.0, 8, 36), (3.0, 12, 40)]
N = 100


def main():
    path = Path(__file__)
    trained = json.loads((path.parent / "importances.json").read_text())["cells"]
    rows = []
    for density, m, first in CELLS:
        importance = 0.9 ** np.arange(N)
        features = ss.Features(ss.Frequencies.power_law(N, 0.0, density), importance=importance)
        some = ss.Features(
            ss.Frequencies.from_probabilities(features.p[:first]), importance=importance[:first]
        )
        state = ss.ground_state(some, m, starts=2)
        loss = state.loss + float(features.lost_losses[first:].sum())
        cell = next(
            x for x in trained
            if (x["importances"], x["n"], x["alpha"], x["density"], x["m"])
            == ("0.9", N, 0.0, density, m)
        )  # fmt: skip
        rows.append(
            {
                "density": density, "m": m, "searched": first, "descent": loss,
                "kept": int((state.model.norms > 0.1).sum()), "trained": cell["trained"],
                "predicted": cell["predicted"], "live": cell["live"],
                "trained above descent": cell["trained"] / loss - 1,
                "error": cell["predicted"] / loss - 1,
            }
        )  # fmt: skip
        print(rows[-1], flush=True)
        record = {"command": "python studies/features/importances_descent.py", "cells": rows}
        path.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
