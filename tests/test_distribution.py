"""What sdist and wheel hold: every tracked file, no other; and the version, written once."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import superscale

ROOT = Path(__file__).parents[1]
ROOMS = ("theory", "numerics", "empirical", "superscale")


def tracked():
    """Return the files that git tracks, and those that it would (neither ignored nor added)."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in shown.stdout.splitlines() if (ROOT / name).exists()}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the names in an sdist of the tracked files, and in a wheel built from that sdist."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for name in tracked():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)

    def build(folder, kind):
        code = f"from setuptools import build_meta; build_meta.build_{kind}({str(target)!r})"
        subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, check=True)

    build(source, "sdist")
    stem = f"superscale-{superscale.__version__}"
    with tarfile.open(target / f"{stem}.tar.gz") as archive:
        sdist = {
            entry.name.removeprefix(f"{stem}/") for entry in archive.getmembers() if entry.isfile()
        }
        # Python 3.11.0 to 3.11.3 have no filters.
        safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(target, **safe)
    build(target / stem, "wheel")
    with zipfile.ZipFile(target / f"{stem}-py3-none-any.whl") as archive:
        wheel = set(archive.namelist())
        metadata = archive.read(f"{stem}.dist-info/METADATA").decode()
    return sdist, wheel, metadata


def test_the_sdist_holds_every_tracked_file(built):
    sdist, _, _ = built
    written = {name for name in sdist if name.startswith("superscale.egg-info/")}
    assert sdist - written == tracked() | {"PKG-INFO"} | ({"setup.cfg"} & sdist)


def test_the_wheel_holds_every_file_of_the_rooms(built):
    _, wheel, _ = built
    information = {name for name in wheel if ".dist-info/" in name}
    rooms = {name for name in tracked() if name.split("/")[0] in ROOMS}
    assert wheel - information == rooms
    # One mark a top-level package holds for its sub-packages (PEP 561).
    assert {name for name in rooms if name.endswith("py.typed")} == {f"{r}/py.typed" for r in ROOMS}


def test_the_version_is_written_once(built):
    _, _, metadata = built
    version = superscale.__version__
    assert f"\nVersion: {version}\n" in metadata
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert version not in (ROOT / "setup.cfg").read_text()
    assert re.search(rf"^## {re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text(), re.M)
