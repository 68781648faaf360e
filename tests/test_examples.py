"""Each example of the gallery runs to its end; one of them in a process of its own."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))


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


@pytest.mark.parametrize("name", NAMES)
def test_example(name, tmp_path, monkeypatch, capsys):
    script = EXAMPLES / f"{name}.py"
    if "import wordfreq" in script.read_text(encoding="utf-8"):
        pytest.importorskip("wordfreq", reason="pip install 'superscale[words]'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script)])
    drawn = []
    monkeypatch.setattr(plt, "show", lambda: drawn.extend(plt.get_fignums()))
    run = in_a_process if name == "derive_weak_loss" else in_this_process
    shown = run(str(script), capsys)
    assert shown.strip() or drawn
    assert not list(tmp_path.iterdir())  # an example of the gallery writes no files
    if name == "fit_language_models":
        assert_page_says(shown)
