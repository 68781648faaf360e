"""Ground states over sparsity: five features in two dimensions, and twenty in five.

Run ``python studies/ground_state/sparsity.py`` (3 minutes on one core). v ~ U(0, 1); the five are
equally important, the twenty have I_i = 0.7^(i - 1). Results are stored in
studies/ground_state/sparsity.json.
"""

import json
from pathlib import Path

import numpy as np

import superscale as ss

FIVE = (1.0, 0.6, 0.4, 0.3, 0.2, 0.15, 0.12, 0.1, 0.08, 0.05, 0.02)
TWENTY = (1.0, 0.2, 0.05, 0.01)


def solve(n, m, p, ratio, starts):
    features = ss.Features(
        ss.Frequencies.from_probabilities([p] * n), ss.Activation(0, 1), ratio ** np.arange(n)
    )
    state = ss.ground_state(features, m, starts=starts)
    print(f"p = {p:g}: {state}", flush=True)
    return {
        "p": p,
        "loss": state.loss,
        "weak": float(ss.regimes.weak_loss(features, m)),
        "counts": state.counts.tolist(),
        "minima": state.minima.tolist(),
        "dimensionalities": state.dimensionalities.tolist(),
        "shapes": list(state.shapes),
        "W": state.W.round(6).tolist(),
        "b": state.b.round(6).tolist(),
    }


def main():
    record = {"command": "python studies/ground_state/sparsity.py", "five": [], "twenty": []}
    for name, n, m, ratio, starts, densities in (
        ("five", 5, 2, 1.0, 8, FIVE),
        ("twenty", 20, 5, 0.7, 8, TWENTY),
    ):
        for p in densities:
            record[name].append(solve(n, m, p, ratio, starts))
            text = json.dumps(record) + "\n"
            Path(__file__).with_suffix(".json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
