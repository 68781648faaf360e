"""The packings that are better than the table's: each is, in 50 digits."""

import csv
import json
from fractions import Fraction
from operator import mul
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest

from numerics.packings.packing import Packing
from theory.bounds.packing_bounds import bounds

ROOT = Path(__file__).parents[2]
SCALE = 160  # every component of a find is a whole multiple of 2**-SCALE
FINDS = sorted((ROOT / "studies" / "packings" / "finds").glob("*.npz"))


def coherence(vectors):
    """Return the largest |overlap|, from exact whole numbers; only the last step is rounded."""
    whole = [[Fraction(float(x)) * 2**SCALE for x in row] for row in vectors]
    assert all(x.denominator == 1 for row in whole for x in row)
    rows = [[x.numerator for x in row] for row in whole]
    squares = [sum(x * x for x in u) for u in rows]
    largest = max(
        Fraction(sum(map(mul, u, v)) ** 2, squares[i] * squares[j])
        for i, u in enumerate(rows)
        for j, v in enumerate(rows[:i])
    )
    with mp.workdps(50):
        return mp.sqrt(mp.mpf(largest.numerator) / largest.denominator)


def known(n, m):
    with (ROOT / "tests" / "data" / "real_lines.csv").open() as file:
        return {(int(r["n"]), int(r["m"])): r["coherence"] for r in csv.DictReader(file)}[n, m]


@pytest.mark.parametrize("path", FINDS, ids=lambda path: path.stem)
def test_text_for_tables_holds_the_same_numbers(path):
    """And the enclosure that is stored holds their coherence, computed here in another way."""
    find = Packing.load(path)
    text = path.with_suffix(".txt").read_text()
    read = np.array(text.split(), dtype=float).reshape(find.n, find.m)
    assert np.array_equal(read, find.vectors)
    record = json.loads((path.parents[1] / "submission.json").read_text())
    (row,) = (row for row in record["rows"] if row["file"] == path.with_suffix(".txt").name)
    with mp.workdps(50):
        low, high = mp.mpf(row["coherence_at_least"]), mp.mpf(row["coherence_at_most"])
        assert low <= coherence(read) <= high and high - low < mp.mpf(10) ** -19
        assert 1e-10 < row["proven_gain"] < mp.mpf(known(find.n, find.m)) - low + 1e-15


def test_there_are_some():
    assert FINDS


@pytest.mark.parametrize("path", FINDS, ids=lambda path: path.stem)
def test_better_than_the_table_and_not_than_the_bounds(path):
    find = Packing.load(path)
    value = coherence(find.vectors)
    assert value < mp.mpf(known(find.n, find.m)) - mp.mpf("1e-10")
    assert value > bounds(find.n, find.m).best.value
    assert float(value) == pytest.approx(find.coherence, abs=1e-15)
