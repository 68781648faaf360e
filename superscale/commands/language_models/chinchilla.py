"""The part of ``superscale fit`` for losses over parameters and tokens: ``--chinchilla``."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from superscale.commands.output import (
    number,
    show_for_machines,
    show_table,
    with_error,
    write_outputs,
)

if TYPE_CHECKING:
    from empirical.scaling_laws.chinchilla.fit import ChinchillaFit

_EXPONENTS = ("alpha_N", "alpha_D")


def fit_runs(
    columns: Mapping[str, Any],
    left_out: tuple[str, ...],
    *,
    settings: dict[str, Any],
    huber: float | None,
    level: float,
    samples: int | None,
    seed: int,
    json: bool,
    csv: bool,
    outputs: list[Path],
) -> None:
    """Fit L = E + A/N^alpha_N + B/D^alpha_D to what ``read_runs`` read, show and write it."""
    import warnings

    from empirical.progress import report_rounds
    from empirical.scaling_laws.chinchilla.fit import fit_chinchilla
    from empirical.scaling_laws.chinchilla.width_exponent import width_exponent
    from empirical.scaling_laws.profile_likelihood import check_level

    check_level(level)
    data = {name: columns[name] for name in ("N", "D", "loss")}
    with warnings.catch_warnings(), report_rounds("fitting"):
        warnings.simplefilter("ignore", UserWarning)  # they are shown below
        found = fit_chinchilla(**data, huber=huber)
    record: dict[str, Any] = {
        "rows": found.to_dataframe().to_dict("records"),
        "objective": found.objective,
        "objective_mean": found.objective / found.loss.size,
        "r_squared": found.r_squared,
        "dof": found.dof,
        "points": int(found.loss.size),
        "left_out": list(left_out),
        "intervals": {},
        "bootstrap": {},
        "warnings": list(found.warnings),
    }
    if huber is None and found.dof > 0:
        record["intervals"] = {name: vars(found.interval(name, level)) for name in _EXPONENTS}
    if samples is not None:
        drawn = found.bootstrap(samples, seed)
        record["bootstrap"] = _quantiles(drawn, level)
    if "m" in columns:
        record["width_exponent"] = vars(width_exponent(found, columns["N"], columns["m"]))
    record["settings"] = settings
    write_outputs(outputs, found, record)
    if not show_for_machines(json, csv, record, found):
        _show(found, record, level)
    for text in found.warnings:
        print(f"superscale: warning: {text}", file=sys.stderr)


def _quantiles(drawn: Any, level: float) -> dict[str, list[float]]:
    ends = drawn.quantile([(1 - level) / 2, (1 + level) / 2])
    return {str(name): [float(x) for x in ends[name]] for name in ends}


def _show(found: ChinchillaFit, record: dict[str, Any], level: float) -> None:
    rows = []
    for row in record["rows"]:
        name = row["parameter"]
        profile = record["intervals"].get(name, {"low": math.nan, "high": math.nan})
        cells = [name, with_error(row["value"], row["stderr"], 5)]
        cells += [number(profile["low"]), number(profile["high"])]
        if record["bootstrap"]:
            cells += [number(x) for x in record["bootstrap"][name]]
        rows.append(cells)
    heads = ["parameter", "value", "profile low", "high"]
    heads += ["bootstrap low", "high"] if record["bootstrap"] else []
    how = "least squares" if found.huber is None else f"Huber loss of ln L, {found.huber:g}"
    show_table(
        f"L = E + A/N^alpha_N + B/D^alpha_D; {record['points']} points, {how}; "
        f"intervals {level:.0%}",
        heads,
        rows,
    )
    if found.huber is None:
        print("–: profile intervals are those of the exponents; --samples 199 draws others")
    elif not record["bootstrap"]:
        print("–: a robust fit has no profile likelihood: --samples 199 draws a bootstrap")
    print(
        f"objective: sum {found.objective:.6g}, mean {record['objective_mean']:.6g} "
        "(both have the same minimum, and this is the global one)"
    )
    if record["left_out"]:
        print(f"left out: {', '.join(record['left_out'])}")
    if "width_exponent" in record:
        found_width = record["width_exponent"]
        alpha = with_error(found_width["alpha_m"], found_width["stderr"])
        print(
            f"exponent of the width: alpha_m = k alpha_N = {alpha}, "
            f"with N ∝ m^k, k = {with_error(found_width['k'], found_width['k_stderr'])}"
        )
