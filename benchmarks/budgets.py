"""How well a search for packings keeps its budget of time: twenty settings of ``pack(seconds=…)``.

Run ``python benchmarks/budgets.py`` (three minutes; some 15 seconds of them compile). A budget is
kept if the search takes at most 1.2 times the seconds that it was given, and one more. It prints
the load of the machine before and after, and stores nothing.
"""

import os
import time

import superscale as ss

SETTINGS = [
    (14, 12, "coherence", 1), (14, 12, "coherence", 5), (30, 8, "coherence", 1),
    (30, 8, "coherence", 10), (100, 10, "coherence", 1), (100, 10, "coherence", 5),
    (100, 60, "coherence", 2), (300, 30, "coherence", 1), (300, 30, "coherence", 5),
    (1000, 50, "coherence", 1), (1000, 50, "coherence", 10), (3000, 20, "coherence", 2),
    (50, 7, "p_frame", 1), (400, 40, "p_frame", 2), (2000, 30, "p_frame", 2),
    (60, 9, "frame_potential", 1), (400, 40, "p_frame", 2), (1000, 100, "p_frame", 3),
    (2000, 50, "p_frame", 2),
    (20, 5, "coherence", 0.1),
]  # fmt: skip


def main():
    for objective in ("coherence", "p_frame", "frame_potential"):  # compile
        ss.packings.pack(8, 3, objective, seconds=0.1, explicit=False)
    before, rows = os.getloadavg(), []
    for n, m, objective, seconds in SETTINGS:
        began = time.perf_counter()
        found = ss.packings.pack(n, m, objective, seconds=seconds, explicit=False)
        took = time.perf_counter() - began
        rows.append(
            {"n": n, "m": m, "objective": objective, "seconds": seconds, "took": took,
             "ratio": took / seconds, "kept": took <= 1.2 * seconds + 1, "value": found.value}
        )  # fmt: skip
        print(
            f"n = {n}, m = {m}, {objective}: {took:.2f} s of {seconds:g}"
            f"{'' if rows[-1]['kept'] else '  (not kept)'}",
            flush=True,
        )
    kept = sum(row["kept"] for row in rows)
    print(f"{kept} of {len(rows)} budgets kept; load {before[0]:.1f} before, "
          f"{os.getloadavg()[0]:.1f} after")  # fmt: skip


if __name__ == "__main__":
    main()
