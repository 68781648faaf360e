import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl
from filelock import FileLock

import empirical.sweeps.engine as module
from empirical.sweeps.grid import expand
from empirical.sweeps.result import SweepResult
from empirical.sweeps.store import StorageError, Store
from empirical.sweeps.sweep import InterruptedSweep, sweep
from empirical.training.run import TrainingRun
from empirical.training.train import DivergenceError, train
from theory.frequencies import Frequencies

GRID = {"m": [3, 5], "alpha": [0.5, 1.5], "weight_decay": [-1.0, 0.5], "n": 40}
QUICK = {"steps": 60, "batch": 16, "evaluation_samples": 500}


def contents(folder):
    """What training made, file by file: all but the seconds that it took."""
    runs = {path.name: TrainingRun.load(path) for path in Path(folder).glob("*.safetensors")}
    return {
        name: (run.model.W.tobytes(), run.model.b.tobytes(), run.loss, run.losses.tobytes())
        for name, run in runs.items()
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    result = sweep(GRID, store=folder, workers=1, **QUICK)
    return result, contents(folder)


# ---- the grid -------------------------------------------------------------------------------


def test_expand_is_the_product_wide_models_first():
    cells = expand(GRID | {"seed": [0, 1]}, **QUICK)
    assert len(cells) == 16
    assert [cell.place["m"] for cell in cells] == [5] * 8 + [3] * 8
    assert len({tuple(cell.place.items()) for cell in cells}) == 16
    cell = cells[0]
    assert cell.m == 5 and cell.settings.weight_decay == cell.place["weight_decay"]
    assert cell.settings.recipe == "fast" and cell.settings.batch == 16


def test_expand_of_laws():
    own = Frequencies.from_counts([3, 2, 1, 1])
    cells = expand({"m": 2, "frequencies": [own]})
    assert cells[0].features.frequencies is own and np.isnan(cells[0].place["alpha"])
    laws = expand({"m": 2, "n": 20, "density": 0.5, "frequencies": ["linear", "exponential:7"]})
    assert [cell.features.frequencies.law for cell in laws] == ["linear", "exponential"]
    assert laws[1].features.frequencies.parameter == 7 and laws[1].features.density == 0.5
    arrays = expand({"m": np.array([2, 3]), "alpha": np.linspace(0, 1, 3), "n": 20})
    assert len(arrays) == 6 and type(arrays[0].place["alpha"]) is float


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({}, "lacks widths"),
        ({"m": [3], "beta": 1}, "unknown axis 'beta': a grid has frequencies"),
        ({"m": []}, "m is empty"),
        ({"m": [3, 3]}, "give each value once"),
        ({"m": 3, "n": 2}, "m = 3"),
        ({"m": 3, "frequencies": "zipf"}, "frequencies = 'zipf' is not allowed"),
        ({"m": 3, "frequencies": "exponential"}, "'exponential' is not allowed"),
        ({"m": 3, "frequencies": "linear", "alpha": 1}, "alpha goes with power_law"),
        ({"m": 1, "frequencies": Frequencies.linear(5), "density": 1}, "have their own density"),
        ({"m": 3, "recipe": "slow"}, "recipe = 'slow' is not allowed"),
    ],
)
def test_bad_grids(grid, message):
    with pytest.raises(ValueError, match=message):
        sweep(grid)


def test_bad_arguments(tmp_path):
    with pytest.raises(TypeError, match="'seed' belongs to the grid"):
        sweep({"m": 3, "n": 20}, seed=1)
    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="workers = 2 with an exec"):
        sweep({"m": 3, "n": 20}, executor=pool, workers=2)
    with pytest.raises(TypeError, match="no setting 'bach'"):
        sweep({"m": 3, "n": 20}, bach=3)


# ---- what comes out -------------------------------------------------------------------------


def test_rows_are_what_train_returns(undisturbed):
    result, _ = undisturbed
    table = result.to_dataframe()
    assert len(table) == 8 and not result.failures and not result.aside
    row = table[(table.m == 5) & (table.alpha == 1.5) & (table.weight_decay == 0.5)].iloc[0]
    run = train(Frequencies.power_law(40, 1.5), 5, weight_decay=0.5, seed=0, recipe="fast", **QUICK)
    assert row.loss == run.loss and row.stderr == run.stderr and row.steps == 60
    assert row.dead_loss == run.dead_loss and row.dead_loss + row.live_loss == row.loss
    assert row.phi_half == np.mean(run.model.norms > 0.5)


def test_processes_and_any_executor_give_the_same(tmp_path, undisturbed):
    _, expected = undisturbed
    seen = []
    result = sweep(
        GRID, store=tmp_path / "a", workers=2, progress=lambda *x: seen.append(x), **QUICK
    )
    assert contents(tmp_path / "a") == expected
    assert seen == [(k, 8) for k in range(1, 9)]
    with ThreadPoolExecutor(2) as pool:
        sweep(GRID, store=tmp_path / "b", executor=pool, **QUICK)
    assert contents(tmp_path / "b") == expected
    columns = [name for name in result.to_dataframe().columns if name != "seconds"]
    assert result.to_dataframe()[columns].equals(undisturbed[0].to_dataframe()[columns])


def test_what_is_finished_is_not_trained_again(tmp_path, monkeypatch, undisturbed):
    sweep(GRID | {"alpha": 0.5}, store=tmp_path, workers=1, **QUICK)
    count = 0
    plain = module.train_cell

    def counting(*arguments):
        nonlocal count
        count += 1
        return plain(*arguments)

    monkeypatch.setattr(module, "train_cell", counting)
    result = sweep(GRID, store=tmp_path, workers=1, **QUICK)
    assert count == 4 and len(result.rows) == 8
    assert contents(tmp_path) == undisturbed[1]
    sweep(GRID, store=tmp_path, workers=1, **QUICK)
    assert count == 4


def test_a_failed_cell_does_not_stop_the_others(tmp_path):
    grid = {"m": 3, "n": 40, "weight_decay": [-1.0, -1e9]}
    result = sweep(grid, store=tmp_path, workers=1, **QUICK)
    assert len(result.rows) == 1
    (failure,) = result.failures
    assert (
        "weight_decay = -1000000000.0" in failure
        and "DivergenceError: training diverged" in failure
    )
    assert len(list(tmp_path.glob("*.failed.json"))) == 1
    with pytest.raises(DivergenceError):
        train(Frequencies.power_law(40, 1.0), 3, weight_decay=-1e9, recipe="fast", **QUICK)


def test_damaged_files_are_named_and_made_again(tmp_path, undisturbed):
    sweep(GRID, store=tmp_path, workers=1, **QUICK)
    victim = sorted(tmp_path.glob("*.safetensors"))[3]
    victim.write_bytes(b"garbage")
    result = sweep(GRID, store=tmp_path, workers=1, **QUICK)
    assert result.aside == (f"{victim}.aside1",)
    assert contents(tmp_path) == undisturbed[1]


# ---- interruptions --------------------------------------------------------------------------


def test_ctrl_c_keeps_what_had_finished(tmp_path, undisturbed):
    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    for workers in (1, 2):
        folder = tmp_path / str(workers)
        with pytest.raises(InterruptedSweep) as caught:
            sweep(GRID, store=folder, workers=workers, progress=stop, **QUICK)
        assert len(caught.value.partial.rows) >= 3
        sweep(GRID, store=folder, workers=workers, **QUICK)
        assert contents(folder) == undisturbed[1]


SCRIPT = """
import sys
from empirical.sweeps.sweep import sweep
if __name__ == "__main__":
    sweep({grid!r}, store=sys.argv[1], workers=2, **{quick!r})
"""


def start(tmp_path, name, quick):
    script = tmp_path / f"{name}.py"
    script.write_text(SCRIPT.format(grid=GRID, quick=quick))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "store")],
        env=environment, start_new_session=True,
    )  # fmt: skip


def workers_of(parent):
    pids = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
            line = path.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == parent and b"spawn_main" in line:
            pids.append(int(path.parent.name))
    return pids


def wait_for(condition, seconds=90):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("waited in vain")


LONGER = QUICK | {"steps": 3000}


@pytest.fixture(scope="module")
def longer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("longer")
    sweep(GRID, store=folder, workers=1, **LONGER)
    return contents(folder)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")
@pytest.mark.parametrize("victim", ["worker", "parent"])
def test_killed_processes_lose_nothing(tmp_path, longer, victim):
    process = start(tmp_path, "first", LONGER)
    store = tmp_path / "store"
    try:
        wait_for(lambda: len(list(store.glob("*.safetensors"))) >= 2)
        workers = workers_of(process.pid)
        assert workers
        finished = contents(store)
        os.kill(workers[0] if victim == "worker" else process.pid, signal.SIGKILL)
        if victim == "worker":  # the sweep goes on by itself
            assert process.wait(120) == 0
        else:
            process.wait(10)
            # Workers do not outlive their parent.
            wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), 30)
            sweep(GRID, store=store, workers=2, **LONGER)
    finally:
        if process.poll() is None or victim == "parent":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert finished.items() <= longer.items()
    assert contents(store) == longer


def test_two_processes_on_one_store(tmp_path, longer):
    both = [start(tmp_path, name, LONGER) for name in ("first", "second")]
    assert [process.wait(180) for process in both] == [0, 0]
    assert contents(tmp_path / "store") == longer
    assert not list((tmp_path / "store").glob("*.aside*"))
    assert not list((tmp_path / "store").glob("*.failed.json"))


def test_a_full_disk_stops_the_sweep_and_loses_nothing(tmp_path, monkeypatch, undisturbed):
    """Writing fails from the third run on, as on a full disk."""
    plain, left = TrainingRun.save, [2]

    def full(self, path):
        if not left[0]:
            raise OSError(28, "No space left on device")
        left[0] -= 1
        plain(self, path)

    monkeypatch.setattr(TrainingRun, "save", full)
    with pytest.raises(StorageError, match="No space left on device: a finished run could not be"):
        sweep(GRID, store=tmp_path, workers=1, **QUICK)
    assert len(contents(tmp_path)) == 2
    monkeypatch.setattr(TrainingRun, "save", plain)
    sweep(GRID, store=tmp_path, workers=1, **QUICK)
    assert contents(tmp_path) == undisturbed[1]


def test_a_pool_that_breaks_before_it_takes_work(tmp_path, monkeypatch, undisturbed):
    broken = []

    class Breaking(ThreadPoolExecutor):
        def submit(self, *arguments):
            if len(broken) < 2:
                broken.append(arguments)
                if len(broken) == 2:
                    raise module.BrokenProcessPool("killed")
            return super().submit(*arguments)

    monkeypatch.setattr(module, "start_processes", Breaking)
    sweep(GRID, store=tmp_path, workers=2, **QUICK)
    assert len(broken) == 2 and contents(tmp_path) == undisturbed[1]


class Dying(ThreadPoolExecutor):
    """A pool that breaks whenever it is to train a model of width 3, alone or beside others."""

    def submit(self, function, folder, cell, patient):
        if cell.m == 3:

            def function(*arguments):
                raise module.BrokenProcessPool("killed")

        return super().submit(function, folder, cell, patient)


def test_a_cell_whose_process_always_dies_takes_no_other_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "start_processes", Dying)
    grid = {"m": [8, 6, 4, 3], "n": 40}
    result = sweep(grid, store=tmp_path, workers=3, **QUICK)
    assert [row.m for row in result.rows] == [4, 6, 8]
    (failure,) = result.failures
    assert "m = 3" in failure and "was killed 3 times" in failure
    assert len(list(tmp_path.glob("*.failed.json"))) == 1


def test_the_callers_processes_are_left_alone(tmp_path):
    own = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    own.start()

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(InterruptedSweep):
        sweep(GRID, store=tmp_path, workers=2, progress=stop, **QUICK)
    assert own.is_alive()
    own.terminate()


def test_what_another_process_makes_is_left_for_last(tmp_path):
    store, cells = Store(tmp_path), expand(GRID, **QUICK)
    lock = FileLock(tmp_path / f"{store.key(cells[0])}.lock")
    seen = []

    def release(done, total):
        seen.append(done)
        if done == len(cells) - 1:
            lock.release()

    lock.acquire()
    sweep(GRID, store=tmp_path, workers=1, progress=release, **QUICK)
    assert seen == list(range(1, len(cells) + 1))


def test_a_store_that_vanishes_stops_the_sweep(tmp_path, monkeypatch):
    plain = TrainingRun.save

    def gone(self, path):
        plain(self, tmp_path / "no" / "such" / path.name)

    monkeypatch.setattr(TrainingRun, "save", gone)
    with pytest.raises(StorageError, match="does not exist: a finished run could not be written"):
        sweep(GRID, store=tmp_path / "store", workers=1, **QUICK)


def test_threads_share_the_limit_and_give_it_back(tmp_path):
    before = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
    with ThreadPoolExecutor(4) as pool:
        sweep(GRID, store=tmp_path, executor=pool, **QUICK)
    assert [pool["num_threads"] for pool in threadpoolctl.threadpool_info()] == before


def test_tables_that_look_alike_are_two_curves():
    laws = [Frequencies.from_probabilities(p) for p in ([0.5, 0.3, 0.2], [0.5, 0.25, 0.25])]
    cells = expand({"m": np.array(2), "frequencies": laws, "seed": [np.int64(3)]})
    assert len({cell.place["frequencies"] for cell in cells}) == 2
    assert {type(cell.place["seed"]) for cell in cells} == {int}


# ---- a cluster ------------------------------------------------------------------------------


def test_dask_cluster_of_several_processes(tmp_path, undisturbed):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        result = sweep(GRID, store=tmp_path, executor=client.get_executor(), **QUICK)
    assert contents(tmp_path) == undisturbed[1]
    assert len(result.rows) == 8


# ---- pictures and cubes ---------------------------------------------------------------------


def test_exponents_and_pictures(undisturbed):
    result, _ = undisturbed
    exponents = result.exponents()
    table = result.to_dataframe()
    assert len(exponents) == 4
    first = exponents.iloc[0]
    losses = table[
        (table.alpha == first.alpha) & (table.weight_decay == first.weight_decay)
    ].loss.to_numpy()
    assert first.exponent == pytest.approx(-np.log(losses[1] / losses[0]) / np.log(5 / 3))
    axes = result.plot()
    assert len(axes.lines) >= 4
    for quantity in ("exponent", "phi_half", "dead_fraction"):
        image = result.plot_phase(quantity).collections[0].get_array()
        assert image.shape == (2, 2)
    with pytest.raises(ValueError, match="no quantity 'beauty'"):
        result.plot_phase("beauty")
    with pytest.raises(ValueError, match="m = 4 is not in the sweep"):
        result.plot_phase("loss", m=4)
    other = SweepResult((*result.rows, replace(result.rows[0], density=2.0)))
    with pytest.raises(
        ValueError, match=r"a phase diagram needs one density: the sweep has \[1.0, 2.0\]"
    ):
        other.plot_phase("loss")
    with pytest.raises(ValueError, match="at least two alphas and two weight decays"):
        SweepResult(result.rows[:2]).plot_phase("loss")
    assert str(result) == repr(result) == "8 runs over alpha (2), weight_decay (2), m (2)"


def test_to_xarray(undisturbed):
    pytest.importorskip("xarray")
    result, _ = undisturbed
    cube = result.to_xarray()
    table = result.to_dataframe()
    row = table.iloc[5]
    found = cube.loss.sel(
        m=row.m, alpha=row.alpha, weight_decay=row.weight_decay, seed=0, recipe="fast"
    )
    assert float(found.squeeze()) == row.loss
    assert cube.sizes["m"] == 2 and cube.sizes["weight_decay"] == 2


def test_nothing_is_left_without_a_store(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    result = sweep({"m": 3, "n": 40}, workers=1, **QUICK)
    assert len(result.rows) == 1 and not list(tmp_path.iterdir())
