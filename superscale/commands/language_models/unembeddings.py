"""The command about language models' unembeddings: ``superscale analyze``, one or several."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from superscale.commands import options as opt
from superscale.commands.matrices import read_range
from superscale.commands.output import (
    check_outputs,
    number,
    show_for_machines,
    show_table,
    with_error,
    write_outputs,
)

if TYPE_CHECKING:
    from empirical.unembeddings.family import UnembeddingFamily
    from empirical.unembeddings.report import UnembeddingReport


def analyze(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help="Files, folders or addresses of models."),
    ],
    tensor: Annotated[
        str | None, typer.Option(help="Name of the unembedding, where it is not found.")
    ] = None,
    transpose: Annotated[
        bool, typer.Option("--transpose", help="Tokens are the columns of the matrix.")
    ] = False,
    rows: Annotated[
        str | None, typer.Option(help="Only these rows: START:STOP, from 0, STOP excluded.")
    ] = None,
    counts: Annotated[
        Path | None,
        typer.Option(
            help="CSV or TSV of token counts, one for each token id; rows beyond are left out."
        ),
    ] = None,
    column: opt.Column = None,
    separator: opt.Separator = None,
    decimal: opt.Decimal = None,
    thousands: opt.Thousands = None,
    remove: opt.Remove = None,
    seed: opt.Seed = 0,
    json: opt.Json = False,
    csv: opt.Csv = False,
    output: opt.Output = None,
) -> None:
    """Analyse the unembedding of language models: overlaps against 1/m, norms, and their cost.

    One model: all statistics, and a figure of its overlaps. Several: a row for each, the slopes
    against m, and a figure of overlaps against 1/m with the 25 published models. Mean squared
    overlaps are exact; of more than 10000 rows, pairs (for the other statistics) and tokens (for
    the cross entropy) are sampled. A source that cannot be read is named on stderr, the others are
    reported, and the exit code is 2.

    Example: superscale analyze small.safetensors large.safetensors --output family.png
    """
    from empirical.counts.table import read_counts
    from empirical.unembeddings.family import analyze_many

    outputs = output or []
    check_outputs(outputs)
    form = opt.read_form(separator, decimal, thousands)
    needless = opt.given(column=column, **form)
    if needless and counts is None:
        raise ValueError(f"--{next(iter(needless))} goes with --counts FILE")
    chosen = None if rows is None else read_range("rows", rows)
    weights = None if counts is None else read_counts(counts, column, **form)
    family = analyze_many(
        sources,
        tensor=tensor,
        transpose=transpose,
        rows=chosen,
        counts=weights,
        remove=remove,
        seed=seed,
        progress=True,
    )
    settings: dict[str, Any] = {
        "sources": sources,
        "tensor": tensor,
        "transpose": transpose,
        "rows": rows,
    }
    settings |= {"remove": remove, "seed": seed}
    settings |= {"counts": None if counts is None else str(counts), "column": column, **form}
    record = {
        "rows": [one.to_dict() for one in family.reports],
        "exponents": {
            name: {"value": fit.value, "stderr": fit.stderr}
            for name, fit in family.exponents.items()
        },
        "notes": list(family.notes),
        "failures": list(family.failures),
        "settings": settings,
    }
    # A figure and a table of one model show what is in it; of several, how they compare.
    result = family if len(sources) > 1 else family.reports[0]
    write_outputs(outputs, result, record)
    if not show_for_machines(json, csv, record, result):
        if len(sources) > 1:
            _show_family(family)
        else:
            _show_report(family.reports[0])
    for failure in family.failures:
        print(f"superscale: did not finish: {failure}", file=sys.stderr)
    if family.failures:
        raise typer.Exit(2)


# How the table for people calls what the cross entropy is made of.
_COSTS = {
    "floor": "of it without overlaps",
    "size_part": "of it due to overlaps",
    "second_order": "that to second order",
    "published": "that in the published form",
}


def _show_report(report: UnembeddingReport) -> None:
    records = [
        row
        for row in report.to_dataframe().to_dict("records")
        if not str(row["quantity"]).startswith("norm_quantile")
    ]
    treatments = [one.treatment for one in report.overlaps.results]
    body = []
    for quantity in dict.fromkeys(row["quantity"] for row in records):
        rows = {row["treatment"]: row for row in records if row["quantity"] == quantity}
        plain = str(quantity).removeprefix("weighted_")
        name = _COSTS.get(plain, plain.replace("_", " "))
        cells = [name if plain == quantity else f"{name}, weighted"]
        for treatment in treatments:
            row = rows.get(treatment, {"value": None, "stderr": 0.0})
            sampled = row["stderr"] > 0  # 0: exact
            cells.append(with_error(row["value"], row["stderr"] if sampled else math.nan, 5))
        first = rows[treatments[0]]
        body.append([*cells, number(first["random"]), number(first["welch"])])
    source = ", ".join(x for x in (report.tensor, report.format, "tied" * report.tied) if x)
    title = f"{report.name}: {report.n} tokens in {report.m} dimensions ({source})"
    show_table(title, ["", *treatments, "random (raw)", "Welch (raw)"], body)
    if report.overlaps.results[0].pairs == "sample":
        print("sampled pairs: largest, smallest and coherence are the sample's")
    quantiles = report.norms.quantiles.items()
    print("norms by quantile: " + ", ".join(f"{q:g}: {number(x)}" for q, x in quantiles))
    print(
        f"norms above half the mean: {report.norms.phi_half:.4g} of all; "
        f"weak superposition has m/n = {report.weak_share:.3g}, strong 1"
    )
    for caveat in report.caveats:
        print(f"note: {caveat}")


def _show_family(family: UnembeddingFamily) -> None:
    table = family.to_dataframe()
    treatments = [x for x in ("raw", "centred", "removed") if f"mean_square_{x}" in table]
    weighted = [x for x in treatments if f"weighted_mean_square_{x}" in table]
    heads = ["model", "n", "m", "norm", "phi 1/2", *treatments, "1/m", "Welch"]
    heads += [*(f"weighted {x}" for x in weighted), "participation", "cost"]
    body = []
    for row in table.to_dict("records"):
        cells = [str(row["model"]), str(row["n"]), str(row["m"]), number(row["norm_mean"])]
        cells.append(number(row["phi_half"]))
        cells += [_times(row, x) for x in treatments]
        cells += [number(row["random"]), number(row["welch"])]
        cells += [_times(row, x, "weighted_") for x in weighted]
        cells += [number(row.get(f"{x}_centred")) for x in ("participation", "size_part")]
        body.append(cells)
    show_table(
        "Mean squared overlaps of unembeddings (and over that of random directions)",
        heads,
        body,
        lead=3,
    )
    print("participation, and cost (cross entropy due to overlaps, nats): of the centred rows")
    if family.exponents:
        print(family.describe_exponents())
    for note in family.notes:
        print(f"note: {note}")


def _times(row: Mapping[Any, Any], treatment: str, start: str = "") -> str:
    value, ratio = (row[f"{start}{x}_{treatment}"] for x in ("mean_square", "ratio"))
    return f"{number(value)} ({number(ratio, 3)})"
