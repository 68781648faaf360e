"""The command that predicts: ``superscale predict``."""

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


def predict(
    law: opt.Law = None,
    n: opt.N = None,
    alpha: opt.Alpha = None,
    scale: opt.Scale = None,
    density: opt.Density = None,
    counts: opt.Counts = None,
    top: opt.Top = None,
    column: opt.Column = None,
    m: opt.Widths = None,
    theory: opt.Theory = None,
    explain: Annotated[str | None, typer.Option(help="Print a theory's derivation.")] = None,
    latex: Annotated[str | None, typer.Option(help="Print a theory's loss as LaTeX.")] = None,
    json: opt.Json = False,
    csv: opt.Csv = False,
    output: opt.Output = None,
) -> None:
    """Predict loss and exponent by every theory that applies; nothing is trained.

    Example: superscale predict --alpha 1.5 --n 1000000 --m 100,1000,10000
    """
    from theory.registry import predict as predict_losses

    outputs = output or []
    check_outputs(outputs)
    frequencies, source = opt.build_frequencies(law, n, alpha, scale, density, counts, top, column)
    prediction = predict_losses(frequencies, opt.read_widths(m, frequencies.n), theory or None)
    if explain:
        print(prediction.explain(explain))
        return
    if latex:
        has_loss = bool(prediction[latex].parts)
        print(prediction.latex(latex, of="loss" if has_loss else "exponent"))
        return
    estimates = prediction.estimates
    record = {
        "rows": [
            {
                "m": int(width),
                "predicted": {name: float(e.loss[k]) for name, e in estimates.items() if e.parts},
                "exponent": {name: float(e.exponent[k]) for name, e in estimates.items()},
            }
            for k, width in enumerate(prediction.m)
        ],
        "settings": {"frequencies": source, "m": prediction.m.tolist()},
    }
    write_outputs(outputs, prediction, record)
    if not show_for_machines(json, csv, record, prediction):
        losses = [name for name, e in estimates.items() if e.parts]
        show_table(
            f"Predicted loss and local exponent; {frequencies}",
            ["m", *[f"loss {name}" for name in losses], *[f"exponent {x}" for x in estimates]],
            [
                [
                    str(int(width)),
                    *[number(float(estimates[name].loss[k])) for name in losses],
                    *[number(float(e.exponent[k]), 3) for e in estimates.values()],
                ]
                for k, width in enumerate(prediction.m)
            ],
        )
