"""The grid of a sweep: axes of values, and the runs that they make.

Use through ``empirical.sweeps.sweep.sweep``; ``expand(grid)`` lists the runs without training any.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from empirical.training.settings import check_settings
from theory.frequencies import Frequencies

_AXES = ("frequencies", "n", "alpha", "E", "m", "gamma", "seed", "recipe")
_DEFAULTS: Mapping[str, Any] = {
    "frequencies": "power_law",
    "n": 1000,
    "alpha": 1.0,
    "E": 1.0,
    "gamma": -1.0,
    "seed": 0,
    "recipe": "fast",
}


@dataclass(frozen=True, eq=False)
class Cell:
    """One run of a sweep: where it is in the grid, and what makes it."""

    place: Mapping[str, Any]
    frequencies: Frequencies
    settings: Mapping[str, Any]


def expand(grid: Mapping[str, Any], **training: Any) -> list[Cell]:
    """Return every run of a grid, wide models first.

    Parameters
    ----------
    grid : mapping
        Values, or lists of them, by axis: "m" (needed), "alpha", "gamma", "E", "n", "seed",
        "recipe", and "frequencies": "power_law", "linear", "exponential:400" (its scale in ranks),
        or ``Frequencies``, which have their own n, alpha and E.
    **training
        Arguments of ``train`` for all runs.

    Raises
    ------
    ValueError, TypeError
        For an unknown axis, a value out of range, or an axis that does not fit the frequencies.

    Examples
    --------
    >>> cells = expand({"m": [4, 8], "alpha": [0.5, 1.0], "n": 40}, steps=10)
    >>> [(cell.place["m"], cell.place["alpha"]) for cell in cells]
    [(8, 0.5), (8, 1.0), (4, 0.5), (4, 1.0)]
    """
    unknown = sorted(set(grid) - set(_AXES))
    if unknown:
        raise ValueError(f"unknown axis {unknown[0]!r}: a grid has {', '.join(_AXES)}")
    if "m" not in grid:
        raise ValueError("the grid lacks widths: give 'm'")
    reserved = {"m", "seed", "recipe", "weight_decay", "checkpoint", "progress"} & set(training)
    if reserved:
        raise TypeError(
            f"{sorted(reserved)[0]!r} belongs to the grid, or to the sweep: leave it out"
        )
    axes = {name: _values(name, grid[name]) for name in _AXES if name in grid}
    cells = []
    for values in itertools.product(*axes.values()):
        place = {**_DEFAULTS, **dict(zip(axes, values, strict=True))}
        frequencies = _frequencies(place, grid)
        settings = check_settings(
            frequencies,
            m=place["m"],
            weight_decay=place.pop("gamma"),
            seed=place["seed"],
            recipe=place["recipe"],
            **training,
        )
        exponent = frequencies.exponent
        label = str(place["frequencies"])
        if frequencies.law == "table":  # two may look alike
            label += f", {hashlib.sha256(frequencies.p.tobytes()).hexdigest()[:6]}"
        place |= {
            "frequencies": label,
            "n": frequencies.n,
            "alpha": float("nan") if exponent is None else exponent,
            "E": frequencies.density,
            "m": settings["m"],
            "gamma": settings["weight_decay"],
            "seed": settings["seed"],
        }
        cells.append(Cell({name: place[name] for name in _AXES}, frequencies, settings))
    # Wide models first: the slowest must not be the last to start.
    return sorted(cells, key=lambda cell: -cell.frequencies.n * cell.settings["m"])


def _values(name: str, given: Any) -> list[Any]:
    single = isinstance(given, str | Frequencies) or np.ndim(given) == 0
    values = [getattr(x, "item", lambda x=x: x)() for x in ([given] if single else given)]
    if not values:
        raise ValueError(f"{name} is empty: give at least one value")
    if len(set(values)) != len(values):
        raise ValueError(f"{name} = {values} is not allowed: give each value once")
    return values


def _frequencies(place: Mapping[str, Any], grid: Mapping[str, Any]) -> Frequencies:
    law = place["frequencies"]
    if isinstance(law, Frequencies):
        needless = [name for name in ("n", "alpha", "E") if name in grid]
        if needless:
            raise ValueError(f"Frequencies have their own {needless[0]}: leave it out of the grid")
        return law
    name, _, parameter = str(law).partition(":")
    if name == "power_law" and not parameter:
        return Frequencies.power_law(place["n"], place["alpha"], place["E"])
    if "alpha" in grid:
        raise ValueError(f"alpha goes with power_law, not with {law!r}: leave it out of the grid")
    if name == "linear" and not parameter:
        return Frequencies.linear(place["n"], place["E"])
    try:
        scale = float(parameter)
    except ValueError:
        scale = float("nan")
    if name != "exponential" or not scale > 0:
        raise ValueError(
            f"frequencies = {law!r} is not allowed: give 'power_law', 'linear', "
            "'exponential:SCALE' (in ranks, as 'exponential:400') or Frequencies"
        )
    return Frequencies.exponential(place["n"], scale, place["E"])
