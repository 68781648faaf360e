"""Sweeps that are killed or run out of disk: what is lost, and whether the results are the same.

Run ``python studies/training/interruptions.py`` (2 minutes; Linux; the full disk needs the right to
mount a tmpfs, or is left out). A worker is killed, the parent is killed, a disk of 120 KB fills up;
each sweep is then started again. Runs are compared with an undisturbed sweep bit for bit. Results
are stored in studies/training/interruptions.json.
"""

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import superscale as ss
from empirical.training.run import TrainingRun

COMMAND = [
    *(sys.executable, "-c", "from superscale.commands.app import main; main()"),
    *("sweep", "--m", "10,20", "--n", "300"),
    *("--alpha", "0:2:5", "--weight-decay", "-1,0.5", "--steps", "4000", "--workers", "2", "--csv"),
]


def sweep(store):
    """Start the sweep; return its process."""
    return subprocess.Popen(
        [*COMMAND, "--store", str(store)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def contents(store):
    """Return what training made, by file."""
    found = {}
    for path in Path(store).glob("*.safetensors"):
        run = TrainingRun.load(path)
        found[path.name] = (run.model.W.tobytes(), run.model.b.tobytes(), run.loss)
    return found


def children(pid):
    """Return the processes that train."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rsplit(")", 1)[1].split()[1])
            line = path.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if parent == pid and b"spawn_main" in line:
            found.append(int(path.parent.name))
    return found


def killed(store, expected, worker):
    """Kill a worker, or the parent, once four runs are there."""
    process = sweep(store)
    while len(list(Path(store).glob("*.safetensors"))) < 4:
        time.sleep(0.02)
    before = contents(store)
    os.kill(children(process.pid)[0] if worker else process.pid, signal.SIGKILL)
    code = process.wait()
    kept = before.items() <= contents(store).items()
    if not worker:
        time.sleep(3)
        kept = kept and not children(process.pid)
        sweep(store).wait()
    return {
        "exit": code,
        "finished_before": len(before),
        "kept": kept,
        "bit_identical": contents(store) == expected,
    }


def full_disk(expected):
    """Fill a small tmpfs, make room, and start again."""
    place = tempfile.mkdtemp()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=120k", "tmpfs", place], capture_output=True
    )
    if mounted.returncode:
        return "no right to mount a tmpfs"
    try:
        process = sweep(place)
        message = process.communicate()[1].strip().splitlines()[-1]
        before = contents(place)
        subprocess.run(["mount", "-o", "remount,size=64m", place], check=True)
        again = sweep(place).wait()
        return {
            "exit": process.returncode,
            "message": message.replace(place, "STORE"),
            "finished_before": len(before),
            "exit_again": again,
            "kept": before.items() <= contents(place).items(),
            "bit_identical": contents(place) == expected,
        }
    finally:
        subprocess.run(["umount", place], check=False)


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        sweep(folder / "undisturbed").wait()
        expected = contents(folder / "undisturbed")
        record = {
            "command": "python studies/training/interruptions.py",
            "python": platform.python_version(),
            "superscale": ss.__version__,
            "runs": len(expected),
            "worker_killed": killed(folder / "worker", expected, True),
            "parent_killed": killed(folder / "parent", expected, False),
            "disk_full": full_disk(expected),
        }
    print(json.dumps(record, indent=2))
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
