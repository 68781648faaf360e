"""Scripts of benchmarks, studies and examples: self-contained, documented, results beside them."""

import ast
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("benchmarks", "studies", "examples")
SCRIPTS = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
COMMAND = re.compile(r"python3?\s+((?:benchmarks|studies|examples)/[\w/]+\.py)")
FILE = re.compile(r"(?:benchmarks|studies|examples)/[\w/]+\.(?:py|json|csv|png)")


def name(path):
    return path.relative_to(ROOT).as_posix()


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "").split(".")[0]


def imports_of_scripts(text):
    """Return what a script imports that is a script, or relative."""
    scripts = {path.stem for path in SCRIPTS} | set(FOLDERS)
    return {one for one in imported(ast.parse(text)) if one in scripts or one.startswith(".")}


def faults_of_docstring(path, text):
    """Return what is wrong with a script's docstring: command, time, or where results are."""
    doc = ast.get_docstring(ast.parse(text)) or ""
    faults = []
    if f"``python {name(path)}" not in doc:
        faults.append("the command is missing")
    if not re.search(r"\b(seconds?|minutes?|hours?|night)\b", doc):
        faults.append("the time that it takes is missing")
    stored = re.findall(r"stored\s+in\s+([\w/.]+\w)", doc)
    if not stored and not re.search(r"stores\s+nothing", doc):
        faults.append("where results are stored is missing")
    return faults + [f"{file} does not exist" for file in stored if not (ROOT / file).exists()]


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_a_script_is_self_contained_and_says_what_it_does(path):
    text = path.read_text(encoding="utf-8")
    assert not imports_of_scripts(text)
    assert not faults_of_docstring(path, text)


def test_faults_are_seen():
    assert imports_of_scripts("from published_losses import load") == {"published_losses"}
    assert imports_of_scripts("from . import x\nimport numpy") == {"."}
    path = ROOT / "studies" / "x.py"
    doc = '"""Run ``python studies/x.py`` (a minute). Results are stored in studies/x.json."""'
    assert faults_of_docstring(path, doc) == ["studies/x.json does not exist"]
    assert len(faults_of_docstring(path, '"""Measures nothing."""')) == 3
    assert COMMAND.findall("`python\nstudies/a/b.py c`") == ["studies/a/b.py"]


def texts():
    """Yield every text that may name a script."""
    places = ("*.md", "docs/**/*.md", "studies/**/*.json", "benchmarks/*.json", ".ci/*")
    folders = ("theory", "numerics", "empirical", "superscale", "tests", *FOLDERS)
    for pattern in (*places, *(f"{folder}/**/*.py" for folder in folders)):
        yield from (path for path in ROOT.glob(pattern) if path != Path(__file__))


def test_named_commands_and_files_exist():
    named = {}
    for path in texts():
        text = path.read_text(encoding="utf-8")
        for file in [*COMMAND.findall(text), *FILE.findall(text)]:
            named.setdefault(file, set()).add(name(path))
    assert len(named) > len(SCRIPTS)
    missing = {file: where for file, where in named.items() if not (ROOT / file).exists()}
    assert not missing


def test_stored_results_name_the_command_that_made_them():
    results = [*ROOT.glob("studies/**/*.json"), *ROOT.glob("benchmarks/*.json")]
    for path in results:
        script = path.with_suffix(".py")
        if script.exists():
            # Arguments may follow: first_use.py takes the checkout that it measures beside.
            command = rf'"command": "python {re.escape(name(script))}( [^"]+)?"'
            assert re.search(command, path.read_text(encoding="utf-8")), path


def test_quick_results_are_reproduced(tmp_path):
    """The cells were chosen before any result: the script still chooses the same ones."""
    script = ROOT / "studies" / "mean_field" / "cells.py"
    copy = tmp_path / "cells.py"
    copy.write_text(script.read_text(encoding="utf-8"), encoding="utf-8")
    runpy.run_path(str(copy), run_name="__main__")
    assert (tmp_path / "cells.csv").read_bytes() == script.with_suffix(".csv").read_bytes()
