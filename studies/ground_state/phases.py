"""Phase diagrams of two and three features over relative importance and density.

Run ``python studies/ground_state/phases.py`` (2 minutes on one core). The last of n features, n = 2
and 3, has a relative importance; all have the same density p and v ~ U(0, 1). Each cell is a ground
state in m = n - 1 dimensions: no training. Results are stored in studies/ground_state/phases.json.
"""

import json
from pathlib import Path

import numpy as np

import superscale as ss

IMPORTANCE = np.geomspace(0.1, 10, 13)
DENSITY = np.geomspace(0.01, 1, 13)


def solve(n, importance, p, starts):
    features = ss.Features(
        ss.Frequencies.from_probabilities([p] * n),
        ss.Activation(0, 1),
        importance=[1.0] * (n - 1) + [importance],
    )
    state = ss.ground_state(features, n - 1, starts=starts)
    return {
        "importance": importance,
        "p": p,
        "loss": state.loss,
        "dimensionalities": state.dimensionalities.tolist(),
        "norms": state.model.norms.tolist(),
        "shapes": list(state.shapes),
    }


def main():
    record = {"command": "python studies/ground_state/phases.py", "diagrams": {}}
    for n, starts in ((2, 4), (3, 6)):
        record["diagrams"][f"n = {n}, m = {n - 1}"] = [
            solve(n, float(i), float(p), starts) for p in DENSITY for i in IMPORTANCE
        ]
        print(f"n = {n}, m = {n - 1}: {IMPORTANCE.size * DENSITY.size} ground states", flush=True)
    Path(__file__).with_suffix(".json").write_text(json.dumps(record) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
