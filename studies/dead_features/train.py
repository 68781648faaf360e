"""Train models by the published recipe, and store what each feature started at and ended as.

Run ``python studies/dead_features/train.py`` (an hour on one core). It trains the settings of
studies/dead_features/chosen.csv, which were chosen before any theory of dead features was compared
with them, and those of studies/dead_features/blind.csv, which were chosen before they were trained,
with the reduced model as it then was. A feature is dead if it does not respond to its own largest
input, 2 r² + b <= 0. Counts by B p (how often a batch contains the feature) and by the bias at the
start are stored in studies/dead_features/measured.csv and studies/dead_features/measured_blind.csv;
settings found there are not trained again.
"""

import csv
from pathlib import Path

import numpy as np

import superscale as ss
from empirical.training.train import start

NAMES = ("n", "alpha", "density", "m", "seed", "rate", "weight_decay", "batch")
FIELDS = (*NAMES, "shown", "start", "features", "dead")
SHOWN_EDGES = (0.0, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, np.inf)
STEP = 0.1
HERE = Path(__file__).parent


def read(path):
    """Return the rows of a table of numbers."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [{name: float(x) for name, x in row.items()} for row in csv.DictReader(file)]


def count(shown, b_start, dead):
    """Return B p, b(0), and how many features there are, and how many dead, by cell."""
    group = np.searchsorted(SHOWN_EDGES, shown, side="right") - 1
    cell = np.floor(b_start / STEP).astype(int)
    rows = []
    for key in sorted(set(zip(group.tolist(), cell.tolist(), strict=True))):
        here = (group == key[0]) & (cell == key[1])
        level = f"{np.exp(np.mean(np.log(shown[here]))):.4g}"
        rows.append([level, f"{(key[1] + 0.5) * STEP:.2f}", int(here.sum()), int(dead[here].sum())])
    return rows


def measure(row):
    """Train one model by the published recipe."""
    n, m, seed, batch = (int(row[name]) for name in ("n", "m", "seed", "batch"))
    f = ss.Frequencies.power_law(n, row["alpha"], density=row["density"])
    run = ss.train(
        f,
        m,
        recipe="paper",
        weight_decay=row["weight_decay"],
        seed=seed,
        learning_rate=row["rate"],
        batch=batch,
    )
    b_start = start(n, m, run.settings).b
    return count(batch * f.p, b_start, run.model.b + 2 * run.model.norms**2 <= 0)


def train(chosen, path):
    """Train the settings of one table, and add their counts to another."""
    done = {tuple(row[name] for name in NAMES) for row in read(path)}
    if not path.exists():
        path.write_text(",".join(FIELDS) + "\n")
    for row in read(chosen):
        setting = tuple(row[name] for name in NAMES)
        if setting in done:
            continue
        rows = [[*(f"{x:.10g}" for x in setting), *counts] for counts in measure(row)]
        with path.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
        features, dead = (sum(counts[k] for counts in rows) for k in (-2, -1))
        print(setting, f"dead {dead / features:.3f}", flush=True)


def main():
    train(HERE / "chosen.csv", HERE / "measured.csv")
    train(HERE / "blind.csv", HERE / "measured_blind.csv")


if __name__ == "__main__":
    main()
