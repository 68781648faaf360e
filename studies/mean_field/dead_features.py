"""Which features die early under the published recipe: a fitted law of the bias at the start.

Run ``python studies/mean_field/dead_features.py`` (an hour on one core). Biases start at N(0, 1).
Models are trained by the published recipe over widths, frequencies, E, n, learning rates and weight
decay. A feature is dead if it does not respond to its own largest input, 2 r² + b <= 0. Counts by
bias at the start and by B p (how often a batch contains the feature) are stored in
studies/mean_field/dead_features.csv; models found there are not trained again.

The law is fitted to those trained at the recipe's own rate where the mean field keeps all features.
It has three constants c, k, q and a width s:

    dead if b(0) + s noise < -2 + c ln(E e^H) (40/m)^k - B p/q.

At b(0) = -2 a feature of norm 1 is dead from the start; e^H, with H the entropy of p/E, is the
effective number of features. The law is empirical: the forces that set it are not known. Results
are stored in studies/mean_field/dead_features.json.
"""

import csv
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_ndtr, ndtr

import superscale as ss
from empirical.training.train import start

BATCH, GAMMA = 2048, -0.55555556
# n, alpha, E, m, seed, learning rate, weight decay. The second block is not fitted.
FITTED = [
    *((1000, 1.0, 1.0, m, 0, 1e-2, GAMMA) for m in (25, 39, 63, 100)),
    *((1000, 1.0, 3.4321, m, 0, 1e-2, GAMMA) for m in (39, 63)),
    *((1000, alpha, 1.0, 39, 0, 1e-2, GAMMA) for alpha in (0.0, 2.0)),
    *((n, 1.0, 1.0, 39, 0, 1e-2, GAMMA) for n in (300, 3000)),
]
SHOWN = [
    (1000, 1.0, 0.3, 39, 0, 1e-2, GAMMA),
    (1000, 1.2, 1.0, 39, 0, 1e-2, -1.0),
    (1000, 1.0, 1.0, 39, 0, 1e-2, -0.11111),
    (1000, 1.0, 1.0, 39, 0, 2e-2, GAMMA),
    *((1000, 1.0, 1.0, m, 0, 1e-2, GAMMA) for m in (10, 15)),
    (1000, 1.0, 3.4321, 25, 0, 1e-2, GAMMA),
]
NAMES = ("n", "alpha", "density", "m", "seed", "rate", "weight_decay")
FIELDS = (*NAMES, "shown", "start", "features", "dead")
SHOWN_EDGES = (0.0, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, np.inf)
STEP = 0.1


def count(setting, f, b_start, dead):
    """Return how many features there are, and how many dead, in cells of B p and of b(0)."""
    shown = np.searchsorted(SHOWN_EDGES, BATCH * f.p, side="right") - 1
    cell = np.floor(b_start / STEP).astype(int)
    rows = []
    for key in sorted(set(zip(shown.tolist(), cell.tolist(), strict=True))):
        here = (shown == key[0]) & (cell == key[1])
        level = f"{np.exp(np.mean(np.log(BATCH * f.p[here]))):.4g}"
        place = f"{(key[1] + 0.5) * STEP:.2f}"
        rows.append([*setting, level, place, int(here.sum()), int(dead[here].sum())])
    return rows


def measure(setting):
    """Train one model by the published recipe."""
    n, alpha, E, m, seed, rate, gamma = setting
    f = ss.Frequencies.power_law(n, alpha, density=E)
    run = ss.train(f, m, recipe="paper", weight_decay=gamma, seed=seed, learning_rate=rate)
    b_start = start(n, m, run.settings).b
    return count(setting, f, b_start, run.model.b + 2 * run.model.norms**2 <= 0)


def threshold(constants, m, shown, crowd):
    """Return -2 + Δ at width m, of features that a batch shows so often; crowd is ln(E e^H)."""
    c, k, q = constants[:3]
    return -2 + c * crowd * (40 / m) ** k - shown / q


def measure_crowd(f):
    """Return ln(E e^H), H the entropy of p/E."""
    share = f.p / f.density
    return float(np.log(f.density) - share @ np.log(share))


def dead_share(constants, f, m):
    """Return the probability that each feature dies, b(0) ~ N(0, 1)."""
    place = threshold(constants, m, BATCH * f.p, measure_crowd(f))
    return ndtr(place / np.sqrt(1 + np.exp(2 * constants[3])))


def fit(tables):
    """Return the constants c, k, q and ln s of greatest likelihood."""

    def unlikely(constants):
        total = 0.0
        for setting, t in tables.items():
            f = ss.Frequencies.power_law(setting[0], setting[1], density=setting[2])
            place = threshold(constants, setting[3], t[:, 0], measure_crowd(f))
            z = (place - t[:, 1]) / np.exp(constants[3])
            total -= np.sum(t[:, 3] * log_ndtr(z) + (t[:, 2] - t[:, 3]) * log_ndtr(-z))
        return total

    exact = {"maxiter": 4000, "maxfev": 4000, "xatol": 1e-4, "fatol": 1e-4}
    begin = [0.2, 0.8, 70.0, -1.8]
    best = minimize(unlikely, begin, method="Nelder-Mead", options=exact)
    return best.x.tolist()


def load(path):
    """Return the counts of each trained model: columns B p, b(0), features, dead."""
    tables = defaultdict(list)
    if path.exists():
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                key = tuple(float(row[name]) for name in NAMES)
                tables[key].append([float(row[name]) for name in FIELDS[len(NAMES) :]])
    return {key: np.array(rows) for key, rows in tables.items()}


def main():
    path = Path(__file__).with_suffix(".csv")
    done = load(path)
    if not path.exists():
        path.write_text(",".join(FIELDS) + "\n")
    for setting in [*FITTED, *SHOWN]:
        if tuple(map(float, setting)) not in done:
            rows = measure(setting)
            with path.open("a", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(rows)
            print("trained", setting, flush=True)
    done = load(path)
    constants = fit({setting: done[tuple(map(float, setting))] for setting in FITTED})
    c, k, q, spread = constants
    print(f"c = {c:.3f}, k = {k:.3f}, q = {q:.1f}, s = {np.exp(spread):.3f}")
    rows = []
    for setting in [*FITTED, *SHOWN]:
        t = done[tuple(map(float, setting))]
        f = ss.Frequencies.power_law(setting[0], setting[1], density=setting[2])
        share = float(t[:, 3].sum() / t[:, 2].sum())
        law = float(dead_share(constants, f, setting[3]).mean())
        rows.append(
            dict(zip(NAMES, setting, strict=True), fitted=setting in FITTED, dead=share, law=law)
        )
        print(
            f"{'fitted' if setting in FITTED else 'beside'} n = {setting[0]}, alpha = "
            f"{setting[1]:g}, E = {setting[2]:.3g}, m = {setting[3]}, seed {setting[4]}, rate "
            f"{setting[5]:g}, weight decay {setting[6]:.2f}: dead {share:.3f}, by the law {law:.3f}"
        )
    record = {
        "command": "python studies/mean_field/dead_features.py",
        "constants": constants,
        "models": rows,
    }
    path.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
