"""The search for line packings against the best known ones: which cells of the table it reaches.

Run ``python studies/packings/best_known.py`` (3 minutes, 2 cores): every cell of
tests/data/real_lines.csv with m <= 8 and n <= 30, without explicit constructions, up to 60 seconds
on one core for each. Results are stored in studies/packings/best_known.json. Packings better than
the table are verified in 50 digits and stored in studies/packings/finds.
``python studies/packings/best_known.py sample`` (15 minutes): 60 cells drawn from those with
m <= 16 and n <= 50, up to 120 seconds for each; stored in
studies/packings/best_known_sample.json.
"""

import csv
import json
import multiprocessing
import os
import platform
import sys
import time
from pathlib import Path

import mpmath as mp
import numpy as np
import scipy

from numerics.packings.packing import Packing
from numerics.packings.search import pack
from theory.bounds.packing_bounds import bounds

TABLE = Path(__file__).parents[2] / "tests" / "data" / "real_lines.csv"
# The table gives 12 digits, or about 10: how close the same packing is, and how far a better one.
SAME, BETTER = 2e-10, 1e-9
# Packings better than the table's, each in a file.
FINDS = Path(__file__).parent / "finds"


def pin(cores):
    """Keep this process on a core of its own."""
    os.sched_setaffinity(0, {cores.get()})


def coherence_in_digits(vectors):
    """Return the largest |overlap| of the rows, scaled to length 1, in 50 digits."""
    with mp.workdps(50):
        rows = [[mp.mpf(float(x)) for x in row] for row in vectors]
        squares = [mp.fdot(u, u) for u in rows]
        return max(
            abs(mp.fdot(u, v)) / mp.sqrt(squares[i] * squares[i + 1 + j])
            for i, u in enumerate(rows)
            for j, v in enumerate(rows[i + 1 :])
        )


def search(cell):
    """Search one cell; stop once its known value is reached."""
    n, m, known, seconds = cell
    began = time.perf_counter()
    found = pack(n, m, seed=n * 100 + m, seconds=seconds, target=known + SAME, explicit=False)
    took = time.perf_counter() - began
    bound = bounds(n, m).best
    find = {}
    if found.value < known - BETTER:
        value = coherence_in_digits(found.vectors)
        find = {"in 50 digits": mp.nstr(value, 20)}
        FINDS.mkdir(exist_ok=True)
        path = FINDS / f"lines_{n}_{m}.npz"
        if not path.exists() or value < coherence_in_digits(Packing.load(path).vectors):
            found.save(path)
    return find | {
        "n": n,
        "m": m,
        "known": known,
        "found": found.value,
        "excess": found.value - known,
        "seconds": took,
        "method": found.method,
        "best_bound": bound.value,
        "bound": bound.name,
    }


def main():
    with TABLE.open() as file:
        table = [(int(r["n"]), int(r["m"]), float(r["coherence"])) for r in csv.DictReader(file)]
    sample = sys.argv[1:] == ["sample"]
    if sample:
        table = [cell for cell in table if cell[1] <= 16 and cell[0] <= 50]
        chosen = np.random.default_rng(60).choice(len(table), 60, replace=False)
        cells = [(*table[k], 120.0) for k in sorted(chosen)]
    else:
        cells = [(n, m, known, 60.0) for n, m, known in table if m <= 8 and n <= 30]
    results = []
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = "1"  # read when the processes, new ones, import numpy
    context = multiprocessing.get_context("spawn")
    cores = context.Queue()
    for core in os.sched_getaffinity(0):
        cores.put(core)
    with context.Pool(len(os.sched_getaffinity(0)), pin, (cores,)) as pool:
        for row in pool.imap(search, cells):
            results.append(row)
            print(row["n"], row["m"], f"{row['excess']:.2e}", f"{row['seconds']:.1f} s", flush=True)
    excess = np.array([row["excess"] for row in results])
    record = {
        "command": "python studies/packings/best_known.py" + " sample" * sample,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "seconds_per_cell": cells[0][3],
        "cells": len(results),
        "within_1e-7": float(np.mean(excess < 1e-7)),
        "worst_excess": float(excess.max()),
        "better_than_known": [row for row in results if row["excess"] < -BETTER],
        "bounds_beaten": sum(row["found"] < row["best_bound"] - 1e-12 for row in results),
        "results": results,
    }
    print({name: value for name, value in record.items() if name != "results"})
    name = "best_known_sample.json" if sample else "best_known.json"
    Path(__file__).with_name(name).write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
