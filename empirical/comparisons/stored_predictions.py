"""Predictions at the settings of the published figures, with the solved losses from a table.

``predict_published(frequencies, m)`` is ``predict``, except that "mean_field" is read from
empirical/data/mean_field_published.csv (written by studies/mean_field/published_settings.py), so
that a comparison with a published figure takes no minutes. Settings that it lacks are solved.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from theory import registry
from theory.estimate import Estimate, Superposition
from theory.features import Features
from theory.frequencies import Frequencies
from theory.mean_field.derivation import ASSUMPTIONS
from theory.prediction import Prediction
from theory.registry import default_theories, predict

_SOLVED = "mean_field"
_SETTINGS = ("law", "n", "alpha", "scale", "density")


@cache
def load_solved() -> pd.DataFrame:
    """Return the stored table: a row for each setting, with loss, exponent and uncertainty.

    Examples
    --------
    >>> load_solved().shape
    (154, 9)
    """
    path = files("empirical").joinpath("data/mean_field_published.csv")
    with path.open(encoding="utf-8") as file:
        return pd.read_csv(file, comment="#")


def predict_published(
    frequencies: Frequencies, m: ArrayLike, superposition: Superposition = "strong"
) -> Prediction:
    """Predict by the default theories of a kind of superposition, at the widths of a figure.

    Examples
    --------
    >>> words = Frequencies.power_law(1000, alpha=1.0)
    >>> predict_published(words, [10, 100]).theories
    ('mean_field', 'strong_even', 'weak')
    """
    widths = np.atleast_1d(np.asarray(m))
    names = default_theories(frequencies, superposition)
    if _SOLVED not in names:
        return predict(frequencies, widths, names)
    solved = _look_up(frequencies, widths)
    if solved is None:
        return predict(frequencies, widths, names)
    others = predict(frequencies, widths, [name for name in names if name != _SOLVED])
    return Prediction(
        Features(frequencies),
        others.m,
        {_SOLVED: solved, **others.estimates},
        {one.name: one for one in registry.THEORIES if one.name in names},
    )


def _look_up(frequencies: Frequencies, widths: Sequence[int] | np.ndarray) -> Estimate | None:
    """Return what is stored for these widths, or None if one is missing."""
    table, made = load_solved(), frequencies.describe()
    for name in _SETTINGS:
        if name in made:
            same = table[name] == made[name] if name == "law" else np.isclose(
                table[name], made[name], rtol=1e-6
            )  # fmt: skip
            table = table[same]
    found = table.drop_duplicates("m").set_index("m").reindex([int(width) for width in widths])
    if found["loss"].isna().any():
        return None
    return Estimate(
        found["loss"].to_numpy(), found["exponent"].to_numpy(), {}, ASSUMPTIONS[_SOLVED]
    )
