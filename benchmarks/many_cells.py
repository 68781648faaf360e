"""How a sweep of 100 000 cells grows: the grid, its store, its table, and a scheduler.

Run ``python benchmarks/many_cells.py`` (6 minutes, 2 GB of disk in the temporary folder; needs the
extra ``distributed``; a number of cells may follow). Nothing is trained. A store is filled with
files named as the runs of the grid, all with the bytes of one run, and with the table's rows made
up: the first numbers say how fast the grid is expanded, the store opened and the table made from
its rows, in a process of its own whose peak memory is given. The time in which a run without a row
is read and measured is taken from 300 runs. A Dask scheduler with one worker in this process runs
tasks that do nothing, to find what it adds to a cell. Results are stored in
benchmarks/many_cells.json.
"""

import json
import multiprocessing
import platform
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import superscale as ss
from empirical.sweeps.grid import expand
from empirical.sweeps.store import Store
from empirical.sweeps.stored_rows import StoredRows
from empirical.training.train import train_by

CELLS, READ, TASKS = 100_000, 300, 2000
HOW = {"steps": 2, "batch": 4, "evaluation_samples": 10}


def grid_of(cells):
    """Return a grid of so many cells: 10 widths, 2 decays, 5 seeds, as many alphas as needed."""
    alphas = np.linspace(0, 2, cells // 100).tolist()
    return {
        "m": [2, 3, 4, 5, 6, 7, 8, 9, 10, 12], "alpha": alphas, "weight_decay": [-1.0, 0.5],
        "seed": list(range(5)), "n": 300,
    }  # fmt: skip


def fill(folder, cells):
    """Write a file for each cell, and the rows."""
    store, listed = Store(folder), expand(grid_of(cells), **HOW)
    run = train_by(listed[0].features, listed[0].m, listed[0].settings)
    run.save(folder / "one.safetensors")
    data = (folder / "one.safetensors").read_bytes()
    (folder / "one.safetensors").unlink()
    rows = StoredRows(store)
    rng = np.random.default_rng(0)
    row = rows.add(listed[0], run)
    for cell in listed:
        store.path(store.key(cell)).write_bytes(data)
    made_up = {name: getattr(row, name) for name in list(row.__annotations__)[8:]}
    stamps = {
        path.name: [path.stat().st_size, path.stat().st_mtime_ns]
        for path in folder.glob("*.safetensors")
    }
    for cell in listed:
        key = store.key(cell)
        values = list((made_up | {"loss": float(rng.random())}).values())
        rows._rows[key] = stamps[store.path(key).name], [float(x) for x in values]
    rows._new = True
    rows.write()
    return len(data)


def table_of(folder, cells, results):
    """Expand the grid, open the store and make the table; report times and the peak."""
    times = {}

    def measure(name, work):
        began = time.perf_counter()
        found = work()
        times[name] = time.perf_counter() - began
        return found

    store = measure("open_store", lambda: Store(folder))
    measure("open_rows", lambda: StoredRows(store))
    measure("aside", lambda: store.aside)
    result = measure("table", lambda: ss.sweep(grid_of(cells), store=folder, workers=1, **HOW))
    frame = measure("dataframe", result.to_dataframe)
    measure("exponents", result.exponents)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    results.put({**times, "rows": len(frame), "peak_GiB": peak})


def reading(folder):
    """Return the seconds in which one run without a row is read and measured."""
    grid = grid_of(READ) | {"alpha": np.linspace(0.5, 1.5, READ // 100).tolist()}
    listed, store = expand(grid, **HOW), Store(folder)
    one = {cell.m: train_by(cell.features, cell.m, cell.settings) for cell in listed}
    for cell in listed:
        run = replace(one[cell.m], features=cell.features, settings=cell.settings)
        run.save(store.path(store.key(cell)))
    began = time.perf_counter()
    ss.sweep(grid, store=folder, workers=1, **HOW)
    return (time.perf_counter() - began) / len(listed)


def nothing(cell):
    """Stand for training on a worker: what comes back is the size of a row."""
    return cell.m


def scheduling():
    """Return the seconds that a scheduler adds to a task, a thousand held at a time."""
    import distributed

    listed = expand(grid_of(TASKS), **HOW)
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        executor = client.get_executor()
        began = time.perf_counter()
        for first in range(0, TASKS, 1000):
            for future in [executor.submit(nothing, cell) for cell in listed[first : first + 1000]]:
                future.result()
        return (time.perf_counter() - began) / TASKS


def main():
    cells = int(sys.argv[1]) if len(sys.argv) > 1 else CELLS
    record = {
        "command": "python benchmarks/many_cells.py",
        "python": platform.python_version(),
        "superscale": ss.__version__,
        "cells": cells,
    }
    with tempfile.TemporaryDirectory() as folder:
        record["file_bytes"] = fill(Path(folder), cells)
        context = multiprocessing.get_context("spawn")
        results = context.Queue()
        process = context.Process(target=table_of, args=(Path(folder), cells, results))
        process.start()
        record |= results.get()
        process.join()
    with tempfile.TemporaryDirectory() as folder:
        record["seconds_to_read_a_run"] = reading(Path(folder))
    record["seconds_to_schedule_a_cell"] = scheduling()
    print(json.dumps(record, indent=2))
    if cells == CELLS:
        text = json.dumps(record, indent=2) + "\n"
        Path(__file__).with_suffix(".json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
