import json
from dataclasses import replace

import numpy as np
import pytest
from filelock import FileLock

from empirical.sweeps.grid import Cell
from empirical.sweeps.store import Busy, Store
from empirical.training.run import TrainingRun
from empirical.training.settings import TrainingSettings
from theory.activation import Activation
from theory.features import Features, as_features
from theory.frequencies import Frequencies

F = Frequencies.power_law(30, 1.0)
SETTINGS = TrainingSettings(steps=20, batch=8, evaluation_samples=100)
CELL = Cell({}, Features(F), 4, SETTINGS)


def test_the_key_names_features_width_and_every_setting(tmp_path):
    store = Store(tmp_path)
    keys = {store.key(CELL)}
    changes = {"recipe": "paper", "bias_start": "normal", "device": "meta", "backend": "torch"}
    changes |= {"draws": "device"}
    changes |= {"late_fraction": 0.25, "final_learning_rate": 0.5, "rare_share": 0.5}
    for name in SETTINGS.keys():  # noqa: SIM118
        value = changes[name] if name in changes else SETTINGS[name] / 2 + 2
        if isinstance(SETTINGS[name], int):
            value = int(value)
        backend = {"backend": "torch"} if name in ("device", "draws") else {}
        keys.add(store.key(replace(CELL, settings=replace(SETTINGS, **backend, **{name: value}))))
    assert len(keys) == len(SETTINGS.keys()) + 1
    shown = [
        Frequencies.power_law(30, 1.1),
        Frequencies.from_probabilities(F.p),
        Frequencies.from_probabilities(F.p * 0.99),
        Features(F, Activation(0, 1)),
        Features(F, Activation(0, 2, (1, 2))),
        Features(F, importance=np.linspace(2, 1, 30)),
        Features(F, importance=np.linspace(3, 1, 30)),
    ]
    keys |= {store.key(replace(CELL, features=as_features(one))) for one in shown}
    keys.add(store.key(replace(CELL, m=5)))
    assert len(keys) == len(SETTINGS.keys()) + 1 + len(shown) + 1
    again = Cell({}, Features(Frequencies.power_law(30, 1.0)), 4, TrainingSettings(**SETTINGS))
    assert store.key(again) == store.key(CELL)


def test_keys_stay_what_they_are(tmp_path):
    """A store of another day and machine is found again."""
    assert Store(tmp_path).key(CELL) == "4babefc6f4e5a5864df5299f"


@pytest.mark.parametrize("f", [F, Frequencies.from_counts([5, 3, 0, 2, 1, 1])], ids=str)
def test_a_run_is_made_once(tmp_path, f):
    store = Store(tmp_path / "new" / "folder")
    cell = Cell({}, Features(f), 2, SETTINGS)
    assert store.load(cell) is None
    run = store.train(cell)
    written = store.path(store.key(cell)).stat().st_mtime_ns
    again = store.train(cell)
    assert store.path(store.key(cell)).stat().st_mtime_ns == written
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
    run = store.train(CELL)
    path = store.path(store.key(CELL))
    for count in (1, 2):
        damage(path, how)
        assert store.load(CELL) is None and path.exists()  # renamed under the lock only
        again = store.train(CELL)
        assert len(store.aside) == count
        assert np.array_equal(again.model.W, run.model.W) and again.loss == run.loss


def test_a_run_under_another_name_is_not_trusted(tmp_path):
    store = Store(tmp_path)
    other = replace(CELL, settings=replace(SETTINGS, seed=1))
    store.train(other)
    store.path(store.key(other)).rename(store.path(store.key(CELL)))
    assert store.load(CELL) is None
    assert store.train(CELL).settings == SETTINGS
    assert [path.name for path in store.aside] == [f"{store.key(CELL)}.safetensors.aside1"]


def test_who_holds_the_lock_is_not_disturbed(tmp_path):
    store = Store(tmp_path)
    with FileLock(tmp_path / f"{store.key(CELL)}.lock"), pytest.raises(Busy):
        store.train(CELL, wait=False)
    assert store.train(CELL, wait=False).settings == SETTINGS


def test_failures_are_recorded_until_the_run_succeeds(tmp_path):
    store = Store(tmp_path)
    store.record_failure(CELL, ArithmeticError("out of luck"))
    path = store.failure(store.key(CELL))
    record = json.loads(path.read_text())
    assert record["error"] == "ArithmeticError: out of luck"
    assert record["settings"] == dict(SETTINGS) and record["m"] == 4
    store.train(CELL)
    assert not path.exists()


def test_a_store_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="the store .*file cannot be made: File exists"):
        Store(tmp_path / "file")


def test_saved_runs_know_their_dead_features(tmp_path):
    run = Store(tmp_path).train(CELL)
    dead = np.zeros(30, dtype=bool)
    dead[[3, 7]] = True
    changed = TrainingRun(**(vars(run) | {"dead": dead}))
    changed.save(tmp_path / "run.safetensors")
    back = TrainingRun.load(tmp_path / "run.safetensors")
    assert np.array_equal(back.dead, dead)
    assert back.dead_loss == pytest.approx(4 / 3 * (F.p[3] + F.p[7]))
    assert back.live_loss == back.loss - back.dead_loss
