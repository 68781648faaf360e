"""Overlaps at the size of language models: speed as ratios within one run, and peak memory.

Run ``python benchmarks/overlaps.py`` (about five minutes, 2 cores). Results are stored in
benchmarks/overlaps.json.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from numerics.overlaps.statistics import overlaps
from numerics.overlaps.unit_rows import mean_square_overlap
from numerics.tensors.row_matrix import open_matrix

N, M = 50_257, 768
BLOCK = 8192


def mean_square_by_all_pairs(W):
    """Normalise, multiply all pairs of blocks, average the squares: the published way, plainly."""
    U = torch.nn.functional.normalize(torch.from_numpy(W), dim=1)
    total = 0.0
    for start in range(0, len(U), BLOCK):
        for other in range(0, len(U), BLOCK):
            block = U[start : start + BLOCK] @ U[other : other + BLOCK].T
            total += float((block**2).sum(dtype=torch.float64))
    diagonal = float((U.double() ** 2).sum(dim=1).pow(2).sum())
    return (total - diagonal) / (len(U) * (len(U) - 1))


def multiply_blocks(W, block=2048):
    """Multiply the pairs that ``overlaps`` visits, and do nothing with them."""
    U = W / np.linalg.norm(W, axis=1, keepdims=True)
    for start in range(0, len(U), block):
        for other in range(start, len(U), block):
            _ = U[start : start + block] @ U[other : other + block].T


def seconds(task, *arguments):
    start = time.perf_counter()
    value = task(*arguments)
    return time.perf_counter() - start, value


MEMORY = r"""
import pathlib, re, sys, time
from numerics.tensors.row_matrix import open_matrix
from numerics.overlaps.unit_rows import mean_square_overlap
def peak():
    text = pathlib.Path("/proc/self/status").read_text()
    return re.search(r"VmHWM:\s*(\d+)", text)[1]
base = peak()
start = time.perf_counter()
value = mean_square_overlap(open_matrix(sys.argv[1]))
took = time.perf_counter() - start
print(value, took, base, peak())
"""


def measure_memory(n, m):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "W.npy"
        out = np.lib.format.open_memmap(path, "w+", np.float16, (n, m))
        rng = np.random.default_rng(0)
        for start in range(0, n, BLOCK):
            rows = min(BLOCK, n - start)
            out[start : start + rows] = rng.standard_normal((rows, m), dtype=np.float32)
        out.flush()
        del out
        command = [sys.executable, "-c", MEMORY, str(path)]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        file_size = path.stat().st_size
        assert open_matrix(path).n == n
    return {
        "shape": [n, m],
        "mean_square": float(shown[0]),
        "one_over_m": 1 / m,
        "seconds": float(shown[1]),
        "file_bytes": file_size,
        "peak_bytes_before": int(shown[2]) * 1024,
        "peak_bytes": int(shown[3]) * 1024,
    }


def main():
    cores = len(os.sched_getaffinity(0))
    torch.set_num_threads(cores)
    rng = np.random.default_rng(0)
    W = rng.standard_normal((N, M), dtype=np.float32) * rng.uniform(0.5, 2, M).astype(np.float32)
    small = W[:3000]
    overlaps(small)  # compiles
    mean_square_overlap(small)

    ours, value = min(seconds(mean_square_overlap, W) for _ in range(3))
    plain, expected = seconds(mean_square_by_all_pairs, W)
    mean_square = {
        "shape": [N, M],
        "moments_seconds": ours,
        "all_pairs_torch_seconds": plain,
        "ratio": plain / ours,
        "relative_difference": value / expected - 1,
    }
    print("mean square", mean_square, flush=True)

    bare, ratios = [], []
    for _ in range(2):
        product, _ = seconds(multiply_blocks, W)
        full, result = seconds(overlaps, W)
        bare.append(product)
        ratios.append(full / product)
    one_pass = {
        "shape": [N, M],
        "bare_product_seconds": bare,
        "ratio": ratios,
        "coherence": result.coherence,
        "mean_absolute": result.mean_absolute,
        "pairs_in_histogram": int(result.histogram.sum()),
    }
    print("one pass", one_pass, flush=True)
    memory = measure_memory(151_936, 1024)
    print("memory", memory)

    record = {
        "command": "python benchmarks/overlaps.py",
        "cores": cores,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "mean_square_overlap": mean_square,
        "all_statistics_in_one_pass": one_pass,
        "float16_memory_map": memory,
    }
    text = json.dumps(record, indent=2) + "\n"
    Path(__file__).with_suffix(".json").write_text(text)


if __name__ == "__main__":
    main()
