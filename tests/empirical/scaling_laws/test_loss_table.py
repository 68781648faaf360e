"""Tables of losses: separators, joined names, and one clear line for each mistake."""

import numpy as np
import pytest

from empirical.scaling_laws.loss_table import read_losses
from empirical.scaling_laws.power_law import fit_power_law


def write(path, text):
    file = path / "table.csv"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_columns_become_arguments(tmp_path, mark):
    rows = [
        "width, nats,family,data,err",
        "8,2.5,a,x,0.1",
        "",
        '16, 1.5,"a",y,0.1',
        "32,1.0,a,x,0.2",
    ]
    file = write(tmp_path, "\n".join(rows).replace(",", mark))
    found = read_losses(
        file, "width", "nats", group="family", label="family,data", cluster="data", stderr="err"
    )
    assert found["m"].tolist() == [8, 16, 32] and found["loss"].tolist() == [2.5, 1.5, 1.0]
    assert found["groups"] == ["a"] * 3 and found["clusters"] == ["x", "y", "x"]
    assert found["labels"] == ["a/x", "a/y", "a/x"]
    assert np.allclose(found["stderr"], [0.1, 0.1, 0.2]) and "weights" not in found


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_fit_takes_them(tmp_path):
    file = write(tmp_path, "m,loss\n" + "".join(f"{m},{3 / m + 0.5}\n" for m in (8, 16, 32, 64)))
    assert fit_power_law(**read_losses(file)).alpha == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "is empty"),
        ("m,loss\n", {}, "no rows"),
        ("m,loss\n8,2\n16,x\n", {}, "line 3: loss 'x' is not a finite number"),
        ("m,loss\n8,2\n\n16,inf\n", {}, "line 4: loss 'inf'"),
        ("m,loss\n8,2\n16\n", {}, "line 3 has 1 cell separated by comma, its first line 2"),
        ("m,loss\n8,2,9\n", {}, "line 2 has 3 cells"),
        ("m,loss\n8,2\n", {"x": "width"}, "no column 'width': its columns are m, loss"),
        ("m,loss,g\n8,2,\n", {"group": "g"}, "line 2: g is empty"),
        ("m,loss,m\n8,2,3\n", {}, "2 columns named 'm'"),
    ],
)
def test_refusals(tmp_path, text, options, message):
    with pytest.raises(ValueError) as error:
        read_losses(write(tmp_path, text), **options)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_files_that_are_none(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        read_losses(tmp_path / "nothing.csv")
    with pytest.raises(ValueError, match="is a directory"):
        read_losses(tmp_path)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not UTF-8"):
        read_losses(tmp_path / "binary.csv")


@pytest.mark.parametrize(
    "text",
    [
        "m;loss\n4.096;2,5\n16.384;1,25\n",  # decimal comma, thousands dot
        "m\tloss\n4,096\t2.5\n16,384\t1.250\n",
        "m loss\n4096 2.5\n16384 1.25\n",
        "m loss\n1 4096 2.5\n2 16384 1.25\n",  # R's write.table
        "m,loss\n4096,2.500\n16384,1.250\n",  # a point is a decimal point
    ],
)
def test_numbers_in_every_form(tmp_path, text):
    found = read_losses(write(tmp_path, text))
    assert found["m"].tolist() == [4096, 16384] and found["loss"].tolist() == [2.5, 1.25]


def test_numbers_that_could_be_either(tmp_path):
    file = write(tmp_path, "m;loss\n8;2,125\n16;1,250\n")
    with pytest.raises(ValueError, match="'2,125' can be read as 2.125 or as 2125"):
        read_losses(file)
    assert read_losses(file, decimal=",")["loss"].tolist() == [2.125, 1.25]
