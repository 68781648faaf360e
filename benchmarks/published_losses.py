"""The published recipe's losses as dead features and a mean field of the others.

Run ``python benchmarks/published_losses.py`` (two minutes). Biases start at N(0, 1), and whether
a feature dies hangs on that; of the six widths of Figure 7b (n = 1000, alpha = 1, gamma =
-0.556) the share of dead features is taken from our runs of that recipe (it is not predicted), the
features that die are spread evenly over the ranks, and the loss of the others is the mean field's,
nothing fitted. Results are stored in benchmarks/published_losses.json.
"""

import json
from pathlib import Path

import numpy as np

import superscale as ss
from theory.mean_field import solve_mean_field


def thin(f, share):
    """Return the frequencies without an evenly spread share of the ranks, and what that loses."""
    kept = np.diff(np.floor((1 - share) * np.arange(f.n + 1) + 0.5)) > 0
    return ss.Frequencies.from_probabilities(np.array(f.p[kept])), 4 / 3 * float(f.p[~kept].sum())


def main():
    runs = [ss.load_measured("seeds"), ss.load_measured("density_widths_paper")]
    published = ss.load_reference("fig7_density").query("panel == 'b'")
    rows = []
    for table, E in zip(runs, (1.0, 3.4321), strict=True):
        paper = table[(table.recipe == "paper") & np.isclose(table.E, E, atol=1e-3)]
        for m, group in paper.groupby("m"):
            mean = group[["loss", "dead_loss", "live_loss", "dead_fraction"]].mean()
            f, dead = thin(ss.Frequencies.power_law(1000, 1.0, density=E), mean.dead_fraction)
            live = solve_mean_field(f, int(m)).loss
            point = published[(published.m == m) & np.isclose(published.E, E, atol=1e-3)]
            row = {
                "E": E, "m": int(m), "published": float(point.loss.iloc[0]), "ours": mean.loss,
                "dead_fraction": mean.dead_fraction, "dead": dead, "live": live,
                "live_ratio": live / mean.live_loss, "dead_ratio": dead / mean.dead_loss,
                "ratio": (live + dead) / float(point.loss.iloc[0]),
            }  # fmt: skip
            rows.append(row)
            print(
                f"E = {E:.3g}, m = {m}: predicted {live + dead:.4f} (live {live:.4f}, dead "
                f"{dead:.4f}), published {row['published']:.4f}: ratio {row['ratio']:.2f}; live "
                f"over ours {row['live_ratio']:.2f}, dead over ours {row['dead_ratio']:.2f}",
                flush=True,
            )
    record = {"command": "python benchmarks/published_losses.py", "rows": rows}
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
