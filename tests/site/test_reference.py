"""The reference: formulas name what exists, and every public name and command has an example."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

import superscale as ss
from superscale.commands.app import COMMANDS
from superscale.importing.lazy_names import listing

ROOT = Path(__file__).parents[2]
FORMULAS = (ROOT / "docs" / "reference" / "formulas.md").read_text(encoding="utf-8")
ROWS = [line for line in FORMULAS.splitlines() if line.startswith("|")][2:]
NAME = re.compile(r"`((?:theory|numerics|empirical)[\w.]+)`")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def exists(name):
    """Whether a dotted name can be imported."""
    module, _, attribute = name.rpartition(".")
    try:
        return hasattr(importlib.import_module(module), attribute)
    except ImportError:
        return False


def test_exists(path, name):
    """Whether a file defines this test."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in tree.body)


test_exists.__test__ = False


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[2].strip())
def test_a_formula_names_a_function_a_source_and_a_test(row):
    _, formula, functions, source, tests, _ = re.split(r"(?<!\\)\|", row)
    assert formula.strip() and source.strip()
    named, tested = NAME.findall(functions), TEST.findall(tests)
    assert named and tested
    assert all(exists(name) for name in named)
    assert all((ROOT / path).exists() and test_exists(path, name) for path, name in tested)


def test_faults_in_formulas_are_seen():
    assert len(ROWS) > 25
    assert not exists("theory.regimes.weak.weak_losses") and not exists("theory.nothing.x")
    assert not test_exists("tests/site/test_reference.py", "test_nothing")


def public():
    """Return the public names that are not namespaces."""
    for stub in sorted(Path(ss.__file__).parent.glob("*.pyi")):
        owner = ss if stub.stem == "__init__" else getattr(ss, stub.stem)
        for name, home in listing(stub).items():
            if home != "superscale":
                yield f"{stub.stem}.{name}".removeprefix("__init__."), getattr(owner, name)


PUBLIC = dict(public())


def examples(value):
    """Return the docstrings of a function, or of a class and what it defines, with an example."""
    own = [value]
    if inspect.isclass(value):
        own += [getattr(one, "__func__", one) for one in vars(value).values()]
    documented = [getattr(one, "fget", None) or one for one in own]
    texts = [getattr(one, "__doc__", None) for one in documented if not isinstance(one, str)]
    return [text for text in texts if text and ">>> " in text]


def returns(one, name):
    """Whether the return annotation of a function or method names a class."""
    annotation = getattr(one, "__annotations__", {}).get("return", "")
    return bool(re.search(rf"\b{name}\b", getattr(annotation, "__name__", str(annotation))))


def made_in_an_example(name):
    """Whether a public function or method returns this class and has an example."""
    for value in PUBLIC.values():
        own = vars(value).values() if inspect.isclass(value) else [value]
        makers = [getattr(one, "fget", None) or getattr(one, "__func__", one) for one in own]
        if any(returns(one, name) and ">>> " in str(one.__doc__) for one in makers):
            return True
    return False


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_an_example(name):
    """Its own, or for a result (not for an error) that of what returns it."""
    assert examples(PUBLIC[name]) or made_in_an_example(name.rpartition(".")[2])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.__name__)
def test_a_command_has_an_example(command):
    name = command.__name__.replace("_", "-")
    assert re.search(rf"Example: superscale {name}\b", command.__doc__)


def test_missing_examples_are_seen():
    assert not examples(Path) and not examples(len) and examples(ss.predict)
    assert not made_in_an_example("DivergenceError") and made_in_an_example("Prediction")
