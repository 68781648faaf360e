"""The command that predicts: ``superscale predict``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from superscale.commands import options as opt
from superscale.commands.output import (
    check_outputs,
    number,
    show_for_machines,
    show_table,
    show_undefined,
    write_outputs,
)

_KINDS = ("predicted", "exponent")

if TYPE_CHECKING:
    from theory.features import Features
    from theory.prediction import Prediction


def predict(
    law: opt.Law = None,
    n: opt.N = None,
    alpha: opt.Alpha = None,
    scale: opt.Scale = None,
    density: opt.Density = None,
    counts: opt.Counts = None,
    top: opt.Top = None,
    activation: opt.ActivationLaw = None,
    importance: opt.Importance = None,
    column: opt.Column = None,
    separator: opt.Separator = None,
    decimal: opt.Decimal = None,
    thousands: opt.Thousands = None,
    m: opt.Widths = None,
    theory: opt.Theory = None,
    theories: Annotated[
        bool, typer.Option("--theories", help="List the theories there are, and nothing else.")
    ] = False,
    sampling: opt.Sampling = "bernoulli",
    explain: Annotated[
        str | None,
        typer.Option(help="Print the derivation of a theory, or of several: weak,gaussian."),
    ] = None,
    latex: Annotated[
        str | None, typer.Option(help="Print the loss of a theory as LaTeX (or its exponent).")
    ] = None,
    json: opt.Json = False,
    csv: opt.Csv = False,
    output: opt.Output = None,
) -> None:
    """Predict loss and exponent by every theory that applies; nothing is trained.

    Example: superscale predict --alpha 1.5 --n 1000000 --m 100,1000,10000
    """
    from empirical.progress import report_rounds
    from theory.registry import predict as predict_losses

    outputs = output or []
    check_outputs(outputs)
    text = opt.given(explain=explain, latex=latex, theories=theories or None)
    needless = opt.given(json=json or None, csv=csv or None, output=outputs)
    if len(text) > 1 or (text and needless):
        _, other = [*text, *needless][:2]
        raise ValueError(f"--{next(iter(text))} prints text, and nothing else: leave out --{other}")
    form = opt.read_form(separator, decimal, thousands)
    frequencies, source = opt.build_frequencies(
        law, n, alpha, scale, density, counts, top, column, form
    )
    features = opt.build_features(frequencies, activation, importance)
    if theories:
        _show_theories(features)
        return
    # What is explained is predicted, and nothing else: a solver takes seconds for each width.
    told = explain or latex
    named = opt.split_names([told] if told else theory)
    widths = opt.read_widths(m, frequencies.n)
    # predict itself says what is wrong with another word for the sampling.
    with report_rounds("solving") as advance:
        prediction = predict_losses(
            features,
            widths if m or not told else widths[:1],
            named,
            sampling=sampling,  # type: ignore[arg-type]
            progress=advance,
        )
    if told:
        # A group of theories is told one after the other.
        for name in prediction.theories:
            print(prediction.explain(name) if explain else _write_latex(prediction, name))
        return
    record = _record(prediction)
    record["settings"] = {"frequencies": source, "m": widths, "sampling": sampling}
    write_outputs(outputs, prediction, record)
    if not show_for_machines(json, csv, record, prediction):
        _show(prediction, record["rows"])


def _write_latex(prediction: Prediction, name: str) -> str:
    of: Literal["loss", "exponent"] = "loss" if prediction[name].has_loss else "exponent"
    try:
        return prediction.latex(name, of=of)
    except ValueError:
        raise ValueError(
            f"--latex {name}: it is solved by numbers and has no closed form; --explain {name} "
            "shows its equations"
        ) from None


def _record(prediction: Prediction) -> dict[str, Any]:
    """Return the numbers by width, as plain values."""
    estimates = prediction.estimates
    losses = [name for name, one in estimates.items() if one.has_loss]
    return {
        "rows": [
            {
                "m": int(width),
                "predicted": {name: float(estimates[name].loss[k]) for name in losses},
                "exponent": {name: float(one.exponent[k]) for name, one in estimates.items()},
            }
            for k, width in enumerate(prediction.m)
        ]
    }


def _show(prediction: Prediction, rows: list[dict[str, Any]]) -> None:
    losses, exponents = list(rows[0]["predicted"]), list(rows[0]["exponent"])
    show_table(
        f"Predicted loss and local exponent; {prediction.features.frequencies}",
        ["m", *[f"loss {name}" for name in losses], *[f"exponent {name}" for name in exponents]],
        [
            [
                str(row["m"]),
                *[number(row["predicted"][name]) for name in losses],
                *[number(row["exponent"][name], 3) for name in exponents],
            ]
            for row in rows
        ],
    )
    show_undefined(
        name
        for name in exponents
        if any(math.isnan(row[kind].get(name, 0)) for row in rows for kind in _KINDS)
    )


def _show_theories(features: Features) -> None:
    from theory.registry import THEORIES

    show_table(
        f"Theories of the loss; {features.frequencies}",
        ["--theory", "what it says", "shown", "cost", "applies here"],
        [
            [
                one.name,
                one.summary,
                "by default" if one.by_default else "if named",
                {"formula": "instant", "solver": "seconds a width"}[one.cost],
                one.refuses(features) or "yes",
            ]
            for one in THEORIES
        ],
        justify="left",
    )
