"""One sentence that says what a comparison found, computed from its rows: ``describe_finding``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from theory import registry
from theory.registry import line_styles

if TYPE_CHECKING:
    from empirical.comparisons.comparison import ComparisonRow

# Up to this error a theory is "within" it; beyond, the sentence gives the range of the ratios.
_WITHIN = 0.5
_PLACES = {"m": "width", "density": "density", "alpha": "alpha"}


def describe_finding(rows: Sequence[ComparisonRow], quantity: str, x: str, trained: bool) -> str:
    """Say how far the first theory of a comparison is off, at worst and in the median.

    Parameters
    ----------
    rows : sequence of ComparisonRow
        Of which the first predicted value in each counts.
    quantity, x : str
        Those of the ``Comparison``.
    trained : bool
        Whether models were trained, or published values are compared.

    Examples
    --------
    >>> from empirical.comparisons.comparison import ComparisonRow
    >>> def row(m, predicted, measured):
    ...     return ComparisonRow("", m, 1, 1, {"mean_field": predicted}, measured, 0, (), {})
    >>> rows = [row(10, 1.0, 1.09), row(20, 0.5, 0.52)]
    >>> describe_finding(rows, "loss", "m", trained=True)
    'The mean field is within 9 % of these models at every width, 6.5 % in the median.'
    """
    found = dict.fromkeys(name for row in rows for name in row.predicted)
    names = [one.name for one in registry.THEORIES if one.name in found] or list(found)
    if not names:
        return ""
    name = names[0]
    had = [row for row in rows if name in row.predicted]
    predicted = np.array([row.predicted[name] for row in had])
    measured = np.array([row.measured for row in had])
    label = "weak theory" if name == "weak" else line_styles([name])[name].label
    title = f"The {label} is" if quantity == "loss" else f"The values of “{label}” are"
    whom = "these models" if trained else "the published values"
    every = (
        f"every {_PLACES[x]}" if len({row.curve for row in rows}) == 1 else f"all {len(had)} points"
    )
    if len(had) < len(rows):
        every = f"the {len(had)} of {len(rows)} points where it has a value"
    if quantity == "exponent":
        off = np.abs(predicted - measured)
        return (
            f"The exponents by the {label} differ from {whom} by at most {off.max():.2f}, by "
            f"{np.median(off):.2f} in the median."
        )
    off = np.abs(measured / predicted - 1)
    if off.max() <= _WITHIN:
        worst, middle = f"{_round_up(100 * off.max()):g} %", f"{100 * np.median(off):.2g} %"
        return f"{title} within {worst} of {whom} at {every}, {middle} in the median."
    ratio = measured / predicted
    low, high, middle = (f"{x:.3g}" for x in (ratio.min(), ratio.max(), np.median(ratio)))
    kind, of = ("losses", f"the {label}") if quantity == "loss" else ("values", f"“{label}”")
    whose = "The trained" if trained else "The published"
    return f"{whose} {kind} are {low} to {high} times those of {of}, {middle} in the median."


def _round_up(value: float) -> float:
    """Return the least number of two digits that is not below a positive one.

    Examples
    --------
    >>> _round_up(12.09), _round_up(9.0), _round_up(0.0)
    (13.0, 9.0, 0.0)
    """
    if value <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return round(math.ceil(value / unit - 1e-6) * unit, 12)
