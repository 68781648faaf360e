"""Our own measurements of the published study: the grids of the sweeps, and their tables.

``load_measured("grid")`` returns a shipped table, ``MEASUREMENTS`` holds the grids, and
``measure_grid("grid", store)`` makes a table anew (``superscale reproduce … --store`` does so).
Each shipped file, empirical/data/measured_NAME.csv, opens with the command that made it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from empirical.comparisons.published import WIDTHS, density_of
from empirical.progress import Report
from empirical.sweeps.result import SweepResult
from empirical.sweeps.sweep import sweep
from numerics.files import write_atomically
from theory.computing.argument_kinds import check_kinds

_LARGE, _OTHERS = [8, 16, 32, 64, 128, 256], ["exponential:400", "linear"]
# The published values of weight decay, and of E: from 1 to where p_1 = 1 (n = 1000, alpha = 1).
_DECAYS = [float(x) for x in np.linspace(-1, 1, 10)]
_DENSITIES = [float(density_of(level)) for level in np.linspace(0, 1, 9)]

MEASUREMENTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "grid": {
            "alpha": [float(x) for x in np.linspace(0, 2, 17)],
            "weight_decay": _DECAYS,
            "m": WIDTHS,
        },
        "row_paper": {"weight_decay": _DECAYS, "m": WIDTHS, "recipe": "paper"},
        "density": {"density": _DENSITIES, "weight_decay": _DECAYS, "m": 63},
        "density_widths": {"density": _DENSITIES[:5], "weight_decay": _DECAYS[2], "m": WIDTHS},
        "density_widths_paper": {
            "density": [_DENSITIES[0], _DENSITIES[3]],
            "weight_decay": _DECAYS[2],
            "m": WIDTHS,
            "recipe": "paper",
        },
        "seeds": {
            "weight_decay": _DECAYS[2],
            "m": WIDTHS,
            "recipe": ["paper", "fast"],
            "seed": [0, 1, 2, 3],
        },
        "large_power": {"n": 10240, "alpha": 1.2, "m": _LARGE},
        "large_others": {"n": 10240, "frequencies": _OTHERS, "m": _LARGE},
        "large_power_weak": {"n": 10240, "alpha": 1.2, "weight_decay": 0.1, "m": _LARGE},
        "large_others_weak": {"n": 10240, "frequencies": _OTHERS, "weight_decay": 0.1, "m": _LARGE},
    }
)
# Learning rate at n = 10240. At the fast recipe's 1e-2 a sixtieth of the features is dead at
# m = 256, with half of the loss.
_LARGE_RATE = 5e-3


def measure_grid(
    name: str,
    store: str | Path,
    workers: int | None = None,
    progress: bool | Report = False,
) -> SweepResult:
    """Train the runs that one of ``MEASUREMENTS`` lists and the store lacks.

    Parameters
    ----------
    name : str
        One of ``MEASUREMENTS``.
    store : path
        Folder of finished runs.
    workers, progress
        As in ``sweep``.

    Returns
    -------
    SweepResult
        All its runs.

    Raises
    ------
    ValueError
        For an unknown name.
    """
    grid = _grid(name)
    if name.startswith("large"):
        return sweep(
            grid, store=store, workers=workers, progress=progress, learning_rate=_LARGE_RATE
        )
    return sweep(grid, store=store, workers=workers, progress=progress)


def _grid(name: str) -> Mapping[str, Any]:
    if name not in MEASUREMENTS:
        raise ValueError(f"no measurement {name!r}: there are {', '.join(MEASUREMENTS)}")
    return MEASUREMENTS[name]


@check_kinds
def load_measured(name: str) -> pd.DataFrame:
    """Return a shipped table, a row for each run (columns of ``SweepRow``).

    Parameters
    ----------
    name : str
        One of ``MEASUREMENTS``.

    Raises
    ------
    ValueError
        For an unknown name, or one whose table is not shipped.

    Examples
    --------
    >>> seeds = load_measured("seeds")
    >>> sorted(seeds["m"].unique().tolist())
    [10, 15, 25, 39, 63, 100]
    """
    if not is_shipped(name):
        raise ValueError(f"the measurement {name!r} is not shipped: make it, with a store")
    with _path(name).open(encoding="utf-8") as file:
        return pd.read_csv(file, comment="#")


def is_shipped(name: str) -> bool:
    """Return whether the table of one of ``MEASUREMENTS`` comes with the package."""
    _grid(name)
    return _path(name).is_file()


def _path(name: str) -> Traversable:
    return files("empirical").joinpath(f"data/measured_{name}.csv")


def save_measured(name: str, result: SweepResult, path: str | Path) -> None:
    """Write a table as it is shipped, with the command that makes it in its first line."""
    command = f"# superscale reproduce {name} --store runs --output {Path(path).name}\n"
    text = result.to_dataframe().to_csv(index=False, float_format="%.8g", lineterminator="\n")
    write_atomically(path, (command + text).encode())
