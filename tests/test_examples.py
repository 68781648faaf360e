"""Each example runs to its end, with fewer steps; one of them in a process of its own."""

import importlib.util
import re
import runpy
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
QUICK = ["--workers", "1", "--output"]
ARGUMENTS = {
    "better_training": [],
    "derive_weak_loss": [],
    "fit_language_models": [],
    "weak_superposition": ["--steps", "150", "--batch", "32", "--samples", "999", *QUICK, "a.png"],
    "word_frequencies": ["--steps", "50", "--top", "100", "--seeds", "1", *QUICK, "a"],
    "published_losses": [],
    "loss_between_bounds": ["--n", "30", "--m", "4", "--steps", "100", "--output", "a.png"],
}


def test_every_example_is_listed():
    assert sorted(ARGUMENTS) == sorted(path.stem for path in EXAMPLES.glob("*.py"))


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


def assert_readme_says(shown):
    """Compare the exponent and its intervals in README with those that the example prints."""
    readme = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    alpha = float(re.search(r"alpha = ([\d.]+) ±", shown)[1])
    assert f"α = {alpha:.3f}" in readme
    for kind in ("profile", "bootstrap over clusters"):
        low, high = map(
            float, re.search(rf"alpha ([\d.]+) … ([\d.]+) \(95%, {kind}", shown).groups()
        )
        assert f"{low:.2f} … {high:.2f}" in readme


@pytest.mark.parametrize("name", ARGUMENTS)
def test_example(name, tmp_path, monkeypatch, capsys):
    if name == "word_frequencies" and importlib.util.find_spec("wordfreq") is None:
        pytest.skip("needs wordfreq: pip install 'superscale[words]'")
    script = str(EXAMPLES / f"{name}.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [script, *ARGUMENTS[name]])
    run = in_a_process if name == "derive_weak_loss" else in_this_process
    shown = run(script, capsys)
    assert len(shown.splitlines()) > 5
    if name == "fit_language_models":
        assert_readme_says(shown)
    if "--output" in ARGUMENTS[name]:
        assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
