"""Losses over several axes: the part ``--axes`` of ``superscale fit``, and ``superscale plan``."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from superscale.commands import options as opt
from superscale.commands.output import (
    check_outputs,
    number,
    show_for_machines,
    show_table,
    write_outputs,
)

if TYPE_CHECKING:
    from empirical.scaling_laws.axes.axes_fit import AxesFit
    from empirical.scaling_laws.axes.law import Residuals
    from empirical.scaling_laws.axes.resampling import By

_SHOWN = 5  # points of the leave-one-out table
_RESAMPLES = 199


@dataclass(frozen=True)
class AxesChoice:
    """Which columns of a table to fit, and how."""

    axes: list[str]
    loss: str = "loss"
    group: str | None = None
    cluster: str | None = None
    weight: str | None = None
    interact: list[str] = field(default_factory=list)
    floor: bool = True
    residuals: str | None = None
    huber: float | None = None
    drop_highest: int = 0
    form: dict[str, str] = field(default_factory=dict)


def read_fit(table: Path, choice: AxesChoice, extra: str | None = None) -> tuple[AxesFit, Any]:
    """Return the fit to a table, and another column of it for the points that were fitted."""
    import warnings

    from empirical.scaling_laws.axes.fit import fit_axes
    from empirical.scaling_laws.loss_table import drop_points, read_columns

    if choice.residuals is not None and choice.huber is not None:
        raise ValueError("--huber is a sum of its own: leave --residuals out")
    if choice.residuals not in (None, "log", "squared"):
        raise ValueError(f"--residuals {choice.residuals} is not allowed: give log or squared")
    residuals: Residuals = "huber" if choice.huber is not None else "log"
    if choice.residuals == "squared":
        residuals = "squared"
    pairs = [_split_pair(word) for word in choice.interact]
    numbers = dict.fromkeys([*choice.axes, choice.loss])
    numbers |= dict.fromkeys(name for name in (choice.weight, extra) if name is not None)
    named = {
        key: name
        for key, name in (("group", choice.group), ("cluster", choice.cluster))
        if name is not None
    }
    columns = read_columns(table, list(numbers), named, **choice.form)
    columns["loss"] = columns[choice.loss]  # drop_points goes by this name
    columns = drop_points(columns, choice.drop_highest)[0]
    if choice.loss != "loss":
        columns.pop("loss")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the commands show them
        found = fit_axes(
            columns, choice.axes, choice.loss,
            groups="group" if choice.group else None,
            clusters="cluster" if choice.cluster else None,
            weights=choice.weight, interactions=pairs, floor=choice.floor,
            residuals=residuals, huber=1e-3 if choice.huber is None else choice.huber,
        )  # fmt: skip
    return found, None if extra is None else columns[extra]


def _split_pair(word: str) -> tuple[str, str]:
    first, star, second = word.partition("*")
    if not star or "*" in second:
        raise ValueError(f"--interact {word}: give two axes, as d_model*num_tokens")
    return first, second


def fit_over_axes(
    table: Path,
    choice: AxesChoice,
    *,
    validate: str | None,
    alpha_test: list[float],
    level: float,
    samples: int | None,
    seed: int,
    json: bool,
    csv: bool,
    outputs: list[Path],
) -> None:
    """Fit L = L_0 + sum c/x^alpha to columns of a table, show and write it."""
    from empirical.scaling_laws.profile_likelihood import check_level
    from theory.checks import check_real

    check_level(level)
    for value in alpha_test:
        check_real("--alpha-test", value, 0, strict=True)
    found, sizes = read_fit(table, choice, validate)
    robust = found.residuals == "huber"
    record: dict[str, Any] = {
        "exponents": found.exponents,
        "coefficients": found.coefficients,
        "floors": found.floors,
        "objective": found.objective,
        "residuals": found.residuals,
        "points": len(found.rows),
        "dof": found.dof,
        "rows": found.to_dataframe().to_dict("records"),
        "intervals": {},
        "tests": [],
        "bootstrap": [],
        "warnings": list(found.warnings),
    }
    if not robust and found.dof > 0:
        names = list(found.axes)
        names += ["floor"] if len(found.floors) == 1 else [f"floor of {k}" for k in found.floors]
        record["intervals"] = {name: vars(found.interval(name, level)) for name in names}
        for value in alpha_test:
            tests = [found.test(**{name: value}) for name in found.axes]
            record["tests"] += [test.to_dataframe().to_dict("records")[0] for test in tests]
        record["compare"] = found.compare().to_dict("records")
    by: By = "clusters" if choice.cluster else "points"
    record["influence"] = found.influence(by).head(_SHOWN).to_dict("records")
    if samples is not None or choice.cluster or robust:
        drawn = found.bootstrap(by, _RESAMPLES if samples is None else samples, seed)
        record["bootstrap"] = [
            {"parameter": name, **vars(drawn.interval(name, level))}
            for name in map(str, drawn.table)
        ]
    if sizes is not None:
        told = found.validate(sizes)
        record["validation"] = {
            "by": validate,
            "limit": told.limit,
            "models": len(told.table),
            "error": told.error,
            "largest": float(told.table["error"].abs().max()),
            "exponents": told.exponents,
        }
    record["settings"] = {"table": str(table), **vars(choice), "level": level, "seed": seed}
    write_outputs(outputs, found, record)
    if not show_for_machines(json, csv, record, found):
        _show(found, record, level)
    for text in found.warnings:
        print(f"superscale: warning: {text}", file=sys.stderr)


def _show(found: AxesFit, record: dict[str, Any], level: float) -> None:
    rows = []
    drawn = {row["parameter"]: row for row in record["bootstrap"]}
    for row in record["rows"]:
        key = row["parameter"]
        axis = key.removeprefix("alpha(").removesuffix(")")
        if key.startswith("L_0("):
            group = key.removeprefix("L_0(").removesuffix(")")
            axis = "floor" if len(found.floors) == 1 else f"floor of {group}"
        is_known = not key.startswith("c(")
        profile = record["intervals"].get(axis) if is_known else None
        cells = [key, number(row["value"], 5)]
        cells += [number(profile[end]) if profile else "–" for end in ("low", "high")]
        if drawn:
            cells += [number(drawn[key][end]) for end in ("low", "high")]
        rows.append(cells)
    heads = ["parameter", "value", "profile low", "high"]
    heads += ["bootstrap low", "high"] if record["bootstrap"] else []
    title = "L = L_0 + sum of c/x^alpha" if found.floors else "L = sum of c/x^alpha"
    show_table(
        f"{title}; {record['points']} points, {found.residuals} residuals; intervals {level:.0%}",
        heads,
        rows,
    )
    if found.residuals == "huber":
        print("–: a robust fit has no profile likelihood")
    elif not record["bootstrap"]:
        print("–: no profile interval of a coefficient; --samples 199 draws a bootstrap")
    for test in record["tests"]:
        print(f"{test['tested']}: p = {number(test['p_value'], 3)}")
    if "compare" in record:
        show_table(
            "Other laws",
            ["law", "parameters", "AICc - best"],
            [
                [row["law"], str(row["parameters"]), number(row["difference"], 3)]
                for row in record["compare"]
            ],
        )
    show_table(
        "Leave one out: the largest changes",
        ["without", *(f"alpha({name})" for name in found.axes)],
        [
            [row["without"], *(number(row[name]) for name in found.axes)]
            for row in record["influence"]
        ],
    )
    if "validation" in record:
        told = record["validation"]
        print(
            f"{told['models']} models with {told['by']} above {told['limit']:.4g}, predicted from "
            f"the others: error {told['error']:.2%}, largest {told['largest']:.2%}"
        )


def plan(
    table: Annotated[Path, typer.Argument(help="CSV or TSV with column names in its first line.")],
    axes: Annotated[
        list[str] | None, typer.Option(help="Columns of width, depth and tokens, in this order.")
    ] = None,
    y: Annotated[str, typer.Option("--y", help="Column of losses.")] = "loss",
    compute: Annotated[
        list[str] | None, typer.Option(help="Budgets of compute in FLOP: 1e20,1e21.")
    ] = None,
    parameters: Annotated[
        list[str] | None, typer.Option(help="Budgets of parameters: 1e9.")
    ] = None,
    tokens: Annotated[
        float | None, typer.Option(help="With --parameters: tokens that it is trained on.")
    ] = None,
    vocabulary: Annotated[
        float, typer.Option(help="V in the number of parameters 12 m^2 l + V m.")
    ] = 0,
    cluster: Annotated[
        str | None, typer.Option(help="Column of what points share: bootstrap over it.")
    ] = None,
    drop_highest: Annotated[
        int, typer.Option(help="Leave out this many of the highest losses, and equal ones.")
    ] = 0,
    huber: Annotated[
        float | None, typer.Option(help="Robust fit: Huber's threshold on ln(fitted/loss).")
    ] = None,
    separator: opt.Separator = None,
    decimal: opt.Decimal = None,
    thousands: opt.Thousands = None,
    level: Annotated[float, typer.Option(help="Coverage of the intervals.")] = 0.95,
    samples: Annotated[int, typer.Option(help="Resamples for the intervals.")] = _RESAMPLES,
    seed: opt.Seed = 0,
    json: opt.Json = False,
    csv: opt.Csv = False,
    output: opt.Output = None,
) -> None:
    """Plan a model: the width, depth and tokens of least loss for a budget, from a table of losses.

    The law L = L_0 + sum of c/x^alpha is fitted to the table, as by superscale fit --axes, and
    minimised at fixed compute C = 6 N D, or at fixed N = 12 m^2 l + V m. Intervals come from refits
    to resampled points.

    Example: superscale plan shapes.csv --axes d_model,n_layers,num_tokens --compute 1e21
    """
    from empirical.progress import report_rounds
    from empirical.scaling_laws.axes.shape import Shapes, plan_shape

    outputs = output or []
    check_outputs(outputs)
    budgets: list[tuple[float | None, float | None]] = []
    if compute:
        budgets += [(value, None) for value in opt.read_numbers("compute", compute)]
    if parameters:
        budgets += [(None, value) for value in opt.read_numbers("parameters", parameters)]
    if not budgets:
        raise ValueError("the budget is missing: give --compute 1e21, or --parameters 1e9")
    names = opt.split_names(axes) or ["d_model", "n_layers", "num_tokens"]
    form = opt.read_form(separator, decimal, thousands)
    choice = AxesChoice(
        names, y, cluster=cluster, drop_highest=drop_highest, huber=huber, form=form
    )
    by: By = "clusters" if cluster else "points"
    with report_rounds("planning"):
        found, _ = read_fit(table, choice)
        shapes = [
            plan_shape(
                found, compute=flop, parameters=count, tokens=None if count is None else tokens,
                vocabulary=vocabulary, samples=samples, by=by, level=level, seed=seed,
            )
            for flop, count in budgets
        ]  # fmt: skip
    plans = Shapes(tuple(shapes))
    record = {
        "rows": plans.to_dataframe().to_dict("records"),
        "flat": [shape.flat.to_dict("records") for shape in shapes],
        "exponents": found.exponents,
        "coefficients": found.coefficients,
        "floors": found.floors,
        "warnings": list(found.warnings),
        "settings": {"table": str(table), **vars(choice), "vocabulary": vocabulary,
                     "samples": samples, "level": level, "seed": seed},
    }  # fmt: skip
    write_outputs(outputs, shapes[0] if len(shapes) == 1 else plans, record)
    if not show_for_machines(json, csv, record, plans):
        for shape in shapes:
            _show_shape(shape, level)
    for text in found.warnings:
        print(f"superscale: warning: {text}", file=sys.stderr)


def _show_shape(shape: Any, level: float) -> None:
    unit = "FLOP" if shape.kind == "compute" else "parameters"
    show_table(
        f"Least loss for {shape.budget:.4g} {unit}; intervals {level:.0%}",
        ["quantity", "value", "low", "high", "power of the budget"],
        [
            [row["quantity"], *(number(row[key]) for key in list(row)[1:])]
            for row in shape.to_dataframe().to_dict("records")
        ],
    )
    flat = shape.flat.iloc[0]
    print(
        f"the loss rises by {shape.tolerance:.1%} where width is {flat['width']:.3g} times and "
        f"depth {flat['depth']:.3g} times that, or the inverse: round as suits the hardware"
    )
