"""Tables in narrow terminals, other encodings, and a stdout that nobody reads."""

import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from superscale.commands import output
from superscale.commands.app import COMMANDS, run
from superscale.commands.terminal import lay_out

NUMBER = re.compile(r"-?\d+\.\d+(?:e[+-]?\d+)?")
WIDTHS = (60, 80, 120)


@pytest.fixture
def shown(tmp_path):
    """Return commands that print wide tables, quickly."""
    counts = np.random.default_rng(0).poisson(2e5 / (np.arange(1, 401) + 2.0) ** 1.1)
    (tmp_path / "counts.csv").write_text("".join(f"w{k},{c}\n" for k, c in enumerate(counts)))
    m = [8, 16, 32, 64, 128, 256]
    rows = "".join(f"{k},{0.2 + 3 * k**-0.9 * (1 + 0.01 * (-1) ** k)}\n" for k in m)
    (tmp_path / "losses.csv").write_text("m,loss\n" + rows)
    np.save(tmp_path / "W.npy", np.random.default_rng(0).standard_normal((60, 6)))
    return {
        "predict": [
            "predict",
            "--n",
            "100",
            "--m",
            "5,10",
            "--theory",
            "weak,equiangular,asymptotic",
        ],
        "theories": ["theories"],
        "published": ["compare", "--reference", "fig7-width"],
        "explain": ["predict", "--explain", "weak"],
        "compare": ["compare", "--reference", "fig1-weak", "--csv"],
        "zipf": ["zipf", str(tmp_path / "counts.csv"), "--last", "100", "--m", "10,40"],
        "fit": ["fit", str(tmp_path / "losses.csv"), "--forecast", "512"],
        "overlaps": ["overlaps", str(tmp_path / "W.npy")],
        "bounds": ["bounds", "--n", "28", "--m", "7"],
        "reproduce": ["reproduce", "fig4", "-o", str(tmp_path / "fig4.csv")],
    }


@pytest.mark.parametrize("width", WIDTHS)
def test_no_number_is_cut_at_any_width(width):
    rng = np.random.default_rng(width)
    for columns in (1, 3, 7, 15):
        heads = [f"column {'x' * int(rng.integers(1, 20))} {k}" for k in range(columns)]
        rows = [
            [str(k), *(f"{x:.8g} ± {abs(x):.2g}" for x in rng.standard_cauchy(columns - 1))]
            for k in range(4)
        ]
        lines = lay_out(heads, rows, width)
        assert all(len(line) <= width for line in lines)
        blocks = "\n".join(lines).split("\n\n")
        assert all(cell in "\n".join(lines) for row in rows for cell in row)
        for block in blocks:  # each with the first column, and all rows
            assert [line.split()[0] for line in block.splitlines()[-4:]] == ["0", "1", "2", "3"]
        assert len(blocks) > 1 or columns < 7
    assert len(lay_out(heads, rows, 10_000)) <= 4 + 1 + 3  # one table where it fits


def test_text_is_wrapped_and_numbers_are_not():
    text = "a model that keeps the most frequent features and loses all others"
    lines = lay_out(["name", "what", "value"], [["weak", text, "0.12345678 ± 0.0012"]], 60)
    assert "0.12345678 ± 0.0012" in "\n".join(lines) and max(map(len, lines)) <= 60
    assert all(word in " ".join(lines) for word in text.split())
    path = "/" + "x" * 150
    assert max(len(line) for line in lay_out(["model", "m"], [[path, "12"]], 60)) <= 60
    assert lay_out(["m"], [], 60) == ["m", "─"]
    # Wide characters take two columns.
    assert {len(x) for x in lay_out(["t", "n"], [["日本", "1"], ["abcd", "2"]], 60)[2:]} == {5, 7}


def test_first_columns_are_repeated_as_far_as_they_fit():
    heads, rows = ["curve", "m", *"abcdefgh"], [["weak", "8", *["0.123456789"] * 8]]
    blocks = "\n".join(lay_out(heads, rows, 60, lead=2)).split("\n\n")
    assert len(blocks) == 2 and all(b.splitlines()[-1].split()[:2] == ["weak", "8"] for b in blocks)
    rows = [["a" * 28, "b" * 20, *["0.123456789"] * 8]]
    blocks = "\n".join(lay_out(heads, rows, 60, lead=2)).split("\n\n")
    assert sum("b" * 20 in block for block in blocks) == 1
    assert all("a" * 28 in block for block in blocks)


def test_every_command_shows_its_numbers_at_every_width(call, shown, monkeypatch):
    del shown["explain"], shown["compare"]
    for name, arguments in shown.items():
        monkeypatch.setattr(output, "line_width", lambda: 10_000)
        code, wide, _ = call(*arguments)
        assert code == 0
        expected = set(NUMBER.findall(wide))
        assert expected or name == "theories"
        for width in WIDTHS:
            monkeypatch.setattr(output, "line_width", lambda width=width: width)
            code, out, _ = call(*arguments)
            assert code == 0 and set(NUMBER.findall(out)) == expected, (name, width)
            assert all("…" not in line for line in out.splitlines() if "…" not in wide), name
            if name in ("predict", "theories", "published", "overlaps", "bounds"):
                assert max(map(len, out.splitlines())) <= max(width, 100)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "cp437", "utf-8"])
def test_every_command_prints_in_every_encoding(shown, monkeypatch, encoding):
    from rich.cells import cell_len  # loaded before stdout is replaced

    assert cell_len("a") == 1
    for name, arguments in shown.items():
        stdout = io.TextIOWrapper(io.BytesIO(), encoding)
        monkeypatch.setattr(sys, "stdout", stdout)
        assert run(arguments) == 0, name
        text = stdout.buffer.getvalue().decode("utf-8" if "--csv" in arguments else encoding)
        assert len(text.strip()) > 100 or name == "reproduce"
        if name == "zipf":
            sign = "+-" if encoding == "ascii" else "±"
            assert re.search(rf"\d {re.escape(sign)} 0\.\d", text)


def test_without_arguments_there_is_a_line_for_each_command(call):
    code, out, err = call()
    assert code == 0 and err == ""
    lines = out.splitlines()
    for command in COMMANDS:
        assert sum(line.split()[:1] == [command.__name__.replace("_", "-")] for line in lines) == 1
    assert "..." not in out.partition("Commands:")[2]  # no line is cut


def test_json_or_csv(call):
    for options in (["--json", "--csv"], ["--csv", "--json"]):
        code, out, err = call("bounds", "--n", 28, "--m", 7, *options)
        assert code == 2 and out == "" and "--json and --csv do not go together" in err


@pytest.mark.parametrize("columns", [40, 200])  # more or less than stdout's buffer holds
def test_a_stdout_that_takes_nothing(columns):
    python = f"COLUMNS={columns} PYTHONIOENCODING=ascii {sys.executable} -m superscale"
    full = Path("/dev/full").exists()
    script = f"{python} >&- ; echo $? >&2; {python} | true; echo $? >&2;"
    script += f" {python} > /dev/full; echo $? >&2" if full else ""
    found = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    lines = found.stderr.splitlines()
    assert lines[:2] == ["0", "0"]
    if full:
        assert len(lines) == 4 and "No space left on device" in lines[2] and lines[3] == "2"
