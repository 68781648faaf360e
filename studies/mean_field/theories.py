"""How far every theory is off, on stored losses of trained models.

Run ``python studies/mean_field/theories.py`` (about 2 minutes on one core). Nothing is trained.
Medians and the errors that 90 % of the comparisons do not exceed are stored in
studies/mean_field/theories.json; ``superscale theories`` shows them. A factor is that by which a
loss is too large or too small.

- Losses in strong superposition: the 42 cells of studies/mean_field/against_training.json.
- Losses in weak superposition: the shipped grid (n = 1000, weight decay 0.56 to 1, fast recipe).
- Exponents: slopes between neighbouring widths of studies/mean_field/exponent_map.json.
"""

import itertools
import json
from pathlib import Path

import numpy as np

import superscale as ss
from empirical.comparisons.shipped import load_measured

HERE = Path(__file__).parent
STRONG = ("gaussian", "equiangular", "hard_wall", "weak")


def make_frequencies(cell):
    """Return the frequencies of a cell of cells.csv."""
    n, law, density = cell["n"], cell["law"], cell["density"]
    if law == "exponential":
        return ss.Frequencies.exponential(n, n / 5, density)
    if law == "linear":
        return ss.Frequencies.linear(n, density)
    return ss.Frequencies.power_law(n, float(law), density)


def summarise(errors, quantity):
    """Return count, median and 90 % of some errors; of ratios, the factor up or down."""
    errors = np.array(errors)
    errors = np.exp(np.abs(np.log(errors))) if quantity == "factor" else np.abs(errors)
    errors = errors[np.isfinite(errors)]
    return {
        "quantity": quantity,
        "cells": int(errors.size),
        "median": float(np.median(errors)),
        "of_90_percent": float(np.quantile(errors, 0.9)),
    }


def main():
    stored = json.loads((HERE / "against_training.json").read_text(encoding="utf-8"))["cells"]
    record = {"command": "python studies/mean_field/theories.py"}
    record["mean_field"] = summarise([cell["error"] for cell in stored], "loss")
    errors = {name: [] for name in STRONG}
    for cell in stored:
        found = ss.predict(make_frequencies(cell), cell["m"], theory=STRONG)
        for name in STRONG:
            loss = found.loss[name]
            errors[name].append(loss / cell["trained"] if loss > 0 else np.nan)
    record |= {name: summarise(found, "factor") for name, found in errors.items()}
    record["weak, strong superposition"] = record.pop("weak")

    grid = load_measured("grid")
    grid = grid[grid["weight_decay"] > 0.5]
    off = []
    for alpha, part in grid.groupby("alpha"):
        frequencies = ss.Frequencies.power_law(1000, float(alpha))
        loss = ss.regimes.weak_loss(frequencies, part["m"].to_numpy())
        off += (loss / part["loss"].to_numpy() - 1).tolist()
    record["weak"] = summarise(off, "loss")
    lost_rows = grid["lost_rows_loss"] / grid["loss"] - 1
    record["weak, rows lost"] = summarise(lost_rows.to_numpy(), "loss")

    trained = json.loads((HERE / "exponent_map.json").read_text(encoding="utf-8"))["trained"]
    even, skewed = [], []
    for one, two in itertools.pairwise(trained):
        if one["alpha"] == two["alpha"]:
            slope = np.log(one["loss"] / two["loss"]) / np.log(two["m"] / one["m"])
            even.append(slope - 1)
            if one["alpha"] > 1:
                skewed.append(slope - 2 * (one["alpha"] - 1))
    record["strong_even"] = summarise(even, "exponent")
    record["strong_skewed"] = summarise(skewed, "exponent")
    (HERE / "theories.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    for name, found in record.items():
        print(name, found)


if __name__ == "__main__":
    main()
