"""Trained models beside the mean field over the transition: 5 densities, 8 widths, n = 1000.

Run ``python studies/transition/trained.py`` (two to five hours on one core, one thread). The
settings were chosen before any result: even frequencies, E from 0.1 to 10, widths from where most
features are lost to n/m = 6. One model each, seed 0, recipe "converged", whose first round is a
training by the recipe "fast": the losses of both are stored, exact for the trained W and b. Results
are stored in studies/transition/trained.json as they come; a run goes on where the last one
stopped. Settings without a "gain" there have been trained by the recipe "fast" only.
"""

import json
import time
from pathlib import Path

import superscale as ss

N = 1000
DENSITIES = (0.1, 0.3, 1.0, 3.0, 10.0)
WIDTHS = (10, 15, 22, 33, 50, 75, 110, 160)
# A feature is live if its output for the largest v alone is above this share of v.
LIVE, LARGEST = 0.2, 2.0


def train(density, m):
    """Return the exact losses and the number of live features of one trained model."""
    features = ss.Frequencies.power_law(N, 0.0, density=density)
    start = time.process_time()
    run = ss.train(features, m, recipe="converged", seed=0)
    output = LARGEST * (run.model.W**2).sum(1) + run.model.b
    done = run.convergence
    return {
        "n": N, "alpha": 0.0, "density": density, "m": m,
        "fast": done.rounds[0].loss, "loss": run.loss,
        "converged": done.converged, "gain": done.gain, "samples": done.samples,
        "live": int((output > LIVE * LARGEST).sum()),
        "seconds": round(time.process_time() - start, 1),
    }  # fmt: skip


def main():
    path = Path(__file__).with_suffix(".json")
    record = {"command": "python studies/transition/trained.py", "cells": []}
    if path.exists():
        record = json.loads(path.read_text())
    done = {(cell["density"], cell["m"]): cell for cell in record["cells"] if "gain" in cell}
    for m in WIDTHS:
        for density in DENSITIES:
            if (density, m) not in done:
                done[density, m] = train(density, m)
                others = [c for c in record["cells"] if (c["density"], c["m"]) != (density, m)]
                record["cells"] = [*others, done[density, m]]
                path.write_text(json.dumps(record, indent=1) + "\n")
                print(record["cells"][-1], flush=True)


if __name__ == "__main__":
    main()
