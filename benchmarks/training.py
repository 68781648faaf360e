"""The trainer against the plain dense loop with autograd: time to a loss, time of a step, memory.

Run ``python benchmarks/training.py`` (3 minutes). Both run on one thread, side by side in one
process; compilation is not counted. The plain loop draws dense batches, forms x W Wᵀ + b, and steps
with torch's Adam; its time for the published recipe is 20 000 times the median of 200 of its steps.
The loss that recipe reaches is given: 0.347 at m = 25, 0.084 at m = 63 (n = 1000, alpha = 1,
weight decay -1). Results are stored in benchmarks/training.json.
"""

import json
import multiprocessing
import platform
import resource
import time
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

import superscale as ss

F = ss.Frequencies.power_law(1000, 1.0)
# Loss that the published recipe ends at, and how many steps the fast one is tried with.
GOALS = {25: 0.347, 63: 0.084}
STEPS = (500, 700, 1000, 1400, 2000, 2800, 4000)
SEEDS = (0, 1, 2)


class PlainLoop:
    """The published loop, as plainly as it can be written."""

    def __init__(self, f, m, seed=0):
        self.generator = torch.Generator().manual_seed(seed)
        self.p = torch.tensor(np.array(f.p), dtype=torch.float32)
        self.W = (torch.randn(f.n, m, generator=self.generator) / m**0.5).requires_grad_()
        self.b = torch.randn(f.n, generator=self.generator).requires_grad_()
        self.adam = torch.optim.AdamW([self.W, self.b], lr=1e-2, weight_decay=0.0)

    def step(self, rate, batch=2048, weight_decay=-1.0):
        """Draw a batch and take one step."""
        shape = (batch, len(self.p))
        on = torch.rand(shape, generator=self.generator) < self.p
        x = on * 2 * torch.rand(shape, generator=self.generator)
        loss = torch.mean((torch.relu(x @ self.W @ self.W.T + self.b) - x) ** 2)
        self.adam.zero_grad()
        loss.backward()
        with torch.no_grad():
            self.W -= rate * weight_decay * self.W * (1 / self.W.norm(dim=1, keepdim=True) - 1)
        for group in self.adam.param_groups:
            group["lr"] = rate
        self.adam.step()

    def time_steps(self, count):
        """Return the median time of a step, late in the training's warm-up."""
        times = []
        for _ in range(count):
            began = time.perf_counter()
            self.step(5e-3)
            times.append(time.perf_counter() - began)
        return float(np.median(times))


def time_to_loss(m):
    """Fewest of STEPS with which the fast recipe gets below the goal, on average over seeds."""
    for steps in STEPS:
        runs = [ss.train(F, m, recipe="fast", steps=steps, seed=seed) for seed in SEEDS]
        loss = float(np.mean([run.loss for run in runs]))
        if loss < GOALS[m]:
            seconds = float(np.mean([run.seconds for run in runs]))
            return {"steps": steps, "loss": loss, "seconds": seconds}
    raise SystemExit(f"m = {m}: the loss {GOALS[m]} was not reached in {STEPS[-1]} steps")


def peak_of_large_model(results):
    """Train n = 10 240, m = 1024 for a few steps in a process of its own; report its peak."""
    f = ss.Frequencies.power_law(10240, 1.2)
    run = ss.train(f, 1024, recipe="fast", steps=6, evaluation_samples=1000)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    results.put((peak, run.seconds / 6))


def main():
    torch.set_num_threads(1)
    record = {
        "command": "python benchmarks/training.py",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": 1,
        "time_to_loss": {},
    }
    with threadpool_limits(limits=1):
        ss.train(F, 25, recipe="fast", steps=4)  # compiles
        for m in GOALS:
            plain = PlainLoop(F, m).time_steps(200)
            fast = time_to_loss(m)
            ratio = 20_000 * plain / fast["seconds"]
            record["time_to_loss"][m] = {
                "goal": GOALS[m], "plain_step": plain, "plain_seconds": 20_000 * plain,
                **fast, "ratio": ratio,
            }  # fmt: skip
            print(f"m = {m}: {fast}, plain {20_000 * plain:.0f} s: {ratio:.0f} times", flush=True)
        plain = PlainLoop(F, 39).time_steps(200)
        run = ss.train(
            F, 39, recipe="paper", evaluation_samples=1000
        )  # all 20 000 steps of the published recipe
        record["step_at_batch_2048_m_39"] = {
            "plain_seconds": plain,
            "fused_seconds": run.seconds / 20_000,
            "ratio": plain * 20_000 / run.seconds,
        }
        print(record["step_at_batch_2048_m_39"], flush=True)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=peak_of_large_model, args=(results,))
    process.start()
    peak, seconds = results.get()
    process.join()
    record["n_10240_m_1024"] = {"peak_GiB": peak, "seconds_per_step": seconds}
    print(record["n_10240_m_1024"])
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
