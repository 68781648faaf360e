"""How much the rows of a matrix overlap: statistics of t = cos(angle between two rows).

``overlaps(W)`` returns all of them, beside those of random directions and the bounds;
``random_overlaps(n, m)`` samples the same statistics of random directions. Any n x m matrix
will do: an array, a memory map, float16 to float64,
``numerics.tensors.row_matrix.open_matrix(path)``. For ⟨t²⟩ alone
``numerics.overlaps.unit_rows.mean_square_overlap`` is enough.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from numerics.overlaps.pair_kernels import MOMENTS, add_rows
from numerics.overlaps.result import Overlaps
from numerics.overlaps.unit_rows import UnitRows, moments
from numerics.row_threads import in_threads, thread_count
from numerics.tensors.row_matrix import as_rows
from theory.checks import (
    MOST_REPEATS,
    as_generator,
    check_finite,
    check_integer,
    check_numbers,
    read_only,
)
from theory.computing.argument_kinds import check_kinds
from theory.computing.memory import check_memory
from theory.frequencies import Frequencies

Pairs = Literal["all", "sample", "none"]

# Rows up to which all pairs are visited by default (seconds, not minutes).
_ALL_PAIRS = 10_000

_BLOCK = 4096
# Pairs that are drawn at once.
_SAMPLES = 16384


def choose_pairs(n: int) -> Pairs:
    """Return which pairs of n rows are visited by default.

    Examples
    --------
    >>> choose_pairs(768), choose_pairs(50_257)
    ('all', 'sample')
    """
    return "all" if n <= _ALL_PAIRS else "sample"


class TooFewRowsError(ValueError):
    """Fewer than two rows are left that have a direction."""


@check_kinds
def overlaps(
    W: Any,
    *,
    transpose: bool = False,
    center: bool = False,
    remove: int = 0,
    weights: Frequencies | ArrayLike | None = None,
    rows: ArrayLike | None = None,
    against: ArrayLike | None = None,
    pairs: Pairs | None = None,
    samples: int = 2**20,
    seed: int | np.random.Generator = 0,
    thresholds: Sequence[float] = (0.0,),
    bins: int = 400,
) -> Overlaps:
    """Measure the overlaps t = u_i·u_j of the unit rows of a matrix, over pairs i ≠ j.

    Parameters
    ----------
    W : array_like or RowMatrix, shape (n, m)
        Any float type; a memory map is read block by block. float16, bfloat16 and float32 are
        computed in float32 with sums in float64, float64 in float64. Overlaps that differ by less
        than rounding (1e-6 in float32) count as equal, with skewness 0.
    transpose : bool
        Compare the columns of W instead.
    center : bool
        Subtract the mean row (of all rows that are not zero) first.
    remove : int
        Centre, and remove this many leading principal directions.
    weights : Frequencies or array_like, shape (n,), optional
        Weight of each row; a pair weighs the product of its two.
    rows, against : array_like of int, optional
        Only pairs among these rows; with ``against``, only pairs of one of ``rows`` (default all)
        and one of ``against`` (a pair that can be read both ways counts twice in the means).
    pairs : {"all", "sample", "none"}, optional
        Visit all pairs; draw ``samples`` of them, with standard errors; or only compute the mean
        and the mean square, which need no pairs. By default all up to 10 000 rows, else a sample.
    samples : int
        Pairs to draw, for pairs="sample".
    seed : int or Generator
        For pairs="sample".
    thresholds : sequence of float
        Values h of the one-sided moments ⟨ReLU(t - h)²⟩.
    bins : int
        Bins of the histogram over [-1, 1] (it counts pairs, unweighted).

    Returns
    -------
    Overlaps
        All statistics; mean and mean square are exact in every mode.

    Raises
    ------
    ValueError
        For a shape that is not n x m, entries that are not finite (in any row), weights or rows
        that do not fit, or an option out of range; as ``TooFewRowsError`` if fewer than two rows
        have a direction.

    Examples
    --------
    >>> simplex = overlaps(np.eye(4), center=True)
    >>> round(simplex.coherence, 6), round(simplex.mean, 6)
    (0.333333, -0.333333)
    """
    source = as_rows(W, transpose)
    remove = check_integer("remove", remove, 0, source.m - 1)
    bins = check_integer("bins", bins, 1, 10**6)
    levels = np.atleast_1d(check_numbers("thresholds", thresholds))
    levels = check_finite("thresholds", levels) if levels.size else np.empty(0)
    samples, rng = check_integer("samples", samples, 2), as_generator(seed)
    if pairs is None:
        pairs = choose_pairs(source.n)
    if pairs not in ("all", "sample", "none"):
        raise ValueError(f"pairs = {pairs!r} is not allowed: give 'all', 'sample' or 'none'")
    unit = UnitRows(source, center, remove)
    w = _check_weights(weights, source.n)[unit.ids]
    left = _check_rows("rows", rows, source.n, unit)
    right = None if against is None else _check_rows("against", against, source.n, unit)
    compared = left if right is None else np.union1d(left, right)
    treatment = f"top {remove} removed" if remove else "centred" if center else "raw"
    if compared.size < 2:
        raise TooFewRowsError(
            f"{compared.size} rows have a direction ({treatment}): overlaps need at least two"
        )
    first, second = moments(unit, left, w)
    if right is None:
        other_first, other_second, same = first, second, w[left]
        pair_count = left.size * (left.size - 1) // 2
    else:
        other_first, other_second = moments(unit, right, w)
        both = np.intersect1d(left, right)
        same = w[both]
        pair_count = left.size * right.size - both.size * (both.size + 1) // 2
    mass = w[left].sum() * w[left if right is None else right].sum() - np.sum(same**2)
    if not mass > 0:
        raise ValueError("weights (or counts) leave no pair: give two rows or more one above 0")
    # Σ w_i w_j t² over all i, j is ‖Σ w u uᵀ‖², at least (trace)²/m; i = j gives Σ w².
    least = w[left].sum() ** 2 / (unit.m - remove) - np.sum(same**2)
    welch = max(least, 0.0) / mass if right is None else math.nan
    values = {
        "mean": (first @ other_first - np.sum(same**2)) / mass,
        "mean_square": (np.sum(second * other_second) - np.sum(same**2)) / mass,
    }
    shifts = np.array([values["mean"], values["mean_square"]])
    rounding = 8 * float(np.finfo(source.dtype).eps)
    stderr: dict[str, float] = {}
    histogram = np.zeros(bins, dtype=np.int64)
    found = np.array([-np.inf, -1, -1, np.inf, -1, -1])
    if pairs != "none":
        sums = np.zeros(MOMENTS + levels.size)
        if pairs == "all":
            _stream(unit, left, right, w, shifts, levels, sums, histogram, found)
        else:
            check_memory(f"samples = {samples}", 40.0 * samples, "draw fewer pairs")
            t, ends = _draw(unit, left, right, w, samples, rng)
            stderr = _sample(t, ends, shifts, rounding, levels, sums, histogram, found)
            pair_count = samples
        values |= _statistics(sums, levels, found, rounding)
    names = ("mean", "mean_absolute", "mean_square", "variance_of_square", "skewness", "largest")
    order = [*names, "smallest", "coherence", *(f"one_sided({h:g})" for h in levels)]
    return Overlaps(
        int(compared.size),
        unit.m - remove,
        int(pair_count),
        float(welch),
        bool(np.any(w != w[0])),
        read_only(unit.zeros),
        read_only(unit.norms[compared] * unit.scale),
        {name: float(values[name]) for name in order if name in values},
        stderr,
        (int(found[1]), int(found[2])) if pairs != "none" else None,
        (int(found[4]), int(found[5])) if pairs != "none" else None,
        read_only(histogram),
        read_only(np.linspace(-1, 1, bins + 1)),
        pairs,
        treatment,
    )


def _check_weights(weights: Frequencies | ArrayLike | None, n: int) -> NDArray[np.float64]:
    if weights is None:
        return np.ones(n)
    w = weights.p_as_given if isinstance(weights, Frequencies) else check_finite("weights", weights)
    if w.size != n or np.any(w < 0):
        raise ValueError(f"weights: give one number of at least 0 for each of the {n} rows")
    return np.asarray(w, dtype=np.float64)


def _check_rows(name: str, rows: ArrayLike | None, n: int, unit: UnitRows) -> NDArray[np.int64]:
    """Return the places of the chosen rows among those with a direction."""
    if rows is None:
        return np.arange(unit.ids.size)
    allowed = f"{name}: give numbers of rows from 0 to {n - 1}"
    try:
        ids = check_finite(name, rows, low=0, high=n - 1)
    except (TypeError, ValueError):
        raise ValueError(allowed) from None
    if np.asarray(rows).dtype.kind not in "iu":
        raise ValueError(allowed)
    return np.flatnonzero(np.isin(unit.ids, ids))


def _stream(
    unit: UnitRows,
    left: NDArray[np.int64],
    right: NDArray[np.int64] | None,
    w: NDArray[np.float64],
    shifts: NDArray[np.float64],
    levels: NDArray[np.float64],
    sums: NDArray[np.float64],
    histogram: NDArray[np.int64],
    found: NDArray[np.float64],
) -> None:
    """Add every pair, block by block; for one group only the blocks above the diagonal."""
    columns = left if right is None else right
    for start in range(0, left.size, _BLOCK):
        some = left[start : start + _BLOCK]
        row_block = unit.unit(some)
        for other in range(start if right is None else 0, columns.size, _BLOCK):
            diagonal = right is None and other == start
            against = columns[other : other + _BLOCK]
            column_block = row_block if diagonal else unit.unit(against)
            ids, other_ids = unit.ids[some], unit.ids[against]
            overlaps_of_block = (
                row_block @ column_block.T,
                ids,
                other_ids,
                w[some],
                w[against],
                *_columns(ids, other_ids, diagonal),
                shifts,
                levels,
            )
            _add_block(
                overlaps_of_block, min(some.size, 4 * thread_count()), sums, histogram, found
            )


def _columns(
    rows: NDArray[np.int64], columns: NDArray[np.int64], diagonal: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first column that counts for each row of a block, and the one to leave out.

    On the diagonal of a set with itself only pairs above it count; elsewhere a row does not meet
    itself. Both lists are sorted. The number of columns stands for none.
    """
    if diagonal:
        return np.arange(1, rows.size + 1), np.full(rows.size, columns.size)
    place = np.searchsorted(columns, rows)
    itself = columns[np.minimum(place, columns.size - 1)] == rows
    return np.zeros(rows.size, np.int64), np.where(itself, place, columns.size)


def _add_block(
    block: tuple[Any, ...],
    parts: int,
    sums: NDArray[np.float64],
    histogram: NDArray[np.int64],
    found: NDArray[np.float64],
) -> None:
    """Add a block, whose rows are dealt out in turn to ``parts`` that run in threads."""
    part_sums = np.zeros((parts, sums.size))
    part_counts = np.zeros((parts, histogram.size), dtype=np.int64)
    part_found = np.tile(found, (parts, 1))
    add: Any = add_rows
    in_threads(parts, lambda k: add(k, parts, *block, part_sums[k], part_counts[k], part_found[k]))
    for k in range(parts):
        sums += part_sums[k]
        histogram += part_counts[k]
        if part_found[k, 0] > found[0]:
            found[:3] = part_found[k, :3]
        if part_found[k, 3] < found[3]:
            found[3:] = part_found[k, 3:]


def _draw(
    unit: UnitRows,
    left: NDArray[np.int64],
    right: NDArray[np.int64] | None,
    w: NDArray[np.float64],
    count: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Draw pairs i ≠ j in proportion to their weights: overlaps, and the two rows of each."""
    right = left if right is None else right
    ends_of = np.cumsum(w[right])
    total = ends_of[-1]
    # Position of each row of the left group in the right one, and its weight there.
    place = np.searchsorted(right, left)
    inside = (place < right.size) & (right[np.minimum(place, right.size - 1)] == left)
    own = np.where(inside, w[left], 0.0)
    before = np.where(inside, ends_of[np.minimum(place, right.size - 1)] - w[left], total)
    share = np.cumsum(w[left] * np.maximum(total - own, 0.0))
    t, ends = [], []
    for start in range(0, count, _SAMPLES):
        size = min(_SAMPLES, count - start)
        k = np.searchsorted(share, rng.random(size) * share[-1], side="right")
        k = np.minimum(k, left.size - 1)
        # The partner, by inverting the cumulative weights of all rows but the row itself.
        u = rng.random(size) * (total - own[k])
        u += np.where(u >= before[k], own[k], 0.0)
        partner = np.minimum(np.searchsorted(ends_of, u, side="right"), right.size - 1)
        i, j = left[k], right[partner]
        j = np.where(i == j, right[np.maximum(partner - 1, 0)], j)  # rounding at an end
        overlap = np.einsum("ij,ij->i", unit.unit(i), unit.unit(j), dtype=np.float64)
        t.append(np.clip(overlap, -1.0, 1.0))
        ends.append(np.stack([unit.ids[i], unit.ids[j]]))
    return np.concatenate(t), np.concatenate(ends, axis=1)


def _sample(
    t: NDArray[np.float64],
    ends: NDArray[np.int64],
    shifts: NDArray[np.float64],
    rounding: float,
    levels: NDArray[np.float64],
    sums: NDArray[np.float64],
    histogram: NDArray[np.int64],
    found: NDArray[np.float64],
) -> dict[str, float]:
    """Add sampled pairs, each with weight 1; return standard errors of what they estimate."""
    d, e = t - shifts[0], t**2 - shifts[1]
    over = [np.maximum(t - h, 0) ** 2 for h in levels]
    sums += [x.sum() for x in (np.ones_like(t), np.abs(t), d, d**2, d**3, e, e**2, *over)]
    histogram += np.histogram(t, np.linspace(-1, 1, histogram.size + 1))[0]
    for place, best in ((0, int(np.argmax(t))), (3, int(np.argmin(t)))):
        found[place], found[place + 1], found[place + 2] = t[best], *ends[:, best]
    scale = 1 / math.sqrt(t.size)
    mean, spread = t.mean(), t.std()
    # Delta method: the influence of each pair on the skewness and on the variance of t².
    z = (t - mean) / spread if spread > rounding else np.zeros_like(t)
    skewness = np.mean(z**3)
    influence = {
        "mean_absolute": np.abs(t),
        "variance_of_square": (e - e.mean()) ** 2,
        "skewness": z**3 - 3 * z - 1.5 * skewness * (z**2 - 1),
    }
    influence |= {f"one_sided({h:g})": value for h, value in zip(levels, over, strict=True)}
    return {name: float(value.std() * scale) for name, value in influence.items()}


def _statistics(
    sums: NDArray[np.float64],
    levels: NDArray[np.float64],
    found: NDArray[np.float64],
    rounding: float,
) -> dict[str, float]:
    absolute, d, d_square, d_cube, e, e_square = sums[1:MOMENTS] / sums[0]
    variance = d_square - d**2
    third = d_cube - 3 * d * d_square + 2 * d**3
    # Overlaps of equal directions exceed 1 by rounding.
    largest, smallest = min(float(found[0]), 1.0), max(float(found[3]), -1.0)
    return {
        "mean_absolute": absolute,
        "variance_of_square": e_square - e**2,
        # Equal overlaps differ by rounding alone.
        "skewness": third / variance**1.5 if variance > rounding**2 else 0.0,
        "largest": largest,
        "smallest": smallest,
        "coherence": max(largest, -smallest),
        **{f"one_sided({h:g})": sums[MOMENTS + k] / sums[0] for k, h in enumerate(levels)},
    }


@check_kinds
def random_overlaps(
    n: int,
    m: int,
    repeats: int = 20,
    seed: int | np.random.Generator = 0,
    thresholds: Sequence[float] = (0.0,),
) -> pd.DataFrame:
    """Measure the overlaps of n random directions in R^m, repeatedly.

    It covers statistics without a closed form, and checks those with one (``random_values``).

    Parameters
    ----------
    n, m : int
        Directions and dimension, >= 2.
    repeats : int
        Independent matrices, >= 2.
    seed : int or Generator
        Source of randomness.
    thresholds : sequence of float
        As in ``overlaps``.

    Returns
    -------
    DataFrame
        One row for each statistic: mean over the matrices, its standard error, and the standard
        deviation from one matrix to another.

    Examples
    --------
    >>> table = random_overlaps(50, 10, repeats=10).set_index("statistic")
    >>> abs(table.loc["mean_square", "mean"] - 0.1) < 4 * table.loc["mean_square", "stderr"]
    np.True_
    """
    n, m = check_integer("n", n, 2), check_integer("m", m, 2)
    check_memory(f"n = {n}, m = {m}", 16.0 * n * m, "give smaller ones")
    repeats, rng = check_integer("repeats", repeats, 2, MOST_REPEATS), as_generator(seed)
    found = [
        overlaps(rng.standard_normal((n, m)), thresholds=thresholds).values for _ in range(repeats)
    ]
    table = pd.DataFrame([dict(values) for values in found])
    spread = table.std(ddof=1)
    return pd.DataFrame(
        {
            "statistic": table.columns,
            "mean": table.mean().to_numpy(),
            "stderr": (spread / math.sqrt(repeats)).to_numpy(),
            "std": spread.to_numpy(),
        }
    )
