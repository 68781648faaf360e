"""Packings that are better than the table's, as text that tables take, with proven coherences.

Run ``python studies/packings/submission.py`` (10 seconds). Each of studies/packings/finds is
written beside itself as text: one coordinate a line, vector by vector, as the files of Sloane's
table of Grassmannian packings; 17 digits, which read as the same double-precision numbers. The
coherence of the lines that these numbers span is then enclosed by exact integer arithmetic. Results
are stored in studies/packings/submission.json: the enclosure, the table's value, the proven gain.
"""

import csv
import json
import platform
from pathlib import Path

import mpmath as mp
import numpy as np

import superscale as ss

ROOT = Path(__file__).parents[2]
FINDS = Path(__file__).parent / "finds"
DIGITS, SHOWN = 40, 20


def decimal(x, up):
    """Return a number in SHOWN decimals, rounded down or up."""
    scaled = x * mp.mpf(10) ** SHOWN
    whole = int(mp.ceil(scaled) if up else mp.floor(scaled))
    return f"0.{whole:0{SHOWN}d}"


def main():
    with (ROOT / "tests" / "data" / "real_lines.csv").open() as file:
        known = {(int(row["n"]), int(row["m"])): row["coherence"] for row in csv.DictReader(file)}
    rows = []
    for path in sorted(FINDS.glob("*.npz")):
        find = ss.packings.Packing.load(path)
        text = "".join(f"{x:.17g}\n" for x in find.vectors.ravel())
        path.with_suffix(".txt").write_text(text, encoding="utf-8")
        read = np.array(text.split(), dtype=np.float64).reshape(find.n, find.m)
        low, high = ss.packings.coherence_enclosure(read, digits=DIGITS)
        with mp.workdps(DIGITS):
            gain = mp.mpf(known[find.n, find.m]) - high
            rows.append(
                {
                    "n": find.n, "m": find.m, "file": path.with_suffix(".txt").name,
                    "coherence_at_least": decimal(low, up=False),
                    "coherence_at_most": decimal(high, up=True),
                    "table": known[find.n, find.m], "proven_gain": float(gain),
                }
            )  # fmt: skip
        print(rows[-1])
    record = {
        "command": "python studies/packings/submission.py",
        "python": platform.python_version(),
        "superscale": ss.__version__,
        "finds": len(rows),
        "least_proven_gain": min(row["proven_gain"] for row in rows),
        "rows": rows,
    }
    text = json.dumps(record, indent=1) + "\n"
    Path(__file__).with_suffix(".json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
