"""What adding rare features to samples is worth where frequencies are skewed (alpha = 2).

Run ``python studies/training/skewed_recipes.py`` (5 minutes on 2 cores). Six widths (n = 1000,
weight decay -1, E = 1, one seed) are trained in three ways: by the fast recipe; without features
added to its samples; and without them but with the published batch of 2048 in the second half,
which contains many rare features at several times the cost. Results are stored in
studies/training/skewed_recipes.json.
"""

import json
import platform
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

import superscale as ss

ALPHA = 2.0
WIDTHS = (10, 15, 25, 39, 63, 100)
VARIANTS = {
    "fast": {},
    "no features added": {"rare_share": 0.0},
    "none added, batch 2048 late": {"rare_share": 0.0, "late_batch": 2048},
}


def measure(case):
    """Train one model."""
    name, m = case
    f = ss.Frequencies.power_law(1000, ALPHA)
    settings = {"seed": 1, "evaluation_samples": 2**19, **VARIANTS[name]}
    run = ss.train(f, m, recipe="fast", **settings)
    return {
        "variant": name, "m": m, "loss": run.loss, "stderr": run.stderr,
        "dead_loss": run.dead_loss, "seconds": run.seconds,
    }  # fmt: skip


def main():
    cases = [(name, m) for name in VARIANTS for m in reversed(WIDTHS)]
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        rows = sorted(pool.map(measure, cases), key=lambda row: row["m"])
    exponents = {}
    for name in VARIANTS:
        loss = [row["loss"] for row in rows if row["variant"] == name]
        exponents[name] = -float(np.polyfit(np.log(WIDTHS), np.log(loss), 1)[0])
        shown = "  ".join(f"{value:.3g}" for value in loss)
        print(f"{name:20s} {shown}  exponent {exponents[name]:.2f}")
    record = {
        "command": "python studies/training/skewed_recipes.py",
        "python": platform.python_version(),
        "exponents": exponents,
        "runs": rows,
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
