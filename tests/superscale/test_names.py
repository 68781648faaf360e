"""Public names: each listed once, there, documented, and loaded only when it is used."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import superscale as ss
from superscale.importing.lazy_names import listing

FOLDER = Path(ss.__file__).parent
NAMESPACES = sorted(path.stem for path in FOLDER.glob("*.pyi") if path.stem != "__init__")
NAMES = [(None, name) for name in ss.__all__] + [
    (space, name) for space in NAMESPACES for name in getattr(ss, space).__all__
]


@pytest.mark.parametrize(("space", "name"), NAMES)
def test_every_name_is_there_and_documented(space, name):
    owner = getattr(ss, space) if space else ss
    value = getattr(owner, name)
    assert value.__doc__ and value.__name__.split(".")[-1] == name
    assert name in dir(owner)


def test_every_name_is_listed_once():
    stubs = [listing(path) for path in FOLDER.glob("*.pyi")]
    assert max(Counter(item for stub in stubs for item in stub.items()).values()) == 1
    assert {name for name, home in listing(FOLDER / "__init__.pyi").items() if home == "superscale"}
    assert set(NAMESPACES) <= set(ss.__all__)
    assert len(ss.__all__) <= 45
    # No line of a stub is left out: it would be a name for type checkers only.
    for path in FOLDER.glob("*.pyi"):
        assert len(listing(path)) == path.read_text().count("import "), path


ROOT = FOLDER.parent
FILES = ("*.md", "docs/**/*.md", "examples/*.py", "studies/**/*.py", "benchmarks/*.py")
TEXTS = [path for pattern in FILES for path in sorted(ROOT.glob(pattern))]


def unknown(text):
    """Return what is written as a public name in a text and is none."""
    known = {space: set(getattr(ss, space).__all__) for space in NAMESPACES}
    written = re.findall(r"(?<![\w.])ss\.(\w+)(?:\.(\w+))?", text)
    return [
        f"{name}.{inner}" if name in known else name
        for name, inner in written
        if not hasattr(ss, name) or (name in known and inner not in known[name] | {""})
    ]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_pages_and_scripts_name_what_is_there(path):
    assert not unknown(path.read_text(encoding="utf-8"))


def test_unknown_names_in_a_page_are_seen():
    assert unknown("`ss.pack(6, 3)`, `ss.packings.packs`, ss.train, ss.packings.pack") == [
        "pack",
        "packings.packs",
    ]


def test_unknown_names():
    with pytest.raises(AttributeError, match="module 'superscale' has no attribute 'pack_it'"):
        _ = ss.pack_it
    with pytest.raises(AttributeError, match=re.escape("'superscale.packings' has no attribute")):
        _ = ss.packings.pack_it


def test_a_namespace_loads_only_what_is_used():
    code = (
        "import sys, superscale as ss; ss.published.load_reference; ss.packings.bounds;"
        "print('torch' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


def test_the_design_in_one_breath():
    words = ss.Frequencies.power_law(n=100, alpha=0.0)
    p = ss.predict(words, m=[10, 25])
    assert p.loss["weak"].shape == p.exponent["weak"].shape == (2,)
    run = ss.train(words, m=10, weight_decay=-1.0, seed=0, batch=16, steps=20)
    assert ss.population_loss(run.model, words).loss > 0
    c = ss.compare(words, m=[10, 25], seeds=1, batch=16, steps=20)
    assert len(c.to_dataframe()) == 2
