"""Descent of the interference energy against plain torch: autograd and its own L-BFGS.

Run ``python benchmarks/relu_energy.py`` (about two minutes, 2 cores): n = 1000 directions in m =
100 dimensions, equal frequencies, r = 1, the same start and threads. Results are stored in
benchmarks/relu_energy.json.
"""

import json
import os
import platform
import time
from pathlib import Path

import numpy as np
import torch

from numerics.packings.descent import descend
from numerics.packings.energies import relu_energy

N, M, B = 1000, 100, -0.1
ITERATIONS = 150


def descend_by_torch(start):
    """Return the energy after some iterations, and the seconds that they took."""
    X = torch.tensor(start, requires_grad=True)
    off = ~torch.eye(N, dtype=torch.bool)

    def energy():
        U = X / X.norm(dim=1, keepdim=True)
        G = U @ U.T
        on = (2 * G + B).clamp(min=0)
        # ⟨ReLU(g v + b)²⟩ for b <= 0: (2 g + b)³/(6 g) where 2 g + b > 0.
        safe = torch.where(on > 0, G, torch.ones_like(G))
        return (torch.where(off, on**3 / (6 * safe), torch.zeros_like(G))).sum() / N

    optimizer = torch.optim.LBFGS(
        [X], max_iter=ITERATIONS, history_size=20, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        value = energy()
        value.backward()
        return value

    begun = time.perf_counter()
    optimizer.step(closure)
    took = time.perf_counter() - begun
    return float(energy().detach()), took


class Reached(Exception):
    """The wanted energy has been reached."""


def descend_to(start, goal):
    """Return the seconds until the energy is at most the goal."""
    ones, biases, weights = np.ones(N), np.full(N, B), np.full(N, 1 / N)

    def energy(U):
        value, slope = relu_energy(U, ones, biases, weights)
        # Reached in single precision: it counts once double precision agrees.
        if value <= goal and relu_energy(U.astype(np.float64), ones, biases, weights)[0] <= goal:
            raise Reached
        return value, slope

    begun = time.perf_counter()
    try:
        descend(start.astype(np.float32), energy, 10_000)
    except Reached:
        return time.perf_counter() - begun
    return float("nan")


def main():
    cores = len(os.sched_getaffinity(0))
    torch.set_num_threads(cores)
    start = np.random.default_rng(0).standard_normal((N, M))
    descend_to(start, 0.99 * 0.5)  # compiles, and takes some steps
    rows = []
    for _ in range(2):
        goal, plain = descend_by_torch(start)
        ours = descend_to(start, goal)
        rows.append(
            {"energy": goal, "torch_seconds": plain, "seconds": ours, "ratio": plain / ours}
        )
        print(rows[-1], flush=True)
    record = {
        "command": "python benchmarks/relu_energy.py",
        "cores": cores,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "n": N,
        "m": M,
        "b": B,
        "torch_iterations": ITERATIONS,
        "runs": rows,
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
