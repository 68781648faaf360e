"""The published losses, predicted as the loss of dead features plus the mean field of the others.

Run ``python studies/mean_field/published_losses.py`` (five minutes). Biases start at N(0, 1), and
the start decides whether a feature dies. Where the mean field keeps all features, each dies with
the probability given by the law that studies/mean_field/dead_features.py fitted (to our runs of the
recipe of Figure 7, mostly at n = 1000). The others, thinned evenly in rank, have the loss of the
mean field. Where the mean field keeps too few features, its loss is the prediction. Nothing is
fitted to a loss. The points are those of Figure 7b (alpha = 1) and Figure 1d (n = 10 240, another
recipe, to which the law is extrapolated). Results are stored in
studies/mean_field/published_losses.json; with the word print they are printed again.
"""

import json
import sys
from pathlib import Path

import numpy as np
from scipy.special import ndtr

import superscale as ss
from theory.mean_field.solve import solve_mean_field

# The mean field counts as keeping all features if the lost ones hold at most this share of E.
ALL_BUT = 0.05
BATCH = 2048  # of the published recipe
LARGE = {
    "power": ss.Frequencies.power_law(10_240, alpha=1.2),
    "exponential": ss.Frequencies.exponential(10_240, 400.0),
    "linear": ss.Frequencies.linear(10_240),
}


def dead_share(constants, f, m):
    """Return the probability that each feature dies, by the law of dead_features.py."""
    c, k, q, log_width = constants
    share = f.p / f.density
    log_active = np.log(f.density) - share @ np.log(share)  # ln(E e^H)
    threshold = -2 + c * log_active * (40 / m) ** k - BATCH * f.p / q
    return ndtr(threshold / np.sqrt(1 + np.exp(2 * log_width)))


def check_law(stored):
    """Stop unless the law above gives the shares that dead_features.py stored."""
    for row in stored["models"]:
        f = ss.Frequencies.power_law(row["n"], row["alpha"], density=row["density"])
        share = dead_share(stored["constants"], f, row["m"]).mean()
        if not np.isclose(share, row["law"], rtol=1e-6):
            raise SystemExit(f"the law gives {share:.6g}, dead_features.json has {row['law']:.6g}")


def thin(f, dead):
    """Return the frequencies of the living features, thinned by rank, and the loss of the dead."""
    kept = np.diff(np.floor(np.concatenate([[0.0], np.cumsum(1 - dead)]) + 0.5)) > 0
    return ss.Frequencies.from_probabilities(np.array(f.p[kept])), 4 / 3 * float(f.p @ dead)


def predict(constants, f, m):
    """Return the mean field of all features, and of those that do not die by the law."""
    alone = solve_mean_field(f, m)
    row = {"mean_field": alone.loss, "live": alone.live, "predicted": alone.loss, "dead": None}
    if f.tail_sum(alone.live) <= ALL_BUT * f.density:
        dead = dead_share(constants, f, m)
        others, lost = thin(f, dead)
        row |= {"dead": lost, "predicted": lost + solve_mean_field(others, m).loss}
    return row


def show(rows):
    """Print each point, and how many are within 20 %."""
    for row in rows:
        print(
            f"Figure {row['figure']}, {row['frequencies']}, m = {row['m']}: published "
            f"{row['published']:.4g}, mean field of all {row['mean_field']:.4g} ({row['live']} "
            f"live), with dead features {row['predicted']:.4g}, ratio {row['ratio']:.2f}"
        )
    for figure in ("7b", "1d"):
        within = [abs(row["ratio"] - 1) <= 0.2 for row in rows if row["figure"] == figure]
        print(f"Figure {figure}: {sum(within)} of {len(within)} within 20 %")


def main():
    here = Path(__file__)
    stored = json.loads(here.with_name("dead_features.json").read_text())
    check_law(stored)
    constants = stored["constants"]
    points = []
    figure = ss.published.load_reference("fig7_density").query("panel == 'b'")
    for E in (1.0, 3.4321):
        f = ss.Frequencies.power_law(1000, alpha=1.0, density=E)
        here_E = figure[np.isclose(figure.E, E, atol=1e-3)].sort_values("m")
        points += [("7b", f"E = {E:.3g}", f, row.m, row.loss) for row in here_E.itertuples()]
    figure = (
        ss.published.load_reference("fig1_toy_loss")
        .query("superposition == 'strong'")
        .sort_values("m")
    )
    for name, f in LARGE.items():
        rows = figure[figure.distribution == name]
        points += [("1d", name, f, row.m, row.loss) for row in rows.itertuples()]
    results = []
    for figure_name, name, f, m, loss in points:
        row = {"figure": figure_name, "frequencies": name, "m": int(m), "published": float(loss)}
        row |= predict(constants, f, int(m))
        row["ratio"] = row["predicted"] / row["published"]
        results.append(row)
    ratios = np.array([row["ratio"] for row in results])
    record = {
        "command": "python studies/mean_field/published_losses.py",
        "within_20_percent": float(np.mean(np.abs(ratios - 1) <= 0.2)),
        "rows": results,
    }
    here.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    show(results)


if __name__ == "__main__":
    if sys.argv[1:] == ["print"]:
        show(json.loads(Path(__file__).with_suffix(".json").read_text())["rows"])
    else:
        main()
