"""Which features are lost decides the weak loss: three forms of the theory against trained models.

Run ``python studies/training/weak_superposition.py`` (8 minutes on two cores). Results are stored
in studies/training/weak_superposition.json; ``python examples/weak_superposition.py`` draws them.

Models are trained by the published recipe with positive weight decay. Their biases start at
N(0, 1), and a feature whose bias starts too low dies early, however frequent it is. So a trained
model does not keep the m most frequent features. The loss, of 2²¹ fresh samples, is compared with

- top_m: the m most frequent kept (the ideal, what can be predicted without training);
- ranks: as many of the most frequent kept as the model represents, φ_1/2 n (the published form);
- rows:  exactly the features that this model lost, those with |W_i| < 1/2.
"""

import argparse
import json
from pathlib import Path

import numpy as np

import superscale as ss


def measure(run, frequencies, alpha):
    """Return the loss of a trained model and what each form of the theory gives for it."""
    inside = ss.measure(run.model, frequencies)
    return {
        "alpha": alpha,
        "m": run.model.m,
        "seed": run.settings.seed,
        "loss": ss.monte_carlo_loss(run.model, frequencies, 2**21, seed=7).loss,
        "top_m": float(ss.regimes.weak_loss(frequencies, run.model.m)),
        "ranks": inside.lost_ranks_loss,
        "rows": inside.lost_rows_loss,
        "first_lost_ranks": [int(i) + 1 for i in np.flatnonzero(inside.norms < 0.5)[:8]],
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=2, help="processes that train")
    arguments = parser.parse_args()
    rows = []
    for alpha in (1.75, 2.0):
        frequencies = ss.Frequencies.power_law(n=200, alpha=alpha)
        comparison = ss.compare(
            frequencies,
            m=[4, 8, 16, 32],
            seeds=2,
            recipe="paper",
            weight_decay=0.5556,
            workers=arguments.workers,
        )
        rows += [measure(run, frequencies, alpha) for run in comparison.runs]
        for row in rows[-8:]:
            print(row, flush=True)
    for name in ("rows", "top_m", "ranks"):
        off = np.array([abs(row["loss"] / row[name] - 1) for row in rows])
        print(f"{name}: |measured/predicted - 1| {np.median(off):.3f} (median), {off.max():.3f}")
    record = {"command": "python studies/training/weak_superposition.py", "rows": rows}
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
