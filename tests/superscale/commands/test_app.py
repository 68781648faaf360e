"""The command line as a user meets it: help, wrong input, exit codes."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import typer

from superscale.commands.app import build_app

QUICK = ["--n", "60", "--batch", "16", "--steps", "40"]


@pytest.mark.parametrize("command", list(typer.main.get_command(build_app()).commands))
def test_help_shows_an_example(call, command):
    code, out, _ = call(command, "--help")
    assert code == 0 and f"Example: superscale {command} " in " ".join(out.split())


def test_help_lists_the_references(call):
    from empirical.comparisons.published import REFERENCES

    _, out, _ = call("compare", "--help")
    shown = "".join(out.split())
    assert all(name in shown for name in REFERENCES)


def test_help_and_version(call):
    code, out, _ = call("--help")
    assert code == 0 and "predict" in out and "compare" in out
    code, out, _ = call("--version")
    assert code == 0 and out.strip() == "superscale 0.1.0"


@pytest.fixture
def files(tmp_path):
    (tmp_path / "good.csv").write_text("a,3\nb,2\nc,1\n")
    (tmp_path / "negative.csv").write_text("a,3\nb,-2\nc,1\n")
    (tmp_path / "nan.csv").write_text("a,3\nb,nan\nc,1\nd,1\n")
    (tmp_path / "empty.csv").write_text("")
    return tmp_path


BAD = {
    "p above 1": (["predict", "--density", 8], "above 1: the largest density possible"),
    "m above n": (["predict", "--n", 10, "--m", 11], "m = 11 is not allowed"),
    "m = 0": (["compare", "--m", 0], "m = 0 is not allowed"),
    "m no number": (["compare", "--m", "ten"], "--m 'ten' is not a whole number"),
    "negative alpha": (["predict", "--alpha", -1], "alpha = -1"),
    "n = 0": (["predict", "--n", 0], "n = 0"),
    "no seeds": (["compare", "--seeds", 0], "seeds = 0"),
    "no workers": (["compare", "--workers", 0], "workers = 0"),
    "negative counts": (["compare", "--counts", "{}/negative.csv"], "line 2: the count -2"),
    "NaN counts": (["compare", "--counts", "{}/nan.csv"], "line 2: 'nan'"),
    "empty file": (["compare", "--counts", "{}/empty.csv"], "is empty"),
    "directory": (["compare", "--counts", "{}"], "is a directory"),
    "missing file": (["predict", "--counts", "{}/no.csv"], "does not exist"),
    "top too large": (["compare", "--counts", "{}/good.csv", "--top", 9], "top = 9"),
    "counts and a law": (["predict", "--counts", "{}/good.csv", "--alpha", 1], "not both"),
    "top without counts": (["predict", "--top", 5], "--top goes with --counts"),
    "unknown law": (["predict", "--law", "cubic"], "--law cubic is not known"),
    "scale missing": (["predict", "--law", "exponential"], "needs --scale"),
    "alpha for linear": (["predict", "--law", "linear", "--alpha", 1], "goes with --law power_law"),
    "unknown theory": (["predict", "--theory", "x"], "theory 'x': unknown"),
    "unknown explanation": (
        ["predict", "--explain", "x"],
        "theory 'x': unknown; those",
    ),
    "unknown reference": (["compare", "--reference", "fig9"], "unknown reference 'fig9'"),
    "reference and a law": (["compare", "--reference", "fig1-weak", "--n", 9], "leave out --n"),
    "reference and training": (
        ["compare", "--reference", "fig1-weak", "--weight-decay", 1],
        "leave out --weight-decay",
    ),
    "a rate no float32 holds": (
        ["train", "--m", 5, "--learning-rate", 1e39],
        "--learning-rate = 1e+39",
    ),
    "a huge n": (["predict", "--n", 10**30], "n = 1000000000000000000000000000000"),
    "unknown recipe": (["compare", "--recipe", "x"], "recipe = 'x' is not allowed"),
    "unknown ending": (["compare", "--output", "{}/x.docx"], "ends in .png"),
    "no such folder": (["compare", "--output", "{}/no/x.png"], "does not exist"),
    "output is a directory": (
        ["train", "--m", 5, "--output", "{}/d.safetensors"],
        "is a directory",
    ),
    "wrong run ending": (["train", "--m", 5, "--output", "{}/x.png"], "ends in .safetensors"),
    "unknown option": (["predict", "--alhpa", 1], "--alhpa"),
    "option no number": (
        ["predict", "--alpha", "one"],
        "superscale: --alpha 'one' is not a number\n",
    ),
    "option no integer": (["bounds", "--n=x", "--m", 3], "--n 'x' is not a whole number\n"),
    "an option named as typed": (
        ["train", "--m", 4, "--weight-decay", "nan"],
        ": --weight-decay =",
    ),
    "empty law": (["predict", "--law", ""], "--law is not known"),
    "empty explanation": (["predict", "--explain", ""], "theory ''"),
    "unknown command": (["predictt"], "predictt"),
    "missing option": (["train"], "--m"),
    "no matrix": (["overlaps", "{}/no.npy"], "does not exist"),
    "a table is no matrix": (["overlaps", "{}/good.csv"], "is of no format that is read"),
    "stretch outside": (["overlaps", "{}/W.npy", "--rows", "0:9"], "--rows '0:9' is not allowed"),
    "stretch of nothing": (["overlaps", "{}/W.npy", "--rows", "2"], "START:STOP within 0:4"),
    "too many removed": (["overlaps", "{}/W.npy", "--remove", 3], "remove = 3"),
    "unknown pairs": (["overlaps", "{}/W.npy", "--pairs", "few"], "pairs = 'few'"),
    "one vector": (["bounds", "--n", 1, "--m", 4], "n = 1"),
    "unknown kind": (["bounds", "--n", 9, "--m", 4, "--kind", "x"], "kind = 'x'"),
    "no picture of bounds": (["bounds", "--n", 9, "--m", 4, "-o", "{}/x.png"], "ends in .csv"),
    "unknown objective": (["pack", "--n", 9, "--m", 4, "--objective", "x"], "objective = 'x'"),
    "vectors to a picture": (["pack", "--n", 9, "--m", 4, "--save", "{}/x.png"], "ends in .npz"),
    "several m": (["pack", "--n", 9, "--m", "4,5"], "give one"),
    "starts of relu": (
        ["pack", "--n", 9, "--m", 4, "--objective", "relu", "--starts", 3],
        "--starts does not go with",
    ),
    "steps of lines": (["pack", "--n", 9, "--m", 4, "--steps", 3], "goes with --objective relu"),
    "r without b": (["pack", "--n", 9, "--m", 4, "--objective", "relu", "--r", 1], "give both"),
    "no starts": (["pack", "--n", 9, "--m", 4, "--starts", 0], "starts = 0"),
    "no run": (["loss", "{}/no.safetensors"], "does not exist"),
    "a matrix is no run": (["loss", "{}/W.npy"], "W.npy"),
    "unknown sampling": (["loss", "{}/run.safetensors", "--sampling", "x"], "sampling = 'x'"),
    "rtol = 0": (["loss", "{}/run.safetensors", "--rtol", 0], "rtol = 0"),
    "density alone": (["loss", "{}/run.safetensors", "--density", 1], "say which frequencies"),
    "other n": (
        ["loss", "{}/run.safetensors", "--counts", "{}/good.csv"],
        "the frequencies n = 3: they must agree",
    ),
    "bad device": (["train", "--m", 5, "--device", "abacus"], "device 'abacus'"),
    "bad bias start": (["train", "--m", 5, "--bias-start", "one"], "--bias-start = 'one'"),
}


@pytest.mark.parametrize("case", BAD)
def test_wrong_input_is_one_line_and_code_2(call, files, saved, monkeypatch, case):
    (files / "d.safetensors").mkdir()
    np.save(files / "W.npy", np.arange(12.0).reshape(4, 3))
    shutil.copy(saved, files / "run.safetensors")
    monkeypatch.chdir(files)
    before = sorted(files.rglob("*"))
    arguments, message = BAD[case]
    code, out, err = call(*[str(a).replace("{}", str(files)) for a in arguments])
    assert code == 2 and out == ""
    assert err.count("\n") == 1 and err.startswith("superscale: ")
    assert message in err
    assert sorted(files.rglob("*")) == before


def test_a_diverged_run_is_one_line_and_code_1(call):
    words = ["--m", 5, "--theory", "weak", "--seeds", 1, "--workers", 1]
    code, out, err = call("compare", *QUICK, *words, "--learning-rate", "1e6")
    assert code == 1 and out == "" and "diverged" in err and err.count("\n") == 1


@pytest.mark.parametrize("error", [TypeError, ValueError])
def test_a_value_of_the_wrong_kind_is_one_line_and_code_2(call, monkeypatch, error):
    def refuse(*_, **__):
        raise error("m = None is not a number:\ngive a width")

    monkeypatch.setattr("superscale.commands.app.build_app", lambda: refuse)
    code, out, err = call("predict", "--m", 3)
    assert (code, out) == (2, "")
    assert err == "superscale: --m = None is not a number: give a width\n"


def test_a_full_disk_is_one_line(call, tmp_path, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, _, err = call("predict", "--theory", "weak", "--output", tmp_path / "x.png")
    assert code == 2 and "No space left on device" in err and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_closed_pipe_is_no_error():
    shown = subprocess.run(
        f"{sys.executable} -m superscale bounds --n 28 --m 7 --degree 0 | true",
        shell=True, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert shown.stderr == ""


def test_the_shell_completes_commands_and_options(tmp_path):
    """Bash itself, with what superscale --show-completion bash prints."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    shim = tmp_path / "superscale"
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} -m superscale "$@"\n')
    shim.chmod(0o755)
    script = """
        eval "$(superscale --show-completion bash)"
        COMP_WORDS=(superscale pre) COMP_CWORD=1
        _superscale_completion superscale; echo "${COMPREPLY[@]}"
        COMP_WORDS=(superscale predict --al) COMP_CWORD=2
        _superscale_completion superscale; echo "${COMPREPLY[@]}"
        complete -p superscale
    """
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [bash, "--norc", "-c", script],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    commands, options, rule = done.stdout.splitlines()
    assert (commands, options) == ("predict", "--alpha") and done.stderr == ""
    assert rule == "complete -o default -F _superscale_completion superscale"


def test_theories_are_named_where_they_are_asked_for(call):
    from theory.registry import THEORIES

    for command in ("predict", "compare"):
        shown = " ".join(call(command, "--help")[1].split())
        assert all(one.name in shown for one in THEORIES) and "asymptotic" in shown


def test_every_theory_is_explained(call):
    from theory.registry import THEORIES

    common = ["predict", "--n", 8, "--m", 4, "--alpha", 1.5]
    applies = []
    for one in THEORIES:
        code, out, err = call(*common, "--explain", one.name)
        if code == 2:
            assert "does not apply here" in err
            continue
        applies.append(one.name)
        assert code == 0 and "1. " in out, err
        code, out, err = call(*common, "--latex", one.name)
        if one.cost == "formula":
            assert code == 0 and out.strip()
        else:
            assert code == 2 and "has no closed form; --explain" in err
    assert len(applies) > 5
    both = call(*common, "--explain", "asymptotic")[1]
    each = [call(*common, "--explain", x)[1] for x in ("strong_even", "strong_skewed")]
    assert both == "".join(each)
    two = call(*common, "--latex", "weak,equiangular")[1].splitlines()
    assert two == [call(*common, "--latex", x)[1].strip() for x in ("weak", "equiangular")]
