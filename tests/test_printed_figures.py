"""Printed figures are those of the command or the stored file that their page names."""

import importlib.util
import io
import runpy
import shlex
import sys
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("check_figures", ROOT / "docs" / "check_figures.py")
figures = importlib.util.module_from_spec(SPEC)
sys.modules["check_figures"] = figures  # dataclasses look their module up
SPEC.loader.exec_module(figures)


@cache
def run(command):
    """Run a script in this process, where everything is imported; another command in its own."""
    name, *words = shlex.split(command)
    if name != "python" or not words[0].startswith(("examples/", "studies/")):
        return figures.run_command(command)
    shown = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(shown):
        patch.setattr(sys, "argv", words)
        patch.chdir(figures.copied_tree())
        patch.setenv("MPLBACKEND", "Agg")
        runpy.run_path(words[0], run_name="__main__")
    plt.close("all")
    return shown.getvalue()


PAGES = list(figures.pages())


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_figures_of_a_page(page):
    assert not list(figures.check_page(page, run, slow=False))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_figures_of_slow_commands(page):
    assert not list(figures.check_page(page, run))


OUTPUT = """\
alpha = 0.9101 ± 0.0594
n = 100, m = 10: loss 0.07692, trained 0.1341
n = 100, m = 20: loss 0.0111, trained 0.02859
ratio 0.557, 12.704 times, error -0.044, 1.1e-3, 20000 steps
"""


def faults(tmp_path, text, says="python x.py"):
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n\n<!-- figures: {says} -->\n\n{text}\n\n<!-- end figures -->\n")
    return list(figures.check_page(page, lambda command: OUTPUT))


RIGHT = [
    "α = 0.910 ± 0.06, at 20 000 steps 12.7 times",
    "an error of −4.4 %, 56 %, or 1.1 × 10⁻³, 1.1e-03, 1.1·10⁻³; falls as m^−0.91, about 0.91–0.06",
    "`--m 77`, [x](y77.md), Figure 7b, arXiv 2505.1, 4/3, W2, a 60-cell\n\n```python\nx = 77\n```",
    "| n | m | loss |\n|---|---|---|\n| 100 | 10 | 0.0769 |\n| 100 | 20 | 0.0111 |",
    "```text\nalpha = 0.9101 ± 0.0594\n```",
]
WRONG = [
    "α = 0.911",
    "12.8 times",
    "an error of +4.4 %",
    "1.2e-03",
    "21 000 steps",
    "| n | m | loss |\n|---|---|---|\n| 100 | 20 | 0.0769 |",  # each occurs, but not together
    "| n | m | loss |\n|---|---|---|\n| 100 | 10 | 0.0768 |",
    "```text\nalpha = 0.9102\n```",
]


@pytest.mark.parametrize("text", RIGHT)
def test_right_figures_pass(tmp_path, text):
    assert not faults(tmp_path, text)


@pytest.mark.parametrize("text", WRONG)
def test_wrong_figures_are_found(tmp_path, text):
    assert len(faults(tmp_path, text)) == 1


def test_what_a_mark_can_say(tmp_path):
    assert not faults(tmp_path, "2048 rows: 0.911", "python x.py; given 2048, 0.911")
    assert not faults(tmp_path, "1.21 times", "python x.py; derived 1.21 = 0.1341 / 0.0111 / 10")
    assert (
        "is 1.2081"
        in faults(tmp_path, "1.22 times", "python x.py; derived 1.22 = 0.1341 / 0.0111 / 10")[0]
    )
    assert (
        "0.1342"
        in faults(tmp_path, "1.21 times", "python x.py; derived 1.21 = 0.1342 / 0.0111 / 10")[0]
    )
    assert not faults(tmp_path, "an error of 0.044 or −0.557", "python x.py; unsigned")
    table = "| m | n = 100 |\n|---|---|\n| 10 | 0.0769 |\n| 20 | 0.0111 |"
    assert not faults(tmp_path, table, "python x.py; pivot")
    assert len(faults(tmp_path, table.replace("| 20 |", "| 10 |"), "python x.py; pivot")) == 1
    mixed = "| n | m | loss |\n|---|---|---|\n| 100 | 20 | 0.0769 |"
    assert not faults(tmp_path, mixed, "python x.py; anywhere")
    assert not faults(tmp_path, "0.123", "cited arXiv 2505.10465")
    for says in ("given 3", "no/such.json", "python x.py; guessed"):
        with pytest.raises(ValueError, match=r"page\.md:3"):
            faults(tmp_path, "0.1", says)


def test_stored_files(tmp_path):
    says = "studies/mean_field/against_training.json#cells"
    row = "| n | m | trained | error |\n|---|---|---|---|\n| 300 | {} | 0.3791 | −4.4 % |"
    assert not faults(tmp_path, row.format(4), says)
    assert len(faults(tmp_path, row.format(6), says)) == 1
    assert not faults(tmp_path, "42 cells", says)
    assert not faults(tmp_path, "α = 2 at m = 41", "studies/mean_field/cells.csv")


def test_figures_without_a_mark_are_found(tmp_path):
    page = tmp_path / "page.md"
    plain = "n = 1000, α = 1.5 and 2.5, m = 10 to 100, γ = −0.556; p/2; Python 3.11; 16 examples\n"
    page.write_text(plain + "\n| a | 10 |\n|---|---|\n| `0.5` | 20 |\n")
    assert not list(figures.check_page(page))
    for text in ("an exponent of 1.45", "75 % of them", "63 times faster", "| a |\n|---|\n| 0.1 |"):
        page.write_text(f"{plain}\n{text}\n")
        assert len(list(figures.check_page(page))) == 1, text


def test_a_source_that_has_every_number_is_refused(tmp_path):
    page = tmp_path / "page.md"
    values = ", ".join(f"0.{k}0" for k in range(1, 10))
    page.write_text(f"<!-- figures: python x.py -->\n{values}\n<!-- end figures -->\n")
    everything = "\n".join(f"{k / 100}" for k in range(1000))
    assert "wrong decimals would pass" in next(figures.check_page(page, lambda _: everything))
    assert not list(figures.check_page(page, lambda _: values))


def test_a_command_that_fails_is_seen():
    with pytest.raises(RuntimeError, match="no_such"):
        figures.run_command("python no_such.py")
