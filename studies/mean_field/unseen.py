"""The mean field at settings drawn at random, before any of them was trained.

Run ``python studies/mean_field/unseen.py`` (hours on one core, most of them for the steepest
frequencies). Sixteen settings are drawn with one seed: n from 200 to 800, n/m from 4 to 40, E from
0.2 to 5, a law of the frequencies and a law of v. Each model is trained once (seed 0) by the recipe
"converged", which stops when as many samples as before lower the exact loss by less than 1 %, and
the mean field is solved once. Results are stored in studies/mean_field/unseen.json as they come; a
run goes on where the last one stopped.
"""

import json
import time
from pathlib import Path

import numpy as np

import superscale as ss

SEED, SETTINGS = 20261128, 16
LAWS = ("0", "0.25", "0.75", "1.25", "1.75", "2.25", "exponential", "linear")
ACTIVATIONS = {
    "U(0, 2)": ss.Activation(),
    "U(0.5, 1.5)": ss.Activation(0.5, 1.5),
    "two steps": ss.Activation(0.0, 2.0, shares=(3, 1)),
}


def frequencies(n, law, E):
    """Return the frequencies of a setting."""
    if law == "linear":
        return ss.Frequencies.linear(n, E)
    if law == "exponential":
        return ss.Frequencies.exponential(n, n / 8, E)
    return ss.Frequencies.power_law(n, float(law), E)


def draw():
    """Return the settings; each law of the frequencies occurs twice, and no p is above 0.8."""
    rng = np.random.default_rng(SEED)
    settings = []
    for law in LAWS * 2:
        n = int(np.exp(rng.uniform(np.log(200), np.log(800))))
        m = int(n / np.exp(rng.uniform(np.log(4), np.log(40))))
        most = min(5, 0.8e-3 / frequencies(n, law, 1e-3).largest)
        E = float(np.round(np.exp(rng.uniform(np.log(0.2), np.log(most))), 2))
        activation = str(rng.choice(list(ACTIVATIONS)))
        settings.append({"n": n, "law": law, "density": E, "m": m, "activation": activation})
    return settings


def features(setting):
    """Return the features of a setting."""
    given = frequencies(setting["n"], setting["law"], setting["density"])
    return ss.Features(given, activation=ACTIVATIONS[setting["activation"]])


def measure(setting):
    """Return the setting with its predicted and its trained loss."""
    f = features(setting)
    began = time.process_time()
    predicted = ss.solve_mean_field(f, setting["m"])
    seconds = time.process_time() - began
    run = ss.train(f, setting["m"], recipe="converged", seed=0)
    return {
        **setting, "predicted": predicted.loss, "seconds": round(seconds, 2),
        "trained": run.loss, "converged": run.convergence.converged,
        "gained_by_doubling": run.convergence.gain, "error": predicted.loss / run.loss - 1,
    }  # fmt: skip


def main():
    path = Path(__file__).with_suffix(".json")
    cells = json.loads(path.read_text())["cells"] if path.exists() else []
    done = [
        {name: one[name] for name in ("n", "law", "density", "m", "activation")} for one in cells
    ]
    # The steepest frequencies take hours of training: they come last.
    for setting in sorted(draw(), key=lambda one: one["law"] == "2.25"):
        if setting in done:
            continue
        cells.append(measure(setting))
        print(cells[-1], flush=True)
        error = np.abs([one["error"] for one in cells])
        record = {
            "command": "python studies/mean_field/unseen.py", "seed": SEED,
            "settings": len(cells), "converged": sum(one["converged"] for one in cells),
            "median_error": float(np.median(error)), "largest_error": float(error.max()),
            "error_of_90_percent": float(np.quantile(error, 0.9)),
            "predicted_too_low": sum(one["error"] < 0 for one in cells),
            "most_seconds": max(one["seconds"] for one in cells), "cells": cells,
        }  # fmt: skip
        path.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
