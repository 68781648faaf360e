"""How the loss of the toy model falls with training steps, the rate fixed or decayed.

Run ``python studies/training/loss_over_time.py`` (2 minutes on one core). Results are stored in
studies/training/loss_over_time.json.

For three frequency laws (n = 300, m = 20, E = 1, b = 0 at the start): at a fixed rate the mean
training loss over bins of steps in equal ratios; with the rate decayed to 5 %, one run for each
number of steps, its exact loss. ``gain`` is the loss above that of the longest decayed run; the
exponent of time is minus the slope of ln(gain) against ln(steps), between neighbouring records.
"""

import json
import platform
from itertools import pairwise
from pathlib import Path

import numpy as np

import superscale as ss

N, M = 300, 20
ALPHAS = (0.0, 1.0, 2.0)
LENGTHS = (375, 750, 1500, 3000, 6000, 12000, 24000)
BATCH = 128


def bin_losses(run):
    """Return the middle and the mean loss of bins of steps in ratios of 2."""
    edges = np.geomspace(90, 24000, 9)
    rows = []
    for low, high in pairwise(edges):
        inside = (run.steps >= low) & (run.steps < high)
        if inside.any():
            rows.append((float(np.sqrt(low * high)), float(np.mean(run.losses[inside]))))
    return rows


def measure(alpha):
    words = ss.Frequencies.power_law(n=N, alpha=alpha)
    common = {"batch": BATCH, "seed": 0}
    fixed = ss.train(
        words, M, steps=LENGTHS[-1], final_learning_rate=1.0, warmup_steps=50, **common
    )
    decayed = []
    for steps in LENGTHS:
        run = ss.train(words, M, steps=steps, **common)
        decayed.append((steps, float(ss.population_loss(run.model, words).loss)))
    least = decayed[-1][1]
    return {
        "alpha": alpha,
        "fixed": [
            {"steps": steps, "loss": loss, "gain": loss - least}
            for steps, loss in bin_losses(fixed)
        ],
        "decayed": [
            {"steps": steps, "loss": loss, "gain": loss - least} for steps, loss in decayed
        ],
        "exponents": {
            "fixed": slopes(bin_losses(fixed), least),
            "decayed": slopes(decayed[:-1], least),
        },
    }


def slopes(rows, least):
    """Return minus the local slopes of ln(loss - least) and of ln(loss) against ln(steps)."""
    steps, loss = (np.array(column) for column in zip(*rows, strict=True))
    change = np.diff(np.log(steps))
    return {
        "of the gain": [
            float(x) for x in -np.diff(np.log(np.maximum(loss - least, 1e-12))) / change
        ],
        "of the loss": [float(x) for x in -np.diff(np.log(loss)) / change],
    }


def main():
    record = {
        "command": "python studies/training/loss_over_time.py",
        "n": N,
        "m": M,
        "batch": BATCH,
        "machine": platform.machine(),
        "laws": [measure(alpha) for alpha in ALPHAS],
    }
    text = json.dumps(record, indent=1)
    Path(__file__).with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
