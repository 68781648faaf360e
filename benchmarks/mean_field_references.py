"""Trained losses at the settings of benchmarks/mean_field_cells.csv, as low as training gets.

Run ``python benchmarks/mean_field_references.py 300`` (or 1000, 3000: the n to train; minutes, an
hour, hours on 2 cores; a second number sets how many processes). Each model is trained three times:
the fast recipe (weight growth, small batches), then 24 000 steps without weight decay at batch 512;
the first seed once more with the second phase doubled, which shows how far from converged it is.
Losses are exact (``population_loss``). Finished models stay in
benchmarks/mean_field_references.csv.
"""

import csv
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from mean_field_cells import frequencies

import superscale as ss

SECOND = {
    "weight_decay": 0.0,
    "batch": 512,
    "late_fraction": 0.0,
}
# Learning rates by n, of the growth and of the second phase: higher ones lose rare features. Of
# n = 3000 rows made with the rates of n = 1000 are kept too: at alpha >= 1.5 some are lower.
RATES = {300: (1e-2, 1e-2), 1000: (1e-2, 5e-3), 3000: (5e-3, 2e-3)}
STEPS = 24_000
RUNS = ((0, STEPS), (1, STEPS), (2, STEPS), (0, 2 * STEPS))  # seed, steps of the second phase
FIELDS = ("n", "law", "E", "m", "seed", "steps", "grown", "loss", "dead", "dead_loss", "seconds")


def measure(cell, seed, steps):
    """Train one model in two phases."""
    f = frequencies(cell["law"], int(cell["n"]), float(cell["E"]))
    m = int(cell["m"])
    growth, rate = RATES[f.n]
    grown = ss.train(f, m, recipe="fast", seed=seed, learning_rate=growth)
    second = {"steps": steps, "learning_rate": rate, **SECOND}
    run = ss.train(f, m, recipe="fast", seed=seed, model=grown.model, **second)
    return {
        **cell,
        "seed": str(seed),
        "steps": str(steps),
        "grown": f"{ss.population_loss(grown.model, f).loss:.6g}",
        "loss": f"{ss.population_loss(run.model, f).loss:.6g}",
        "dead": int(run.dead.sum()),
        "dead_loss": f"{run.dead_loss:.4g}",
        "seconds": f"{grown.seconds + run.seconds:.1f}",
    }


def main(n, workers=2):
    here = Path(__file__)
    with here.with_name("mean_field_cells.csv").open(newline="") as file:
        cells = [cell for cell in csv.DictReader(file) if int(cell["n"]) == n]
    path = here.with_suffix(".csv")
    done = set()
    if path.exists():
        with path.open(newline="") as file:
            done = {tuple(row[name] for name in FIELDS[:6]) for row in csv.DictReader(file)}
    else:
        path.write_text(",".join(FIELDS) + "\n")
    jobs = [
        (cell, seed, steps)
        for seed, steps in RUNS
        for cell in cells
        if (*cell.values(), str(seed), str(steps)) not in done
    ]
    with (
        ProcessPoolExecutor(workers, get_context("spawn")) as pool,
        path.open("a", newline="") as file,
    ):
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        for future in as_completed([pool.submit(measure, *job) for job in jobs]):
            row = future.result()
            writer.writerow(row)
            file.flush()
            print(*row.values(), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
