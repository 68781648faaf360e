"""What the first use costs, when kernels are compiled: seconds of commands with an empty cache.

Run ``python benchmarks/first_use.py`` (2 minutes). Each command runs in a process of its own,
twice: with an empty cache, and with that cache filled. Seconds are of the processor, the least of
two such pairs, so that other work on the machine counts little. Results are stored in
benchmarks/first_use.json.

With the folder of another version, its seconds are stored too, and the ratio to them:
``git worktree add ../before 187a706``, then ``python benchmarks/first_use.py ../before``.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMANDS = {
    "loss": "loss run.safetensors --alpha 1",
    "overlaps": "overlaps run.safetensors --tensor W",
    "predict": "predict --n 1000 --m 10 --theory mean_field",
    "predict_million": "predict --n 1000000 --m 100",
    "train": "train --n 200 --m 20 --steps 10",
}
_PAIRS = 2
SAVE = """
import superscale as ss
ss.train(ss.Frequencies.power_law(200, 1.0), 20, steps=500).save("run.safetensors")
"""
RUN = """
import sys, time
from superscale.__main__ import main
sys.argv[0] = "superscale"
try:
    main()
finally:
    print(time.process_time(), file=sys.stderr)
"""


def run(code, arguments, tree, cache, folder):
    """Run Python code with the packages of a tree; return what it wrote on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True,
        env=os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(tree)}, check=True,
    )  # fmt: skip
    return done.stderr


def measure(tree):
    """Return the seconds of each command with the packages of a tree."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        run(SAVE, [], tree, folder / "save", folder)
        for name, command in COMMANDS.items():
            pairs = [
                [run(RUN, command.split(), tree, folder / f"{name}-{k}", folder) for _ in range(2)]
                for k in range(_PAIRS)
            ]
            first, later = (
                min(float(one.split()[-1]) for one in some) for some in zip(*pairs, strict=True)
            )
            row = {"first": first, "later": later, "ratio": first / later}
            compiles = [["compiling kernels" in one for one in pair] for pair in pairs]
            row["says_that_it_compiles"] = all(pair == [True, False] for pair in compiles)
            found[name] = row
            print(name, row, flush=True)
    return found


def main():
    record = {
        "command": " ".join(["python benchmarks/first_use.py", *sys.argv[1:]]),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "processor_seconds": measure(ROOT),
    }
    if len(sys.argv) > 1:
        before = Path(sys.argv[1]).resolve()
        commit = ["git", "-C", str(before), "rev-parse", "--short", "HEAD"]
        record["before"] = {
            "commit": subprocess.check_output(commit, text=True).strip(),
            "processor_seconds": measure(before),
        }
        for name, row in record["processor_seconds"].items():
            row["of_before"] = row["first"] / record["before"]["processor_seconds"][name]["first"]
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
