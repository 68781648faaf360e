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
def _row_sums(t, weights, shifts, thresholds, sums):  # type: ignore[no-untyped-def]
    """Add Σ w (1, |t|, d, d², d³, e, e², ReLU(t - h)²…) over one row to ``sums``."""
    s0, s1, s2, s3, s4, s5, s6 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(t.size):
        x, w = np.float64(t[k]), weights[k]
        d, e = x - shifts[0], x * x - shifts[1]
        s0 += w
        s1 += w * abs(x)
        s2 += w * d
        s3 += w * d * d
        s4 += w * d * d * d
        s5 += w * e
        s6 += w * e * e
    sums[0] += s0
    sums[1] += s1
    sums[2] += s2
    sums[3] += s3
    sums[4] += s4
    sums[5] += s5
    sums[6] += s6
    for h in range(thresholds.size):
        total = 0.0
        for k in range(t.size):
            over = max(np.float64(t[k]) - thresholds[h], 0.0)
            total += weights[k] * over * over
        sums[MOMENTS + h] += total


@compiled(fastmath=True)
def _extremes(t):  # type: ignore[no-untyped-def]
    low, high = t[0], t[0]
    for k in range(t.size):
        low, high = min(low, t[k]), max(high, t[k])
    return low, high


@compiled()
def _count(t, histogram):  # type: ignore[no-untyped-def]
    half = np.float32(histogram.size / 2)
    last = histogram.size - 1
    for k in range(t.size):
        histogram[min(max(int((t[k] + np.float32(1)) * half), 0), last)] += 1


@compiled()
def _add_stretch(  # type: ignore[no-untyped-def]
    t, row_id, column_ids, row_weight, column_weights, shifts, thresholds, sums, counts, found
):
    """Add the overlaps of one row with a stretch of columns."""
    if t.size == 0:
        return
    row_sums = np.zeros(sums.size)
    _row_sums(t, column_weights, shifts, thresholds, row_sums)
    sums += row_weight * row_sums
    _count(t, counts)
    smallest, largest = _extremes(t)
    if largest > found[0]:
        found[0], found[1], found[2] = largest, row_id, column_ids[np.argmax(t)]
    if smallest < found[3]:
        found[3], found[4], found[5] = smallest, row_id, column_ids[np.argmin(t)]


@compiled(nogil=True)
def add_rows(  # type: ignore[no-untyped-def]
    first,
    step,
    block,
    row_ids,
    column_ids,
    row_weights,
    column_weights,
    upper,
    shifts,
    thresholds,
    sums,
    counts,
    found,
):
    """Add rows first, first + step, … of a block to ``sums``, ``counts`` and ``found``.

    ``upper``: rows and columns are the same set, and only pairs above the diagonal count.
    Otherwise a pair of equal identities is left out. ``shifts`` are the means of t and t²;
    ``found`` are the extremes: (largest t, its row, its column, smallest t, its row, its column).
    """
    for r in range(first, block.shape[0], step):
        start, stop, restart = 0, block.shape[1], block.shape[1]
        if upper:
            start = r + 1
        else:  # both lists are sorted: at most one column is the row itself
            place = np.searchsorted(column_ids, row_ids[r])
            if place < stop and column_ids[place] == row_ids[r]:
                stop, restart = place, place + 1
        for low, high in ((start, stop), (restart, block.shape[1])):
            _add_stretch(
                block[r, low:high],
                row_ids[r],
                column_ids[low:high],
                row_weights[r],
                column_weights[low:high],
                shifts,
                thresholds,
                sums,
                counts,
                found,
            )
