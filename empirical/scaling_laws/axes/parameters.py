"""The parameters of a law over several axes under their names: c of each axis, and the floors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from empirical.scaling_laws.axes.law import Array, AxesLaw
from empirical.scaling_laws.axes.profile import floor_form


def mean_logarithms(rows: pd.DataFrame, axes: Sequence[str]) -> Array:
    """Return the mean of ln x of each axis, which the law counts from."""
    means: Array = np.log(rows[list(axes)].to_numpy(dtype=np.float64)).mean(axis=0)
    return means


def name_coefficients(
    law: AxesLaw, axes: Sequence[str], origin: Array, x: Array
) -> dict[str, float]:
    """Return c of each axis and interaction for parameters x of the law."""
    first = law.axes + law.levels
    alpha = x[: law.axes]
    factor = np.exp(alpha * origin)
    c = x[first : first + law.axes] * factor / alpha
    named = dict(zip(axes, map(float, c), strict=True))
    for number, (j, k) in enumerate(law.pairs):
        value = float(x[first + law.axes + number] * factor[j] * factor[k])
        named[f"{axes[j]}*{axes[k]}"] = value
    return named


def name_floors(law: AxesLaw, groups: Sequence[str], x: Array) -> dict[str, float]:
    """Return L_0 of each group for parameters x of the law."""
    if not law.floor:
        return {}
    moved = floor_form(law, x)[1]
    levels = moved[law.axes : law.axes + law.levels]
    return dict(zip(groups, map(float, levels), strict=True))
