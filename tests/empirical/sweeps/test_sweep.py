import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import threadpoolctl

import empirical.sweeps.engine as module
from empirical.sweeps.sweep import sweep
from empirical.training.diagnostics import measure
from empirical.training.train import DivergenceError, train
from theory.activation import Activation
from theory.features import Features
from theory.frequencies import Frequencies

GRID = {"m": [3, 5], "alpha": [0.5, 1.5], "weight_decay": [-1.0, 0.5], "n": 40}
QUICK = {"steps": 60, "batch": 16, "evaluation_samples": 500}


def test_bad_arguments(tmp_path):
    with pytest.raises(TypeError, match="'seed' belongs to the grid"):
        sweep({"m": 3, "n": 20}, seed=1)
    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="workers = 2 with an exec"):
        sweep({"m": 3, "n": 20}, executor=pool, workers=2)
    with pytest.raises(TypeError, match="no setting 'bach'"):
        sweep({"m": 3, "n": 20}, bach=3)


def test_rows_are_what_train_returns(undisturbed):
    result, _ = undisturbed
    table = result.to_dataframe()
    assert len(table) == 8 and not result.failures and not result.aside
    row = table[(table.m == 5) & (table.alpha == 1.5) & (table.weight_decay == 0.5)].iloc[0]
    run = train(Frequencies.power_law(40, 1.5), 5, weight_decay=0.5, seed=0, recipe="fast", **QUICK)
    assert row.loss == run.loss and row.stderr == run.stderr and row.steps == 60
    assert row.dead_loss == run.dead_loss and row.dead_loss + row.live_loss == row.loss
    assert row.phi_half == np.mean(run.model.norms > 0.5)


def test_processes_and_any_executor_give_the_same(tmp_path, undisturbed, contents):
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


def test_what_is_finished_is_not_trained_again(tmp_path, monkeypatch, undisturbed, contents):
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
    grid = {"m": 3, "n": 40, "weight_decay": [-1.0, -1e6]}
    with pytest.warns(module.FailedRunsWarning, match="1 of 2 runs failed, the first: .* m = 3"):
        result = sweep(grid, store=tmp_path, workers=1, **QUICK)
    assert len(result.rows) == 1
    (failure,) = result.failures
    assert (
        "weight_decay = -1000000.0" in failure and "DivergenceError: training diverged" in failure
    )
    assert len(list(tmp_path.glob("*.failed.json"))) == 1
    with pytest.raises(DivergenceError):
        train(Frequencies.power_law(40, 1.0), 3, weight_decay=-1e6, recipe="fast", **QUICK)


def test_damaged_files_are_named_and_made_again(tmp_path, undisturbed, contents):
    sweep(GRID, store=tmp_path, workers=1, **QUICK)
    victim = sorted(tmp_path.glob("*.safetensors"))[3]
    victim.write_bytes(b"garbage")
    result = sweep(GRID, store=tmp_path, workers=1, **QUICK)
    assert result.aside == (f"{victim}.aside1",)
    assert contents(tmp_path) == undisturbed[1]


def test_threads_share_the_limit_and_give_it_back(tmp_path):
    with threadpoolctl.threadpool_limits(2):
        before = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
        with ThreadPoolExecutor(4) as pool:
            sweep(GRID, store=tmp_path, executor=pool, **QUICK)
        assert [pool["num_threads"] for pool in threadpoolctl.threadpool_info()] == before
        assert 2 in before


def test_features_have_their_own_law_of_v_and_importances():
    words = Frequencies.power_law(40, 1.0)
    shown = Features(words, Activation(0.5, 1.5), np.linspace(2, 1, 40))
    result = sweep({"m": 3, "frequencies": [words, shown]}, workers=1, **QUICK)
    rows = {row.frequencies: row for row in result.rows}
    assert len(rows) == 2 and str(words) in rows
    run = train(shown, 3, **QUICK)
    row = next(row for name, row in rows.items() if name != str(words))
    assert (row.loss, row.alpha, row.density) == (run.loss, 1.0, words.density)
    assert row.lost_rows_loss == pytest.approx(measure(run.model, shown, 10).lost_rows_loss)


def test_results_are_copied_and_pickled(undisturbed):
    result, _ = undisturbed
    for twin in (copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
        assert twin.to_dataframe().equals(result.to_dataframe()) and repr(twin) == repr(result)
    assert "<table" in result._repr_html_()


def test_nothing_is_left_without_a_store(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    result = sweep({"m": 3, "n": 40}, workers=1, **QUICK)
    assert len(result.rows) == 1 and not list(tmp_path.iterdir())


def test_dask_cluster_of_several_processes(tmp_path, undisturbed, contents):
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
