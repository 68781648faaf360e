"""The packings that are better than the table's: each is, in 50 digits."""

import csv
from pathlib import Path

import mpmath as mp
import pytest

from numerics.packings.packing import Packing
from theory.bounds.packing_bounds import bounds

ROOT = Path(__file__).parents[2]
FINDS = sorted((ROOT / "studies" / "packings" / "finds").glob("*.npz"))


def coherence(vectors):
    with mp.workdps(50):
        rows = [[mp.mpf(float(x)) for x in row] for row in vectors]
        lengths = [mp.sqrt(mp.fdot(u, u)) for u in rows]
        n = len(rows)
        return max(
            abs(mp.fdot(rows[i], rows[j])) / lengths[i] / lengths[j]
            for i in range(n)
            for j in range(i)
        )


def known(n, m):
    with (ROOT / "tests" / "data" / "real_lines.csv").open() as file:
        return {(int(r["n"]), int(r["m"])): r["coherence"] for r in csv.DictReader(file)}[n, m]


def test_there_are_some():
    assert FINDS


@pytest.mark.parametrize("path", FINDS, ids=lambda path: path.stem)
def test_better_than_the_table_and_not_than_the_bounds(path):
    find = Packing.load(path)
    value = coherence(find.vectors)
    assert value < mp.mpf(known(find.n, find.m)) - mp.mpf("1e-10")
    assert value > bounds(find.n, find.m).best.value
    assert float(value) == pytest.approx(find.coherence, abs=1e-15)
