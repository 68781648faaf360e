"""A GPU against the CPU and against its own matrix products: equality, rates, models at once.

Run ``python benchmarks/gpu.py`` on a machine with a GPU (under 8 minutes: a part that would begin
after 6 is left out, which the record says). It compares the models that the CPU and the GPU make of
the same batches, in float32 and in TF32; measures a step at n = 50 000, m = 4096, batch 2048
against the card's rate of matrix products of that shape; and trains models of n = 1000 one at a
time and 32 at once. The result is written beside this script, as gpu.json. Without a GPU it says
what it would do, stores nothing, and exits with 0. ``--rehearse`` runs every part on the CPU at
small sizes (a minute) and stores nothing either.
"""

import json
import platform
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch

import superscale as ss
from empirical.training.devices.many_steps import ManySteps, matmul_precision
from empirical.training.settings import TrainingSettings

LATEST = 360  # seconds after which no part begins
PARTS = {
    "equality": "the same 500 batches on the CPU and on the GPU (n = 1000, m = 25): largest "
    "differences of W and b in float32 and TF32, with and without a CUDA graph, and another seed",
    "loss": "the loss of four models trained on batches drawn on the GPU, beside four of the CPU "
    "(n = 1000, m = 25, 4000 steps)",
    "large_step": "seconds of a step at n = 50 000, m = 4096, batch 2048: plain, CUDA graph, "
    "torch.compile and both; share of the card's rate of matrix products of that shape",
    "many": "models of n = 1000, m = 39 trained one at a time and 32 at once: steps a second",
}
FULL = {
    "equality": {"n": 1000, "m": 25, "steps": 500},
    "loss": {"n": 1000, "m": 25, "steps": 4000, "models": 4},
    "large": {"n": 50_000, "m": 4096, "batch": 2048, "steps": 20},
    "many": {"n": 1000, "m": 39, "batch": 64, "models": 32, "steps": 300},
}
SMALL = {
    "equality": {"n": 200, "m": 10, "steps": 60},
    "loss": {"n": 200, "m": 10, "steps": 200, "models": 2},
    "large": {"n": 400, "m": 64, "batch": 64, "steps": 3},
    "many": {"n": 100, "m": 10, "batch": 32, "models": 4, "steps": 20},
}
PRECISIONS = {"float32": "highest", "TF32": "high"}


def wait(device):
    if device == "cuda":
        torch.cuda.synchronize()


def models_at(device, n, m, batch, steps, count=1, compiled=False, graphs=False):
    """Return ManySteps at random models; batches are drawn on the device."""
    settings = [
        TrainingSettings(
            steps=steps, batch=batch, seed=seed, backend="torch", device=device, draws="device"
        )
        for seed in range(count)
    ]
    rng = np.random.default_rng(0)
    W = rng.standard_normal((count, n, m), dtype=np.float32) / np.float32(m**0.5)
    shown = [ss.Features(ss.Frequencies.power_law(n, 1.0))] * count
    generators = [np.random.default_rng(seed) for seed in range(count)]
    b = np.zeros((count, n), np.float32)
    return ManySteps(W, b, shown, generators, settings, compiled, graphs)


def seconds_of_step(models, device, steps, warm=6):
    """Return the mean seconds of a step, after some that compile and capture."""
    models.take(0, warm)
    wait(device)
    began = time.perf_counter()
    models.take(warm, warm + steps)
    wait(device)
    return (time.perf_counter() - began) / steps


def difference(one, other):
    """Return the largest difference of two models."""
    return float(
        max(np.abs(one.model.W - other.model.W).max(), np.abs(one.model.b - other.model.b).max())
    )


def equality(device, sizes):
    n, m, steps = sizes["n"], sizes["m"], sizes["steps"]
    f = ss.Frequencies.power_law(n, 1.0)
    how = {"steps": steps, "batch": 64, "evaluation_samples": 1000}
    cpu, other = (ss.train(f, m, seed=seed, **how) for seed in (0, 1))
    found = {"another_seed": difference(cpu, other)}
    for name, precision in PRECISIONS.items():
        with matmul_precision(precision):
            there = ss.train(f, m, device=device, backend="torch", **how)
            (many,) = ss.train_many(f, m, seeds=1, device=device, **how)
            graphed = []
            for graphs in (False, True):
                models = models_at(device, n, m, 64, steps, graphs=graphs)
                models.take(0, steps)
                graphed.append(models.models()[0])
        found[name] = {
            "train": difference(cpu, there),
            "train_many": difference(cpu, many),
            "graph": float(np.abs(graphed[0] - graphed[1]).max()),
        }
    # TF32 keeps 10 bits of each factor: bounds of rounding, far from another seed's.
    found["equal"] = found["float32"]["train"] < 2e-3 and found["float32"]["train_many"] < 2e-3
    return found


def loss(device, sizes):
    f = ss.Frequencies.power_law(sizes["n"], 1.0)
    how = {"steps": sizes["steps"], "batch": 64, "evaluation_samples": 2**15}
    seeds = range(sizes["models"])
    cpu = [ss.train(f, sizes["m"], seed=seed, **how).loss for seed in seeds]
    runs = ss.train_many(f, sizes["m"], seeds=seeds, device=device, draws="device", **how)
    there = [run.loss for run in runs]
    error = float(np.hypot(np.std(cpu, ddof=1), np.std(there, ddof=1)) / len(cpu) ** 0.5)
    return {
        "cpu": cpu,
        "device": there,
        "difference": float(np.mean(there) - np.mean(cpu)),
        "standard_error": error,
    }


def product_rate(device, n, m, batch):
    """Return floating-point operations a second of the three products of a step."""
    drawn = {"device": device, "generator": torch.Generator(device).manual_seed(0)}
    W = torch.randn(1, n, m, **drawn)
    hidden, error = (torch.randn(1, batch, k, **drawn) for k in (m, n))
    work = (
        lambda: torch.bmm(hidden, W.transpose(1, 2)),
        lambda: torch.bmm(error, W),
        lambda: torch.bmm(error.transpose(1, 2), hidden),
    )
    for one in work:
        one()
    wait(device)
    began = time.perf_counter()
    for _ in range(5):
        for one in work:
            one()
    wait(device)
    return 5 * 6.0 * batch * n * m / (time.perf_counter() - began)


def large_step(device, sizes):
    n, m, batch, steps = (sizes[name] for name in ("n", "m", "batch", "steps"))
    found = {}
    for name, precision in PRECISIONS.items():
        with matmul_precision(precision):
            rate = product_rate(device, n, m, batch)
            rows = {"products_flop_per_second": rate}
            for compiled in (False, True):
                for graphs in (False, True):
                    what = f"{'compiled' if compiled else 'plain'}{', graph' if graphs else ''}"
                    if compiled and device == "cpu":
                        continue  # inductor's C++ takes minutes, and says nothing about a GPU
                    models = models_at(device, n, m, batch, steps + 6, 1, compiled, graphs)
                    each = seconds_of_step(models, device, steps)
                    rows[what] = {
                        "seconds": each,
                        "captured": bool(models._captured),
                        "share_of_products": 6.0 * batch * n * m / each / rate,
                    }
                    del models
        found[name] = rows
    return found


def many(device, sizes):
    n, m, batch, count, steps = (sizes[k] for k in ("n", "m", "batch", "models", "steps"))
    one, all_of_them = (
        seconds_of_step(models_at(device, n, m, batch, steps + 6, k, graphs=True), device, steps)
        for k in (1, count)
    )
    return {
        "models": count,
        "steps_per_second_of_one": 1 / one,
        "model_steps_per_second_of_all": count / all_of_them,
        "ratio": count * one / all_of_them,
    }


def card(device):
    if device == "cpu":
        return {"name": platform.processor() or "CPU"}
    properties = torch.cuda.get_device_properties(0)
    return {
        "name": properties.name,
        "memory_GiB": properties.total_memory / 2**30,
        "capability": f"{properties.major}.{properties.minor}",
        "cuda": torch.version.cuda,
    }


def main():
    rehearse = "--rehearse" in sys.argv[1:]
    if not torch.cuda.is_available() and not rehearse:
        print("torch finds no GPU here: nothing is measured. On a machine with one this measures")
        for name, text in PARTS.items():
            print(f"- {name}: {text}")
        print("in under 8 minutes, and writes gpu.json beside this script.")
        return
    device, sizes = ("cpu", SMALL) if rehearse else ("cuda", FULL)
    began = time.perf_counter()
    record = {
        "command": "python benchmarks/gpu.py",
        "card": card(device),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "superscale": ss.__version__,
        "sizes": sizes,
        "left_out": [],
        "warnings": [],
    }
    work = {
        "equality": lambda: equality(device, sizes["equality"]),
        "loss": lambda: loss(device, sizes["loss"]),
        "many": lambda: many(device, sizes["many"]),
        "large_step": lambda: large_step(device, sizes["large"]),
    }
    for name, measure in work.items():
        if time.perf_counter() - began > LATEST:
            record["left_out"].append(f"{name}: {LATEST} s had passed")
            continue
        started = time.perf_counter()
        try:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                record[name] = measure()
            record["warnings"] += sorted({str(one.message) for one in said})
        except (RuntimeError, ImportError) as error:  # out of memory, or no compiler: say so
            record["left_out"].append(f"{name}: {str(error).splitlines()[0]}")
        if device == "cuda":
            torch.cuda.empty_cache()
        print(f"{name}: {time.perf_counter() - started:.0f} s", record.get(name), flush=True)
        record["seconds"] = time.perf_counter() - began
        if device == "cuda":
            text = json.dumps(record, indent=2) + "\n"
            Path(__file__).with_suffix(".json").write_text(text, encoding="utf-8")
    if not record.get("equality", {}).get("equal", False):
        raise SystemExit("the models of the CPU and of the device differ by more than rounding")


if __name__ == "__main__":
    main()
