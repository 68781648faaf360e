"""The command about the other axes: what each mechanism predicts from the same frequencies."""

from __future__ import annotations

from typing import Annotated

import typer

from superscale.commands import options as opt
from superscale.commands.output import (
    check_outputs,
    number,
    show_for_machines,
    show_table,
    write_outputs,
)


def mechanisms(
    m: opt.Widths = None,
    law: opt.Law = None,
    n: opt.N = None,
    alpha: opt.Alpha = None,
    scale: opt.Scale = None,
    density: opt.Density = None,
    counts: opt.Counts = None,
    top: opt.Top = None,
    column: opt.Column = None,
    separator: opt.Separator = None,
    decimal: opt.Decimal = None,
    thousands: opt.Thousands = None,
    solve: Annotated[
        bool, typer.Option("--solve/--no-solve", help="Whether the mean field is solved.")
    ] = True,
    json: opt.Json = False,
    csv: opt.Csv = False,
    output: opt.Output = None,
) -> None:
    """Set side by side what makes loss fall with width, parameters, data, time and depth.

    Each mechanism gives an exponent from the same frequencies: superposition and kept features over
    width, known items over parameters and data, gradient flow and peaked targets over training
    time, averaging over depth. The last column says which measurement tells it from the others.

    Example: superscale mechanisms --counts words.csv --top 1000 --no-solve
    """
    from theory.mechanisms.comparison import compare_mechanisms

    outputs = list(output or [])
    check_outputs(outputs)
    form = opt.read_form(separator, decimal, thousands)
    frequencies, source = opt.build_frequencies(
        law, n, alpha, scale, density, counts, top, column, form
    )
    widths = opt.read_integers("m", m) if m else None
    found = compare_mechanisms(frequencies, widths, solve=solve)
    record = {
        "rows": found.to_dataframe().to_dict("records"),
        "settings": {"frequencies": source, "m": widths, "solve": solve},
    }
    write_outputs(outputs, found, record)
    if show_for_machines(json, csv, record, found):
        return
    rows = found.to_dataframe().to_dict("records")
    show_table(
        f"What each mechanism predicts; {frequencies}",
        ["mechanism", "axis", "from", "to", "exponent", "n → ∞"],
        [
            [row["mechanism"], row["axis"], *(number(row[key], 3) for key in list(row)[2:6])]
            for row in rows
        ],
    )
    print("–: no power law for these frequencies, or none known")
    show_table(
        "What tells them apart",
        ["mechanism", "measure"],
        [[row["mechanism"], row["told_by"]] for row in rows],
        justify="left",
    )
