"""What README, pages, scripts and docstrings say can be typed: commands, options, public names."""

import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest
import typer

import superscale as ss
from superscale.commands.app import build_app

ROOT = Path(__file__).parents[1]
PATTERNS = ("*.md", "docs/**/*.md", "examples/*.py", "studies/**/*.py", "benchmarks/*.py")
DOCUMENTS = sorted(path for pattern in PATTERNS for path in ROOT.glob(pattern))
SOURCES = sorted((ROOT / "superscale").rglob("*.py"))
COMMANDS = typer.main.get_command(build_app()).commands
# A line of its own, or between backticks, where it may be broken; or the example of a --help.
LINE = re.compile(r"^ *(superscale +[a-z].*)$", re.MULTILINE)
TICKS = re.compile(r"`{1,2}(superscale\s+[a-z][^`|]*)`")
EXAMPLE = re.compile(r"Example: (superscale .*)$", re.MULTILINE)
NAME = re.compile(r"\bss\.([A-Za-z]\w*)(?:\.([A-Za-z]\w*))?")


def commands(text):
    for pattern in (LINE, TICKS, EXAMPLE):
        yield from (" ".join(found.split()) for found in pattern.findall(text))


def fault_of_command(line):
    """Return what the command line does not know of this, or nothing."""
    _, name, *words = shlex.split(line)
    if name not in COMMANDS:
        return f"no command {name!r}"
    known = {opt for one in COMMANDS[name].params for opt in (*one.opts, *one.secondary_opts)}
    options = [word for word in words if re.match(r"--?[a-z]", word)]
    unknown = [option for option in options if option not in known | {"--help"}]
    return f"no option {unknown[0]} of {name}" if unknown else None


def unknown_names(text):
    """Return the names of ``superscale`` in a text that it does not have."""
    for first, second in NAME.findall(text):
        value = getattr(ss, first, None)
        if value is None:
            yield first
        elif second and isinstance(value, ModuleType) and not hasattr(value, second):
            yield f"{first}.{second}"


@pytest.mark.parametrize("path", [*DOCUMENTS, *SOURCES], ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_and_names_exist(path):
    text = path.read_text(encoding="utf-8")
    faults = {line: fault for line in commands(text) if (fault := fault_of_command(line))}
    assert not faults
    if path in DOCUMENTS:
        assert not list(unknown_names(text))


def test_there_are_some_and_faults_are_seen():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(list(commands(readme))) > 10 and len(NAME.findall(readme)) > 10
    assert list(commands("`superscale predict\n--m 4`")) == ["superscale predict --m 4"]
    assert fault_of_command("superscale predict --m 4 --learning-rate 1") is not None
    assert fault_of_command("superscale predicted") == "no command 'predicted'"
    assert list(unknown_names("ss.predict, ss.x, ss.packings.pack, ss.packings.y")) == [
        "x",
        "packings.y",
    ]


def faults_of_readme(text):
    """Return what README has too much of: words, or commands to install, run and test."""
    blocks = re.findall(r"^```shell\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    faults = [] if len(text.split()) <= 700 else [f"{len(text.split())} words"]
    if len([line for block in blocks for line in block.splitlines()]) != 2:
        faults.append("other than two commands")
    code = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    if len(code) != 1 or len(code[0].splitlines()) > 12:
        faults.append("other than one short block of Python")
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", text)
    if len(pictures) != 1:
        faults.append("other than one picture")
    links = re.findall(r"(?<!\!)\[[^\]]*\]\(([^):]*)\)", text)
    faults += [f"{link} does not exist" for link in links + pictures if not (ROOT / link).exists()]
    return faults


def test_readme_is_short():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not faults_of_readme(text)
    assert len(faults_of_readme(text + "word " * 200)) == 1
    assert len(faults_of_readme(text + "\n```shell\nsuperscale fit\n```\n[x](docs/y.md)\n")) == 2
