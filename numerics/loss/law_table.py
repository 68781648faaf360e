"""The law of v as one array, the form in which compiled kernels take it: ``law_tables``."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from theory.activation import Activation
from theory.checks import read_only


def law_tables(activation: Activation) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Return the table of a law of v, and again, or None if v is uniform from 0 on.

    Kernels whose second is None are compiled without what other laws need.

    Examples
    --------
    >>> [table is None for table in law_tables(Activation())]
    [False, True]
    >>> [table is None for table in law_tables(Activation(0.5, 1.5))]
    [False, False]
    """
    table = law_table(activation)
    return table, None if activation.is_uniform and activation.low == 0 else table


@lru_cache(maxsize=64)
def law_table(activation: Activation) -> NDArray[np.float64]:
    """Return the table of a law of v whose density is constant in each of K equal cells.

    Row l belongs to the cell end c_l = low + l (high - low)/K, l = 0..K. Columns:

    0: c_l;
    1: P(v in the cell from c_l to c_{l+1}), 0 in the last row;
    2: the size of the density's step at c_l;
    3, 4, 5: P(v < c_l), and the mean and variance of v given that;
    6, 7, 8: P(v > c_l), and the mean and variance of v given that.

    Examples
    --------
    >>> law_table(Activation())[0, 6:]         # all of v is above 0: mean 1, variance 1/3
    array([1.        , 1.        , 0.33333333])
    """
    cells = activation.cells
    ends = np.array([float(cells[0][0]), *(float(high) for _, high, _ in cells)])
    share = np.array([float(density * (high - low)) for low, high, density in cells])
    table = np.zeros((ends.size, 9))
    table[:, 0], table[:-1, 1] = ends, share
    table[:, 2] = np.abs(activation.steps[1])
    centre, own = (ends[:-1] + ends[1:]) / 2, np.diff(ends) ** 2 / 12
    for cell in range(ends.size):
        for column, some in ((3, slice(0, cell)), (6, slice(cell, None))):
            mass = share[some].sum()
            if mass > 0:
                weight = share[some] / mass
                mean = float(weight @ centre[some])
                spread = float(weight @ (own[some] + (centre[some] - mean) ** 2))
                table[cell, column : column + 3] = mass, mean, spread
    return read_only(table)
