import os
import threading

import pytest

from empirical.counts.table import read_counts


def write(tmp_path, text, name="counts.csv"):
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("word,count\nthe,60\nof,30\n", [60, 30]),
        ("the,60\nof,30\n", [60, 30]),
        ("count\n60\n30\n", [60, 30]),
        ("60\n30\n\n", [60, 30]),
        ("60,the\n30,of\n", [60, 30]),
        ("the\t60\n\"\t30\n'\t3\n", [60, 30, 3]),
        ("the;60\nof;30.5\n", [60, 30.5]),
        ("\ufeffword,count\r\nthe,60\r\n", [60]),
        ('"a, b",5\n"c",4\n', [5, 4]),
        ("word,count\n1984,7\nnan,6\nthe,5\nof,4\nto,3\n", [7, 6, 5, 4, 3]),
        ("word,count\nthe,0\nof,1e6\n", [0, 1e6]),
    ],
)
def test_tables(tmp_path, text, counts):
    assert read_counts(write(tmp_path, text)).tolist() == counts


def test_columns_by_name_and_number(tmp_path):
    path = write(tmp_path, "rank,word,count\n1,the,60\n2,of,30\n")
    with pytest.raises(ValueError, match="2 columns of numbers: name the one"):
        read_counts(path)
    assert read_counts(path, "count").tolist() == [60, 30]
    assert read_counts(path, 3).tolist() == read_counts(path, "3").tolist() == [60, 30]
    for bad in ("freq", 4, 0):
        with pytest.raises(ValueError, match="has no column"):
            read_counts(path, bad)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n  \n", "is empty"),
        ("word,count\n", "no column of numbers|no counts"),
        ("count\n5\n-3\n2\n", "line 3: the count -3 is negative"),
        ("count\n5\nnan\n2\n", "line 3: 'nan' is not a finite number"),
        ("count\n5\ninf\n2\n", "line 3: 'inf' is not a finite number"),
        ("w,count\na,5\nb,\nc,2\n", "line 3: '' is not a finite number"),
        ("w,count\na,5\nb\nc,2\n", "line 3 has 1 cell separated by comma, its first line 2"),
        ("5,2,1\n6\n7\n", "line 2 has 1 cell"),
        ("a\t4.000.000.50\nb\t3\nc\t2\n", "line 1: '4.000.000.50' is not a finite number"),
        ("w,count\na,5\nb,many\nc,2\n", "line 3: 'many' is not a finite number"),
        ("the\nof\n", "no column of numbers"),
        (b"\xff\xfe\x00\x01", "is not UTF-8 text"),
    ],
)
def test_bad_tables_name_the_line(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_counts(write(tmp_path, text))


def test_no_file(tmp_path):
    with pytest.raises(ValueError, match="is a directory"):
        read_counts(tmp_path)
    with pytest.raises(ValueError, match="does not exist"):
        read_counts(tmp_path / "no.csv")


LAW = [round(4e6 / k**1.07) for k in range(1, 301)]


def lines(form):
    return "".join(form(k, count) + "\n" for k, count in enumerate(LAW))


R_HEADER = "freq\tdocs\n"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("word,count\n" + lines(lambda k, c: f"w{k},{c}"), {}),
        (lines(lambda k, c: f"w{k} {c}"), {}),
        (lines(lambda k, c: f"w{k} {c:,}"), {}),
        (lines(lambda k, c: f"w{k}     {c:>12}"), {}),  # fixed columns
        (lines(lambda k, c: f"{c:7d} w{k}"), {}),  # uniq -c
        (lines(lambda k, c: f"{c:7d} the word {k} of" + " more" * (k % 3)), {}),
        (lines(lambda k, c: ('"' if k % 15 == 3 else f"w{k}") + f",{c}"), {}),
        (lines(lambda k, c: f'"w {k}, ""so""",{c}'), {}),
        (lines(lambda k, c: f'w{k},"{c:,}"'), {}),
        (lines(lambda k, c: f"w{k};{c},0"), {}),  # decimal comma
        (lines(lambda k, c: f"w{k};{c:,}".replace(",", ".")), {}),
        (lines(lambda k, c: f"w{k}\t{c:,}".replace(",", " ")), {}),
        (lines(lambda k, c: f"w{k}\t{c:,},50".replace(",", ".", 2 if c >= 10**6 else 1)), {}),
        (
            "word,count\n" + lines(lambda k, c: f"w{k},{c:,}"),
            {"separator": "comma", "thousands": ","},
        ),
        (R_HEADER + lines(lambda k, c: f"w{k}\t{c}\t{c // 7}"), {"column": "freq"}),
        (R_HEADER + lines(lambda k, c: f"{k + 1}\t{c}\t{c // 7}"), {"column": "freq"}),
        (",word,count\n" + lines(lambda k, c: f"{k},w{k},{c}"), {}),  # pandas, with its index
        (lines(lambda k, c: f"w\x1c{k}\x1d\u2028\x85\x0c,{c}"), {}),
        (lines(lambda k, c: f"w{k},{c},"), {}),
        ("word,count\n" + lines(lambda k, c: f"w{k},{c},"), {}),
        (lines(lambda k, c: ('"\n"' if k == 7 else f"w{k}") + f",{c}"), {}),
        ("times seen\n" + lines(lambda k, c: str(c)), {}),
    ],
)
def test_the_same_300_counts_in_every_form(tmp_path, text, options):
    found = read_counts(write(tmp_path, text), **options)
    assert (found // 1).tolist() == LAW


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # unquoted thousands: rows differ, or every row is one cell longer than the header
        ("word,count\n" + lines(lambda k, c: f"w{k},{c:,}"), "line 2 has 4 cells .*--thousands"),
        ("word,count\na,907,519\nb,612,000\nc,81,204\n", "line 2 has 3 cells"),
        ("a 907,519\nb 612,000\n", "--separator comma or blank"),
        ("a\t907,519\nb\t612,000\n", "'907,519' can be read as 907.519 or as 907519"),
        ("a\t9.519\nb\t6.120\n", "'9.519' can be read as 9.519 or as 9519"),
        (R_HEADER + lines(lambda k, c: f"w{k}\t{c}\t{c // 7}"), "2 columns of numbers"),
        (R_HEADER + lines(lambda k, c: f"{k + 1}\t{c}\t{c // 7}"), r"\(unnamed, freq, docs\)"),
        ("word,count\n8,2,9\n9,1,3\n", "line 2 has 3 cells"),
        ("rank,word\n" + lines(lambda k, c: f"{k + 1},w{k}"), "looks like ranks: .*--column 1"),
        ("a b\nthe last 5\nof 6\n", "line 3 has 2 cells separated by blank, its first line 3"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(ValueError, match=message) as error:
        read_counts(write(tmp_path, text))
    assert "\n" not in str(error.value)


def test_options_decide(tmp_path):
    point = write(tmp_path, "a\t9.519\nb\t6.120\n")
    assert read_counts(point, decimal=".").tolist() == [9.519, 6.12]
    assert read_counts(point, thousands=".").tolist() == [9519, 6120]
    comma = write(tmp_path, "a 907,519\nb 612,000\n")
    assert read_counts(comma, separator="blank", thousands=",").tolist() == [907519, 612000]
    assert read_counts(comma, separator=" ", decimal=",").tolist() == [907.519, 612]
    ranks = write(tmp_path, "1,the\n2,of\n3,to\n")
    assert read_counts(ranks, column=1).tolist() == [1, 2, 3]
    for options, message in (
        ({"separator": "dash"}, "separator = 'dash' is not allowed"),
        ({"decimal": ";"}, "decimal = ';' is not allowed"),
        ({"thousands": "x"}, "thousands = 'x' is not allowed"),
        ({"decimal": ",", "thousands": ","}, "are both ','"),
    ):
        with pytest.raises(ValueError, match=message):
            read_counts(point, **options)


def test_a_pipe_is_read_as_a_file(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_text("the,60\nof,30\n"))
    writer.start()
    assert read_counts(path).tolist() == [60, 30]
    writer.join()
