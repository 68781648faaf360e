"""Dependence from a JSON file, for the command line: ``read_dependence``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.checks import check_finite, check_numbers
from theory.dependence.forest import Forest
from theory.dependence.structures import (
    common_cause_forest,
    exclusive_forest,
    hierarchy_forest,
    mixture_forest,
)

Array = NDArray[np.float64]

_KINDS = {
    "exclusive": {"exclusive"},
    "parents": {"parents"},
    "weights": {"weights", "tilt"},
    "groups": {"groups", "causes", "without"},
}


def read_dependence(path: str | Path, p: Array) -> Forest:
    """Return the dependence that a JSON file describes, for features of frequencies p.

    One object with one of: "exclusive", lists of features; "parents", a feature or null for each;
    "weights" of topics and "tilt", how frequent each feature is under each topic relative to the
    others; "groups", lists of features, "causes" and perhaps "without". Features count from 0.

    Raises
    ------
    ValueError
        If the file is missing, is no such object, or what it describes cannot be.
    """
    path = Path(path)
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path} is not there: give a JSON file") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(described, dict):
        raise ValueError(f"{path} holds no JSON object: write {{…}}")
    kind = next((name for name in _KINDS if name in described), None)
    unknown = sorted(set(described) - _KINDS.get(str(kind), set()))
    if kind is None or unknown:
        found = ", ".join(described) or "nothing"
        raise ValueError(
            f"{path} holds {found}: give one of exclusive; parents; weights and tilt; groups, "
            "causes and without"
        )
    try:
        return _build(kind, described, p)
    except (ValueError, TypeError, KeyError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path}: {reason}") from None


def _build(kind: str, described: dict[str, Any], p: Array) -> Forest:
    if kind == "exclusive":
        return exclusive_forest(p, described["exclusive"])
    if kind == "parents":
        return hierarchy_forest(p, described["parents"])
    if kind == "groups":
        return common_cause_forest(
            p, described["groups"], described["causes"], described.get("without", 0.0)
        )
    return mixture_forest(described["weights"], tilted(p, described["weights"], described["tilt"]))


def tilted(p: Array, weights: Any, tilt: Any) -> Array:
    """Return frequencies under each topic with mean p, in proportion to ``tilt`` over topics.

    Examples
    --------
    >>> tilted(np.array([0.2, 0.1]), [0.5, 0.5], [[1, 3], [1, 1]])
    array([[0.2 , 0.15],
           [0.2 , 0.05]])
    """
    w, slope = check_finite("weights", weights), check_numbers("tilt", tilt)
    if slope.shape != (w.size, p.size) or not np.all(slope >= 0):
        raise ValueError(
            f"tilt has shape {slope.shape}: give a row for each of the {w.size} topics, of "
            f"{p.size} numbers of at least 0"
        )
    mean = w @ slope
    if np.any(mean <= 0):
        raise ValueError(f"feature {int(np.argmin(mean))} has tilt 0 under every topic")
    found: Array = p * slope / mean
    if found.max() > 1:
        i = int(np.argmax(found.max(axis=0)))
        raise ValueError(f"feature {i} would have frequency {found[:, i].max():.4g} under a topic")
    return found
