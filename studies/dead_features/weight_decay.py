"""How many features weight decay leaves, by the reduced model of training, with nothing fitted.

Run ``python studies/dead_features/weight_decay.py`` (three minutes on one core). The runs are those
of studies/mean_field/weight_decay.json: the published recipe at gamma > 0, n = 1000, alpha = 1,
E = 1, and the number of rows that end with norm above 1/2. The reduced model is given the biases
that training began with. Results are stored in studies/dead_features/weight_decay.json; with the
word print they are printed again.
"""

import json
import sys
from pathlib import Path

import numpy as np

import superscale as ss
from empirical.training.settings import make_settings
from empirical.training.train import start
from theory.dead_features.classes import make_classes
from theory.dead_features.dynamics import run
from theory.dead_features.recipe import Recipe

STORED = Path(__file__).with_suffix(".json")
RUNS = Path(__file__).parents[1] / "mean_field" / "weight_decay.json"


def predict(m, gamma):
    """Return the number of rows with norm above 1/2 at the end."""
    f = ss.Frequencies.power_law(1000, alpha=1.0)
    bias = start(1000, m, make_settings(recipe="paper", seed=0)).b.astype(float)
    classes = make_classes(f.p, bias)
    end = run(classes, m, Recipe(weight_decay=gamma))
    return int(classes.weight[np.hypot(end.c, end.q) > 0.5].sum())


def show(record):
    """Print each run."""
    for row in record["rows"]:
        print(
            f"m = {row['m']}, weight decay {row['weight_decay']:.2f}: {row['measured']} rows, "
            f"predicted {row['predicted']} ({row['predicted'] / row['measured']:.2f}), with the "
            f"fitted constant {row['solved']} ({row['solved'] / row['measured']:.2f})"
        )
    off = [max(r["predicted"] / r["measured"], r["measured"] / r["predicted"])
           for r in record["rows"]]  # fmt: skip
    close = sum(factor <= 1.35 for factor in off)
    print(f"of {len(off)} within a factor of 1.35: {close}; median factor {np.median(off):.2f}")


def main():
    rows = []
    for row in json.loads(RUNS.read_text())["rows"]:
        kept = {name: row[name] for name in ("m", "weight_decay", "measured", "solved")}
        rows.append(kept | {"predicted": predict(row["m"], row["weight_decay"])})
    record = {"command": "python studies/dead_features/weight_decay.py", "rows": rows}
    STORED.write_text(json.dumps(record, indent=1) + "\n")
    show(record)


if __name__ == "__main__":
    if sys.argv[1:] == ["print"]:
        show(json.loads(STORED.read_text()))
    else:
        main()
