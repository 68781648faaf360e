"""Complex lines: search against exact frames and the best known, bounds, the table's format."""

import csv
from pathlib import Path

import numpy as np
import pytest

from numerics.packings.complex_lines.complex_packing import ComplexPacking, complex_bounds
from numerics.packings.complex_lines.search import _descend, _symmetric, pack_complex, solve_minimax

with (Path(__file__).parents[3] / "data" / "complex_lines.csv").open() as file:
    BEST_KNOWN = list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("n", "d", "coherence"),
    [
        (4, 2, 3**-0.5),  # d² equiangular lines (SIC)
        (9, 3, 0.5),
        (6, 2, 2**-0.5),  # unbiased bases
        (7, 3, 2**0.5 / 3),  # the difference set of the Fano plane
        (7, 4, 2**-1.5),
        (5, 4, 0.25),  # a simplex
        (3, 4, 0.0),  # orthogonal
    ],
)
def test_exact_frames_are_found(n, d, coherence):
    found = pack_complex(n, d, starts=40)
    assert found.coherence == pytest.approx(coherence, abs=1e-8)
    assert found.gap == pytest.approx(0, abs=1e-8)


def test_a_cell_without_a_closed_form():
    """Five lines in C^3, conjectured optimal by Jasper, King and Mixon (2019)."""
    a = (13**0.5 + (2 + 13**0.5) ** 0.5 - 1) / (3 * 3**0.5)
    b, c, w = ((1 - a * a) / 2) ** 0.5, 3**-0.5, np.exp(2j * np.pi / 3)
    known = np.array([[a, b, b], [b, a, b], [b, b, a], [c, c * w, c * w**2], [c, c * w**2, c * w]])
    exact = ComplexPacking(known, "exact").coherence
    assert exact == pytest.approx(0.43425855, abs=1e-8)
    assert pack_complex(5, 3, starts=20).coherence == pytest.approx(exact, abs=1e-9)


def test_bounds_against_the_table_and_the_best_known():
    for row in BEST_KNOWN:
        n, d = int(row["n"]), int(row["d"])
        best = complex_bounds(n, d)[0]
        assert best.value < float(row["coherence"]) + 1e-8
        if d > 2 or n < 8:  # the table has a further bound for many lines in C²
            assert best.value == pytest.approx(float(row["bound"]), abs=1e-8)
        else:
            assert best.value < float(row["bound"])
    names = {bound.name for bound in complex_bounds(13, 3)}
    assert names == {"welch", "bukh_cox", "orthoplex", "levenshtein"}
    assert complex_bounds(3, 4)[0].value == 0


def test_the_solver_keeps_unit_vectors_and_does_not_worsen():
    rng = np.random.default_rng(3)
    U = rng.standard_normal((6, 3)) + 1j * rng.standard_normal((6, 3))
    U = _descend(U, 5.0, 300)
    V = solve_minimax(U)
    assert np.linalg.norm(V, axis=1) == pytest.approx(np.ones(6))
    before, after = (ComplexPacking(X, "").coherence for X in (U, V))
    assert before > after + 1e-8 and after == pytest.approx(5**-0.5, abs=1e-10)


def test_symmetric_starts_have_a_symmetry():
    """The matrix of |t| has many equal entries; that of random lines has none."""
    U = _symmetric(12, 3, np.random.default_rng(1))
    values = np.round(ComplexPacking(U, "").overlaps, 9)
    assert U.shape == (12, 3) and len(set(values)) < 50 < 66


def test_text_of_the_table_and_back():
    found = pack_complex(5, 3, starts=1)
    text = found.to_text()
    lines = text.splitlines()
    assert len(lines) == 30 and float(lines[3]) == found.vectors[1, 0].real
    assert float(lines[15]) == found.vectors[0, 0].imag
    again = ComplexPacking.from_text(text, 3)
    assert np.array_equal(again.vectors, found.vectors)
    with pytest.raises(ValueError, match="text of 29 numbers is no list of vectors"):
        ComplexPacking.from_text("\n".join(lines[1:]), 3)
    low, high = found.enclosure
    assert 0 <= high - low < 1e-25  # low + 1e-25 would be rounded to 16 digits
    assert float(high) == pytest.approx(found.coherence, abs=1e-14)


def test_bad_arguments():
    with pytest.raises(ValueError, match="n = 1"):
        pack_complex(1, 2)
    with pytest.raises(ValueError, match="seconds"):
        pack_complex(4, 2, seconds=-1)
    with pytest.raises(ValueError, match="no packing"):
        ComplexPacking(np.zeros(3), "")
