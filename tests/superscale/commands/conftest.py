from functools import cache

import pytest
import typer

import superscale as ss
from superscale.commands.app import build_app, run

one_app = cache(build_app)
parser_of = cache(typer.main.get_command)


@pytest.fixture(autouse=True)
def one_parser(monkeypatch):
    """Build the parser once for all tests of commands: it takes as long as a quick command."""
    monkeypatch.setattr("superscale.commands.app.build_app", one_app)
    monkeypatch.setattr("typer.main.get_command", parser_of)


@pytest.fixture
def call(capsys):
    """Run a command; return its exit code and what it printed to stdout and stderr."""

    def run_command(*arguments):
        code = run([str(one) for one in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run_command


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """Return the file of a trained run."""
    path = tmp_path_factory.mktemp("run") / "run.safetensors"
    f = ss.Frequencies.power_law(60, 1.0)
    ss.train(f, 8, recipe="paper", batch=64, steps=200, seed=1).save(path)
    return path
