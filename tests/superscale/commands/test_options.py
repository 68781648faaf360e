"""Options have one name and one default everywhere: on the command line and in Python."""

import importlib
import inspect
import json
import re

import numpy as np
import pytest
import typer

import superscale as ss
from empirical.example_files import EXAMPLES
from superscale.commands import options as opt
from superscale.commands.app import build_app

AXES = ["--axes", "d_model,n_layers,num_tokens"]
POWER_LAW = "empirical.scaling_laws.power_law_fit:PowerLawFit."
# The functions behind each command, with arguments that make it call them. A new command is named
# here, with () if it has no function of Python behind it.
BEHIND = {
    "predict": [("theory.registry:predict", ["predict"])],
    "theories": [],
    "explore": [],
    "required-width": [
        (
            "theory.required_width:required_width",
            ["required-width", "--loss", 0.1],
        )
    ],
    "train": [("empirical.training.train:train", ["train", "--m", 5])],
    "compare": [("empirical.comparisons.trained:compare", ["compare", "-o", "x.csv"])],
    "analyze": [("empirical.unembeddings.family:analyze_many", ["analyze", "W.npy"])],
    "loss": [("numerics.loss.exact:population_loss", ["loss", "run.safetensors"])],
    "overlaps": [("numerics.overlaps.statistics:overlaps", ["overlaps", "W.npy"])],
    "fit": [
        ("empirical.scaling_laws.loss_table:read_losses", ["fit", "curve.csv"]),
        ("empirical.scaling_laws.loss_table:drop_points", ["fit", "curve.csv"]),
        ("empirical.scaling_laws.power_law:fit_power_law", ["fit", "curve.csv"]),
        ("empirical.scaling_laws.loss_table:read_runs", ["fit", "runs.csv", "--chinchilla"]),
        (
            "empirical.scaling_laws.chinchilla.fit:fit_chinchilla",
            ["fit", "runs.csv", "--chinchilla"],
        ),
        (
            POWER_LAW + "bootstrap",
            ["fit", "curve.csv", "--huber", 0.1],
        ),
        (POWER_LAW + "interval", ["fit", "curve.csv"]),
        (POWER_LAW + "test_alpha", ["fit", "curve.csv"]),
        (
            POWER_LAW + "forecast",
            ["fit", "curve.csv", "--forecast", 512],
        ),
        ("empirical.scaling_laws.axes.fit:fit_axes", ["fit", "shapes.csv", *AXES]),
    ],
    "read": [("empirical.reading.tokens:read_tokens", ["read", "W.npy"])],
    "mechanisms": [
        (
            "theory.mechanisms.comparison:compare_mechanisms",
            ["mechanisms"],
        )
    ],
    "plan": [
        ("empirical.scaling_laws.axes.fit:fit_axes", ["plan", "shapes.csv", "--compute", 1e20]),
        (
            "empirical.scaling_laws.axes.shape:plan_shape",
            ["plan", "shapes.csv", "--compute", 1e20],
        ),
    ],
    "bounds": [("theory.bounds.packing_bounds:bounds", ["bounds", "--n", 9, "--m", 4])],
    "pack": [
        ("numerics.packings.search:pack", ["pack", "--n", 9, "--m", 4]),
        (
            "empirical.comparisons.bracket:bracket_loss",
            ["pack", "--n", 9, "--m", 4, "--objective", "relu"],
        ),
    ],
    "sweep": [("empirical.sweeps.sweep:sweep", ["sweep", "--m", 5])],
    "reproduce": [
        ("empirical.comparisons.figures:reproduce", ["reproduce", "fig4", "-o", "x.csv"])
    ],
    "count": [
        ("empirical.counts.tokens:count_tokens", ["count", "t.txt", "--tokenizer", "t.json"])
    ],
    "zipf": [
        ("empirical.counts.zipf:compare_zipf", ["zipf", "counts.csv"]),
        (
            "empirical.counts.width_exponents:predict_width_exponents",
            ["zipf", "counts.csv"],
        ),
    ],
    "example": [],
    "ground-state": [
        ("numerics.ground_state.search:ground_state", ["ground-state", "--m", 2, "--p", 0.1])
    ],
}
PARSER = typer.main.get_command(build_app()).commands
CALLS = [(name, *one) for name, calls in BEHIND.items() for one in calls]
# Where the command computes what the default of the function stands for.
DIFFERENT = {
    ("numerics.overlaps.statistics:overlaps", "pairs"): lambda x: x == "all",  # 12 rows
    (POWER_LAW + "bootstrap", "by"): lambda x: x == "points",
}
# The same name for another thing, which its help says; all others have one help text.
OTHERS = {
    "m": {"train", "bounds", "pack", "sweep", "zipf", "ground-state"},
    "n": {"bounds", "pack", "sweep", "fit", "ground-state"},
    "alpha": {"overlaps", "pack", "sweep"},
    "density": {"sweep"},
    "weight_decay": {"sweep", "predict"},
    "seed": {"sweep", "compare"},
    "law": {"sweep"},
    "recipe": {"sweep", "predict"},
    "counts": {"analyze", "zipf", "read"},
    "output": {"train", "explore"},
    "theory": {"required-width"},
    "store": {"reproduce"},
    "tensor": {"analyze", "read"},
    "transpose": {"analyze", "read"},
    "steps": {"pack"},
    "samples": {"fit", "plan", "read"},
    "source": {"read"},
    "axes": {"plan"},
    "tokens": {"plan"},
    "cluster": {"plan"},
    "huber": {"plan"},
    "p": {"ground-state"},
    "starts": {"ground-state"},
}


class Stopped(ValueError):
    pass


@pytest.fixture
def place(tmp_path, monkeypatch, saved):
    """Return a folder with the files that CALLS name."""
    monkeypatch.chdir(tmp_path)
    np.save("W.npy", np.random.default_rng(0).standard_normal((12, 4)))
    (tmp_path / "run.safetensors").symlink_to(saved)
    rows = [f"{2**k},{3 / 2**k + 0.5 + 0.001 * (-1) ** k}" for k in range(3, 10)]
    (tmp_path / "curve.csv").write_text("\n".join(["m,loss", *rows]))
    law = [(a, b, 1 + a**-0.3 + b**-0.3) for a in (10, 30, 99) for b in (10, 30, 99)]
    (tmp_path / "runs.csv").write_text(
        "\n".join(["N,D,loss", *(f"{a},{b},{c}" for a, b, c in law)])
    )
    (tmp_path / "counts.csv").write_text("\n".join(str(1000 // k) for k in range(1, 200)))
    (tmp_path / "shapes.csv").write_bytes(EXAMPLES["shapes.csv"].make())
    return tmp_path


def passed(monkeypatch, function, call, arguments):
    """Return the function, and the arguments that a command gave it."""
    module, _, name = function.partition(":")
    owner = importlib.import_module(module)
    *path, name = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    real = getattr(owner, name)
    found = {}

    def record(*positional, **named):
        bound = inspect.signature(real).bind(*positional, **named)
        found.update(bound.arguments)
        raise Stopped("stopped")

    monkeypatch.setattr(owner, name, record)
    if function.endswith("statistics:overlaps"):  # imported by name where it is called
        monkeypatch.setattr("numerics.overlaps.treatments.overlaps", record)
    code, _, err = call(*arguments)
    assert code == 2 and "stopped" in err, err
    return real, found


def test_every_command_is_here():
    assert BEHIND.keys() == PARSER.keys()


@pytest.mark.parametrize(("command", "function", "arguments"), CALLS, ids=[c[1] for c in CALLS])
def test_defaults_are_those_of_python(monkeypatch, place, call, command, function, arguments):
    real, found = passed(monkeypatch, function, call, arguments)
    for name, parameter in inspect.signature(real).parameters.items():
        given = found.get(name, parameter.default)
        if parameter.default is inspect.Parameter.empty or name == "progress":
            continue
        if name in {str(word).lstrip("-") for word in arguments}:
            continue
        if (function, name) in DIFFERENT:
            assert DIFFERENT[function, name](given)
            continue
        assert given == parameter.default or (not given and not parameter.default), name


def test_a_difference_is_seen(monkeypatch, place, call):
    arguments = ["compare", "--seeds", 3, "--workers", 1, "-o", "x.csv"]
    real, found = passed(monkeypatch, "empirical.comparisons.trained:compare", call, arguments)
    defaults = inspect.signature(real).parameters
    assert {x for x in found if x in defaults and found[x] != defaults[x].default} >= {
        "seeds",
        "workers",
    }


def test_defaults_in_help_are_those_of_python():
    from empirical.sweeps.grid import _DEFAULTS
    from empirical.training.settings import TrainingSettings

    settings = TrainingSettings()
    known = {**{name: settings[name] for name in settings.keys()}, **_DEFAULTS}  # noqa: SIM118
    seen = 0
    for command in PARSER.values():
        for option in command.params:
            told = re.search(r"([\w.:-]+) \(default\)|\(default ([\w.:-]+)\)", option.help or "")
            if told and option.name in known and command.name not in OTHERS.get(option.name, ()):
                right = known[option.name]
                right = right if isinstance(right, str) else f"{right:g}"
                assert (told[1] or told[2]) == right, (command.name, option.name)
                seen += 1
    assert seen > 10


def test_an_option_has_one_help_text():
    texts = {}
    for command in PARSER.values():
        for option in command.params:
            if command.name not in OTHERS.get(option.name, ()):
                texts.setdefault(option.name, {})[option.help] = command.name
    assert not {name: found for name, found in texts.items() if len(found) > 1}


def test_names_of_options():
    """Every option is named as its parameter is, in Python's words with hyphens."""
    for command in PARSER.values():
        for option in command.params:
            if option.param_type_name == "option" and option.name not in ("help", "everything"):
                assert f"--{option.name.replace('_', '-')}" in option.opts, (command.name, option)


# Every list of numbers: which of BEHIND gets it, from what command, as what. Some functions are
# called once for each number: the first is looked at.
LISTS = {
    ("predict", "m"): (0, ["predict"], "m"),
    ("compare", "m"): (0, ["compare", "-o", "x.csv"], "m"),
    ("compare", "seed"): (0, ["compare", "-o", "x.csv"], "seed"),
    ("sweep", "m"): (0, ["sweep"], "grid"),
    ("sweep", "n"): (0, ["sweep", "--m", 5], "grid"),
    ("sweep", "alpha"): (0, ["sweep", "--m", 5], "grid"),
    ("sweep", "density"): (0, ["sweep", "--m", 5], "grid"),
    ("sweep", "weight_decay"): (0, ["sweep", "--m", 5], "grid"),
    ("sweep", "seed"): (0, ["sweep", "--m", 5], "grid"),
    ("overlaps", "threshold"): (0, ["overlaps", "W.npy"], "thresholds"),
    ("fit", "alpha_test"): (7, ["fit", "curve.csv"], "value"),
    ("fit", "forecast"): (8, ["fit", "curve.csv"], "m"),
    ("fit", "reach"): ("width_for", ["fit", "curve.csv"], "loss"),
    ("mechanisms", "m"): (0, ["mechanisms"], "m"),
    ("plan", "compute"): (1, ["plan", "shapes.csv"], "compute"),
    ("plan", "parameters"): (1, ["plan", "shapes.csv", "--tokens", 1e9], "parameters"),
    ("pack", "m"): (1, ["pack", "--n", 9, "--objective", "relu"], "m"),
    ("zipf", "m"): (1, ["zipf", "counts.csv"], "m"),
}
WORDS = {
    ("predict", "theory"),
    ("compare", "theory"),
    ("fit", "leave_out"),
    ("fit", "axes"),
    ("fit", "interact"),
    ("plan", "axes"),
}


def test_every_list_is_known():
    lists = {
        (command.name, option.name)
        for command in PARSER.values()
        for option in command.params
        if option.multiple and option.name != "output"
    }
    assert lists == LISTS.keys() | WORDS


@pytest.mark.parametrize(("command", "option"), LISTS)
def test_lists_take_ranges(monkeypatch, place, call, command, option):
    which, arguments, parameter = LISTS[command, option]
    function = BEHIND[command][which][0] if which != "width_for" else POWER_LAW + "width_for"
    name = f"--{option.replace('_', '-')}"
    _, found = passed(monkeypatch, function, call, [*arguments, name, "1:3:3,4"])
    value = found[parameter]
    value = value[option] if parameter == "grid" else value
    each = option in ("alpha_test", "reach", "compute", "parameters")
    assert (value == 1) if each else (list(value) == [1, 2, 3, 4])
    code, _, err = call(*arguments, name, "1:x:3")
    assert code == 2 and f"{name} '1:x:3' is no range" in err and err.count("\n") == 1


def test_activation_and_importance_reach_every_command(call, place):
    common = ["--n", 60, "--activation", "0:1", "--importance", "0.9^i"]
    words = ss.Frequencies.power_law(60, 1.0)
    features = ss.Features(words, ss.Activation(0, 1), 0.9 ** np.arange(1, 61))
    out = call("predict", *common, "--m", 5, "--theory", "weak", "--json")[1]
    right = ss.predict(features, 5, "weak").loss["weak"]
    assert json.loads(out)["rows"][0]["predicted"]["weak"] == pytest.approx(right, rel=1e-12)
    quick = ["--steps", 30, "--batch", 8]
    code, out, _ = call("train", "--m", 5, *common, *quick, "--json", "-o", "shown.safetensors")
    made = ss.train(features, 5, steps=30, batch=8)
    assert code == 0 and json.loads(out)["loss"] == pytest.approx(made.loss, rel=1e-12)
    out = call("sweep", "--m", 5, *common, *quick, "--workers", 1, "--json")[1]
    assert json.loads(out)["rows"][0]["loss"] == pytest.approx(made.loss, rel=1e-12)
    more = ["--seed", 0, "--workers", 1, "--theory", "weak"]
    out = call("compare", "--m", 5, *common, *quick, *more, "--json")[1]
    assert json.loads(out)["rows"][0]["measured"] == pytest.approx(made.loss, rel=1e-12)
    # loss takes them from the run, unless they are given.
    exact = {}
    for activation in (None, "0:2"):
        arguments = [] if activation is None else ["--activation", activation]
        code, out, _ = call("loss", "shown.safetensors", *arguments, "--json")
        exact[activation] = json.loads(out)["loss"]
    assert exact[None] == pytest.approx(ss.population_loss(made.model, features).loss, rel=1e-6)
    assert exact["0:2"] > 2 * exact[None]


def test_forms_of_activation_and_importance(call, place):
    words = ss.Frequencies.from_counts([1, 5, 3])
    (place / "numbers.txt").write_text("I\n0.5\n2\n1\n")
    assert opt.read_importance("numbers.txt", words) == [0.5, 2, 1]
    assert opt.read_activation("0:3:numbers.txt") == ss.Activation(0, 3, (0.5, 2, 1))
    (place / "bad.txt").write_text("0.5\nx\n1\n")
    for option, value, message in [
        ("--importance", "bad.txt", "line 2: 'x' is not a number"),
        ("--importance", "0.9^j", "as 0.9^i or i^-0.5"),
        ("--importance", "1,2", "importance has shape (2,)"),
        ("--importance", "-1,2,3", "importance[0] = -1"),
        ("--importance", "no.txt", "no.txt does not exist"),
        ("--activation", "1", "give LOW:HIGH"),
        ("--activation", "2:1", "high = 1.0"),
        ("--activation", "0:1:a,b", "is not a list of numbers"),
        ("--activation", "0:1:0", "at least one above 0"),
    ]:
        code, out, err = call("predict", "--n", 3, "--m", 1, option, value)
        assert code == 2 and out == "" and message in err and err.count("\n") == 1, err
    code, _, err = call("sweep", "--m", 3, "--scale", 4)
    assert code == 2 and "--scale goes with --law exponential" in err
    weak = ("--theory", "weak")
    one = call("predict", "--law", "exponential:40", "--m", 5, *weak, "--csv")[1]
    assert (
        one == call("predict", "--law", "exponential", "--scale", 40, "--m", 5, *weak, "--csv")[1]
    )
