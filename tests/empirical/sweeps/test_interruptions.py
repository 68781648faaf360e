import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

import empirical.sweeps.engine as module
from empirical.sweeps.grid import expand
from empirical.sweeps.store import StorageError, Store
from empirical.sweeps.sweep import InterruptedSweep, sweep
from empirical.training.run import TrainingRun

GRID = {"m": [3, 5], "alpha": [0.5, 1.5], "weight_decay": [-1.0, 0.5], "n": 40}
QUICK = {"steps": 60, "batch": 16, "evaluation_samples": 500}


def stop_at(finished):
    """Return a progress function that presses Ctrl-C."""

    def progress(done, total):
        if done == finished:
            raise KeyboardInterrupt

    return progress


def test_ctrl_c_keeps_what_had_finished(tmp_path, undisturbed, contents):
    with pytest.raises(InterruptedSweep) as caught:
        sweep(GRID, store=tmp_path, workers=1, progress=stop_at(3), **QUICK)
    assert len(caught.value.partial.rows) == 3
    sweep(GRID, store=tmp_path, workers=1, **QUICK)
    assert contents(tmp_path) == undisturbed[1]


def test_ctrl_c_ends_the_processes_of_the_sweep_and_no_others(tmp_path, undisturbed, contents):
    own = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    own.start()
    with pytest.raises(InterruptedSweep) as caught:
        sweep(GRID, store=tmp_path, workers=2, progress=stop_at(1), **QUICK)
    assert len(caught.value.partial.rows) >= 1
    for process in multiprocessing.active_children():
        if process.pid != own.pid:
            process.join(10)
    assert [process.pid for process in multiprocessing.active_children()] == [own.pid]
    own.terminate()
    sweep(GRID, store=tmp_path, workers=1, **QUICK)
    assert contents(tmp_path) == undisturbed[1]


SCRIPT = """
import sys
from empirical.sweeps.sweep import sweep
if __name__ == "__main__":
    sweep({grid!r}, store=sys.argv[1], workers={workers}, **{quick!r})
"""


def start(tmp_path, workers):
    """Start a sweep in a process of its own."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(grid=GRID, workers=workers, quick=LONGER))
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


def is_running(pid):
    """Tell whether a process is there and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def wait_for(condition, seconds=90):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("waited in vain")


LONGER = QUICK | {"steps": 3000}


@pytest.fixture(scope="module")
def longer(tmp_path_factory, contents):
    folder = tmp_path_factory.mktemp("longer")
    sweep(GRID, store=folder, workers=1, **LONGER)
    return contents(folder)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")
def test_killed_processes_lose_nothing(tmp_path, longer, contents):
    """A worker is killed: the sweep goes on. Then the sweep itself: its workers end with it."""
    store = tmp_path / "store"

    def finished():
        return len(list(store.glob("*.safetensors")))

    process = start(tmp_path, workers=2)
    try:
        wait_for(lambda: finished() >= 1)
        before = contents(store)
        os.kill(workers_of(process.pid)[0], signal.SIGKILL)
        wait_for(lambda: finished() >= len(before) + 3)  # two are at work or written by now
        workers = workers_of(process.pid)
        process.kill()
        process.wait(10)
        wait_for(lambda: not any(is_running(pid) for pid in workers), 30)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert before.items() <= contents(store).items() <= longer.items()
    sweep(GRID, store=store, workers=1, **LONGER)
    assert contents(store) == longer


def test_two_processes_on_one_store(tmp_path, longer, contents):
    store = tmp_path / "store"
    process = start(tmp_path, workers=1)
    wait_for(lambda: list(store.glob("*.lock")))  # it is at its first run
    sweep(GRID, store=store, workers=1, **LONGER)
    assert process.wait(90) == 0
    assert contents(store) == longer
    assert not list(store.glob("*.aside*")) and not list(store.glob("*.failed.json"))


def test_a_full_disk_stops_the_sweep_and_loses_nothing(
    tmp_path, monkeypatch, undisturbed, contents
):
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


def test_a_pool_that_breaks_before_it_takes_work(tmp_path, monkeypatch, undisturbed, contents):
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
    with pytest.warns(module.FailedRunsWarning, match="1 of 4 runs failed, the first: .*m = 3"):
        result = sweep(grid, store=tmp_path, workers=3, **QUICK)
    assert [row.m for row in result.rows] == [4, 6, 8]
    (failure,) = result.failures
    assert "m = 3" in failure and "was killed 3 times" in failure
    assert len(list(tmp_path.glob("*.failed.json"))) == 1


class Losing(ThreadPoolExecutor):
    """An executor of a cluster, on which every worker that trains a width of 3 dies for a while."""

    def __init__(self, times):
        super().__init__(2)
        self.times, self.lost = times, 0

    def submit(self, function, folder, cell, patient):
        def lose(*arguments):
            raise RuntimeError("attempted to run on 4 workers that died while running it")

        if cell.m == 3 and self.lost < self.times:
            self.lost += 1
            return super().submit(lose)
        return super().submit(function, folder, cell, patient)


def test_what_a_cluster_loses_is_tried_again(tmp_path, undisturbed, contents):
    with Losing(2) as pool:
        result = sweep(GRID, store=tmp_path, executor=pool, **QUICK)
    assert pool.lost == 2 and not result.failures
    assert contents(tmp_path) == undisturbed[1]


def test_what_a_cluster_always_loses_fails_alone(tmp_path):
    with Losing(100) as pool, pytest.warns(module.FailedRunsWarning, match="1 of 3 runs failed"):
        result = sweep({"m": [8, 6, 3], "n": 40}, store=tmp_path, executor=pool, **QUICK)
    assert [row.m for row in result.rows] == [6, 8] and pool.lost == 3
    assert "workers that died" in result.failures[0]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="kills processes")
def test_dask_workers_that_are_killed_leave_and_join(tmp_path, longer, contents):
    distributed = pytest.importorskip("distributed")
    words = ["-m", "distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    words += ["--local-directory", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    store, workers = tmp_path / "store", []

    def finished():
        return len(list(store.glob("*.safetensors")))

    def join():
        command = [sys.executable, *words, cluster.scheduler_address]
        workers.append(subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL))

    def disturb():
        for count, number in ((1, signal.SIGKILL), (3, signal.SIGTERM), (5, signal.SIGKILL)):
            wait_for(lambda count=count: finished() >= count)
            workers.pop(0).send_signal(number)
            join()

    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
        ThreadPoolExecutor(1) as other,
    ):
        join(), join()
        disturbed = other.submit(disturb)
        result = sweep(GRID, store=store, executor=client.get_executor(), **LONGER)
        disturbed.result()
        for one in workers:
            one.kill()
    assert not result.failures and contents(store) == longer


@pytest.mark.parametrize("pool", [None, ThreadPoolExecutor(2)])
def test_what_another_process_trains_is_left_for_last(tmp_path, pool):
    store, cells = Store(tmp_path), expand(GRID, **QUICK)
    lock = FileLock(tmp_path / f"{store.key(cells[0])}.lock", thread_local=False)
    seen = []

    def release(done, total):
        seen.append(done)
        if done == len(cells) - 1:
            lock.release()

    lock.acquire()
    workers = 1 if pool is None else None
    sweep(GRID, store=tmp_path, workers=workers, executor=pool, progress=release, **QUICK)
    assert seen == list(range(1, len(cells) + 1))


def test_a_store_that_vanishes_stops_the_sweep(tmp_path, monkeypatch):
    plain = TrainingRun.save

    def gone(self, path):
        plain(self, tmp_path / "no" / "such" / path.name)

    monkeypatch.setattr(TrainingRun, "save", gone)
    with pytest.raises(StorageError, match="does not exist: a finished run could not be written"):
        sweep(GRID, store=tmp_path / "store", workers=1, **QUICK)
