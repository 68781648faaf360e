"""The ground state against the best of fifty trained models, at ten settings.

Run ``python studies/ground_state/against_training.py`` (8 minutes on one core). Each setting trains
fifty models (weight decay 0, 3000 steps of batch 256, seeds 0 to 49); the loss of each is exact.
The best one is finished as well: the local minimum that it would have ended at. Results are stored
in studies/ground_state/against_training.json.
"""

import json
from pathlib import Path

import numpy as np

import superscale as ss

# n, m, p, ratio of importances; v ~ U(0, 1).
SETTINGS = (
    (2, 1, 0.1, 1.0),
    (2, 1, 0.5, 0.5),
    (3, 2, 0.1, 1.0),
    (4, 2, 0.3, 0.9),
    (5, 2, 0.05, 1.0),
    (5, 2, 0.2, 1.0),
    (5, 2, 1.0, 0.9),
    (6, 3, 0.05, 0.8),
    (8, 3, 0.02, 1.0),
    (10, 4, 0.05, 0.9),
)


def compare(n, m, p, ratio):
    features = ss.Features(
        ss.Frequencies.from_probabilities([p] * n), ss.Activation(0, 1), ratio ** np.arange(n)
    )
    state = ss.ground_state(features, m)
    runs = ss.train_many(features, m, seeds=50, weight_decay=0.0, steps=3000, batch=256)
    losses = [ss.population_loss(run.model, features).loss for run in runs]
    best = runs[int(np.argmin(losses))]
    finished = ss.ground_state(features, start=best.model)
    return {
        "n": n,
        "m": m,
        "p": p,
        "ratio": ratio,
        "ground": state.loss,
        "starts": state.starts,
        "ended_there": int(state.counts[0]),
        "best_trained": min(losses),
        "median_trained": float(np.median(losses)),
        "best_finished": finished.loss,
        "trained_to_ground": int(sum(loss < 1.02 * state.loss for loss in losses)),
        "shapes": list(state.shapes),
    }


def main():
    record = {"command": "python studies/ground_state/against_training.py", "rows": []}
    for setting in SETTINGS:
        row = compare(*setting)
        record["rows"].append(row)
        print(
            f"n {row['n']:2d}  m {row['m']}  p {row['p']:4.2f}  ratio {row['ratio']:.1f}  "
            f"ground {row['ground']:.6g}  best trained {row['best_trained']:.6g}  finished "
            f"{row['best_finished']:.6g}  within 2 %: {row['trained_to_ground']} of 50",
            flush=True,
        )
        text = json.dumps(record, indent=1) + "\n"
        Path(__file__).with_suffix(".json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
