"""The exact expected losses: time, memory, cost against n, m and rtol, error of the gradient.

Run ``python benchmarks/population_loss.py`` (about five minutes, 2 cores). Results are stored in
benchmarks/population_loss.json.
"""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import numba
import numpy as np

from empirical.training.train import train
from numerics.loss.exact import population_loss
from numerics.loss.monte_carlo import monte_carlo_loss
from numerics.toy_model import ToyModel
from theory.frequencies import Frequencies


def seconds(task, *arguments, repeats=2, **options):
    """Return the least time of some runs, and the result."""
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        value = task(*arguments, **options)
        best = min(best, time.perf_counter() - start)
    return best, value


def random_model(n, m, bias=-0.3):
    rng = np.random.default_rng(0)
    return ToyModel(rng.standard_normal((n, m)) / np.sqrt(m), np.full(n, bias))


def measure_trained():
    """Bernoulli loss at n = 1000, m = 40, alpha = 1, E = 1, and what samples would cost."""
    f = Frequencies.power_law(1000, 1.0)
    model = train(
        f, 40, recipe="paper", batch=64, steps=5000, bias_start="zero", backend="torch"
    ).model
    took, report = seconds(population_loss, model, f)
    sampling, estimate = seconds(monte_carlo_loss, model, f, 200_000, 1, repeats=1)
    spread = estimate.stderr * np.sqrt(estimate.samples)
    # A standard error as large as the bound: variance / bound².
    wanted = (spread / (1e-6 * report.loss)) ** 2
    return (model, f), {
        "n": 1000,
        "m": 40,
        "alpha": 1.0,
        "density": 1.0,
        "rtol": 1e-6,
        "seconds": took,
        "loss": report.loss,
        "error_bound": report.error_bound,
        "sampled": estimate.loss,
        "sampled_stderr": estimate.stderr,
        "samples": estimate.samples,
        "sampling_seconds": sampling,
        "samples_for_the_same_accuracy": wanted,
        "sampling_seconds_for_the_same_accuracy": sampling * wanted / estimate.samples,
    }


def measure_tolerances(model, f):
    """Time, bound and true error against rtol; error of the gradient at the same tolerance."""
    best = population_loss(model, f, rtol=1e-11, gradient=True)
    rows = []
    for rtol in (1e-2, 1e-4, 1e-6, 1e-8):
        took, report = seconds(population_loss, model, f, rtol=rtol)
        slow, with_slopes = seconds(population_loss, model, f, rtol=rtol, gradient=True, repeats=1)
        off = np.linalg.norm(with_slopes.gradient_W - best.gradient_W)
        off_b = np.linalg.norm(with_slopes.gradient_b - best.gradient_b)
        rows.append(
            {
                "rtol": rtol,
                "seconds": took,
                "relative_bound": report.error_bound / report.loss,
                "relative_error": abs(report.loss / best.loss - 1),
                "seconds_with_gradient": slow,
                "relative_error_of_gradient_W": off / np.linalg.norm(best.gradient_W),
                "relative_error_of_gradient_b": off_b / np.linalg.norm(best.gradient_b),
            }
        )
    return rows


MEMORY = r"""
import pathlib, re, sys, time
import numpy as np
from numerics.loss.exact import population_loss
from numerics.toy_model import ToyModel
from theory.frequencies import Frequencies
n, m = 10_000, 100
rng = np.random.default_rng(0)
model = ToyModel(rng.standard_normal((n, m)) / np.sqrt(m), np.full(n, -0.3))
f = Frequencies.power_law(n, 1.0)
population_loss(ToyModel(model.W[:50], model.b[:50]), Frequencies.power_law(50, 1.0), "one_hot")
start = time.perf_counter()
loss = population_loss(model, f, "one_hot").loss
took = time.perf_counter() - start
text = pathlib.Path("/proc/self/status").read_text()
print(took, loss, re.search(r"VmHWM:\s*(\d+)", text)[1])
"""


def measure_one_hot():
    """One-hot loss at n = 10 000, m = 100, in a process of its own."""
    command = [sys.executable, "-c", MEMORY]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return {
        "n": 10_000,
        "m": 100,
        "seconds": float(shown[0]),
        "loss": float(shown[1]),
        "peak_bytes": int(shown[2]) * 1024,
    }


def fit_order(sizes, times):
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def measure_scaling(sampling, sizes_n, m, sizes_m, n):
    """Time over a decade of n and of m, and the fitted exponents."""
    by_n = [
        seconds(population_loss, random_model(k, m), Frequencies.power_law(k, 1.0), sampling)[0]
        for k in sizes_n
    ]
    by_m = [
        seconds(population_loss, random_model(n, k), Frequencies.power_law(n, 1.0), sampling)[0]
        for k in sizes_m
    ]
    return {
        "n": sizes_n,
        "m_fixed": m,
        "seconds_by_n": by_n,
        "exponent_in_n": fit_order(sizes_n, by_n),
        "m": sizes_m,
        "n_fixed": n,
        "seconds_by_m": by_m,
        "exponent_in_m": fit_order(sizes_m, by_m),
    }


def main():
    warm = random_model(50, 5)
    for sampling in ("bernoulli", "one_hot"):
        population_loss(warm, Frequencies.power_law(50, 1.0), sampling, gradient=True)
    (model, f), bernoulli = measure_trained()
    record = {
        "command": "python benchmarks/population_loss.py",
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "bernoulli_trained": bernoulli,
    }
    print("bernoulli", bernoulli, flush=True)
    record["tolerances"] = measure_tolerances(model, f)
    print("tolerances", *record["tolerances"], sep="\n  ", flush=True)
    record["one_hot"] = measure_one_hot()
    print("one hot", record["one_hot"], flush=True)
    sizes = [300, 550, 1000, 1700, 3000]
    record["bernoulli_scaling"] = measure_scaling(
        "bernoulli", sizes, 40, [10, 20, 40, 70, 100], 1000
    )
    print("bernoulli scaling", record["bernoulli_scaling"], flush=True)
    sizes = [2000, 4000, 8000, 14000, 20000]
    record["one_hot_scaling"] = measure_scaling(
        "one_hot", sizes, 100, [30, 60, 100, 170, 300], 8000
    )
    print("one hot scaling", record["one_hot_scaling"], flush=True)
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
