"""Dimensions per feature of trained models over sparsity: n = 400 features in m = 30 dimensions.

Run ``python studies/ground_state/plateaus.py`` (2 minutes on one core). All features are equally
important with density p and v ~ U(0, 1); ten models, one for each p, are trained together (weight
decay 0, 3000 steps of batch 128), since the ground state of 400 features is out of reach. Results
are stored in studies/ground_state/plateaus.json.
"""

import json
from pathlib import Path

import numpy as np

import superscale as ss

N, M = 400, 30
INVERSE_DENSITY = (1.0, 1.3, 1.8, 2.4, 3.2, 4.2, 5.6, 10.0, 18.0, 32.0)


def main():
    shown = [
        ss.Features(ss.Frequencies.from_probabilities([1 / x] * N), ss.Activation(0, 1))
        for x in INVERSE_DENSITY
    ]
    runs = ss.train_many(
        shown, M, seeds=[0] * len(shown), weight_decay=0.0, steps=3000, batch=128, rare_share=0.0
    )
    rows = []
    for inverse, features, run in zip(INVERSE_DENSITY, shown, runs, strict=True):
        norms = run.model.norms
        shares = ss.directions.feature_dimensionalities(run.model.W)
        rows.append(
            {
                "inverse_density": inverse,
                "loss": run.loss,
                "weak": float(ss.regimes.weak_loss(features, M)),
                "dimensions_per_feature": float(M / np.sum(norms**2)),
                "represented": int(np.sum(norms > 0.5)),
                "sum": float(shares.sum()),
                "dimensionalities": shares.round(4).tolist(),
            }
        )
        print({key: value for key, value in rows[-1].items() if key != "dimensionalities"})
    record = {"command": "python studies/ground_state/plateaus.py", "n": N, "m": M, "rows": rows}
    text = json.dumps(record) + "\n"
    Path(__file__).with_suffix(".json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
