"""The grid of a sweep: axes of values, and the runs that they make.

``expand(grid)`` lists the runs of a grid without training any.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from empirical.training.settings import TrainingChanges, TrainingSettings, make_settings
from empirical.training.train import check_width
from theory.activation import UNIFORM
from theory.features import Features
from theory.frequencies import Frequencies

_AXES = ("frequencies", "n", "alpha", "density", "m", "weight_decay", "seed", "recipe")
# The same for every run of a grid.
_FIXED = ("activation", "importance")
_DEFAULTS: Mapping[str, Any] = {
    "frequencies": "power_law",
    "n": 1000,
    "alpha": 1.0,
    "density": 1.0,
    "weight_decay": -1.0,
    "seed": 0,
    "recipe": "fast",
}


@dataclass(frozen=True, eq=False)
class Cell:
    """One run of a sweep: its place in the grid, and everything that determines it."""

    place: Mapping[str, Any]
    features: Features
    m: int
    settings: TrainingSettings


def widest_first(cells: list[Cell]) -> list[Cell]:
    """Return the cells, wide models first: the slowest must not be the last to start."""
    return sorted(cells, key=lambda cell: -cell.features.n * cell.m)


def expand(grid: Mapping[str, Any], **changes: Unpack[TrainingChanges]) -> list[Cell]:
    """Return every run of a grid, wide models first.

    Parameters
    ----------
    grid : mapping
        Values, or lists of them, by axis: "m" (needed), "alpha", "weight_decay", "density", "n",
        "seed", "recipe", and "frequencies": "power_law", "linear", "exponential:400" (its scale in
        ranks), or ``Frequencies`` or ``Features``, which have their own n, alpha and density. Also
        "activation", one ``Activation``, and "importance", one list or a function of
        ``Frequencies`` that returns it, for all runs.
    **changes
        Fields of ``TrainingSettings`` for all runs.

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
    unknown = sorted(set(grid) - {*_AXES, *_FIXED})
    if unknown:
        raise ValueError(f"unknown axis {unknown[0]!r}: a grid has {', '.join(_AXES + _FIXED)}")
    if "m" not in grid:
        raise ValueError("the grid lacks widths: give 'm'")
    reserved = sorted({"m", "seed", "recipe", "weight_decay"} & set(changes))
    if reserved:
        raise TypeError(f"{reserved[0]!r} belongs to the grid: leave it out")
    axes = {name: _values(name, grid[name]) for name in _AXES if name in grid}
    cells = []
    # Made once, and shared by the cells that agree in it.
    known: dict[tuple[Any, ...], tuple[Features, dict[str, Any]]] = {}
    settled: dict[tuple[Any, ...], TrainingSettings] = {}
    for values in itertools.product(*axes.values()):
        place = {**_DEFAULTS, **dict(zip(axes, values, strict=True))}
        shown = tuple(place[name] for name in ("frequencies", "n", "alpha", "density"))
        if shown not in known:
            known[shown] = _features_and_place(place, grid)
        features, where = known[shown]
        m = check_width(place["m"], features.n)
        how = place["recipe"], place["weight_decay"], place["seed"]
        if how not in settled:
            settled[how] = make_settings(recipe=how[0], weight_decay=how[1], seed=how[2], **changes)
        settings = settled[how]
        place |= where
        place |= {"m": m, "weight_decay": settings.weight_decay, "seed": settings.seed}
        cells.append(Cell({name: place[name] for name in _AXES}, features, m, settings))
    return widest_first(cells)


def _features_and_place(
    place: Mapping[str, Any], grid: Mapping[str, Any]
) -> tuple[Features, dict[str, Any]]:
    """Return features, and what the table says of them."""
    features = _features(place, grid)
    exponent = features.frequencies.exponent
    return features, {
        "frequencies": _label(place["frequencies"], features),
        "n": features.n,
        "alpha": float("nan") if exponent is None else exponent,
        "density": features.density,
    }


def _values(name: str, given: Any) -> list[Any]:
    single = isinstance(given, str | Frequencies | Features) or np.ndim(given) == 0
    values = [getattr(x, "item", lambda x=x: x)() for x in ([given] if single else given)]
    if not values:
        raise ValueError(f"{name} is empty: give at least one value")
    if len(set(values)) != len(values):
        raise ValueError(f"{name} = {values} is not allowed: give each value once")
    return values


def _label(given: Any, features: Features) -> str:
    """Return a name in which no two values of one axis agree."""
    label = str(features.frequencies) if isinstance(given, Features) else str(given)
    marks = b""
    if features.activation != UNIFORM or features.importance is not None:
        marks += repr((features.activation, features.weights.tobytes())).encode()
    if features.dependence is not None:
        marks += features.dependence.digest().encode()
    if features.frequencies.law == "table":
        marks += features.p.tobytes()
    return f"{label}, {hashlib.sha256(marks).hexdigest()[:6]}" if marks else label


def _features(place: Mapping[str, Any], grid: Mapping[str, Any]) -> Features:
    law = place["frequencies"]
    if isinstance(law, Frequencies | Features):
        needless = [name for name in ("n", "alpha", "density") if name in grid]
        if needless:
            raise ValueError(
                f"{type(law).__name__} have their own {needless[0]}: leave it out of the grid"
            )
        frequencies = law
    else:
        frequencies = _named_law(law, place, "alpha" in grid)
    given = {name: grid[name] for name in _FIXED if grid.get(name) is not None}
    if isinstance(frequencies, Features):
        if given:
            raise ValueError(f"Features have their own {next(iter(given))}: leave it out")
        return frequencies
    if callable(given.get("importance")):
        given["importance"] = given["importance"](frequencies)
    return Features(frequencies, **given)


def _named_law(law: Any, place: Mapping[str, Any], has_alpha: bool) -> Frequencies:
    name, _, parameter = str(law).partition(":")
    if name == "power_law" and not parameter:
        return Frequencies.power_law(place["n"], place["alpha"], place["density"])
    if has_alpha:
        raise ValueError(f"alpha goes with power_law, not with {law!r}: leave it out of the grid")
    if name == "linear" and not parameter:
        return Frequencies.linear(place["n"], place["density"])
    try:
        scale = float(parameter)
    except ValueError:
        scale = float("nan")
    if name != "exponential" or not scale > 0:
        raise ValueError(
            f"frequencies = {law!r} is not allowed: give 'power_law', 'linear', "
            "'exponential:SCALE' (in ranks, as 'exponential:400'), Frequencies or Features"
        )
    return Frequencies.exponential(place["n"], scale, place["density"])
