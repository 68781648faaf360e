"""Who dies at exponential frequencies and the rates of Figure 1: trained beside predicted.

Run ``python studies/dead_features/exponential.py`` (half an hour on one core). Two models with the
rates and the weight decay of Figure 1, at a quarter and at half of its n and of the scale of its
frequencies, m = 64 and 128, are trained and predicted from the same biases. Stored are the loss of
the dead, and, for features of frequency 1e-4 and more, how many there are and how many died in
training and by the reduced model, by the bias at the start. Results are stored in
studies/dead_features/exponential.json; with the word print they are printed again.
"""

import itertools
import json
import sys
from pathlib import Path

import numpy as np

import superscale as ss
from empirical.training.run import dead_loss
from empirical.training.train import start
from theory.dead_features.prediction import predict_dead_features
from theory.dead_features.recipe import Recipe
from theory.features import as_features

STORED = Path(__file__).with_suffix(".json")
SETTINGS = ((2560, 100.0, 64), (5120, 200.0, 128))
EDGES = (-np.inf, -2.4, -2.0, -1.6, -1.0, 0.0, np.inf)
LEAST = 1e-4
LARGEST = 2.0  # v


def compare(n, scale, m):
    """Train and predict one model; return what is stored of it."""
    f = ss.Frequencies.exponential(n, scale)
    rates = {
        "weight_decay": -1.0,
        "learning_rate": 0.02 * (8 / m) ** 0.25,
        "bias_learning_rate": 2 / m,
        "warmup_steps": 1000,
        "loss_scale": 100.0,
    }
    run = ss.train(f, m, recipe="paper", seed=0, batch=2048, steps=20_000, **rates)
    bias = start(n, m, run.settings).b
    dead = run.model.b + LARGEST * run.model.norms**2 <= 0
    found = predict_dead_features(f, m, Recipe(**rates), bias=bias.astype(float))
    rows = []
    for low, high in itertools.pairwise(EDGES):
        here = (f.p >= LEAST) & (bias >= low) & (bias < high)
        rows.append({
            "below": None if np.isinf(high) else high, "features": int(here.sum()),
            "trained": int(dead[here].sum()), "predicted": int(found.dead[here].sum()),
        })  # fmt: skip
    return {
        "n": n, "scale": scale, "m": m, "loss": float(run.loss),
        "dead_loss": dead_loss(as_features(f), dead), "predicted_dead_loss": found.loss,
        "mean_field_of_the_others":
            ss.solve_mean_field(ss.Frequencies.from_probabilities(f.p[~dead]), m).loss,
        "starts": rows,
    }  # fmt: skip


def show(record):
    """Print the losses, and the dead by the bias at the start."""
    for model in record["models"]:
        print(
            f"n = {model['n']}, m = {model['m']}: loss {model['loss']:.4f}, of the dead "
            f"{model['dead_loss']:.4f}, predicted {model['predicted_dead_loss']:.4f}; mean field "
            f"of the others {model['mean_field_of_the_others']:.4f}"
        )
        low = "-inf"
        for row in model["starts"]:
            high = "inf" if row["below"] is None else f"{row['below']:g}"
            print(
                f"  bias at the start {low} to {high}: of {row['features']} features "
                f"{row['trained']} died, {row['predicted']} predicted"
            )
            low = high


def main():
    models = []
    for setting in SETTINGS:
        models.append(compare(*setting))
        print(models[-1], flush=True)
    record = {"command": "python studies/dead_features/exponential.py", "models": models}
    STORED.write_text(json.dumps(record, indent=1) + "\n")
    show(record)


if __name__ == "__main__":
    if sys.argv[1:] == ["print"]:
        show(json.loads(STORED.read_text()))
    else:
        main()
