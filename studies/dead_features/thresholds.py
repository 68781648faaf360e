"""The bias at the start below which a feature dies, predicted and measured, at four widths.

Run ``python studies/dead_features/thresholds.py`` (half a minute). Measured: place and width of a
normal distribution function fitted to who died (studies/mean_field/dead_features.csv; n = 1000,
alpha = 1, E = 1), for features that a batch contains less than ten times. Predicted: mean over the
same features. Results are stored in studies/dead_features/thresholds.json.
"""

import csv
import json
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_ndtr

import superscale as ss
from empirical.training.settings import make_settings
from empirical.training.train import start
from theory.dead_features.prediction import predict_dead_features
from theory.dead_features.recipe import Recipe

COUNTS = Path(__file__).parents[1] / "mean_field" / "dead_features.csv"
GAMMA, BATCH, SHOWN = -0.55555556, 2048, 10
SETTING = {"n": 1000.0, "alpha": 1.0, "density": 1.0, "rate": 0.01, "weight_decay": GAMMA}


def fit(m):
    """Return place and width of the measured threshold."""
    with COUNTS.open(newline="") as file:
        rows = [{name: float(x) for name, x in row.items()} for row in csv.DictReader(file)]
    here = [
        row
        for row in rows
        if row["m"] == m
        and row["shown"] < SHOWN
        and all(np.isclose(row[name], value) for name, value in SETTING.items())
    ]
    b, features, dead = (np.array([row[name] for row in here]) for name in
                         ("start", "features", "dead"))  # fmt: skip

    def unlikely(x):
        z = (x[0] - b) / np.exp(x[1])
        return -np.sum(dead * log_ndtr(z) + (features - dead) * log_ndtr(-z))

    place, width = minimize(unlikely, [-1.0, -1.5], method="Nelder-Mead").x
    return float(place), float(np.exp(width))


def main():
    f = ss.Frequencies.power_law(1000, alpha=1.0)
    rows = []
    for m in (25, 39, 63, 100):
        bias = start(1000, m, make_settings(recipe="paper", seed=0)).b.astype(float)
        found = predict_dead_features(f, m, Recipe(weight_decay=GAMMA), bias=bias)
        here = found.threshold[found.p < SHOWN / BATCH]
        place, width = fit(m)
        predicted = float(here[np.isfinite(here)].mean())
        rows.append({"m": m, "measured": place, "width": width, "predicted": predicted})
        print(f"m = {m}: measured {place:.2f}, width {width:.2f}, predicted {predicted:.2f}")
    record = {"command": "python studies/dead_features/thresholds.py", "rows": rows}
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
