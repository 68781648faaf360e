"""Files of the user's, or of another distribution, that hide theory, numerics or empirical."""

import os
import shutil
import subprocess
import sys

import pytest

from superscale.importing import own_packages

ROOT = own_packages.ROOT
HIDING = {
    "theory": "theory.py",
    "numerics": "numerics/__init__.py",
    "empirical": "empirical.py",
}


def run(folder, *arguments, path=(ROOT,), stdin=None):
    """Run Python in a folder, with superscale installed behind it."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))},
        capture_output=True,
        text=True,
        check=False,
        input=stdin,
    )


def hide(folder, name):
    file = folder / HIDING[name]
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine = 1\n")
    return file.parent if file.stem == "__init__" else file


def line(folder, name):
    """Return what has to be said of a file or folder that hides a package."""
    return (
        f"{hide(folder, name)} hides superscale's own package {name!r}: "
        "rename it, or run from another folder"
    )


def last(shown):
    assert shown.returncode != 0
    return shown.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", HIDING)
def test_a_script_beside_a_file_of_that_name(tmp_path, name):
    expected = line(tmp_path, name)
    script = tmp_path / "script.py"
    for code in (
        "import superscale",
        f"import {name}; assert {name}.mine == 1; import superscale",
        "from superscale.packings import bounds",
    ):
        script.write_text(code)
        assert last(run("/", script)) == f"ImportError: {expected}"
    # Nothing of the user's is broken.
    script.write_text(
        "try:\n    import superscale\nexcept ImportError:\n    pass\n"
        f"import {name}\nprint({name}.mine)"
    )
    assert run("/", script).stdout == "1\n"


@pytest.mark.parametrize("name", HIDING)
def test_a_notebook_or_a_prompt_beside_it(tmp_path, name):
    # Both have "" or the folder first on the path.
    expected = line(tmp_path, name)
    assert last(run(tmp_path, "-c", "import superscale")) == f"ImportError: {expected}"
    shown = run(tmp_path, "-i", "-q", stdin="import superscale\n")
    assert f"ImportError: {expected}" in shown.stderr.splitlines()


def test_a_folder_without_init_hides_nothing(tmp_path):
    (tmp_path / "numerics").mkdir()
    (tmp_path / "numerics" / "notes.txt").write_text("mine")
    shown = run(tmp_path, "-c", "import superscale as ss; print(ss.overlaps.__name__)")
    assert shown.stdout == "overlaps\n"


def test_a_folder_without_init_that_is_found_first(tmp_path):
    # As where superscale is found by an import hook, behind everything on the path.
    hook = f"""
import sys
from importlib.machinery import PathFinder
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return PathFinder.find_spec(name, [{str(ROOT)!r}]) if path is None else None
sys.meta_path.append(Finder)
import superscale
"""
    assert run(tmp_path, "-S", "-c", hook, path=()).returncode == 0
    (tmp_path / "numerics").mkdir()
    assert last(run(tmp_path, "-S", "-c", hook, path=())).startswith(
        f"ImportError: {tmp_path / 'numerics'} hides superscale's own package 'numerics'"
    )


def test_python_m_works_beside_them(tmp_path):
    for name in HIDING:
        hide(tmp_path, name)
    words = ["predict", "--n", "12", "--m", "4,5", "--alpha", "0", "--csv"]
    shown = run(tmp_path, "-m", "superscale", *words)
    assert not shown.stderr
    assert len(shown.stdout.splitlines()) >= 3


@pytest.mark.parametrize("name", HIDING)
def test_the_command_ends_in_one_line(tmp_path, name):
    # The script's own folder is first on its path, but PYTHONPATH may hold anything.
    expected = line(tmp_path, name)
    script = tmp_path / "bin" / "superscale"
    script.parent.mkdir()
    script.write_text("import sys\nfrom superscale.__main__ import main\nsys.exit(main())\n")
    shown = run(tmp_path, script, "predict", path=(tmp_path, ROOT))
    assert (shown.returncode, shown.stderr) == (1, f"superscale: {expected}\n")
    assert run(tmp_path, script, "--version").returncode == 0


def test_late_imports_say_it_too(tmp_path):
    code = (
        "import sys, superscale as ss; sys.path.insert(0, 'late'); import theory; theory.mine\n"
        "try:\n    ss.predict\nexcept ImportError as error:\n    print(error)\n"
        "ss.packings.bounds"
    )
    (tmp_path / "late").mkdir()
    expected = line(tmp_path / "late", "theory")
    shown = run(tmp_path, "-c", code)
    assert shown.stdout == f"{expected}\n"
    assert last(shown) == f"ImportError: {expected}"


def test_a_module_made_by_hand(tmp_path):
    code = "import sys, types; sys.modules['theory'] = types.ModuleType('theory');import superscale"
    assert last(run(tmp_path, "-c", code)) == (
        "ImportError: a module 'theory' already in memory hides superscale's own: rename it"
    )


BLAME = "'wave-theory' installs a package 'theory' too; install superscale in another environment"


def write_other_distribution(folder):
    other = folder / "wave_theory-1.0.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: wave-theory\nVersion: 1.0\n")
    (other / "top_level.txt").write_text("theory\n")


@pytest.fixture
def site(tmp_path):
    """Return a folder of installed packages: ours, and a distribution that lists its own theory."""
    folder = tmp_path / "site-packages"
    for name in (*own_packages.NAMES, "superscale"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("data", "*.nb*"))
    write_other_distribution(folder)
    assert run(folder, "-c", "import superscale as ss; ss.Frequencies", path=()).returncode == 0
    return folder


def test_another_distribution_overwrites_a_package(site):
    (site / "theory" / "__init__.py").write_text("raise ImportError('not even this works')\n")
    assert last(run(site, "-c", "import superscale", path=())) == (
        f"ImportError: {site / 'theory' / '__init__.py'} is not superscale's: {BLAME}"
    )


@pytest.mark.parametrize("text", ["class Other: pass\n", None])
def test_another_distribution_overwrites_or_removes_a_module(site, text):
    file = site / "theory" / "frequencies.py"
    file.write_text(text) if text else file.unlink()
    for code in ("import superscale as ss; ss.Frequencies", "import superscale as ss; ss.predict"):
        said = last(run(site, "-c", code, path=()))
        assert said.startswith("ImportError: this installation of superscale is damaged (")
        assert "theory.frequencies" in said
        assert said.endswith(BLAME)


def test_another_distribution_is_found_first(tmp_path):
    # An editable installation is found behind site-packages.
    folder = tmp_path / "site-packages"
    write_other_distribution(folder)
    hide(folder, "theory")
    assert last(run("/", "-c", "import superscale", path=(folder, ROOT))) == (
        f"ImportError: {folder / 'theory.py'} hides superscale's own package 'theory': {BLAME}"
    )


def test_a_package_that_is_missing(site):
    shutil.rmtree(site / "numerics")
    assert last(run(site, "-S", "-c", "import superscale", path=())) == (
        f"ImportError: superscale's own package 'numerics' is missing from {site}: "
        "reinstall superscale"
    )
