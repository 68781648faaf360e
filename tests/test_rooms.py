"""Imports run one way: theory ← numerics ← empirical ← superscale; only empirical knows torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("theory", "numerics", "empirical", "superscale")
BASE = {"numpy", "scipy", "sympy", "mpmath", "pandas", "matplotlib"}
FOREIGN = {
    # Compiled sums of the mean field, and the same result whatever the threads.
    "theory": BASE | {"numba", "threadpoolctl"},
    "numerics": BASE | {"numba", "gguf"},
    "empirical": BASE
    | {
        "numba",
        "torch",
        "safetensors",
        "rich",
        "filelock",
        "threadpoolctl",
        "xarray",
        "tokenizers",
        "huggingface_hub",
    },
    "superscale": {"typer", "rich", "matplotlib", "dask"},
}


def imports(path):
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names)


def violations(room, names):
    allowed = FOREIGN[room] | set(ROOMS[: ROOMS.index(room) + 1])
    return names - allowed


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_one_way(room):
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    for path in files:
        assert not violations(room, imports(path)), path


def test_the_rule_rejects_what_it_should():
    assert violations("theory", {"numpy", "numerics"}) == {"numerics"}
    assert violations("numerics", {"torch"}) == {"torch"}


@pytest.mark.parametrize("room", ROOMS)
def test_modules_open_with_what_to_use_when(room):
    for path in sorted((ROOT / room).rglob("*.py")):
        doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        assert doc and ("Use " in doc or path.name == "cli.py"), path


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_no_compiled_module_calls_another():
    """A cached kernel does not notice a change in another file: it would go on with the old."""
    files = {
        f"{room}.{path.stem}": set(imported_modules(path))
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
    }
    compiled = {name for name, imported in files.items() if "numba" in imported}
    kernels = {
        name for name in compiled if "njit" in (ROOT / f"{name.replace('.', '/')}.py").read_text()
    }
    assert len(kernels) >= 4
    for name in kernels:
        assert not files[name] & kernels, name


def test_import_superscale_loads_nothing_heavy():
    code = (
        "import sys, superscale;"
        "print(sorted({'torch', 'numba', 'sympy', 'matplotlib', 'pandas', 'scipy', 'numpy'}"
        " & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
