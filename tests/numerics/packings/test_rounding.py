"""Enclosures of coherences: they hold the exact value, and are narrow."""

import mpmath as mp
import numpy as np
import pytest

from numerics.packings.rounding import coherence_enclosure


def test_whole_numbers_of_any_length():
    vectors = np.array([[1.0, 0, 0], [2, 2, 0], [0, 3, 3], [1, 1, 1]])
    low, high = coherence_enclosure(vectors, digits=40)
    with mp.workdps(50):
        exact = mp.sqrt(mp.mpf(2) / 3)  # (1, 1, 0) and (1, 1, 1)
        assert low <= exact <= high and high - low < mp.mpf(10) ** -38
        # Negative control: not the coherence of the first three.
        assert not low <= mp.mpf(2) ** -0.5 <= high


def test_against_floats_real_and_complex():
    rng = np.random.default_rng(0)
    for vectors in (rng.standard_normal((8, 3)),
                    rng.standard_normal((8, 3)) + 1j * rng.standard_normal((8, 3))):  # fmt: skip
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        t = np.abs(unit @ unit.conj().T) - np.eye(8)
        low, high = coherence_enclosure(vectors.real, np.imag(vectors))
        assert float(low) == pytest.approx(t.max(), abs=1e-14)
        assert float(high) == pytest.approx(t.max(), abs=1e-14) and low < high


@pytest.mark.parametrize("vectors", [[[1.0, 2.0]], [[1.0, 0.0], [0.0, 0.0]], [[1.0, np.nan]] * 2])
def test_what_has_no_coherence(vectors):
    with pytest.raises(ValueError, match="have no coherence|row of zeros|NaN|nan|finite"):
        coherence_enclosure(np.array(vectors))
