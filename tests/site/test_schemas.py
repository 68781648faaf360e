"""What each command prints with --json has the form that its page in the reference shows."""

import copy
import importlib.util
import inspect
import json
from pathlib import Path

import jsonschema
import pytest

from superscale.commands.app import COMMANDS

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("write_schemas", ROOT / "docs" / "write_schemas.py")
writer = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(writer)
SLOW = ("plan", "compare", "pack", "ground-state", "analyze", "read")


def schema(name):
    """Return the schema of a command, checked itself."""
    found = json.loads((writer.SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


def test_every_command_has_a_schema():
    named = {line.split()[0] for line in writer.LINES}
    printing = [one for one in COMMANDS if "json" in inspect.signature(one).parameters]
    assert named == {command.__name__.replace("_", "-") for command in printing}
    assert named == {path.stem for path in writer.SCHEMAS.glob("*.json")}


def hold(lines, tmp_path, monkeypatch):
    """Run lines in a folder and hold each to its schema; a changed answer must not pass."""
    monkeypatch.chdir(tmp_path)
    for line, value in writer.outputs(lines):
        validator = schema(line.split()[0])
        assert not [error.message for error in validator.iter_errors(value)], line
        for change in (lambda x: x.update(surprise=1), lambda x: x.pop(next(iter(x)))):
            wrong = copy.deepcopy(value)
            change(wrong)
            assert not validator.is_valid(wrong), line
        if "rows" in value:
            wrong = copy.deepcopy(value)
            wrong["rows"] = "none"
            assert not validator.is_valid(wrong), line


def test_quick_commands(tmp_path, monkeypatch):
    hold([x for x in writer.LINES if not x.startswith(SLOW)], tmp_path, monkeypatch)


@pytest.mark.slow
def test_the_other_commands(tmp_path, monkeypatch):
    hold([x for x in writer.LINES if x.startswith(SLOW)], tmp_path, monkeypatch)
