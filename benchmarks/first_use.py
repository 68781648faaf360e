"""What the first use costs, when kernels are compiled: seconds of commands with an empty cache.

Run ``python benchmarks/first_use.py`` (2 minutes). Each command runs in a process of its own,
twice: with an empty cache, and with that cache filled. Seconds are of the processor, so that other
work on the machine counts little. Results are stored in benchmarks/first_use.json.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import superscale as ss

ROOT = Path(__file__).parents[1]
COMMANDS = {
    "loss": "loss run.safetensors --alpha 1",
    "overlaps": "overlaps run.safetensors --tensor W",
    "predict": "predict --n 1000 --m 10",
    "predict_million": "predict --n 1000000 --m 100",
    "train": "train --n 200 --m 20 --steps 10",
}
RUN = """
import sys, time
from superscale.commands.app import main
sys.argv[0] = "superscale"
try:
    main()
finally:
    print(time.process_time(), file=sys.stderr)
"""


def seconds(command, cache, folder):
    """Run a command; return its processor seconds, and whether it said that it compiles."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", RUN, *command.split()], cwd=folder, env=environment,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stderr.split()[-1]), "compiling kernels" in done.stderr


def main():
    record = {
        "command": "python benchmarks/first_use.py",
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "processor_seconds": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        words = ss.Frequencies.power_law(200, 1.0)
        ss.train(words, 20, steps=500).save(folder / "run.safetensors")
        for name, command in COMMANDS.items():
            first, said = seconds(command, folder / name, folder)
            later, again = seconds(command, folder / name, folder)
            row = {"first": first, "later": later, "ratio": first / later}
            row["says_that_it_compiles"] = said and not again
            record["processor_seconds"][name] = row
            print(name, row, flush=True)
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
