"""Complex lines by search, beside the best known: every cell with d <= 4 and n <= 20 of the table.

Run ``python studies/packings/complex_lines.py`` (8 minutes on one core; a number of seconds a cell
may follow, 10.5 by default). Best known are the coherences of the Game of Sloanes
(github.com/gnikylime/GameofSloanes, CC BY 4.0; eight decimals), in tests/data/complex_lines.csv.
No construction is used. The enclosure of each coherence is exact arithmetic on the floats found.
Results are stored in studies/packings/complex_lines.json after each cell.
"""

import csv
import json
import platform
import sys
import time
from pathlib import Path

import superscale as ss

ROOT = Path(__file__).parents[2]
SECONDS, CLOSE = 10.5, 1e-7


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with (ROOT / "tests" / "data" / "complex_lines.csv").open() as file:
        cells = list(csv.DictReader(file))
    rows = []
    for cell in cells:
        n, d, known = int(cell["n"]), int(cell["d"]), float(cell["coherence"])
        began = time.perf_counter()
        found = ss.packings.pack_complex(n, d, seconds=seconds)
        high = float(found.enclosure[1])
        rows.append(
            {
                "n": n, "d": d, "best_known": known, "found": high, "above": high - known,
                "bound": found.bound.value, "seconds": time.perf_counter() - began,
                "method": found.method,
            }
        )  # fmt: skip
        print(rows[-1], flush=True)
        close = [row for row in rows if row["above"] < CLOSE]
        record = {
            "command": "python studies/packings/complex_lines.py",
            "python": platform.python_version(),
            "superscale": ss.__version__,
            "seconds_a_cell": seconds,
            "cells": len(rows),
            "within_1e-7": len(close),
            "share": len(close) / len(rows),
            "worst": max(row["above"] for row in rows),
            "rows": rows,
        }
        text = json.dumps(record, indent=1) + "\n"
        Path(__file__).with_suffix(".json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
