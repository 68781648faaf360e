"""How well a search for packings keeps its budget of time: twenty settings of ``pack(seconds=…)``.

Run ``python benchmarks/budgets.py`` (three minutes; some 15 seconds of them compile). A budget is
kept if the search takes at most 1.2 times the seconds that it was given, and one more. Results are
stored in benchmarks/budgets.json after each setting, with the load of the machine before and after.
Numbers of settings, from 0, measure only these: ``python benchmarks/budgets.py 0 19``.
"""

import json
import os
import platform
import sys
import time
from pathlib import Path

import superscale as ss

SETTINGS = [
    (14, 12, "coherence", 1), (14, 12, "coherence", 5), (30, 8, "coherence", 1),
    (30, 8, "coherence", 10), (100, 10, "coherence", 1), (100, 10, "coherence", 5),
    (100, 60, "coherence", 2), (300, 30, "coherence", 1), (300, 30, "coherence", 5),
    (1000, 50, "coherence", 1), (1000, 50, "coherence", 10), (3000, 20, "coherence", 2),
    (50, 7, "p_frame", 1), (400, 40, "p_frame", 2), (2000, 30, "p_frame", 2),
    (60, 9, "frame_potential", 1), (60, 9, "relu_energy", 1), (1000, 100, "p_frame", 3),
    (2000, 50, "p_frame", 2),
    (20, 5, "coherence", 0.1),
]  # fmt: skip


def search(n, m, objective, seconds):
    """Return the packing that is found within the seconds."""
    features = ss.Frequencies.power_law(n, 1) if objective == "relu_energy" else None
    return ss.packings.pack(n, m, objective, seconds=seconds, features=features, explicit=False)


def measure(n, m, objective, seconds):
    """Search once; return what it took."""
    began = time.perf_counter()
    found = search(n, m, objective, seconds)
    took = time.perf_counter() - began
    return {
        "n": n, "m": m, "objective": objective, "seconds": seconds, "took": took,
        "ratio": took / seconds, "kept": took <= 1.2 * seconds + 1, "method": found.method,
        "value": found.value,
    }  # fmt: skip


def main():
    chosen = [SETTINGS[int(k)] for k in sys.argv[1:]] or SETTINGS
    for objective in sorted({setting[2] for setting in chosen}):  # compile
        search(8, 3, objective, 0.1)
    before, rows = os.getloadavg()[0], []
    for setting in chosen:
        row = measure(*setting)
        rows.append(row)
        print(
            f"n = {row['n']}, m = {row['m']}, {row['objective']}: {row['took']:.2f} s of "
            f"{row['seconds']:g}{'' if row['kept'] else '  (not kept)'}",
            flush=True,
        )
        record = {
            "command": "python benchmarks/budgets.py",
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "load_before": before,
            "load_after": os.getloadavg()[0],
            "kept": sum(one["kept"] for one in rows),
            "settings": len(SETTINGS),
            "rows": rows,
        }
        text = json.dumps(record, indent=1) + "\n"
        Path(__file__).with_suffix(".json").write_text(text, encoding="utf-8")
    print(f"{record['kept']} of {len(rows)} budgets kept; load {before:.1f} before, "
          f"{record['load_after']:.1f} after")  # fmt: skip


if __name__ == "__main__":
    main()
