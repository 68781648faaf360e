"""Tokens counted in text: whatever the tokenizer's file says, however long the text."""

import csv
import doctest
import inspect
import io
import os
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import empirical.counts.tokens
from empirical.counts.table import read_counts
from empirical.counts.token_counts import TokenCounts
from empirical.counts.tokens import count_tokens

tk = pytest.importorskip(
    "tokenizers", reason="needs tokenizers: pip install 'superscale[tokenizers]'"
)

LINES = ["the cat sat on the mat", "the dog and the cat", "  an ox, a “fox” – naïve", "cats\tsat"]


def words():
    vocabulary = {"?": 0, "the": 1, "cat": 2, "dog": 3, "of": 5}
    tokenizer = tk.Tokenizer(tk.models.WordLevel(vocabulary, unk_token="?"))
    tokenizer.pre_tokenizer = tk.pre_tokenizers.Whitespace()
    return tokenizer


def byte_pairs():
    tokenizer = tk.Tokenizer(tk.models.BPE())
    tokenizer.pre_tokenizer = tk.pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = tk.pre_tokenizers.ByteLevel.alphabet()
    trainer = tk.trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<s>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(LINES * 3, trainer)
    tokenizer.post_processor = tk.processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
    )
    return tokenizer


def test_counts_by_id_over_the_whole_vocabulary(tmp_path):
    words().save(str(tmp_path / "tokenizer.json"))
    text = ["the cat and the dog", "The cat", ""]
    for source in (words(), tmp_path, tmp_path / "tokenizer.json", str(tmp_path)):
        found = count_tokens(text, source)
        assert found.counts.tolist() == [2, 2, 2, 1, 0, 0]
        assert found.tokens == ("?", "the", "cat", "dog", "", "of")  # no token has id 4
        assert (found.n, found.total, found.seen) == (6, 7, 4)
    assert found.most_common(2) == [("?", 2), ("the", 2)]
    assert "7 tokens of text, 4 of 6" in str(found)
    with pytest.raises(ValueError):
        found.counts[0] = 1


def test_what_the_file_adds_cuts_and_drops_is_switched_off(tmp_path):
    plain = count_tokens(LINES, byte_pairs()).counts
    odd = byte_pairs()
    odd.enable_truncation(3)
    odd.enable_padding(length=64, pad_token="<s>")
    odd.model.dropout = 0.9
    path = tmp_path / "tokenizer.json"
    odd.save(str(path))
    for source in (path, odd):
        found = count_tokens(LINES, source)
        assert np.array_equal(found.counts, plain)
        assert found.counts[odd.token_to_id("<s>")] == 0
    # The caller's own tokenizer is left as it was.
    assert odd.truncation["max_length"] == 3 and odd.padding["length"] == 64
    # Negative control: used as it is, it would have counted other things.
    ids = [i for line in LINES for i in odd.encode(line).ids]
    assert not np.array_equal(np.bincount(ids, minlength=plain.size), plain)
    # A special token that is spelt out in the text counts.
    spelt = count_tokens("<s> the", path)
    assert spelt.counts[odd.token_to_id("<s>")] == 1


def test_strings_files_and_generators_are_the_same(tmp_path):
    text = "\n".join(LINES * 50) + "\r\n"
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode())
    marked = tmp_path / "marked.txt"
    marked.write_bytes(b"\xef\xbb\xbf" + text.encode())
    encoder = byte_pairs()
    ids = encoder.encode(text, add_special_tokens=False).ids
    expected = np.bincount(ids, minlength=encoder.get_vocab_size())
    for source in (text, [text], path, [path], (t for t in [text]), marked):
        assert np.array_equal(count_tokens(source, encoder).counts, expected)
    both = count_tokens(iter([path, text]), encoder)
    assert np.array_equal(both.counts, 2 * expected) and len(both.blocks) == 2


def test_long_text_is_cut_where_a_tokenizer_hardly_notices(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    parts = rng.choice(["the", " cat", " dog", "\n", "\n\n", " ", "naïve “fox”", "\t"], 30_000)
    text = "".join(parts)
    path = tmp_path / "long.txt"
    path.write_text(text, encoding="utf-8", newline="")
    # A tokenizer whose words end at white space does not notice at all, wherever bytes are cut.
    whole = np.bincount(words().encode(text).ids, minlength=6)
    monkeypatch.setattr(empirical.counts.tokens, "_PIECE", 1000)
    for source in (text, path):
        assert np.array_equal(count_tokens(source, words()).counts, whole)
    encoder = byte_pairs()
    ids = encoder.encode(text, add_special_tokens=False).ids
    difference = count_tokens(path, encoder).counts
    difference = difference - np.bincount(ids, minlength=difference.size)
    pieces = len(text) / 500
    assert np.abs(difference).sum() <= 3 * pieces
    assert np.abs(difference).sum() < 0.01 * len(ids)
    # No white space at all: cut at the limit, nothing lost.
    nothing = "x" * 10_500
    assert [len(p) for p in empirical.counts.tokens._pieces(nothing)] == [1000] * 10 + [500]
    assert (
        "".join(empirical.counts.tokens._pieces(text))
        == "".join(empirical.counts.tokens._pieces(path))
        == text
    )
    assert max(map(len, empirical.counts.tokens._pieces(path))) <= 1000


def test_memory_does_not_grow_with_the_text(tmp_path):
    path = tmp_path / "long.txt"
    path.write_text("the cat of the dog\n" * 200_000)  # 3.8 MB

    def lines():
        for _ in range(20_000):
            yield "the cat of the dog " * 10

    for source in (path, lines()):
        tracemalloc.start()
        found = count_tokens(source, words())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found.total == 1_000_000
        assert peak < 3e6, peak


def test_blocks_are_stretches_of_much_the_same_length():
    texts = [f"{'the ' * (k % 7 + 1)}{'cat ' * (k > 500)}" for k in range(1000)]
    found = count_tokens(texts, words())
    assert np.array_equal(found.blocks.sum(axis=0), found.counts)
    assert 16 <= len(found.blocks) <= 32
    sizes = found.blocks.sum(axis=1)[:-1]  # the last one holds what is left
    assert sizes.max() < 2.5 * sizes.min()
    # Consecutive: cats come in the second half alone.
    assert (np.diff(np.sign(found.blocks[:, 2])) >= 0).all()
    few = count_tokens(texts[:5], words())
    assert few.blocks.sum(axis=1).tolist() == [1, 2, 3, 4, 5]


NASTY = (
    '"',
    ",",
    "\n",
    "\r",
    "\u2028",
    "\x85",
    "nan",
    "1984",
    " ",
    "",
    "a;b",
    "\t",
    "\x0b",
    "é",
    "'",
)


@pytest.mark.parametrize("blocks", [False, True])
def test_tables_come_back_whole(tmp_path, blocks):
    counts = np.arange(len(NASTY))
    parts = np.stack([counts // 2, counts - counts // 2])
    path = tmp_path / "counts.csv"
    TokenCounts(counts, NASTY, parts).save(path, blocks=blocks)
    back = TokenCounts.load(path)
    assert back.tokens == NASTY and np.array_equal(back.counts, counts)
    assert np.array_equal(back.blocks, parts) if blocks else back.blocks.shape == (0, len(NASTY))
    assert np.array_equal(read_counts(path, column="count"), counts)
    with path.open(newline="", encoding="utf-8") as file:
        assert next(csv.reader(file))[:3] == ["id", "token", "count"]
    assert list(back.to_dataframe().columns) == ["id", "token", "count"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no id,token,count"),
        ("word,count\nthe,3\n", "no id,token,count"),
        ("id,token,count\n", "no id,token,count"),
        ("id,token,count\n0,the,many\n", "row 2"),
        ("id,token,count\n0,the,3\n2,of,1\n", "row 3"),
        ("id,token,count\n0,the,-3\n", "row 2"),
        ("id,token,count\n0,the\n", "row 2"),
        ("id,token,count,block_1\n0,the,3,2\n", "blocks do not sum"),
    ],
)
def test_bad_tables(tmp_path, text, message):
    path = tmp_path / "counts.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        TokenCounts.load(path)
    with pytest.raises(ValueError, match="does not exist|is a directory"):
        TokenCounts.load(tmp_path)


def test_bad_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("the cat")
    bad = Path("latin.txt")
    bad.write_bytes(b"caf\xe9 the cat")
    for texts, message in [
        ("text.txt", "is the name of a file"),
        (["the", "text.txt"], "is the name of a file"),
        (Path("no.txt"), "no.txt does not exist"),
        (tmp_path, "is a directory"),
        (bad, "latin.txt is not UTF-8 text near byte 3"),
        ("", "no tokens"),
        ([], "no tokens"),
    ]:
        with pytest.raises(ValueError, match=message):
            count_tokens(texts, words())
    # A word that happens to be the name of no file, or of a file without an ending, is text.
    Path("cat").write_text("dog")
    assert count_tokens("cat", words()).counts.tolist() == [0, 0, 1, 0, 0, 0]
    for texts in (b"the", 3, [3], [b"the"], None):
        with pytest.raises(TypeError, match="give (a string|str)"):
            count_tokens(texts, words())


def test_bad_tokenizers(tmp_path, monkeypatch):
    path = tmp_path / "tokenizer.json"
    with pytest.raises(ValueError, match="does not exist: give a tokenizer.json"):
        count_tokens("the", path)
    path.write_text('{"model": 3}')
    with pytest.raises(ValueError, match="is not a tokenizer.json"):
        count_tokens("the", path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="is not a tokenizer.json"):
        count_tokens("the", path)
    with pytest.raises(TypeError, match="tokenizer is a int"):
        count_tokens("the", 3)
    with pytest.raises(ValueError, match="empty vocabulary"):
        count_tokens("the", tk.Tokenizer(tk.models.BPE()))
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"pip install \"superscale\[tokenizers\]\""):
        count_tokens("the", path)


def test_progress_and_plot(tmp_path):
    told = []
    found = count_tokens(["the cat"] * 3, words(), progress=lambda *both: told.append(both))
    assert told == [(21, 0)]
    path = tmp_path / "text.txt"
    path.write_text("naïve " * 10, encoding="utf-8")
    count_tokens([path, path], words(), progress=lambda *both: told.append(both))
    assert told[-1] == (140, 140)
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert found.plot(ax) is ax
    assert ax.get_lines()[0].get_ydata().tolist() == [3, 3]


def test_the_example_of_the_docstring():
    """It is skipped where docstrings run, for want of the package."""
    text = inspect.getdoc(count_tokens).replace("  # doctest: +SKIP", "")
    example = doctest.DocTestParser().get_doctest(
        text, {"count_tokens": count_tokens}, "count_tokens", None, 0
    )
    shown = io.StringIO()
    result = doctest.DocTestRunner().run(example, out=shown.write)
    assert result.attempted == 5 and result.failed == 0, shown.getvalue()


def test_a_pipe_is_read(tmp_path):
    counts = TokenCounts(np.array([3, 1]), ("the", "of"), np.array([[2, 1], [1, 0]]))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=[counts.to_csv(blocks=True)])
    writer.start()
    found = TokenCounts.load(pipe)
    writer.join()
    assert found.tokens == counts.tokens and np.array_equal(found.blocks, counts.blocks)
