"""The published losses, predicted from the start of training with nothing fitted.

Run ``python studies/dead_features/losses.py`` (a quarter of an hour on one core). For each point of
Figures 7b and 1d the reduced model of training says with which probability a feature of each rank
dies, for biases N(0, 1) at the start. Dead features lose 4/3 p each; the others, thinned evenly in
rank, have the loss of the mean field. Beside it stands the prediction by the fitted law
(studies/mean_field/published_losses.json). Results are stored in studies/dead_features/losses.json;
with the word print they are printed again.
"""

import json
import sys
from pathlib import Path

import numpy as np

import superscale as ss
from theory.dead_features.loss import predict_recipe_loss
from theory.dead_features.recipe import Recipe

STORED = Path(__file__).with_suffix(".json")
FITTED = Path(__file__).parents[1] / "mean_field" / "published_losses.json"
LARGE = {
    "power": ss.Frequencies.power_law(10_240, alpha=1.2),
    "exponential": ss.Frequencies.exponential(10_240, 400.0),
    "linear": ss.Frequencies.linear(10_240),
}
SMALL = Recipe(weight_decay=-0.55555556)


def large_recipe(m):
    """Return the recipe of Figure 1 (its batch of 2048 and 20 000 steps, which give the same)."""
    return Recipe(
        weight_decay=-1.0,
        learning_rate=0.02 * (8 / m) ** 0.25,
        bias_learning_rate=2 / m,
        warmup_steps=1000,
        loss_scale=100.0,
    )


def predict(f, m, recipe):
    """Return the loss of dead features, that of the others, and the share that dies."""
    found = predict_recipe_loss(f, m, recipe)
    return {
        "share": float(found.dead.probability.mean()),
        "dead": found.dead_loss,
        "live": found.live_loss,
        "kept": found.live.live,
        "predicted": found.loss,
    }


def points():
    """Yield figure, name and frequencies, width, published loss and recipe."""
    figure = ss.published.load_reference("fig7_density").query("panel == 'b'")
    for E in (1.0, 3.4321):
        f = ss.Frequencies.power_law(1000, alpha=1.0, density=E)
        for row in figure[np.isclose(figure.E, E, atol=1e-3)].sort_values("m").itertuples():
            yield "7b", f"E = {E:.3g}", f, int(row.m), float(row.loss), SMALL
    figure = ss.published.load_reference("fig1_toy_loss").query("superposition == 'strong'")
    for name, f in LARGE.items():
        for row in figure[figure.distribution == name].sort_values("m").itertuples():
            yield "1d", name, f, int(row.m), float(row.loss), large_recipe(int(row.m))


def summarise(rows):
    """Return the median of the factors by which predictions are off, and that of 90 % of them."""
    factors = [max(row["ratio"], 1 / row["ratio"]) for row in rows]
    return {
        "quantity": "factor",
        "cells": len(rows),
        "median": float(np.median(factors)),
        "of_90_percent": float(np.quantile(factors, 0.9)),
    }


def show(record):
    """Print each point, and how many are within 20 %."""
    for row in record["rows"]:
        print(
            f"Figure {row['figure']}, {row['frequencies']}, m = {row['m']}: published "
            f"{row['published']:.4g}, {row['share']:.3f} die with {row['dead']:.4g}, the others "
            f"{row['live']:.4g}, predicted {row['predicted']:.4g}, ratio {row['ratio']:.2f}, by "
            f"the fitted law {row['by_law']:.2f}"
        )
    for figure in ("7b", "1d"):
        rows = [row for row in record["rows"] if row["figure"] == figure]
        within, law = (
            sum(abs(row[name] - 1) <= 0.2 for row in rows) for name in ("ratio", "by_law")
        )
        ratios = [row["ratio"] for row in rows]
        print(f"Figure {figure}: {within} of {len(rows)} within 20 %, by the fitted law {law}; "
              f"ratios from {min(ratios):.2f} to {max(ratios):.2f}")  # fmt: skip


def main():
    law = {
        (row["figure"], row["frequencies"], row["m"]): row["ratio"]
        for row in json.loads(FITTED.read_text())["rows"]
    }
    rows = []
    for figure, name, f, m, loss, recipe in points():
        row = {"figure": figure, "frequencies": name, "m": m, "published": loss}
        row |= predict(f, m, recipe)
        row["ratio"] = row["predicted"] / loss
        row["by_law"] = law[figure, name, m]
        rows.append(row)
        print(rows[-1], flush=True)
    record = {
        "command": "python studies/dead_features/losses.py",
        "within_20_percent": sum(abs(row["ratio"] - 1) <= 0.2 for row in rows),
        "paper_recipe": summarise(rows),
        "rows": rows,
    }
    STORED.write_text(json.dumps(record, indent=1) + "\n")
    show(record)


if __name__ == "__main__":
    if sys.argv[1:] == ["print"]:
        show(json.loads(STORED.read_text()))
    else:
        main()
