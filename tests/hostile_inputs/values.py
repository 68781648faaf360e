"""What is put in the place of an argument."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd

SCALARS = [
    math.nan, math.inf, -math.inf, -1, 0, 0.5, 2.5, 1e300, -1e300, 1e-300, 10**400, -(10**400),
    10**12,  # a size that does not fit, a number of steps that takes days
    None, True, "x", "", "nan", b"x", 1 + 2j, [], [[]], {}, object(), Decimal("1.5"),
    Fraction(1, 3), np.float16(2), np.array(2), np.array([2.0]), [2], ["x"], [[1, 2], [3]],
    (None,), pd.NA, np.ma.masked, {1, 2}, np.zeros((2, 2, 2)),
]  # fmt: skip


def arrays(value):
    """Return arrays like this one that hold what they should not."""
    x = np.asarray(value, dtype=float)

    def with_one(entry, dtype=float):
        other = x.astype(dtype)
        other.flat[other.size // 2] = entry
        return other

    masked = np.ma.masked_array(x, mask=np.arange(x.size).reshape(x.shape) == 1)
    yield from (with_one(entry) for entry in (math.nan, math.inf, -math.inf, -3.0, 1e300, 1e-300))
    yield from (with_one(entry, object) for entry in (None, "x", 10**400, 1j, [1, 2], pd.NA))
    yield from (x.astype(complex) + 1j, x.astype(str), masked)
    yield from (x[:0], x[:1], x[None], x[..., None], np.concatenate([x, x]), 0 * x, -x, x[::-1])
    yield from (
        np.minimum(x, 6e4).astype(np.float16),
        x > x.mean(),
        pd.Series(x.ravel(), dtype=object)[1:],
    )


def same_arrays(value):
    """Return the same numbers in other forms."""
    x = np.asarray(value)
    wide = np.repeat(x, 2, axis=-1)
    locked = x.copy()
    locked.flags.writeable = False
    yield from (x.tolist(), locked, wide[..., ::2], np.asfortranarray(x), x.astype(object))
    yield x.astype(x.dtype.newbyteorder())
    yield np.ma.masked_array(x)
    yield pd.Series(x, index=np.arange(x.size)[::-1]) if x.ndim == 1 else pd.DataFrame(x)


def same_numbers(value):
    """Return the same number in other forms."""
    yield from (kind(value) for kind in (np.float64, np.array))
    if float(value).is_integer():
        yield from (int(value), np.int64(value), float(value))


def is_array(value):
    return isinstance(value, np.ndarray | list) and np.asarray(value).dtype.kind in "iuf"


def is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)
