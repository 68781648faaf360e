"""The command about loss curves: ``superscale fit``, on a table of widths and losses."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from superscale.commands import options as opt
from superscale.commands.language_models.axes import AxesChoice, fit_over_axes
from superscale.commands.language_models.chinchilla import fit_runs
from superscale.commands.output import (
    check_outputs,
    number,
    show_for_machines,
    show_table,
    write_outputs,
)

if TYPE_CHECKING:
    from empirical.scaling_laws.power_law_fit import PowerLawFit
    from empirical.scaling_laws.resampling import Bootstrap

_SHOWN = 6  # points or clusters of the leave-one-out table


def fit(
    table: Annotated[Path, typer.Argument(help="CSV or TSV with column names in its first line.")],
    x: Annotated[str | None, typer.Option("--x", help="Column of widths (default m).")] = None,
    y: Annotated[str, typer.Option("--y", help="Column of losses.")] = "loss",
    chinchilla: Annotated[
        bool,
        typer.Option(
            "--chinchilla", help="Fit E + A/N^alpha_N + B/D^alpha_D, N parameters and D tokens."
        ),
    ] = False,
    params: Annotated[
        str | None, typer.Option(help="With --chinchilla: column of parameters (default N).")
    ] = None,
    tokens: Annotated[
        str | None, typer.Option(help="With --chinchilla: column of tokens (default D).")
    ] = None,
    axes: Annotated[
        list[str] | None,
        typer.Option(help="Columns of several axes: d_model,n_layers,num_tokens."),
    ] = None,
    interact: Annotated[
        list[str] | None,
        typer.Option(help="With --axes: a term of two axes, d_model*num_tokens."),
    ] = None,
    residuals: Annotated[
        str | None,
        typer.Option(help="With --axes: squares of log or of plain residuals: log, squared."),
    ] = None,
    validate: Annotated[
        str | None,
        typer.Option(help="With --axes: column by which the smallest 70 % predict the others."),
    ] = None,
    drop_highest: Annotated[
        int, typer.Option(help="Leave out this many of the highest losses, and equal ones.")
    ] = 0,
    leave_out: Annotated[
        list[str] | None, typer.Option(help="Leave out the points that --label names so.")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(help="Column of curves, each with its own floor; family,dataset joins two."),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Column (or several with commas) that names the points.")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(help="Column of what points share, as the model: bootstrap over it."),
    ] = None,
    stderr: Annotated[
        str | None, typer.Option(help="Column of known standard errors of the losses.")
    ] = None,
    weight: Annotated[str | None, typer.Option(help="Column of relative weights.")] = None,
    separator: opt.Separator = None,
    decimal: opt.Decimal = None,
    thousands: opt.Thousands = None,
    floor: Annotated[
        bool, typer.Option("--floor/--no-floor", help="Whether the losses level off.")
    ] = True,
    huber: Annotated[
        float | None,
        typer.Option(
            help="Robust fit: Huber's threshold on ln(fitted/loss), as 0.001; a large one, 1000, "
            "gives least squares of ln(loss)."
        ),
    ] = None,
    level: Annotated[float, typer.Option(help="Coverage of the intervals.")] = 0.95,
    alpha_test: Annotated[
        list[str] | None, typer.Option(help="Exponents to test: 0.5,1 (default 1).")
    ] = None,
    forecast: Annotated[
        list[str] | None, typer.Option(help="Widths to forecast the loss at: 16384,32768.")
    ] = None,
    reach: Annotated[
        list[str] | None, typer.Option(help="Losses to name the width for: 2.5,2.4.")
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="Forecast only this group (default: all).")
    ] = None,
    n: Annotated[
        int | None,
        typer.Option("--n", help="Features (vocabulary): where the law must have broken."),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            help="Resamples of the bootstrap (default 999; with --chinchilla none unless given)."
        ),
    ] = None,
    seed: opt.Seed = 0,
    json: opt.Json = False,
    csv: opt.Csv = False,
    output: opt.Output = None,
) -> None:
    """Fit L = C m^-alpha + floor, with errors, other laws, what one point does, and forecasts.

    C and alpha are shared by all groups. With --cluster, forecasts take their intervals from the
    bootstrap over clusters; without it from the profile likelihood. With --chinchilla, the law of
    arXiv 2203.15556; a column --x of widths adds the exponent of the width. Huber losses summed or
    averaged, as published fits differ, have the same minimum, and the global one is found. With
    --axes, L = L_0 + sum of c/x^alpha over several axes, and which of them cannot be told apart.

    Example: superscale fit losses.csv --x m --y loss --group dataset --cluster model

    Example: superscale fit runs.csv --chinchilla --params params --tokens tokens --huber 0.001

    Example: superscale fit shapes.csv --axes d_model,n_layers,num_tokens --drop-highest 10
    """
    import warnings

    from empirical.scaling_laws.loss_table import drop_points, read_losses, read_runs
    from empirical.scaling_laws.power_law import fit_power_law
    from theory.checks import check_integer

    outputs = output or []
    check_outputs(outputs)
    samples = None if samples is None else check_integer("samples", samples, 2)
    seed = check_integer("seed", seed, 0, math.inf)
    widths = opt.read_numbers("forecast", forecast) if forecast else []
    losses = opt.read_numbers("reach", reach) if reach else []
    if n is not None and not widths and not losses:
        raise ValueError("--n goes with --forecast or --reach")
    if only is not None and not widths and not losses:
        raise ValueError("--only goes with --forecast or --reach")
    form = opt.read_form(separator, decimal, thousands)
    omitted = opt.split_names(leave_out) or []
    if chinchilla:
        clash = opt.given(
            group=group, cluster=cluster, stderr=stderr, weight=weight, no_floor=not floor or None,
            alpha_test=alpha_test, forecast=forecast, reach=reach, only=only, n=n,
        )  # fmt: skip
        if clash:
            name = next(iter(clash)).replace("_", "-")
            raise ValueError(f"--{name} does not go with --chinchilla: leave it out")
        read = read_runs(table, params or "N", tokens or "D", y, x, label, **form)
        read, left_out = drop_points(read, drop_highest, omitted)
        settings: dict[str, Any] = {
            "table": str(table), "params": params or "N", "tokens": tokens or "D", "x": x, "y": y,
            "label": label, "drop_highest": drop_highest, "leave_out": omitted, "huber": huber,
            "level": level, "samples": samples, "seed": seed, **form,
        }  # fmt: skip
        fit_runs(
            read, left_out, settings=settings, huber=huber, level=level, samples=samples, seed=seed,
            json=json, csv=csv, outputs=outputs,
        )  # fmt: skip
        return
    alone = opt.given(params=params, tokens=tokens)
    if alone:
        raise ValueError(f"--{next(iter(alone))} goes with --chinchilla")
    if axes:
        clash = opt.given(
            x=x, stderr=stderr, forecast=forecast, reach=reach, only=only, n=n, label=label,
            leave_out=leave_out,
        )  # fmt: skip
        if clash:
            name = next(iter(clash)).replace("_", "-")
            raise ValueError(f"--{name} does not go with --axes: leave it out")
        choice = AxesChoice(
            opt.split_names(axes) or [], y, group, cluster, weight, opt.split_names(interact) or [],
            floor, residuals, huber, drop_highest, form,
        )  # fmt: skip
        fit_over_axes(
            table, choice, validate=validate, alpha_test=opt.read_numbers("alpha_test", alpha_test)
            if alpha_test else [1.0], level=level, samples=samples, seed=seed, json=json, csv=csv,
            outputs=outputs,
        )  # fmt: skip
        return
    alone = opt.given(interact=interact, residuals=residuals, validate=validate)
    if alone:
        raise ValueError(f"--{next(iter(alone))} goes with --axes")
    x = "m" if x is None else x
    samples = 999 if samples is None else samples
    columns = read_losses(table, x, y, group, label, cluster, stderr, weight, **form)
    columns, left_out = drop_points(columns, drop_highest, omitted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # they are shown below
        found = fit_power_law(**columns, floor=floor, huber=huber)
    if only is not None:
        found.points.find_group(only)
    tests = opt.read_numbers("alpha_test", alpha_test or ["1"])
    record = _analyse(found, level, tests, samples, seed, cluster is not None)
    resampled = record.pop("resampled")
    names = found.points.groups if only is None else (only,)
    if widths:
        told = found.forecast(widths, only, level, resampled, n)
        record["forecast"] = {
            "rows": told.to_dataframe().to_dict("records"),
            "method": told.method,
            "notes": list(told.notes),
        }
    if losses:
        record["reach"] = [
            vars(found.width_for(loss, name, level, resampled, n))
            for name in names
            for loss in losses
        ]
    record["settings"] = {
        "table": str(table), "x": x, "y": y, "group": group, "label": label, "cluster": cluster,
        "stderr": stderr, "weight": weight, "floor": floor, "huber": huber, "level": level, "n": n,
        "samples": samples, "seed": seed, "drop_highest": drop_highest, "leave_out": omitted,
        **form,
    }  # fmt: skip
    record["left_out"] = list(left_out)
    write_outputs(outputs, found, record)
    if not show_for_machines(json, csv, record, found):
        _show(found, record)
        if left_out:
            print(f"left out: {', '.join(left_out)}")
    for text in found.warnings:
        print(f"superscale: warning: {text}", file=sys.stderr)


def _analyse(
    found: PowerLawFit, level: float, tests: list[float], samples: int, seed: int, clustered: bool
) -> dict[str, Any]:
    """Return everything that is asked of every fit, as plain values."""
    from empirical.scaling_laws.profile_likelihood import check_level

    check_level(level)
    record: dict[str, Any] = {
        "alpha": found.alpha,
        "stderr": found.stderr,
        "coefficients": found.coefficients,
        "floors": found.floors,
        "r_squared": found.r_squared,
        "residual_std": found.residual_std,
        "dof": found.dof,
        "points": found.points.size,
        "parameters": found.to_dataframe(level).to_dict("records"),
        "intervals": [],
        "tests": [],
        "influence": {},
    }
    resampled: Bootstrap | None = None
    robust = found.huber is not None
    if not robust and (found.dof > 0 or found.points.known):
        record["intervals"].append(vars(found.interval(level)))
        record["tests"] += [vars(found.test_alpha(value)) for value in tests]
    elif found.dof <= 0:
        record["compare"] = []
        record["resampled"] = None
        record["warnings"] = list(found.warnings)
        return record
    if clustered or robust:
        resampled = found.bootstrap("clusters" if clustered else "points", samples, seed)
        record["intervals"].append(vars(resampled.interval(level)))
    if clustered:
        record["tests"] += [vars(found.test_alpha(value, "clusters")) for value in tests]
    for by in ("points", "clusters") if clustered else ("points",):
        influence = found.influence(by)
        record["influence"][by] = {
            "rows": influence.to_dataframe().to_dict("records"),
            "flagged": list(influence.flagged),
            "furthest": influence.worst_residual,
            "jackknife_stderr": influence.stderr,
        }
    record["compare"] = [] if robust else found.compare().to_dataframe().to_dict("records")
    record["warnings"] = list(found.warnings)
    record["resampled"] = resampled
    return record


def _end(value: float) -> str:
    """Write an end of an interval, infinite or not.

    Examples
    --------
    >>> _end(0.91013), _end(float("-inf"))
    ('0.9101', '-inf')
    """
    return number(value) if value == value and abs(value) < float("inf") else f"{value:g}"


def _show(found: PowerLawFit, record: dict[str, Any]) -> None:
    print(str(found).splitlines()[0])
    for interval in record["intervals"]:
        print(
            f"alpha {_end(interval['low'])} … {_end(interval['high'])} "
            f"({interval['level']:.0%}, {interval['method']})"
        )
    for test in record["tests"]:
        print(f"alpha = {test['value']:g}: p = {number(test['p_value'], 3)} ({test['method']})")
    show_table(
        "Parameters, profile-likelihood intervals",
        ["parameter", "group", "value", "low", "high"],
        [
            [row["parameter"], row["group"], *(_end(row[c]) for c in ("value", "low", "high"))]
            for row in record["parameters"]
        ],
    )
    if record["compare"]:
        show_table(
            "Other laws",
            ["law", "formula", "alpha, k or b", "RSS", "AICc - best", "weight"],
            [
                [
                    row["law"],
                    row["formula"],
                    *(number(row[c], 3) for c in ("value", "rss", "difference", "weight")),
                ]
                for row in record["compare"]
            ],
        )
    for by, part in record["influence"].items():
        show_table(
            f"Leave one out, by {by}",
            ["without", "alpha", "change", "residual"],
            [
                [row["name"], *(number(row[c]) for c in ("alpha_without", "change", "residual"))]
                for row in part["rows"][:_SHOWN]
            ],
        )
        print(
            f"jackknife standard error of alpha, by {by}: {number(part['jackknife_stderr'], 2)}; "
            f"furthest from the law: {part['furthest']}\n"
        )
    if "forecast" in record:
        told = record["forecast"]
        show_table(
            f"Forecast, {told['method']}",
            ["group", "m", "loss", "low", "high", "new point low", "high"],
            [[row["group"], *(number(row[c], 5) for c in list(row)[1:7])] for row in told["rows"]],
        )
        for note in told["notes"]:
            print(note)
    if "reach" in record:
        show_table(
            "Width that reaches a loss",
            ["group", "loss", "m", "low", "high", ""],
            [
                [
                    row["group"],
                    *(f"{row[c]:.4g}" for c in ("loss", "m", "low", "high")),
                    row["reason"],
                ]
                for row in record["reach"]
            ],
        )
