"""Sums over pairs of rows from blocks of their overlaps (compiled).

``numerics.overlaps.statistics`` calls them. A block holds the overlaps t of some rows with some
columns; each kernel adds its sums to arrays of the caller.
"""

from __future__ import annotations

import numpy as np

from theory.computing.compiled import compiled

# Weighted sums: 1, |t|, d, d², d³ with d = t - c; e, e² with e = t² - c₂; then one for each
# threshold. The shifts c and c₂ are the means of t and t², so that nothing cancels.
MOMENTS = 7


@compiled(fastmath=True)
def _add_sums(t, low, high, row_weight, weights, shifts, thresholds, sums):  # type: ignore[no-untyped-def]
    """Add Σ w (1, |t|, d, d², d³, e, e², ReLU(t - h)²…) over a stretch of a row to ``sums``."""
    s0, s1, s2, s3, s4, s5, s6 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(low, high):
        x, w = np.float64(t[k]), weights[k]
        d, e = x - shifts[0], x * x - shifts[1]
        s0 += w
        s1 += w * abs(x)
        s2 += w * d
        s3 += w * d * d
        s4 += w * d * d * d
        s5 += w * e
        s6 += w * e * e
    sums[0] += row_weight * s0
    sums[1] += row_weight * s1
    sums[2] += row_weight * s2
    sums[3] += row_weight * s3
    sums[4] += row_weight * s4
    sums[5] += row_weight * s5
    sums[6] += row_weight * s6
    for h in range(thresholds.size):
        total = 0.0
        for k in range(low, high):
            over = np.float64(t[k]) - thresholds[h]
            total += weights[k] * over * over if over > 0 else 0.0
        sums[MOMENTS + h] += row_weight * total


@compiled(fastmath=True)
def _extremes(t, low, high):  # type: ignore[no-untyped-def]
    smallest, largest = t[low], t[low]
    for k in range(low, high):
        smallest = t[k] if t[k] < smallest else smallest
        largest = t[k] if t[k] > largest else largest
    return smallest, largest


@compiled()
def _place(t, low, value):  # type: ignore[no-untyped-def]
    """Return where t first has a value that it has."""
    while t[low] != value and low < t.size - 1:
        low += 1
    return low


@compiled()
def _count(t, low, high, histogram):  # type: ignore[no-untyped-def]
    half = np.float32(histogram.size / 2)
    last = histogram.size - 1
    for k in range(low, high):
        place = int((t[k] + np.float32(1)) * half)
        place = place if place > 0 else 0
        histogram[place if place < last else last] += 1


@compiled(nogil=True)
def add_rows(  # type: ignore[no-untyped-def]
    first,
    step,
    block,
    row_ids,
    column_ids,
    row_weights,
    column_weights,
    starts,
    left_out,
    shifts,
    thresholds,
    sums,
    counts,
    found,
):
    """Add rows first, first + step, … of a block to ``sums``, ``counts`` and ``found``.

    Of each row the columns from ``starts`` on count, but for the one ``left_out``. ``shifts`` are
    the means of t and t²; ``found`` are the extremes: (largest t, its row, its column, smallest t,
    its row, its column).
    """
    for r in range(first, block.shape[0], step):
        t = block[r]
        for part in range(2):
            low = left_out[r] + 1 if part else starts[r]
            high = t.size if part else left_out[r]
            if low >= high:
                continue
            _add_sums(t, low, high, row_weights[r], column_weights, shifts, thresholds, sums)
            _count(t, low, high, counts)
            smallest, largest = _extremes(t, low, high)
            if largest > found[0]:
                found[0], found[1] = largest, row_ids[r]
                found[2] = column_ids[_place(t, low, largest)]
            if smallest < found[3]:
                found[3], found[4] = smallest, row_ids[r]
                found[5] = column_ids[_place(t, low, smallest)]
