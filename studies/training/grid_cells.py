"""How long the full grid takes, and what showing rare features more often is worth over the grid.

Run ``python studies/training/grid_cells.py`` (three minutes). Forty of the 1020 cells, drawn at
random, are trained on two processes. Their losses are compared with those of the shipped grid,
which an earlier recipe trained (rare_share=0, final_learning_rate=0.05). Results are stored in
studies/training/grid_cells.json.
"""

import json
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import superscale as ss

COUNT, SEED, WORKERS = 40, 0, 2


def train_cell(cell):
    """Train one cell; return its loss and seconds."""
    alpha, weight_decay, m, seed = cell
    with threadpool_limits(1):
        f = ss.Frequencies.power_law(1000, alpha)
        run = ss.train(f, int(m), recipe="fast", weight_decay=weight_decay, seed=int(seed))
    return run.loss, run.seconds


def main():
    shipped = ss.published.load_measured("grid")
    drawn = np.random.default_rng(SEED).choice(len(shipped), COUNT, replace=False)
    table = shipped.iloc[drawn][["alpha", "weight_decay", "m", "seed", "loss"]].reset_index(
        drop=True
    )
    cells = table[["alpha", "weight_decay", "m", "seed"]].to_numpy().tolist()
    with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
        began = time.perf_counter()
        found = list(pool.map(train_cell, cells))
        wall = time.perf_counter() - began
    table = table.rename(columns={"loss": "shipped"})
    table["loss"], table["seconds"] = np.transpose(found)
    table["ratio"] = table.loss / table.shipped
    hours = wall / COUNT * len(shipped) / 3600
    print(table.sort_values(["alpha", "weight_decay", "m"]).round(4).to_string(index=False))
    print(f"{wall:.0f} s for {COUNT} cells: {hours:.2f} hours for {len(shipped)}")
    record = {
        "command": "python studies/training/grid_cells.py",
        "seconds": wall,
        "hours_for_all": hours,
        "cells": table.round(6).to_dict("records"),
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
