"""The command about reading superposed tokens: ``superscale read``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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


def read(
    source: Annotated[str, typer.Argument(help="File, folder or address of a model, or a matrix.")],
    error: Annotated[float, typer.Option(help="Allowed share of misread states.")] = 0.1,
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
        typer.Option(help="CSV or TSV of token counts: tokens are drawn in proportion to them."),
    ] = None,
    column: opt.Column = None,
    separator: opt.Separator = None,
    decimal: opt.Decimal = None,
    thousands: opt.Thousands = None,
    remove: opt.Remove = None,
    samples: Annotated[int, typer.Option(help="States drawn for each number of tokens.")] = 400,
    worst_case: Annotated[
        bool,
        typer.Option(
            "--worst-case",
            help="Also: for how many tokens every support is read (n² m operations).",
        ),
    ] = False,
    seed: opt.Seed = 0,
    json: opt.Json = False,
    csv: opt.Csv = False,
    output: opt.Output = None,
) -> None:
    """Say how many tokens can be superposed and read from the rows of an unembedding.

    A state is the sum of the directions of k tokens; it is read if these have the k highest scores
    of the whole vocabulary. Raw rows, centred rows, and rows without leading directions stand
    beside random directions of the same width.

    Example: superscale read model.safetensors --error 0.1
    """
    from empirical.counts.table import read_counts
    from empirical.reading.tokens import read_tokens
    from numerics.reading.worst_case import worst_case_active
    from superscale.commands.matrices import open_any

    outputs = output or []
    check_outputs(outputs)
    form = opt.read_form(separator, decimal, thousands)
    needless = opt.given(column=column, **form)
    if needless and counts is None:
        raise ValueError(f"--{next(iter(needless))} goes with --counts FILE")
    weights = None if counts is None else read_counts(counts, column, **form)
    matrix, taken, hint = open_any(source, tensor, transpose)
    chosen = None if rows is None else read_range("rows", rows, matrix.n)
    found = read_tokens(
        matrix,
        error=error,
        remove=remove,
        counts=weights,
        rows=chosen,
        samples=samples,
        seed=seed,
    )
    record: dict[str, Any] = {
        "n": found.n,
        "m": found.m,
        "capacities": {one.treatment: one.capacity for one in found.treatments},
        "random_capacity": found.random_capacity,
        "rows": found.to_dataframe().to_dict("records"),
        "notes": [hint] if hint else [],
        "settings": {
            "source": source, "tensor": taken, "transpose": transpose, "rows": rows,
            "counts": None if counts is None else str(counts), "column": column, **form,
            "error": error, "remove": remove, "samples": samples, "seed": seed,
        },
    }  # fmt: skip
    if worst_case:
        subset = matrix if chosen is None else matrix.select(chosen)
        record["worst_case_active"] = worst_case_active(subset).active
    write_outputs(outputs, found, record)
    if show_for_machines(json, csv, record, found):
        return
    show_table(
        f"{source}: {found.n} tokens in {found.m} dimensions, superposed and read with error "
        f"{error:g}",
        ["", "tokens", "as random directions of width", "share read with 1, 2, 4, … tokens"],
        [
            [
                one.treatment,
                str(one.capacity),
                str(one.width),
                ", ".join(
                    f"{k}: {with_error(x, e, 3)}"
                    for k, x, e in zip(one.active, one.right, one.stderr, strict=True)
                    if k & (k - 1) == 0
                ),
            ]
            for one in found.treatments
        ]
        + [["random directions", number(found.random_capacity), str(found.m), ""]],
    )
    if worst_case:
        print(f"every support of up to {record['worst_case_active']} tokens is read (raw)")
    if hint:
        print(f"note: {hint}")
