"""How the fast recipe was chosen: one change at a time, with loss and time.

Run ``python studies/training/recipes.py`` (10 minutes on 2 cores). Each variant trains six models
(n = 1000, weight decay -1, E = 1, one seed) on one core. Results are stored in
studies/training/recipes.json.
"""

import json
import platform
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import superscale as ss

CELLS = ((1.0, 10), (1.0, 25), (1.0, 63), (0.0, 25), (2.0, 25), (2.0, 100))  # alpha, m
VARIANTS = {
    "fast": {},
    "batch 32 throughout": {"batch": 32},
    "batch 64 throughout": {"batch": 64},
    "batch 256 throughout": {"batch": 256},
    "batch 512 late": {"late_batch": 512},
    "growth in the last quarter": {"late_fraction": 0.25},
    "learning rate halved": {"learning_rate": 5e-3},
    "learning rate doubled": {"learning_rate": 2e-2},
    "final learning rate 0.05": {"final_learning_rate": 0.05},
    "no features added": {"rare_share": 0.0},
    "features added to half": {"rare_share": 0.5},
    "features added to 0.9": {"rare_share": 0.9},
    "bias starts as published": {"bias_start": "normal"},
    "warm-up of 300 steps": {"warmup_steps": 300},
    "5000 steps": {"steps": 5000},
    "12 000 steps": {"steps": 12_000},
}


def measure(name):
    """Train the six models of one variant."""
    rows = []
    for alpha, m in CELLS:
        f = ss.Frequencies.power_law(1000, alpha)
        run = ss.train(f, m, recipe="fast", seed=1, **VARIANTS[name])
        rows.append(
            {"alpha": alpha, "m": m, "loss": run.loss, "stderr": run.stderr,
             "dead_loss": run.dead_loss, "seconds": run.seconds}
        )  # fmt: skip
    return name, rows


def main():
    record = {
        "command": "python studies/training/recipes.py",
        "python": platform.python_version(),
        "variants": {},
    }
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        for name, rows in pool.map(measure, VARIANTS):
            record["variants"][name] = {"settings": VARIANTS[name], "runs": rows}
            losses = "  ".join(f"{row['loss']:.4g}" for row in rows)
            print(f"{name:28s} {losses}  {sum(row['seconds'] for row in rows):.1f} s", flush=True)
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
