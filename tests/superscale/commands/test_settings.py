"""What a command writes with ``--json`` says what the features were, so that it can be repeated."""

import json

import pytest
import typer

from superscale.commands import app

SMALL = ["--n", "6", "--m", "2"]
TRAINED = [*SMALL, "--steps", "3", "--batch", "8"]
# Each command that takes features, with small arguments. ``loss`` takes those of its run.
CALLS = {
    "predict": [*SMALL, "--theory", "weak"],
    "theories": ["--n", "6"],
    "required-width": ["--n", "6", "--theory", "weak", "--loss", "0.1"],
    "train": TRAINED,
    "compare": [*TRAINED, "--workers", "1", "--theory", "weak"],
    "ground-state": [*SMALL, "--density", "0.5", "--starts", "1"],
    "loss": ["run.safetensors"],
    "sweep": [*TRAINED, "--workers", "1"],
}
FEATURES = {"activation": "0:1", "importance": "0.9^i", "dependence": "dependence.json"}


def options(command):
    found = typer.main.get_command(app.build_app()).commands[command].params
    return {option.name for option in found} & FEATURES.keys()


def test_every_command_that_takes_features_is_tried():
    commands = typer.main.get_command(app.build_app()).commands
    assert {name for name in commands if options(name)} == CALLS.keys()


@pytest.fixture
def folder(tmp_path, monkeypatch, saved):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dependence.json").write_text('{"exclusive": [[0, 1], [2, 3]]}')
    (tmp_path / "run.safetensors").symlink_to(saved)


def settings_of(command, given, capsys):
    words = [word for name in given for word in (f"--{name}", FEATURES[name])]
    assert app.run([command, *CALLS[command], *words, "--json"]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    return {**settings, **settings.get("features", {})}


@pytest.mark.parametrize("command", CALLS)
def test_settings_hold_the_features(command, folder, capsys):
    plain = settings_of(command, [], capsys)
    assert not {"importance", "dependence"} & plain.keys()
    for name in sorted(options(command)):
        found = settings_of(command, [name], capsys)
        assert found[name] and found[name] != plain.get(name)
