import json

import numpy as np
import pytest
from filelock import FileLock

from empirical.sweeps.store import Busy, Store
from empirical.training.run import TrainingRun
from empirical.training.settings import check_settings
from theory.frequencies import Frequencies

F = Frequencies.power_law(30, 1.0)
SETTINGS = check_settings(F, m=4, steps=20, batch=8, evaluation_samples=100)


def test_the_key_names_frequencies_and_every_setting(tmp_path):
    store = Store(tmp_path)
    keys = {store.key(F, SETTINGS)}
    for name, value in SETTINGS.items():
        changed = value + 1 if isinstance(value, int | float) else f"{value}?"
        keys.add(store.key(F, SETTINGS | {name: changed}))
    keys.add(store.key(Frequencies.power_law(30, 1.1), SETTINGS))
    table = Frequencies.from_probabilities(F.p)
    keys.add(store.key(table, SETTINGS))
    keys.add(store.key(Frequencies.from_probabilities(F.p * 0.99), SETTINGS))
    assert len(keys) == len(SETTINGS) + 4
    assert store.key(Frequencies.power_law(30, 1.0), dict(SETTINGS)) in keys


@pytest.mark.parametrize("f", [F, Frequencies.from_counts([5, 3, 0, 2, 1, 1])], ids=str)
def test_a_run_is_made_once(tmp_path, f):
    store, settings = Store(tmp_path / "new" / "folder"), check_settings(f, m=2, steps=20, batch=8)
    assert store.load(f, settings) is None
    run = store.train(f, settings)
    written = store.path(store.key(f, settings)).stat().st_mtime_ns
    again = store.train(f, settings)
    assert store.path(store.key(f, settings)).stat().st_mtime_ns == written
    assert np.array_equal(run.model.W, again.model.W) and run.loss == again.loss
    assert [path.suffix for path in store.folder.iterdir()] == [".safetensors"]


def damage(path, how):
    data = bytearray(path.read_bytes())
    if how == "cut":
        data = data[: len(data) // 2]
    elif how == "bit":
        data[-40] ^= 1  # in the numbers
    elif how == "loss":
        at = data.index(b'\\"loss\\": ') + 12
        data[at] = ord("7") if data[at] != ord("7") else ord("8")
    else:
        data = bytearray(b"something else")
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["cut", "bit", "loss", "foreign"])
def test_a_damaged_file_is_set_aside_and_made_again(tmp_path, how):
    store = Store(tmp_path)
    run = store.train(F, SETTINGS)
    path = store.path(store.key(F, SETTINGS))
    for count in (1, 2):
        damage(path, how)
        assert store.load(F, SETTINGS) is None and path.exists()  # renamed under the lock only
        again = store.train(F, SETTINGS)
        assert len(store.aside) == count
        assert np.array_equal(again.model.W, run.model.W) and again.loss == run.loss


def test_a_run_under_another_name_is_not_trusted(tmp_path):
    store = Store(tmp_path)
    other = SETTINGS | {"seed": 1}
    store.train(F, other)
    store.path(store.key(F, other)).rename(store.path(store.key(F, SETTINGS)))
    assert store.load(F, SETTINGS) is None
    assert store.train(F, SETTINGS).settings == SETTINGS
    assert [path.name for path in store.aside] == [f"{store.key(F, SETTINGS)}.safetensors.aside1"]


def test_who_holds_the_lock_is_not_disturbed(tmp_path):
    store = Store(tmp_path)
    with FileLock(tmp_path / f"{store.key(F, SETTINGS)}.lock"), pytest.raises(Busy):
        store.train(F, SETTINGS, wait=False)
    assert store.train(F, SETTINGS, wait=False).settings == SETTINGS


def test_failures_are_recorded_until_the_run_succeeds(tmp_path):
    store = Store(tmp_path)
    store.record_failure(F, SETTINGS, "out of luck")
    path = store.failure(store.key(F, SETTINGS))
    record = json.loads(path.read_text())
    assert record["error"] == "out of luck" and record["settings"] == SETTINGS
    store.train(F, SETTINGS)
    assert not path.exists()


def test_a_store_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="the store .*file cannot be made: File exists"):
        Store(tmp_path / "file")


def test_saved_runs_know_their_dead_features(tmp_path):
    run = Store(tmp_path).train(F, SETTINGS)
    dead = np.zeros(30, dtype=bool)
    dead[[3, 7]] = True
    changed = TrainingRun(**(vars(run) | {"dead": dead}))
    changed.save(tmp_path / "run.safetensors")
    back = TrainingRun.load(tmp_path / "run.safetensors")
    assert np.array_equal(back.dead, dead)
    assert back.dead_loss == pytest.approx(4 / 3 * (F.p[3] + F.p[7]))
    assert back.live_loss == back.loss - back.dead_loss
