"""Trained losses at the settings of studies/mean_field/cells.csv, as low as training gets.

Run ``python studies/mean_field/references.py 300`` (or 1000, 3000: the n to train; a second number
sets the number of processes). It takes hours on 2 cores, a night at n = 3000. Each model is trained
from three seeds in two phases (studies/mean_field/two_phases.json): the fast recipe (weight growth,
small batches), then 24 000 steps without weight decay at batch 512. The first seed is trained again
with twice as many steps in the second phase, and twice as many again, as long as doubling lowers
the loss by 1 % or more. Losses are exact (``population_loss``). Results are stored in
studies/mean_field/references.csv; models found there are not trained again.
"""

import csv
import json
import sys
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path

import superscale as ss

# Learning rates of both phases by n, and at n = 3000 by law. Steep frequencies reach a lower loss
# in as many steps at higher rates; rates that are too high lose rare features.
PHASES = json.loads(Path(__file__).with_name("two_phases.json").read_text())
STEPS, LONGEST = PHASES["steps"], 8 * PHASES["steps"]
CELL = ("n", "law", "density", "m")
KEY = (*CELL, "growth_rate", "rate", "seed", "steps")
FIELDS = (*KEY, "grown", "loss", "dead", "dead_loss", "seconds")


def frequencies(law, n, E):
    """Return the frequencies of a cell."""
    if law == "linear":
        return ss.Frequencies.linear(n, E)
    if law == "exponential":
        return ss.Frequencies.exponential(n, n / 5, E)
    return ss.Frequencies.power_law(n, float(law), E)


def choose_rates(cell):
    """Return the learning rates of both phases, as they are stored."""
    rates = PHASES["rates"][cell["n"]]
    if cell["n"] == "3000":
        rates = PHASES["rates_at_3000"].get(cell["law"], rates)
    return dict(zip(("growth_rate", "rate"), map(str, rates), strict=True))


def measure(job):
    """Train one model in two phases; return the row that is stored of it."""
    f = frequencies(job["law"], int(job["n"]), float(job["density"]))
    m, seed = int(job["m"]), int(job["seed"])
    grown = ss.train(f, m, recipe="fast", seed=seed, learning_rate=float(job["growth_rate"]))
    second = {"steps": int(job["steps"]), "learning_rate": float(job["rate"]), **PHASES["second"]}
    run = ss.train(f, m, recipe="fast", seed=seed, model=grown.model, **second)
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
    with here.with_name("cells.csv").open(newline="") as file:
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
