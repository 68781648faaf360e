"""Each example of the gallery runs to its end; one of them in a process of its own."""

import ast
import configparser
import re
import runpy
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))
# Seconds each; the build of the site runs them too.
LONG = {
    "dependent_features",
    "energy_certificate",
    "graph_search",
    "loss_between_bounds",
    "loss_parts",
    "measured_features",
    "overlap_law",
    "packing_bounds",
    "pairs_to_pentagon",
    "phase_diagrams",
    "reading_capacity",
    "readouts",
    "twenty_features",
}
# What is imported under another name than it is installed by.
PACKAGES = {"sklearn": "scikit-learn"}
OWN = {"superscale", "theory", "numerics", "empirical"}


def in_a_process(script, capsys):
    """Run a script as a newcomer does; return what it printed."""
    shown = subprocess.run([sys.executable, *sys.argv], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


def in_this_process(script, capsys):
    """Run a script without importing everything again; return what it printed."""
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        plt.close("all")
    return capsys.readouterr().out


def assert_page_says(shown):
    """Compare the exponent and its intervals on the page with those that the example prints."""
    page = EXAMPLES.parent / "docs" / "science" / "language_models.md"
    text = " ".join(page.read_text(encoding="utf-8").split())
    alpha = float(re.search(r"alpha = ([\d.]+) ±", shown)[1])
    assert f"α = {alpha:.3f}" in text
    for kind in ("profile", "bootstrap over clusters"):
        low, high = map(
            float, re.search(rf"alpha ([\d.]+) … ([\d.]+) \(95%, {kind}", shown).groups()
        )
        assert f"{low:.2f} … {high:.2f}" in text


@pytest.mark.parametrize(
    "name", [pytest.param(x, marks=pytest.mark.slow) if x in LONG else x for x in NAMES]
)
def test_example(name, tmp_path, monkeypatch, capsys):
    script = EXAMPLES / f"{name}.py"
    if "import wordfreq" in script.read_text(encoding="utf-8"):
        pytest.importorskip("wordfreq", reason="pip install 'superscale[examples]'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script)])
    drawn = []
    monkeypatch.setattr(plt, "show", lambda: drawn.extend(plt.get_fignums()))
    run = in_a_process if name == "derive_weak_loss" else in_this_process
    shown = run(str(script), capsys)
    assert shown.strip() or drawn
    assert run is in_a_process or len(drawn) == 1  # the gallery shows one figure
    assert not list(tmp_path.iterdir())  # an example of the gallery writes no files
    if name == "fit_language_models":
        assert_page_says(shown)


def imported(text):
    """Return the packages that a script imports, other than Python's and our own."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return {PACKAGES.get(name, name) for name in names - OWN - sys.stdlib_module_names}


def named_extras(text):
    """Return the extras of superscale that a script says it needs."""
    return set(re.findall(r"superscale\[(\w+)\]", text))


def requirements():
    """Return what is installed by each extra, and "" for what is installed always."""
    setup = configparser.ConfigParser()
    setup.read(EXAMPLES.parent / "setup.cfg", encoding="utf-8")
    lines = {"": setup["options"]["install_requires"], **setup["options.extras_require"]}
    return {name: set(re.findall(r"^[\w-]+", text, re.M)) for name, text in lines.items()}


def test_the_extra_brings_what_the_examples_import():
    packages = requirements()
    brought = packages[""] | packages["examples"]
    for name in NAMES:
        text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
        assert imported(text) <= brought, name
        # What a function of ours imports for it; the script says which extra that is.
        for extra in named_extras(text):
            assert packages[extra] <= brought, (name, extra)
    assert packages["examples"] <= packages["docs"]  # the build runs the gallery
    assert imported("import sklearn.svm, os\nfrom polars import col") == {"scikit-learn", "polars"}
    assert "polars" not in brought


TIME = re.compile(
    r"Run ``python examples/(\w+)\.py`` "
    r"\((?:some )?(?:seconds|(?:two|five|ten|twenty|thirty) seconds|a minute|two minutes)"
    r"(?: on one core)?\)"
)


def is_split(text):
    """Whether a block of text follows the code that opens a figure: its page shows a part of it."""
    return re.search(r"(?:open_axes|open_row|plt\.figure|plt\.subplots)\([^\0]*\n# %%", text)


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_drawn_in_one_block(name):
    assert not is_split((EXAMPLES / f"{name}.py").read_text(encoding="utf-8"))


def test_a_figure_in_two_blocks_is_seen():
    assert is_split("# %%\n# Text.\nax = open_axes()\n\n# %%\n# More.\nax.plot(x, y)\n")
    assert not is_split("# %%\n# Text.\nx = 1\n\n# %%\n# More.\nax = open_axes()\n")


@pytest.mark.parametrize("name", NAMES)
def test_an_example_says_how_long_it_takes(name):
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    said = TIME.findall(ast.get_docstring(ast.parse(text)))
    assert said == [name]


def test_an_example_that_takes_longer_or_says_nothing_is_seen():
    said = "Run ``python examples/readouts.py``"
    assert TIME.search(f"{said} (ten seconds).")
    assert not TIME.search(f"{said}.") and not TIME.search(f"{said} (five minutes).")
