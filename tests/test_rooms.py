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
    "numerics": BASE | {"numba", "gguf", "sklearn"},
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
        "sklearn",
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
def test_modules_open_with_a_docstring(room):
    for path in sorted((ROOT / room).rglob("*.py")):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


@pytest.mark.parametrize("room", ROOMS)
def test_a_folder_holds_a_dozen_modules_at_most(room):
    for folder in (ROOT / room, *(p for p in (ROOT / room).rglob("*") if p.is_dir())):
        modules = [p.name for p in folder.glob("*.py") if p.name != "__init__.py"]
        assert len(modules) <= 12, (folder, modules)


def nodes(tree):
    """Walk over what runs: not into ``if TYPE_CHECKING`` blocks."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        yield node
        yield from nodes(node)


def imported_modules(path):
    for node in nodes(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def circle(imported):
    """Return modules that import each other in a circle, or nothing."""
    done, path = set(), []

    def visit(name):
        if name in path:
            return path[path.index(name) :]
        if name in done:
            return []
        path.append(name)
        found = next((c for other in sorted(imported.get(name, ())) if (c := visit(other))), [])
        path.pop()
        done.add(name)
        return found

    return next((c for name in sorted(imported) if (c := visit(name))), [])


def test_no_modules_import_each_other_in_a_circle():
    imported = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): set(imported_modules(path))
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
    }
    assert not circle(imported)
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c"]
    assert not circle({"a": {"b", "c"}, "b": {"c"}})


def test_no_compiled_module_calls_another():
    """A cached kernel does not notice a change in another file: it would go on with the old."""
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): set(imported_modules(path))
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
    }
    home = "theory.computing.compiled"
    kernels = {name for name, imported in files.items() if home in imported}
    assert len(kernels) >= 4
    for name in kernels:
        assert not files[name] & kernels, name


def compiled_functions(tree):
    return [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any("compiled" in ast.dump(one) for one in node.decorator_list)
    ]


def parts_called_from_python(tree):
    """Return the private compiled functions of a module that others than its kernels name."""
    kernels = compiled_functions(tree)
    parts = {kernel.name for kernel in kernels if kernel.name.startswith("_")}
    others = [node for node in tree.body if node not in kernels]
    names = {x.id for node in others for x in ast.walk(node) if isinstance(x, ast.Name)}
    return parts & names


def test_parts_of_kernels_are_called_by_kernels_only():
    """From Python they run uncompiled, a hundred times as long."""
    count = 0
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            assert not parts_called_from_python(tree), path
            count += len(compiled_functions(tree))
    assert count > 50
    wrong = "@compiled()\ndef _part(x):\n    return x\n\ndef plain(x):\n    return _part(x)\n"
    assert parts_called_from_python(ast.parse(wrong)) == {"_part"}


def test_import_superscale_loads_nothing_heavy():
    code = (
        "import sys, superscale;"
        "print(sorted({'torch', 'numba', 'sympy', 'matplotlib', 'pandas', 'scipy', 'numpy'}"
        " & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
