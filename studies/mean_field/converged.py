"""The cells of studies/mean_field/cells.csv, each trained until it has converged.

Run ``python studies/mean_field/converged.py 300`` (half an hour on one core; 1000: 3 hours and
more, 3000: days; without a number it only compares). Each model is trained once (seed 0) by the
recipe "converged", which stops when as many samples as before lower the exact loss by less than
1 %. Rows are added to studies/mean_field/converged.csv as they finish, the smallest models first;
what is there is not trained again. Then the mean field is solved at all cells that are there, and
both are compared, also with the lowest loss of studies/mean_field/references.csv (two phases, up to
three seeds and pairs of rates); the comparison is stored in studies/mean_field/converged.json.
"""

import csv
import json
import platform
import sys
import time
from pathlib import Path

import numpy as np

import superscale as ss
from theory.computing.one_thread import one_thread

CELL = ("n", "law", "density", "m")
FIELDS = (
    *CELL, "fast", "loss", "error", "gain", "converged", "rounds", "steps", "samples", "dead",
    "fast_seconds", "seconds",
)  # fmt: skip
HERE = Path(__file__)
STORED = HERE.with_suffix(".csv")


def frequencies(law, n, E):
    """Return the frequencies of a cell."""
    if law == "linear":
        return ss.Frequencies.linear(n, E)
    if law == "exponential":
        return ss.Frequencies.exponential(n, n / 5, E)
    return ss.Frequencies.power_law(n, float(law), E)


def read(path):
    """Return the rows of a table, by cell."""
    with path.open(newline="") as file:
        return {tuple(row[name] for name in CELL): row for row in csv.DictReader(file)}


def measure(cell):
    """Train one cell; return the row that is stored of it. Seconds are those of the processor."""
    f, m = frequencies(cell["law"], int(cell["n"]), float(cell["density"])), int(cell["m"])
    began = time.process_time()
    ss.train(f, m, recipe="fast")
    fast_seconds = time.process_time() - began
    began = time.process_time()
    run = ss.train(f, m, recipe="converged")
    done = run.convergence
    return {
        **cell,
        "fast": f"{done.rounds[0].loss:.6g}",
        "loss": f"{run.loss:.6g}",
        "error": f"{run.stderr:.2g}",
        "gain": f"{done.gain:.4f}",
        "converged": int(done.converged),
        "rounds": len(done.rounds),
        "steps": done.steps,
        "samples": sum(one.samples for one in done.rounds),
        "dead": int(run.dead.sum()),
        "fast_seconds": f"{fast_seconds:.1f}",
        "seconds": f"{time.process_time() - began:.1f}",
    }


def train(n):
    """Train the cells of this n that are not stored, and store them."""
    stored = read(STORED)
    cells = [cell for key, cell in read(HERE.with_name("cells.csv")).items() if key not in stored]
    due = sorted((c for c in cells if int(c["n"]) == n), key=lambda c: int(c["m"]))
    with STORED.open("a", newline="") as file, one_thread():
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        for cell in due:
            row = measure(cell)
            writer.writerow(row)
            file.flush()
            print(*row.values(), flush=True)


def lowest_references():
    """Return the lowest loss of each cell in references.csv."""
    lowest = {}
    with HERE.with_name("references.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            cell = int(row["n"]), row["law"], float(row["density"]), int(row["m"])
            lowest[cell] = min(float(row["loss"]), lowest.get(cell, np.inf))
    return lowest


def compare():
    """Solve the mean field at the stored cells; store both losses and the errors."""
    references = lowest_references()
    rows = []
    for row in read(STORED).values():
        cell = int(row["n"]), row["law"], float(row["density"]), int(row["m"])
        n, law, E, m = cell
        predicted, loss = ss.solve_mean_field(frequencies(law, n, E), m).loss, float(row["loss"])
        rows.append(
            {
                **dict(zip(CELL, cell, strict=True)),
                "fast": float(row["fast"]), "reference": references[cell], "trained": loss,
                "gained_by_doubling": float(row["gain"]), "converged": bool(int(row["converged"])),
                "predicted": predicted, "error": predicted / loss - 1,
                "over_reference": loss / references[cell] - 1, "steps": int(row["steps"]),
                "times_fast": float(row["seconds"]) / float(row["fast_seconds"]),
            }
        )  # fmt: skip
    rows.sort(key=lambda row: [row[name] for name in CELL])
    missing = [list(key) for key in read(HERE.with_name("cells.csv")) if key not in read(STORED)]
    error = np.abs([row["error"] for row in rows])
    over = np.array([row["over_reference"] for row in rows])
    record = {
        "command": "python studies/mean_field/converged.py",
        "python": platform.python_version(),
        "cells_trained": len(rows),
        "cells_not_trained": missing,
        "cells_converged": sum(row["converged"] for row in rows),
        "median_error": float(np.median(error)),
        "error_of_90_percent": float(np.quantile(error, 0.9)),
        "predicted_too_low": sum(row["error"] < 0 for row in rows),
        "below_the_reference": int(np.sum(over < 0)),
        "within_1_percent_of_the_lowest": int(np.sum(over <= 0.01)),
        "median_times_fast": float(np.median([row["times_fast"] for row in rows])),
        "cells": rows,
    }
    HERE.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")
    for name in list(record)[2:-1]:
        print(name, record[name])


if __name__ == "__main__":
    if not STORED.exists():
        STORED.write_text(",".join(FIELDS) + "\n")
    for given in sys.argv[1:]:
        train(int(given))
    compare()
