"""Every option of every command, given what it cannot use: one line that says so, in seconds.

A call ends with 0 (the value can be used), 2 and one line that names the option or what was typed,
or 1 and one line (a run that fails). No traceback, no warning of a library, no hang. ``CALLS`` has
small arguments for each command; a command without an entry fails the test.
"""

import contextlib
import io
import re
import signal

import numpy as np
import pytest
import typer

from superscale.commands import app

PARSER = typer.main.get_command(app.build_app()).commands
SMALL = ["--n", "20", "--m", "3"]
TRAINED = [*SMALL, "--steps", "3", "--batch", "8"]
# By command; more than one where some options need others: the first is tried each time.
CALLS = {
    "predict": [[*SMALL, "--theory", "weak"]],
    "theories": [[]],
    "required-width": [["--n", "20", "--loss", "0.5", "--theory", "weak"]],
    "train": [TRAINED],
    "compare": [[*TRAINED, "--workers", "1", "--theory", "weak", "-o", "o.csv"]],
    "analyze": [["small.safetensors"]],
    "read": [["small.safetensors", "--samples", "20"]],
    "loss": [["run.safetensors"]],
    "overlaps": [["W.npy"]],
    "fit": [
        ["losses.csv"],
        ["runs.csv", "--chinchilla", "--params", "params", "--tokens", "tokens"],
        ["shapes.csv", "--axes", "d_model,n_layers,num_tokens"],
    ],
    "ground-state": [["--n", "4", "--m", "2", "--p", "0.1", "--starts", "1"]],
    "plan": [["shapes.csv", "--compute", "1e20"]],
    "mechanisms": [["--no-solve", "--n", "20", "--m", "3,6"]],
    "bounds": [["--n", "9", "--m", "4"]],
    "pack": [["--n", "6", "--m", "3", "--starts", "1"]],
    "sweep": [[*TRAINED, "--workers", "1"]],
    "reproduce": [["fig4", "-o", "o.csv"]],
    "count": [["text.txt", "--tokenizer", "tokenizer.json"]],
    "zipf": [["few.csv"]],
    "example": [["losses.csv"]],
    "explore": [["--no-browser"]],
}
# With a folder of runs there is no stored figure: minutes of training.
NOT_TRIED = {("reproduce", "--store")}
# What stands for numbers, words and files alike; the first ones are tried each time.
VALUES = ("-1", "nan", "x", "", "0", "1e400", "1e30", "99999999999999999999")
FEW = 2
SECONDS = 10  # of processor time, for one call
# A message may call what was typed by another word.
WORDS = ("--", "does not exist", "is not allowed", "unknown", "cannot be read", "cannot write")
LIBRARY = re.compile(
    r"Traceback|encountered in|RuntimeWarning|DeprecationWarning|Input should be|got an unexpected|"
    r"object is not|cannot be interpreted|array\(|np\.\w+\("
)
# An argument of Python where the command line has an option.
PYTHON = re.compile(r"superscale: (?:[a-z]+(?:_[a-z]+)+|[a-z]+\[\d+\]) (?:=|contain)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, saved):
    """Return a folder with the files that CALLS name."""
    folder = tmp_path_factory.mktemp("options")
    with contextlib.redirect_stdout(io.StringIO()):
        assert app.run(["example", "--all", "--folder", str(folder)]) == 0
    (folder / "few.csv").write_text("\n".join(str(9000 // k) for k in range(1, 80)))
    np.save(folder / "W.npy", np.random.default_rng(0).standard_normal((12, 4)))
    (folder / "run.safetensors").symlink_to(saved)
    return folder


class Hang(BaseException):
    """The time of one call is over."""


def run(arguments):
    """Run a command; return its exit code, or what it raised, and stderr."""

    def stop(*_):
        raise Hang

    err = io.StringIO()
    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
            code = app.run(arguments)
    except Hang:
        code = f"no answer in {SECONDS} s"
    except Exception as error:
        code = f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    return code, err.getvalue()


def fault(code, err, option, value):
    """Return what is wrong with how a command ended, or ""."""
    if code not in (0, 1, 2):
        return str(code)
    if found := LIBRARY.search(err) or PYTHON.search(err):
        return f"says {found[0]!r}: {err}"
    if code and len(err.splitlines()) != 1:
        return f"{len(err.splitlines())} lines: {err}"
    named = re.search(rf"\b{option.lstrip('-')}\b", err)
    if code and not named and not any(word in err for word in (*WORDS, value or "''")):
        return f"does not say which option: {err}"
    return ""


def faults(command, calls, values):
    found = {}
    for usual in calls:
        for parameter in PARSER[command].params:
            if parameter.param_type_name != "option" or parameter.is_flag:
                continue
            option = max(parameter.opts, key=len)
            for value in () if (command, option) in NOT_TRIED else values:
                arguments = [command, *usual, option, value]
                if wrong := fault(*run(arguments), option, value):
                    found[" ".join(arguments)] = wrong
    return found


@pytest.fixture(autouse=True)
def quick(monkeypatch, folder):
    """Build the parser once, and work in the folder."""
    parser = app.build_app()
    monkeypatch.setattr(app, "build_app", lambda: parser)
    monkeypatch.chdir(folder)


def test_every_command_is_tried():
    assert CALLS.keys() == PARSER.keys()


@pytest.mark.parametrize("command", PARSER)
def test_the_usual_arguments_are_taken(command):
    for usual in CALLS[command]:
        code, err = run([command, *usual])
        assert code == 0 and not LIBRARY.search(err), (usual, err)


@pytest.mark.parametrize("command", PARSER)
def test_hostile_options(command):
    assert not faults(command, CALLS[command][:1], VALUES[:FEW])


@pytest.mark.slow
@pytest.mark.parametrize("command", PARSER)
def test_more_hostile_options(command):
    first, *others = CALLS[command]
    assert not faults(command, [first], VALUES[FEW:]) | faults(command, others, VALUES)


def test_faults_are_seen():
    assert fault("no answer", "", "--n", "x") and not fault(0, "", "--n", "x")
    assert not fault(2, "superscale: --n = -1 is not allowed\n", "--n", "-1")
    assert fault(2, "superscale: weight_decay = nan is not allowed\n", "--weight-decay", "nan")
    assert fault(2, "superscale: m[0] = nan is not allowed\n", "--forecast", "nan")
    assert fault(2, "one line\nsuperscale: --n\n", "--n", "-1")
    assert fault(2, "superscale: it cannot be\n", "--n", "-1")
    assert fault(0, "superscale: warning: divide by zero encountered in power\n", "--n", "1")
