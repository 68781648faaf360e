import pytest

import superscale as ss
from superscale.commands.app import run


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
