"""The mean field against trained models, cell by cell, with nothing fitted and none left out.

Run ``python studies/mean_field/against_training.py`` (five minutes on one core). It predicts the
loss of every cell of studies/mean_field/references.csv and compares it with the lowest loss of the
runs of that cell; likewise the local exponents between neighbouring widths. Results are stored in
studies/mean_field/against_training.json.
"""

import csv
import itertools
import json
import platform
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import superscale as ss
from theory.mean_field.solve import solve_mean_field


def frequencies(law, n, E):
    """Return the frequencies of a cell."""
    if law == "linear":
        return ss.Frequencies.linear(n, E)
    if law == "exponential":
        return ss.Frequencies.exponential(n, n / 5, E)
    return ss.Frequencies.power_law(n, float(law), E)


def lowest_losses(path):
    """Return the lowest trained loss of each cell, and by how much the last doubling lowered it."""
    runs = defaultdict(dict)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            cell = (int(row["n"]), row["law"], float(row["density"]), int(row["m"]))
            key = (row["growth_rate"], row["rate"], row["seed"], int(row["steps"]))
            runs[cell][key] = float(row["loss"])
    for cell, losses in runs.items():
        doubled = [(key[3], key) for key in losses if (*key[:3], key[3] // 2) in losses]
        still = None
        if doubled:
            _, key = max(doubled)
            still = 1 - losses[key] / losses[(*key[:3], key[3] // 2)]
        yield cell, min(losses.values()), still


def predict(cell):
    """Solve one cell; return what is stored of it."""
    n, law, E, m = cell
    began = time.process_time()
    found = solve_mean_field(frequencies(law, n, E), m)
    return {
        "predicted": found.loss, "live": found.live, "exponent": found.exponent,
        "uncertainty": found.uncertainty, "seconds": time.process_time() - began,
    }  # fmt: skip


def compare_exponents(rows):
    """Return the trained slope between neighbouring widths and the mean of the predicted ones."""
    pairs = []
    for one, two in itertools.pairwise(rows):
        if [one[k] for k in ("n", "law", "density")] == [two[k] for k in ("n", "law", "density")]:
            step = np.log(two["m"] / one["m"])
            pairs.append(
                {
                    "n": one["n"], "law": one["law"], "density": one["density"],
                    "m": [one["m"], two["m"]],
                    "trained": float(np.log(one["trained"] / two["trained"]) / step),
                    "losses": float(np.log(one["predicted"] / two["predicted"]) / step),
                    "local": (one["exponent"] + two["exponent"]) / 2,
                }
            )  # fmt: skip
    return pairs


def main():
    rows = []
    with threadpool_limits(limits=1):
        here = Path(__file__)
        for cell, trained, still in lowest_losses(here.with_name("references.csv")):
            row = dict(zip(("n", "law", "density", "m"), cell, strict=True), trained=trained)
            row |= {"gained_by_doubling": still, **predict(cell)}
            row["error"] = row["predicted"] / trained - 1
            rows.append(row)
            print(
                f"n = {row['n']}, {row['law']}, E = {row['density']:g}, m = {row['m']}: trained "
                f"{trained:.4g}, predicted {row['predicted']:.4g} ({row['error']:+.1%}), "
                f"{row['seconds']:.1f} s",
                flush=True,
            )
    rows.sort(key=lambda row: (row["n"], row["law"], row["density"], row["m"]))
    pairs = compare_exponents(rows)
    error = np.abs([row["error"] for row in rows])
    record = {
        "command": "python studies/mean_field/against_training.py",
        "python": platform.python_version(),
        "median_error": float(np.median(error)),
        "error_of_90_percent": float(np.quantile(error, 0.9)),
        "exponents_within_0.1": {
            name: float(np.mean([abs(pair[name] - pair["trained"]) <= 0.1 for pair in pairs]))
            for name in ("losses", "local")
        },
        "cells": rows,
        "pairs": pairs,
    }
    print(f"median {np.median(error):.1%}, 90 % within {np.quantile(error, 0.9):.1%}")
    for pair in pairs:
        print(" ".join(f"{value:.2f}" if isinstance(value, float) else str(value)
                       for value in pair.values()))  # fmt: skip
    here.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
