"""How long the mean field takes: one width with 8 or 14 groups, and a table of six widths.

Run ``python benchmarks/mean_field.py`` (three minutes). Single predictions are measured in seconds
of processor time, after a first one that compiles. The table is measured in wall-clock time over a
pool of two processes, already started, and computed again in the opposite order: the losses must
not change. It prints ratios, which hardly depend on the machine: a setting to the first one, 14
groups to 8, two processes to one. The seconds are stored in benchmarks/mean_field.json.
"""

import json
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

import superscale as ss
from theory.computing.one_thread import one_thread
from theory.mean_field.solve import solve_mean_field

# (n, alpha, E, m), from few features kept to all of them, even to steep.
SETTINGS = (
    (1000, 0.5, 1.0, 20), (3000, 0.5, 0.3, 75), (1000, 1.0, 1.0, 10), (1000, 1.0, 1.0, 39),
    (1000, 1.0, 1.0, 100), (300, 1.5, 1.0, 16), (1000, 1.5, 1.0, 50), (300, 2.0, 1.0, 16),
    (1000, 2.0, 1.0, 50),
)  # fmt: skip
GROUPS = (8, 14)
WIDTHS = [10, 15, 25, 39, 63, 100]


def measure(n, alpha, E, m, groups):
    """Solve once; return what it took."""
    f = ss.Frequencies.power_law(n, alpha, density=E)
    began = time.process_time()
    found = solve_mean_field(f, m, groups=groups)
    seconds = time.process_time() - began
    return {
        "n": n, "alpha": alpha, "density": E, "m": m, "groups": groups, "seconds": seconds,
        "loss": found.loss, "uncertainty": found.uncertainty,
    }  # fmt: skip


def main():
    words = ss.Frequencies.power_law(1000, alpha=1.0)
    with one_thread():
        for alpha in (0.0, 1.0):
            solve_mean_field(ss.Frequencies.power_law(60, alpha), 10)
        rows = []
        for groups in GROUPS:
            for setting in SETTINGS:
                rows.append(measure(*setting, groups))
    few, many = rows[: len(SETTINGS)], rows[len(SETTINGS) :]
    for row, finer in zip(few, many, strict=True):
        print(f"n = {row['n']}, alpha = {row['alpha']:g}, m = {row['m']}: "
              f"{row['seconds'] / few[0]['seconds']:.2f} times the first setting; 14 groups take "
              f"{finer['seconds'] / row['seconds']:.2f} times as long as 8")  # fmt: skip
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        list(pool.map(solve_mean_field, [words] * 2, [99, 98]))  # both have started and compiled
        began = time.perf_counter()
        table = ss.predict(words, WIDTHS, theory="mean_field", executor=pool)
        seconds = time.perf_counter() - began
    began = time.perf_counter()
    reverse = ss.predict(words, WIDTHS[::-1], theory="mean_field").loss["mean_field"][::-1]
    alone = time.perf_counter() - began
    change = float(np.abs(reverse / table.loss["mean_field"] - 1).max())
    print(f"{len(WIDTHS)} widths take two processes {seconds / alone:.2f} times as long as one; in "
          f"the opposite order losses differ by {change:.1g}")  # fmt: skip
    record = {
        "command": "python benchmarks/mean_field.py",
        "python": platform.python_version(),
        "single": rows,
        "six_widths": {"m": WIDTHS, "seconds": seconds, "one_by_one": alone,
                       "change_in_opposite_order": change},
    }  # fmt: skip
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
