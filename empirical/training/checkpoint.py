"""The state of an unfinished training run in one file (``train(..., checkpoint=path)``).

The file holds W, b, both moments of Adam, the state of the batch generator and the history, so that
a resumed run repeats an undisturbed one bit for bit on the CPU. Its SHA-256 is in the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from empirical.training.run import digest, read_record
from numerics.files import write_atomically
from theory.features import Features

_FORMAT = "superscale.Checkpoint/3"

State = dict[str, NDArray[np.float32]]


@dataclass
class Progress:
    """Steps done, the history, and the sum of the losses since its last record (``window``).

    ``rounds`` are those that are finished, each as the fields of ``convergence.Round``; ``step``
    counts from the end of them, and ``before`` is the number of their steps; ``exact`` says whether
    their losses are.
    """

    step: int = 0
    window: float = 0.0
    seconds: float = 0.0
    recorded_steps: list[int] = field(default_factory=list)
    recorded_losses: list[float] = field(default_factory=list)
    before: int = 0
    rounds: list[dict[str, Any]] = field(default_factory=list)
    exact: bool = False

    def end_round(self, record: dict[str, Any], exact: bool) -> None:
        """Add a finished round; steps are counted anew."""
        self.rounds.append(record)
        self.exact = exact
        self.before, self.step, self.window = self.before + self.step, 0, 0.0


def save_checkpoint(
    path: Path,
    features: Features,
    settings: Mapping[str, Any],
    state: State,
    rng: np.random.Generator,
    progress: Progress,
) -> None:
    """Write the whole state of a run, atomically; ``settings`` are plain values that name it."""
    tensors: dict[str, NDArray[Any]] = {"p": np.array(features.p), **state}
    record: dict[str, Any] = {
        "format": _FORMAT,
        "features": features.describe(),
        "settings": dict(settings),
        "generator": rng.bit_generator.state,
        "progress": vars(progress),
    }
    record["sha256"] = digest(tensors, record)
    write_atomically(path, save(tensors, metadata={"superscale": json.dumps(record)}))


def load_checkpoint(
    path: Path,
    features: Features,
    settings: Mapping[str, Any],
    rng: np.random.Generator,
) -> tuple[State, Progress]:
    """Return the saved arrays and progress; set the generator to its saved state, in place.

    Raises
    ------
    ValueError
        If the file is not a checkpoint, is damaged, or belongs to a run of other features or
        settings (names them).
    """
    try:
        tensors, record = read_record(path, _FORMAT)
    except ValueError as error:
        raise ValueError(
            f"{error}: if it is a damaged checkpoint, delete it to begin anew, or else give "
            "another file"
        ) from None
    if record.get("sha256") != digest(tensors, record):
        raise ValueError(
            f"{path} is damaged: its numbers are not those that were saved; delete it to begin anew"
        )
    saved = record["settings"]
    changed = [name for name in {**saved, **settings} if saved.get(name) != settings.get(name)]
    if changed:
        name = changed[0]
        raise ValueError(
            f"{path} belongs to another run ({name} = {saved.get(name)!r} there, "
            f"{settings.get(name)!r} here): give another checkpoint file, or the same settings"
        )
    if record["features"] != features.describe() or not np.array_equal(tensors["p"], features.p):
        raise ValueError(
            f"{path} belongs to a run on other features ({record['features']}): give another file"
        )
    progress = Progress(**record["progress"])
    rng.bit_generator.state = record["generator"]
    del tensors["p"]
    return tensors, progress
