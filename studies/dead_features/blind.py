"""The reduced model at settings that were listed before any of them was trained.

Run ``python studies/dead_features/blind.py`` (two minutes). The settings are those of
studies/dead_features/blind.csv, six before frequent rows turned class by class in the model (seed
2) and six, drawn at random, after it (seed 3); later changes of the model could see all twelve.
What they ended as is in studies/dead_features/measured_blind.csv (made by
``python studies/dead_features/train.py``). The reduced model is given the biases that training
began with; of the features that it leaves alive, those that the mean field does not keep count as
dead too. Results are stored in studies/dead_features/blind.json; with the word print they are
printed again.
"""

import csv
import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

import superscale as ss
from empirical.training.settings import make_settings
from empirical.training.train import start
from theory.dead_features.prediction import predict_dead_features
from theory.dead_features.recipe import Recipe
from theory.mean_field.solve import solve_mean_field

STORED = Path(__file__).with_suffix(".json")
MEASURED = Path(__file__).with_name("measured_blind.csv")
NAMES = ("n", "alpha", "density", "m", "seed", "rate", "weight_decay", "batch")
CLOSE = 0.03


def read():
    """Return the measured share of each setting."""
    counts = defaultdict(lambda: np.zeros(2))
    with MEASURED.open(newline="") as file:
        for row in csv.DictReader(file):
            setting = tuple(float(row[name]) for name in NAMES)
            counts[setting] += float(row["features"]), float(row["dead"])
    return {setting: float(dead / features) for setting, (features, dead) in counts.items()}


def predict(setting):
    """Return the share that dies by the reduced model."""
    n, alpha, density, m, seed, rate, gamma, batch = setting
    f = ss.Frequencies.power_law(int(n), alpha, density=density)
    bias = start(int(n), int(m), make_settings(recipe="paper", seed=int(seed))).b.astype(float)
    recipe = Recipe(weight_decay=gamma, learning_rate=rate, batch=int(batch))
    dead = predict_dead_features(f, int(m), recipe, bias=bias).dead
    kept = solve_mean_field(ss.Frequencies.from_probabilities(f.p[~dead]), int(m)).live
    return 1 - kept / f.n


def show(record):
    """Print each model, and how many are close."""
    for row in record["models"]:
        print(
            f"n = {row['n']:g}, alpha = {row['alpha']:g}, E = {row['density']:g}, m = "
            f"{row['m']:g}, rate {row['rate']:g}, weight decay {row['weight_decay']:.2f}, batch "
            f"{row['batch']:g}: dead {row['dead']:.3f}, predicted {row['predicted']:.3f}"
        )
    for seed, when in ((2, "before"), (3, "after")):
        rows = [row for row in record["models"] if row["seed"] == seed]
        errors = [abs(row["predicted"] - row["dead"]) for row in rows]
        # Shares are whole features over n: a difference of 0.03 is within 0.03.
        close = sum(
            round(error * row["n"]) <= CLOSE * row["n"] + 1e-6
            for error, row in zip(errors, rows, strict=True)
        )
        print(f"listed {when} frequent rows turned: of {len(errors)} within {CLOSE}: "
              f"{close}; median error {np.median(errors):.3f}")  # fmt: skip


def main():
    rows = [
        dict(zip(NAMES, setting, strict=True)) | {"dead": dead, "predicted": predict(setting)}
        for setting, dead in read().items()
    ]
    record = {"command": "python studies/dead_features/blind.py", "models": rows}
    STORED.write_text(json.dumps(record, indent=1) + "\n")
    show(record)


if __name__ == "__main__":
    if sys.argv[1:] == ["print"]:
        show(json.loads(STORED.read_text()))
    else:
        main()
