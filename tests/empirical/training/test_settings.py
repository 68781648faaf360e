import inspect
import json
import math
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields

import numpy as np
import pytest

from empirical.training.recipes import RECIPES
from empirical.training.settings import TrainingChanges, TrainingSettings, make_settings, schedule
from empirical.training.train import train
from theory.activation import Activation
from theory.checks import check_real
from theory.frequencies import Frequencies

SMALL = Frequencies.power_law(40, 1.0, density=2.0)
QUICK = {"recipe": "paper", "batch": 32, "steps": 120, "evaluation_samples": 1000}
PUBLISHED = {
    "weight_decay": -1.0,
    "bias_start": "normal",
    "batch": 2048,
    "late_batch": 2048,
    "steps": 20_000,
    "learning_rate": 1e-2,
    "bias_learning_rate": 1e-2,
    "warmup_steps": 2000,
    "final_learning_rate": 0.05,
    "rare_share": 0.0,
    "loss_scale": 1.0,
}


def test_the_paper_recipe_is_the_published_one():
    assert PUBLISHED.items() <= dict(make_settings(recipe="paper")).items()


def test_fast_is_the_default_and_what_is_given_comes_before_a_recipe():
    fast = make_settings()
    assert fast == make_settings(recipe="fast") == TrainingSettings()
    for name, value in RECIPES["fast"].items():
        assert fast[name] == value
    assert fast.warmup_steps == fast.steps // 10
    own = make_settings(batch=32, steps=50)
    assert (own.batch, own.late_batch, own.steps) == (32, 32, 50)
    assert own.bias_start == "zero"
    with pytest.raises(ValueError, match="recipe = 'slow' is not allowed: give 'fast' or 'conv"):
        make_settings(recipe="slow")


def test_schedule():
    rates = [schedule(step, 1000, 100, 0.05) for step in range(1000)]
    assert rates[0] == 0.01 and rates[99] == rates[100] == 1
    assert np.all(np.diff(rates[:100]) > 0) and np.all(np.diff(rates[100:]) < 0)
    assert rates[-1] == pytest.approx(0.05, abs=1e-4)
    assert schedule(0, 10, 0, 0.05) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 1e39}, "learning_rate = 1e\\+39"),
        ({"m": 41}, "m = 41"),
        ({"m": 0}, "m = 0"),
        ({"m": [3, 4]}, "not one width"),
        ({"batch": 0}, "batch = 0"),
        ({"steps": 0}, "steps = 0"),
        ({"warmup_steps": 121}, "warmup_steps = 121"),
        ({"learning_rate": 0}, "learning_rate = 0"),
        ({"bias_learning_rate": -1}, "bias_learning_rate = -1"),
        ({"weight_decay": math.nan}, "weight_decay = nan"),
        ({"bias_start": "ones"}, "bias_start = 'ones'"),
        ({"seed": -1}, "seed = -1"),
        ({"device": "abacus"}, "device 'abacus' cannot be used"),
        ({"device": "meta", "backend": "fused"}, "runs on the CPU, not on 'meta'"),
        ({"backend": "numba"}, "backend = 'numba'"),
        ({"checkpoint": "/no/such/folder/x"}, "does not exist"),
        ({"checkpoint_every": 0}, "checkpoint_every = 0"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        train(SMALL, **({"m": 6} | QUICK | settings))


def test_unknown_setting():
    with pytest.raises(TypeError, match="no setting 'bach': it has recipe, weight_decay, seed"):
        train(SMALL, 6, bach=3)
    with pytest.raises(TypeError, match=r"it belongs to the features, Features\(frequencies, act"):
        train(SMALL, 6, activation=Activation())


def test_changes_name_every_field_that_is_no_argument_of_train():
    """The names that editors and type checkers see are those of the dataclass, with its types."""
    known = {one.name: one.type for one in fields(TrainingSettings)}
    arguments = {"recipe", "weight_decay", "seed"}
    listed = {name: kind.__forward_arg__ for name, kind in TrainingChanges.__annotations__.items()}
    assert listed == {name: kind for name, kind in known.items() if name not in arguments}
    assert arguments <= set(inspect.signature(train).parameters)


def test_settings_repeat_a_run_and_go_through_json():
    run = train(SMALL, 6, seed=3, weight_decay=0.5, **QUICK)
    settings = json.loads(json.dumps(dict(run.settings)))
    assert TrainingSettings(**settings) == run.settings
    again = train(SMALL, 6, **run.settings)
    assert np.array_equal(again.model.W, run.model.W) and again.loss == run.loss
    assert pickle.loads(pickle.dumps(run.settings)) == run.settings
    with pytest.raises(TypeError, match="multiple values for keyword argument 'seed'"):
        train(SMALL, 6, seed=4, **run.settings)


def test_settings_are_frozen_and_print_what_differs_from_the_recipe():
    settings = TrainingSettings(recipe="paper", steps=100, weight_decay=-0.0)
    assert repr(settings) == (
        "TrainingSettings(recipe='paper', weight_decay=0.0, steps=100, warmup_steps=10)"
    )
    assert eval(repr(settings)) == settings
    with pytest.raises(FrozenInstanceError):
        settings.steps = 3
    with pytest.raises(KeyError):
        settings["bach"]


def test_a_new_setting_is_one_field():
    """It is checked, listed, and written to JSON without a further line."""

    @dataclass(frozen=True, kw_only=True, repr=False)
    class Longer(TrainingSettings):
        noise: float = field(default=0.5, metadata={"check": check_real})

    assert dict(Longer())["noise"] == 0.5 and Longer(noise=1).noise == 1.0
    with pytest.raises(ValueError, match="noise = nan"):
        Longer(noise=math.nan)
