"""Trained losses at the settings of benchmarks/mean_field_cells.csv, as low as training gets.

Run ``python benchmarks/mean_field_references.py 300`` (or 1000, 3000: the n to train; hours on 2
cores, at n = 3000 a night; a second number sets how many processes). Each model is trained from
three seeds: the fast recipe (weight growth, small batches), then 24 000 steps without weight decay
at batch 512; the first seed again with the second phase doubled, and doubled again while that
lowers the loss by 1 % or more. Losses are exact (``population_loss``). Finished models stay in
benchmarks/mean_field_references.csv.
"""

import csv
import sys
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path

from mean_field_cells import frequencies

import superscale as ss

SECOND = {
    "weight_decay": 0.0,
    "batch": 512,
    "late_fraction": 0.0,
}
# Learning rates of the growth and of the second phase. Higher ones bring steep frequencies further
# in as many steps; too high ones lose rare features.
RATES = {300: (1e-2, 5e-3), 1000: (1e-2, 5e-3), 3000: (5e-3, 2e-3)}
STEEP = {"1.5": (1e-2, 5e-3), "2": (1e-2, 1e-2), "exponential": (1e-2, 5e-3)}  # n = 3000
STEPS, LONGEST = 24_000, 192_000
CELL = ("n", "law", "E", "m")
KEY = (*CELL, "growth_rate", "rate", "seed", "steps")
FIELDS = (*KEY, "grown", "loss", "dead", "dead_loss", "seconds")


def choose_rates(cell):
    """Return the learning rates of the growth and of the second phase, as they are stored."""
    n = int(cell["n"])
    rates = STEEP.get(cell["law"], RATES[n]) if n == 3000 else RATES[n]
    return dict(zip(("growth_rate", "rate"), map(str, rates), strict=True))


def train_twice(f, m, seed, rates, steps):
    """Return what growth and the second phase make of a model, by the learning rates of both."""
    growth, rate = rates
    grown = ss.train(f, m, recipe="fast", seed=seed, learning_rate=growth)
    second = {"steps": steps, "learning_rate": rate, **SECOND}
    return grown, ss.train(f, m, recipe="fast", seed=seed, model=grown.model, **second)


def measure(job):
    """Train one model in two phases; return the row that is stored of it."""
    f = frequencies(job["law"], int(job["n"]), float(job["E"]))
    rates = float(job["growth_rate"]), float(job["rate"])
    grown, run = train_twice(f, int(job["m"]), int(job["seed"]), rates, int(job["steps"]))
    return {
        **job,
        "grown": f"{ss.population_loss(grown.model, f, rtol=1e-4).loss:.6g}",
        "loss": f"{ss.population_loss(run.model, f, rtol=1e-4).loss:.6g}",
        "dead": int(run.dead.sum()),
        "dead_loss": f"{run.dead_loss:.4g}",
        "seconds": f"{grown.seconds + run.seconds:.1f}",
    }


def list_due(cells, losses):
    """Return what is to be trained next, given the losses of what has been."""
    due = []
    for cell in cells:
        model = {**cell, **choose_rates(cell)}
        runs = [{**model, "seed": str(seed), "steps": str(STEPS)} for seed in range(3)]
        steps, last = STEPS, losses.get(tuple(runs[0].values()))
        while last is not None and steps < LONGEST:
            steps *= 2
            runs.append({**model, "seed": "0", "steps": str(steps)})
            now = losses.get(tuple(runs[-1].values()))
            if now is None or 1 - now / last < 0.01:
                break
            last = now
        due += [run for run in runs if tuple(run.values()) not in losses]
    return due


def main(n, workers=2):
    here = Path(__file__)
    with here.with_name("mean_field_cells.csv").open(newline="") as file:
        cells = [cell for cell in csv.DictReader(file) if int(cell["n"]) == n]
    path = here.with_suffix(".csv")
    if not path.exists():
        path.write_text(",".join(FIELDS) + "\n")
    with path.open(newline="") as file:
        losses = {
            tuple(row[name] for name in KEY): float(row["loss"]) for row in csv.DictReader(file)
        }
    running = {}
    with (
        ProcessPoolExecutor(workers, get_context("spawn")) as pool,
        path.open("a", newline="") as file,
    ):
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        while True:
            for job in list_due(cells, losses):
                if len(running) < workers and job not in running.values():
                    running[pool.submit(measure, job)] = job
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                row = future.result()
                del running[future]
                losses[tuple(row[name] for name in KEY)] = float(row["loss"])
                writer.writerow(row)
                file.flush()
                print(*row.values(), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
