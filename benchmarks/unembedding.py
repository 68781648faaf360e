"""Memory that the unembedding of a 4 GB sharded checkpoint takes, and the time.

Run ``python benchmarks/unembedding.py`` (about fifteen minutes; needs 4.4 GB of free disk, freed
again). Results are stored in benchmarks/unembedding.json. The checkpoints are synthetic: the
unembedding is random, the rest zeros. Memory is read from /proc/self/status (Linux): the peak of
all resident pages, and separately the largest sampled anonymous part (the process's own) and file
part (pages of mapped files, which the system can reclaim).
"""

import json
import os
import platform
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

N, M = 262_144, 4096
BLOCK = 4096
SHARDS = {
    "model.embed_tokens.weight": "model-00001-of-00003",
    "model.layers.0.mlp.up_proj.weight": "model-00002-of-00003",
    "lm_head.weight": "model-00003-of-00003",
}

MEASURE = r"""
import json, pathlib, re, sys, threading, time
import numpy as np
from numerics.tensors.row_matrix import RowMatrix
from numerics.overlaps.unit_rows import mean_square_overlap
from empirical.unembeddings.unembedding import open_unembedding
if sys.argv[3] == "pytorch":
    import torch

def status():
    text = pathlib.Path("/proc/self/status").read_text()
    return {key: int(value) * 1024 for key, value in re.findall(r"(\w+):\s*(\d+) kB", text)}

before, seen, done = status(), [], threading.Event()
def watch():
    while not done.wait(0.005):
        now = status()
        seen.append((now["RssAnon"], now["RssFile"]))
watcher = threading.Thread(target=watch)
watcher.start()
start = time.perf_counter()
found = open_unembedding(sys.argv[1])
opened = time.perf_counter() - start
matrix = found.matrix
if sys.argv[2] == "plain":
    tensor = np.memmap(found.path, np.uint16, "r", int(sys.argv[4]), (matrix.n, matrix.m))
    matrix = RowMatrix(tensor, bfloat16=True)
value = mean_square_overlap(matrix)
took = time.perf_counter() - start
done.set()
watcher.join()
print(json.dumps({
    "tensor": found.tensor,
    "tied": found.tied,
    "shape": [matrix.n, matrix.m],
    "mean_square_times_m": value * matrix.m,
    "seconds_to_open": opened,
    "seconds": took,
    "samples": len(seen),
    "resident_bytes_before": before["VmRSS"],
    "peak_resident_bytes": status()["VmHWM"],
    "largest_anonymous_bytes": max(anonymous for anonymous, _ in seen),
    "largest_file_bytes": max(file for _, file in seen),
}))
"""


def random_bits(rng, rows):
    """Return rows of standard normal numbers, as the bits of bfloat16."""
    values = rng.standard_normal((rows, M), dtype=np.float32)
    return (values.view(np.uint32) >> 16).astype(np.uint16)


def write_safetensors(folder):
    """Write the shards; zeros are holes in the file. Returns where the unembedding begins."""
    for name, shard in SHARDS.items():
        rows = M if "layers" in name else N
        size = rows * M * 2
        entry = {"dtype": "BF16", "shape": [rows, M], "data_offsets": [0, size]}
        text = json.dumps({name: entry}).encode()
        with (folder / f"{shard}.safetensors").open("wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            start = file.tell()
            if name == "lm_head.weight":
                rng = np.random.default_rng(0)
                for _ in range(0, rows, BLOCK):
                    file.write(random_bits(rng, BLOCK))
            file.truncate(start + size)
    write_index(folder, "model.safetensors.index.json", ".safetensors")
    return start


def write_pytorch(folder):
    """Write the same shards with torch.save."""
    for name, shard in SHARDS.items():
        tensor = torch.zeros(M if "layers" in name else N, M, dtype=torch.bfloat16)
        if name == "lm_head.weight":
            rng = np.random.default_rng(0)
            for start in range(0, N, BLOCK):
                bits = torch.from_numpy(random_bits(rng, BLOCK)).view(torch.bfloat16)
                tensor[start : start + BLOCK] = bits
        torch.save({name: tensor}, folder / f"{shard.replace('model', 'pytorch_model')}.bin")
        del tensor
    write_index(folder, "pytorch_model.bin.index.json", ".bin")
    return 0


def write_index(folder, file, suffix):
    prefix = file.partition(".")[0]
    weights = {name: shard.replace("model", prefix, 1) + suffix for name, shard in SHARDS.items()}
    (folder / file).write_text(json.dumps({"weight_map": weights}))
    (folder / "config.json").write_text(json.dumps({"tie_word_embeddings": False}))


def measure(folder, way, kind, offset):
    command = [sys.executable, "-c", MEASURE, str(folder), way, kind, str(offset)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(shown)


def main():
    runs = {}
    for kind, write in (("safetensors", write_safetensors), ("pytorch", write_pytorch)):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            offset = write(folder)
            size = sum(one.stat().st_size for one in folder.iterdir())
            runs[kind] = {"checkpoint_bytes": size, **measure(folder, "ours", kind, offset)}
            print(kind, runs[kind], flush=True)
            if kind == "safetensors":
                # What the bar guards against: a plain memory map of the same tensor.
                runs["plain_memory_map"] = measure(folder, "plain", kind, offset)
                print("plain memory map", runs["plain_memory_map"], flush=True)
    record = {
        "command": "python benchmarks/unembedding.py",
        "cores": len(os.sched_getaffinity(0)),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        **runs,
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
