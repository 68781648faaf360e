"""The exponent of the width from that of the number of parameters, with N ∝ m^k.

``width_exponent(alpha_N, N, m)`` returns alpha_m = k alpha_N (arXiv 2505.10465).
``fit_chinchilla`` fits alpha_N.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import linregress

from empirical.scaling_laws.chinchilla.fit import ChinchillaFit
from theory.checks import check_finite, check_real
from theory.computing.argument_kinds import check_kinds
from theory.results import result


@dataclass(frozen=True)
@result
class WidthExponent:
    """alpha_m = k alpha_N, where N ∝ m^k.

    Attributes
    ----------
    k, k_stderr : float
        Slope of ln N against ln m, and its standard error.
    alpha_N, alpha_N_stderr : float
        As given.
    alpha_m : float
        The exponent of the width.
    stderr : float
        sqrt((k δalpha_N)² + (alpha_N δk)²): k and alpha_N come from independent data.
    greatest_stderr : float
        k δalpha_N + alpha_N δk, for errors that are fully correlated.
    """

    k: float
    k_stderr: float
    alpha_N: float
    alpha_N_stderr: float
    alpha_m: float
    stderr: float
    greatest_stderr: float

    def to_dataframe(self) -> pd.DataFrame:
        """Return the result as a table of one row."""
        return pd.DataFrame([vars(self)])

    def __str__(self) -> str:
        return (
            f"N ∝ m^k, k = {self.k:.3f} ± {self.k_stderr:.3f}; "
            f"alpha_m = {self.alpha_m:.3f} ± {self.stderr:.3f}"
        )


@check_kinds
def width_exponent(
    alpha_N: ChinchillaFit | float, N: ArrayLike, m: ArrayLike, stderr: float | None = None
) -> WidthExponent:
    """Convert the exponent of N to an exponent of the width m, with its standard error.

    Parameters
    ----------
    alpha_N : ChinchillaFit or float
        The exponent of N.
    N, m : array_like, shape (k,)
        Parameters and widths of a family of models; ln N = k ln m + c is fitted by least squares.
    stderr : float, optional
        Standard error of alpha_N, if that is a number (0 by default).

    Returns
    -------
    WidthExponent
        k, alpha_m = k alpha_N, and errors.

    Raises
    ------
    ValueError
        For fewer than three models or two widths, or values that are not positive.

    Examples
    --------
    >>> print(width_exponent(0.35, [1e8, 9e8, 6e9], [512, 1536, 4096], stderr=0.02))
    N ∝ m^k, k = 1.970 ± 0.019; alpha_m = 0.689 ± 0.040
    """
    if isinstance(alpha_N, ChinchillaFit):
        if stderr is not None:
            raise ValueError("stderr goes with a number: the fit has its own")
        value, error = alpha_N.alpha_N, alpha_N.stderr["alpha_N"]
    else:
        value = check_real("alpha_N", alpha_N)
        error = check_real("stderr", 0.0 if stderr is None else stderr, 0)
    count, width = check_finite("N", N), check_finite("m", m)
    if count.size != width.size:
        raise ValueError(f"N has {count.size} entries and m has {width.size}: give one for each")
    if min(count.min(), width.min()) <= 0:
        raise ValueError("N and m must be above 0")
    if count.size < 3 or np.unique(width).size < 2:
        raise ValueError("k and its error need at least three models of two widths")
    line = linregress(np.log(width), np.log(count))
    k, k_error = float(line.slope), float(line.stderr)
    parts = (k * error, value * k_error)
    return WidthExponent(
        k, k_error, value, error, k * value, math.hypot(*parts), abs(parts[0]) + abs(parts[1])
    )
