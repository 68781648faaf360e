"""superscale count and superscale zipf as a user meets them."""

import csv
import io
import json
import sys

import numpy as np
import pytest


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "words.csv"
    counts = np.random.default_rng(0).poisson(2e5 / (np.arange(1, 801) + 2.0) ** 1.1)
    rows = "".join(f"w{k},{c},{k}\n" for k, c in enumerate(counts))
    path.write_text("word,count,year\n" + rows)
    return path


@pytest.fixture
def tokenizer(tmp_path):
    tk = pytest.importorskip("tokenizers")
    vocabulary = {"?": 0} | {f"w{k}": k + 1 for k in range(200)}
    made = tk.Tokenizer(tk.models.WordLevel(vocabulary, unk_token="?"))
    made.pre_tokenizer = tk.pre_tokenizers.WhitespaceSplit()
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    weights = 1 / np.arange(1, 201)
    drawn = np.random.default_rng(1).choice(200, 80_000, p=weights / weights.sum())
    path.write_text("\n".join(f"w{k}" for k in drawn))
    return path


@pytest.mark.parametrize("command", ["count", "zipf"])
def test_help_shows_an_example(call, command):
    code, out, _ = call(command, "--help")
    assert code == 0 and f"Example: superscale {command} " in " ".join(out.split())


def test_zipf_for_people_and_machines(call, table, tmp_path):
    import superscale as ss

    options = ["--column", "count", "--last", 200, "--m", "20,100"]
    code, out, err = call("zipf", table, *options)
    assert code == 0 and err == ""
    assert "preferred: zipf_mandelbrot" in out and "least squares (comparison)" in out
    assert "m = 20" in out and "note: " in out
    found = ss.counts.compare_zipf(ss.counts.read_counts(table, "count"), (1, 200))
    code, out, _ = call("zipf", table, *options, "--json")
    record = json.loads(out)
    assert record["preferred"] == "zipf_mandelbrot" and record["settings"]["last"] == 200
    assert record["rows"][1]["q"] == found["zipf_mandelbrot"].values["q"]
    widths = ss.counts.predict_width_exponents(found, [20, 100]).to_dataframe()
    assert [row["exponent"] for row in record["width_exponents"]] == list(widths["exponent"])
    code, out, _ = call("zipf", table, *options, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 4 and float(rows[0]["alpha"]) == found["zipf"].values["alpha"]
    assert float(rows[0]["weak_exponent_m100"]) == pytest.approx(widths["exponent"][3])
    assert rows[3]["method"] == "least squares" and rows[3]["log_likelihood"] == ""
    for name in ("fig.png", "table.csv", "table.json"):
        code, _, err = call("zipf", table, *options, "--output", tmp_path / name)
        assert code == 0 and (tmp_path / name).stat().st_size > 500 and "wrote" in err


def test_count_and_then_zipf(call, text, tokenizer, tmp_path):
    import superscale as ss

    out_path = tmp_path / "counts.csv"
    arguments = ["count", text, text, "--tokenizer", tokenizer, "--blocks"]
    code, out, err = call(*arguments, "--output", out_path, "-o", tmp_path / "fig.png")
    assert code == 0 and "160000 tokens" in out and "'w0'" in out and "wrote" in err
    assert (tmp_path / "fig.png").read_bytes().startswith(b"\x89PNG")
    counts = ss.counts.read_counts(out_path, column="count")
    assert counts.size == 201 and counts.sum() == 160_000 and counts[0] == 0
    _, out, _ = call(*arguments, "--json")
    record = json.loads(out)
    assert record["total"] == sum(record["block_totals"]) == 160_000
    assert {row["id"]: row["count"] for row in record["rows"]}[1] == counts[1]
    _, out, _ = call(*arguments, "--csv")
    assert out == out_path.read_text()
    # zipf reads the blocks of that table, with --column count too.
    for more in ([], ["--column", "count"]):
        code, out, _ = call("zipf", out_path, *more, "--last", 100, "--json")
        record = json.loads(out)
        assert code == 0 and record["errors_from"] == "blocks" and record["blocks"] >= 16
        assert abs(record["rows"][0]["alpha"] - 1) < 5 * record["rows"][0]["alpha_stderr"]
    code, out, _ = call("zipf", out_path, "--last", 100)
    assert code == 0 and "errors from blocks of text" in out


def test_bad_input_is_one_line_and_exit_2(call, table, tokenizer, text, tmp_path):
    latin = tmp_path / "latin.txt"
    latin.write_bytes(b"\xe9")
    for arguments, message in [
        (["zipf", tmp_path / "no.csv"], "does not exist"),
        (["zipf", table], "2 columns of numbers"),
        (["zipf", table, "--column", "count", "--first", 0], "the first rank = 0"),
        (["zipf", table, "--column", "count", "--last", 9000], "the last rank = 9000"),
        (["zipf", table, "--column", "count", "--first", 799], "the first rank = 799"),
        (["zipf", table, "--column", "count", "--m", "10,x"], "--m 'x' is not a whole number"),
        (["zipf", table, "--column", "count", "--m", 5000], "m = 5000 is not allowed"),
        (["zipf", table, "--column", "count", "-o", tmp_path / "a.docx"], "cannot write"),
        (["zipf", tmp_path], "is a directory"),
        (["count", text], "--tokenizer"),
        (["count", tmp_path / "no.txt", "--tokenizer", tokenizer], "no.txt does not exist"),
        (["count", tmp_path, "--tokenizer", tokenizer], "is a directory"),
        (["count", latin, "--tokenizer", tokenizer], "is not UTF-8"),
        (["count", text, "--tokenizer", text], "is not a tokenizer.json"),
        (["count", text, "--tokenizer", tmp_path / "no.json"], "does not exist"),
        (["count", text, "--tokenizer", tokenizer, "-o", "/no/such/a.csv"], "cannot write"),
    ]:
        code, out, err = call(*arguments)
        assert code == 2 and out == "" and message in err, (arguments, err)
        assert err.count("\n") == 1


def test_without_the_package(call, text, tokenizer, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    code, _, err = call("count", text, "--tokenizer", tokenizer)
    assert code == 2 and 'pip install "superscale[tokenizers]"' in err


UNQUOTED = "word,count\n" + "".join(f"w{k},{round(4e6 / k**1.07):,}\n" for k in range(1, 301))


@pytest.mark.parametrize("mark", [",", " "])
def test_zipf_of_thousands(call, tmp_path, mark):
    path = tmp_path / "thousands.csv"
    path.write_text(UNQUOTED.replace(",", mark))
    options = ["--separator", mark, "--thousands", mark]
    code, out, err = call("zipf", path, "--last", 300, "--json")
    assert code == 2 and out == "" and len(err.splitlines()) == 1
    assert "--separator" in err and "--thousands" in err
    code, out, _ = call("zipf", path, "--last", 300, "--json", *options)
    record = json.loads(out)
    # The counts are those of a power law, rounded.
    assert code == 0 and record["rows"][0]["alpha"] == pytest.approx(1.07, abs=1e-3)
    assert record["settings"]["n"] == 300 and record["settings"]["thousands"] == mark


def test_every_command_that_reads_counts_is_told_how(call, tmp_path):
    """Refuse 12.345 until it is said whether these are thousands."""
    path = tmp_path / "counts.csv"
    path.write_text("word;count\nthe;12.345\nof;6.789\nto;1.234\n")
    np.save(tmp_path / "W.npy", np.eye(3))
    for arguments in (
        ["zipf", path],
        ["predict", "--m", 1, "--counts", path],
        ["compare", "--m", 1, "--counts", path],
        ["train", "--m", 1, "--counts", path],
        ["analyze", tmp_path / "W.npy", "--counts", path],
    ):
        code, out, err = call(*arguments)
        assert code == 2 and out == "" and "'12.345' can be read as" in err, err
        assert "(--decimal, --thousands)" in err and len(err.splitlines()) == 1
    options = ["--counts", path, "--separator", "semicolon"]
    frequencies = ["predict", "--m", 1, "--theory", "weak", "--json"]
    shares = []
    for more in (["--thousands", "."], ["--decimal", ","], ["--thousands", "none"]):
        code, out, _ = call(*frequencies, *options, *more)
        assert code == 0
        source = json.loads(out)["settings"]["frequencies"]
        assert source["separator"] == "semicolon"
        shares.append(json.loads(out)["rows"][0]["predicted"]["weak"])
    # The same shares, in thousands or in ones.
    assert shares == pytest.approx([shares[0]] * 3)
    for command in (
        ["predict", "--theory", "weak"],
        ["train", "--m", 1],
        ["analyze", tmp_path / "W.npy"],
    ):
        code, _, err = call(*command, "--decimal", ",")
        assert code == 2 and "--decimal goes with --counts FILE" in err
    code, _, err = call(*frequencies, "--counts", path, "--separator", "x")
    assert code == 2 and "separator = 'x' is not allowed" in err


def test_counts_go_on_to_a_padded_unembedding(call, text, tmp_path):
    import superscale as ss

    tk = pytest.importorskip("tokenizers")
    # Tokens that a table of text may trip over: marks, separators, line ends, numbers.
    odd = ['"', ",", ";", "7", "1,000", "\n", "\r", "\x85", "\u2028", "'", "=", ""]
    vocabulary = {"?": 0} | {f"w{k}": k + 1 for k in range(200)}
    vocabulary |= {token: k for k, token in enumerate(odd, len(vocabulary))}
    made = tk.Tokenizer(tk.models.WordLevel(vocabulary, unk_token="?"))
    made.pre_tokenizer = tk.pre_tokenizers.WhitespaceSplit()
    made.save(str(tmp_path / "odd.json"))
    n = len(vocabulary)
    code, _, _ = call(
        "count", text, "--tokenizer", tmp_path / "odd.json", "-o", tmp_path / "odd.csv"
    )
    assert code == 0
    W = np.random.default_rng(5).standard_normal((n, 8))
    np.save(tmp_path / "padded.npy", np.r_[W, np.zeros((11, 8))])
    counted = ["--counts", tmp_path / "odd.csv", "--json"]
    code, out, _ = call("analyze", tmp_path / "padded.npy", *counted)
    report = json.loads(out)["rows"][0]
    assert (code, report["n"], report["rows_left_out"]) == (0, n, 11)
    named = call("analyze", tmp_path / "padded.npy", *counted, "--column", "count")[1]
    assert json.loads(named)["rows"][0] == report
    counts = ss.counts.read_counts(tmp_path / "odd.csv", "count")
    right = ss.unembeddings.analyze(W, counts=counts).weighted_overlaps.results[0].mean_square
    found = report["weighted_overlaps"][0]["statistics"]["mean_square"]["value"]
    assert found == pytest.approx(right, rel=1e-12)


def test_git_lfs_pointers_are_no_text_to_count(call, text, tokenizer, tmp_path):
    pointer = tmp_path / "pointer"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\nsize 3\n")
    for arguments in (
        ["zipf", pointer],
        ["count", pointer, "--tokenizer", tokenizer],
        ["count", text, "--tokenizer", pointer],
    ):
        code, out, err = call(*arguments)
        assert (code, out) == (2, "")
        assert "pointer is a Git LFS pointer, not the file: run git lfs pull" in err
        assert len(err.splitlines()) == 1
