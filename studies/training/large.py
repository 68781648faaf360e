"""One model of n = 50 000 and m = 1000, trained on one core beside the mean field.

Run ``python studies/training/large.py`` (half an hour on one core, 3 GB). A checkpoint in the
temporary folder lets a run that was stopped go on. Frequencies are even, E = 100. Directions begin
at random, norms and biases at those of the mean field, so that training has only the overlaps to
arrange; the loss of the start is stored too. A step decodes its active features and 5000 of the
50 000 rows (``decoder_rows``). Results are stored in studies/training/large.json. With two other
numbers, as ``python studies/training/large.py 2000 40`` (seconds), it trains that n and m at
E = m/10 and stores nothing.
"""

import json
import platform
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import superscale as ss

N, M = 50_000, 1000
SETTINGS = {
    "steps": 2500, "batch": 256, "late_batch": 256, "learning_rate": 1e-3, "weight_decay": 0.0,
    "evaluation_samples": 4096,
}  # fmt: skip
SAMPLES = 2048  # for the loss of the start


def start_at(solved, n, m):
    """Return a model of random directions with the norms and biases of a solved mean field."""
    U = np.random.default_rng(0).standard_normal((n, m))
    U *= solved.r[0] / np.linalg.norm(U, axis=1)[:, None]
    return ss.ToyModel(U, np.full(n, solved.b[0]))


def main():
    n, m = (int(x) for x in sys.argv[1:3]) if len(sys.argv) > 2 else (N, M)
    features = ss.Frequencies.power_law(n, 0.0, 0.1 * m)
    settings = {**SETTINGS, "decoder_rows": n // 10}
    solved = ss.solve_mean_field(features, m)
    model = start_at(solved, n, m)
    begun = ss.monte_carlo_loss(model, features, SAMPLES)
    print(f"mean field {solved.loss:.5g}, the start {begun.loss:.5g}", flush=True)
    clock, cpu = time.perf_counter(), time.process_time()

    def progress(step, steps):
        print(f"step {step} of {steps}, {time.perf_counter() - clock:.0f} s", flush=True)

    checkpoint = Path(tempfile.gettempdir()) / f"superscale-large-{n}-{m}.safetensors"
    run = ss.train(features, m, model=model, checkpoint=checkpoint, progress=progress, **settings)
    record = {
        "command": "python studies/training/large.py",
        "python": platform.python_version(),
        "n": n, "m": m, "density": features.density, "alpha": 0.0,
        "settings": dict(run.settings),
        "mean_field": solved.loss,
        "start": begun.loss, "start_stderr": begun.stderr,
        "trained": run.loss, "stderr": run.stderr,
        "ratio": run.loss / solved.loss, "start_ratio": begun.loss / solved.loss,
        "seconds": run.seconds, "processor_seconds": time.process_time() - cpu,
        "peak_gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "history": {"step": run.steps.tolist(), "loss": np.round(run.losses, 4).tolist()},
    }  # fmt: skip
    if (n, m) == (N, M):
        Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")
    checkpoint.unlink(missing_ok=True)
    for name in ("mean_field", "start", "trained", "stderr", "ratio", "seconds", "peak_gigabytes"):
        print(name, record[name])


if __name__ == "__main__":
    main()
