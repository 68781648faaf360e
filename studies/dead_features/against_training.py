"""Shares of dead features: predicted from the biases at the start, and as 25 models ended.

Run ``python studies/dead_features/against_training.py`` (a quarter of an hour on one core). 17
models are those of studies/mean_field/dead_features.csv, 8 those of
studies/dead_features/measured.csv, chosen before any of them was trained. The reduced model is
given the biases that training began with. Of the features that it leaves alive, those that the mean
field does not keep count as dead too. Two controls: the same with all biases at 0, and the fitted
law of studies/mean_field/dead_features.py. Results are stored in
studies/dead_features/against_training.json; with the word print they are printed again.
"""

import csv
import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.special import ndtr

import superscale as ss
from empirical.training.settings import make_settings
from empirical.training.train import start
from theory.dead_features.prediction import predict_dead_features
from theory.dead_features.recipe import Recipe
from theory.mean_field.solve import solve_mean_field

STORED = Path(__file__).with_suffix(".json")
OLD = Path(__file__).parents[1] / "mean_field" / "dead_features.csv"
LAW = OLD.with_suffix(".json")
NEW = Path(__file__).with_name("measured.csv")
NAMES = ("n", "alpha", "density", "m", "seed", "rate", "weight_decay", "batch")
CLOSE = 0.03


def read(path):
    """Return the measured share of each setting."""
    counts = defaultdict(lambda: np.zeros(2))
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            setting = tuple(float(row.get(name) or 2048) for name in NAMES)
            counts[setting] += float(row["features"]), float(row["dead"])
    return {setting: float(dead / features) for setting, (features, dead) in counts.items()}


def law_share(constants, f, m, batch):
    """Return the share that dies by the fitted law."""
    c, k, q, log_width = constants
    part = f.p / f.density
    crowd = np.log(f.density) - part @ np.log(part)
    threshold = -2 + c * crowd * (40 / m) ** k - batch * f.p / q
    return float(ndtr(threshold / np.sqrt(1 + np.exp(2 * log_width))).mean())


def predict(setting, constants):
    """Return the shares that die by the reduced model, with the mean field, and by the law."""
    n, alpha, density, m, seed, rate, gamma, batch = setting
    n, m, batch = int(n), int(m), int(batch)
    f = ss.Frequencies.power_law(n, alpha, density=density)
    bias = start(n, m, make_settings(recipe="paper", seed=int(seed))).b.astype(float)
    recipe = Recipe(weight_decay=gamma, learning_rate=rate, batch=batch)
    found = predict_dead_features(f, m, recipe, bias=bias)
    kept = solve_mean_field(ss.Frequencies.from_probabilities(f.p[~found.dead]), m).live
    without = predict_dead_features(f, m, recipe, bias=np.zeros(n))
    return {
        "start": found.share,
        "predicted": 1 - kept / n,
        "zero_biases": without.share,
        "law": law_share(constants, f, m, batch),
    }


def is_close(row, name):
    """Return whether a share is within 0.03 of the measured one, counted in whole features."""
    return round(abs(row[name] - row["dead"]) * row["n"]) <= CLOSE * row["n"] + 1e-6


def show(record):
    """Print each model, and how many are close."""
    for row in record["models"]:
        print(
            f"{'chosen' if row['chosen'] else 'old'} n = {row['n']:g}, alpha = {row['alpha']:g}, "
            f"E = {row['density']:.3g}, m = {row['m']:g}, seed {row['seed']:g}, rate "
            f"{row['rate']:g}, weight decay {row['weight_decay']:.2f}, batch {row['batch']:g}: "
            f"dead {row['dead']:.3f}, at the start {row['start']:.3f}, predicted "
            f"{row['predicted']:.3f}, error {row['predicted'] - row['dead']:+.3f}, biases 0 "
            f"{row['zero_biases']:.3f}, fitted law {row['law']:.3f}"
        )
    for chosen in (False, True):
        rows = [row for row in record["models"] if row["chosen"] == chosen]
        close = {
            name: sum(is_close(row, name) for row in rows)
            for name in ("start", "predicted", "zero_biases", "law")
        }
        print(f"{'chosen' if chosen else 'old'}: of {len(rows)} within {CLOSE}: {close}")
    errors = [abs(row["predicted"] - row["dead"]) for row in record["models"]]
    print(f"median error {np.median(errors):.3f}, largest {max(errors):.3f}")


def main():
    constants = json.loads(LAW.read_text())["constants"]
    rows = []
    for chosen, measured in ((False, read(OLD)), (True, read(NEW))):
        for setting, dead in measured.items():
            row = dict(zip(NAMES, setting, strict=True)) | {"chosen": chosen, "dead": dead}
            rows.append(row | predict(setting, constants))
            print(rows[-1], flush=True)
    record = {"command": "python studies/dead_features/against_training.py", "models": rows}
    STORED.write_text(json.dumps(record, indent=1) + "\n")
    show(record)


if __name__ == "__main__":
    if sys.argv[1:] == ["print"]:
        show(json.loads(STORED.read_text()))
    else:
        main()
