"""Every shell command and Python block of README, start and guides runs, in order, as it is shown.

The blocks of a page run in one temporary folder and share the names of Python. A comment on the
line before a block says otherwise: ``<!-- slow -->`` runs it with the slow tests only,
``<!-- not run: reason -->`` never. The slow tests run each page as it is shown; the others train a
few steps, and solve for fewer features of even frequencies and one width.
"""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from superscale.commands.app import run

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", *(ROOT / "docs/start").glob("*.md"), *(ROOT / "docs/guides").glob("*.md")]
)
BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>slow|not run: [^\n]*?) -->\n+)?"
    r"^```(?P<kind>shell|python)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
# What is shown, and what stands for it where a page is run quickly.
SHORTER = {
    r"\b(steps[= ])\d+": r"\g<1>20",  # of training
    r"\b(alpha[= ])1(?:\.0)?(?![\d.:,])": r"\g<1>0",  # one group of features
    r"\b(n[= ])1000\b": r"\g<1>200",
    r"( --m |\bm=\[)(\d+), ?\d[\d, ]*\d": r"\1\2",  # the first width
}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    kind: str
    text: str
    slow: bool


def blocks(text):
    """Return the blocks of a page that are to be run."""
    return [
        Block(found["kind"], found["text"], found["mark"] == "slow")
        for found in BLOCK.finditer(text)
        if not (found["mark"] or "").startswith("not run")
    ]


def shorten(text):
    """Return a block that calls the same functions with less to compute."""
    for pattern, shorter in SHORTER.items():
        text = re.sub(pattern, shorter, text)
    return text


def run_shell(text, capsys):
    """Run each line: superscale in this process, anything else in one of its own."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        assert not {"&&", "|", ";"} & set(words), f"one command a line: {line}"
        target = None
        if ">" in words:
            words, target = words[: words.index(">")], words[-1]
        if words[0] == "superscale":
            capsys.readouterr()
            code = run(words[1:])
            out, err = capsys.readouterr()
            assert code == 0 and out + err, f"{line}\n{out}{err}"
        else:
            assert words[0] in ("python", "python3"), f"the tests do not run {words[0]}"
            environment = os.environ | {"MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT)}
            shown = subprocess.run(
                [sys.executable, *words[1:]],
                capture_output=True, text=True, check=False, env=environment,
            )  # fmt: skip
            assert shown.returncode == 0, f"{line}\n{shown.stderr}"
            out = shown.stdout
        if target:
            Path(target).write_text(out, encoding="utf-8")


def run_page(text, capsys, slow):
    """Run the blocks of a page in the present folder."""
    names = {"__name__": "__main__"}
    for block in blocks(text):
        if block.slow and not slow:
            continue
        code = block.text if slow else shorten(block.text)
        try:
            if block.kind == "shell":
                run_shell(code, capsys)
            else:
                exec(compile(code, "<page>", "exec"), names)
        except Exception as error:
            error.add_note(f"in this block:\n{code}")
            raise
        finally:
            plt.close("all")


def name(path):
    return path.relative_to(ROOT).as_posix()


RUN = [path for path in PAGES if blocks(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("path", RUN, ids=name)
def test_a_page_runs(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run_page(path.read_text(encoding="utf-8"), capsys, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("path", RUN, ids=name)
def test_a_page_runs_as_it_is_shown(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run_page(path.read_text(encoding="utf-8"), capsys, slow=True)


def test_what_is_shortened():
    """Steps, numbers of features, their exponents and lists of widths; nothing else of a block."""
    assert shorten("superscale compare --n 200 --alpha 1 --m 5,10,20 --steps 2000") == (
        "superscale compare --n 200 --alpha 0 --m 5 --steps 20"
    )
    assert shorten("ss.compare(f(n=200, alpha=1.0), m=[5, 10, 20], steps=1000)") == (
        "ss.compare(f(n=200, alpha=0), m=[5], steps=20)"
    )
    for kept in ("--alpha 1.5 --m 25", "(alpha=1.75), m=[25]", "--alpha 1:2:3", "fit([8, 16])"):
        assert shorten(kept) == kept


def test_no_block_is_missed():
    """A block of another language, or one that nothing runs, is seen in review: they are few."""
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        kinds = re.findall(r"^```([\w{}-]*)[^\n]*\n.*?^```$", text, re.MULTILINE | re.DOTALL)
        assert set(kinds) <= {"shell", "python", "text", "{toctree}"}, name(path)
        assert kinds.count("shell") + kinds.count("python") == len(BLOCK.findall(text)), name(path)


def test_faults_are_seen(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert [b.slow for b in blocks("<!-- slow -->\n```shell\nx\n```\n\n```python\ny\n```\n")] == [
        True,
        False,
    ]
    assert not blocks("<!-- not run: no network -->\n```shell\nx\n```\n")
    for wrong in (
        "```shell\nsuperscale predict --m nothing\n```\n",
        "```shell\nsuperscale bounds --n 6 --m 3 && superscale predict\n```\n",
        "```shell\nrm -r x\n```\n",
        "```python\nassert False\n```\n",
    ):
        with pytest.raises(AssertionError):
            run_page(wrong, capsys, slow=False)
    run_page("```python\nx = 1\n```\ntext\n```python\nassert x == 1\n```\n", capsys, slow=False)
