"""The table of a store comes from its rows, and from the runs where they have changed."""

import json

import pytest

import empirical.sweeps.sweep as module
from empirical.sweeps.grid import expand
from empirical.sweeps.store import Store
from empirical.sweeps.stored_rows import StoredRows
from empirical.sweeps.sweep import sweep

GRID = {"m": [3, 5], "alpha": [0.5, 1.5], "n": 40}
QUICK = {"steps": 20, "batch": 8, "evaluation_samples": 200}


@pytest.fixture
def measured(monkeypatch):
    """Count the runs that are read and measured."""
    counts, plain = [], module.train_cells

    def train(cells, take, **how):
        def listening(cell, result):
            counts.append(cell)
            take(cell, result)

        plain(cells, listening, **how)

    monkeypatch.setattr(module, "train_cells", train)
    return counts


def table(folder):
    return sweep(GRID, store=folder, workers=1, **QUICK).to_dataframe()


def test_the_second_table_is_the_first_and_reads_no_run(tmp_path, measured):
    first = table(tmp_path)
    assert len(measured) == 4
    again = table(tmp_path)
    assert len(measured) == 4 and again.equals(first)
    assert len(list(tmp_path.glob("*.rows.json"))) == 1


def test_rows_of_runs_that_changed_are_not_used(tmp_path, measured):
    first = table(tmp_path)
    cells = expand(GRID, **QUICK)
    store = Store(tmp_path)
    path = store.path(store.key(cells[0]))
    path.write_bytes(path.read_bytes()[:-3])  # damaged
    store.path(store.key(cells[1])).unlink()  # removed
    again = table(tmp_path)
    assert len(measured) == 4 + 2
    assert again.drop(columns="seconds").equals(first.drop(columns="seconds"))
    assert len(store.aside) == 1  # the damaged one, as ever


@pytest.mark.parametrize("text", ["", "{", '{"format": "other"}', "[]", '{"format": 1}'])
def test_a_file_of_rows_that_cannot_be_read_costs_time_only(tmp_path, measured, text):
    first = table(tmp_path)
    (path,) = tmp_path.glob("*.rows.json")
    path.write_text(text)
    assert table(tmp_path).equals(first) and len(measured) == 8


def test_rows_of_two_writers_are_joined(tmp_path):
    store, cells = Store(tmp_path), expand(GRID, **QUICK)
    one, other = StoredRows(store), StoredRows(store)
    for rows, cell in zip((one, other), cells, strict=False):
        rows.add(cell, store.train(cell))
        rows.write()
    assert len(list(tmp_path.glob("*.rows.json"))) == 2
    both = StoredRows(store)
    assert both.find(cells[0]) and both.find(cells[1]) and not both.find(cells[2])
    both.add(cells[2], store.train(cells[2]))
    both.write()
    (path,) = tmp_path.glob("*.rows.json")
    assert len(json.loads(path.read_text())["rows"]) == 3
