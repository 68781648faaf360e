"""A finished training run: the model, its loss, its history, and one file that holds them all.

``train`` returns a ``TrainingRun``; ``save`` and ``load`` write and read it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from empirical.training.convergence import Convergence, Round
from empirical.training.settings import TrainingSettings
from numerics.files import write_atomically
from numerics.tensors.stored import check_file
from numerics.toy_model import ToyModel
from theory.checks import read_only
from theory.computing.argument_kinds import check_kinds
from theory.dependence.forest import Forest
from theory.features import Features
from theory.figures.style import BLACK, BLUE, LOSS, finish, open_axes
from theory.results import result

_FORMAT = "superscale.TrainingRun/3"
# Before the names of the tensors of a dependence.
_DEPENDENCE = "dependence."


@dataclass(frozen=True, eq=False)
@result
class TrainingRun:
    """A trained toy model with what was measured on it.

    Attributes
    ----------
    model : ToyModel
        Trained W (n x m) and b (n).
    features : Features
        The features it was trained on.
    loss, stderr : float
        Loss on fresh samples (float64, summed over features by importance) and its standard error;
        by the recipe "converged", where ``convergence.exact``, the exact loss and a bound on its
        error.
    samples : int
        Number of those samples.
    dead : ndarray of bool, shape (n,)
        Features whose output never fired: on no fresh sample, and not for their own input alone at
        its largest.
    steps, losses : ndarray, shape (k,)
        History: step numbers, and the training loss averaged over the steps up to each.
    seconds : float
        Wall-clock time of the training, all resumed parts together.
    settings : TrainingSettings
        How it was trained.
    begun_at : str
        SHA-256 of the model that training began at; empty for a random start.
    convergence : Convergence, optional
        Rounds of the recipe "converged": their steps and losses, and whether they converged.

    Examples
    --------
    >>> from empirical.training.train import train
    >>> from theory.frequencies import Frequencies
    >>> run = train(Frequencies.power_law(20, alpha=1.0), m=5, batch=32, steps=100)
    >>> run.model.W.shape, run.settings.seed
    ((20, 5), 0)
    """

    model: ToyModel
    features: Features
    loss: float
    stderr: float
    samples: int
    dead: NDArray[np.bool_]
    steps: NDArray[np.int64]
    losses: NDArray[np.float64]
    seconds: float
    settings: TrainingSettings
    begun_at: str = ""
    convergence: Convergence | None = None

    @property
    def dead_loss(self) -> float:
        """Expected loss at dead features, exactly Σ I_i ⟨v²⟩ p_i over them."""
        return dead_loss(self.features, self.dead)

    @property
    def live_loss(self) -> float:
        """Loss at the other features: ``loss`` - ``dead_loss``."""
        return self.loss - self.dead_loss

    @check_kinds
    def save(self, path: str | Path) -> None:
        """Write the run to one safetensors file, whole or not at all.

        W and b (in single precision where that loses nothing), the frequencies, the importances
        (where not all are 1), the dependence (where there is one), the dead features and the
        history are its tensors; all else is JSON in its metadata, with their SHA-256.

        Raises
        ------
        ValueError
            If the file cannot be written.
        """
        record = {
            "format": _FORMAT,
            "features": self.features.describe(),
            "loss": self.loss,
            "stderr": self.stderr,
            "samples": self.samples,
            "seconds": self.seconds,
            "settings": dict(self.settings),
            "begun_at": self.begun_at,
        }
        # Copies: read-only views are refused by the writer.
        tensors = {
            "W": _shortest(self.model.W),
            "b": _shortest(self.model.b),
            "p": np.array(self.features.p),
            "dead": np.array(self.dead),
            "history.steps": np.array(self.steps),
            "history.losses": np.array(self.losses),
        }
        if self.features.importance is not None:
            tensors["importance"] = np.array(self.features.importance)
        if self.features.dependence is not None:
            for name, array in self.features.dependence.arrays().items():
                tensors[f"{_DEPENDENCE}{name}"] = array
        if self.convergence is not None:
            record["convergence"] = asdict(self.convergence)
        record["sha256"] = digest(tensors, record)
        write_atomically(path, save(tensors, metadata={"superscale": json.dumps(record)}))

    @classmethod
    @check_kinds
    def load(cls, path: str | Path) -> TrainingRun:
        """Read a run that ``save`` wrote.

        Raises
        ------
        ValueError
            If the file is missing, is not a safetensors file, is not a run, or is damaged.
        """
        tensors, record = read_record(path, _FORMAT)
        try:
            if record["sha256"] != digest(tensors, record):
                raise ValueError(f"{path} is damaged: its numbers are not those that were saved")
            return cls(
                ToyModel(tensors["W"].astype(np.float64), tensors["b"].astype(np.float64)),
                Features.from_description(
                    record["features"],
                    tensors["p"],
                    tensors.get("importance"),
                    _dependence(tensors),
                ),
                record["loss"],
                record["stderr"],
                record["samples"],
                read_only(tensors["dead"]),
                read_only(tensors["history.steps"]),
                read_only(tensors["history.losses"]),
                record["seconds"],
                TrainingSettings(**record["settings"]),
                record["begun_at"],
                _convergence(record),
            )
        except KeyError as error:
            raise ValueError(f"{path} is a damaged run: it lacks {error}") from None
        except TypeError as error:  # settings of another version
            raise ValueError(f"{path} holds a run of another version: {error}") from None

    def to_dataframe(self) -> pd.DataFrame:
        """Return the history, one row for each record."""
        return pd.DataFrame({"step": self.steps, "loss": self.losses})

    def plot(self, ax: Any = None) -> Any:
        """Draw the training loss against the step; return the axes."""
        ax = open_axes(ax)
        ax.plot(self.steps, self.losses, color=BLUE, label="training loss of a batch")
        label = f"at the end, fresh samples: {self.loss:.4g}"
        ax.axhline(self.loss, ls=":", color=BLACK, label=label)
        return finish(ax, "training step", LOSS, log="y")

    def __repr__(self) -> str:
        return (
            f"toy model n = {self.model.n}, m = {self.model.m}: loss {self.loss:.5g} "
            f"± {self.stderr:.1g} ({self.dead_loss:.4g} of it at {int(self.dead.sum())} dead "
            f"features), {self._steps} steps in {self.seconds:.1f} s"
            + ("" if self.convergence is None else f"; {self.convergence}")
        )

    @property
    def _steps(self) -> int:
        return self.settings.steps if self.convergence is None else self.convergence.steps

    def _repr_html_(self) -> str:
        summary = {
            "n": self.model.n, "m": self.model.m, "loss": self.loss, "stderr": self.stderr,
            "dead features": int(self.dead.sum()), "dead loss": self.dead_loss,
            "steps": self._steps, "seconds": self.seconds,
        }  # fmt: skip
        return str(pd.DataFrame([summary]).to_html(index=False))


def _convergence(record: Mapping[str, Any]) -> Convergence | None:
    found = record.get("convergence")
    if found is None:
        return None
    return Convergence(tuple(Round(**one) for one in found["rounds"]), found["exact"])


def _dependence(tensors: Mapping[str, NDArray[Any]]) -> Forest | None:
    arrays = {
        name.removeprefix(_DEPENDENCE): array
        for name, array in tensors.items()
        if name.startswith(_DEPENDENCE)
    }
    return Forest.from_arrays(arrays) if arrays else None


def dead_loss(features: Features, dead: NDArray[np.bool_]) -> float:
    """Return Σ I_i ⟨v²⟩ p_i over the dead features: their outputs are 0."""
    second = float(features.activation.moment(2))
    return second * float((features.weights * features.p)[dead].sum())


def _shortest(array: NDArray[np.float64]) -> NDArray[Any]:
    single = array.astype(np.float32)
    return single if np.array_equal(single, array) else np.array(array)


def digest(tensors: Mapping[str, NDArray[Any]], record: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the record, and of names, types and numbers of the tensors."""
    words = {name: value for name, value in record.items() if name != "sha256"}
    found = hashlib.sha256(json.dumps(words, sort_keys=True).encode())
    for name in sorted(tensors):
        found.update(f"{name} {tensors[name].dtype} {tensors[name].shape}".encode())
        found.update(np.ascontiguousarray(tensors[name]).tobytes())
    return found.hexdigest()


def read_record(path: str | Path, expected: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read tensors and JSON metadata from one of the project's own safetensors files."""
    path = Path(path)
    check_file(path)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        record = json.loads(metadata.get("superscale", "{}"))
    except (SafetensorError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read as a safetensors file: {error}") from None
    found = record.get("format", "no format") if isinstance(record, dict) else "no record"
    if found != expected:
        raise ValueError(f"{path} holds {found}, not {expected}")
    return tensors, record
