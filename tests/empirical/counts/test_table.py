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
        ("w,count\na,5\nb\nc,2\n", "line 3: '' is not a finite number"),
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
