"""Recall laws against sampled states at 40 settings, and the law for k + 1 as a control.

Run ``python studies/reading/recall.py`` (4 minutes on one core). Results are stored in
studies/reading/recall.json.

For each setting (n items, k on, an aimed error, a readout) the width is the required one. States
are drawn: k vectors of normal entries, their sum h, the scores of the k. The largest score of the
n - k others given h is the largest of as many normals of deviation |h|/√m, so each of 4000 states
gives the probability that it is read correctly; their mean is compared with the law. Then n = 2000,
k = 8 with all 2000 directions drawn, 2000 times, and the widths for argmax of 100 candidates with
1000 superposed.
"""

import json
import time
from itertools import cycle
from pathlib import Path

import numpy as np
from scipy.special import log_ndtr

import superscale as ss

COMMAND = "python studies/reading/recall.py"
DRAWS = 4000


def sample(n, m, k, readout, draws, rng):
    """Return the mean probability of success over drawn states."""
    values = []
    batch = max(1, 2**22 // (k * m))
    while len(values) < draws:
        U = rng.standard_normal((min(batch, draws - len(values)), k, m)) / np.sqrt(m)
        h = U.sum(axis=1)
        scores = np.einsum("akm,am->ak", U, h)
        deviation = np.linalg.norm(h, axis=1) / np.sqrt(m)
        lowest = scores[:, 0] if readout == "argmax" else scores.min(axis=1)
        others = n - 1 if readout == "argmax" else n - k
        values.extend(np.exp(others * log_ndtr(lowest / deviation)))
    return np.mean(values)


def sample_plainly(n, m, k, draws, rng):
    """Return how often the k items that are on have the k highest scores, every vector drawn."""
    hits = 0
    for _ in range(draws):
        U = rng.standard_normal((n, m), dtype=np.float32)
        scores = U @ U[:k].sum(axis=0)
        hits += bool(scores[:k].min() > scores[k:].max())
    return hits / draws


def main():
    rng = np.random.default_rng(0)
    started = time.time()
    rows = []
    errors = cycle([0.5, 0.1, 0.01, 0.001])
    sizes = [(n, k) for n in (100, 1000, 10_000, 100_000) for k in (1, 2, 4, 8, 16)]
    sizes += [(n, k) for n in (1000, 10_000, 100_000) for k in (32, 64)]
    settings = [(n, k, "top_k") for n, k in sizes]
    settings += [(n, k, "argmax") for n in (100, 100_000) for k in (1, 3, 8, 20, 40, 64)]
    settings += [(1000, 5, "argmax"), (10_000, 12, "argmax")]
    for n, k, readout in settings:
        m = ss.reading.required_width(n, k, next(errors), readout)
        exact = ss.reading.recall(n, m, k, readout)
        other = ss.reading.recall(n, m, k + 1, readout)
        sampled = sample(n, m, k, readout, DRAWS, rng)
        # The mean square of a state's probability is the law with twice as many others. (That of
        # the sample is too small where a few states in a thousand make most of the error.)
        twice = ss.reading.recall(2 * n - (1 if readout == "argmax" else k), m, k, readout)
        stderr = np.sqrt((twice.probability - exact.probability**2) / DRAWS)
        rows.append(
            {
                "n": n,
                "k": k,
                "readout": readout,
                "m": m,
                "error": exact.error,
                "sampled": 1 - sampled,
                "stderr": stderr,
                "z": (sampled - exact.probability) / stderr,
                "z_of_k_plus_1": (sampled - other.probability) / stderr,
                "independent": exact.asymptotic_error,
            }
        )
        print(" ".join(f"{x:.4g}" if isinstance(x, float) else str(x) for x in rows[-1].values()))
    plain = []
    for m in (150, 220, 300):
        found = sample_plainly(2000, m, 8, 2000, rng)
        laws = [ss.reading.recall(2000, m, k).probability for k in (8, 9)]
        z = [(found - p) / np.sqrt(p * (1 - p) / 2000) for p in laws]
        plain.append({"m": m, "sampled": found, "law": laws[0], "z": z[0], "z_of_k_plus_1": z[1]})
        print(plain[-1])
    widths = {
        str(error): ss.reading.required_width(100, 1000, error, "argmax", codes="bipolar")
        for error in (0.1, 0.01)
    }
    summary = {
        "settings": len(rows),
        "largest |z|": max(abs(row["z"]) for row in rows),
        "settings at which k + 1 is rejected (|z| > 4)": sum(
            bool(abs(row["z_of_k_plus_1"]) > 4) for row in rows
        ),
        "largest ratio of independent to exact error, and smallest": [
            max(row["independent"] / row["error"] for row in rows),
            min(row["independent"] / row["error"] for row in rows),
        ],
        "argmax of 100 candidates, 1000 superposed, widths": widths,
        "seconds": round(time.time() - started),
    }
    print(summary)
    record = {"command": COMMAND, "summary": summary, "rows": rows, "n = 2000, k = 8": plain}
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
