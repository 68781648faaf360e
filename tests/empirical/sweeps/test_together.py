"""Cells of one shape trained at once: as single cells, up to rounding, in the same store."""

import numpy as np
import pytest
from filelock import FileLock

from empirical.sweeps import together as module
from empirical.sweeps.grid import expand
from empirical.sweeps.store import Store
from empirical.sweeps.sweep import sweep
from empirical.sweeps.together import group, train_groups
from empirical.training.train import DivergenceError

GRID = {"m": [3, 5], "alpha": [0.5, 1.5], "weight_decay": [-1.0, 0.5], "n": 40}
QUICK = {"steps": 60, "batch": 16, "evaluation_samples": 500, "backend": "torch"}


@pytest.fixture
def counted(monkeypatch):
    sizes, plain = [], module._train

    def train(cells):
        sizes.append(len(cells))
        return plain(cells)

    monkeypatch.setattr(module, "_train", train)
    return sizes


def test_the_table_is_that_of_single_runs(tmp_path, counted):
    one = sweep(GRID, store=tmp_path / "a", workers=1, **QUICK).to_dataframe()
    assert counted == []
    many = sweep(GRID, store=tmp_path / "b", workers=1, together=3, **QUICK).to_dataframe()
    assert sorted(counted) == [3, 3]  # two shapes of four: three together, one by itself
    assert len(many) == 8
    np.testing.assert_allclose(many["loss"], one["loss"], rtol=1e-3)
    sweep(GRID, store=tmp_path / "b", workers=1, together=3, **QUICK)
    assert len(counted) == 2  # all were in the store
    assert not list((tmp_path / "b").glob("*.failed.json"))


def test_only_the_torch_backend_and_equal_shapes_go_together():
    torch_cells, fused = expand(GRID, **QUICK), expand(GRID, **QUICK | {"backend": "fused"})
    groups, left = group(torch_cells + fused, 32)
    assert [len(part) for part in groups] == [4, 4] and len(left) == 8
    for part in groups:
        assert len({cell.m for cell in part}) == 1
        assert {cell.settings.backend for cell in part} == {"torch"}
    other = expand(GRID, **QUICK | {"steps": 50})
    assert all(len(part) == 4 for part in group(torch_cells + other, 32)[0])


def test_what_another_process_trains_or_diverges_is_left(tmp_path, monkeypatch):
    store, cells, done = Store(tmp_path), expand(GRID, **QUICK), []
    with FileLock(store.lock(store.key(cells[0]))):
        left = train_groups(store, cells, 32, lambda cell, run: done.append(cell))
    assert left == [cells[0]] and len(done) == 7

    def diverge(cells):
        raise DivergenceError("loss")

    monkeypatch.setattr(module, "_train", diverge)
    fresh = Store(tmp_path / "fresh")
    assert len(train_groups(fresh, cells, 32, lambda cell, run: None)) == 8
