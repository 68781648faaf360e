"""superscale example, and that the commands of README, pages and help can be run on its files."""

import json
import re
import shlex
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import superscale as ss
from empirical.example_files import CHINCHILLA, EXAMPLES, EXPONENT, SHIFT
from superscale.commands.app import COMMANDS

ROOT = Path(__file__).parents[3]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
SHOWN = re.compile(r"(?:^ *(?:\$ )?|`{1,2}|Example: )(superscale +[a-z][^`\n|]*)", re.MULTILINE)
FILE = re.compile(r"^[^-][^*{]*\.(csv|tsv|txt|json|npy|npz|safetensors)$")
WRITES = ("--output", "-o", "--save", "--checkpoint")
# Commands that read a file and are done in seconds, with what makes them so.
QUICK = {
    "predict": ["--theory", "weak"],
    "zipf": [], "fit": ["--samples", "50"], "analyze": [], "count": [],
    "compare": ["--steps", "20", "--seeds", "1", "--theory", "weak", "--workers", "1"],
    "train": ["--steps", "20"],
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with every example."""
    made = tmp_path_factory.mktemp("examples")
    for name, one in EXAMPLES.items():
        (made / name).write_bytes(one.make())
    return made


def named_files(line):
    """Return the files that a command reads, and those that it writes."""
    read, written = [], []
    words = shlex.split(line)
    for before, word in pairwise(words):
        if FILE.match(word):
            (written if before in WRITES else read).append(word)
    return read, written


def texts():
    for path in DOCUMENTS:
        yield path.name, path.read_text(encoding="utf-8")
    for command in COMMANDS:
        yield f"{command.__name__} --help", command.__doc__
    yield "superscale example", "\n".join(f"`{one.command}`" for one in EXAMPLES.values())


def lines():
    """Return every command shown, with where, and the files that earlier ones there write."""
    found = []
    for where, text in texts():
        made = {"run.safetensors"}  # superscale example and train --help say how
        for line in SHOWN.findall(text):
            found.append((where, line, set(made)))
            made.update(named_files(line)[1])
    return found


def test_files_that_shown_commands_read_are_examples():
    found = lines()
    missing = {
        (where, line): name
        for where, line, made in found
        for name in named_files(line)[0]
        if name not in EXAMPLES and name not in made
    }
    assert not missing
    assert sum(bool(named_files(line)[0]) for _, line, _ in found) > 15
    assert named_files("superscale zipf words.csv -o a.csv") == (["words.csv"], ["a.csv"])


def quick_lines():
    shown = {line for _, line, made in lines() if named_files(line)[0]}
    return sorted(
        line
        for line in shown
        if line.split()[1] in QUICK and set(named_files(line)[0]) <= set(EXAMPLES)
    )


@pytest.mark.parametrize("line", quick_lines())
def test_shown_commands_run_on_the_examples(call, folder, tmp_path, monkeypatch, line):
    for path in folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    _, command, *words = shlex.split(line)
    if command == "count":
        pytest.importorskip("tokenizers")
    for k, (before, word) in enumerate(pairwise([command, *words])):
        if before in WRITES and word in EXAMPLES:  # not through the link
            words[k] = f"new-{word}"
    quick = [] if "--chinchilla" in words else QUICK[command]
    code, out, err = call(command, *words, *quick)
    assert code == 0 and out, err


def test_list_write_and_keep(call, tmp_path, monkeypatch):
    code, out, err = call("example")
    assert code == 0 and err == "" and all(name in out for name in EXAMPLES)
    assert [row["name"] for row in json.loads(call("example", "--json")[1])["rows"]] == [*EXAMPLES]
    help_text = " ".join(call("example", "--help")[1].split())
    assert all(name in help_text for name in EXAMPLES)
    monkeypatch.chdir(tmp_path)
    code, out, err = call("example", "counts.csv", "losses.csv")
    assert code == 0 and "wrote losses.csv" in err and "try: superscale zipf counts.csv" in out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counts.csv", "losses.csv"]
    code, out, err = call("example", "losses.csv")
    assert code == 0 and err == "" and "already" in out
    Path("losses.csv").write_text("mine")
    for arguments, message in [
        (["losses.csv", "runs.csv"], "losses.csv is there with other content"),
        (["loses.csv"], "no example 'loses.csv': there are words.csv"),
        (["losses.csv", "--all"], "--all writes losses.csv too"),
        (["--all", "--folder", "no"], "cannot write no/words.csv: the folder"),
    ]:
        code, out, err = call("example", *arguments)
        assert code == 2 and out == "" and message in err and err.count("\n") == 1
    assert Path("losses.csv").read_text() == "mine" and not Path("runs.csv").exists()
    code, out, _ = call("example", "losses.csv", "--force", "--json")
    assert json.loads(out) == {"written": ["losses.csv"], "kept": []}
    assert Path("losses.csv").read_bytes() == EXAMPLES["losses.csv"].make()


def test_counts_are_those_of_the_text(folder):
    pytest.importorskip("tokenizers")
    counted = ss.counts.count_tokens(folder / "text.txt", folder / "tokenizer.json")
    saved = ss.counts.TokenCounts.load(folder / "counts.csv")
    assert np.array_equal(counted.counts, saved.counts) and counted.tokens == saved.tokens
    assert len(saved.blocks) == 16
    words = ss.counts.read_counts(folder / "words.csv", "count")
    assert np.array_equal(words, np.sort(saved.counts)[::-1][: words.size])
    assert saved.counts.sum() == words.sum() == len((folder / "text.txt").read_text().split())


def test_the_laws_of_the_examples_are_found_again(folder):
    fit = ss.counts.compare_zipf(ss.counts.TokenCounts.load(folder / "counts.csv"))
    law = fit["zipf_mandelbrot"]
    assert fit.preferred == "zipf_mandelbrot"
    for name, value in (("alpha", EXPONENT), ("q", SHIFT)):
        assert abs(law.values[name] - value) < 4 * law.errors()[name] < 0.2 * value
    table = np.genfromtxt(folder / "runs.csv", delimiter=",", names=True)
    found = ss.scaling_laws.fit_chinchilla(table["params"], table["tokens"], table["loss"])
    for name, value in CHINCHILLA.items():
        assert abs(getattr(found, name) - value) < 4 * found.stderr[name]
    assert abs(found.alpha_N - CHINCHILLA["alpha_D"]) > 4 * found.stderr["alpha_N"]


def test_models_have_a_row_for_each_token(folder):
    n = ss.counts.TokenCounts.load(folder / "counts.csv").n
    for name, m in (("small", 32), ("model", 64), ("large", 128)):
        found = ss.unembeddings.open_unembedding(folder / f"{name}.safetensors")
        assert (found.matrix.n, found.matrix.m) == (n, m)
