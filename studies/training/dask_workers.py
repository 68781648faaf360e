"""A sweep on a Dask cluster whose workers are killed, leave and join: is anything lost.

Run ``python studies/training/dask_workers.py`` (6 minutes on two cores; needs the extra
``distributed``). 200 cells are trained once one after the other in one process, and once by
``superscale sweep --dask`` on a scheduler with two worker processes. Every second or so, at random
from a seed, one worker is killed (SIGKILL) or told to leave (SIGTERM), and another joins.
Then two sweeps of the same grid run at once on one store of their own. Stored are the deaths, what
was lost or failed, and whether every model is the same bit for bit. Results are stored in
studies/training/dask_workers.json.
"""

import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import distributed
import numpy as np

import superscale as ss
from empirical.training.run import TrainingRun

GRID = ["--n", "60", "--m", "3,5,8,12", "--alpha", "0:2:25", "--weight-decay", "-1,0.5"]
SWEEP = [sys.executable, "-m", "superscale", "sweep", *GRID, "--steps", "1500", "--csv"]
CELLS = 200
SEED, BETWEEN = 0, 1.0  # seconds between two events, on average
ENVIRONMENT = os.environ | {name: "1" for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")}


def contents(store):
    """Return what training made, by file."""
    found = {}
    for path in Path(store).glob("*.safetensors"):
        run = TrainingRun.load(path)
        found[path.name] = (run.model.W.tobytes(), run.model.b.tobytes(), run.loss)
    return found


def start(words):
    return subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )


def worker(address, folder):
    """Start a worker process; it is its own supervisor's: when it dies nobody starts it again."""
    words = ["-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
    words += ["--local-directory", str(folder), "--no-dashboard"]
    return subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
    )  # fmt: skip


def with_deaths(folder, store):
    """Run the sweep on a cluster while workers come and go; return the record of it."""
    rng = np.random.default_rng(SEED)
    cluster = distributed.LocalCluster(n_workers=0, dashboard_address=None, processes=True)
    began, events = time.perf_counter(), {"killed": 0, "left": 0, "joined": 0}
    workers = [worker(cluster.scheduler_address, folder) for _ in range(2)]
    sweep = start([*SWEEP, "--store", str(store), "--dask", cluster.scheduler_address])
    try:
        while sweep.poll() is None:
            time.sleep(rng.exponential(BETWEEN))
            if len(list(Path(store).glob("*.safetensors"))) < 2:
                continue  # the first workers are still starting
            kind, number = (
                ("killed", signal.SIGKILL) if rng.random() < 0.7 else ("left", signal.SIGTERM)
            )
            # Starting takes seconds: at most one of the two is gone at a time, mostly.
            one = workers.pop(int(rng.integers(len(workers))))
            if one.poll() is None:
                one.send_signal(number)
                events[kind] += 1
            workers.append(worker(cluster.scheduler_address, folder))
            events["joined"] += 1
            time.sleep(3.0)
        message = sweep.communicate()[1]
    finally:
        for one in workers:
            with contextlib.suppress(ProcessLookupError):
                one.kill()
        with contextlib.suppress(ProcessLookupError):
            sweep.kill()
        cluster.close()
    return {
        "exit": sweep.returncode, **events, "seconds": time.perf_counter() - began,
        "failures": len(list(Path(store).glob("*.failed.json"))),
        "said": [line for line in message.splitlines() if "did not finish" in line],
    }  # fmt: skip


def together(folder):
    """Run the same sweep twice at once on one store; return exit codes."""
    pair = [start([*SWEEP, "--store", str(folder), "--workers", "1"]) for _ in "ab"]
    for one in pair:
        one.communicate()
    return [one.returncode for one in pair]


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        began = time.perf_counter()
        start([*SWEEP, "--store", str(folder / "serial"), "--workers", "1"]).communicate()
        serial = time.perf_counter() - began
        expected = contents(folder / "serial")
        print(f"serial: {len(expected)} runs in {serial:.0f} s", flush=True)
        (folder / "workers").mkdir()
        dask = with_deaths(folder / "workers", folder / "dask")
        found = contents(folder / "dask")
        dask |= {"runs": len(found), "bit_identical": found == expected}
        print(dask, flush=True)
        codes = together(folder / "two")
        two = contents(folder / "two")
        record = {
            "command": "python studies/training/dask_workers.py",
            "python": platform.python_version(),
            "distributed": distributed.__version__,
            "superscale": ss.__version__,
            "cells": CELLS,
            "serial_runs": len(expected),
            "serial_seconds": serial,
            "dask": dask,
            "two_writers": {
                "exits": codes, "runs": len(two), "bit_identical": two == expected,
                "locks_left": len(list((folder / "two").glob("*.lock"))),
            },
        }  # fmt: skip
    print(json.dumps(record, indent=2))
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
