"""Training steps that decode some rows of W against steps that decode all: processor time.

Run ``python benchmarks/sampled_decoder.py`` (two minutes; some 20 seconds of them compile). Both
kinds of steps are taken in turn on one thread, at models of random directions with the norms and
biases of the mean field, whose outputs are about as often above 0 as those of trained models. A
step decodes n/10 rows, as studies/training/large.py does. Results are stored in
benchmarks/sampled_decoder.json.
"""

import json
import platform
import time
from pathlib import Path

import numpy as np

import superscale as ss
from empirical.training.sampled.steps import SampledSteps
from empirical.training.settings import TrainingSettings, plan
from empirical.training.steps import FusedSteps
from empirical.training.train import start
from theory.computing.one_thread import one_thread
from theory.features import Features

# n, m, density, batch.
SETTINGS = [(10_000, 200, 1.0, 256), (50_000, 1000, 1.0, 256), (50_000, 1000, 30.0, 256)]
ROUNDS = 5


def begin_at(n, m, density):
    """Return features and a model as the mean field has it, but for random directions."""
    f = ss.Frequencies.power_law(n, 0.0, density)
    solved = ss.solve_mean_field(f, m)
    U = np.random.default_rng(0).standard_normal((n, m))
    U *= solved.r[0] / np.linalg.norm(U, axis=1)[:, None]
    return Features(f), ss.ToyModel(U, np.full(n, solved.b[0]))


def measure(n, m, density, batch):
    """Return the seconds of a step of both kinds."""
    features, model = begin_at(n, m, density)
    seconds = {}
    for kind, rows in ((FusedSteps, 0), (SampledSteps, n // 10)):
        settings = TrainingSettings(steps=1000, batch=batch, learning_rate=1e-3, decoder_rows=rows)
        rates, bias_rates, _ = plan(settings)
        begin = start(n, m, settings, model)
        steps = kind(begin.W, begin.b, features, begin.batches, settings)
        times = []
        for k in range(ROUNDS + 1):  # the first compiles
            began = time.process_time()
            steps.take(rates[k : k + 1], bias_rates[k : k + 1], k, batch)
            times.append(time.process_time() - began)
        seconds[kind.__name__] = float(np.median(times[1:]))
    dense, sampled = seconds["FusedSteps"], seconds["SampledSteps"]
    return {
        "n": n, "m": m, "density": density, "batch": batch, "decoder_rows": n // 10,
        "dense_seconds": dense, "sampled_seconds": sampled, "ratio": dense / sampled,
    }  # fmt: skip


def main():
    rows = []
    with one_thread():
        for setting in SETTINGS:
            rows.append(measure(*setting))
            print(rows[-1], flush=True)
    record = {
        "command": "python benchmarks/sampled_decoder.py",
        "python": platform.python_version(),
        "settings": rows,
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
