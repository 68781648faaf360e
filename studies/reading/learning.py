"""Directions learnt from states alone: the bars test, and recovery over width and samples.

Run ``python studies/reading/learning.py`` (5 minutes on one core; ``print`` after it prints the
stored tables). Results are stored in studies/reading/learning.json.

Bars: ten bars on a 5 x 5 grid, each on with probability 1/5, weight 10, noise 2, 1000 states; ten
seeds each, with the whole posterior and with supports of at most 4 of 7 candidates. A seed counts
if each bar has its own learnt direction at a cosine above 0.95.

Recovery: 12 random unit directions in m numbers, each on with probability p, noise 0.05; by
expectation maximisation (three starts) and by dictionary learning. The count is of directions at a
cosine above 0.99, the mean of three seeds.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

import superscale as ss

COMMAND = "python studies/reading/learning.py"
STORED = Path(__file__).with_suffix(".json")


def bars():
    truncated = {"candidates": 7, "most_on": 4}
    for model, label in (("maximum", "whole"), ("binary", "whole"), ("binary", "truncated")):
        truncation = truncated if label == "truncated" else {}
        right = 0
        for seed in range(10):
            states, true = ss.reading.draw_bars(1000, model=model, seed=100 + seed)
            found = ss.reading.learn_directions(states, 10, model, seed=seed, **truncation)
            right += bool(ss.reading.match_directions(found.W, true).min() > 0.95)
        yield {"model": model, "posterior": label, "right": right, "of": 10}
        print(model, label, right, flush=True)


def recovery():
    for m, p, samples in ((4, 0.15, 1000), (6, 0.15, 1000), (8, 0.15, 1000), (8, 0.3, 1000),
                          (8, 0.15, 100), (8, 0.15, 300), (12, 0.15, 1000)):  # fmt: skip
        counts = {"binary": [], "dictionary": []}
        for seed in range(3):
            rng = np.random.default_rng(seed)
            W = rng.standard_normal((12, m))
            W /= np.linalg.norm(W, axis=1, keepdims=True)
            h = (rng.random((samples, 12)) < p) @ W + 0.05 * rng.standard_normal((samples, m))
            for model, found in counts.items():
                options = {"starts": 3, "candidates": 6, "most_on": 4} if model == "binary" else {}
                learnt = ss.reading.learn_directions(h, 12, model, seed=seed, **options)
                found.append(int((ss.reading.match_directions(learnt.W, W) > 0.99).sum()))
        row = {"m": m, "p": p, "samples": samples}
        yield row | {name: float(np.mean(found)) for name, found in counts.items()}
        print(row, counts, flush=True)


def main():
    if sys.argv[1:] == ["print"]:
        record = json.loads(STORED.read_text())
        for row in record["bars"] + record["recovery"]:
            print(", ".join(f"{name} {value}" for name, value in row.items()))
        return
    started = time.time()
    record = {"command": COMMAND, "bars": list(bars()), "recovery": list(recovery())}
    record["seconds"] = round(time.time() - started)
    STORED.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
